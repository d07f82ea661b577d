"""Rows that wait for work: claimed by lease, worked off in batches, retried with growing pauses, parked with a reason.

PostgreSQL is the queue. A claim counts the attempt, sets a fencing token and moves `next_attempt_at` to the moment
the lease runs out, all in its own commit before the work starts; so a process that dies leaves a row that falls due by
itself, and a row that kills its process is parked after `MAX_ATTEMPTS` like one that raises. Effects and completion share
one transaction guarded by the token: whoever lost the lease writes nothing.
"""

import random
import time
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from functools import partial
from typing import Any, Self, TypeVar

import structlog
from celery.exceptions import SoftTimeLimitExceeded
from django.db import InterfaceError, OperationalError, connection, models, transaction
from django.db.models import Q
from django.db.models.functions import Now

log = structlog.get_logger("portal.pending")

MAX_ATTEMPTS = 8
LEASE = timedelta(seconds=60)
FIRST_PAUSE = timedelta(seconds=10)
_LONGEST_ERROR = 2000


class GiveUp(Exception):
    """Never again: the row is parked at once, and the message is shown to staff."""


class LostLease(Exception):
    """Somebody else holds the rows now; nothing of ours is written."""


Row = TypeVar("Row", bound="PendingWork")
Result = TypeVar("Result")


class PendingQuerySet(models.QuerySet[Row]):
    def waiting(self) -> Self:
        return self.filter(completed_at=None, parked_at=None)

    def due(self) -> Self:
        return self.waiting().filter(next_attempt_at__lte=Now())

    def parked(self) -> Self:
        return self.filter(parked_at__isnull=False)

    def replay(self) -> int:
        """Give parked rows their attempts back; how many there were. What went wrong last stays readable."""
        return self.parked().update(parked_at=None, attempts=0, next_attempt_at=Now(), lease_token=None)


class PendingWork(models.Model):
    """One row of work for one stage. Times are the database's, so no clock of a worker matters."""

    attempts = models.PositiveSmallIntegerField(default=0, db_default=0)
    next_attempt_at = models.DateTimeField(db_default=Now())
    lease_token = models.UUIDField(null=True, editable=False)
    completed_at = models.DateTimeField(null=True)
    parked_at = models.DateTimeField(null=True)
    last_error = models.TextField(default="", db_default="", blank=True)

    class Meta:
        abstract = True


def due_index(name: str) -> models.Index:
    """The partial index every pending table has: only what still waits is in it, in the order it is taken."""
    return models.Index(fields=["next_attempt_at", "id"], name=name, condition=Q(completed_at=None, parked_at=None))


@dataclass
class Drained:
    """What one drain did, in rows."""

    done: int = 0
    retried: int = 0
    parked: int = 0

    def as_dict(self) -> dict[str, int]:
        return {"done": self.done, "retried": self.retried, "parked": self.parked}


def drain(
    rows: models.QuerySet[Row],
    work: Callable[[list[Row]], Mapping[int, GiveUp] | None],
    *,
    batch: int = 200,
    lease: timedelta = LEASE,
    seconds: float = 120.0,
    gives_way: Callable[[], bool] = lambda: False,
) -> Drained:
    """Work off what is due, in batches, each in one transaction with its completion.

    `rows` says how claimed rows are read (select_related, only). `work` writes the effects of a whole batch set-based;
    it may return the rows that can never succeed, by primary key. A batch that raises is halved until the rows that
    raise stand alone, so neighbours pass. Returns when nothing is due, `seconds` are over, or after the batch in hand when it
    `gives_way`: the relay rings again for what is left, behind what is more pressing.
    """
    drained = Drained()
    for token, taken in _batches(rows, batch, lease, seconds, drained):
        _settle_batch(taken, work, token, drained)
        if gives_way():
            break
    return drained


def drain_outside(
    rows: models.QuerySet[Row],
    act: Callable[[Row], Result],
    record: Callable[[Row, Result], None],
    *,
    batch: int = 20,
    lease: timedelta = LEASE * 5,
    seconds: float = 120.0,
) -> Drained:
    """The same for work that talks to the outside: `act` runs row by row with no transaction open, since
    a slow peer must not hold locks; `record` then writes what came of it together with the completion."""
    drained = Drained()
    for token, taken in _batches(rows, batch, lease, seconds, drained):
        for row in taken:
            settle(row, partial(act, row), record, token, drained)
    return drained


def settle(
    row: Row,
    act: Callable[[], Result],
    record: Callable[[Row, Result], None],
    token: uuid.UUID,
    drained: Drained,
) -> None:
    """Act with no transaction open, then write what came of it with the completion; whatever is raised is this row's trouble."""
    try:
        result = act()
        with transaction.atomic():
            _complete(type(row), [row.pk], token)
            record(row, result)
        drained.done += 1
    except LostLease:
        log.warning("lease lost", model=type(row).__name__, row=row.pk)
    except (SoftTimeLimitExceeded, InterfaceError, OperationalError):
        raise
    except Exception as error:
        _fail(row, error, token, drained)


def backlog(model: type[PendingWork]) -> dict[str, Any]:
    """How a stage stands: capped counts of waiting and parked rows, and the age in seconds of the oldest due row."""
    table = connection.ops.quote_name(model._meta.db_table)
    waits = "completed_at IS NULL AND parked_at IS NULL"
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT (SELECT count(*) FROM (SELECT 1 FROM {table} WHERE {waits} LIMIT 10001) w),"
            f" (SELECT count(*) FROM (SELECT 1 FROM {table} WHERE parked_at IS NOT NULL LIMIT 10001) p),"
            f" (SELECT extract(epoch FROM statement_timestamp() - min(next_attempt_at)) FROM {table} WHERE {waits})"
        )
        waiting, parked, age = cursor.fetchone()
    return {
        "waiting": waiting,
        "parked": parked,
        "oldest_due_seconds": max(0.0, float(age)) if age is not None else 0.0,
    }


def _batches(
    rows: models.QuerySet[Row], batch: int, lease: timedelta, seconds: float, drained: Drained
) -> Iterator[tuple[uuid.UUID, list[Row]]]:
    """Claimed rows with their token, batch after batch, until nothing is due or `seconds` are over; those that have used up
    their attempts are parked on the way."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        token = uuid.uuid4()
        claimed = _claim(rows.model, token, batch, lease)
        if not claimed:
            return
        taken = list(rows.filter(pk__in=claimed).order_by("pk"))
        if fresh := without_killers(taken, token, drained):
            yield token, fresh


def _claim(model: type[PendingWork], token: uuid.UUID, batch: int, lease: timedelta) -> list[int]:
    """Rows of one attempt count at a time: the more often rows failed, the fewer share a batch and so a fate."""
    table = connection.ops.quote_name(model._meta.db_table)
    due = "completed_at IS NULL AND parked_at IS NULL AND next_attempt_at <= statement_timestamp()"
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        cursor.execute(
            f"""
            WITH oldest AS (
                SELECT attempts FROM {table} WHERE {due}
                ORDER BY next_attempt_at, id LIMIT 1 FOR UPDATE SKIP LOCKED
            ), taken AS (
                SELECT id FROM {table} WHERE {due} AND attempts = (SELECT attempts FROM oldest)
                ORDER BY next_attempt_at, id
                LIMIT (SELECT greatest(1, %(batch)s >> least(30, 3 * attempts)) FROM oldest)
                FOR UPDATE SKIP LOCKED
            )
            UPDATE {table} AS waiting
            SET attempts = waiting.attempts + 1, lease_token = %(token)s,
                next_attempt_at = statement_timestamp()
                    + greatest(%(lease)s, %(pause)s * power(2, least(waiting.attempts, 20))) * interval '1 second'
            FROM taken WHERE waiting.id = taken.id
            RETURNING waiting.id
            """,
            {"batch": batch, "token": str(token), "lease": lease.total_seconds(), "pause": FIRST_PAUSE.total_seconds()},
        )
        return [row[0] for row in cursor.fetchall()]


def _settle_batch(
    rows: list[Row],
    work: Callable[[list[Row]], Mapping[int, GiveUp] | None],
    token: uuid.UUID,
    drained: Drained,
) -> None:
    model = type(rows[0])
    try:
        with transaction.atomic():
            # Before the work: whoever lost the lease learns it now, and the work may delete its own rows.
            _complete(model, [row.pk for row in rows], token)
            hopeless = work(rows) or {}
            if hopeless:
                model._base_manager.filter(pk__in=hopeless).update(completed_at=None, lease_token=token)
    except LostLease:
        log.warning("lease lost", model=model.__name__, rows=len(rows))
        return
    except (SoftTimeLimitExceeded, InterfaceError):
        raise
    except OperationalError:
        # A lost connection says nothing about the rows; a deadlock or a time-out does, and is retried like any error.
        if not connection.is_usable():
            raise
        _halve(rows, work, token, drained, OperationalError("the database refused this batch for now"))
        return
    except Exception as error:
        _halve(rows, work, token, drained, error)
        return
    drained.done += len(rows) - len(hopeless)
    for row in rows:
        if row.pk in hopeless:
            _fail(row, hopeless[row.pk], token, drained)


def _halve(
    rows: list[Row],
    work: Callable[[list[Row]], Mapping[int, GiveUp] | None],
    token: uuid.UUID,
    drained: Drained,
    error: Exception,
) -> None:
    if len(rows) == 1:
        _fail(rows[0], error, token, drained)
        return
    middle = len(rows) // 2
    _settle_batch(rows[:middle], work, token, drained)
    _settle_batch(rows[middle:], work, token, drained)


def _complete(model: type[PendingWork], keys: Sequence[int], token: uuid.UUID) -> None:
    done = (
        model._base_manager.filter(pk__in=keys, lease_token=token, completed_at=None).update(
            completed_at=Now(), lease_token=None
        )
        if keys
        else 0
    )
    if done != len(keys):
        raise LostLease


def _fail(row: PendingWork, error: Exception, token: uuid.UUID, drained: Drained) -> None:
    mine = type(row)._base_manager.filter(pk=row.pk, lease_token=token, completed_at=None)
    reason = f"{error}" if isinstance(error, GiveUp) else f"{type(error).__name__}: {error}"
    reason = reason.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:_LONGEST_ERROR]
    hopeless = isinstance(error, GiveUp) or row.attempts >= MAX_ATTEMPTS
    log.warning(
        "parked" if hopeless else "will be tried again",
        model=type(row).__name__,
        row=row.pk,
        attempts=row.attempts,
        error=type(error).__name__,
        exc_info=None if isinstance(error, GiveUp) else error,
    )
    if hopeless:
        drained.parked += mine.update(parked_at=Now(), lease_token=None, last_error=reason)
        return
    pause = FIRST_PAUSE * 2 ** (row.attempts - 1) * random.uniform(0.8, 1.2)
    drained.retried += mine.update(next_attempt_at=Now() + pause, lease_token=None, last_error=reason)


def without_killers(taken: Sequence[Row], token: uuid.UUID, drained: Drained) -> list[Row]:
    """The claimed rows that have attempts left; the others, whose processes ended without a word, are parked."""
    for row in taken:
        if row.attempts > MAX_ATTEMPTS:
            reason = row.last_error or (
                f"The process working on this ended without a word {MAX_ATTEMPTS} times. Look for it in the worker's log."
            )
            drained.parked += (
                type(row)
                ._base_manager.filter(pk=row.pk, lease_token=token)
                .update(parked_at=Now(), lease_token=None, last_error=reason, attempts=MAX_ATTEMPTS)
            )
    return [row for row in taken if row.attempts <= MAX_ATTEMPTS]
