"""What a member of staff hears of, in the app and by mail; what is late goes before its team's lead; how each person works."""

from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import IntegrityError, connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Absence, Role, Team, User
from feedback_portal.refusals import BadInput
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage import decisions
from triage.decisions import decide
from triage.desk import escalating, preferences
from triage.models import Action, Event, Notice, Notification, Preferences, Ticket
from triage.telling import notices

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)
MORNING = datetime(2026, 3, 5, 8, tzinfo=UTC)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def mina(quality: Team) -> User:
    return make_person("Mina", quality)


def desk_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def told(person: User) -> list[str]:
    return [notices.sentence(notice) for notice in notices.of(person).order_by("pk")]


class TestWhoIsTold:
    def test_whoever_is_called_in_a_note_and_sees_the_ticket(self, quality: Team, tariq: User, mina: User) -> None:
        omar = make_person("Omar", make_team("marketing"))
        lena = make_person("Lena", role=Role.MANAGER)
        ticket = make_ticket(team=quality)
        words = "@mina and @lena@example.com: see me@mina.example, @omar, @tariq and @nobody."

        decide(ticket.reference, "note", by=actor(tariq), at=LATER, text=words)

        assert told(mina) == told(lena) == [f"Tariq mentioned you on {ticket.reference}"]
        assert told(omar) == told(tariq) == []

    def test_whoever_is_given_something_by_somebody_else(self, quality: Team, tariq: User, mina: User) -> None:
        ticket = make_ticket(team=quality)
        ticket = decide(ticket.reference, "assign", by=actor(tariq), at=LATER, assignee=mina.email)
        assert told(mina) == [f"Tariq gave {ticket.reference} to you"]

        decide(ticket.reference, "undo", by=actor(tariq), at=LATER)
        assert told(mina) == []
        decide(ticket.reference, "claim", by=actor(mina), at=LATER)
        assert told(mina) == []

    def test_whoever_has_what_a_customer_answers(self, quality: Team, tariq: User) -> None:
        ticket = make_ticket(team=quality, assignee=tariq, item_customer=make_customer("Ana"))

        decisions.hear(ticket, at=LATER, text="It still leaks")

        assert told(tariq) == [f"Ana answered on {ticket.reference}"]

    def test_owners_of_actions_that_are_due_once_for_each_date(self, quality: Team, tariq: User) -> None:
        action = Action.objects.create(title="Re-seat", team=quality, owner=tariq, due_at=date(2026, 3, 6))
        Action.objects.create(title="Later", team=quality, owner=tariq, due_at=date(2026, 3, 9))
        assert notices.tell_due(at=MORNING) == 1
        assert notices.tell_due(at=MORNING + timedelta(hours=1)) == 0
        Action.objects.filter(pk=action.pk).update(due_at=date(2026, 3, 7))
        assert notices.tell_due(at=MORNING + timedelta(days=1)) == 1
        assert told(tariq) == 2 * [f"{action.reference} is due"]

    def test_what_is_not_with_ones_teams_any_more_is_not_told(self, quality: Team, tariq: User, mina: User) -> None:
        ticket = make_ticket(team=quality)
        decide(ticket.reference, "note", by=actor(tariq), at=LATER, text="@mina")
        Ticket.objects.filter(pk=ticket.pk).update(team=make_team("marketing"))

        assert told(mina) == []
        assert desk_of(mina).get(f"/notices/{Notice.objects.get().pk}/").status_code == 404


class TestEscalation:
    def test_what_nobody_decided_in_time_goes_before_the_lead_once(self, quality: Team, tariq: User) -> None:
        lena = make_person("Lena", quality, role=Role.LEAD)
        late = make_ticket(team=quality, due_at=LATER)
        make_ticket(team=quality, due_at=LATER + timedelta(hours=1))
        make_ticket(team=quality, due_at=LATER - timedelta(days=30))
        decide(make_ticket(team=quality, due_at=LATER).reference, "accept", by=actor(tariq), at=AT)

        assert escalating.escalate(at=LATER) == 1
        assert escalating.escalate(at=LATER + timedelta(minutes=1)) == 0

        assert told(lena) == [f"Nobody decided about {late.reference} in time"]
        event = Event.objects.get(type="escalated")
        assert (event.ticket, event.source, event.occurred_at) == (late, "system", LATER)
        # A new deadline that passes is another breach.
        Ticket.objects.filter(pk=late.pk).update(due_at=LATER + timedelta(minutes=30))
        assert escalating.escalate(at=LATER + timedelta(minutes=31)) == 1
        assert len(told(lena)) == 2

    def test_whoever_stands_in_for_a_lead_is_told_and_managers_where_nobody_leads(
        self, quality: Team, tariq: User
    ) -> None:
        lena = make_person("Lena", quality, role=Role.LEAD)
        max_ = make_person("Max", role=Role.MANAGER)
        Absence.objects.create(person=lena, first_day=date(2026, 3, 1), stand_in=tariq)
        make_ticket(team=quality, due_at=LATER)
        make_ticket(team=make_team("till"), due_at=LATER)

        assert escalating.escalate(at=LATER) == 2

        assert (len(told(tariq)), len(told(lena)), len(told(max_))) == (1, 0, 1)

    def test_many_cost_as_much_as_few(self, quality: Team) -> None:
        make_person("Lena", quality, role=Role.LEAD)

        def queries(count: int) -> int:
            for _ in range(count):
                make_ticket(team=quality, due_at=LATER)
            with CaptureQueriesContext(connection) as asked:
                assert escalating.escalate(at=LATER) == count
            return len(asked)

        assert queries(2) == queries(20)


class TestMail:
    def test_it_comes_once_a_morning_with_what_was_chosen_and_not_read(
        self, quality: Team, tariq: User, mina: User
    ) -> None:
        ticket = make_ticket("The lid cracked", team=quality)
        decide(ticket.reference, "note", by=actor(tariq), at=MORNING - timedelta(hours=3), text="@mina look")
        decide(ticket.reference, "assign", by=actor(tariq), at=MORNING - timedelta(hours=3), assignee=mina.email)

        assert notices.mail_due(at=MORNING - timedelta(hours=2)) == 0
        assert notices.mail_due(at=MORNING) == 1
        assert notices.mail_due(at=MORNING + timedelta(hours=1)) == 0

        mail = Notification.objects.get()
        assert (mail.recipient, mail.kind) == (mina.email, "staff")
        assert f"Tariq mentioned you on {ticket.reference}: The lid cracked" in mail.body
        assert "gave" not in mail.body, "nobody chose to have this mailed"
        assert notices.mail_due(at=MORNING + timedelta(days=1)) == 0

    def test_what_was_read_is_not_mailed(self, quality: Team, tariq: User, mina: User) -> None:
        ticket = make_ticket(team=quality)
        decide(ticket.reference, "note", by=actor(tariq), at=MORNING - timedelta(hours=3), text="@mina look")
        notices.read_all(person=mina, at=MORNING)

        assert notices.mail_due(at=MORNING) == 0


def test_the_bell_rings_and_the_page_leads_to_what_it_is_about(quality: Team, tariq: User, mina: User) -> None:
    ticket, desk = make_ticket(team=quality, at=timezone.now()), desk_of(mina)
    decide(ticket.reference, "note", by=actor(tariq), at=timezone.now(), text="@mina look")
    assert 'id="n-bell">1<' in desk.get("/triage/").content.decode()

    page = desk.get("/notices/").content.decode()
    assert f"Tariq mentioned you on {ticket.reference}" in page
    notice = Notice.objects.get()
    assert desk.get(f"/notices/{notice.pk}/")["Location"] == f"/triage/?item={ticket.reference}"
    assert 'id="n-bell"><' in desk.get("/notices/").content.decode()
    assert desk_of(tariq).get(f"/notices/{notice.pk}/").status_code == 404

    decide(ticket.reference, "note", by=actor(tariq), at=timezone.now(), text="@mina again")
    desk.post("/notices/")
    assert not Notice.objects.unread().exists()


def test_each_person_chooses_keys_rows_and_what_rings(quality: Team, tariq: User, mina: User) -> None:
    desk = desk_of(mina)
    desk.post(
        "/triage/preferences/",
        {
            "has_single_keys": "on",
            "is_compact": "on",
            "key-route": "w",
            "key-merge": "",
            "rung": ["reply"],
            "mailed": ["reply"],
        },
    )

    chosen = Preferences.objects.get()
    assert (chosen.keys, chosen.is_compact, chosen.has_big_text) == ({"route": "w", "merge": ""}, True, False)
    assert preferences.pressed(chosen) == {"w": "r", "r": "", "m": ""}
    page = desk.get("/triage/").content.decode()
    assert 'class="is-compact' in page
    assert "data-keys=" in page
    decide(make_ticket(team=quality).reference, "note", by=actor(tariq), at=LATER, text="@mina")
    assert told(mina) == []


@pytest.mark.parametrize(
    ("keys", "meant"),
    [
        ({}, {}),
        ({"route": "m", "merge": "r"}, {"m": "r", "r": "m"}),
        ({"next": "k", "previous": "j"}, {"k": "j", "j": "k"}),
        ({"route": "", "split": "r"}, {"r": "s", "s": ""}),
    ],
)
def test_keys_may_change_places(keys: dict[str, str], meant: dict[str, str], tariq: User) -> None:
    assert preferences.pressed(preferences.save(tariq, {"keys": keys})) == meant


@pytest.mark.parametrize("keys", [{"route": "m"}, {"route": "ab"}, {"fly": "q"}, {"route": "\x07"}])
def test_a_key_presses_one_act_only(keys: dict[str, str], tariq: User) -> None:
    with pytest.raises(BadInput):
        preferences.save(tariq, {"keys": keys})
    assert desk_of(tariq).post(
        "/triage/preferences/", {f"key-{act}": key for act, key in keys.items()}
    ).status_code in {302 if "fly" in keys else 422}


def test_the_palette_leads_to_teams_views_and_items_one_may_see(quality: Team, tariq: User) -> None:
    make_team("marketing")
    ticket = make_ticket(team=quality, at=timezone.now())
    make_ticket(team=make_team("marketing"), at=timezone.now())
    desk = desk_of(tariq)

    page = desk.get("/triage/palette/").content.decode()
    assert "Quality" in page
    assert "Marketing" not in page
    assert f'data-kind="{ticket.reference}"' in desk.get(f"/triage/palette/?q={ticket.reference}").content.decode()
    assert desk.get('/triage/palette/?q="').status_code == 200


def test_the_database_keeps_a_notice_once_and_about_something(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    Notice.objects.create(person=tariq, kind="mention", ticket=ticket, once_key="a", happened_at=AT)
    with pytest.raises(IntegrityError, match="notice_once_per_person"):
        Notice.objects.create(person=tariq, kind="mention", ticket=ticket, once_key="a", happened_at=AT)


def test_snippets_of_the_team_are_filled_for_the_item_and_kept_by_its_people(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality, item_customer=make_customer("Ana"), at=timezone.now())
    desk, omar = desk_of(tariq), desk_of(make_person("Omar", make_team("marketing")))
    words = {"team": "quality", "name": "Sorry", "text": "Dear {customer}, about {reference}: {me} of {team}."}
    desk.post("/triage/snippets/", words)
    assert omar.post("/triage/snippets/", words | {"name": "Mine"}).status_code == 422

    page = desk.get(f"/triage/{ticket.reference}/snippets/", headers={"HX-Request": "true"}).content.decode()

    assert f'data-insert="Dear Ana, about {ticket.item.reference}: Tariq of Quality."' in page
    assert omar.get(f"/triage/{ticket.reference}/snippets/").status_code == 404
    assert omar.post("/triage/snippets/", {"delete": str(quality.snippets.get().pk)}).status_code == 404
    desk.post("/triage/snippets/", words | {"text": "Other words"})
    assert quality.snippets.get().text == "Other words"
    desk.post("/triage/snippets/", {"delete": str(quality.snippets.get().pk)})
    assert not quality.snippets.exists()


def test_words_to_a_customer_are_taken_back_only_until_they_go_out(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality, item_customer=make_customer("Ana"))
    decide(ticket.reference, "reply", by=actor(tariq), at=LATER, text="We look at it")
    with pytest.raises(decisions.NotNow, match="gone out"):
        decide(ticket.reference, "undo", by=actor(tariq), at=LATER + timedelta(seconds=11))
    decide(ticket.reference, "undo", by=actor(tariq), at=LATER + timedelta(seconds=9))
    assert not Notification.objects.exists()
