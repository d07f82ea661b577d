"""Which days a number is about: whole calendar days of one time zone, and the moments they begin and end."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError

_DAY = timedelta(days=1)
_WEEK = timedelta(weeks=1)
_USUAL = 13 * _WEEK
_EARLIEST = date(2000, 1, 1)
_MOST_DAYS = 3660


class PeriodRefused(BadInput):
    code = "bad-period"
    title = marked("This period cannot be measured")


@dataclass(frozen=True)
class Period:
    """The days from `first` up to, but not including, `end`, as the calendar of `zone` has them.

    A day begins when its date begins there, so it may last 23 or 25 hours; add no hours to a day, ask for the next one.
    """

    first: date
    end: date
    zone: ZoneInfo

    def __post_init__(self) -> None:
        if self.end <= self.first:
            raise ValueError(f"A period has at least one day; {self.first} to before {self.end} has none.")

    @classmethod
    def recent(cls, *, zone: ZoneInfo, at: datetime, days: int = _USUAL.days) -> Self:
        """The last `days` days, the one of `at` among them."""
        end = local_day(at, zone) + _DAY
        return cls(end - timedelta(days=days), end, zone)

    @classmethod
    def asked(cls, query: Mapping[str, str], *, zone: ZoneInfo, at: datetime) -> Self:
        """The period of a query's `from` and `to`, both days included; what is left out makes it the usual 13 weeks.

        Raises PeriodRefused, which names the parameter to correct.
        """
        first, last = _asked_day(query, "from"), _asked_day(query, "to")
        if first is not None and first > local_day(at, zone):
            raise _refused(
                "from",
                gettext("%(day)s has not begun. Ask for a period that starts today or earlier.") % {"day": first},
            )
        if last is None:
            last = local_day(at, zone)
        if first is None:
            first = max(last + _DAY - _USUAL, _EARLIEST)
        if last < first:
            message = gettext("The period ends on %(last)s, before it starts on %(first)s. Swap the two days.")
            raise _refused("to", message % {"last": last, "first": first})
        if (last - first).days >= _MOST_DAYS:
            message = gettext("The period has more than %(days)s days. Ask for ten years at most.")
            raise _refused("from", message % {"days": number_format(_MOST_DAYS, force_grouping=True)})
        return cls(first, last + _DAY, zone)

    @property
    def last(self) -> date:
        return self.end - _DAY

    @property
    def day_count(self) -> int:
        return (self.end - self.first).days

    @property
    def starts_at(self) -> datetime:
        return _beginning(self.first, self.zone)

    @property
    def ends_at(self) -> datetime:
        """The first moment that no longer belongs to it."""
        return _beginning(self.end, self.zone)

    @property
    def duration(self) -> timedelta:
        return self.ends_at - self.starts_at

    @property
    def iso_week(self) -> str:
        """The ISO week of its first day, as in 2026-W09."""
        year, week, _ = self.first.isocalendar()
        return f"{year}-W{week:02}"

    @property
    def is_whole_week(self) -> bool:
        return self.first.isoweekday() == 1 and self.day_count == 7

    @property
    def query(self) -> dict[str, str]:
        """The parameters that `asked` turns back into this period."""
        return {"from": self.first.isoformat(), "to": self.last.isoformat()}

    def __contains__(self, moment: datetime) -> bool:
        return self.starts_at <= moment < self.ends_at

    def is_over(self, at: datetime) -> bool:
        return self.ends_at <= at

    def previous(self) -> Self:
        """As many days, right before."""
        return replace(self, first=self.first - (self.end - self.first), end=self.first)

    def a_year_earlier(self) -> Self:
        """52 weeks before, so that weekdays match weekdays."""
        return replace(self, first=self.first - 52 * _WEEK, end=self.end - 52 * _WEEK)

    def days(self) -> tuple[Self, ...]:
        starts = (self.first + number * _DAY for number in range(self.day_count))
        return tuple(replace(self, first=start, end=start + _DAY) for start in starts)

    def weeks(self) -> tuple[Self, ...]:
        """Its ISO weeks, Monday to Sunday; the first and the last are cut where the period begins and ends."""
        monday = self.first - timedelta(days=self.first.weekday())
        starts = [max(self.first, monday)]
        while (monday := monday + _WEEK) < self.end:
            starts.append(monday)
        return tuple(
            replace(self, first=start, end=end) for start, end in zip(starts, [*starts[1:], self.end], strict=True)
        )


def local_day(moment: datetime, zone: ZoneInfo) -> date:
    """The calendar day of a moment, for people in `zone`."""
    return moment.astimezone(zone).date()


def whole_weeks(period: Period, *, at: datetime, most: int) -> tuple[Period, ...]:
    """The `most` last weeks from Monday to Sunday that were over by then and end within the period."""
    end = min(period.end, local_day(at, period.zone))
    end -= timedelta(days=end.weekday())
    return tuple(replace(period, first=end - back * _WEEK, end=end - (back - 1) * _WEEK) for back in range(most, 0, -1))


def weeks_around(period: Period, *, at: datetime, fewest: int) -> tuple[Period, ...]:
    """Every week that touches the period, and earlier ones until there are `fewest`; the last may still run."""
    last = min(period.last, local_day(at, period.zone))
    end = last - timedelta(days=last.weekday()) + _WEEK
    first = min(period.first - timedelta(days=period.first.weekday()), end - fewest * _WEEK)
    return replace(period, first=first, end=end).weeks()


def as_of_asked(query: Mapping[str, str], *, zone: ZoneInfo, at: datetime) -> datetime:
    """The moment of a query's `as_of`: a time, or a day for its end; `at` when it is left out or still to come today."""
    text = query.get("as_of", "").strip()
    if not text:
        return at
    try:
        day = date.fromisoformat(text)
    except ValueError:
        moment = _asked_moment(text, zone)
    else:
        _check_in_calendar(day, "as_of")
        moment = at if day == local_day(at, zone) else _beginning(day + _DAY, zone)
    if moment > at:
        raise _refused(
            "as_of", gettext("What will be known later cannot be told yet. Ask for a moment that has passed.")
        )
    return moment


def _asked_moment(text: str, zone: ZoneInfo) -> datetime:
    try:
        # A plus sign in an address arrives as a space unless it was escaped.
        moment = datetime.fromisoformat(text.replace(" ", "+") if "T" in text else text)
    except ValueError:
        raise _refused("as_of", gettext("Write a day as 2026-03-31 or a time as 2026-03-31T18:00:00Z.")) from None
    _check_in_calendar(moment.date(), "as_of")
    return (moment if moment.tzinfo else moment.replace(tzinfo=zone)).astimezone(UTC)


def _asked_day(query: Mapping[str, str], name: str) -> date | None:
    text = query.get(name, "").strip()
    if not text:
        return None
    try:
        day = date.fromisoformat(text)
    except ValueError:
        raise _refused(name, gettext("Write the day as year, month and day: 2026-03-31.")) from None
    _check_in_calendar(day, name)
    return day


def _check_in_calendar(day: date, name: str) -> None:
    # Outside, arithmetic on dates overflows, and no feedback was received there.
    if not _EARLIEST <= day < date(9000, 1, 1):
        message = gettext("%(day)s lies outside the calendar of the portal. Ask for a day from %(earliest)s on.")
        raise _refused(name, message % {"day": day, "earliest": _EARLIEST})


def _refused(name: str, message: str) -> PeriodRefused:
    return PeriodRefused(message, errors=(InputError(name, message),))


def _beginning(day: date, zone: ZoneInfo) -> datetime:
    """The first moment of a day, in UTC.

    Where the clock skips midnight, fold 0 reads it with the offset from before, which is the moment of the skip; where
    midnight comes twice, fold 0 is the first of the two.
    """
    return datetime.combine(day, time.min, tzinfo=zone).astimezone(UTC)
