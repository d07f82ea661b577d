"""The relay rings exactly the stages that have rows due, and outlives a broker that is gone, frozen or emptied."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from urllib.parse import quote

import pytest
import redis
from django.conf import settings
from django.db import connection
from django.utils import timezone

from feedback_portal import relay
from feedback_portal.celery import PIPELINE
from triage.models import ChangedDay

pytestmark = pytest.mark.django_db(transaction=True)

(MEASURE,) = (stage for stage in PIPELINE if stage.name == "measure")


@pytest.fixture
def broker() -> redis.Redis:
    client = redis.Redis.from_url(settings.REDIS_URL)
    client.flushdb()
    return client


def test_only_stages_with_rows_due_are_rung() -> None:
    assert relay.stages_due() == []

    ChangedDay.objects.create(day=date(2026, 1, 1))

    assert relay.stages_due() == [MEASURE]


@pytest.mark.parametrize(
    "change",
    [
        {"completed_at": timezone.now()},
        {"parked_at": timezone.now()},
        {"next_attempt_at": timezone.now() + timedelta(hours=1)},
    ],
)
def test_done_parked_and_future_rows_ring_nobody(change: dict[str, object]) -> None:
    ChangedDay.objects.create(day=date(2026, 1, 1))
    ChangedDay.objects.update(**change)

    assert relay.stages_due() == []


def test_rings_are_bounded_however_long_nobody_answers(broker: redis.Redis) -> None:
    rung = [relay.ring(MEASURE, broker) for _ in range(50)]

    assert sum(rung) == broker.llen(MEASURE.queue) == 4


def test_new_items_are_rung_for_however_much_else_waits(broker: redis.Redis) -> None:
    (understand,) = (stage for stage in PIPELINE if stage.name == "understand")
    for stage in PIPELINE:
        if stage != understand:
            while relay.ring(stage, broker):
                pass

    assert relay.ring(understand, broker)


def test_looking_is_one_statement(django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    with django_assert_num_queries(1):
        relay.stages_due()


class OwnBroker:
    """A broker of this test alone, so that stopping it harms no other test."""

    def __init__(self, folder: Path) -> None:
        from feedback_portal.local.broker import _binary

        self.socket = folder / "r.sock"
        self.command = [_binary(), "--port", "0", "--unixsocket", str(self.socket), "--save", "", "--dir", str(folder)]
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.DEVNULL)
        while not self.socket.exists():
            time.sleep(0.02)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    @property
    def client(self) -> redis.Redis:
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=3)


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[OwnBroker]:
    broker = OwnBroker(tmp_path)
    yield broker
    broker.stop()


@pytest.fixture
def relay_process(own_broker: OwnBroker) -> Iterator[subprocess.Popen[bytes]]:
    """The real command, on this test's database and this test's broker."""
    database = connection.settings_dict
    address = f"postgres://{database['USER']}@{quote(database['HOST'], safe='')}/{database['NAME']}"
    process = subprocess.Popen(
        [sys.executable, "manage.py", "relay"],
        env={**os.environ, "DATABASE_URL": address, "REDIS_URL": f"unix://{own_broker.socket}?db=0"},
    )
    yield process
    process.terminate()
    assert process.wait(20) == 0


@pytest.mark.parametrize("fault", ["stopped", "frozen", "emptied"])
def test_a_ring_comes_through_once_the_broker_is_back(
    own_broker: OwnBroker, relay_process: subprocess.Popen[bytes], fault: str
) -> None:
    ChangedDay.objects.create(day=date(2026, 1, 1))
    _until(lambda: own_broker.client.llen("measure") > 0)

    if fault == "stopped":
        own_broker.stop()
        own_broker.socket.unlink(missing_ok=True)
        time.sleep(0.5)
        own_broker.start()
    elif fault == "frozen":
        own_broker.process.send_signal(signal.SIGSTOP)
        time.sleep(3)
        own_broker.process.send_signal(signal.SIGCONT)
        own_broker.client.flushall()
    else:
        own_broker.client.flushall()

    _until(lambda: own_broker.client.llen("measure") > 0)
    assert relay_process.poll() is None


def _until(condition, seconds: float = 20.0) -> None:  # type: ignore[no-untyped-def]
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if condition():
                return
        except redis.RedisError:
            pass
        time.sleep(0.05)
    pytest.fail("it did not happen")
