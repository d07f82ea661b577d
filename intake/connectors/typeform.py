"""Typeform: responses as its webhooks tell them, and as pages of its Responses API hold them."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from intake.connectors import connectors
from intake.connectors.answers import CONSENT, RATED, SCALE, Answers
from intake.connectors.base import Call, Draft, Ignored, RawItem, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, at, document, list_at, moment_at, packed, text_at
from intake.connectors.signatures import check

_STARS = {5: "stars5", 7: "csat7"}
_WORDS = frozenset(["long_text", "short_text"])


@connectors.register
class Typeform(HookedDocuments):
    slug = "typeform"
    name = "Typeform"
    asks = (
        Setting(
            "signing_secret",
            "Secret of the webhook",
            help="You choose it in Typeform under Connect, Webhooks. It signs every call.",
            is_secret=True,
            is_required=True,
        ),
        RATED,
        SCALE,
        CONSENT,
    )
    call_id = ("event_id",)

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        check(
            call.headers.get("typeform-signature", ""), secrets.get("signing_secret", ""), call.body, prefix="sha256="
        )

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        if at(found, "items", default=None) is not None:
            # The API tells the form in the address alone, so its responses are known by their tokens as in webhooks.
            for item in list_at(found, "items"):
                yield _raw(item)
        elif any(at(found, name) for name in ("form_response", "token", "event_id")):
            yield _raw(found)
        else:
            raise Unreadable("It is no response of Typeform. Send what its webhook or its Responses API gives.")

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = document(raw.payload)
        kind = text_at(found, "event_type")
        if kind not in ("", "form_response"):
            raise Ignored(f'It is an event of the kind "{kind[:60]}", which holds no finished response.')
        response = at(found, "form_response", default=found)
        if text_at(response, "response_type") in ("started", "partial") or not list_at(response, "answers"):
            raise Ignored("The form was opened and not sent.")
        answers = Answers(settings)
        fields = {text_at(each, "id"): each for each in list_at(response, "definition", "fields")}
        for answer in list_at(response, "answers"):
            _take(answers, answer, fields.get(text_at(answer, "field", "id"), {}))
        hidden = at(response, "hidden", default={})
        for name, value in hidden.items() if isinstance(hidden, Mapping) else ():
            answers.carry(str(name), value)
        for name, path in (("Score", ("calculated", "score")), ("Device", ("metadata", "platform"))):
            answers.note(name, at(response, *path))
        sent_at, remarks = moment_at(response, "submitted_at")
        return answers.draft(submitted_at=sent_at, remarks=remarks)


def _raw(found: Any) -> RawItem:
    response = at(found, "form_response", default=found)
    token = text_at(response, "token") or text_at(response, "response_id") or text_at(found, "event_id")
    if not token:
        raise Unreadable("One of its responses has no token. Send the document as Typeform gave it.")
    # A partial response and the finished one have one token, and the later stands.
    sent_at, _ = moment_at(response, "submitted_at")
    opened_at, _ = moment_at(response, "landed_at")
    return RawItem(token, packed(found), updated_at=sent_at or opened_at)


def _take(answers: Answers, answer: Any, field: Any) -> None:
    kind, asked = text_at(answer, "type"), text_at(answer, "field", "type")
    reference = text_at(answer, "field", "ref")
    question = text_at(field, "title") or reference.replace("_", " ") or text_at(answer, "field", "id")
    value = at(answer, kind)
    if kind == "text" and (asked in _WORDS or not asked):
        answers.say(question, text_at(answer, "text"))
    elif kind == "email":
        answers.carry("email", value)
    elif kind == "number" and asked in ("nps", "rating", "opinion_scale"):
        steps = at(field, "properties", "steps", default=5)
        scale = {"nps": "nps", "rating": _STARS.get(steps, "") if isinstance(steps, int) else ""}.get(asked, "")
        names = (reference, text_at(answer, "field", "id"))
        if asked == "rating" and not scale:
            answers.choose(question, f"{text_at(answer, 'number')} of {steps}")
        else:
            answers.rate(question, value, names=names, scale=scale)
    elif kind in ("choice", "choices"):
        chosen = [text_at(value, "label"), *list_at(value, "labels")]
        answers.choose(question, chosen)
        answers.say(question, text_at(value, "other"))
    else:
        # Also whatever kind Typeform thinks of next.
        answers.choose(question, value if not isinstance(value, Mapping) else list(value.values()))
