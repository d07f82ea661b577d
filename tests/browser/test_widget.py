"""The button in other people's pages: small, opened by key, framed where the form allows it and nowhere else."""

import gzip
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings

from intake import surveys
from intake.models import Form, Submission
from tests.browser.waiting import wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect

ON_THE_BUTTON = "() => document.activeElement.shadowRoot?.activeElement?.textContent === 'Tell us'"
SCRIPT = Path(settings.BASE_DIR) / "feedback_portal" / "static" / "widget.js"


@contextmanager
def shop(portal: str) -> Iterator[str]:
    """A page of somebody else's: another host, another port, and a policy of its own."""
    body = f"""<!doctype html><html lang="en"><title>A shop</title><main><h1>A shop</h1><a href="#a">A link</a></main>
        <script src="{portal}/widget.js" data-form="feedback" data-label="Tell us" data-colour="#7a1f5c"></script></html>"""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header(
                "Content-Security-Policy",
                f"default-src 'none'; script-src {portal}; frame-src {portal}; img-src 'self'",
            )
            self.end_headers()
            self.wfile.write(body.encode())

        def log_message(self, format: str, *args: Any) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Page)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def form(transactional_db: None) -> Form:
    return Form.objects.select_related("channel", "current").get(slug="feedback")


@pytest.fixture
def site(live_server: Any, form: Form) -> Iterator[str]:
    with shop(live_server.url) as origin:
        surveys.allow_frames(form, [origin])
        yield origin


def test_it_is_small_and_served_under_one_address(client: Any) -> None:
    assert len(gzip.compress(SCRIPT.read_bytes())) < 6000
    served = client.get("/widget.js")
    assert served.content == SCRIPT.read_bytes()
    assert served["Content-Type"] == "text/javascript; charset=utf-8"
    assert not client.cookies


@pytest.mark.parametrize(("width", "theme"), [(1280, "light"), (390, "dark")])
def test_it_opens_sends_and_closes_in_another_site(
    new_context: "Callable[..., BrowserContext]",
    assert_accessible: "Callable[[Page], None]",
    site: str,
    width: int,
    theme: str,
) -> None:
    context = new_context(width=width, color_scheme=theme)
    page = context.new_page()
    page.goto(site)
    assert page.frames == [page.main_frame]
    page.keyboard.press("Tab")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    frame = page.frame_locator("iframe")
    frame.get_by_role("heading", name="Tell us what happened").wait_for()
    expect(page.get_by_role("dialog", name="Tell us")).to_be_visible()
    expect(frame.locator("header.top")).to_have_count(0)
    assert_accessible(page)
    page.wait_for_timeout(2100)
    frame.get_by_role("button", name="Next").click()
    frame.get_by_label("What happened?").fill("From the shop")
    frame.get_by_role("button", name="Next").click()
    frame.get_by_role("button", name="Send").click()
    frame.get_by_text("Thank you. We have it.").wait_for()
    assert Submission.objects.get().quarantine_reason == ""

    page.get_by_role("button", name="Close").click()
    expect(page.get_by_role("dialog")).to_be_hidden()
    page.wait_for_function(ON_THE_BUTTON)
    assert context.cookies() == []

    # Opened again, it asks anew.
    page.keyboard.press("Enter")
    frame.get_by_role("heading", name="Tell us what happened").wait_for()


def test_escape_closes_from_inside_the_form_and_the_page_behind_is_out_of_reach(page: "Page", site: str) -> None:
    page.goto(site)
    page.get_by_role("button", name="Tell us").click()
    frame = page.frame_locator("iframe")
    frame.get_by_role("button", name="Next").click()
    field = frame.get_by_label("What happened?")
    field.fill("Half a sentence")
    assert page.evaluate("() => { document.querySelector('a').focus(); return document.activeElement.tagName; }") != "A"

    field.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")
    page.wait_for_function(ON_THE_BUTTON)

    page.keyboard.press("Enter")
    expect(field).to_have_value("Half a sentence")
    page.get_by_role("button", name="Close").focus()
    page.keyboard.press("Escape")
    page.get_by_role("dialog").wait_for(state="hidden")


def test_a_site_that_the_form_does_not_name_gets_a_link_instead(
    browser: "Browser", live_server: Any, site: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    with shop(live_server.url) as stranger:
        page.goto(stranger)
        page.get_by_role("button", name="Tell us").click()
        page.get_by_text("The form cannot be shown inside this page.").wait_for()

        wait_until(page, lambda: any("frame-ancestors" in text for text in refused))
        away = page.get_by_role("link", name="Open it in a new tab")
        expect(away).to_have_attribute("href", f"{live_server.url}/f/feedback/?")
        expect(page.locator("iframe")).to_be_hidden()
    context.close()
