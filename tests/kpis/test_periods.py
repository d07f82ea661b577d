"""Days begin where the calendar says, whatever the clocks do."""

from datetime import UTC, date, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kpis.periods import Period, PeriodRefused, as_of_asked, local_day

# Summer time by an hour, by half an hour, at midnight itself, never, and a whole day that was left out in 2011.
ZONES = [
    ZoneInfo(name)
    for name in (
        "Europe/Stockholm",
        "Australia/Lord_Howe",
        "America/Sao_Paulo",
        "America/Havana",
        "UTC",
        "Pacific/Apia",
    )
]
STOCKHOLM = ZONES[0]
NOON = datetime(2026, 3, 31, 10, tzinfo=UTC)

periods = st.builds(
    lambda first, days, zone: Period(first, first + timedelta(days=days), zone),
    st.dates(date(2005, 1, 1), date(2035, 1, 1)),
    st.integers(1, 120),
    st.sampled_from(ZONES),
)


def period(first: str, end: str, zone: ZoneInfo = STOCKHOLM) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(end), zone)


@given(periods)
def test_days_and_weeks_tile_their_period(whole: Period) -> None:
    for parts in (whole.days(), whole.weeks()):
        assert parts[0].first == whole.first
        assert parts[-1].end == whole.end
        assert all(before.end == after.first for before, after in pairwise(parts))
        assert sum((part.duration for part in parts), timedelta()) == whole.duration
    assert all(day.day_count == 1 for day in whole.days())
    assert all(week.is_whole_week for week in whole.weeks()[1:-1])
    assert len({week.iso_week for week in whole.weeks()}) == len(whole.weeks())


@given(periods, st.floats(0, 0.999999))
def test_a_moment_belongs_to_the_day_its_calendar_shows(whole: Period, place: float) -> None:
    assume(whole.duration)
    moment = whole.starts_at + whole.duration * place
    assert moment in whole
    (day,) = [day for day in whole.days() if moment in day]
    assert day.first == local_day(moment, whole.zone)


@given(periods)
def test_the_previous_period_is_as_long_and_ends_where_this_one_begins(whole: Period) -> None:
    assert whole.previous().end == whole.first
    assert whole.previous().day_count == whole.day_count
    assert whole.a_year_earlier().first.weekday() == whole.first.weekday()
    assert whole.starts_at not in whole.previous()


@pytest.mark.parametrize(
    ("day", "zone", "hours"),
    [
        ("2026-03-29", "Europe/Stockholm", 23),
        ("2026-10-25", "Europe/Stockholm", 25),
        ("2026-07-01", "Europe/Stockholm", 24),
        ("2026-10-04", "Australia/Lord_Howe", 23.5),
        ("2018-11-04", "America/Sao_Paulo", 23),  # midnight itself was skipped
        ("2018-02-17", "America/Sao_Paulo", 25),  # its last hour came twice
        ("2026-11-01", "America/Havana", 25),  # its first hour comes twice
        ("2011-12-30", "Pacific/Apia", 0),  # was left out when the date line moved
    ],
)
def test_a_day_lasts_as_long_as_the_clocks_make_it(day: str, zone: str, hours: float) -> None:
    first = date.fromisoformat(day)
    assert Period(first, first + timedelta(days=1), ZoneInfo(zone)).duration == timedelta(hours=hours)


def test_weeks_are_iso_weeks_cut_at_the_ends() -> None:
    # 1 January 2027 is a Friday of week 53 of 2026.
    weeks = period("2027-01-01", "2027-01-13").weeks()
    assert [(week.iso_week, week.day_count, week.is_whole_week) for week in weeks] == [
        ("2026-W53", 3, False),
        ("2027-W01", 7, True),
        ("2027-W02", 2, False),
    ]


def test_a_period_without_days_is_a_mistake_of_the_caller() -> None:
    with pytest.raises(ValueError, match="at least one day"):
        period("2026-03-01", "2026-03-01")


def test_both_days_asked_for_are_included_and_come_back_in_the_query() -> None:
    found = Period.asked({"from": "2026-03-01", "to": " 2026-03-31 "}, zone=STOCKHOLM, at=NOON)
    assert found == period("2026-03-01", "2026-04-01")
    assert found.query == {"from": "2026-03-01", "to": "2026-03-31"}
    assert found.is_over(NOON) is False
    assert found.is_over(datetime(2026, 3, 31, 22, tzinfo=UTC)) is True


def test_what_is_left_out_makes_it_the_thirteen_weeks_to_today() -> None:
    usual = Period.recent(zone=STOCKHOLM, at=NOON)
    assert usual == period("2025-12-31", "2026-04-01")
    assert Period.asked({}, zone=STOCKHOLM, at=NOON) == usual
    assert Period.asked({"from": "2026-02-01"}, zone=STOCKHOLM, at=NOON) == period("2026-02-01", "2026-04-01")
    assert Period.asked({"to": "2026-02-28"}, zone=STOCKHOLM, at=NOON) == period("2025-11-30", "2026-03-01")


def test_today_is_the_day_of_the_zone() -> None:
    late = datetime(2026, 3, 31, 22, 30, tzinfo=UTC)  # half past midnight in Stockholm
    assert Period.recent(zone=STOCKHOLM, at=late, days=1).first == date(2026, 4, 1)
    assert Period.recent(zone=ZoneInfo("UTC"), at=late, days=1).first == date(2026, 3, 31)


@pytest.mark.parametrize(
    ("query", "path"),
    [
        ({"from": "31.03.2026"}, "from"),
        ({"from": "2026-02-30"}, "from"),
        ({"to": "yesterday"}, "to"),
        ({"from": "2026-03-31", "to": "2026-03-01"}, "to"),
        ({"from": "2026-04-01"}, "from"),
        ({"from": "0001-01-01"}, "from"),
        ({"to": "9999-12-31"}, "to"),
        ({"to": "1999-12-31"}, "to"),
        ({"from": "2001-01-01"}, "from"),
    ],
)
def test_a_period_that_cannot_be_measured_is_refused_by_the_name_of_its_parameter(
    query: dict[str, str], path: str
) -> None:
    with pytest.raises(PeriodRefused) as caught:
        Period.asked(query, zone=STOCKHOLM, at=NOON)
    assert [error.path for error in caught.value.errors] == [path]
    assert caught.value.status == 400


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("", NOON),
        ("2026-03-31", NOON),
        ("2026-03-29", datetime(2026, 3, 29, 22, tzinfo=UTC)),
        ("2026-03-30T18:00:00Z", datetime(2026, 3, 30, 18, tzinfo=UTC)),
        ("2026-03-30T18:00:00+02:00", datetime(2026, 3, 30, 16, tzinfo=UTC)),
        ("2026-03-30T18:00:00 02:00", datetime(2026, 3, 30, 16, tzinfo=UTC)),
        ("2026-03-30T18:00", datetime(2026, 3, 30, 16, tzinfo=UTC)),
    ],
)
def test_as_of_is_a_moment_or_the_end_of_a_day(text: str, moment: datetime) -> None:
    assert as_of_asked({"as_of": text}, zone=STOCKHOLM, at=NOON) == moment


@pytest.mark.parametrize(
    "text", ["soon", "2026-04-01", "2026-03-31T18:00:00Z", "0001-01-01", "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_nobody_knows_is_refused(text: str) -> None:
    with pytest.raises(PeriodRefused):
        as_of_asked({"as_of": text}, zone=STOCKHOLM, at=NOON)
