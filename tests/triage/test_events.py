"""Live updates, from the transaction of a change to the stream of a page: told at once, to whoever may know, and to nobody else."""

import signal
import time
from collections.abc import Iterator
from typing import Any

import pytest
from django.contrib.sessions.models import Session
from django.db import connection, transaction
from django.utils import timezone

from feedback_portal.accounts.models import Membership, Role, Team
from tests.makers import actor, make_person, make_team, make_ticket
from tests.triage.events_process import EventsProcess, Stream, cookies_of, events_process, listeners
from triage import decisions
from triage.live import bulletins, presence
from triage.live.watchers import rights_of, sessions_alive
from triage.models import Ticket

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def quality() -> Team:
    return make_team("quality")


@pytest.fixture
def ticket(quality: Team) -> Ticket:
    return make_ticket(team=quality, at=timezone.now())


@pytest.fixture(scope="module")
def process(django_db_setup: None, django_db_blocker: Any) -> Iterator[EventsProcess]:
    """One for all tests of this file, but for the one that ends it."""
    with django_db_blocker.unblock(), events_process() as started:
        yield started


def test_a_decision_reaches_the_team_and_its_manager_and_nobody_else(process: EventsProcess, ticket: Ticket) -> None:
    tariq, omar = make_person("Tariq", ticket.team), make_person("Omar", make_team("marketing"))
    lena = make_person("Lena", role=Role.MANAGER)
    with process.watching(tariq) as his, process.watching(omar) as strangers, process.watching(lena) as hers:
        for stream in (his, strangers, hers):
            stream.wait_for("hello")
        decisions.decide(ticket.reference, "claim", by=actor(lena), at=timezone.now())
        his.wait_for("news", changed=[ticket.reference])
        hers.wait_for("news", changed=[ticket.reference])
        # What comes last has come after everything else.
        with transaction.atomic():
            bulletins.tell_arrived([make_team("marketing").pk])
        strangers.wait_for("news", arrived=1)
        assert [kind for kind, _ in strangers.heard] == ["hello", "news"]


def test_who_gave_a_ticket_away_and_who_gets_it_are_both_told(process: EventsProcess, ticket: Ticket) -> None:
    logistics = make_team("logistics")
    tariq, lotte = make_person("Tariq", ticket.team), make_person("Lotte", logistics)
    with process.watching(tariq) as his, process.watching(lotte) as hers:
        hers.wait_for("hello"), his.wait_for("hello")
        decisions.decide(ticket.reference, "route", by=actor(tariq), at=timezone.now(), team="logistics")
        his.wait_for("news", changed=[ticket.reference])
        hers.wait_for("news", changed=[ticket.reference])


def test_what_was_rolled_back_is_told_to_nobody(process: EventsProcess, ticket: Ticket) -> None:
    tariq = make_person("Tariq", ticket.team)
    with process.watching(tariq) as his:
        his.wait_for("hello")
        with transaction.atomic():
            decisions.decide(ticket.reference, "claim", by=actor(tariq), at=timezone.now())
            transaction.set_rollback(True)
        with transaction.atomic():
            bulletins.tell_arrived([ticket.team_id])
        his.wait_for("news", arrived=1)
        assert [kind for kind, _ in his.heard] == ["hello", "news"]


def test_looking_at_a_ticket_is_told_by_its_number_alone(process: EventsProcess, ticket: Ticket) -> None:
    tariq, mina = make_person("Tariq", ticket.team), make_person("Mina", ticket.team)
    with process.watching(tariq) as his:
        his.wait_for("hello")
        presence.say(ticket, "replying", by=actor(mina), at=timezone.now())
        assert his.wait_for("news") == {"present": [ticket.reference]}


def test_only_who_is_signed_in_may_watch(process: EventsProcess, ticket: Ticket) -> None:
    tariq = make_person("Tariq", ticket.team)
    known = cookies_of(tariq)
    for cookies in ("", "session=guessed", "session="):
        with process.watching(None, cookies=cookies) as stream:
            assert stream.status == 401
    other_site = Stream(process.port, known, {"Origin": "https://evil.example"})
    assert other_site.status == 403
    other_site.close()
    tariq.is_active = False
    tariq.save()
    with process.watching(None, cookies=known) as stream:
        assert stream.status == 401


def test_a_burst_is_told_as_little_as_it_can_be(process: EventsProcess, ticket: Ticket) -> None:
    tariq = make_person("Tariq", ticket.team)
    with process.watching(tariq) as his:
        his.wait_for("hello")
        for _ in range(500):
            bulletins.tell_arrived([ticket.team_id])
        end = time.monotonic() + 20
        while sum(told.get("arrived", 0) for _, told in his.heard) < 500:
            assert time.monotonic() < end
            time.sleep(0.02)
        assert not his.ended.is_set()


def test_when_the_database_drops_the_ear_all_are_let_go_and_let_in_again(
    process: EventsProcess, ticket: Ticket
) -> None:
    tariq = make_person("Tariq", ticket.team)
    with process.watching(tariq) as his:
        his.wait_for("hello")
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'portal events'"
                " AND datname = current_database()"
            )
        assert his.ended.wait(20)
    end = time.monotonic() + 20
    while not listeners():
        assert time.monotonic() < end
        time.sleep(0.05)
    again = Stream(process.port, cookies_of(tariq))
    while again.status == 503:  # the ear is back a moment before the door opens
        again = Stream(process.port, cookies_of(tariq))
    again.wait_for("hello")
    bulletins.tell_arrived([ticket.team_id])
    again.wait_for("news", arrived=1)
    again.close()


def test_rights_are_asked_again_while_somebody_watches(ticket: Ticket) -> None:
    tariq = make_person("Tariq", ticket.team)
    cookies_of(tariq)
    key = Session.objects.get().session_key
    assert rights_of([tariq.pk])[tariq.pk].teams == {ticket.team_id}
    assert sessions_alive([key, "other"]) == {key}
    Membership.objects.all().delete()
    assert rights_of([tariq.pk])[tariq.pk].teams == set()
    tariq.is_active = False
    tariq.save()
    Session.objects.all().delete()
    assert rights_of([tariq.pk]) == {}
    assert sessions_alive([key]) == set()


def test_the_process_ends_at_once_though_streams_are_open(process: EventsProcess, ticket: Ticket) -> None:
    """The last test of this file, for nobody has the process afterwards."""
    with process.watching(make_person("Tariq", ticket.team)) as his:
        his.wait_for("hello")
        process.process.send_signal(signal.SIGTERM)
        assert process.process.wait(10) == 0
        assert his.ended.wait(10)
