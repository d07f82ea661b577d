"""A form on a telephone in a tunnel, with its real view behind it: nothing is lost, and nothing arrives twice."""

import json
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from intake import surveys
from intake.models import Form, Submission
from tests.browser.waiting import wait_until
from tests.browser.wire import Wire, wired

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
SAVED = "Saved on this phone, sent when you are back"
THANKS = "Thank you. We have it."


@pytest.fixture
def form(transactional_db: None) -> Form:
    found = Form.objects.select_related("channel", "current").get(slug="feedback")
    found.channel.settings = {"limits": {"burst": 0, "minute": 0, "hour": 0}}
    found.channel.save()
    return found


@pytest.fixture
def wire(live_server: Any) -> Iterator[Wire]:
    with wired(live_server.thread.host, live_server.thread.port) as wire:
        yield wire


@pytest.fixture
def phone(new_context: "Callable[..., BrowserContext]", form: Form, monkeypatch: pytest.MonkeyPatch) -> "Page":
    """For a person who writes as quickly as a program, which is told apart elsewhere."""
    monkeypatch.setattr(surveys, "QUICKEST", timedelta())
    return new_context(width=1024).new_page()


def open_once(page: "Page", wire: Wire) -> None:
    """Opens the form and waits until the worker could open it without a network."""
    page.goto(f"{wire.url}/f/feedback/")
    kept = """async () => {
        const kept = await Promise.all([location.href, document.querySelector("script[src]").src].map((url) => caches.match(url)));
        return navigator.serviceWorker.controller && kept.every(Boolean);
    }"""
    wait_until(page, lambda: page.evaluate(kept))


def write(page: "Page", words: str) -> None:
    page.get_by_label("What happened?").fill(words)


def said() -> list[str]:
    return sorted(json.loads(bytes(row.payload))["answers"]["text"] for row in Submission.objects.all())


def test_an_answer_that_was_lost_on_its_way_back_is_no_second_sending(phone: "Page", wire: Wire) -> None:
    open_once(phone, wire)
    write(phone, "Sent, but nobody told me")
    wire.deafen()
    phone.get_by_role("button", name="Send").click()
    phone.get_by_role("heading", name=SAVED).wait_for()
    assert said() == ["Sent, but nobody told me"]

    wire.mend()
    phone.goto(f"{wire.url}/f/feedback/")
    phone.get_by_text("What you saved here while you were offline was sent.").wait_for()
    assert said() == ["Sent, but nobody told me"]


def test_two_writings_on_one_kept_page_are_two_things(phone: "Page", wire: Wire) -> None:
    open_once(phone, wire)
    wire.cut()
    for words in ("The first thing", "The second thing"):
        phone.goto(f"{wire.url}/f/feedback/")
        write(phone, words)
        phone.get_by_role("button", name="Send").click()
        phone.get_by_role("heading", name=SAVED).wait_for()
    wire.mend()
    phone.goto(f"{wire.url}/f/feedback/")
    phone.get_by_text("What you saved here while you were offline was sent.").wait_for()

    assert said() == ["The first thing", "The second thing"]


def test_a_page_left_open_leads_to_the_thanks_when_the_network_is_back(phone: "Page", wire: Wire) -> None:
    open_once(phone, wire)
    write(phone, "I wait here")
    phone.context.set_offline(True)
    phone.get_by_role("button", name="Send").click()
    phone.get_by_role("heading", name=SAVED).wait_for()
    phone.context.set_offline(False)

    phone.get_by_role("heading", name=THANKS).wait_for()
    assert said() == ["I wait here"]


def test_with_a_network_nothing_stays_on_the_device(phone: "Page", wire: Wire) -> None:
    open_once(phone, wire)
    phone.get_by_label("E-mail address").fill("ana@example.com")
    write(phone, "All is well")
    phone.get_by_role("button", name="Send").click()
    phone.get_by_role("heading", name=THANKS).wait_for()

    wait_until(phone, lambda: phone.evaluate("outbox.waiting()") == [])
    assert phone.evaluate("Object.keys(localStorage)") == []
    assert said() == ["All is well"]


def keep(page: "Page", form: Form, age: timedelta, **fields: str) -> None:
    """An entry as form.js leaves it."""
    token = surveys.hand_out(form, at=timezone.now() - age).token()
    entry = {"token": token, "sheet-copy": "a" * 32, "homepage": ""} | fields
    page.evaluate(
        """([fields, url]) => outbox.keep({ id: fields["sheet-copy"], page: "/f/feedback/", url, at: Date.now(), fields: Object.entries(fields) })""",
        [entry, "/f/feedback/"],
    )


def test_what_waited_for_days_is_sent_by_itself(phone: "Page", wire: Wire, form: Form) -> None:
    open_once(phone, wire)
    keep(phone, form, timedelta(days=3), text="Back from the mountains")
    phone.reload()
    phone.get_by_text("What you saved here while you were offline was sent.").wait_for()

    assert said() == ["Back from the mountains"]


def test_what_cannot_be_taken_comes_back_into_the_form(phone: "Page", wire: Wire, form: Form) -> None:
    open_once(phone, wire)
    keep(phone, form, timedelta(hours=1), text="It leaks", email="ana@", rating="2")
    phone.reload()
    phone.get_by_text("could not be taken: Write the whole address, like name@example.com.").wait_for()

    expect(phone.get_by_label("What happened?")).to_have_value("It leaks")
    expect(phone.locator("[name=rating]:checked")).to_have_value("2")
    assert phone.evaluate("outbox.waiting()") == []
    assert not Submission.objects.exists()


def test_what_is_sent_behind_the_scenes_proves_itself_there(phone: "Page", wire: Wire, form: Form) -> None:
    form.channel.settings |= {"asks_proof": True}
    form.channel.save()
    open_once(phone, wire)
    keep(phone, form, timedelta(hours=1), text="It leaks")
    with phone.expect_response("**/proof/") as proof:
        phone.reload()

    assert proof.value.status == 204
    assert Submission.objects.get().quarantine_reason == ""


def test_a_draft_is_kept_for_a_week(phone: "Page", wire: Wire) -> None:
    phone.goto(f"{wire.url}/f/feedback/")
    phone.get_by_label("What happened?").fill("Half a sentence")
    phone.reload()
    expect(phone.get_by_label("What happened?")).to_have_value("Half a sentence")

    phone.evaluate("""() => {
        const key = "draft /f/feedback/";
        const kept = JSON.parse(localStorage.getItem(key));
        localStorage.setItem(key, JSON.stringify({ ...kept, at: Date.now() - 8 * 24 * 3600e3 }));
    }""")
    phone.reload()
    expect(phone.get_by_label("What happened?")).to_have_value("")
    assert phone.evaluate("Object.keys(localStorage)") == []


def test_more_than_a_phone_should_keep_waits_on_the_page(phone: "Page", wire: Wire) -> None:
    open_once(phone, wire)
    write(phone, "A film of it")
    phone.evaluate("""() => {
        const files = new DataTransfer();
        for (const name of ["a.pdf", "b.pdf", "c.pdf"]) files.items.add(new File([new Uint8Array(9e6)], name, { type: "application/pdf" }));
        document.querySelector("#q-photo").files = files.files;
    }""")
    phone.context.set_offline(True)
    phone.get_by_role("button", name="Send").click()

    phone.get_by_text("this is too much to keep on this phone").wait_for()
    assert phone.evaluate("outbox.waiting()") == []


class TestSteps:
    @pytest.fixture(params=["light", "dark"])
    def small(self, request: pytest.FixtureRequest, new_context: "Callable[..., BrowserContext]", form: Form) -> "Page":
        return new_context(width=390, height=844, color_scheme=request.param).new_page()

    def test_a_phone_shows_one_step_at_a_time(self, small: "Page", assert_accessible: "Callable[[Page], None]") -> None:
        small.goto("/f/feedback/")
        expect(small.get_by_text("Step 1 of 3")).to_be_visible()
        expect(small.get_by_label("What happened?")).to_be_hidden()
        assert_accessible(small)

        small.get_by_text("Poor").click()
        small.get_by_role("button", name="Next").click()
        expect(small.locator("#q-text")).to_be_focused()
        small.get_by_role("button", name="Next").click()
        expect(small.get_by_text("Write a few words here.")).to_be_visible()
        assert_accessible(small)

        small.get_by_label("What happened?").fill("It leaks")
        small.get_by_role("button", name="Next").click()
        expect(small.get_by_label("E-mail address")).to_be_visible()
        assert_accessible(small)

        small.get_by_role("button", name="Back").click()
        expect(small.get_by_label("What happened?")).to_have_value("It leaks")
        small.get_by_role("button", name="Next").click()
        small.wait_for_timeout(2100)  # nobody writes in less, and the portal knows
        small.get_by_role("button", name="Send").click()
        small.get_by_role("heading", name=THANKS).wait_for()
        assert_accessible(small)
        assert said() == ["It leaks"]

    def test_without_a_script_everything_is_there(
        self, new_context: "Callable[..., BrowserContext]", form: Form
    ) -> None:
        page = new_context(width=390, java_script_enabled=False).new_page()
        page.goto("/f/feedback/")

        for label in ("What happened?", "E-mail address"):
            expect(page.get_by_label(label)).to_be_visible()
        for words in ("Step", SAVED, "Kept on this device"):
            expect(page.get_by_text(words).first).to_be_hidden()
        page.get_by_label("What happened?").fill("No script here")
        page.wait_for_timeout(2100)
        page.get_by_role("button", name="Send").click()
        page.get_by_role("heading", name=THANKS).wait_for()
        assert said() == ["No script here"]


def test_a_device_that_was_too_quick_proves_itself_while_its_owner_reads(
    new_context: "Callable[..., BrowserContext]", form: Form, assert_accessible: "Callable[[Page], None]"
) -> None:
    page = new_context(width=390).new_page()
    page.goto("/f/feedback/")
    page.get_by_label("What happened?").evaluate("(field) => (field.value = 'Pasted')")
    page.evaluate("document.getElementById('feedback').submit()")
    page.get_by_text("Your device has shown that you are no program.").wait_for()

    assert_accessible(page)
    assert Submission.objects.get().quarantine_reason == ""
