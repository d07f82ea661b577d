"""What staff do with feedback's ways in, whole: a file from the first look to its corrected rows, notes in a cellar, forms by keyboard."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from feedback_portal.accounts.models import Role, User
from intake import importing, normalizing, sessions, surveys
from intake.models import FeedbackItem, Session, Submission
from tests.browser import intake_world
from tests.browser.waiting import wait_until
from tests.makers import make_person, make_team

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
TABLE = "id,What happened?,stars,received\n1,The lid came off,2,2026-03-01\n2,,9,2026-03-02\n3,It drips,1,2026-03-03\n"


@pytest.fixture
def ada(transactional_db: None, settings: Any, tmp_path: Path) -> User:
    settings.STATE_DIR = tmp_path / "state"
    return make_person("Ada", make_team("quality"), role=Role.ADMIN)


@pytest.fixture
def desk(new_context: "Callable[..., BrowserContext]", ada: User, live_server: Any) -> "Page":
    context = new_context(width=1280)
    intake_world.enter(context, ada, live_server.url)
    return context.new_page()


def work() -> None:
    """What the workers would do meanwhile."""
    importing.import_pending(at=timezone.now())
    normalizing.normalize_pending(at=timezone.now())


def said() -> list[str]:
    return sorted(FeedbackItem.objects.values_list("text", flat=True))


def test_a_table_goes_in_and_its_bad_rows_come_back_corrected(desk: "Page", tmp_path: Path) -> None:
    table = tmp_path / "After repair.csv"
    table.write_text(TABLE)
    desk.goto("/imports/")
    desk.get_by_label("File", exact=True).set_input_files(table)
    desk.get_by_role("button", name="Send the file").click()

    # Its first rows are shown before anything is in, and what is chosen for a column is shown at once.
    desk.get_by_role("region", name="Its first rows").get_by_text("The lid came off").wait_for()
    desk.get_by_label("What happened?").select_option("text")
    desk.get_by_label("Scale of ratings").select_option("stars5")
    with desk.expect_navigation():
        desk.get_by_role("button", name="Look again").click()
    expect(desk.get_by_label("What happened?")).to_have_value("text")
    assert not Submission.objects.exists()

    desk.get_by_role("button", name="Import it").click()
    desk.get_by_role("heading", name="Waiting").wait_for()
    expect(desk.get_by_role("button", name="Pause")).to_be_visible()
    work()
    # Nobody loads the page again: it asks by itself, and offers what can be done now.
    desk.get_by_role("heading", name="Done").wait_for()
    desk.get_by_role("button", name="Take it back").wait_for()
    expect(desk.get_by_role("button", name="Pause")).to_have_count(0)
    assert said() == ["It drips", "The lid came off"]

    with desk.expect_download() as download:
        desk.get_by_role("link", name="Download the rows").click()
    report = download.value.path().read_text(encoding="utf-8-sig")
    assert "The lid came off" not in report
    corrected = tmp_path / "corrected.csv"
    corrected.write_text(report.replace(",,9,", ",It is late,4,"), encoding="utf-8-sig")
    desk.goto("/imports/")
    desk.get_by_label("File", exact=True).set_input_files(corrected)
    desk.get_by_label("Channel", exact=True).select_option("after-repair")
    desk.get_by_role("button", name="Send the file").click()
    desk.get_by_role("button", name="Import it").click()
    desk.get_by_role("heading", name="Waiting").wait_for()
    work()
    desk.get_by_role("heading", name="Done").wait_for()
    assert said() == ["It drips", "It is late", "The lid came off"]


def test_notes_written_without_a_network_arrive_once_each(desk: "Page", ada: User) -> None:
    held = sessions.begin(kind="visit", title="Cellar", held_at=timezone.now(), by=ada)
    desk.goto(f"/sessions/{held.pk}/notes/")
    desk.context.set_offline(True)
    for words in ("The lid came off.", "It drips."):
        desk.get_by_label("Who said it").fill("Uwe")
        desk.get_by_label("What they said").fill(words)
        desk.keyboard.press("Tab")
        desk.keyboard.press("Enter")
        desk.get_by_role("listitem").filter(has_text=words).wait_for()
    # A second press before the first is kept is not a second note.
    desk.get_by_label("What they said").fill("It is loud.")
    desk.get_by_role("button", name="Keep the note").evaluate("(button) => (button.click(), button.click())")
    desk.get_by_text("Kept on this device: 3. Sent when you are back.").wait_for()
    assert not Submission.objects.exists()

    desk.context.set_offline(False)
    desk.get_by_text("All notes are sent.").wait_for()
    # Another tab, and the network coming back again, send nothing again.
    desk.evaluate("dispatchEvent(new Event('online'))")
    desk.reload()
    wait_until(desk, lambda: desk.evaluate("async () => !(await outbox.waiting()).length"))
    work()
    assert said() == ["It drips.", "It is loud.", "The lid came off."]
    assert Session.objects.get() == held


def test_a_note_that_is_refused_comes_back_into_its_field(
    desk: "Page", ada: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    held = sessions.begin(kind="visit", title="Cellar", held_at=timezone.now(), by=ada)
    desk.goto(f"/sessions/{held.pk}/notes/")
    monkeypatch.setattr("intake.views.sessions.NOTES_LAST", -1)
    desk.get_by_label("What they said").fill("The lid came off.")
    desk.get_by_role("button", name="Keep the note").click()

    desk.wait_for_function("() => document.getElementById('text').value === 'The lid came off.'")
    desk.wait_for_function("() => document.getElementById('notes-state').textContent.length > 10")
    assert not Submission.objects.exists()


def tab_to(page: "Page", css: str) -> None:
    """Goes on with the Tab key alone until the focus is on what is named."""
    for _ in range(120):
        page.keyboard.press("Tab")
        if page.evaluate("(css) => document.activeElement.matches(css)", css):
            return
    raise AssertionError(f"The keyboard never came to {css} on {page.url}.")


def test_a_channel_a_place_and_a_session_are_made_by_keyboard_alone(desk: "Page") -> None:
    desk.goto("/settings/channel-kinds/tally/")
    tab_to(desk, "#name")
    desk.keyboard.type("Shop survey")
    tab_to(desk, "#slug")
    desk.keyboard.type("shop-survey")
    tab_to(desk, "#asked-signing_secret")
    desk.keyboard.type("one")
    tab_to(desk, "main form button[type=submit]")
    desk.keyboard.press("Enter")
    desk.get_by_text("The channel Shop survey takes feedback in.").wait_for()

    desk.goto("/settings/places/")
    for field, words in (("#slug", "lobby"), ("#name", "Lobby"), ("#exit_code", "2468")):
        tab_to(desk, field)
        desk.keyboard.type(words)
    desk.keyboard.press("Enter")
    desk.get_by_role("heading", name="Lobby", exact=True).wait_for()

    desk.goto("/sessions/")
    tab_to(desk, "#title")
    desk.keyboard.type("Lids")
    tab_to(desk, "#held_at")
    desk.keyboard.type("03042026")
    desk.keyboard.press("Tab")
    desk.keyboard.type("0900AM")
    tab_to(desk, "main form button[type=submit]")
    desk.keyboard.press("Enter")
    desk.get_by_text("Lids is begun.").wait_for()


def test_a_form_asks_on_by_keyboard_and_thanks_in_its_language(
    new_context: "Callable[..., BrowserContext]", transactional_db: None
) -> None:
    surveys.create_form("after-repair", name="After a repair", definition=intake_world.REPAIR, channel_slug="repairs")
    page = new_context(width=390, locale="de-AT").new_page()
    page.goto("/f/after-repair/")
    expect(page.get_by_text("Schritt 1 von 2")).to_be_visible()
    tab_to(page, "[name=rating]")
    page.keyboard.press("Space")
    tab_to(page, "[data-next]")
    page.keyboard.press("Enter")
    page.get_by_label("What went wrong?").wait_for()
    expect(page.get_by_text("Schritt 2 von 3"), "what is asked further is a step more").to_be_visible()
    tab_to(page, "[data-next]")
    page.keyboard.press("Enter")
    page.wait_for_timeout(2100)  # nobody reads a form and answers it in less
    tab_to(page, "form [type=submit]")
    page.keyboard.press("Enter")

    page.get_by_role("heading", name="Danke. Es ist bei uns.").wait_for()
    assert Submission.objects.get().quarantine_reason == ""


def test_answers_that_come_back_ask_again_what_follows_from_them(
    new_context: "Callable[..., BrowserContext]", transactional_db: None
) -> None:
    surveys.create_form("after-repair", name="After a repair", definition=intake_world.REPAIR, channel_slug="repairs")
    page = new_context(width=1280).new_page()
    page.goto("/f/after-repair/")
    expect(page.get_by_label("What went wrong?")).to_be_hidden()

    page.evaluate(
        """() => new Promise((done) => {
          const opened = indexedDB.open("outbox", 1);
          opened.onsuccess = () => {
            const store = opened.result.transaction("told", "readwrite").objectStore("told");
            const fields = [["rating", "1"], ["what", "It leaks."]];
            store.put({ id: "1".repeat(32), page: location.pathname, refused: "Too much $& was written.", fields, at: Date.now() });
            store.transaction.oncomplete = done;
          };
        })"""
    )
    page.evaluate("dispatchEvent(new Event('online'))")

    page.get_by_text("could not be taken: Too much $& was written.").wait_for()
    expect(page.get_by_label("What went wrong?")).to_have_value("It leaks.")
    expect(page.get_by_label("What went wrong?")).to_be_visible()
