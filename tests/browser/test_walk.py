"""One item's walk through the portal as it is started by the one command: form, worker, workbench, mail, tracking page, KPI."""

import re
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.ground.test_up import Run, wait_until_gone

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

pytestmark = pytest.mark.slow

SAID = "Water under the machine after every second cup. The seal on the left of the tank looks twisted."


@pytest.fixture
def portal() -> Iterator[Run]:
    folder = Path(tempfile.mkdtemp(prefix="portal walk "))
    folder.chmod(0o755)
    run = Run(folder, PORTAL_DEBUG="1", PORTAL_ORGANISATION="Halden Coffee")
    run.said("Everything runs")
    yield run
    run.process.terminate()
    run.process.wait(60)
    wait_until_gone(run)
    shutil.rmtree(folder)


def test_a_sentence_becomes_a_number_and_its_customer_is_told(portal: Run, browser: "Browser") -> None:
    address = portal.said(r"The portal is on (http://127\.0\.0\.1:\d+) after").group(1)
    ana, tariq = (browser.new_context(base_url=address) for _ in range(2))

    private_page = say(ana)
    sign_in(tariq, portal.said(r"(/sign-in/\S{40,}/)").group(1))
    open_until(tariq.new_page(), "/triage/", "Water under the machine")
    decide(tariq)

    page = ana.new_page()
    open_until(page, private_page, "We re-seat every seal by hand from today on.")
    page.get_by_text("5", exact=True).last.click()
    page.get_by_role("button", name="Answer").click()
    page.wait_for_load_state()

    for subject in ("We received your feedback", "has an outcome"):
        open_until(tariq.new_page(), "/dev/mail/", subject)
    dashboard = tariq.new_page()
    open_until(dashboard, "/kpis/items-received/items/?side=denominator", "Water under the machine")
    dashboard.goto("/kpis/")
    assert "Items received" in dashboard.inner_text("main")


def say(context: "BrowserContext") -> str:
    """Ana fills the public form; the address of her private page."""
    page = context.new_page()
    page.goto("/")
    page.get_by_role("link", name=re.compile("Tell us what happened")).first.click()
    page.wait_for_url(re.compile("/f/"))
    page.get_by_text("Poor", exact=True).click()
    page.get_by_label("What happened?").fill(SAID)
    page.get_by_label("Name").fill("Ana")
    page.get_by_label("E-mail address").fill("ana@example.com")
    for box in page.get_by_role("checkbox").all():
        box.check()
    # The form knows that nobody fills it in within two seconds.
    page.wait_for_timeout(2500)
    page.get_by_role("button", name="Send").click()
    page.wait_for_url(re.compile("/thanks/"))
    assert re.search(r"FB-[0-9A-Z]{4}-[0-9A-Z]{3}", page.inner_text("main"))
    link = page.locator("a[href*='/t/']").first.get_attribute("href")
    assert link
    return link


def sign_in(context: "BrowserContext", link: str) -> None:
    page = context.new_page()
    page.goto(link)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(re.compile("/triage/"))


def decide(context: "BrowserContext") -> None:
    """Tariq resolves it with the keyboard, with words for the customer."""
    page = context.new_page()
    page.goto("/triage/")
    page.locator(".row h3 a").first.focus()
    page.keyboard.press("e")
    page.get_by_role("dialog").get_by_text("Shipped").click()
    page.get_by_label("What the customer reads").fill("We re-seat every seal by hand from today on.")
    page.get_by_role("dialog").get_by_role("button", name="Done").click()
    page.get_by_text(re.compile("Done with F-")).wait_for()


def open_until(page: "Page", path: str, text: str, *, seconds: int = 60) -> None:
    """The page at `path`, once it shows the text: workers take a moment."""
    for _ in range(seconds * 2):
        page.goto(path)
        if page.get_by_text(text).count():
            return
        page.wait_for_timeout(500)
    pytest.fail(f"{path} never showed {text!r}:\n{page.inner_text('body')[:2000]}")
