"""Formbricks: responses as its webhooks tell them, signed as Standard Webhooks, and as its API lists them."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from intake.connectors import connectors
from intake.connectors.answers import CONSENT, RATED, SCALE, Answers
from intake.connectors.base import Call, Draft, Ignored, RawItem, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, list_at, moment_at, text_at
from intake.connectors.documents import at as member
from intake.connectors.signatures import check_standard
from intake.connectors.social import item, object_of

_EVENTS = frozenset(["responseCreated", "responseUpdated", "responseFinished"])
_TYPES = {"nps": "nps", "csat": "csat5", "ces": "ces5", "rating": "stars5"}
# A webhook tells no question's type; whoever builds a survey names such a question so.
_NAMED = re.compile(r"(?:^|[^a-z])(nps|csat|ces|rating)(?:$|[^a-z])", re.IGNORECASE)


@connectors.register
class Formbricks(HookedDocuments):
    slug = "formbricks"
    name = "Formbricks"
    asks = (
        Setting(
            "signing_secret",
            "Secret of the webhook",
            help="It begins with whsec_ and is shown once, when the webhook is made.",
            is_secret=True,
            is_required=True,
        ),
        RATED,
        SCALE,
        CONSENT,
    )

    def verify(self, call: Call, *, secrets: Mapping[str, str], at: datetime) -> None:
        name, stamp, given = (call.headers.get(f"webhook-{part}", "") for part in ("id", "timestamp", "signature"))
        check_standard(name, stamp, given, secrets.get("signing_secret", ""), call.body, at=at)

    def delivery_id(self, call: Call) -> str:
        return call.headers.get("webhook-id", "") or super().delivery_id(call)

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        listed = member(found, "data", default=None)
        responses = listed if isinstance(listed, list) else found if isinstance(found, list) and found else [found]
        for each in responses:
            response = member(each, "data", default={}) if text_at(each, "event") else each
            if not (text_at(each, "event") or text_at(each, "surveyId")):
                raise Unreadable("It is no response of Formbricks. Send what its webhook or its API gives.")
            told_at, _ = moment_at(response, "updatedAt")
            yield item(text_at(response, "id"), each, updated_at=told_at)

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        found = object_of(raw)
        event = text_at(found, "event")
        if event and event not in _EVENTS:
            raise Ignored(f'It is an event of the kind "{event[:60]}", which holds no response.')
        response = member(found, "data", default={}) if event else found
        if member(response, "finished") is not True:
            raise Ignored("The answers are not finished yet.")
        answers = Answers(settings)
        questions = {text_at(each, "id"): each for each in list_at(response, "survey", "questions")}
        given = member(response, "data", default={})
        for name, value in given.items() if isinstance(given, Mapping) else ():
            _take(answers, str(name), value, questions.get(str(name), {}))
        _carry(answers, response)
        sent_at, remarks = moment_at(response, "createdAt")
        language = text_at(response, "language")
        return answers.draft(
            submitted_at=sent_at,
            remarks=remarks,
            language="" if language == "default" else language,
            url=text_at(response, "meta", "url"),
        )


def _take(answers: Answers, name: str, value: Any, question: Any) -> None:
    title = text_at(question, "headline", "default") or text_at(question, "headline") or name
    kind = text_at(question, "type")
    if isinstance(value, int | float) and not isinstance(value, bool):
        named = _NAMED.search(name)
        scale = _TYPES.get(kind) or (_TYPES[named[1].lower()] if named else "")
        if kind == "rating" and member(question, "range", default=5) != 5:
            answers.choose(title, f"{value} of {text_at(question, 'range')}")
        else:
            answers.rate(title, value, names=(name,), scale=scale)
    elif isinstance(value, str) and kind in ("", "openText"):
        answers.say(title, value)
    else:
        answers.choose(title, list(value.values()) if isinstance(value, Mapping) else value)


def _carry(answers: Answers, response: Any) -> None:
    answers.carry("user_id", text_at(response, "contact", "userId"))
    known = member(response, "contactAttributes", default={})
    for name, value in known.items() if isinstance(known, Mapping) else ():
        answers.carry(str(name), value)
    answers.note("Survey", text_at(response, "survey", "title"))
    answers.note("Tags", [text_at(tag, "name") or text_at([tag], 0) for tag in list_at(response, "tags")])
    for label, *path in (
        ("Country", "country"),
        ("Device", "userAgent", "device"),
        ("System", "userAgent", "os"),
        ("Browser", "userAgent", "browser"),
    ):
        answers.note(label, text_at(response, "meta", *path))
