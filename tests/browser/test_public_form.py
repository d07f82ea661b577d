"""The public form in a real browser: what is kept on the device, sent once, and made small."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.browser import stand_in
from tests.browser.waiting import hold, wait_until

if TYPE_CHECKING:
    from playwright.sync_api import Page

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.urls("tests.browser.stand_in")


@pytest.fixture(autouse=True)
def _nothing_sent() -> Iterator[None]:
    stand_in.reset()
    yield
    stand_in.reset()


def test_a_draft_outlives_the_page_but_not_the_sending(page: "Page") -> None:
    page.goto("/f/repair/")
    page.get_by_label("What happened?").fill("It leaks again.")
    page.get_by_text("Poor").click()
    page.get_by_label("E-mail address").fill("ana@example.com")
    page.reload()

    expect(page.get_by_label("What happened?")).to_have_value("It leaks again.")
    expect(page.locator("[name=how]:checked")).to_have_value("2")
    # A device may be shared: who somebody is, is not kept on it.
    expect(page.get_by_label("E-mail address")).to_have_value("")

    page.get_by_role("button", name="Send").click()
    page.get_by_text("Thank you. We have it.").wait_for()
    page.goto("/f/repair/")
    expect(page.get_by_label("What happened?")).to_have_value("")


def test_offline_it_waits_and_is_sent_once_when_the_network_is_back(page: "Page") -> None:
    page.goto("/f/repair/")
    page.get_by_label("What happened?").fill("It leaks again.")
    page.context.set_offline(True)
    page.get_by_role("button", name="Send").dblclick()
    page.get_by_role("heading", name="Saved on this phone, sent when you are back").wait_for()
    assert stand_in.received == []

    page.context.set_offline(False)
    page.get_by_text("Thank you. We have it.").wait_for()

    assert [post["text"] for post in stand_in.received if "text" in post] == [["It leaks again."]]


def test_a_second_press_while_it_is_sent_sends_nothing_more(page: "Page") -> None:
    page.goto("/f/repair/")
    page.get_by_label("What happened?").fill("It leaks again.")
    held = hold(page, "**/f/repair/")
    page.evaluate("""() => {
        const form = document.getElementById("feedback");
        for (const after of [0, 150]) setTimeout(() => form.requestSubmit(), after);
    }""")
    wait_until(page, lambda: held)
    page.wait_for_timeout(400)
    assert len(held) == 1

    held[0].continue_()
    page.get_by_text("Thank you. We have it.").wait_for()


def test_errors_take_the_focus_and_lead_to_their_question(page: "Page") -> None:
    page.goto("/f/repair/?wrong")

    expect(page.locator(".errors")).to_be_focused()
    page.get_by_role("link", name="E-mail address").click()
    expect(page.locator("#q-email")).to_be_focused()
    expect(page.get_by_label("E-mail address")).to_have_value("ana@")


def test_a_photo_is_made_small_and_drawn_anew(page: "Page", tmp_path: Path) -> None:
    page.goto("/f/repair/")
    large = page.evaluate("""() => {
        const canvas = Object.assign(document.createElement("canvas"), { width: 3000, height: 1500 });
        canvas.getContext("2d").fillRect(0, 0, 3000, 1500);
        return canvas.toDataURL("image/png").split(",")[1];
    }""")
    photo = tmp_path / "tank.png"
    photo.write_bytes(base64.b64decode(large))
    page.locator("#q-photo").set_input_files(photo)

    page.wait_for_function("() => document.querySelector('#q-photo').files[0].name === 'tank.jpg'")
    width, height = page.evaluate("""async () => {
        const drawn = await createImageBitmap(document.querySelector("#q-photo").files[0]);
        return [drawn.width, drawn.height];
    }""")
    assert (width, height) == (2000, 1000)
