"""Pending rows for several receivers: a receiver's rows one after another in their order, receivers side by side.

One that does not answer holds up its own rows and nobody else's: each receiver is a lane, worked on by a thread of its own, and
by one process at a time. Only the calling thread touches the database.
"""

import time
import uuid
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial

from django.db import connection, transaction
from django.db.models import F
from django.db.models.functions import Now

from feedback_portal.pending import LEASE, Drained, PendingQuerySet, PendingWork, Result, Row, settle, without_killers

# How often it is looked for new rows of other lanes while some lane is slow, and how long a drain rests that found every lane
# with due rows in somebody else's hands: the relay rings again at once.
_LOOK_EVERY = 0.2


def drain_in_lanes(
    rows: PendingQuerySet[Row],
    lane: str,
    begin: Callable[[list[Row]], Callable[[], Sequence[Result]]],
    record: Callable[[Row, Result], None],
    *,
    lanes: int = 8,
    batch: int = 20,
    lease: timedelta = LEASE * 5,
    seconds: float = 60.0,
) -> Drained:
    """Work off what is due, lane by lane; `lane` names the column that tells receivers apart.

    `begin` gets a lane's claimed rows in their order, reads what they need, and returns what to do: it runs in a thread, without
    the database, and returns what came of each row, of fewer where it stopped early. `record` writes that, row by row,
    together with the row's completion. Rows it did not come to go back as they were. Returns when nothing can be claimed
    or `seconds` are over.
    """
    drained = Drained()
    end = time.monotonic() + seconds
    running: dict[Future[Sequence[Result]], tuple[uuid.UUID, list[Row]]] = {}
    with ThreadPoolExecutor(max_workers=lanes) as pool:
        while True:
            while len(running) < lanes and time.monotonic() < end:
                token = uuid.uuid4()
                claimed = _claim_lane(rows.model, lane, token, batch, lease)
                if not claimed:
                    break
                taken = without_killers(list(rows.filter(pk__in=claimed).order_by("pk")), token, drained)
                if taken:
                    running[_started(pool, begin, taken)] = token, taken
            if not running:
                if time.monotonic() < end and rows.due().exists():
                    time.sleep(_LOOK_EVERY)
                return drained
            over, _ = wait(running, timeout=_LOOK_EVERY, return_when=FIRST_COMPLETED)
            for future in over:
                _settle_lane(future, *running.pop(future), record, drained)


def _started(
    pool: ThreadPoolExecutor, begin: Callable[[list[Row]], Callable[[], Sequence[Result]]], taken: list[Row]
) -> Future[Sequence[Result]]:
    try:
        return pool.submit(begin(taken))
    except Exception as error:  # it is the rows' trouble, like one of the thread
        failed: Future[Sequence[Result]] = Future()
        failed.set_exception(error)
        return failed


def _settle_lane(
    future: Future[Sequence[Result]],
    token: uuid.UUID,
    taken: list[Row],
    record: Callable[[Row, Result], None],
    drained: Drained,
) -> None:
    if future.exception() is not None:
        for row in taken:
            settle(row, lambda: future.result()[0], record, token, drained)
        return
    results = future.result()
    left = [row.pk for row in taken[len(results) :]]
    # First, for what is recorded of the others may put these off.
    type(taken[0])._base_manager.filter(pk__in=left, lease_token=token, completed_at=None).update(
        lease_token=None, next_attempt_at=Now(), attempts=F("attempts") - 1
    )
    for row, result in zip(taken, results, strict=False):
        settle(row, partial(_given, result), record, token, drained)


def _given(result: Result) -> Result:
    return result


def _claim_lane(model: type[PendingWork], lane: str, token: uuid.UUID, batch: int, lease: timedelta) -> list[int]:
    """The oldest due rows of the lane that waits longest, of those that nobody has in hand."""
    quote = connection.ops.quote_name
    table, column = quote(model._meta.db_table), quote(lane)
    waits = "completed_at IS NULL AND parked_at IS NULL"
    due = f"{waits} AND next_attempt_at <= statement_timestamp()"
    with transaction.atomic(durable=True), connection.cursor() as cursor:
        # Two that claim at once would each see the lane free.
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext(%s))", [f"lanes of {table}"])
        cursor.execute(
            f"""
            WITH first AS (
                SELECT {column} AS lane FROM {table} WHERE {due} AND {column} NOT IN (
                    SELECT {column} FROM {table}
                    WHERE {waits} AND lease_token IS NOT NULL AND next_attempt_at > statement_timestamp()
                )
                ORDER BY next_attempt_at, id LIMIT 1
            ), taken AS (
                SELECT id FROM {table} WHERE {due} AND {column} = (SELECT lane FROM first)
                ORDER BY id LIMIT %(batch)s FOR UPDATE SKIP LOCKED
            )
            UPDATE {table} AS waiting
            SET attempts = waiting.attempts + 1, lease_token = %(token)s,
                next_attempt_at = statement_timestamp() + %(lease)s * interval '1 second'
            FROM taken WHERE waiting.id = taken.id
            RETURNING waiting.id
            """,
            {"batch": batch, "token": str(token), "lease": lease.total_seconds()},
        )
        return [row[0] for row in cursor.fetchall()]
