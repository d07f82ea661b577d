"""A real Chromium for the tests of this folder, and what must hold on every page it opens."""

import os
import shutil
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from tests.browser.waiting import PATIENCE

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
FLAGS = [
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-quic",
    "--no-first-run",
    "--disable-gpu",
    "--disable-dev-shm-usage",
]
if hasattr(os, "geteuid") and os.geteuid() == 0:
    FLAGS.append("--no-sandbox")


@pytest.fixture(scope="session")
def browser() -> "Iterator[Browser]":
    if not CHROMIUM:
        pytest.skip("No Chromium was found. Install one, or name it in CHROMIUM.")
    sync_api = pytest.importorskip("playwright.sync_api")
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # Playwright's loop runs in this thread
    sync_api.expect.set_options(timeout=PATIENCE)
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture
def new_context(browser: "Browser", live_server: Any) -> "Iterator[Callable[..., BrowserContext]]":
    """Opens a context: a device with its size, theme and language. Fails the test if a page of it broke
    the content security policy or raised an error in a script."""
    complaints: list[str] = []
    contexts: list[BrowserContext] = []

    def new(width: int = 1440, height: int = 900, **options: Any) -> "BrowserContext":
        context = browser.new_context(
            base_url=live_server.url,
            viewport={"width": width, "height": height},
            reduced_motion="reduce",
            **options,
        )
        context.set_default_timeout(PATIENCE)
        context.on("weberror", lambda error: complaints.append(str(error.error)))
        context.on(
            "console",
            lambda message: complaints.append(message.text) if "Content Security Policy" in message.text else None,
        )
        contexts.append(context)
        return context

    yield new
    for context in contexts:
        context.close()
    assert complaints == []


@pytest.fixture
def page(new_context: "Callable[..., BrowserContext]") -> "Page":
    return new_context().new_page()


@pytest.fixture
def assert_accessible() -> "Callable[[Page], None]":
    """axe finds nothing (WCAG A and AA up to 2.2, and its best practices), and the page does not scroll sideways."""
    axe = pytest.importorskip("axe_playwright_python.sync_playwright").Axe()

    def check(page: "Page") -> None:
        # What passes is counted and not described: that is most of axe's work.
        found = axe.run(page, options={"resultTypes": ["violations"]})
        assert found.violations_count == 0, found.generate_report()
        wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, f"{page.url} is {wide} px wide on a screen of {room} px"

    return check


@pytest.fixture
def assert_accessible_everywhere(assert_accessible: "Callable[[Page], None]") -> "Callable[[Page], None]":
    """As `assert_accessible`, of one page on a light desk and on a dark phone. It is left on the desk."""

    def check(page: "Page") -> None:
        for width, theme in ((390, "dark"), (1280, "light")):
            page.set_viewport_size({"width": width, "height": 900})
            page.emulate_media(color_scheme=theme)  # type: ignore[arg-type]
            assert_accessible(page)

    return check
