"""Workers killed for good (SIGKILL, a real process) in the middle of their work: nothing is lost, and nothing is there twice."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from urllib.parse import quote

import pytest
from django.conf import LazySettings
from django.db import connection, transaction
from django.db.models import Sum
from django.db.models.functions import Now

from feedback_portal.local.paths import PROJECT
from intake import hooks, normalizing, polling, receiving
from intake.connectors.base import Call, RawItem
from intake.models import Channel, Delivery, FeedbackItem, Poll, Submission
from tests.intake.test_hooks import body_of, channel_of, signature_of
from tests.intake.test_polling import EMPTY, a_kind_of_the_test, page  # noqa: F401 - the fixture is used by itself
from tests.makers import AT, make_channel
from tests.outside import Heard, Said, outside

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.slow]

CALLS = 60

WORKER = """
import django
django.setup()
from intake.connectors import connectors
from tests.intake.test_polling import Pages
connectors.add(Pages())
from intake import tasks
tasks.{task}()
"""


@contextmanager
def worker(task: str, *, allow: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A process that works off what is due, on this test's database; killed at the end of the block if it still runs."""
    database = connection.settings_dict
    process = subprocess.Popen(
        [sys.executable, "-c", WORKER.format(task=task)],
        cwd=PROJECT,
        env={
            **os.environ,
            "DJANGO_SETTINGS_MODULE": "feedback_portal.settings",
            "DATABASE_URL": f"postgres://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}",
            "PORTAL_OUTGOING_ALLOW": allow,
        },
    )
    try:
        yield process
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()


@contextmanager
def in_the_middle(channel: Channel, external_id: str) -> Iterator[None]:
    """The block runs while a worker stands inside its transaction, about to store this: somebody else may be storing it too."""
    with transaction.atomic():
        receiving.receive(channel, RawItem(external_id, b"{}"), at=AT)
        yield
        transaction.set_rollback(True)
    # What the dead process left to its database ends by itself.
    until(lambda: others() == 0)


def is_waited_for() -> bool:
    return (
        asked("SELECT count(*) FROM pg_locks WHERE NOT granted AND pg_backend_pid() = ANY(pg_blocking_pids(pid))") > 0
    )


def others() -> int:
    return asked(
        "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
        " AND backend_type = 'client backend'"
    )


def asked(question: str) -> int:
    with connection.cursor() as cursor:
        cursor.execute(question)
        return int(cursor.fetchone()[0])


def until(is_so: Callable[[], bool]) -> None:
    end = time.monotonic() + 30
    while not is_so():
        assert time.monotonic() < end, "It did not come so far within half a minute."
        time.sleep(0.01)


def test_a_worker_killed_while_it_takes_calls_apart_loses_and_doubles_nothing() -> None:
    channel = channel_of()
    for number in range(CALLS):
        body = body_of(f"t{number}", event=f"e{number}")
        made = Call("POST", "", {"typeform-signature": signature_of(body)}, body)
        hooks.take(channel.hook_key, made, at=AT)

    with in_the_middle(channel, "t5"), worker("take_apart_pending") as process:
        until(is_waited_for)
        assert process.poll() is None
    assert Submission.objects.count() == 0
    assert Delivery.objects.waiting().count() == CALLS

    # The leases of the dead hold what it had claimed, and nobody waits for the rest.
    hooks.take_apart_pending()
    assert Submission.objects.count() == CALLS - hooks.BATCH

    Delivery.objects.waiting().update(next_attempt_at=Now())
    hooks.take_apart_pending()
    normalizing.normalize_pending(at=AT)

    assert not Delivery.objects.waiting().exists()
    assert not Delivery.objects.parked().exists()
    assert Delivery.objects.aggregate(brought=Sum("brought"))["brought"] == CALLS
    assert FeedbackItem.objects.count() == Submission.objects.count() == CALLS


def test_a_worker_killed_while_it_asks_goes_on_where_it_had_stored(settings: LazySettings) -> None:
    asks, may_answer = threading.Event(), threading.Event()

    def slow(heard: Heard) -> Said:
        asks.set()
        may_answer.wait(30)
        return page(5, 6)

    with outside() as server:
        server.answers |= {"/page/1": page(1, 2), "/page/2": page(3, 4), "/page/3": slow, "/page/4": page(7)}
        server.answers["/page/5"] = EMPTY
        settings.OUTGOING_ALLOW = [server.host]
        channel = make_channel("numbered", "pages")
        channel.settings = {"url": server.url}
        channel.save()
        Poll.objects.create(channel=channel)

        with worker("ask_pending", allow=server.host) as process:
            assert asks.wait(30)
            assert process.poll() is None
        assert (Submission.objects.count(), Poll.objects.get().cursor) == (4, {"page": 3})
        may_answer.set()

        Poll.objects.update(next_attempt_at=Now())
        with in_the_middle(channel, "6"), worker("ask_pending", allow=server.host):
            until(is_waited_for)
        assert (Submission.objects.count(), Poll.objects.get().cursor) == (4, {"page": 3})

        Poll.objects.update(next_attempt_at=Now())
        polling.ask_pending(at=AT)

    stored = list(Submission.objects.order_by("pk").values_list("external_id", flat=True))
    assert stored == ["1", "2", "3", "4", "5", "6", "7"]
    assert server.paths() == [f"/page/{number}" for number in (1, 2, 3, 3, 3, 4, 5)]
    poll = Poll.objects.get()
    assert (poll.cursor, poll.brought, poll.failures) == ({"page": 5}, 7, 0)
    assert poll.last_success_at is not None
    assert poll.every_seconds == polling.PullConnector.every.total_seconds()
