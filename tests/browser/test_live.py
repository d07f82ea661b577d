"""Two people at their desks, with the real event process between them: each sees what the other does, and nothing is lost."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Team, User
from tests.makers import actor, make_person, make_team, make_ticket
from tests.triage.events_process import EventsProcess, events_process
from triage import decisions
from triage.live import bulletins
from triage.models import Event, Ticket

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture(scope="module")
def process(django_db_setup: None, django_db_blocker: Any) -> Iterator[EventsProcess]:
    with django_db_blocker.unblock(), events_process(PORTAL_EVENTS_PORT="1") as started:
        yield started


@pytest.fixture
def quality(transactional_db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tickets(quality: Team) -> list[Ticket]:
    at = timezone.now() - timedelta(hours=1)
    return [
        make_ticket(text, team=quality, at=at) for text in ("Water under the machine", "The lid cracked", "So loud")
    ]


@pytest.fixture
def desk(new_context: "Callable[..., BrowserContext]", live_server: Any) -> "Callable[[User], Page]":
    """The desk of a person, signed in by a session as the sign-in form would leave them."""

    def sit_down(person: User) -> "Page":
        client = Client()
        client.force_login(person)
        context = new_context()
        context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
        return context.new_page()

    return sit_down


def open_live(page: "Page", ticket: Ticket) -> None:
    page.goto(f"/triage/?item={ticket.reference}")
    page.locator("main[data-live=stream]").wait_for()


def test_theirs_stays_with_enter_and_what_was_written_stays_too(
    desk: "Callable[[User], Page]", process: EventsProcess, settings: Any, tickets: list[Ticket], quality: Team
) -> None:
    settings.EVENTS_PORT = process.port
    ticket = tickets[0]
    page = desk(make_person("Tariq", quality))
    open_live(page, ticket)
    page.locator("#compose-text").fill("On its way.")
    decisions.decide(ticket.reference, "claim", by=actor(make_person("Mina", quality)), at=timezone.now())
    page.locator("#changed", has_text="Mina").wait_for()
    page.locator("#compose-text").press("Control+Enter")
    expect(page.locator("[data-conflict]")).to_be_focused()

    page.keyboard.press("Enter")
    expect(page.locator("[data-conflict]")).to_have_count(0)
    expect(page.locator("#changed")).to_be_empty()
    expect(page.locator("#compose-text")).to_have_value("On its way.")
    assert not Event.objects.filter(ticket=ticket, type="reply").exists()


def test_what_arrives_waits_behind_the_bar_and_moves_nothing(
    desk: "Callable[[User], Page]", process: EventsProcess, settings: Any, tickets: list[Ticket], quality: Team
) -> None:
    settings.EVENTS_PORT = process.port
    page = desk(make_person("Tariq", quality))
    open_live(page, tickets[1])
    before = [row.get_attribute("id") for row in page.locator(".row").all()]

    urgent = make_ticket("It smells of smoke", team=quality, at=timezone.now(), rank=0, severity=1)
    bulletins.tell_arrived([quality.pk])
    page.locator("#new-link", has_text="1 new since you started").wait_for()
    expect(page.locator("#n-tab-all")).to_have_text("4")
    expect(page.locator("#n-inbox")).to_have_text("4")
    assert [row.get_attribute("id") for row in page.locator(".row").all()] == before
    expect(page.locator("#item")).to_have_attribute("data-reference", tickets[1].reference)

    page.keyboard.press(".")
    expect(page.locator(".row").first).to_have_id(f"row-{urgent.reference}")
    expect(page.locator("#new-link")).to_have_count(0)


def test_without_the_process_the_page_asks_by_itself(
    desk: "Callable[[User], Page]", settings: Any, tickets: list[Ticket], quality: Team
) -> None:
    settings.EVENTS_PORT = 9  # where nobody answers
    page = desk(make_person("Tariq", quality))
    page.clock.install()
    page.goto(f"/triage/?item={tickets[0].reference}")
    page.locator("main[data-live=poll]").wait_for()
    make_ticket("It smells of smoke", team=quality, at=timezone.now())

    with page.expect_response(lambda response: "seen=" in response.url):
        page.clock.run_for(21_000)
    page.locator("#new-link", has_text="1 new since you started").wait_for()


def test_claim_next_passes_by_what_a_colleague_looks_at(
    desk: "Callable[[User], Page]", process: EventsProcess, settings: Any, tickets: list[Ticket], quality: Team
) -> None:
    settings.EVENTS_PORT = process.port
    mina = desk(make_person("Mina", quality))
    open_live(mina, tickets[0])
    page = desk(make_person("Tariq", quality))
    open_live(page, tickets[2])
    page.locator(f"#here-{tickets[0].reference} .is-viewing").wait_for()

    page.keyboard.press("n")
    page.locator(f"#item[data-reference={tickets[1].reference}] #verb-release").wait_for()
    assert Ticket.objects.get(assignee__name="Tariq").pk == tickets[1].pk
