"""The map of production stages counts what is said where, and the gate lists what must be looked at."""

from datetime import date, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Stage, Team
from tests.makers import AT, actor, make_person, make_team, make_ticket
from triage import decisions
from triage.improving import improvements, stages
from triage.models import Theme, ThemeMember, Ticket

pytestmark = pytest.mark.django_db


@pytest.fixture
def design() -> Stage:
    return Stage.objects.get_or_create(slug="design", defaults={"name": "Design"})[0]


@pytest.fixture
def service() -> Stage:
    return Stage.objects.get_or_create(slug="service", defaults={"name": "Service"})[0]


@pytest.fixture
def quality(design: Stage) -> Team:
    return make_team("quality", stage=design)


@pytest.fixture
def desk(service: Stage) -> Team:
    return make_team("desk", stage=service)


def said(theme: Theme, team: Team, **fields: object) -> Ticket:
    ticket = make_ticket(team=team, stage=team.stage, **fields)
    ThemeMember.objects.create(item=ticket.item, theme=theme)
    return ticket


def test_the_map_counts_items_by_stage_and_theme_and_what_is_handed_on(
    quality: Team, desk: Team, design: Stage, service: Stage
) -> None:
    leaks = Theme.objects.create(name="Leaks", state_at=AT, size=1)
    lena = make_person("Lena", role="manager")
    for _ in range(3):
        said(leaks, quality)
    moved = said(leaks, desk)
    said(leaks, desk, at=AT - timedelta(days=100))
    decisions.decide(moved.reference, "route", by=actor(lena), at=AT, team="quality")
    improvements.create(by=actor(lena), at=AT, title="Glue it", team="quality", stage="design")

    drawn = stages.draw(by=actor(lena), at=AT)

    (row,) = drawn.rows
    assert {cell.stage: cell.count for cell in row.cells if cell.count} == {design: 4}
    assert row.total == 4
    assert dict(drawn.open_actions)[design] == 1
    assert [(hand.source, hand.target, hand.count) for hand in drawn.hands] == [(service, design, 1)]
    tariq = actor(make_person("Tariq", desk))
    assert stages.draw(by=tariq, at=AT).rows == (), "nobody counts what they may not see"


def test_the_gate_lists_what_is_open_since_the_last_and_safety_however_old(quality: Team, design: Stage) -> None:
    lena = actor(make_person("Lena", role="manager"))
    new, old, dangerous = (
        make_ticket(team=quality, stage=design, at=AT - timedelta(days=days), severity=severity)
        for days, severity in ((1, 3), (60, 3), (60, 1))
    )
    shipped = make_ticket(team=quality, stage=design, at=AT - timedelta(days=60))
    decisions.decide(shipped.reference, "resolve", by=lena, at=AT, resolution="shipped")

    listed = stages.gate(design, since=date(2026, 2, 20), by=lena)

    assert listed[0] == dangerous
    assert {new, shipped} < set(listed)
    assert old not in listed


def test_both_pages_ask_as_much_for_20_as_for_2(client: Client, quality: Team, design: Stage) -> None:
    client.force_login(make_person("Lena", role="manager"))

    def cost(number: int) -> int:
        while Theme.objects.count() < number:
            theme = Theme.objects.create(name=f"<i>Leaks</i> {Theme.objects.count()}", state_at=AT, size=1)
            said(theme, quality, at=timezone.now())
        with CaptureQueriesContext(connection) as queries:
            page = client.get("/stages/").content.decode()
            assert "&lt;i&gt;Leaks" in page
            assert "The lid cracked" in client.get("/stages/design/gate/").content.decode()
        return len(queries)

    assert cost(2) == cost(20)
    assert client.get("/stages/design/gate/?since=soon").status_code == 400
    assert client.get("/stages/moon/gate/").status_code == 404
