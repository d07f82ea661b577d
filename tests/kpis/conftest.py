"""A portal with two teams, a season of feedback, and the people who ask about it."""

from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, Scope, Stage, Team
from kpis import recording
from kpis.periods import local_day
from tests.makers import make_channel, make_customer, make_person, make_team, make_ticket
from tests.shared_world import rows_that_last
from triage.models import Action, ActionLink, Event, Ticket

SEASON = 8


def happened(ticket: Ticket, kind: str, *, after: timedelta) -> None:
    at = ticket.received_at + after
    if at < timezone.now():
        Event.objects.create(
            item=ticket.item, ticket=ticket, type=kind, source="system", occurred_at=at, recorded_at=at
        )


def season(days: int = SEASON) -> None:
    """One item a day for each team and channel: most decided, half resolved, some acted on, all rated."""
    now = timezone.now().replace(microsecond=0)
    stage = Stage.objects.get_or_create(slug="quality", defaults={"name": "Quality"})[0]
    action = Action.objects.create(
        title="Re-seat the seal", team=make_team("quality"), step="check", shipped_at=now - timedelta(days=2)
    )
    for number in range(days):
        for place, (team, channel) in enumerate((("quality", "desk"), ("logistics", "desk"), ("logistics", "form"))):
            at = now - timedelta(days=number, hours=place + 1)
            scale, value = ("csat5", number % 5 + 1) if number % 2 else ("nps", number % 11)
            resolved = at + timedelta(hours=20) if number > 2 and (number + place) % 2 else None
            done = {"status": "resolved", "resolution": "answered", "resolved_at": resolved} if resolved else {}
            ticket = make_ticket(
                team=make_team(team),
                at=at,
                stage=stage if team == "quality" else None,
                item_channel=make_channel(channel),
                item_rating_scale=scale,
                item_rating_value=value,
                item_customer=make_customer(f"Customer {(number + place) % 7}"),
                **done,
            )
            if number % 5:
                happened(ticket, "triaged", after=timedelta(hours=1 + place))
            if resolved:
                happened(ticket, "resolved", after=timedelta(hours=20))
            if number % 3 == 0:
                ActionLink.objects.create(action=action, ticket=ticket, linked_at=at)
    recount(days)


def recount(days: int) -> None:
    recording.recount(*(today() - timedelta(days=back) for back in range(days + 2)), at=timezone.now())


def today() -> date:
    return local_day(timezone.now(), recording.reporting_zone())


@pytest.fixture(scope="class")
def a_season(django_db_setup: None, django_db_blocker: Any) -> Iterator[None]:
    """One season for all tests of a class; whatever a test adds goes with it."""
    with rows_that_last(django_db_blocker):
        with django_db_blocker.unblock():
            season()
        yield


@pytest.fixture
def signed_in(client: Client) -> Callable[..., Client]:
    """A browser in which somebody of this role, a member of these teams, is signed in."""

    def sign_in(role: str = Role.MANAGER, *teams: Team) -> Client:
        client.force_login(make_person(f"{role}-{'-'.join(team.slug for team in teams)}", *teams, role=role))
        return client

    return sign_in


@pytest.fixture
def bearing() -> Callable[..., Client]:
    """A program with a key of these scopes, of a team or of none."""

    def with_key(*scopes: str, team: Team | None = None) -> Client:
        _, key = ApiKey.issue("Reports", scopes=list(scopes or (Scope.KPIS_READ,)), team=team)
        return Client(headers={"Authorization": f"Bearer {key}"})

    return with_key
