"""How what was said reaches the portal: written into a form, sent by a program, or in a file of reviews."""

import csv
import itertools
import json
import tempfile
from collections.abc import Iterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from intake import importing, receiving, surveys
from intake.connectors.base import RawItem
from intake.models import Channel, Submission
from kpis.demo.customers import Customer
from kpis.demo.story import Said

# Filling in a form takes a person longer than a program.
_FILLING_IN: Final = timedelta(seconds=95)
_REVIEW_COLUMNS: Final = ("review_id", "stars", "title", "review", "app_version", "language", "submitted_at", "author")


class Door:
    """Keeps the channels at hand, and gives every message the number its sender would give it."""

    def __init__(self) -> None:
        self._channels = {channel.slug: channel for channel in Channel.objects.all()}
        self._forms = {form.channel.slug: form for form in surveys.published_forms()}
        self._numbers = itertools.count(20_001)

    def take(self, said: Sequence[Said]) -> Iterator[tuple[Submission, Said]]:
        """Each thing said with its submission as it now lies in the database."""
        reviews = [one for one in said if one.channel == "app-store"]
        for one in said:
            if one.channel in self._forms:
                yield self._filled_in(one), one
            elif one.channel != "app-store":
                yield self._sent(one), one
        for _, some in itertools.groupby(reviews, key=lambda one: one.at):
            yield from self._imported(list(some))

    def _filled_in(self, said: Said) -> Submission:
        answers: dict[str, Any] = {"text": said.words.text}
        if said.rating is not None:
            answers["rating"] = said.rating[1]
        if said.product:
            answers["product"] = said.product
        if said.facts and said.facts.get("order"):
            answers["order"] = said.facts["order"]
        if said.customer is not None:
            answers["contact"] = {"name": said.customer.writer.name, "email": said.customer.email}
            answers["consent"] = True
        sheet = surveys.hand_out(self._forms[said.channel], at=said.at - _FILLING_IN)
        given = {name: answer for name, answer in answers.items() if answer != ""}
        return surveys.submit(sheet, given, at=said.at).submission

    def _sent(self, said: Said) -> Submission:
        number = f"T-{next(self._numbers)}"
        payload = {
            "external_id": number,
            "title": said.words.title,
            "text": said.words.text,
            "customer": _sender(said.customer) if said.customer else None,
            "product": said.product,
            "language": said.language if said.customer else "",
            "submitted_at": said.at.isoformat(),
            "context": dict(said.facts or {}),
        }
        raw = RawItem(number, json.dumps({name: value for name, value in payload.items() if value}).encode())
        return receiving.receive(self._channels[said.channel], raw, at=said.at).submission

    def _imported(self, reviews: Sequence[Said]) -> Iterator[tuple[Submission, Said]]:
        """One export of the app store, which holds the reviews since the last one."""
        channel = self._channels["app-store"]
        numbered = {f"R-{next(self._numbers)}": review for review in reviews}
        with tempfile.TemporaryDirectory() as folder:
            file = Path(folder) / "reviews.csv"
            with file.open("w", newline="", encoding="utf-8") as out:
                writer = csv.writer(out)
                writer.writerow(_REVIEW_COLUMNS)
                writer.writerows(_row(number, review) for number, review in numbered.items())
            importing.import_file(channel, file, at=reviews[0].at)
        stored = Submission.objects.select_related("channel").filter(channel=channel, external_id__in=numbered)
        for submission in stored.order_by("pk"):
            yield submission, numbered[submission.external_id]


def _row(number: str, said: Said) -> list[str]:
    stars = str(said.rating[1]) if said.rating else ""
    author = said.customer.writer.name if said.customer else ""
    moment = (said.said_at or said.at).isoformat(timespec="seconds")
    return [number, stars, said.words.title, said.words.text, said.version, said.language, moment, author]


def _sender(customer: Customer) -> dict[str, Any]:
    sender: dict[str, Any] = {
        "external_id": customer.number,
        "email": customer.email,
        "name": customer.writer.name,
        "may_contact": True,
    }
    return sender | ({"account": customer.company.external_id} if customer.company else {})
