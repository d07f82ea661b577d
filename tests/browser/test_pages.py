"""Every page can be read by everybody: by axe, in both themes, on a desk, a tablet and the narrowest phone."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytestmark = pytest.mark.urls("tests.browser.stand_in")

NewContext = Callable[..., "BrowserContext"]
DEVICES: dict[str, dict[str, Any]] = {
    "desk": {"width": 1440, "height": 900},
    "tablet in the dark": {"width": 1024, "height": 768, "color_scheme": "dark", "has_touch": True},
    "narrowest phone": {"width": 320, "height": 640, "has_touch": True},
}
PAGES = [
    "/triage/?q=is%3Auntriaged",
    "/triage/?item=F-20493",
    "/triage/?item=F-20470",
    "/triage/?q=nothing",
    "/triage/?q=nothing&empty=done",
    "/triage/?q=nothing&empty=first",
    "/triage/?q=foo%3Abar",
    "/triage/F-20493/route/",
    "/triage/F-20493/resolve/",
    "/triage/F-20493/snooze/",
    "/triage/F-20493/merge/",
    "/triage/F-20493/tag/",
    "/triage/F-20493/note/",
    "/",
    "/empty/",
    "/sign-in/",
    "/sign-in/abc/",
    "/f/repair/",
    "/f/repair/?wrong",
    "/f/repair/thanks/",
    "/t/x/",
    "/parked/",
    "/parked/none/",
    "/mail/",
    "/mail/1/",
    "/refused/",
    "/error/404/",
    "/error/500/",
    "/error/503/",
]


@pytest.mark.parametrize("device", DEVICES)
def test_a_page_is_accessible_and_fits_its_screen(
    device: str, new_context: NewContext, assert_accessible: "Callable[[Page], None]"
) -> None:
    page = new_context(**DEVICES[device]).new_page()
    for address in PAGES:
        page.goto(address)
        assert_accessible(page)


@pytest.mark.parametrize("device", DEVICES)
def test_right_to_left_and_forced_colours_fit_as_well(device: str, new_context: NewContext) -> None:
    page = new_context(**DEVICES[device], forced_colors="active").new_page()
    for address in ("/triage/?item=F-20469", "/triage/F-20493/route/", "/f/repair/", "/t/x/", "/parked/"):
        page.goto(address)
        page.evaluate("document.documentElement.dir = 'rtl'")
        wide, room = page.evaluate("[document.documentElement.scrollWidth, innerWidth]")
        assert wide <= room, address


@pytest.mark.parametrize(
    "opens", ["verb-route", "verb-resolve", "verb-snooze", "verb-merge", "verb-tag", "help", "account"]
)
def test_what_floats_is_accessible(opens: str, page: "Page", assert_accessible: "Callable[[Page], None]") -> None:
    page.goto("/triage/?item=F-20493")
    page.locator(f"#{opens}:not(.sheet), [popovertarget={opens}]").first.click()
    page.locator(f"#sheet[open], #{opens}:popover-open").wait_for()

    assert_accessible(page)


def test_targets_are_large_enough_for_fingers(new_context: NewContext) -> None:
    page = new_context(width=390, height=844, has_touch=True).new_page()
    for address in ("/triage/", "/triage/?item=F-20493", "/f/repair/", "/t/x/"):
        page.goto(address)
        small = page.evaluate("""
            [...document.querySelectorAll("button, .btn, summary, .tabs a, .nav a, .links a, label:has([type=radio])")]
              .filter((one) => one.checkVisibility() && !one.matches(".vh, .because summary"))
              .map((one) => [one.outerHTML.slice(0, 90), Math.round(one.getBoundingClientRect().height)])
              .filter(([, height]) => height < 44)
        """)
        assert small == [], address


def test_customers_words_stay_words(page: "Page") -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    for address in ("/triage/?item=F-20470", "/t/x/", "/mail/1/"):
        page.goto(address)
        page.wait_for_load_state("networkidle")

    assert not [url for url in asked if "evil" in url or url.endswith("/x")]
    assert page.locator("img[onerror]").count() == 0
