"""Put off until something happens, and back with the reason."""

from datetime import timedelta

import pytest
from django.db import IntegrityError
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Team, User
from feedback_portal.refusals import BadInput
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage import decisions
from triage.decisions import decide
from triage.models import Action, ActionLink, Awaited, Theme, ThemeMember, Ticket

pytestmark = pytest.mark.django_db

LATER = AT + timedelta(hours=3)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def theme(db: None) -> Theme:
    return Theme.objects.create(name="Lids that crack", state_at=AT, size=7)


def in_theme(ticket: Ticket, theme: Theme) -> Ticket:
    ThemeMember.objects.create(item=ticket.item, theme=theme)
    return ticket


def snoozed(ticket: Ticket, by: User, **until: object) -> Ticket:
    return decide(ticket.reference, "snooze", by=actor(by), at=LATER, **until)


def why(ticket: Ticket) -> str:
    return str(ticket.events.latest("id").data.get("because"))


def test_it_comes_back_when_so_many_more_say_the_same(quality: Team, tariq: User, theme: Theme) -> None:
    ticket = snoozed(in_theme(make_ticket(team=quality), theme), tariq, awaits="reports", more=3)
    assert ticket.snoozed_until == LATER + timedelta(days=90)
    Theme.objects.filter(pk=theme.pk).update(size=9)
    assert decisions.wake_due(at=LATER) == 0

    # A theme that was joined into another goes on there.
    other = Theme.objects.create(name="Lids", state_at=AT, size=10)
    Theme.objects.filter(pk=theme.pk).update(joined_into=other)

    assert decisions.wake_due(at=LATER) == 1
    ticket.refresh_from_db()
    assert (ticket.status, ticket.snoozed_until, why(ticket)) == ("new", None, "reports")
    assert decisions.wake_due(at=LATER) == 0


def test_it_comes_back_when_the_linked_action_ships(quality: Team, tariq: User) -> None:
    ticket = make_ticket(team=quality)
    with pytest.raises(BadInput, match="Link one first"):
        snoozed(ticket, tariq, awaits="ship")
    action = Action.objects.create(title="Re-seat the seal", team=quality)
    ActionLink.objects.create(action=action, ticket=ticket, linked_at=AT)
    snoozed(ticket, tariq, awaits="ship")
    assert decisions.wake_due(at=LATER) == 0

    Action.objects.filter(pk=action.pk).update(shipped_at=LATER + timedelta(hours=1))

    assert decisions.wake_due(at=LATER + timedelta(hours=2)) == 1
    assert why(ticket) == "ship"


def test_the_customers_answer_wakes_it_whatever_it_waited_for(quality: Team, tariq: User) -> None:
    ticket = snoozed(make_ticket(team=quality), tariq, awaits="reply")

    decisions.hear(ticket, at=LATER, text="It is the lid")

    assert ticket.status == "new"


def test_one_in_a_theme_that_grows_beyond_its_forecast_returns_as_growing(
    quality: Team, tariq: User, theme: Theme
) -> None:
    ticket = snoozed(in_theme(make_ticket(team=quality), theme), tariq, until=LATER + timedelta(days=9))
    Theme.objects.filter(pk=theme.pk).update(grew_at=LATER - timedelta(hours=1))
    assert decisions.wake_due(at=LATER) == 0, "it had grown before it was put off"
    Theme.objects.filter(pk=theme.pk).update(grew_at=LATER + timedelta(hours=1))

    assert decisions.wake_due(at=LATER + timedelta(hours=2)) == 1

    desk = Client()
    desk.force_login(tariq)
    page = desk.get(f"/triage/?q=id:{ticket.reference}&item={ticket.reference}").content.decode()
    assert "Growing</span>" in page
    assert "for its theme is growing" in page
    snoozed(ticket, tariq, until=LATER + timedelta(days=9))
    assert decisions.wake_due(at=LATER + timedelta(hours=3)) == 1


def test_to_wait_for_a_time_again_waits_for_nothing_else(quality: Team, tariq: User, theme: Theme) -> None:
    ticket = snoozed(in_theme(make_ticket(team=quality), theme), tariq, awaits="reports", more=1)
    decide(ticket.reference, "wake", by=actor(tariq), at=LATER)
    snoozed(ticket, tariq, until=LATER + timedelta(days=1))
    Theme.objects.filter(pk=theme.pk).update(size=99)

    assert decisions.wake_due(at=LATER) == 0
    assert decisions.wake_due(at=LATER + timedelta(days=2)) == 1
    assert why(ticket) == "time"


@pytest.mark.parametrize(
    "said", [{"awaits": "rain"}, {"awaits": "reports", "more": 0}, {"awaits": "reports", "more": "many"}, {"until": ""}]
)
def test_what_nobody_can_wait_for_is_refused(said: dict[str, object], quality: Team, tariq: User, theme: Theme) -> None:
    ticket = in_theme(make_ticket(team=quality), theme)

    with pytest.raises(BadInput):
        snoozed(ticket, tariq, **said)
    assert not Awaited.objects.exists()


def test_the_database_refuses_to_wait_for_nothing(quality: Team) -> None:
    with pytest.raises(IntegrityError, match="awaited_names_what_it_waits_for"):
        Awaited.objects.create(ticket=make_ticket(team=quality), kind="ship", asked_at=AT)


def test_the_form_says_when_it_is_due_first_and_works_without_the_script(
    quality: Team, tariq: User, theme: Theme
) -> None:
    at = timezone.now()
    ticket = in_theme(make_ticket(team=quality, at=at, due_at=at + timedelta(hours=5)), theme)
    desk = Client()
    desk.force_login(tariq)

    page = desk.get(f"/triage/{ticket.reference}/snooze/").content.decode()
    assert "Snoozing stops no clock" in page
    assert page.count("after it is due") == 3
    assert "Lids that crack, 7 so far" in page
    desk.post(f"/triage/{ticket.reference}/decide/", {"verb": "snooze", "version": 1, "awaits": "reports", "more": "4"})
    assert (ticket.awaited.theme, ticket.awaited.size) == (theme, 11)
