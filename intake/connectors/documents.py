"""JSON as vendors send it: read within bounds, taken apart by the vendor's own connector, whichever way it came.

One page of an API, one webhook and one file of an export hold the same objects, so a connector says once how a document
is split, and the ways in are derived from it.
"""

import io
import json
from abc import abstractmethod
from collections.abc import Generator, Iterable, Iterator, Mapping
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, BinaryIO, ClassVar

from intake.connectors.base import (
    SCALES,
    BadRow,
    Call,
    FileConnector,
    PushConnector,
    Rating,
    RawItem,
    Remark,
    Row,
    Unreadable,
)
from intake.connectors.moments import Unclear, moment_of
from intake.encodings import UnknownEncoding, encoding_of

DEEPEST = 64
LONGEST_DOCUMENT = 64 * 1024 * 1024
LONGEST_LINE = 5 * 1024 * 1024


def document(body: bytes) -> Any:
    """What JSON bytes stand for; `Unreadable` for what is no JSON, too deep, or holds numbers no JSON has."""
    try:
        found = json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise Unreadable(f"It is JSON deeper than {DEEPEST} levels.") from None
    except ValueError as error:
        raise Unreadable(f"It is not JSON: {str(error)[:200]}.") from None
    if _depth_over(found):
        raise Unreadable(f"It is JSON deeper than {DEEPEST} levels.")
    return found


def packed(found: Any) -> bytes:
    """An object taken out of a document, as the bytes of a submission: the same object gives the same bytes."""
    return json.dumps(found, ensure_ascii=False, sort_keys=True, separators=(",", ":")).encode("utf-8", "replace")


def at(found: Any, *path: str | int, default: Any = "") -> Any:
    """The value under a path of members and places; `default` where any step is missing or null."""
    for step in path:
        if isinstance(found, Mapping) and isinstance(step, str):
            found = found.get(step)
        elif isinstance(found, list) and isinstance(step, int) and -len(found) <= step < len(found):
            found = found[step]
        else:
            return default
        if found is None:
            return default
    return found


def text_at(found: Any, *path: str | int) -> str:
    """The same, as a text; numbers are written out, and whatever has parts is no text."""
    value = at(found, *path)
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return ""
    return str(value)


def list_at(found: Any, *path: str | int) -> list[Any]:
    value = at(found, *path, default=[])
    return value if isinstance(value, list) else []


def moment_at(found: Any, *path: str | int) -> tuple[datetime | None, tuple[Remark, ...]]:
    """The moment under a path, or none and why: times without a zone are UTC, as nearly every vendor means them."""
    text = text_at(found, *path)
    try:
        return (moment_of(text) if text else None), ()
    except Unclear as reason:
        return None, (Remark(str(path[-1]), str(reason)),)


def rated(scale: str, value: Any, *, place: str = "rating") -> tuple[Rating | None, tuple[Remark, ...]]:
    """The rating that a vendor's value is, or none and why: a value off its scale costs nobody their words."""
    if value in ("", None) or isinstance(value, bool | list | dict):
        return None, ()
    low, high = SCALES[scale]
    try:
        found = Decimal(str(value).strip()[:20])
    except InvalidOperation:
        return None, (Remark(place, f'"{str(value)[:40]}" is not a number.'),)
    if not (found.is_finite() and low <= found <= high):
        return None, (Remark(place, f"{found} is not on the scale {scale}, which goes from {low} to {high}."),)
    return Rating(scale, found), ()


class DocumentConnector(FileConnector):
    """A connector of JSON objects. `split` gets one document (a page, a webhook's body, a file, a line of a file) and gives
    its items; what holds nothing to act on is an item too, which `parse` passes over with its reason."""

    extensions: ClassVar[tuple[str, ...]] = (".json", ".jsonl", ".ndjson")

    @abstractmethod
    def split_document(self, found: Any, *, settings: Mapping[str, Any]) -> Iterator[RawItem]:
        """The items of one document; `Unreadable` where it is no document of this vendor."""

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        number = 0
        for place, found in _documents(file):
            number = max(number + 1, place or 0)
            if isinstance(found, BadRow):
                yield found
                continue
            try:
                for raw in self.split_document(found, settings=settings):
                    yield Row(number, raw)
                    number += 1
                number -= 1
            except Unreadable as reason:
                if place is None:
                    raise
                yield BadRow(place, str(reason))


class HookedDocuments(DocumentConnector, PushConnector):
    """A connector whose webhooks hold such documents too. `call_id` is where a body names the call, where it does."""

    call_id: ClassVar[tuple[str, ...]] = ()

    def delivery_id(self, call: Call) -> str:
        named = text_at(document(call.body), *self.call_id) if self.call_id else ""
        return named or super().delivery_id(call)

    def split(self, call: Call, *, settings: Mapping[str, Any]) -> Iterable[RawItem]:
        return self.split_document(document(call.body), settings=settings)


def _documents(file: BinaryIO) -> Iterator[tuple[int | None, Any]]:
    """Line by line where each line is a document, else the file as a whole (place None)."""
    try:
        encoding = encoding_of(file)
    except UnknownEncoding as reason:
        raise Unreadable(str(reason)) from None
    file.seek(0)
    text = io.TextIOWrapper(file, encoding=encoding, errors="replace")
    try:
        if not _is_lines(text.readline(LONGEST_LINE + 1)):
            text.seek(0)
            whole = text.read(LONGEST_DOCUMENT + 1)
            if len(whole) > LONGEST_DOCUMENT:
                raise Unreadable(
                    f"It is one JSON document of more than {LONGEST_DOCUMENT:,} characters. Send one object a line."
                )
            if not whole.strip():
                raise Unreadable("The file is empty.")
            yield None, document(whole.encode("utf-8", "replace"))
            return
        text.seek(0)
        number = 0
        while line := text.readline(LONGEST_LINE + 1):
            number += 1
            if len(line) > LONGEST_LINE:
                while line and not line.endswith("\n"):
                    line = text.readline(LONGEST_LINE)
                yield number, BadRow(number, f"The line is longer than {LONGEST_LINE:,} characters.")
            elif line.strip():
                try:
                    yield number, document(line.encode("utf-8", "replace"))
                except Unreadable as reason:
                    yield number, BadRow(number, str(reason), cells={"original": line[:5000]})
    finally:
        text.detach()


def _is_lines(first: str) -> bool:
    """One whole object in the first line, and not the only one's beginning."""
    try:
        return isinstance(json.loads(first), dict)
    except (ValueError, RecursionError):
        return False


def _no_number(name: str) -> float:
    raise ValueError(f"{name} is no number")


def _depth_over(found: Any) -> bool:
    level = [found]
    for _ in range(DEEPEST):
        level = [
            part
            for each in level
            if isinstance(each, dict | list)
            for part in (each.values() if isinstance(each, dict) else each)
        ]
        if not level:
            return False
    return True
