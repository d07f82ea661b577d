"""From many voices to one fix and back to each of them: the whole story in a real browser, its clock moved instead of waited for."""

import os
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from django.core import mail
from django.db.models.functions import Now
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from intake import receiving
from kpis import effects
from tests.makers import make_channel, make_customer, make_person, make_team, make_ticket
from triage import notifications
from triage.improving import telling
from triage.models import Action, Notification, Theme, ThemeMember, Ticket, Topic
from triage.themes import life

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

pytest.importorskip("playwright.sync_api")
CHANNELS = ("form", "app-store", "mailbox", "desk")


def voices(theme: Theme, at: datetime, number: int) -> list[Ticket]:
    """So many people say that it leaks, each through the next of four channels; the portal has found that they say the same."""
    tickets = []
    for place in range(number):
        tickets.append(
            make_ticket(
                "Water under the machine after every second cup",
                team=theme.topic.team,  # type: ignore[union-attr]
                at=at,
                item_customer=make_customer(f"Ana{Ticket.objects.count()}"),
                item_channel=make_channel(CHANNELS[place % len(CHANNELS)]),
            )
        )
        ThemeMember.objects.create(item=tickets[-1].item, theme=theme)
    Theme.objects.filter(pk=theme.pk).update(size=theme.members.count(), customers=theme.members.count(), last_at=at)
    return tickets


@pytest.fixture
def page(transactional_db: None, new_context: "Callable[..., BrowserContext]", live_server: Any) -> "Page":
    lena = make_person("Lena", make_team("quality"), role=Role.MANAGER)
    client = Client()
    client.force_login(lena)
    context = new_context(width=1280)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    return context.new_page()


def test_thirty_voices_become_one_fix_that_is_proved_told_published_and_reopened_when_it_wears_off(
    page: "Page", assert_accessible: "Callable[[Page], None]", tmp_path: Path
) -> None:
    folder = Path(os.environ.get("SCREENSHOTS", tmp_path))
    now = timezone.now()

    def seen(name: str) -> None:
        assert_accessible(page)
        page.screenshot(path=folder / f"{name}.png", full_page=True)

    quality = make_team("quality")
    topic = Topic.objects.create(slug="leak", name="Leak", team=quality)
    leaks = Theme.objects.create(name="Leaks on the left", topic=topic, state="growing", state_at=now, grew_at=now)
    said = [ticket for week in range(15, 0, -1) for ticket in voices(leaks, now - timedelta(weeks=week, days=-1), 2)]
    for week in range(-15, 9):
        for _ in range(6):
            make_ticket("Where is my parcel?", team=quality, at=now + timedelta(weeks=week, days=1))
    assert len(said) == 30
    assert {ticket.item.channel.slug for ticket in said} >= {"form", "app-store"}

    # A theme that grows asks for a plan; one key begins it.
    page.goto(f"/themes/{leaks.reference}/")
    page.keyboard.press("a")
    page.get_by_label("What will be changed").fill("Re-seat every tank seal")
    page.get_by_role("button", name="Plan it").click()
    page.get_by_role("heading", name="What it should move").wait_for()
    seen("1-planned")
    action = Action.objects.get()
    assert action.expectation.theme == leaks
    for ticket in said:
        action.links.create(ticket=ticket, linked_at=now)

    # It ships, and one review tells everybody.
    page.get_by_label("What customers read").fill("Every tank seal is re-seated by hand.")
    page.get_by_role("button", name="Ship it").click()
    page.get_by_role("link", name="Tell those who told us").click()
    seen("2-review")
    page.get_by_role("button", name="Tell 30 customers").click()
    page.get_by_text("They are being told.").wait_for()
    telling.tell_pending()
    Notification.objects.update(next_attempt_at=Now())
    notifications.deliver_pending()
    assert len({sent.to[0] for sent in mail.outbox}) == len(mail.outbox) == 30

    # Eight weeks of silence about it, and the numbers say that it worked.
    effects.judge(at=now + timedelta(weeks=8, days=2))
    page.goto(f"/actions/{action.reference}/")
    page.get_by_role("heading", name="Effect: Worked").wait_for()
    seen("3-verdict")
    page.get_by_label("Headline on the public page").fill("No more water under the machine")
    page.get_by_role("button", name="Publish it").click()
    page.get_by_label("What becomes the rule").fill("The tool counts its own wear.")
    page.get_by_role("button", name="Close it").click()
    page.get_by_text("is closed").wait_for()

    page.goto("/changes/")
    page.get_by_text("30 customers told us").wait_for()
    page.get_by_text("Said in").wait_for()
    seen("4-changes")
    page.goto(f"/t/{receiving.tracking_token(said[-1].item.submission)}/")
    page.get_by_text("Every tank seal is re-seated by hand.").first.wait_for()
    seen("5-tracking")

    # The fix wears off.
    later = now + timedelta(weeks=9)
    voices(leaks, later - timedelta(days=1), 12)
    life.judge(at=later)
    action.refresh_from_db()
    assert action.step == "do"
    page.goto(f"/actions/{action.reference}/")
    page.get_by_text("is back:").first.wait_for()
    seen("6-reopened")
    page.goto("/changes/")
    page.get_by_text("It came back since").wait_for()
    assert Notification.objects.filter(kind="staff").count() <= 1
