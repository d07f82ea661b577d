"""Times as people and programs write them, and only those that can mean one moment."""

import email.utils
import re
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

_LONGEST = 60
_SLASHED = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})(.*)\Z")
_EPOCH = re.compile(r"\d{10}(\d{3})?\Z")
_SHORT_HOUR = re.compile(r"(?<=\d[ T])(\d):(?=\d\d)")
_OFFSET = re.compile(r"\s*(?:UTC|GMT)([+-])(\d{1,2})(?::?(\d{2}))?\Z")
_NAMED_UTC = re.compile(r"\s*(?:UTC|GMT)\Z")
_HALF_OF_DAY = re.compile(r"\s*([AaPp])\.?[Mm]\.?\Z")
_DAYS = ("%Y/%m/%d", "%d.%m.%Y", "%d %b %Y", "%d %B %Y", "%b %d %Y", "%B %d %Y")
_CLOCKS = ("", " %H:%M", " %H:%M:%S", " %I:%M %p", " %I:%M:%S %p")
# Nobody gave feedback by computer before; such a time is a slip, or an attempt on a date's end.
_FIRST_YEAR = 1970


class Unclear(Exception):
    """The text names no moment, or more than one; the sentence says what to do."""


def moment_of(text: str, *, zone: str = "UTC", day_first: bool | None = None) -> datetime:
    """The moment a text names. `zone` is where times without one were written; `day_first` says how to read 3/10/2026."""
    text = " ".join(text.split())
    try:
        home = ZoneInfo(zone)
    except (ValueError, OSError, LookupError):
        raise Unclear(f'There is no time zone "{zone[:60]}". Correct the settings of the channel.') from None
    try:
        found = _read(text, day_first) if len(text) <= _LONGEST else None
        if found is not None and found.year >= _FIRST_YEAR:
            return (found if found.tzinfo else found.replace(tzinfo=home)).astimezone(UTC)
    except (ValueError, OverflowError):
        pass
    raise Unclear(f'"{text[:_LONGEST]}" is not a time. Write it as 2026-03-31T18:00:00Z.')


def day_first_in(texts: Iterable[str]) -> bool | None:
    """Whether the days of a column of dates like 3/10/2026 stand first, told by those that can be read in one way only;
    None where none can, or some say one thing and some the other."""
    told = set()
    for text in texts:
        slashed = _SLASHED.match(text.strip())
        if slashed is not None and (int(slashed[1]) > 12) != (int(slashed[2]) > 12):
            told.add(int(slashed[1]) > 12)
    return told.pop() if len(told) == 1 else None


def is_slashed(text: str) -> bool:
    """Whether it is such a date."""
    return _SLASHED.match(text.strip()) is not None


def exact_moment(text: str) -> datetime:
    """The moment that ISO 8601 names together with its zone, as programs write it."""
    try:
        found = datetime.fromisoformat(text)
        if found.tzinfo is None:
            raise Unclear(f'"{text[:_LONGEST]}" names no time zone. Write it as 2026-03-31T18:00:00Z.')
        found.astimezone(UTC)  # the last moments of the calendar have no UTC, so nothing can store or compare them
        if found.year >= _FIRST_YEAR:
            return found
    except (ValueError, OverflowError):
        pass
    raise Unclear(f'"{text[:_LONGEST]}" is not a time. Write it as 2026-03-31T18:00:00Z.')


def _read(text: str, day_first: bool | None) -> datetime | None:
    if _EPOCH.match(text):
        return datetime.fromtimestamp(int(text[:10]), UTC)
    slashed = _SLASHED.match(text)
    if slashed is not None:
        day, month = _day_and_month(text, int(slashed[1]), int(slashed[2]), day_first)
        return _written(f"{slashed[3]}/{month:02}/{day:02}{slashed[4]}")
    # Nearly all are ISO 8601, so it stands first.
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        pass
    offset = _OFFSET.search(text)
    if offset is not None:
        # As Google's forms write it: 2026/10/03 9:04:07 AM GMT+2.
        away = timedelta(hours=int(offset[2]), minutes=int(offset[3] or 0))
        found = _read(text[: offset.start()], day_first)
        return found and found.replace(tzinfo=timezone(-away if offset[1] == "-" else away))
    try:
        return datetime.fromisoformat(_NAMED_UTC.sub("Z", _SHORT_HOUR.sub(r"0\1:", text)))
    except ValueError:
        pass
    if "," in text[:4]:
        # As mails write it: Tue, 31 Mar 2026 18:00:00 +0000.
        return email.utils.parsedate_to_datetime(text)
    return _written(text)


def _day_and_month(text: str, first: int, second: int, day_first: bool | None) -> tuple[int, int]:
    if day_first is None and first <= 12 and second <= 12 and first != second:
        raise Unclear(
            f'"{text}" is a different day in different countries. Say which in the settings of the channel, as in'
            ' {"day_first": true}.'
        )
    return (first, second) if day_first or (day_first is None and first > 12) else (second, first)


def _written(text: str) -> datetime | None:
    zone = UTC if _NAMED_UTC.search(text) else None
    plain = _HALF_OF_DAY.sub(r" \1M", _NAMED_UTC.sub("", text)).replace(",", "")
    for day in _DAYS:
        for clock in _CLOCKS:
            try:
                return datetime.strptime(plain, day + clock).replace(tzinfo=zone)
            except ValueError:
                continue
    return None
