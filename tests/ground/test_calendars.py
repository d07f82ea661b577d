"""What "eight working hours from now" means."""

from datetime import UTC, date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_portal.accounts.calendars import FARTHEST, WorkingTime, write_hours

HOURS = {
    "mon": [["08:00", "12:00"], ["13:00", "17:00"]],
    "tue": [["08:00", "17:00"]],
    "wed": [["08:00", "17:00"]],
    "thu": [["08:00", "17:00"]],
    "fri": [["08:00", "14:00"]],
}
BERLIN = WorkingTime.read(zone="Europe/Berlin", hours=HOURS, holidays=["2026-12-25"])
NIGHT = WorkingTime.read(zone="UTC", hours={"sat": [["22:00", "00:00"]], "sun": [["00:00", "06:00"]]})


def berlin(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=BERLIN.zone)


@pytest.mark.parametrize(
    ("start", "hours", "due"),
    [
        ("2026-11-23 09:00", 2, "2026-11-23 11:00"),
        ("2026-11-23 11:00", 2, "2026-11-23 14:00"),  # lunch is no work
        ("2026-11-23 08:00", 8, "2026-11-23 17:00"),  # the end of a span belongs to it
        ("2026-11-23 16:00", 2, "2026-11-24 09:00"),
        ("2026-11-27 13:00", 2, "2026-11-30 09:00"),  # over the weekend
        ("2026-11-28 12:00", 1, "2026-11-30 09:00"),  # written on a Saturday
        ("2026-12-24 16:30", 1, "2026-12-28 08:30"),  # the holiday is a Friday
        ("2026-11-23 03:00", 0, "2026-11-23 08:00"),
    ],
)
def test_hours_are_counted_in_working_time(start: str, hours: int, due: str) -> None:
    assert BERLIN.after(berlin(start), timedelta(hours=hours)) == berlin(due)


def test_a_shift_may_run_over_midnight() -> None:
    friday = datetime(2026, 11, 27, 12, tzinfo=UTC)
    assert NIGHT.after(friday, timedelta(hours=5)) == datetime(2026, 11, 29, 3, tzinfo=UTC)


def test_the_hour_the_clock_skips_is_not_worked() -> None:
    """On 29 March 2026 Berlin has no time between 02:00 and 03:00."""
    sundays = WorkingTime.read(zone="Europe/Berlin", hours={"sun": [["01:00", "05:00"]]})
    day = datetime(2026, 3, 29, tzinfo=sundays.zone)
    assert sundays.between(day, day + timedelta(days=1)) == timedelta(hours=3)
    assert sundays.after(day, timedelta(hours=2)) == datetime(2026, 3, 29, 2, tzinfo=UTC)


def test_who_never_works_has_a_far_deadline_and_no_endless_search() -> None:
    off = WorkingTime(BERLIN.zone, {})
    start = datetime(2026, 1, 1, tzinfo=UTC)
    assert off.after(start, timedelta(hours=1)) == start + FARTHEST


@given(st.integers(0, 3 * 365 * 24 * 60), st.integers(0, 100), st.integers(0, 100))
def test_what_is_due_has_just_that_much_work_before_it(minutes: int, first: int, second: int) -> None:
    start = datetime(2025, 1, 1, tzinfo=UTC) + timedelta(minutes=minutes)
    due = BERLIN.after(start, timedelta(hours=first))
    assert BERLIN.between(start, due) == timedelta(hours=first)
    assert BERLIN.after(start, timedelta(hours=first + second)) >= due


def test_the_stored_form_gives_the_hours_back() -> None:
    assert write_hours(BERLIN) == HOURS
    assert BERLIN.holidays == {date(2026, 12, 25)}


@pytest.mark.parametrize(
    ("zone", "hours", "holidays", "says"),
    [
        ("Mars/Base", HOURS, [], "no such time zone"),
        ("../etc/passwd", HOURS, [], "no such time zone"),
        ("UTC", {}, [], "at least one span"),
        ("UTC", {"someday": [["08:00", "09:00"]]}, [], "by weekday"),
        ("UTC", {"mon": [["09:00", "08:00"]]}, [], "ends after it begins"),
        ("UTC", {"mon": [["08:00", "10:00"], ["09:00", "11:00"]]}, [], "before the next one begins"),
        ("UTC", {"mon": [["22:00", "00:00"], ["23:00", "00:00"]]}, [], "before the next one begins"),
        ("UTC", {"mon": [["08:00"]]}, [], "two times"),
        ("UTC", {"mon": [["08:00:30", "09:00"]]}, [], "two times"),
        ("UTC", {"mon": [["08:00", "09:00"]] * 5}, [], "at most 4"),
        ("UTC", HOURS, ["Christmas"], "as in 2026-12-25"),
        ("UTC", HOURS, "2026-12-25", "at most 400"),
    ],
)
def test_what_is_no_calendar_is_refused_in_a_sentence(zone: str, hours: object, holidays: object, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        WorkingTime.read(zone=zone, hours=hours, holidays=holidays)
