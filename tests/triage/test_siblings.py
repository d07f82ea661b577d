"""Several teams on one item: a ticket each, who sees what, and a customer who hears once."""

import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.refusals import BadInput, NotFound, Refused
from kpis import facts
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage.decisions import NotNow, StaleTicket, decide
from triage.models import Event, Notification, Ticket

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)
TEXT = "The lid cracked on day two. The box was wet as well."


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def logistics(db: None) -> Team:
    return make_team("logistics", triage_hours=8)


@pytest.fixture
def tariq(quality: Team, logistics: Team) -> User:
    return make_person("Tariq", quality, logistics)


@pytest.fixture
def ticket(quality: Team) -> Ticket:
    return make_ticket(TEXT, team=quality, item_customer=make_customer())


def do(ticket: Ticket, verb: str, by: User, **arguments: Any) -> Ticket:
    return decide(ticket.reference, verb, by=actor(by), at=LATER, **arguments)


def halved(ticket: Ticket, by: User, **arguments: Any) -> Ticket:
    do(ticket, "split", by, team="logistics", **arguments)
    return Ticket.objects.get(item=ticket.item_id, team__slug="logistics")


def test_splitting_gives_another_team_a_ticket_of_its_own_and_leaves_this_one_as_it_is(
    ticket: Ticket, logistics: Team, tariq: User
) -> None:
    other = halved(ticket, tariq, text="The box was\nwet", note="Yours, I think")

    ticket.refresh_from_db()
    assert (ticket.status, ticket.team.slug, ticket.triaged_at) == ("new", "quality", None)
    assert (other.status, other.team, other.version, other.received_at) == ("new", logistics, 1, AT)
    assert other.due_at == LATER + timedelta(hours=8), "its time begins when it hears of it"
    assert other.explanation["reason"] == f"Tariq gave a part of {ticket.reference} to Logistics."
    assert other.explanation["quote"] == "The box was wet"
    event = ticket.events.get()
    assert (event.type, event.data["into"], event.data["text"]) == ("split", other.reference, "Yours, I think")

    do(other, "claim", tariq)
    ticket.refresh_from_db()
    assert (ticket.status, ticket.assignee) == ("new", None)


@pytest.mark.parametrize(
    ("arguments", "place"),
    [
        ({"team": "nobody"}, "team"),
        ({"team": "quality"}, "team"),
        ({"team": "logistics", "text": "The lid melted"}, "text"),
    ],
)
def test_what_cannot_be_split_is_refused_by_the_place_that_is_wrong(
    ticket: Ticket, tariq: User, arguments: dict[str, Any], place: str
) -> None:
    with pytest.raises(BadInput) as refused:
        do(ticket, "split", tariq, **arguments)

    assert [error.path for error in refused.value.errors] == [place]
    assert Ticket.objects.count() == 1


def test_a_team_has_one_ticket_for_an_item(ticket: Ticket, tariq: User) -> None:
    halved(ticket, tariq)

    with pytest.raises(BadInput, match="has a ticket for this item already"):
        do(ticket, "split", tariq, team="logistics")
    with pytest.raises(BadInput, match="has a ticket for this item already"):
        do(ticket, "route", tariq, team="logistics")


def test_two_teams_of_one_item_are_no_duplicates_of_each_other(ticket: Ticket, tariq: User) -> None:
    other = halved(ticket, tariq)

    with pytest.raises(BadInput, match="the same item"):
        do(other, "merge", tariq, original=ticket.reference)


class TestUndo:
    def test_a_split_that_nobody_has_touched_is_taken_back_without_a_trace_but_in_the_journal(
        self, ticket: Ticket, tariq: User
    ) -> None:
        halved(ticket, tariq)

        do(ticket, "undo", tariq)

        assert list(Ticket.objects.filter(item=ticket.item_id)) == [ticket]
        assert list(ticket.events.order_by("id").values_list("type", flat=True)) == ["split", "undone"]
        assert halved(ticket, tariq).version == 1, "and it can be split anew"

    def test_one_that_its_team_has_worked_on_stays(self, ticket: Ticket, tariq: User) -> None:
        other = halved(ticket, tariq)
        do(other, "note", tariq, text="Looking")

        with pytest.raises(NotNow, match="has worked on"):
            do(ticket, "undo", tariq)

        assert Ticket.objects.filter(pk=other.pk).exists()
        ticket.refresh_from_db()
        assert ticket.version == 2

    def test_whoever_decides_on_a_ticket_that_goes_in_this_moment_hears_that_it_is_gone(
        self, ticket: Ticket, tariq: User
    ) -> None:
        from triage import decisions

        other = decisions.find(halved(ticket, tariq).reference, by=actor(tariq))
        do(ticket, "undo", tariq)

        with pytest.raises(NotFound, match="is gone"):
            decisions.claim(other, by=actor(tariq), at=LATER)


class TestTheCustomer:
    def test_hears_once_when_the_last_team_is_done_with_what_each_did(self, ticket: Ticket, tariq: User) -> None:
        other = halved(ticket, tariq)

        do(ticket, "resolve", tariq, resolution="shipped", reason="The lid is thicker.")
        assert not Notification.objects.filter(kind="resolution").exists()

        do(other, "resolve", tariq, resolution="declined", reason="We keep the box.")
        mail = Notification.objects.get(kind="resolution")
        assert "Logistics: We decided not to change this" in mail.body
        assert "Quality: We changed something" in mail.body
        assert "The lid is thicker." in mail.body
        assert "We keep the box." in mail.body

    def test_hears_nothing_of_a_part_that_was_ended_in_silence_nor_of_spam(self, ticket: Ticket, tariq: User) -> None:
        other = halved(ticket, tariq)
        do(ticket, "resolve", tariq, resolution="answered", reason="A secret.", tell=False)

        do(other, "resolve", tariq, resolution="spam")

        assert not Notification.objects.filter(kind="resolution").exists()

    def test_hears_of_the_others_when_the_last_part_ends_as_a_duplicate(self, ticket: Ticket, tariq: User) -> None:
        other, elsewhere = halved(ticket, tariq), make_ticket("Wet boxes", team=ticket.team)
        do(ticket, "resolve", tariq, resolution="shipped", reason="The lid is thicker.")

        do(other, "merge", tariq, original=elsewhere.reference)

        assert "The lid is thicker." in Notification.objects.get(kind="resolution").body

    def test_undoing_the_last_part_withdraws_what_was_not_sent(self, ticket: Ticket, tariq: User) -> None:
        other = halved(ticket, tariq)
        do(ticket, "resolve", tariq, resolution="answered")
        do(other, "resolve", tariq, resolution="answered")

        do(other, "undo", tariq)

        assert not Notification.objects.filter(kind="resolution").exists()

    def test_an_answer_goes_to_the_team_that_asked(self, ticket: Ticket, tariq: User) -> None:
        from intake import receiving
        from triage import tracking

        other = halved(ticket, tariq)
        do(ticket, "accept", tariq)
        do(other, "reply", tariq, text="How wet?", wait=True)

        tracking.add_words(receiving.tracking_token(ticket.item.submission), at=LATER, text="Dripping")

        other.refresh_from_db()
        assert other.status == "new", "nobody of Logistics has decided yet"
        assert other.events.filter(type="customer_replied").exists()

    def test_sees_that_it_is_done_only_when_every_team_is(self, ticket: Ticket, tariq: User) -> None:
        from triage import tracking
        from triage.tracking import saying

        other = halved(ticket, tariq)
        do(ticket, "resolve", tariq, resolution="shipped", reason="The lid is thicker.")
        page = saying.page(tracking.journey_of(ticket.item.submission))
        assert page["steps"][-1]["state"] == "todo"
        assert page["steps"][2]["name"] == "With Quality and Logistics"
        assert page["headline"] == "Logistics still works on it."

        do(other, "resolve", tariq, resolution="declined", reason="We keep the box.")
        page = saying.page(tracking.journey_of(ticket.item.submission))
        assert {step["state"] for step in page["steps"]} == {"done"}
        assert page["did"]["paragraphs"] == ["Quality: The lid is thicker.", "Logistics: We keep the box."]


@pytest.mark.django_db(transaction=True)
def test_two_teams_that_finish_at_once_make_one_message() -> None:
    quality, logistics = make_team("quality"), make_team("logistics")
    tariq = make_person("Tariq", quality, logistics)
    ticket = make_ticket(TEXT, team=quality, item_customer=make_customer())
    both = [ticket, halved(ticket, tariq)]
    start = threading.Barrier(2)
    refused: list[str] = []

    def finish(each: Ticket) -> None:
        start.wait()
        try:
            do(each, "resolve", tariq, resolution="answered")
        except Refused as refusal:
            refused.append(refusal.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=finish, args=(each,)) for each in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert refused == []
    assert Notification.objects.filter(kind="resolution").count() == 1


def test_an_item_counts_as_resolved_when_its_last_team_is_done(ticket: Ticket, tariq: User) -> None:
    other = halved(ticket, tariq)
    moment = timezone.now() + timedelta(minutes=1)

    def resolved_at() -> Any:
        from intake.models import FeedbackItem

        rows = FeedbackItem.objects.filter(pk=ticket.item_id).annotate(done=facts.stays_resolved(as_of=moment))
        return rows.values_list("done", flat=True).get()

    do(ticket, "resolve", tariq, resolution="answered")
    assert resolved_at() is None

    do(other, "resolve", tariq, resolution="answered")
    assert resolved_at() == LATER


class TestWhoSees:
    def test_the_other_team_is_named_and_its_ticket_is_nobody_elses(
        self, ticket: Ticket, tariq: User, logistics: Team
    ) -> None:
        other = halved(ticket, tariq)
        make_person("Mina", logistics, role=Role.LEAD)
        only_quality = make_person("Quinn", ticket.team)
        do(other, "note", tariq, text="The forwarder is to blame")
        client = Client()
        client.force_login(only_quality)

        page = client.get(f"/triage/?item={ticket.reference}").content.decode()

        assert "Ask Mina" in page
        assert other.reference not in page.replace(f"/{other.reference}/", "")
        assert "The forwarder is to blame" not in page
        assert client.get(f"/triage/{other.reference}/").status_code == 404
        with pytest.raises(NotFound):
            do(other, "claim", only_quality)

        client.force_login(tariq)
        page = client.get(f"/triage/?item={ticket.reference}").content.decode()
        assert f"?item={other.reference}" in page
        assert "The forwarder is to blame" in page

    def test_the_form_names_the_teams_that_have_none_and_a_browser_without_the_script_can_split(
        self, ticket: Ticket, tariq: User
    ) -> None:
        client = Client()
        client.force_login(tariq)
        form = client.get(f"/triage/{ticket.reference}/split/")
        assert [team["slug"] for team in form.context["teams"]].count("quality") == 0

        sent = {"verb": "split", "team": "logistics", "quote": "box was wet", "version": "1"}
        assert client.post(f"/triage/{ticket.reference}/decide/", sent).status_code == 302

        assert Ticket.objects.filter(item=ticket.item_id).count() == 2

    def test_words_that_are_not_in_the_message_are_said_so_in_the_form(self, ticket: Ticket, tariq: User) -> None:
        client = Client()
        client.force_login(tariq)

        sent = {"verb": "split", "team": "logistics", "quote": "no such words", "version": "1"}
        answer = client.post(f"/triage/{ticket.reference}/decide/", sent)

        assert answer.status_code == 422
        assert "do not stand in the message" in answer.content.decode()


def test_a_stale_split_leaves_no_second_ticket(ticket: Ticket, tariq: User) -> None:
    do(ticket, "note", tariq, text="First")

    with pytest.raises(StaleTicket):
        do(ticket, "split", tariq, team="logistics", version=1)

    assert Ticket.objects.count() == 1
    assert not Event.objects.filter(type="split").exists()
