"""Times as people and programs write them, and only those that can mean one moment."""

import re
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})(?:,?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?)?\Z")
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(?:,?\s+(\d{1,2}):(\d{2})(?::(\d{2}))?\s*([AaPp])?\.?[Mm]?\.?)?\Z")
_EPOCH = re.compile(r"\d{10}(\d{3})?\Z")


class Unclear(Exception):
    """The text names no moment, or more than one; the sentence says what to do."""


def moment_of(text: str, *, zone: str = "UTC", day_first: bool | None = None) -> datetime:
    """The moment a text names. `zone` is where times without one were written; `day_first` says how to read 3/10/2026."""
    text = text.strip()
    try:
        home = ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        raise Unclear(f'There is no time zone "{zone[:60]}". Correct the settings of the channel.') from None
    try:
        found = _read(text, day_first)
        return (found if found.tzinfo else found.replace(tzinfo=home)).astimezone(UTC)
    except (ValueError, OverflowError):
        raise Unclear(f'"{text[:60]}" is not a time. Write it as 2026-03-31T18:00:00Z.') from None


def _read(text: str, day_first: bool | None) -> datetime:
    if _EPOCH.match(text):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    dotted = _DOTTED.match(text)
    if dotted:
        day, month, year, hour, minute, second = (int(part or 0) for part in dotted.groups())
        return datetime(year, month, day, hour, minute, second)  # noqa: DTZ001 (the caller knows the zone)
    slashed = _SLASHED.match(text)
    if slashed is None:
        return datetime.fromisoformat(text)
    first, second, year, hour, minute, seconds = (int(part or 0) for part in slashed.groups()[:6])
    if day_first is None and first <= 12 and second <= 12 and first != second:
        raise Unclear(
            f'"{text[:60]}" is a different day in different countries. Say which in the settings of the channel, as in'
            ' {"day_first": true}.'
        )
    day, month = (first, second) if day_first or (day_first is None and first > 12) else (second, first)
    half = (slashed[7] or "").lower()
    if half:
        hour = hour % 12 + (12 if half == "p" else 0)
    return datetime(year, month, day, hour, minute, seconds)  # noqa: DTZ001 (as above)
