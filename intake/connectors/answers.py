"""The answers to a questionnaire, whoever asked it: what was written becomes the text, one scale the rating, the rest facts.

Where nobody wrote or rated anything, what was ticked is the text: it is an answer too.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from intake.connectors.base import SCALES, Draft, Rating, Remark, Sender, Setting
from intake.connectors.documents import rated, text_at

RATED = Setting(
    "rated_question",
    "Question whose answer is the rating",
    help="Its short name or number in the survey tool. Empty: the first question on a scale.",
)
SCALE = Setting(
    "scale",
    "What its scale questions measure",
    help="Questions that name no scale of their own are read on this one.",
    choices=(
        ("", "Nothing the portal counts; they stay beside the text"),
        ("nps", "Recommendation, 0 to 10"),
        ("csat5", "Satisfaction, 1 to 5"),
        ("csat7", "Satisfaction, 1 to 7"),
        ("ces7", "Effort, 1 to 7"),
        ("ces5", "Effort, 1 to 5"),
    ),
)
CONSENT = Setting(
    "consent",
    "Whoever leaves an address",
    choices=(("", "is not written to"), ("yes", "agreed to be written to about it")),
)

# The names under which surveys carry along who is asked.
_WHO = {
    "customer_id": "external_id",
    "customerid": "external_id",
    "user_id": "external_id",
    "userid": "external_id",
    "email": "email",
    "name": "name",
    "account_id": "account_external_id",
    "company_id": "account_external_id",
    "company": "account_name",
}
_WHAT = {"product": "product", "product_version": "product_version", "version": "product_version"}


@dataclass
class Answers:
    """Gathers answers in the order they were given, and makes the draft of them."""

    settings: Mapping[str, Any]
    said: list[tuple[str, str]] = field(default_factory=list)
    facts: dict[str, str] = field(default_factory=dict)
    # Which of the facts are answers.
    chosen: list[str] = field(default_factory=list)
    sender: dict[str, str] = field(default_factory=dict)
    about: dict[str, Any] = field(default_factory=dict)
    remarks: list[Remark] = field(default_factory=list)
    rating: Rating | None = None

    def say(self, question: str, text: str) -> None:
        """Something in the customer's own words."""
        if text.strip():
            self.said.append((question, text))

    def rate(self, question: str, value: Any, *, names: tuple[str, ...] = (), scale: str = "") -> None:
        """A step on a scale. Without a `scale`, the one that the channel's settings name. `names` are what a person may call
        the question by in the settings."""
        scale = scale or str(self.settings.get("scale", ""))
        wanted = str(self.settings.get("rated_question", "")).strip()
        chosen = wanted in names if wanted else self.rating is None
        if scale in SCALES and chosen:
            self.rating, remarks = rated(scale, value, place=question)
            self.remarks += remarks
            if self.rating is not None:
                return
        self.choose(question, value)

    def choose(self, question: str, value: Any) -> None:
        """An answer that was picked or counted rather than written."""
        if name := self.note(question, value):
            self.chosen.append(name)

    def note(self, question: str, value: Any) -> str:
        """A fact beside the text, and the name it is under; lists are told one after the other."""
        parts = value if isinstance(value, list) else [value]
        told = ", ".join(word for word in (_told(part) for part in parts) if word)
        if not told:
            return ""
        name, number = question or "Answer", 1
        while name in self.facts:
            number += 1
            name = f"{question or 'Answer'} ({number})"
        self.facts[name] = told
        return name

    def carry(self, name: str, value: Any) -> None:
        """Something the survey carried along unasked (a hidden field): who it is from and about, where its name says so."""
        told, key = _told(value), name.strip().lower()
        if told and key in _WHO:
            self.sender.setdefault(_WHO[key], told)
        elif told and key in _WHAT:
            self.about.setdefault(_WHAT[key], told)
        else:
            self.note(name, value)

    def draft(self, **fields: Any) -> Draft:
        """The draft. One text stands alone; several stand under what was asked."""
        if len(self.said) == 1:
            text = self.said[0][1]
        else:
            text = "\n\n".join(f"{question}\n{words}" if question else words for question, words in self.said)
        if not text and self.rating is None:
            text = "\n".join(f"{name}: {self.facts[name]}" for name in self.chosen)
        agreed = self.settings.get("consent") == "yes" and bool(self.sender.get("email"))
        return Draft(
            text=text,
            rating=self.rating,
            sender=Sender(**self.sender, may_contact=agreed),
            context=self.facts,
            remarks=(*self.remarks, *fields.pop("remarks", ())),
            **self.about,
            **fields,
        )


def _told(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return text_at([value], 0).strip()
