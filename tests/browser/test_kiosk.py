"""A kiosk in a real browser: five faces, a countdown, and a network that comes and goes."""

import json
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from intake.models import Form, Place, Submission
from tests.browser.waiting import stop_clock, wait_until
from tests.browser.wire import Wire, wired

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect


@pytest.fixture
def lobby(transactional_db: None) -> Place:
    form = Form.objects.get(slug="feedback")
    return Place.objects.create(slug="lobby", name="Lobby", form=form, languages=["en", "de"], exit_code="2468")


@pytest.fixture
def wire(live_server: Any) -> Iterator[Wire]:
    with wired(live_server.thread.host, live_server.thread.port) as wire:
        yield wire


@pytest.fixture(params=[(1280, "light"), (390, "dark")], ids=["tablet", "phone"])
def screen(
    request: pytest.FixtureRequest, new_context: "Callable[..., BrowserContext]", lobby: Place, wire: Wire
) -> "Page":
    width, theme = request.param
    page: Page = new_context(width=width, height=844, color_scheme=theme).new_page()
    stop_clock(page)
    page.goto(f"{wire.url}/k/lobby/")
    return page


def answers() -> list[dict[str, Any]]:
    return [json.loads(bytes(row.payload))["answers"] for row in Submission.objects.order_by("pk")]


def at_rest(page: "Page") -> bool:
    """Nothing is being sent; one that was asked for while another ran would wait for its turn."""
    return bool(
        page.evaluate(
            "async () => { const { held, pending } = await navigator.locks.query(); return !held.length && !pending.length; }"
        )
    )


def waiting(page: "Page") -> int:
    return int(page.evaluate("async () => (await outbox.waiting()).length"))


def sent(page: "Page") -> None:
    wait_until(page, lambda: waiting(page) == 0)


def test_a_face_a_word_thanks_and_back_to_the_start(
    screen: "Page", assert_accessible: "Callable[[Page], None]"
) -> None:
    screen.clock.resume()  # axe needs one that goes
    assert_accessible(screen)
    for face in screen.locator(".faces button").all():
        box = face.bounding_box()
        assert box
        assert box["width"] >= 88
        assert box["height"] >= 88

    screen.get_by_role("button", name="Poor").click()
    expect(screen.get_by_text(re.compile(r"Seconds until the next person's turn (20|1\d)"))).to_be_visible()
    assert_accessible(screen)
    screen.get_by_label("What happened?").fill("A long queue")
    screen.get_by_role("button", name="Send", exact=True).click()
    screen.get_by_text("Thank you. We have it.").wait_for()
    assert_accessible(screen)
    sent(screen)
    assert answers() == [{"rating": 2, "text": "A long queue"}]

    screen.clock.run_for(8000)
    expect(screen.get_by_role("heading", name="How was it?")).to_be_visible()
    screen.get_by_role("button", name="Great").click()
    expect(screen.get_by_label("What happened?")).to_have_value("")


def test_whoever_walks_away_has_answered_and_leaves_nothing_behind(screen: "Page") -> None:
    screen.get_by_role("button", name="Bad").click()
    screen.clock.run_for(15_000)
    expect(screen.locator("[data-countdown]")).to_have_text("5")
    # A word more is time more.
    screen.get_by_label("What happened?").press_sequentially("Half a")
    expect(screen.locator("[data-countdown]")).to_have_text("20")
    screen.clock.run_for(20_000)
    screen.get_by_text("Thank you. We have it.").wait_for()
    screen.clock.run_for(8000)

    expect(screen.get_by_role("heading", name="How was it?")).to_be_visible()
    sent(screen)
    assert answers() == [{"rating": 1, "text": "Half a"}]


def test_a_second_press_sends_nothing_more_and_a_late_key_leaves_nothing_behind(screen: "Page") -> None:
    screen.get_by_role("button", name="Bad").click()
    screen.get_by_label("What happened?").fill("A long queue")
    # A device that takes its time to keep it.
    screen.evaluate("""() => {
        const keep = outbox.keep;
        outbox.keep = async (entry) => (await new Promise((go) => (window.letItKeep = go)), keep(entry));
    }""")
    for _ in range(2):
        screen.get_by_role("button", name="Send", exact=True).click()
    screen.get_by_label("What happened?").press_sequentially("!")
    screen.evaluate("letItKeep()")
    screen.get_by_text("Thank you. We have it.").wait_for()
    expect(screen.locator("[name=comment]")).to_have_value("")
    sent(screen)

    assert answers() == [{"rating": 1, "text": "A long queue"}]


def test_a_day_without_a_network_arrives_once(screen: "Page", wire: Wire) -> None:
    wire.cut()
    for face in ("Bad", "Great", "Fair"):
        screen.get_by_role("button", name=face).click()
        screen.get_by_role("button", name="Send without words").click()
        screen.get_by_text("Thank you. We have it.").wait_for()
        screen.clock.run_for(8000)
    assert waiting(screen) == 3
    assert answers() == []

    # The first arrives, but the device never hears of it.
    wait_until(screen, lambda: at_rest(screen))
    wire.deafen()
    screen.clock.run_for(31_000)
    wait_until(screen, lambda: answers() == [{"rating": 1}])
    wait_until(screen, lambda: at_rest(screen))
    assert waiting(screen) == 3

    wire.mend()
    screen.clock.run_for(31_000)
    sent(screen)
    assert answers() == [{"rating": 1}, {"rating": 5}, {"rating": 3}]


def test_it_opens_without_a_network_in_both_languages(screen: "Page", wire: Wire) -> None:
    needed = """async () => {
        const needed = [document.querySelector("nav a").href, location.href, ...[...document.scripts].map((script) => script.src)];
        const kept = await Promise.all(needed.map((url) => caches.match(url)));
        return navigator.serviceWorker.controller && kept.every(Boolean);
    }"""
    wait_until(screen, lambda: screen.evaluate(needed))
    wire.cut()
    screen.goto(f"{wire.url}/k/lobby/")
    expect(screen.get_by_role("heading", name="How was it?")).to_be_visible()
    screen.get_by_role("link", name="Deutsch").click()
    screen.get_by_role("heading", name="Wie war es?").wait_for()
    screen.get_by_role("button", name="Sehr gut").click()
    expect(screen.get_by_text("Möchten Sie sagen, warum?")).to_be_visible()
    screen.get_by_role("button", name="Ohne Worte senden").click()
    screen.get_by_text("Hier aufgehoben").wait_for()

    wire.mend()
    screen.clock.run_for(8000)
    screen.wait_for_url(re.compile("lang=en$"))
    expect(screen.get_by_role("heading", name="How was it?")).to_be_visible()
    screen.clock.run_for(31_000)
    sent(screen)
    assert answers() == [{"rating": 5}]


def test_nobody_leaves_without_the_code(screen: "Page") -> None:
    screen.get_by_text("Staff").click()
    code = screen.get_by_label("Code to leave this page")
    code.fill("1111")
    screen.get_by_role("button", name="Leave").click()
    screen.get_by_text("This is not the code of this kiosk.").wait_for()
    screen.go_back()
    screen.get_by_text("Staff").click()
    code.fill("2468")
    screen.get_by_role("button", name="Leave").click()
    screen.wait_for_url("**/sign-in/**")


def test_without_a_script_a_face_is_enough(new_context: "Callable[..., BrowserContext]", lobby: Place) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/k/lobby/?lang=de")
    for _ in range(2):
        page.get_by_role("button", name="Geht so").click()
        page.get_by_role("status").filter(has_text="Danke. Es ist bei uns.").wait_for()

    assert answers() == [{"rating": 3}, {"rating": 3}]
