"""How often one address may send: exactly as often as it says, however many ask at once, and without the broker."""

import threading
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from feedback_portal.refusals import TooMany
from intake import allowances
from intake.models import Allowance, Channel

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)

pytestmark = pytest.mark.django_db


@pytest.fixture
def channel() -> Channel:
    return Channel.objects.get(slug="web-form")


def passed(channel: Channel, times: int, *, at: datetime = AT, address: str = "192.0.2.1") -> int:
    count = 0
    for _ in range(times):
        try:
            allowances.use_one(channel, address, at=at)
        except TooMany:
            continue
        count += 1
    return count


def test_ten_at_once_then_five_a_minute(channel: Channel) -> None:
    assert passed(channel, 30) == 10
    assert passed(channel, 30, at=AT + timedelta(seconds=11)) == 0
    assert passed(channel, 30, at=AT + timedelta(seconds=60)) == 5
    assert passed(channel, 30, at=AT + timedelta(minutes=10)) == 10


def test_sixty_an_hour(channel: Channel) -> None:
    assert sum(passed(channel, 10, at=AT + timedelta(minutes=minute)) for minute in range(60)) == 60
    assert passed(channel, 1, at=AT + timedelta(minutes=59, seconds=59)) == 0
    with pytest.raises(TooMany, match="wait 10 minutes"):
        allowances.use_one(channel, "192.0.2.1", at=AT + timedelta(minutes=50))
    assert passed(channel, 1, at=AT + timedelta(hours=1)) == 1


@pytest.mark.parametrize("endless", [10**12, 10**30])
def test_a_limit_beyond_all_counting_lets_everybody_in(channel: Channel, endless: int) -> None:
    channel.settings = {"limits": {"burst": endless, "minute": 1, "hour": endless}}

    assert passed(channel, 30) == 30


def test_it_says_when_to_come_again_and_then_lets_in(channel: Channel) -> None:
    passed(channel, 10)
    with pytest.raises(TooMany) as refused:
        allowances.use_one(channel, "192.0.2.1", at=AT)

    wait = refused.value.retry_after
    assert wait is not None
    assert f"{wait} seconds" in refused.value.message
    assert passed(channel, 1, at=AT + timedelta(seconds=wait)) == 1


def test_a_refused_try_costs_nothing(channel: Channel) -> None:
    passed(channel, 1000)

    assert passed(channel, 1, at=AT + timedelta(seconds=12)) == 1


@pytest.mark.parametrize(
    ("one", "other", "is_same"),
    [
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff::9", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("", "192.0.2.1", False),
        ("nonsense", "nonsense", True),
    ],
)
def test_who_is_the_same_address(channel: Channel, one: str, other: str, is_same: bool) -> None:
    passed(channel, 10, address=one)

    assert passed(channel, 1, address=other) == (0 if is_same else 1)


def test_no_address_is_written_down(channel: Channel) -> None:
    passed(channel, 1, address="192.0.2.1")

    assert "192.0.2" not in str(Allowance.objects.values().get())


def test_channels_count_apart(channel: Channel) -> None:
    passed(channel, 10)

    assert passed(Channel.objects.get(slug="api"), 10) == 10


@pytest.mark.parametrize(
    ("limits", "let_in"),
    [
        ({"burst": 2}, 2),
        ({"hour": 3}, 3),
        ({"minute": 0, "hour": 0}, 50),
        ({"burst": 0, "hour": 0}, 50),
        ({"burst": -1, "minute": "many", "hour": None}, 10),
        ("nonsense", 10),
    ],
)
def test_a_channel_may_set_its_own_limits(channel: Channel, limits: Any, let_in: int) -> None:
    channel.settings = {"limits": limits}

    assert passed(channel, 50) == let_in


@pytest.mark.django_db(transaction=True)
def test_fifty_at_once_get_exactly_the_burst() -> None:
    channel = Channel.objects.get(slug="web-form")
    start, let_in = threading.Barrier(50), []

    def knock() -> None:
        start.wait()
        let_in.append(passed(channel, 1))
        connection.close()

    threads = [threading.Thread(target=knock) for _ in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sum(let_in) == 10


def test_what_limits_nobody_is_forgotten(channel: Channel) -> None:
    passed(channel, 5)

    assert allowances.forget(at=AT + timedelta(minutes=59)) == 0
    assert allowances.forget(at=AT + timedelta(hours=1)) == 1
    assert not Allowance.objects.exists()


def test_counting_is_one_statement_that_is_not_written_ahead(channel: Channel, django_assert_num_queries: Any) -> None:
    with django_assert_num_queries(1):
        allowances.use_one(channel, "192.0.2.1", at=AT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT relpersistence FROM pg_class WHERE relname = 'intake_allowance'")
        assert cursor.fetchone() == ("u",)
