"""When a team works, and what "eight working hours from now" therefore means."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final, Self
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from django.utils.translation import gettext

WEEKDAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOST_SPANS: Final = 4
"""Spans of work in one day: before and after lunch, and a shift more."""
MOST_HOLIDAYS: Final = 400
FARTHEST: Final = timedelta(days=3 * 366)
"""Whoever does not work within three years has no deadline but this one."""

Span = tuple[time, time]

_MIDNIGHT = time()


@dataclass(frozen=True)
class WorkingTime:
    """Spans of work by weekday (0 is Monday) in one time zone, without its holidays.

    Spans of a day are in order and apart; one that ends at 00:00 ends with the day. Work is counted as it is lived on the
    clock of the wall: the hour that a change of the clock takes or gives is not worked or worked twice.
    """

    zone: ZoneInfo
    hours: Mapping[int, tuple[Span, ...]]
    holidays: frozenset[date] = field(default_factory=frozenset)

    def after(self, start: datetime, worked: timedelta) -> datetime:
        """The moment, in UTC, when so much has been worked since `start`; with no work to count, the next moment of work."""
        left = worked
        for begins, ends in self._spans(start):
            if ends - begins >= left:
                return begins + left
            left -= ends - begins
        return start.astimezone(UTC) + FARTHEST

    def between(self, start: datetime, end: datetime) -> timedelta:
        """How much is worked from `start` to `end`; nothing if `end` is not later."""
        worked = timedelta()
        for begins, ends in self._spans(start):
            if begins >= end:
                break
            worked += min(ends, end) - begins
        return worked

    def _spans(self, start: datetime) -> Iterator[tuple[datetime, datetime]]:
        """The spans of work from `start` on, in UTC; the first may have begun earlier and is cut."""
        first = start.astimezone(self.zone).date()
        for days in range(FARTHEST.days):
            day = first + timedelta(days=days)
            if day in self.holidays:
                continue
            for opens, closes in self.hours.get(day.weekday(), ()):
                begins = self._moment(day, opens)
                ends = self._moment(day if closes != _MIDNIGHT else day + timedelta(days=1), closes)
                begins = max(begins, start.astimezone(UTC))
                if begins < ends:
                    yield begins, ends

    def _moment(self, day: date, at: time) -> datetime:
        return datetime.combine(day, at, self.zone).astimezone(UTC)

    @classmethod
    def read(cls, *, zone: str, hours: Any, holidays: Any = ()) -> Self:
        """Working time from its stored or sent form, `{"mon": [["08:00", "12:00"], ["13:00", "17:00"]], …}` and
        ISO dates; `ValueError` with a sentence for whoever wrote it."""
        return cls(zone=_zone(zone), hours=_hours(hours), holidays=frozenset(read_holidays(holidays)))


def read_holidays(given: Any) -> list[date]:
    """ISO dates, sorted, each once."""
    if not isinstance(given, list | tuple | set | frozenset) or len(given) > MOST_HOLIDAYS:
        raise ValueError(
            gettext("Give at most %(most_holidays)s holidays, as in 2026-12-25.") % {"most_holidays": MOST_HOLIDAYS}
        )
    try:
        return sorted({each if isinstance(each, date) else date.fromisoformat(each) for each in given})
    except (TypeError, ValueError):
        raise ValueError(gettext("Write each holiday as year, month and day, as in 2026-12-25.")) from None


def write_hours(working: WorkingTime) -> dict[str, list[list[str]]]:
    """The stored form of the spans: `WorkingTime.read` of it gives them back."""
    return {
        name: [[f"{opens:%H:%M}", f"{closes:%H:%M}"] for opens, closes in working.hours[number]]
        for number, name in enumerate(WEEKDAYS)
        if working.hours.get(number)
    }


def _zone(name: Any) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, TypeError, OSError):
        raise ValueError(gettext("There is no such time zone. Write one like Europe/Berlin.")) from None


def _hours(given: Any) -> dict[int, tuple[Span, ...]]:
    if not isinstance(given, Mapping) or not set(given) <= set(WEEKDAYS):
        raise ValueError(gettext("Give the hours by weekday: %(known)s.") % {"known": ", ".join(WEEKDAYS)})
    hours = {WEEKDAYS.index(name): _day(spans) for name, spans in given.items() if spans}
    if not hours:
        raise ValueError(gettext("Give at least one span of work in the week."))
    return hours


def _day(given: Any) -> tuple[Span, ...]:
    if not isinstance(given, list | tuple) or len(given) > MOST_SPANS:
        raise ValueError(gettext("A day has at most %(most_spans)s spans of work.") % {"most_spans": MOST_SPANS})
    try:
        spans = tuple((_time(opens), _time(closes)) for opens, closes in given)
    except (TypeError, ValueError):
        raise ValueError(gettext("Write each span of work as two times, as in 08:00-17:00.")) from None
    reached = None
    for opens, closes in spans:
        if (closes != _MIDNIGHT and opens >= closes) or (
            reached is not None and (reached == _MIDNIGHT or opens < reached)
        ):
            raise ValueError(gettext("Each span of work ends after it begins and before the next one begins."))
        reached = closes
    return spans


def _time(given: Any) -> time:
    parsed = time.fromisoformat(given)
    if parsed.tzinfo or parsed.second or parsed.microsecond:
        raise ValueError(given)
    return parsed
