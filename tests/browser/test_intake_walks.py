"""What staff do with feedback's ways in, whole: a file from the first look to its corrected rows, notes in a cellar, forms by keyboard."""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.utils import timezone

from feedback_portal.accounts.models import Role, User
from intake import importing, normalizing, sessions
from intake.models import FeedbackItem, Session, Submission
from tests.browser import intake_world
from tests.makers import make_person, make_team

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

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
    desk.get_by_role("button", name="Look again").click()
    assert desk.get_by_label("What happened?").input_value() == "text"
    assert not Submission.objects.exists()

    desk.get_by_role("button", name="Import it").click()
    desk.get_by_role("heading", name="Waiting").wait_for()
    assert desk.get_by_role("button", name="Pause").is_visible()
    work()
    # Nobody loads the page again: it asks by itself, and offers what can be done now.
    desk.get_by_role("heading", name="Done").wait_for()
    desk.get_by_role("button", name="Take it back").wait_for()
    assert desk.get_by_role("button", name="Pause").count() == 0
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
    desk.get_by_text("Kept on this device: 2. Sent when you are back.").wait_for()
    assert not Submission.objects.exists()

    desk.context.set_offline(False)
    desk.get_by_text("All notes are sent.").wait_for()
    # Another tab, and the network coming back again, send nothing again.
    desk.evaluate("dispatchEvent(new Event('online'))")
    desk.reload()
    desk.wait_for_function("() => outbox.waiting().then((left) => !left.length)")
    work()
    assert said() == ["It drips.", "The lid came off."]
    assert Session.objects.get() == held
