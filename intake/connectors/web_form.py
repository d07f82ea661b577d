"""Feedback from a form of our own: the answers, with what was asked beside them."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any

from feedback_portal.marking import marked
from intake.connectors import connectors
from intake.connectors.base import Connector, Draft, Rating, RawItem, Sender, Unreadable
from intake.connectors.moments import Unclear, exact_moment


@connectors.register
class WebForm(Connector):
    """The payload holds `questions` as they were asked, `answers` by their names, and `about`, facts that came with the
    link. The first scale is the rating; texts that stand for the text are its paragraphs; all else is context."""

    slug = "web_form"
    name = marked("Web form")
    is_offered = False

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        try:
            said = json.loads(raw.payload)
        except ValueError as error:
            raise Unreadable(f"It is not JSON: {error}.") from None
        if not isinstance(said, dict):
            raise Unreadable("It is JSON, but not an object.")
        answers, about = _answers(said), said.get("about") or {}
        if not isinstance(about, dict):
            raise Unreadable("What it is about is not an object.")
        facts = {str(name): str(value) for name, value in about.items()} | dict(_facts(answers))
        return Draft(
            text=_text(answers),
            rating=_rating(answers),
            sender=_sender(answers, asks_consent=_asks(said, "consent")),
            language=str(said.get("language") or ""),
            title=facts.pop("title", ""),
            product=facts.pop("product", ""),
            product_version=facts.pop("product_version", ""),
            url=facts.pop("url", ""),
            submitted_at=_written_at(said),
            context=facts,
        )


@dataclass(frozen=True)
class _Answer:
    """What was said to one question; questions that were passed over have none."""

    name: str
    kind: str
    label: str
    scale: str
    place: str
    said: Any


def _answers(said: Mapping[str, Any]) -> list[_Answer]:
    asked, answers = said.get("questions"), said.get("answers")
    if not isinstance(asked, list) or not isinstance(answers, dict):
        raise Unreadable("It lacks its questions or its answers.")
    found = []
    for question in asked:
        if not isinstance(question, dict):
            raise Unreadable("Its questions are not objects.")
        name, kind, label, scale, place = (
            str(question.get(part) or "") for part in ("name", "kind", "label", "scale", "place")
        )
        if answers.get(name) not in (None, "", [], {}):
            found.append(_Answer(name, kind, label, scale, place, answers[name]))
    return found


def _written_at(said: Mapping[str, Any]) -> datetime | None:
    """When it was written, if it waited for a network before it was sent."""
    if not said.get("written_at"):
        return None
    try:
        return exact_moment(str(said["written_at"]))
    except Unclear as reason:
        raise Unreadable(str(reason)) from None


def _asks(said: Mapping[str, Any], kind: str) -> bool:
    return any(question.get("kind") == kind for question in said["questions"])


def _text(answers: Sequence[_Answer]) -> str:
    """One answer stands alone; of several, each but the first follows what it answers."""
    texts = [answer for answer in answers if answer.place == "text" and str(answer.said).strip()]
    return "\n\n".join(f"{each.label}\n{each.said}" if place else str(each.said) for place, each in enumerate(texts))


def _rating(answers: Sequence[_Answer]) -> Rating | None:
    first = next((answer for answer in answers if answer.kind == "scale"), None)
    if first is None:
        return None
    try:
        return Rating(first.scale, Decimal(str(first.said)))
    except InvalidOperation:
        raise Unreadable(f'"{str(first.said)[:40]}" is no step of a scale.', place=first.name) from None


def _sender(answers: Sequence[_Answer], *, asks_consent: bool) -> Sender:
    contact = next((answer.said for answer in answers if answer.kind == "contact"), None)
    if not isinstance(contact, dict):
        return Sender()
    return Sender(
        email=str(contact.get("email") or ""),
        name=str(contact.get("name") or ""),
        # Whoever leaves an address asks us to write to it, unless the form asks for that apart.
        may_contact=not asks_consent or any(answer.kind == "consent" and answer.said is True for answer in answers),
    )


def _facts(answers: Sequence[_Answer]) -> Iterator[tuple[str, str]]:
    rated = False
    for answer in answers:
        if answer.kind == "scale" and not rated:
            rated = True
        elif answer.kind == "contact":
            if isinstance(answer.said, dict) and answer.said.get("phone"):
                yield "phone", str(answer.said["phone"])
        elif answer.kind != "consent" and answer.place != "text":
            several = answer.said if isinstance(answer.said, list) else [answer.said]
            yield answer.place or answer.name, ", ".join(str(each) for each in several)
