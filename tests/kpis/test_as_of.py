"""A report counted again as of then gives the digits it had, whatever people did since."""

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from random import Random
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import Refused
from intake.models import FeedbackItem
from kpis import recording, reports
from kpis.models import Report
from kpis.periods import local_day
from kpis.questions import ask
from tests.makers import actor, make_channel, make_customer, make_person, make_team, make_ticket
from tests.shared_world import rows_that_last
from triage import decisions
from triage.models import Action, ChangedDay, Event, Ticket
from triage.persons import erasing

pytestmark = pytest.mark.django_db

TICKETS = 22
DAYS = 8
HOUR = timedelta(hours=1)


class World:
    """Tickets in every state that two teams leave them in, and a report of them."""

    def __init__(self) -> None:
        self.lena = actor(make_person("Lena", role=Role.MANAGER))
        make_team("billing")
        now, chance = timezone.now(), Random(5)
        for number in range(TICKETS):
            scale, value = ("csat5", number % 5 + 1) if number % 2 else ("nps", number * 3 % 11)
            ticket = make_ticket(
                "" if number % 7 == 3 else "The seal leaks",
                team=make_team(("quality", "logistics")[number % 2]),
                at=now - timedelta(days=number % DAYS, hours=3 + number % 5),
                item_channel=make_channel("desk" if number % 3 else "form"),
                item_rating_scale=scale,
                item_rating_value=value,
                item_may_contact=number % 4 > 0,
                item_customer=make_customer(f"Customer {number % 6}") if number % 5 else None,
            )
            _decide(ticket, chance, by=self.lena, at=ticket.received_at + HOUR * 2)
        action = Action.objects.create(title="Re-seat", team=make_team("quality"), step="check", shipped_at=now - HOUR)
        for ticket in Ticket.objects.order_by("pk")[4:12:2]:
            ticket.action_links.create(action=action, linked_at=now - HOUR * 2)
        self.frozen_at = timezone.now()
        self.count(at=self.frozen_at)
        self.last_event = Event.objects.latest("pk").pk
        self.report = reports.freeze(self.question(self.frozen_at), title="Then", by=self.lena, at=self.frozen_at)

    def question(self, at: datetime) -> Any:
        first = local_day(at, recording.reporting_zone()) - timedelta(days=DAYS)
        return ask({"from": first.isoformat()}, actor=self.lena, at=at)

    def count(self, *, at: datetime) -> None:
        today = local_day(at, recording.reporting_zone())
        recording.recount(*(today - timedelta(days=back) for back in range(DAYS + 1)), at=at)
        ChangedDay.objects.all().delete()

    def goes_on(self, seed: int, *, deeds: int = 40) -> None:
        """People and customers go on after the report, an hour apart; what they did was written down when they did it."""
        chance, at = Random(seed), self.frozen_at
        tickets = list(Ticket.objects.order_by("pk").values_list("pk", flat=True))
        for _ in range(deeds):
            at += HOUR
            _decide(Ticket.objects.get(pk=chance.choice(tickets)), chance, by=self.lena, at=at, later=True)
        with connection.cursor() as cursor:
            # One transaction has one time: what came later is said to have come later.
            cursor.execute("SET LOCAL portal.erasing = 'on'")
            cursor.execute(
                "UPDATE triage_event SET recorded_at = %s + (id - %s) * interval '1 second' WHERE id > %s",
                [self.frozen_at, self.last_event, self.last_event],
            )
            cursor.execute("SET LOCAL portal.erasing = 'off'")


def _decide(ticket: Ticket, chance: Random, *, by: Actor, at: datetime, later: bool = False) -> None:
    others = Ticket.objects.exclude(item=ticket.item_id).order_by("pk").values_list("pk", flat=True)
    deeds: list[tuple[str, dict[str, Any]]] = [
        ("accept", {}),
        ("route", {"team": chance.choice(("quality", "logistics", "billing"))}),
        ("resolve", {"resolution": "answered"}),
        ("resolve", {"resolution": "spam"}),
    ]
    if others:
        deeds.append(("merge", {"original": Ticket.objects.get(pk=chance.choice(list(others))).reference}))
    if later:
        deeds += [("reopen", {}), ("reopen", {}), ("unmerge", {}), ("unmerge", {}), ("erase", {}), ("late", {})]
    verb, given = chance.choice(deeds)
    if verb == "erase":
        erasing.erase(ticket.item.submission, at=at)
    elif verb == "late":
        kind = chance.choice((Event.Type.TRIAGED, Event.Type.REPLY, Event.Type.RESOLVED, Event.Type.REOPENED))
        Event.objects.create(
            item=ticket.item, ticket=ticket, type=kind, source="system", occurred_at=ticket.received_at + HOUR
        )
    else:
        # Where its state does not allow it, something else happens next.
        with suppress(Refused):
            decisions.decide(ticket.reference, verb, by=by, at=at, **given)


@pytest.fixture(scope="module")
def kept(django_db_setup: None, django_db_blocker: Any) -> Iterator[World]:
    with rows_that_last(django_db_blocker):
        with django_db_blocker.unblock():
            world = World()
        yield world


@pytest.fixture
def world(kept: World, db: None) -> World:
    return kept


@pytest.mark.parametrize("seed", [1, 3, 4, 5])
def test_a_report_counted_again_has_the_digits_it_had(world: World, seed: int) -> None:
    world.goes_on(seed)
    later = world.frozen_at + timedelta(days=3)

    checked = reports.repeated(world.report, by=world.lena, at=later)

    erased = FeedbackItem.objects.filter(submission__gone_at__gt=world.frozen_at)
    assert checked.compared > 150
    assert checked.erased == erased.count() > 0
    # Of several answers of one customer only the latest counts, and who gave an erased one is known no more.
    unknown = {"nps"} if erased.filter(rating_scale="nps", customer=None).exists() else set()
    assert {each.row.kpi for each in checked.differences} <= unknown
    assert checked.holds


def test_what_was_done_since_is_in_the_numbers_of_now(world: World) -> None:
    world.goes_on(1)
    later = world.frozen_at + timedelta(days=3)
    world.count(at=later)

    now = reports.freeze(world.question(later), title="Now", by=world.lena, at=later)

    def told(report: Report) -> dict[str, tuple[float | None, int, int]]:
        return {row.kpi: (row.value, row.numerator, row.denominator) for row in report.rows.filter(split="")}

    before, after = told(world.report), told(now)
    differing = {slug for slug in before if before[slug] != after[slug]}
    assert {"items-received", "acted-on", "time-to-resolution", "time-to-triage"} <= differing
    assert not reports.repeated(now, by=world.lena, at=later + HOUR).differences


def test_the_page_counts_again_and_says_what_erasing_took(world: World, signed_in: Callable[..., Client]) -> None:
    browser, url = signed_in(Role.MANAGER), f"/kpis/reports/{world.report.code}/"
    assert 'href="?again=1#again"' in browser.get(url).content.decode()
    same = browser.get(url, {"again": "1"}).content.decode()
    world.goes_on(1)
    other = browser.get(url, {"again": "1"}).content.decode()

    assert f"All {world.report.rows.count()} numbers are the same" in same
    assert "erased since" not in same
    assert "items of this period were erased since" in other
    assert "numbers come to something else" in other
    assert "<td>2026-W" in other.replace(' dir="auto"', "")
