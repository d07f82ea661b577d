"""What a tracker is: how one project's issues are read, written to and recognised in calls. No rows, no clock, no connection."""

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, ClassVar, Final

from django.utils.translation import gettext

from intake.connectors.base import Answer, Call, Request, Setting
from intake.connectors.documents import text_at
from intake.connectors.moments import Unclear, exact_moment

MOST_PAGES: Final = 10
"""So many pages of a list are read at most; what lies behind is seen the next time."""
A_PAGE: Final = 100


_CALLS = re.compile(r"@|\[(?=~)")
_ORDERS = re.compile(r"^(\s*)/", re.MULTILINE)


class Standing(StrEnum):
    """Where work on something stands, in the words both sides are translated into."""

    OPEN = "open"
    DOING = "doing"
    DONE = "done"
    DROPPED = "dropped"


class NotThere(Exception):
    """There is no such issue, or no longer; the sentence is shown to people."""


class Unwilling(Exception):
    """The tracker understood and does not do it; the sentence says why and is shown to people."""


@dataclass(frozen=True)
class Issue:
    """An issue as the tracker has it. `status` is the tracker's own word; `standing` is what that word means where the words of
    the project do not say."""

    key: str
    title: str
    url: str
    status: str
    standing: Standing


@dataclass(frozen=True)
class Comment:
    number: str
    author: str
    text: str
    written_at: datetime


@dataclass(frozen=True)
class Changed:
    """An issue that changed lately, with its description."""

    key: str
    text: str


@dataclass(frozen=True)
class Desk:
    """One project as a tracker needs it: what was set up, and whom to ask. `ask` raises whatever stands between us; an answer that
    comes back is a success, or a refusal of just this (400, 404, 409, 410, 422)."""

    settings: Mapping[str, str]
    secrets: Mapping[str, str]
    ask: Callable[[Request], Answer]
    headers: Mapping[str, str]
    home: str

    def get(self, path: str) -> Any:
        return self.tell("GET", path)

    def tell(self, method: str, path: str, body: Any = None) -> Any:
        """The JSON that comes back, None for nothing; `NotThere` and `Unwilling` as the status says."""
        headers = {**self.headers, "Content-Type": "application/json"} if body is not None else dict(self.headers)
        sent = json.dumps(body).encode() if body is not None else b""
        answer = self.ask(Request(self.home + path, method, headers, sent))
        found = _json(answer.body)
        if answer.status in (404, 410):
            raise NotThere(
                gettext(
                    "The tracker does not know this issue, or our key may not see it. Look there, and correct the link."
                )
            )
        if answer.status >= 400:
            raise Unwilling(
                (
                    gettext("The tracker refused it (%(status)s). %(reason)s")
                    % {"status": answer.status, "reason": _reason(found)}
                ).strip()
            )
        return found

    def pages(self, path: str) -> Iterator[Any]:
        """The items of a list that is asked for page by page; `path` has its question mark already."""
        for number in range(1, MOST_PAGES + 1):
            found = self.get(f"{path}&per_page={A_PAGE}&page={number}")
            items = found if isinstance(found, list) else []
            yield from items
            if len(items) < A_PAGE:
                return


class Tracker(ABC):
    """One kind of tracker. Subclass in one new file under `triage/connecting/trackers/`, decorate with `@trackers.register`, put what it
    answers into `tests/triage/trackers/<slug>.py`, and the portal knows the kind: no migration, no address, no setting."""

    slug: ClassVar[str]
    name: ClassVar[str]
    # What whoever connects a project is asked; secrets are kept sealed and never shown again.
    asks: ClassVar[tuple[Setting, ...]]
    # The words its issues stand under, by what they mean; each project may have others.
    statuses: ClassVar[Mapping[Standing, str]]
    # How its webhook is set up there.
    hook_help: ClassVar[str]

    @abstractmethod
    def desk(self, settings: Mapping[str, str], secrets: Mapping[str, str], ask: Callable[[Request], Answer]) -> Desk:
        """How this project is asked."""

    @abstractmethod
    def key_of(self, given: str, settings: Mapping[str, str]) -> str:
        """The key of the issue somebody names by its number, key or address; ValueError with a sentence."""

    @abstractmethod
    def read(self, desk: Desk, key: str) -> Issue: ...

    @abstractmethod
    def comments(self, desk: Desk, key: str, *, since: datetime) -> Sequence[Comment]:
        """What was written since then, oldest first, at most the newest hundred."""

    @abstractmethod
    def create(self, desk: Desk, *, title: str, text: str) -> str:
        """The key of a new issue."""

    @abstractmethod
    def comment(self, desk: Desk, key: str, text: str) -> str:
        """The number of a new comment."""

    @abstractmethod
    def move(self, desk: Desk, key: str, status: str) -> None:
        """Put an issue under this status."""

    @abstractmethod
    def changed(self, desk: Desk, *, since: datetime, at: datetime) -> Sequence[Changed]:
        """Issues of the project that changed since then, at most a thousand."""

    @abstractmethod
    def verify(self, call: Call, secret: str) -> None:
        """Raise `intake.connectors.base.Forged` unless this tracker made the call."""

    @abstractmethod
    def told_of(self, found: Any, settings: Mapping[str, str]) -> str:
        """The key of the issue that a call's JSON is about; empty when it is about none of this project."""

    def means(self, status: str, words: Mapping[str, str], otherwise: Standing) -> Standing:
        """What a status of theirs means, by the project's own words first."""
        for standing in Standing:
            if words.get(standing, "").casefold() == status.casefold():
                return standing
        return otherwise


def harmless(text: str) -> str:
    """Words of ours or of a customer's, that mention nobody and command nothing there: trackers read "@name" and "[~name]" as
    calling somebody, and a line that begins with "/" as an order."""
    return _CALLS.sub("\\g<0>\N{ZERO WIDTH SPACE}", _ORDERS.sub("\\g<1>\N{ZERO WIDTH SPACE}/", text))


def moment(found: Any, *path: str) -> datetime | None:
    try:
        return exact_moment(text_at(found, *path))
    except Unclear:
        return None


def _json(body: bytes) -> Any:
    try:
        return json.loads(body) if body.strip() else None
    except (ValueError, RecursionError):
        raise Unwilling(gettext("The tracker answered with something that is no JSON. Check the address.")) from None


def _reason(found: Any) -> str:
    """Its own words for why, cut short; they are shown as text only."""
    said = text_at(found, "message") or text_at(found, "error") or text_at(found, "errorMessages", 0)
    return said[:200]
