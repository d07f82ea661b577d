"""The weekly audit in a real browser: an item labelled by keyboard alone, and pages that everybody can read."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Role
from tests.makers import make_person, make_team, make_ticket
from triage.learning.audit_drawing import draw, last_week
from triage.models import AuditAnswer, AuditedItem, Event, Topic, TrackRecord

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
TEXTS = ("Water under the machine", "The lid cracked on day two")


@pytest.fixture
def page(transactional_db: None, new_context: "Callable[..., BrowserContext]", live_server: Any) -> "Page":
    """Lena's desk, with two items of last week drawn."""
    at = timezone.now()
    for slug in ("logistics", "quality"):
        make_team(slug)
    for name in ("Box", "Leak", "Lid"):
        Topic.objects.create(slug=name.lower(), name=name)
    for text in TEXTS:
        ticket = make_ticket(text, team=make_team("quality"), at=at - timedelta(days=7))
        told = {"by": "rule", "team": "quality"}
        Event.objects.create(item=ticket.item, ticket=ticket, type="routed", source="rule", data=told, occurred_at=at)
    assert draw(last_week(at), seed=1, size=50, at=at) is not None
    TrackRecord.objects.create(day=at.date(), kind="team", band=90, kept=383, answers=412)
    client = Client()
    client.force_login(make_person("Lena", role=Role.MANAGER))
    context = new_context()
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    return context.new_page()


def test_an_item_is_labelled_by_keys_alone(page: "Page") -> None:
    page.goto("/audits/")
    first, second = AuditedItem.objects.order_by("pk")
    page.get_by_text(first.item.text).wait_for()
    named = page.locator("fieldset").nth(1).locator("label").all_inner_texts()
    quality = next(place for place, text in enumerate(named, start=1) if "Quality" in text)

    for key in ("2", "3", "2", "Enter", str(quality), "Enter", "1"):
        page.keyboard.press(key)
    assert page.locator(".audit-form :checked").evaluate_all("inputs => inputs.map(input => input.value)") == [
        "lid",
        "quality",
        "neg",
    ]
    page.keyboard.press("Enter")
    page.get_by_text(second.item.text).wait_for()
    page.get_by_text("You have labelled 1, 1 waits for you.").wait_for()
    page.wait_for_load_state()  # its script listens for keys

    answer = AuditAnswer.objects.get()
    assert (answer.audited, answer.seat, answer.topics, answer.team, answer.sentiment) == (
        first,
        1,
        ["lid"],
        "quality",
        "neg",
    )

    # Saved without a team it leads to what is missing and keeps what was chosen.
    for key in ("1", "Enter", "Enter", "Enter"):
        page.keyboard.press(key)
    expect(page.locator("[name=team]:invalid").first).to_be_focused()
    expect(page.locator("[value=box]")).to_be_checked()
    assert AuditAnswer.objects.count() == 1


def test_with_many_topics_they_are_found_by_their_name(page: "Page") -> None:
    Topic.objects.bulk_create(Topic(slug=f"other-{number}", name=f"Other {number:02}") for number in range(20))
    page.goto("/audits/")
    page.locator("#audit-find").wait_for()

    page.keyboard.press("/")
    page.keyboard.type("lea")
    page.keyboard.press("Escape")
    page.keyboard.press("1")

    assert page.locator(".audit-form :checked").evaluate_all("inputs => inputs.map(input => input.value)") == ["leak"]


def test_the_pages_of_the_audit_are_accessible(
    page: "Page", new_context: "Callable[..., BrowserContext]", assert_accessible: "Callable[[Page], None]"
) -> None:
    audited = AuditedItem.objects.order_by("pk").last()
    assert audited is not None
    for seat, person in enumerate((make_person("Tariq"), make_person("Mina")), start=1):
        topics = ["leak"] if seat == 1 else []
        at = timezone.now()
        AuditAnswer.objects.create(
            audited=audited, person=person, seat=seat, team="quality", topics=topics, answered_at=at
        )
    AuditedItem.objects.filter(pk=audited.pk).update(state="disputed")

    for width in (1280, 390):
        page.set_viewport_size({"width": width, "height": 900})
        for address in ("/audits/", "/audits/settle/", "/kpis/audit-results/"):
            page.goto(address)
            assert_accessible(page)
