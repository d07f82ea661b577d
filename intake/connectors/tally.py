"""Tally: responses as its webhooks tell them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from intake.connectors import connectors
from intake.connectors.answers import CONSENT, RATED, SCALE, Answers
from intake.connectors.base import Call, Draft, Ignored, RawItem, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, list_at, moment_at, text_at
from intake.connectors.documents import at as member
from intake.connectors.signatures import check
from intake.connectors.social import item, object_of

_WORDS = frozenset(["INPUT_TEXT", "TEXTAREA"])
_CHOICES = frozenset(["MULTIPLE_CHOICE", "CHECKBOXES", "DROPDOWN", "MULTI_SELECT", "RANKING"])


@connectors.register
class Tally(HookedDocuments):
    slug = "tally"
    name = "Tally"
    asks = (
        Setting(
            "signing_secret",
            "Signing secret",
            help="Tally shows it when you add the webhook under Integrations. It signs every call.",
            is_secret=True,
            is_required=True,
        ),
        RATED,
        SCALE,
        CONSENT,
    )
    call_id = ("eventId",)

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        check(call.headers.get("tally-signature", ""), secrets.get("signing_secret", ""), call.body)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        events = found if isinstance(found, list) and found else [found]
        for event in events:
            if not text_at(event, "eventType"):
                raise Unreadable("It is no event of Tally. Send what its webhook sends.")
            told_at, _ = moment_at(event, "data", "createdAt")
            yield item(text_at(event, "data", "responseId") or text_at(event, "eventId"), event, updated_at=told_at)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        event = object_of(raw)
        kind = text_at(event, "eventType")
        if kind != "FORM_RESPONSE":
            raise Ignored(f'It is an event of the kind "{kind[:60]}", which holds no response.')
        answers = Answers(settings)
        for field in list_at(event, "data", "fields"):
            _take(answers, field)
        answers.note("Form", text_at(event, "data", "formName"))
        sent_at, remarks = moment_at(event, "data", "createdAt")
        return answers.draft(submitted_at=sent_at, remarks=remarks)


def _take(answers: Answers, field: Any) -> None:
    kind, key, value = text_at(field, "type"), text_at(field, "key"), member(field, "value", default=None)
    label = text_at(field, "label")
    if kind in _WORDS:
        answers.say(label, text_at(field, "value"))
    elif kind == "INPUT_EMAIL":
        answers.carry("email", value)
    elif kind == "HIDDEN_FIELDS":
        answers.carry(label or key, value)
    elif kind in ("RATING", "LINEAR_SCALE"):
        answers.rate(label, value, names=(key, label), scale="stars5" if kind == "RATING" else "")
    elif kind in _CHOICES:
        # Each box comes once more as a field of its own, which says nothing new.
        if not isinstance(value, bool):
            answers.choose(label, _chosen(value, list_at(field, "options")))
    elif kind == "MATRIX" and isinstance(value, Mapping):
        for row in list_at(field, "rows"):
            told = _chosen(value.get(text_at(row, "id")), list_at(field, "columns"))
            answers.choose(": ".join(part for part in (label, text_at(row, "text")) if part), told)
    elif kind in ("FILE_UPLOAD", "SIGNATURE"):
        answers.note(label, [text_at(file, "url") for file in list_at(field, "value")])
    else:
        # Also whatever kind Tally thinks of next.
        answers.choose(label or key, list(value.values()) if isinstance(value, Mapping) else value)


def _chosen(value: Any, options: list[Any]) -> list[str]:
    """The words of what was chosen; what is no option's id was typed."""
    words = {text_at(option, "id"): text_at(option, "text") for option in options}
    told = [text_at([each], 0) for each in (value if isinstance(value, list) else [value])]
    return [words.get(each) or each for each in told]
