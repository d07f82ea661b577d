"""The workbench by keyboard, with a slow or broken network, and without the script."""

import contextlib
import re
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.browser import stand_in
from tests.browser.waiting import hold, let_requests_out, stop_clock, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.urls("tests.browser.stand_in")

sync_api = pytest.importorskip("playwright.sync_api")
expect = sync_api.expect


@pytest.fixture(autouse=True)
def _nothing_decided() -> Iterator[None]:
    stand_in.reset()
    yield
    stand_in.reset()


def open_item(page: "Page") -> str:
    return str(page.evaluate("document.getElementById('item').dataset.reference"))


def marked_item(page: "Page") -> str:
    """The row that was opened last; it is marked at once, before its item has come."""
    return str(page.evaluate("document.querySelector('.row[aria-current=true]').dataset.reference"))


def wait_for_item(page: "Page", reference: str) -> None:
    page.locator(f"#item[data-reference={reference}]").wait_for()
    page.locator(f"#row-{reference}[aria-current=true]").wait_for()


def test_moving_opens_items_and_the_address_follows(page: "Page") -> None:
    page.goto("/triage/?q=is%3Auntriaged")
    expect(page.locator("#open-F-20493")).to_be_focused()

    page.keyboard.press("j")
    wait_for_item(page, "F-20494")
    page.keyboard.press("ArrowDown")
    wait_for_item(page, "F-20490")
    page.keyboard.press("k")
    wait_for_item(page, "F-20494")

    expect(page.locator("#open-F-20494")).to_be_focused()
    expect(page).to_have_url(re.compile("item=F-20494$"))
    page.reload()
    wait_for_item(page, "F-20494")


def test_items_are_placed_by_key_and_the_focus_is_never_lost(page: "Page") -> None:
    page.goto("/triage/?q=is%3Auntriaged")
    page.evaluate("""() => {
        window.lost = 0;
        new MutationObserver(() => requestAnimationFrame(() => { if (document.activeElement === document.body) window.lost += 1; }))
          .observe(document.body, { childList: true, subtree: true });
    }""")

    page.keyboard.press("Enter")
    wait_for_item(page, "F-20494")
    page.keyboard.press("r")
    page.locator("#sheet[open] [name=team]").first.wait_for()
    page.keyboard.press("q")
    page.keyboard.press("Enter")
    wait_for_item(page, "F-20490")
    page.keyboard.press("h")
    page.locator("#sheet[open] [name=until]").first.wait_for()
    page.keyboard.press("Enter")
    wait_for_item(page, "F-20489")

    expect(page.locator("#open-F-20489")).to_be_focused()
    assert page.evaluate("window.lost") == 0
    expect(page.locator("#queue-count")).to_have_text("3 to decide")
    assert [(post["verb"], post.get("team"), post["next"]) for post in stand_in.received] == [
        (["route"], ["quality"], ["F-20494"]),
        (["route"], ["quality"], ["F-20490"]),
        (["snooze"], None, ["F-20489"]),
    ]
    assert all(post["version"] == ["3"] for post in stand_in.received)


def test_the_focus_goes_on_from_a_button_that_is_gone(page: "Page") -> None:
    page.goto("/triage/?item=F-20494")
    page.locator("#dismiss").click()
    page.get_by_text("dismiss: F-20494").wait_for()
    expect(page.locator("#dismiss")).to_be_focused()

    page.evaluate("document.getElementById('dismiss').id = 'of-another-item'")
    page.locator("#of-another-item").click()
    page.locator("#dismiss").wait_for()
    expect(page.locator("#open-F-20494")).to_be_focused()


def test_undo_brings_everything_back(page: "Page") -> None:
    page.goto("/triage/")
    page.keyboard.press("Enter")
    wait_for_item(page, "F-20494")
    expect(page.locator("#row-F-20493")).to_have_count(0)

    page.keyboard.press("z")
    wait_for_item(page, "F-20493")

    expect(page.locator("#open-F-20493")).to_be_focused()
    expect(page.locator("#toast")).to_have_text("Undone")


def test_enter_never_accepts_what_is_not_shown(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    opening = hold(page, "**/triage/?*item=F-20494")
    acting = hold(page, "**/triage/F-*/**")

    page.keyboard.press("j")
    wait_until(page, lambda: opening)
    assert (open_item(page), marked_item(page)) == ("F-20493", "F-20494")
    page.keyboard.press("Enter")
    page.keyboard.press("r")
    let_requests_out(page)

    assert acting == []
    expect(page.locator("#sheet[open]")).to_have_count(0)
    # Enter on a link opens it, which takes the place of what J asked for.
    opening[-1].continue_()
    wait_for_item(page, "F-20494")
    assert stand_in.received == []


def test_a_decision_is_answered_even_if_another_item_is_on_its_way(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    opening = hold(page, "**/triage/?*item=F-20494")
    deciding = hold(page, "**/decide/")
    page.keyboard.press("j")
    wait_until(page, lambda: opening)
    page.locator("#accept-button").click()
    page.locator("#row-F-20493[aria-busy]").wait_for()
    wait_until(page, lambda: deciding)

    with contextlib.suppress(sync_api.Error):  # the script has given this request up
        opening[0].continue_()
    let_requests_out(page)
    deciding[0].continue_()
    page.locator("#row-F-20493").wait_for(state="detached")
    wait_for_item(page, "F-20494")

    assert len(stand_in.received) == 1
    assert stand_in.received[0]["next"] == ["F-20494"]


def test_a_second_press_is_not_a_second_decision(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    held = hold(page, "**/decide/")

    page.locator("#accept-button").click()
    page.locator("#accept-button").click()
    let_requests_out(page)
    assert len(held) == 1
    held[0].continue_()
    wait_for_item(page, "F-20494")

    assert len(stand_in.received) == 1


def test_a_late_answer_does_not_replace_the_item_opened_meanwhile(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    held = hold(page, "**/decide/")

    page.keyboard.press("Enter")
    page.keyboard.press("j")
    page.locator("#row-F-20490[aria-current=true]").wait_for()
    page.keyboard.press("r")
    wait_until(page, lambda: held)
    held[0].continue_()
    wait_for_item(page, "F-20490")

    expect(page.locator("#row-F-20493")).to_have_count(0)
    expect(page.locator("#open-F-20490")).to_be_focused()
    let_requests_out(page)
    assert page.locator("#sheet[open]").count() == 0, "R belonged to the item before"


def test_what_a_refusal_says_is_read_where_it_happened(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    page.locator("#compose-text").fill("somebody was faster")
    page.keyboard.press("Control+Enter")

    alert = page.locator(".talk [role=alert]")
    alert.wait_for()
    expect(alert).to_contain_text("Mina routed this to Logistics 4 seconds ago.")
    expect(page.locator("#compose-text")).to_have_value("somebody was faster")
    alert.get_by_role("button", name="Show it as it is now").click()
    alert.wait_for(state="detached")
    expect(page.locator("#open-F-20493")).to_be_focused()


def test_a_form_with_errors_stays_open_and_says_what_is_missing(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    page.keyboard.press("e")
    page.locator("#sheet[open]").wait_for()
    page.keyboard.press("d")
    page.keyboard.press("Enter")
    page.locator("#sheet [role=alert]").wait_for()

    expect(page.locator("#sheet [name=resolution]:checked")).to_have_value("declined")
    expect(page.locator("#sheet [role=alert]")).to_be_focused()
    page.keyboard.press("Escape")
    page.locator("#sheet[open]").wait_for(state="detached")
    expect(page.locator("#open-F-20493")).to_be_focused()


def test_letters_are_only_letters_in_a_field_and_when_keys_are_off(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    page.locator("#compose-text").press_sequentially("jerk rhyme")
    let_requests_out(page)
    assert open_item(page) == marked_item(page) == "F-20493"
    assert page.locator("#sheet[open]").count() == 0
    page.keyboard.press("Escape")
    expect(page.locator("#open-F-20493")).to_be_focused()

    page.keyboard.press("?")
    page.locator("#single-keys").uncheck()
    page.keyboard.press("Escape")
    page.reload()
    expect(page.locator("#open-F-20493")).to_be_focused()
    page.keyboard.press("j")
    assert marked_item(page) == "F-20493"
    page.keyboard.press("ArrowDown")
    wait_for_item(page, "F-20494")


def test_rows_are_chosen_by_key_and_let_go(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    page.keyboard.press("Space")
    page.keyboard.press("Shift+J")
    page.keyboard.press("Shift+J")

    expect(page.locator("[data-chosen]")).to_have_text("3 chosen")
    page.keyboard.press("Escape")
    expect(page.locator(".pick :checked")).to_have_count(0)
    expect(page.locator("#bulk")).to_be_hidden()


def test_search_keeps_the_focus_and_names_what_it_cannot_read(page: "Page") -> None:
    page.goto("/triage/?q=is%3Auntriaged")
    page.keyboard.press("/")
    page.keyboard.type("foo:bar")
    page.keyboard.press("Enter")

    page.get_by_text("There is no field foo.").wait_for()
    expect(page.locator("#search")).to_be_focused()
    expect(page.locator("#search")).to_have_value("foo:bar")
    expect(page).to_have_url(re.compile("q=foo%3Abar"))


def test_older_rows_come_when_they_are_scrolled_to(page: "Page") -> None:
    page.goto("/triage/")
    page.locator("#row-F-204930").wait_for()

    expect(page.locator(".row")).to_have_count(2 * len(stand_in.TITLES))
    expect(page.locator("#more-link")).to_have_count(0)


def test_what_comes_by_itself_moves_nothing(new_context: "Callable[..., BrowserContext]") -> None:
    page = new_context(height=420).new_page()
    stop_clock(page)
    page.goto("/triage/?q=polled")
    page.locator("#compose-text").fill("break")
    page.keyboard.press("Control+Enter")
    page.locator(".talk [role=alert]").wait_for()
    page.locator("#rows").evaluate("rows => rows.scrollTop = 300")
    scrolled = page.locator("#rows").evaluate("rows => rows.scrollTop")
    assert scrolled > 0

    with page.expect_response(lambda response: "since=" in response.url):
        page.clock.run_for(21_000)
    page.get_by_text("4 new since you started").wait_for()

    assert page.locator("#rows").evaluate("rows => rows.scrollTop") == scrolled
    assert page.locator(".talk [role=alert]").count() == 1


def test_what_was_begun_is_there_after_a_reload(page: "Page") -> None:
    page.goto("/triage/?item=F-20493")
    page.locator("#compose-text").fill("The new seal is")
    page.reload()

    expect(page.locator("#compose-text")).to_have_value("The new seal is")


def test_a_phone_shows_the_queue_or_the_item(new_context: "Callable[..., BrowserContext]") -> None:
    page = new_context(width=390, height=844, has_touch=True).new_page()
    page.goto("/triage/")
    expect(page.locator("#queue")).to_be_visible()
    expect(page.locator("#item")).to_be_hidden()

    page.locator("#row-F-20494").click()
    page.locator("#item[data-reference='F-20494']").wait_for()
    expect(page.locator("#queue")).to_be_hidden()
    expect(page.locator("#verb-route")).to_be_visible()
    page.locator(".back").click()
    page.locator("#queue").wait_for()


def test_everything_works_without_the_script(new_context: "Callable[..., BrowserContext]") -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto("/triage/")
    page.locator("#row-F-20494").click()
    expect(page.locator("#item-title")).to_have_text(stand_in.TITLES["F-20494"])

    page.locator("#verb-route").click()
    page.get_by_label("Quality").check()
    page.get_by_role("button", name="Route").click()
    expect(page).to_have_url("/triage/?item=F-20493")
    expect(page.locator("#row-F-20494")).to_have_count(0)

    page.locator("#accept-button").click()
    expect(page).to_have_url("/triage/?item=F-20490")
    assert [(post["verb"], post["team"]) for post in stand_in.received] == 2 * [(["route"], ["quality"])]
    page.locator("#search").fill("nothing")
    page.keyboard.press("Enter")
    page.get_by_text("Nothing matches this search").wait_for()
