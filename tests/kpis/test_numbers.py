"""Whatever is filtered: a number is as long as its list, and what plain SQL over the tables says; counted twice, the same rows."""

import importlib.util
import sys
from datetime import date, timedelta
from pathlib import Path
from types import ModuleType

import pytest
from django.db import connection

from kpis import recording
from kpis.models import Measurement
from kpis.periods import Period
from tests.kpis.town import HOUR, NOW, ZONE, Town, fill
from triage.models import Event, Ticket


def _bench() -> ModuleType:
    """The benchmark's own comparison: its SQL is written out there and shares nothing with the code that counts."""
    path = Path(__file__).resolve().parents[2] / "bench" / "same_numbers.py"
    spec = importlib.util.spec_from_file_location("bench_numbers", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


numbers = _bench()


@pytest.fixture
def town(db: None) -> Town:
    """A week with late, merged, re-opened, erased, test and spam items, and decisions taken back."""
    town = Town()
    fill(town)
    original = town.item(after=HOUR * 3)
    for number in range(6):
        merged = town.item(after=HOUR * (4 + 11 * number), team="logistics" if number % 2 else "quality")
        Ticket.objects.filter(pk=merged.pk).update(
            status="resolved", resolution="duplicate", resolved_at=NOW, duplicate_of=original, merged_into=original
        )
        town.happened(merged, "merged", after=HOUR * 2)
    spam = town.item(after=HOUR * 9)
    Ticket.objects.filter(pk=spam.pk).update(status="resolved", resolution="spam", resolved_at=NOW)
    tried = town.item(after=HOUR * 10)
    type(tried.item).objects.filter(pk=tried.item_id).update(is_test=True)
    erased = town.item(after=HOUR * 20, scale="csat5", value=1)
    type(erased.item).objects.filter(pk=erased.item_id).update(customer=None, text="", title="", excerpt="")
    late = town.item(after=HOUR * 30)
    Event.objects.create(
        item=late.item,
        ticket=late,
        type="triaged",
        source="person",
        occurred_at=late.received_at + HOUR,
        recorded_at=NOW,
    )
    back = town.item(after=HOUR * 40)
    town.happened(back, "triaged", after=HOUR)
    taken = Event.objects.get(ticket=back)
    Event.objects.create(
        item=back.item, ticket=back, type="undone", source="system", undoes=taken, occurred_at=NOW, recorded_at=NOW
    )
    recount()
    return town


def recount() -> None:
    recording.recount(*(date(2026, 3, 2) + timedelta(days=offset) for offset in range(7)), at=NOW)


def test_numbers_lists_and_plain_sql_agree_under_any_filter(town: Town) -> None:
    week = Period(date(2026, 3, 2), date(2026, 3, 9), ZONE)

    told = numbers.compare(60, within=week, at=NOW, seed="numbers")

    assert told.wrong == []
    assert told.filters == 60
    # Filters that leave nothing prove nothing.
    assert told.nonempty > 10


def test_a_wrong_number_is_found(town: Town) -> None:
    week = Period(date(2026, 3, 2), date(2026, 3, 9), ZONE)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE kpis_measurement SET parts = jsonb_set(parts, '{items}', '77') WHERE kpi = 'items-received' AND team_id IS NULL"
        )

    assert numbers.compare(60, within=week, at=NOW, seed="numbers").wrong


def test_counting_twice_gives_the_same_rows(town: Town) -> None:
    def rows() -> list[tuple[object, ...]]:
        columns = ("kpi", "definition_version", "day", "days", "team", "channel", "stage", "parts")
        return sorted(Measurement.objects.values_list(*columns), key=str)

    first = rows()
    recount()

    assert rows() == first
