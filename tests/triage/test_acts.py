"""The way back as people use it: after the page was read anew, for many items at once, and for the people one leads."""

from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team, User
from tests.makers import make_person, make_team, make_ticket
from triage.desk import bulk
from triage.models import BulkAct, Ticket

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality, make_team("logistics"))


def desk_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def fresh(team: Team, text: str = "The lid cracked") -> Ticket:
    return make_ticket(text, team=team, at=timezone.now() - timedelta(hours=1))


def decide(desk: Client, ticket: Ticket, **said: object) -> None:
    ticket.refresh_from_db()
    assert desk.post(f"/triage/{ticket.reference}/decide/", {"version": ticket.version, **said}).status_code == 302


def test_acts_are_taken_back_and_done_again_after_the_page_was_read_anew(quality: Team, tariq: User) -> None:
    desk, first, second = desk_of(tariq), fresh(quality), fresh(quality, "It leaks")
    decide(desk, first, verb="severity", value=1)
    decide(desk, second, verb="route", team="logistics")

    assert 'id="undo-last"' in desk.get("/triage/").content.decode()
    assert "Took back what you did with" in desk.post("/triage/undo/", headers=HTMX).content.decode()
    second.refresh_from_db()
    assert (second.team, second.status) == (quality, "new")
    desk.post("/triage/undo/")
    first.refresh_from_db()
    assert first.severity == 3
    assert desk.post("/triage/undo/").status_code == 409

    desk.post("/triage/redo/")
    first.refresh_from_db()
    assert first.severity == 1


def test_the_page_of_acts_names_what_stands_in_the_way_and_takes_back_the_rest(quality: Team, tariq: User) -> None:
    desk, ticket = desk_of(tariq), fresh(quality)
    decide(desk, ticket, verb="claim")
    decide(desk_of(make_person("Mina", quality)), ticket, verb="severity", value=2)

    assert "Mina set the severity to 2 since. Take that back first." in desk.get("/triage/acts/").content.decode()
    lead = desk_of(make_person("Lena", quality, role=Role.LEAD))
    page = lead.get("/triage/acts/?of=team").content.decode()
    assert "Mina" in page
    ticket.refresh_from_db()
    lead.post(f"/triage/{ticket.reference}/undo/", {"act": ticket.version, "back": "acts"})
    ticket.refresh_from_db()
    assert ticket.severity == 3
    # Nobody leads by asking for it.
    assert "Mina" not in desk_of(make_person("Bo", quality)).get("/triage/acts/?of=team").content.decode()


def test_chosen_rows_are_decided_at_once_and_taken_back_as_one(quality: Team, tariq: User) -> None:
    desk, tickets = desk_of(tariq), [fresh(quality), fresh(quality), fresh(quality)]
    omars = fresh(make_team("marketing"))
    chosen = {"reference": [each.reference for each in (*tickets[:2], omars)], "verb": "route", "team": "logistics"}

    page = desk.post("/triage/bulk/", chosen, headers=HTMX).content.decode()

    assert "2 routed" in page
    assert Ticket.objects.filter(team__slug="logistics").count() == 2
    desk.post("/triage/undo/", headers=HTMX)
    assert Ticket.objects.filter(team__slug="logistics").count() == 0


def test_all_that_match_are_decided_in_the_background_watched_and_taken_back(
    quality: Team, tariq: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bulk, "AT_ONCE", 1)
    desk = desk_of(tariq)
    for number in range(4):
        fresh(quality, f"The lid of number {number} cracked")
    fresh(quality, "So easy to clean")
    asked = {
        "reference": Ticket.objects.first().reference,
        "q": "is:untriaged team:quality",
        "all": "1",
        "verb": "accept",
    }  # type: ignore[union-attr]

    page = desk.post("/triage/bulk/", asked, headers=HTMX).content.decode()
    act = BulkAct.objects.get()
    assert f"/triage/bulk/{act.pk}/" in page
    assert "0 of 5" in page
    assert "0 of 5" in desk.get("/triage/").content.decode()
    card = desk.post(f"/triage/bulk/{act.pk}/pause/", headers=HTMX | {"HX-Target": "bulk-run"}).content.decode()
    assert "Rests at 0 of 5" in card
    desk.post(f"/triage/bulk/{act.pk}/resume/")
    Ticket.objects.filter(item__text__contains="clean").update(version=9)
    bulk.work_pending(at=timezone.now())

    page = desk.get(f"/triage/bulk/{act.pk}/").content.decode()
    assert "4 kept, 1 skipped" in page
    assert "So easy to clean" in page
    assert "Somebody decided about it meanwhile." in page
    desk.post(f"/triage/bulk/{act.pk}/undo/")
    bulk.work_pending(at=timezone.now())
    assert Ticket.objects.filter(status="new").count() == 5
    assert "4 of 4 put back" in desk.get("/triage/acts/").content.decode()


def test_without_the_script_a_bulk_has_its_page(quality: Team, tariq: User) -> None:
    desk, ticket, moved = desk_of(tariq), fresh(quality), fresh(quality)
    make_ticket(team=make_team("logistics"), item=moved.item)
    chosen = {"reference": [ticket.reference, moved.reference], "verb": "route", "team": "logistics"}

    page = desk.post("/triage/bulk/", chosen, follow=True).content.decode()

    assert "1 routed, 1 skipped" in page
    assert "Logistics has a ticket for this item already." in page


def test_the_page_of_acts_costs_the_same_for_two_as_for_twenty(quality: Team, tariq: User) -> None:
    desk = desk_of(tariq)

    def queries(count: int) -> int:
        for _ in range(count):
            decide(desk, fresh(quality), verb="claim")
        with CaptureQueriesContext(connection) as asked:
            desk.get("/triage/acts/")
        return len(asked)

    assert queries(2) == queries(18)
