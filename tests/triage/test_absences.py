"""Who may say that somebody is away, and what the sheets then show."""

from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Absence, Role, Team, User
from feedback_portal.languages import said
from feedback_portal.refusals import BadInput, NotFound
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage.decisions import decide
from triage.routing import absences

pytestmark = pytest.mark.django_db

TODAY = AT.date()


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def mina(quality: Team) -> User:
    return make_person("Mina", quality)


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


def client(of: User) -> Client:
    found = Client()
    found.force_login(of)
    return found


def test_people_say_it_for_themselves_leads_for_their_teams_and_nobody_for_others(
    quality: Team, mina: User, tariq: User
) -> None:
    lead = make_person("Lou", quality, role=Role.LEAD)
    omar = make_person("Omar", make_team("marketing"))

    assert absences.enter({"last_day": "2026-03-08"}, by=actor(mina), today=TODAY).person == mina
    absences.enter({"person": mina.email, "first_day": "2026-04-01"}, by=actor(lead), today=TODAY)
    for other in (tariq, omar):
        with pytest.raises(BadInput):
            absences.enter({"person": mina.email}, by=actor(other), today=TODAY)

    seen = [len(absences.absences_of(actor(each), today=TODAY)) for each in (mina, lead, tariq, omar)]
    assert seen == [2, 2, 0, 0]
    with pytest.raises(NotFound):
        absences.remove(Absence.objects.first().pk, by=actor(omar))  # type: ignore[union-attr]
    absences.remove(Absence.objects.first().pk, by=actor(lead))  # type: ignore[union-attr]
    assert Absence.objects.count() == 1


@pytest.mark.parametrize(
    ("given", "place"),
    [
        ({"first_day": "soon"}, "first_day"),
        ({"first_day": "2026-03-09", "last_day": "2026-03-08"}, "last_day"),
        ({"first_day": "2026-01-01", "last_day": "2026-01-02"}, "last_day"),
        ({"stand_in": "mina@example.com"}, "stand_in"),
        ({"stand_in": "omar@example.com"}, "stand_in"),
    ],
)
def test_what_is_wrong_is_said_at_its_place(mina: User, given: dict[str, str], place: str) -> None:
    make_person("Omar", make_team("marketing"))

    with pytest.raises(BadInput) as refused:
        absences.enter(given, by=actor(mina), today=TODAY)

    assert [error.path for error in refused.value.errors] == [place]


def test_a_ticket_for_somebody_who_is_away_goes_to_their_stand_in_and_the_event_says_so(
    quality: Team, mina: User, tariq: User
) -> None:
    Absence.objects.create(person=mina, first_day=TODAY, last_day=date(2026, 3, 8), stand_in=tariq)
    ticket = make_ticket(team=quality)

    ticket = decide(ticket.reference, "assign", by=actor(tariq), at=AT, assignee=mina.email)

    assert ticket.assignee == tariq
    event = ticket.events.get(type="assigned")
    assert event.data["instead_of"] == mina.email
    assert said(event.data["reason"]) == "Mina is away until 9 March 2026, so Tariq stands in."


def test_the_assign_sheet_shows_who_carries_how_much_who_is_away_and_proposes_somebody(
    quality: Team, mina: User, tariq: User
) -> None:
    today = timezone.localdate()
    Absence.objects.create(person=mina, first_day=today, last_day=today + timedelta(days=1))
    make_ticket(team=quality, assignee=tariq)
    ticket = make_ticket(team=quality)

    answer = client(tariq).get(f"/triage/{ticket.reference}/assign/")

    people: list[dict[str, Any]] = answer.context["people"]
    assert [(each["name"], each["is_suggested"]) for each in people] == [("Mina", False), ("Tariq", True)]
    assert people[0]["detail"].startswith("0 open, away until ")
    assert people[1]["detail"] == "1 open"
    assert "Tariq is the only one who is here." in answer.content.decode()


def test_the_route_sheet_shows_how_teams_stand(quality: Team, mina: User, tariq: User) -> None:
    Team.objects.filter(pk=quality.pk).update(capacity=1)
    for _ in range(3):
        make_ticket(team=quality)
    ticket = make_ticket(team=quality)

    teams = client(tariq).get(f"/triage/{ticket.reference}/route/").context["teams"]

    (here,) = [team for team in teams if team["slug"] == "quality"]
    assert here["detail"] == "4 open for 2 people, more than they can carry"


def test_the_page_takes_an_absence_and_removes_it(mina: User, tariq: User) -> None:
    last = (timezone.localdate() + timedelta(days=3)).isoformat()
    sent = {"person": mina.email, "first_day": timezone.localdate().isoformat(), "last_day": last}

    assert client(mina).post("/settings/absences/", sent | {"stand_in": tariq.email}).status_code == 302
    assert "Tariq stands in" in client(mina).get("/settings/absences/").content.decode()
    assert "Tariq stands in" not in client(tariq).get("/settings/absences/").content.decode()

    number = Absence.objects.get().pk
    assert client(tariq).post(f"/settings/absences/{number}/remove/").status_code == 404
    assert client(mina).post(f"/settings/absences/{number}/remove/").status_code == 302
    assert not Absence.objects.exists()
