"""What support systems have in common: documents full of tickets, messages and ratings, of which a customer's own words count."""

import hashlib
import math
from abc import abstractmethod
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from intake.connectors.base import Call, Draft, Forged, Ignored, RawItem, Sender, Setting, Unreadable
from intake.connectors.documents import HookedDocuments, document, packed, text_at
from intake.connectors.moments import Unclear, exact_moment, moment_of
from intake.connectors.signatures import same

# For systems that sign nothing: the address is hard to guess, and whoever wants more chooses a secret.
SHARED_SECRET = Setting(
    "shared_secret",
    "Shared secret",
    help="Calls are not signed, so the address is the proof. For more, write a secret here and send it along in the"
    " header X-Portal-Secret; calls without it are then refused.",
    is_secret=True,
)


@dataclass(frozen=True)
class Piece:
    """One thing in a document. `holds` is a document of the same system with this piece first in it, for that is what is
    stored and read again; `read` gives its draft, or raises `Ignored` or `Unreadable`."""

    external_id: str
    holds: Any
    read: Callable[[], Draft]
    updated_at: datetime | None = None
    is_gone: bool = False


class Desk(HookedDocuments):
    """A support system. A subclass says once which pieces a document has, whichever way it came.

    The id of a ticket or conversation is the `thread` of whatever belongs to it, so what is deleted can take along what
    was said in it.
    """

    @abstractmethod
    def pieces(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[Piece]:
        """Everything the document holds, agents' words too; `Unreadable` where it is no document of this system."""

    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        for piece in self.pieces(found, settings=settings):
            yield RawItem(
                piece.external_id.encode("utf-8", "replace").decode(),
                packed(piece.holds),
                updated_at=piece.updated_at,
                is_gone=piece.is_gone,
            )

    def parse(self, raw: RawItem, *, settings: Mapping[str, Any]) -> Draft:
        piece = next(self.pieces(document(raw.payload), settings=settings), None)
        if piece is None:
            raise Ignored("It is a page with nothing on it.")
        if piece.is_gone:
            raise Ignored(f"{self.name} says that this was deleted.")
        draft = piece.read()
        if not (draft.text.strip() or draft.title.strip() or draft.rating is not None):
            raise Ignored("It holds no words and no rating.")
        return draft


def passed_over(holds: Any, reason: str) -> Piece:
    """What is no feedback, kept under an id made from what it says."""
    return Piece(_made_id(holds), holds, _raising(Ignored(reason)))


def broken(holds: Any, reason: str) -> Piece:
    """What cannot be read, kept for whoever mends it; the rest of its document is none the worse."""
    return Piece(_made_id(holds), holds, _raising(Unreadable(reason)))


def all_gone(pieces: Iterable[Piece]) -> Iterator[Piece]:
    """What a deleted ticket or conversation still shows of itself is deleted with it."""
    for piece in pieces:
        yield replace(piece, is_gone=True)


def at_customers(what: str) -> Unreadable:
    return Unreadable(f"This file holds {what}. Import it at Customers.")


def person(
    system: str,
    *,
    number: str = "",
    own_id: str = "",
    email: str = "",
    name: str = "",
    account: str = "",
    account_name: str = "",
) -> Sender:
    """A customer as the system knows them. The id that the company itself gave comes first; an address means the same
    person in every system; the system's own number means nothing outside it, so it is used last and with its name."""
    address = email if "@" in email else ""
    return Sender(
        external_id=own_id or ("" if address or not number else f"{system}:{number}"),
        email=address,
        name=name,
        account_external_id=account,
        account_name=account_name,
    )


def moment(*values: Any) -> datetime | None:
    """The first of the values that names a moment: ISO 8601 with its zone, or seconds or milliseconds since 1970."""
    for value in values:
        try:
            if isinstance(value, str) and value:
                return moment_of(value) if value.isdigit() else exact_moment(value)
            if isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value):
                return moment_of(str(int(value)))
        except Unclear:
            continue
    return None


def facts(said: Mapping[str, Any]) -> dict[str, str]:
    """Facts beside the words as short texts; lists become one line, and whatever says nothing is left out."""
    told = {}
    for name, value in said.items():
        parts = value if isinstance(value, list) else [value]
        line = ", ".join(text for text in map(text_at, parts) if text.strip())
        if line and name:
            told[name] = line
    return told


def web_page(address: str) -> str:
    """An address that may be shown as a link, or none."""
    return address if address.startswith("https://") else ""


def check_shared(call: Call, secrets: Mapping[str, str]) -> None:
    """Raise `Forged` where a shared secret was chosen and the call does not carry it."""
    wanted = secrets.get(SHARED_SECRET.name, "")
    if wanted and not same(call.headers.get("x-portal-secret", ""), wanted):
        raise Forged("The header X-Portal-Secret does not hold the channel's shared secret.")


def _made_id(holds: Any) -> str:
    return "sha256:" + hashlib.sha256(packed(holds)).hexdigest()


def _raising(reason: Exception) -> Callable[[], Draft]:
    def read() -> Draft:
        raise reason

    return read
