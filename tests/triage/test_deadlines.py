"""When the first decision is due: the closest target, in the working time of the team."""

from datetime import UTC, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction
from django.test import Client

from feedback_portal.accounts.models import Role, Team, WorkCalendar
from intake.models import Arrival
from tests.makers import AT, actor, make_item, make_person, make_team, make_ticket
from triage import decisions, pipeline
from triage.deadlines import Deadlines
from triage.models import Rule, Target, Ticket, Topic

pytestmark = pytest.mark.django_db

FRIDAY = datetime(2026, 11, 27, 15, tzinfo=UTC)
OFFICE = {day: [["08:00", "16:00"]] for day in ("mon", "tue", "wed", "thu", "fri")}


@pytest.fixture
def quality() -> Team:
    office = WorkCalendar.objects.create(slug="office", name="Office", time_zone="UTC", hours=OFFICE)
    return make_team("quality", triage_hours=4, calendar=office)


def due(team: Team, *topics: str, severity: int = 3, at: datetime = FRIDAY) -> timedelta:
    return Deadlines.load().due(at, team=team, topics=topics, severity=severity).at - at


def test_the_teams_hours_count_while_it_works(quality: Team) -> None:
    found = Deadlines.load().due(FRIDAY, team=quality, topics=(), severity=3)
    assert found.at == datetime(2026, 11, 30, 11, tzinfo=UTC)
    assert found.reason == "4 working hours of Quality"


def test_danger_waits_for_no_working_day(quality: Team) -> None:
    assert due(quality, severity=1) == timedelta(hours=1)


def test_the_closest_target_counts() -> None:
    night = make_team("night", triage_hours=24)
    leak = Topic.objects.create(slug="leak", name="Leak")
    Topic.objects.create(slug="smell", name="Smell")
    for row, now in (
        ({"severity": 2, "hours": 12}, {(("leak",), 2): 12}),
        ({"team": night, "hours": 10}, {(("leak",), 2): 10, (("leak",), 3): 10}),
        ({"team": night, "severity": 2, "hours": 11}, {(("leak",), 2): 11}),
        ({"topic": leak, "hours": 8}, {(("leak",), 2): 8, (("leak",), 3): 8, (("smell",), 3): 10}),
        ({"topic": leak, "team": night, "severity": 2, "hours": 9}, {(("leak",), 2): 9, (("leak",), 3): 8}),
    ):
        Target.objects.create(**row)
        for (topics, severity), hours in now.items():
            assert due(night, *topics, severity=severity) == timedelta(hours=hours), (row, topics, severity)


def test_of_two_topics_the_sooner_target_counts() -> None:
    team = make_team("night")
    for slug, hours in (("leak", 8), ("smell", 6)):
        Target.objects.create(topic=Topic.objects.create(slug=slug, name=slug), hours=hours)
    assert due(team, "leak", "smell") == timedelta(hours=6)


def test_a_new_item_is_due_by_the_target_of_its_team(quality: Team) -> None:
    Rule.objects.create(
        name="Leaks",
        definition={
            "version": 1,
            "when": {"field": "text", "op": "contains", "value": "leaks"},
            "then": [{"verb": "route", "team": "quality"}],
        },
    )
    Target.objects.create(team=quality, hours=2)
    item = make_item("It leaks", at=FRIDAY)
    Arrival.objects.get_or_create(item=item)
    pipeline.understand_pending(at=FRIDAY)
    assert Ticket.objects.get(item=item).due_at == datetime(2026, 11, 30, 9, tzinfo=UTC)


def test_another_severity_is_another_deadline_until_somebody_decided(quality: Team) -> None:
    by = actor(make_person("Tariq", quality))
    ticket = make_ticket(team=quality, at=AT)
    before = ticket.due_at
    decisions.severity(ticket, by=by, at=AT, value=1)
    assert Ticket.objects.get(pk=ticket.pk).due_at == AT + timedelta(hours=1)

    decisions.undo(ticket, by=by, at=AT)
    back = Ticket.objects.get(pk=ticket.pk)
    assert (back.due_at, back.severity, back.rank) == (before, 3, 2)

    decided = make_ticket("Another", team=quality, triaged_at=AT)
    decisions.severity(decided, by=by, at=AT, value=1)
    assert Ticket.objects.get(pk=decided.pk).due_at == AT + timedelta(hours=24)


@pytest.mark.parametrize(
    ("row", "constraint"),
    [
        ({"hours": 5}, "target_names_what_it_is_for"),
        ({"hours": 0, "severity": 2}, "target_hours_sensible"),
        ({"hours": 5, "severity": 1}, "target_severity_known"),
        ({"hours": 5, "severity": 3}, "target_once_for_the_same"),
    ],
)
def test_the_database_refuses_a_senseless_target(row: dict[str, int], constraint: str) -> None:
    Target.objects.create(hours=9, severity=3)
    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        Target.objects.create(**row)


class TestPages:
    @pytest.fixture(autouse=True)
    def _ines(self, client: Client) -> None:
        client.force_login(make_person("Ines", role=Role.ADMIN))

    def test_a_calendar_is_made_and_given_to_a_team(self, client: Client) -> None:
        sent = {"slug": "shop", "name": "Shop", "time_zone": "Europe/Madrid", "mon": "9:00-14:00, 16:00–20:00"}
        assert client.post("/settings/calendars/", sent | {"holidays": "2026-12-25\n2026-01-06"}).status_code == 302
        shop = WorkCalendar.objects.get()
        assert shop.hours == {"mon": [["09:00", "14:00"], ["16:00", "20:00"]]}
        assert [day.isoformat() for day in shop.holidays] == ["2026-01-06", "2026-12-25"]
        page = client.get("/settings/calendars/shop/").content.decode()
        assert "09:00-14:00, 16:00-20:00" in page

        make_team("quality")
        fields = {"name": "Quality", "triage_hours": "8", "stage": "", "calendar": "shop", "is_active": "on"}
        assert client.post("/settings/teams/quality/", fields).status_code == 302
        assert make_team("quality").calendar == shop
        assert b"is used by a team" in client.post("/settings/calendars/shop/delete/").content

        client.post("/settings/teams/quality/", fields | {"calendar": ""})
        client.post("/settings/calendars/shop/delete/")
        assert not WorkCalendar.objects.exists()

    @pytest.mark.parametrize(
        ("wrong", "says"),
        [
            ({"time_zone": "Mars/Base"}, "no such time zone"),
            ({"mon": "17:00-08:00"}, "ends after it begins"),
            ({"mon": "morning"}, "as two times"),
            ({"mon": ""}, "at least one span"),
            ({"holidays": "Christmas"}, "as in 2026-12-25"),
            ({"name": ""}, "Give it a name"),
        ],
    )
    def test_what_is_wrong_is_said_in_place_and_kept(self, client: Client, wrong: dict[str, str], says: str) -> None:
        sent = {"slug": "shop", "name": "<b>Shop", "time_zone": "UTC", "mon": "08:00-17:00", "holidays": ""} | wrong
        answer = client.post("/settings/calendars/", sent)
        assert answer.status_code == 422
        page = answer.content.decode()
        assert says in page
        assert "<b>Shop" not in page

    def test_a_target_is_set_replaced_and_taken_away(self, client: Client) -> None:
        make_team("quality")
        for hours in ("8", "6"):
            assert client.post("/settings/deadlines/", {"team": "quality", "hours": hours}).status_code == 302
        target = Target.objects.get()
        assert target.hours == 6
        assert b"Quality" in client.get("/settings/deadlines/").content
        assert client.post(f"/settings/deadlines/{target.pk}/delete/").status_code == 302
        assert not Target.objects.exists()

    @pytest.mark.parametrize(
        "sent", [{"hours": "5"}, {"team": "nowhere", "hours": "5"}, {"severity": "1", "hours": "5"}, {"severity": "2"}]
    )
    def test_a_target_for_nothing_is_refused(self, client: Client, sent: dict[str, str]) -> None:
        assert client.post("/settings/deadlines/", sent).status_code == 422
        assert not Target.objects.exists()
