"""Every page of intake with something on it, as people meet it: wide and on a phone, light and dark, and by keyboard alone."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest
from django.utils import timezone

from tests.browser import intake_world
from tests.browser.intake_world import World

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

SIZES = ((1280, 900), (390, 844))
THEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
UNREACHED = """() => [...document.querySelectorAll("main form")].flatMap((form) => {
  const fields = [...form.querySelectorAll("input, select, textarea, button, summary")].filter(
    (field) => field.type !== "hidden" && !field.closest(".trap, [hidden], details:not([open]) > :not(summary)") && field.getClientRects().length);
  return fields.filter((field) => field.tabIndex < 0 || field.disabled).map((field) => field.name || field.outerHTML.slice(0, 120));
})"""
WITHOUT_BUTTON = """() => [...document.querySelectorAll("main form[method=post]")]
  .filter((form) => !form.querySelector("button:not([type=button]), [type=submit]")).map((form) => form.action)"""


@pytest.fixture
def world(transactional_db: None, settings: Any, tmp_path: Path) -> World:
    settings.STATE_DIR = tmp_path / "state"
    return intake_world.build(at=timezone.now())


@pytest.fixture
def complaints() -> list[str]:
    return []


@pytest.fixture
def visitor(new_context: "Callable[..., BrowserContext]", complaints: list[str]) -> "Page":
    """A page that belongs to nobody, and keeps what its console complained about."""
    page = new_context(width=SIZES[0][0], height=SIZES[0][1]).new_page()
    page.on(
        "console", lambda message: complaints.append(f"{page.url}: {message.text}") if message.type == "error" else None
    )
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    return page


@pytest.fixture
def ada(visitor: "Page", world: World, live_server: Any) -> "Page":
    intake_world.enter(visitor.context, world.ada, live_server.url)
    return visitor


def looks(page: "Page", address: str, check: "Callable[[Page], None]", turn: int) -> None:
    """Loaded once and looked at wide and narrow, in one theme each, which changes places from page to page."""
    answer = page.goto(address)
    assert answer
    assert answer.status == 200, address
    for place, (width, height) in enumerate(SIZES):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=THEMES[(turn + place) % 2])
        check(page)
    assert page.evaluate(UNREACHED) == [], address
    assert page.evaluate(WITHOUT_BUTTON) == [], address
    assert page.title() != "1"


def test_staff_pages_are_accessible_and_fit(
    ada: "Page", world: World, assert_accessible: "Callable[[Page], None]", complaints: list[str]
) -> None:
    for turn, address in enumerate(world.pages):
        looks(ada, address, assert_accessible, turn)
    assert complaints == []


def test_public_pages_are_accessible_and_fit(
    visitor: "Page", world: World, assert_accessible: "Callable[[Page], None]", complaints: list[str]
) -> None:
    for turn, address in enumerate(world.public):
        looks(visitor, address, assert_accessible, turn)
    assert complaints == []
