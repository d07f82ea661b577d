"""The one clever place: claims, leases, retries and parking, on a real table with real threads."""

import threading
import uuid
from collections.abc import Iterator
from datetime import date, timedelta
from itertools import pairwise

import pytest
from django.db import close_old_connections, connection, connections, transaction
from django.db.models.functions import Now
from django.utils import timezone

from feedback_portal import pending
from feedback_portal.pending import GiveUp, LostLease, drain, drain_outside
from triage.models import ChangedDay

pytestmark = pytest.mark.django_db(transaction=True)

FIRST = date(2026, 1, 1)


@pytest.fixture(autouse=True)
def connections_of_threads_end() -> Iterator[None]:
    yield
    connections.close_all()


def waiting(count: int) -> list[int]:
    rows = ChangedDay.objects.bulk_create(ChangedDay(day=FIRST + timedelta(days=number)) for number in range(count))
    return [row.pk for row in rows]


def make_due_again() -> None:
    """What time does to leases and pauses."""
    ChangedDay.objects.waiting().update(next_attempt_at=Now())


def test_what_is_due_is_worked_off_once_and_in_batches() -> None:
    keys = waiting(7)
    batches: list[list[int]] = []

    drained = drain(ChangedDay.objects.all(), lambda rows: batches.append([row.pk for row in rows]), batch=3)

    assert drained.as_dict() == {"done": 7, "retried": 0, "parked": 0}
    assert [key for batch in batches for key in batch] == keys
    assert [len(batch) for batch in batches] == [3, 3, 1]
    assert not ChangedDay.objects.waiting().exists()


def test_a_drain_gives_way_after_the_batch_in_hand() -> None:
    waiting(7)

    drained = drain(ChangedDay.objects.all(), lambda rows: None, batch=3, gives_way=lambda: True)

    assert drained.done == 3
    assert ChangedDay.objects.due().count() == 4


def test_what_is_not_due_yet_is_left_alone() -> None:
    waiting(1)
    ChangedDay.objects.update(next_attempt_at=timezone.now() + timedelta(hours=1))

    assert drain(ChangedDay.objects.all(), lambda rows: None).done == 0


def test_the_attempt_is_counted_before_the_work_starts() -> None:
    waiting(1)
    seen: list[tuple[int, bool]] = []

    def look(rows: list[ChangedDay]) -> None:
        def from_elsewhere() -> None:
            row = ChangedDay.objects.get()
            seen.append((row.attempts, row.lease_token is not None))
            connection.close()

        other = threading.Thread(target=from_elsewhere)
        other.start()
        other.join()

    drain(ChangedDay.objects.all(), look)

    assert seen == [(1, True)]


def test_poison_is_retried_later_and_its_neighbours_pass() -> None:
    keys = waiting(20)
    poison = keys[13]

    def work(rows: list[ChangedDay]) -> None:
        if any(row.pk == poison for row in rows):
            raise ValueError("cannot digest this")

    drained = drain(ChangedDay.objects.all(), work)

    left = ChangedDay.objects.waiting().get()
    assert drained.as_dict() == {"done": 19, "retried": 1, "parked": 0}
    assert (left.pk, left.attempts, left.last_error) == (poison, 1, "ValueError: cannot digest this")
    assert left.next_attempt_at > timezone.now()
    assert left.lease_token is None


def test_pauses_double() -> None:
    waiting(1)

    def work(rows: list[ChangedDay]) -> None:
        raise ValueError

    pauses = []
    for _ in range(4):
        make_due_again()
        drain(ChangedDay.objects.all(), work)
        pauses.append((ChangedDay.objects.get().next_attempt_at - timezone.now()).total_seconds())

    for shorter, longer in pairwise(pauses):
        assert 1.2 < longer / shorter < 3.2
    assert 7 < pauses[0] < 13


def test_after_eight_attempts_the_row_is_parked_with_its_reason_and_can_be_replayed() -> None:
    waiting(1)

    def work(rows: list[ChangedDay]) -> None:
        raise ValueError("still broken")

    for _ in range(pending.MAX_ATTEMPTS):
        make_due_again()
        drain(ChangedDay.objects.all(), work)
    make_due_again()
    again = drain(ChangedDay.objects.all(), work)

    row = ChangedDay.objects.parked().get()
    assert (row.attempts, row.last_error) == (8, "ValueError: still broken")
    assert again.as_dict() == {"done": 0, "retried": 0, "parked": 0}

    assert ChangedDay.objects.replay() == 1
    assert drain(ChangedDay.objects.all(), lambda rows: None).done == 1


def test_giving_up_parks_at_once() -> None:
    keys = waiting(3)

    drained = drain(ChangedDay.objects.all(), lambda rows: {keys[1]: GiveUp("This can never be read.")})

    assert drained.as_dict() == {"done": 2, "retried": 0, "parked": 1}
    assert ChangedDay.objects.parked().get().last_error == "This can never be read."


def test_effects_of_a_failed_batch_are_rolled_back() -> None:
    keys = waiting(2)

    def work(rows: list[ChangedDay]) -> None:
        ChangedDay.objects.filter(pk__in=[row.pk for row in rows]).update(last_error="effect")
        if keys[1] in [row.pk for row in rows]:
            raise ValueError("no")

    drain(ChangedDay.objects.all(), work)

    assert ChangedDay.objects.get(pk=keys[0]).last_error == "effect"
    assert ChangedDay.objects.get(pk=keys[1]).last_error == "ValueError: no"


def test_who_lost_the_lease_writes_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """A process that slept between its claim and its work finds the row with another."""
    waiting(1)
    monkeypatch.setattr(pending, "without_killers", _slept)

    def work(rows: list[ChangedDay]) -> None:
        ChangedDay.objects.update(last_error="written by a ghost")

    drained = drain(ChangedDay.objects.all(), work)

    row = ChangedDay.objects.get()
    assert drained.as_dict() == {"done": 0, "retried": 0, "parked": 0}
    assert row.completed_at is None
    assert row.last_error == ""


def _slept(taken: list[ChangedDay], *_: object) -> list[ChangedDay]:
    """Meanwhile our lease ran out, and another worker took the rows."""
    ChangedDay.objects.update(lease_token=uuid.uuid4())
    return taken


def test_a_lost_lease_is_an_error_only_to_itself() -> None:
    with pytest.raises(LostLease), transaction.atomic():
        pending._complete(ChangedDay, [waiting(1)[0]], uuid.uuid4())


def test_a_row_that_kills_its_process_is_parked_and_shares_its_fate_with_fewer_and_fewer() -> None:
    keys = waiting(40)
    killer = keys[20]
    taken_with: list[int] = []

    class Killed(BaseException):
        """Stands for SIGKILL: nothing after it runs."""

    def work(rows: list[ChangedDay]) -> None:
        if killer in [row.pk for row in rows]:
            taken_with.append(len(rows))
            raise Killed

    for _ in range(60):
        make_due_again()
        try:
            drain(ChangedDay.objects.all(), work, batch=40)
        except Killed:
            continue

    row = ChangedDay.objects.parked().get()
    assert row.pk == killer
    assert "ended without a word 8 times" in row.last_error
    assert taken_with[0] == 40
    assert taken_with[2:] == [1] * (len(taken_with) - 2)
    assert len(taken_with) == pending.MAX_ATTEMPTS
    assert ChangedDay.objects.filter(completed_at__isnull=False).count() == 39


def test_many_workers_never_take_the_same_row() -> None:
    waiting(400)
    taken: list[int] = []
    start = threading.Barrier(4)

    def worker() -> None:
        start.wait()
        drain(ChangedDay.objects.all(), lambda rows: taken.extend(row.pk for row in rows), batch=10)
        close_old_connections()
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert len(taken) == 400
    assert len(set(taken)) == 400


def test_outside_work_runs_with_no_transaction_open_and_is_recorded_with_its_completion() -> None:
    waiting(2)
    open_transactions: list[bool] = []
    recorded: list[tuple[int, str]] = []

    def act(row: ChangedDay) -> str:
        open_transactions.append(connection.in_atomic_block)
        return f"sent {row.pk}"

    def record(row: ChangedDay, result: str) -> None:
        assert connection.in_atomic_block
        recorded.append((row.pk, result))

    drained = drain_outside(ChangedDay.objects.all(), act, record)

    assert drained.done == 2
    assert open_transactions == [False, False]
    assert [text for _, text in recorded] == [f"sent {key}" for key, _ in recorded]


def test_outside_work_that_fails_is_retried_alone() -> None:
    keys = waiting(3)

    def act(row: ChangedDay) -> None:
        if row.pk == keys[0]:
            raise TimeoutError("the peer is slow")

    drained = drain_outside(ChangedDay.objects.all(), act, lambda row, result: None)

    assert drained.as_dict() == {"done": 2, "retried": 1, "parked": 0}


def test_a_claim_inside_a_transaction_is_refused() -> None:
    waiting(1)

    with transaction.atomic(), pytest.raises(RuntimeError):
        drain(ChangedDay.objects.all(), lambda rows: None)


def test_the_backlog_tells_counts_and_age() -> None:
    keys = waiting(3)
    ChangedDay.objects.filter(pk=keys[0]).update(parked_at=Now())
    ChangedDay.objects.filter(pk=keys[1]).update(next_attempt_at=timezone.now() - timedelta(minutes=10))

    state = pending.backlog(ChangedDay)

    assert (state["waiting"], state["parked"]) == (2, 1)
    assert 599 < state["oldest_due_seconds"] < 660
