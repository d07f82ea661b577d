"""The workbench with its real views behind it: placing tickets by key, from a database."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Team
from tests.makers import make_person, make_team, make_ticket
from triage.models import Ticket

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def quality(transactional_db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tickets(quality: Team) -> list[Ticket]:
    texts = ("Water under the machine", "The lid cracked on day two", "Colis livré sans le filtre", "So easy to clean")
    return [make_ticket(text, team=quality, at=timezone.now() - timedelta(hours=1)) for text in texts]


@pytest.fixture
def page(new_context: "Callable[..., BrowserContext]", live_server: Any, quality: Team) -> "Page":
    """Tariq's desk: signed in by a session, as the sign-in form would leave him."""
    client = Client()
    client.force_login(make_person("Tariq", quality, make_team("logistics")))
    context = new_context()
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    return context.new_page()


def test_a_colleague_who_was_faster_is_named(page: "Page", tickets: list[Ticket]) -> None:
    page.goto("/triage/")
    first = page.locator(".row").first.get_attribute("data-reference")
    Ticket.objects.update(version=7)
    page.keyboard.press("c")
    page.locator(".talk [role=alert]").wait_for()

    page.get_by_role("link", name="Keep it so").click()
    page.locator("#item input[name=version][value='7']").first.wait_for(state="attached")
    page.keyboard.press("c")
    page.locator("#verb-release").wait_for()

    expect(page.locator("#item")).to_have_attribute("data-reference", str(first))
    assert Ticket.objects.filter(assignee__email="tariq@example.com").count() == 1


def test_every_page_of_the_desk_is_accessible(
    page: "Page", tickets: list[Ticket], assert_accessible: "Callable[[Page], None]"
) -> None:
    for address in ("/triage/?q=lid", "/triage/?q=nothing-like-this", "/triage/?q=foo%3A", "/actions/"):
        page.goto(address)
        assert_accessible(page)
