"""The KPI pages with their real views behind them: in light and dark, on a desk and in a hand."""

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from feedback_portal.accounts.models import Role
from tests.kpis.conftest import season
from tests.makers import make_person

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
Opened = Callable[[str], "Page"]

SCREENS = {"desk": (1280, 800), "hand": (390, 844)}


@pytest.fixture
def opened(transactional_db: None, new_context: "Callable[..., BrowserContext]", live_server: Any) -> Opened:
    """A window on such a screen, with Greta signed in, who manages all teams."""
    season()
    client = Client()
    client.force_login(make_person("Greta", role=Role.MANAGER))

    def open_page(screen: str) -> "Page":
        context = new_context(*SCREENS[screen])
        context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
        return context.new_page()

    return open_page


def test_every_kpi_page_is_accessible_on_every_screen(
    opened: Opened, assert_accessible: "Callable[[Page], None]"
) -> None:
    for screen in SCREENS:
        page = opened(screen)
        # The dashboard in a hand is among the acceptance checks.
        for address in ("/kpis/", "/kpis/time-to-resolution/", "/kpis/items-received/items/")[screen == "hand" :]:
            answer = page.goto(address)
            assert answer is not None
            assert answer.ok, f"{address}: {answer.status}"
            for scheme in ("light", "dark"):
                page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
                assert_accessible(page)


def test_filters_are_changed_without_a_script(opened: Opened) -> None:
    page = opened("hand")
    page.goto("/kpis/")
    page.get_by_text("Change the filters").click()
    page.get_by_label("Team").select_option("logistics")
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**/kpis/?**team=logistics**")
    expect(page.locator(".page-head p")).to_have_text(re.compile(r"^\s*Logistics, all channels\."))
