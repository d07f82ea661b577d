"""Merging is a link: taking merges apart leaves every row as it was, and what people told apart stays apart."""

import hashlib
import json
import threading
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, Refused
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage import decisions
from triage.decisions import NotNow, decide
from triage.models import Event, Notification, NotTheSame, Tagging, Ticket, Topic

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)
# Every table that says how an item stands. Left out: what is only ever appended (events, pairs told apart, messages), what waits to be
# counted again, and the versions that guard against stale clicks.
STATE = {
    "triage_ticket": "version",
    "triage_tagging": "",
    "triage_actionlink": "",
    "triage_analysis": "",
    "triage_searchtext": "",
    "triage_wording": "",
    "triage_thememember": "",
    "triage_theme": "",
    "triage_likelyduplicate": "",
    "intake_feedbackitem": "",
    "intake_customer": "",
}


def state() -> str:
    """One hash over every row of every table of `STATE`, column by column."""
    digest = hashlib.sha256()
    with connection.cursor() as cursor:
        for table, left_out in STATE.items():
            cursor.execute(f"SELECT (to_jsonb(t) - %s)::text AS told FROM {table} t ORDER BY told", [left_out])  # noqa: S608 -- names of our own
            digest.update(json.dumps([table, [row for (row,) in cursor.fetchall()]], sort_keys=True).encode())
    return digest.hexdigest()


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality, make_team("logistics"))


def do(ticket: Ticket, verb: str, by: User, **arguments: object) -> Ticket:
    return decide(ticket.reference, verb, by=actor(by), at=LATER, **arguments)


class TestUnmerge:
    def test_two_hundred_merged_and_taken_apart_are_as_they_were(self, quality: Team, tariq: User) -> None:
        """In every state a ticket may be merged from, some in chains, one with tags and an owner of its own."""
        original = make_ticket(team=quality, item_customer=make_customer("Ana"))
        others = [make_ticket(f"The lid cracked, {n}", team=quality) for n in range(200)]
        topic = Topic.objects.create(slug="lid", name="Lid")
        Tagging.objects.create(item=others[0].item, topic=topic, source="person")
        keys = [ticket.pk for ticket in others]
        Ticket.objects.filter(pk__in=keys[:50]).update(status="open", triaged_at=AT)
        Ticket.objects.filter(pk__in=keys[20:60]).update(status="snoozed", snoozed_until=LATER + timedelta(days=2))
        Ticket.objects.filter(pk__in=keys[60:70]).update(status="waiting", triaged_at=AT)
        do(others[5], "claim", tariq)
        before = state()

        for ticket in others[100:110]:  # a chain: into another, which then goes into the original
            do(ticket, "merge", tariq, original=others[99].reference)
        rest = [ticket for ticket in others if ticket not in others[100:110]]
        for ticket in rest:
            decide(ticket.reference, "merge", by=actor(tariq), at=LATER, original=original.reference)
        assert Ticket.objects.filter(duplicate_of=original).count() == 200
        assert state() != before

        # Taken apart in an order of its own, the middle of the chain before its ends.
        for ticket in [*rest[::-1], *others[100:110]]:
            do(ticket, "unmerge", tariq)
        assert state() == before

    def test_what_was_merged_into_the_merged_one_comes_along(self, quality: Team, tariq: User) -> None:
        first, second, third, fourth = (make_ticket(team=quality) for _ in range(4))
        do(fourth, "merge", tariq, original=third.reference)
        do(third, "merge", tariq, original=second.reference)
        do(second, "merge", tariq, original=first.reference)
        assert set(first.duplicates.all()) == {second, third, fourth}

        do(second, "unmerge", tariq)

        assert set(second.duplicates.all()) == {third, fourth}
        assert not first.duplicates.exists()

    def test_one_that_left_the_chain_meanwhile_does_not_come_along(self, quality: Team, tariq: User) -> None:
        first, second, third = (make_ticket(team=quality) for _ in range(3))
        do(third, "merge", tariq, original=second.reference)
        do(second, "merge", tariq, original=first.reference)
        do(third, "unmerge", tariq)
        do(third, "merge", tariq, original=first.reference)

        do(second, "unmerge", tariq)

        third.refresh_from_db()
        assert (third.duplicate_of, third.merged_into) == (first, first)

    def test_what_was_decided_while_it_was_merged_stays(self, quality: Team, tariq: User) -> None:
        original, copy = make_ticket(team=quality), make_ticket(team=quality)
        do(copy, "merge", tariq, original=original.reference)
        do(copy, "severity", tariq, value=2)

        back = do(copy, "unmerge", tariq)

        assert (back.status, back.severity, back.triaged_at, back.duplicate_of) == ("new", 2, None, None)


class TestUndo:
    def test_undoing_a_merge_leads_its_chain_back(self, quality: Team, tariq: User) -> None:
        first, second, third = (make_ticket(team=quality) for _ in range(3))
        do(third, "merge", tariq, original=second.reference)
        before = state()
        do(second, "merge", tariq, original=first.reference)

        do(second, "undo", tariq)

        third.refresh_from_db()
        assert third.duplicate_of == second
        assert state() == before

    def test_undoing_an_unmerge_leads_to_where_the_original_went_meanwhile(self, quality: Team, tariq: User) -> None:
        first, second, third = (make_ticket(team=quality) for _ in range(3))
        do(third, "merge", tariq, original=second.reference)
        do(third, "unmerge", tariq)
        do(second, "merge", tariq, original=first.reference)

        back = do(third, "undo", tariq)

        assert (back.merged_into, back.duplicate_of) == (second, first)
        assert not NotTheSame.objects.exists()

    def test_an_undo_that_would_close_a_circle_is_refused(self, quality: Team, tariq: User) -> None:
        first, second = (make_ticket(team=quality) for _ in range(2))
        do(second, "merge", tariq, original=first.reference)
        do(second, "unmerge", tariq)
        do(first, "merge", tariq, original=second.reference)

        with pytest.raises(NotNow, match="merged into it meanwhile"):
            do(second, "undo", tariq)
        second.refresh_from_db()
        assert (second.status, second.merged_into) == ("new", None)


class TestCustomers:
    def test_each_voice_is_answered_as_long_as_it_is_merged(self, quality: Team, tariq: User) -> None:
        original = make_ticket(team=quality, item_customer=make_customer("Ana"))
        middle = make_ticket(team=quality, item_customer=make_customer("Bo"))
        end = make_ticket(team=quality, item_customer=make_customer("Cy"))
        gone = make_ticket(team=quality, item_customer=make_customer("Di"))
        do(end, "merge", tariq, original=middle.reference)
        for ticket in (middle, gone):
            do(ticket, "merge", tariq, original=original.reference)
        do(gone, "unmerge", tariq)

        do(original, "resolve", tariq, resolution="shipped")

        told = Notification.objects.filter(kind="resolution").values_list("recipient", flat=True)
        assert {address.partition("@")[0] for address in told} == {"ana", "bo", "cy"}

    def test_a_voice_that_answers_opens_itself_and_what_was_merged_into_it_follows(
        self, quality: Team, tariq: User
    ) -> None:
        original, voice, below = (make_ticket(team=quality) for _ in range(3))
        do(below, "merge", tariq, original=voice.reference)
        do(voice, "merge", tariq, original=original.reference)
        voice.refresh_from_db()

        decisions.hear(voice, at=LATER, text="Mine leaks, theirs is loud")

        voice.refresh_from_db()
        below.refresh_from_db()
        assert (voice.status, voice.merged_into, below.duplicate_of) == ("open", None, voice)


class TestToldApart:
    def test_no_machine_merges_a_pair_that_a_person_took_apart(self, quality: Team, tariq: User) -> None:
        original, copy = make_ticket(team=quality), make_ticket(team=quality)
        do(copy, "merge", tariq, original=original.reference)
        do(copy, "unmerge", tariq)
        copy.refresh_from_db()

        for one, other in ((copy, original), (original, copy)):
            one.refresh_from_db()
            with pytest.raises(Refused):
                decisions.merge(one, by=Actor(), at=LATER, original=other.reference)
        assert do(copy, "merge", tariq, original=original.reference).merged_into == original

    def test_two_tickets_of_one_item_are_not_told_apart(self, quality: Team, tariq: User) -> None:
        ticket = make_ticket(team=quality)
        other = make_ticket(item=ticket.item, team=make_team("logistics"))
        with pytest.raises(BadInput, match="one and the same item"):
            do(ticket, "not_same", tariq, other=other.reference)


@pytest.mark.django_db(transaction=True)
class TestTogether:
    def test_merges_that_meet_never_close_a_circle(self, quality: Team, tariq: User) -> None:
        one, two, three = (make_ticket(team=quality) for _ in range(3))
        pairs = [(one, two), (two, three), (three, one)]
        outcomes = together([merging(ticket, into, tariq) for ticket, into in pairs])

        links = dict(Ticket.objects.values_list("pk", "merged_into"))
        assert list(links.values()).count(None) == 1
        root = next(pk for pk, into in links.items() if into is None)
        assert set(Ticket.objects.exclude(pk=root).values_list("duplicate_of", flat=True)) == {root}
        assert sorted(outcomes) == ["done", "done", "refused"]

    def test_a_ticket_merged_twice_at_once_is_merged_once(self, quality: Team, tariq: User) -> None:
        copy, one, two = (make_ticket(team=quality) for _ in range(3))
        outcomes = together([merging(copy, into, tariq) for into in (one, two)] * 2)

        assert sorted(outcomes) == ["done", "refused", "refused", "refused"]
        assert Event.objects.filter(type="merged").count() == 1


def merging(ticket: Ticket, into: Ticket, by: User) -> Callable[[], object]:
    return lambda: do(ticket, "merge", by, original=into.reference)


def together(calls: list[Callable[[], object]]) -> list[str]:
    """All at once, each on a connection of its own; whether each was done or refused."""
    outcomes: list[str] = []
    gate = threading.Barrier(len(calls))

    def run(call: Callable[[], object]) -> None:
        try:
            gate.wait()
            call()
            outcomes.append("done")
        except Refused:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=run, args=(call,)) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return outcomes
