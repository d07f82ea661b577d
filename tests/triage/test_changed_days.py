"""A change is counted, whoever counts at the same moment."""

import threading
from datetime import UTC, date, datetime

import pytest
from django.db import connection, transaction

from feedback_portal.pending import drain
from triage.models import ChangedDay
from triage.models.events import mark_changed

pytestmark = pytest.mark.django_db(transaction=True)

NOON = datetime(2026, 3, 4, 12, tzinfo=UTC)


def count_days() -> int:
    return drain(ChangedDay.objects.all(), lambda rows: None).done


def test_a_day_waits_once_however_often_it_changes() -> None:
    for _ in range(3):
        with transaction.atomic():
            mark_changed([NOON, NOON.replace(hour=13)])

    assert ChangedDay.objects.get().day == date(2026, 3, 4)


def test_a_day_begins_at_the_organisations_midnight(settings) -> None:  # type: ignore[no-untyped-def]
    settings.TIME_ZONE = "Pacific/Auckland"

    with transaction.atomic():
        mark_changed([NOON])

    assert ChangedDay.objects.get().day == date(2026, 3, 5)


def test_a_day_is_not_counted_before_the_change_can_be_seen() -> None:
    with transaction.atomic():
        mark_changed([NOON])
    counted: list[int] = []

    def count_elsewhere() -> None:
        counted.append(count_days())
        connection.close()

    with transaction.atomic():
        mark_changed([NOON])
        other = threading.Thread(target=count_elsewhere)
        other.start()
        other.join()

    assert counted == [0]
    assert count_days() == 1


def test_a_day_that_is_being_counted_is_counted_again() -> None:
    with transaction.atomic():
        mark_changed([NOON])

    def change_meanwhile(rows: list[ChangedDay]) -> None:
        def change() -> None:
            with transaction.atomic():
                mark_changed([NOON])
            connection.close()

        if len(changed) == 0:
            other = threading.Thread(target=change)
            changed.append(other)
            other.start()
            other.join()

    changed: list[threading.Thread] = []
    drained = drain(ChangedDay.objects.all(), change_meanwhile)

    assert drained.done == 2


def test_changes_of_one_day_do_not_wait_for_each_other() -> None:
    with transaction.atomic():
        mark_changed([NOON])
    done = threading.Event()

    def change_elsewhere() -> None:
        with transaction.atomic():
            mark_changed([NOON])
        done.set()
        connection.close()

    with transaction.atomic():
        mark_changed([NOON])
        other = threading.Thread(target=change_elsewhere)
        other.start()
        assert done.wait(10)
    other.join()
