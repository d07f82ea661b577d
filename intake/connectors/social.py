"""What posts and reviews have in common, whichever network they stand on: their bytes, their times, and whether we wrote them."""

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from intake.connectors.base import Ignored, RawItem, Setting, Unreadable
from intake.connectors.documents import document, packed

OWN_HANDLES = Setting(
    "own_handles",
    "Your own accounts there",
    help="Separated by commas. What they write is an answer, not feedback.",
)


# How the ids begin of what its source gave none.
NAMELESS = "bytes:"
_GONE = "deleted at its source"


def item(external_id: str, found: Any, *, updated_at: datetime | None = None, is_gone: bool = False) -> RawItem:
    """One object of a document; without an id of its own it is known by its bytes."""
    payload = packed(found)
    # An id is stored as text, and half a surrogate pair is none.
    name = external_id.encode("utf-8", "replace").decode()
    return RawItem(
        name or f"{NAMELESS}{hashlib.sha256(payload).hexdigest()}", payload, updated_at=updated_at, is_gone=is_gone
    )


def gone(external_id: str) -> RawItem:
    """What its source deleted; of its words nothing is kept."""
    return item(external_id, {_GONE: external_id}, is_gone=True)


def object_of(raw: RawItem) -> Mapping[str, Any]:
    """The object a submission's bytes stand for."""
    found = document(raw.payload)
    if not isinstance(found, Mapping):
        raise Unreadable("It is JSON, but not an object.")
    if _GONE in found:
        raise Ignored("It was deleted where it was written.")
    return found


def listed(settings: Mapping[str, Any], name: str) -> list[str]:
    """The parts of a setting that is several words separated by commas."""
    return [part.strip() for part in str(settings.get(name) or "").split(",") if part.strip()]


def pass_over_own(settings: Mapping[str, Any], *names: str) -> None:
    """Raise `Ignored` where one of the names is an account of our own."""
    own = {_bare(name) for name in listed(settings, OWN_HANDLES.name)}
    if own & {_bare(name) for name in names if name}:
        raise Ignored("One of our own accounts wrote it.")


def wanted(settings: Mapping[str, Any], name: str, words: str) -> str:
    """A setting without which nobody can be asked."""
    if value := str(settings.get(name) or "").strip():
        return value
    raise Unreadable(f"This channel does not say {words}. Set it on the channel's page.")


def base_of(address: str) -> str:
    """The address of a server, whether it was written with its scheme or as a bare name."""
    address = address.strip().rstrip("/")
    parts = urlsplit(address if "://" in address else f"https://{address}")
    if parts.scheme not in ("http", "https") or not parts.netloc or "@" in parts.netloc:
        raise Unreadable(f'"{address[:100]}" is no address of a server. Write it as example.social.')
    return f"{parts.scheme}://{parts.netloc}"


def told(**facts: Any) -> dict[str, str]:
    """Facts for a draft's context: those that say something, as texts, their names written with spaces."""
    return {
        name.replace("_", " "): _said(value)
        for name, value in facts.items()
        if value is not None and value is not False and _said(value)
    }


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(part for part in (_said(each) for each in value) if part)
    return "" if isinstance(value, Mapping) or value is None else str(value)


def _bare(name: str) -> str:
    return name.strip().casefold().removeprefix("/").removeprefix("u/").removeprefix("@")
