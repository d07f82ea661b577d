"""The pages behind the workbench with their real views: they are accessible, fit a phone, and work without the script."""

from collections.abc import Callable
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, User
from intake import receiving
from intake.models import Form, Place
from tests.makers import actor, make_channel, make_customer, make_person, make_team, make_ticket
from triage.connecting import subscribers
from triage.decisions import decide
from triage.improving import improvements, telling
from triage.models import (
    Action,
    Announcement,
    AnnouncementTry,
    LinkedIssue,
    Notification,
    Rule,
    Subscriber,
    Ticket,
    Topic,
    TrackerProject,
)

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
PAGES = (
    "/actions/",
    "/actions/{action}/",
    "/settings/",
    "/settings/topics/",
    "/settings/topics/leak/",
    "/settings/teams/",
    "/settings/teams/quality/",
    "/settings/rules/",
    "/settings/rules/new/",
    "/settings/rules/{rule}/",
    "/settings/rules/{rule}/versions/",
    "/settings/people/",
    "/settings/people/{person}/",
    "/settings/keys/",
    "/settings/webhooks/{webhook}/",
    "/settings/webhooks/{webhook}/sent/{sent}/",
    "/settings/trackers/{tracker}/",
    "/triage/{ticket}/issues/",
    "/settings/channels/",
    "/settings/places/",
    "/settings/places/lobby/",
    "/settings/places/lobby/poster/",
    "/settings/parked/?stage=deliver",
    "/triage/{ticket}/link_action/",
)
HOSTILE = '<img src=x onerror="document.title=1"> and_a_word_without_any_break_in_it_at_all_that_goes_on_and_on_and_on'


@pytest.fixture
def ines(transactional_db: None) -> User:
    return make_person("Ines", make_team("quality"), role=Role.ADMIN)


@pytest.fixture
def ticket(ines: User) -> Ticket:
    """Something on every page: an answered item with an action under way, a rule, a key, a parked mail."""
    now = timezone.now()
    made = make_ticket(HOSTILE, team=make_team("quality"), at=now - timedelta(hours=3), item_customer=make_customer())
    me = actor(ines)
    decide(made.reference, "accept", by=me, at=now)
    decide(made.reference, "reply", by=me, at=now, text="Which batch is printed below the tank?", wait=True)
    action = improvements.create(by=me, at=now, title=HOSTILE[:160], team="quality", owner=ines.email, problem=HOSTILE)
    made.refresh_from_db()
    improvements.link(action, made, by=me, at=now)
    Topic.objects.create(slug="leak", name="Leak", keywords=["drip", "wet"], team=made.team)
    when = {"field": "text", "op": "contains", "value": "leak"}
    definition = {"version": 1, "when": when, "then": [{"verb": "route", "team": "quality"}]}
    Rule.objects.create(name="Leaks", definition=definition)
    ApiKey.issue("Shop", scopes=["tickets:read"])
    make_channel("shop")
    form = Form.objects.get(slug="feedback")
    Place.objects.create(slug="lobby", name=HOSTILE[:120], form=form, languages=["en", "de"], exit_code="2468")
    kinds = ["ticket.resolved", "theme.grew"]
    told, _ = subscribers.create(
        {"name": HOSTILE[:120], "url": "https://crm.example.com/", "kinds": kinds}, by=me, at=now
    )
    sent = subscribers.test(told, by=me, at=now)
    AnnouncementTry.objects.create(announcement=sent, took_ms=900, status=500, answer=HOSTILE, trouble=HOSTILE)
    project = TrackerProject.objects.create(kind="jira", name=HOSTILE[:120], trouble=HOSTILE, failures=2)
    LinkedIssue.objects.create(
        project=project,
        ticket=made,
        key="KET-7",
        title=HOSTILE,
        status=HOSTILE[:120],
        linked_at=now,
        comments_until=now,
    )
    Notification.objects.update(parked_at=now, attempts=8, last_error=f"550 5.1.1 {HOSTILE}")
    return made


@pytest.fixture
def sign_in(live_server: Any) -> "Callable[[BrowserContext, User], BrowserContext]":
    def enter(context: "BrowserContext", person: User) -> "BrowserContext":
        client = Client()
        client.force_login(person)
        context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
        return context

    return enter


def addresses(ticket: Ticket, ines: User) -> list[str]:
    named = {
        "action": Action.objects.get().reference,
        "rule": str(Rule.objects.get().pk),
        "person": str(ines.pk),
        "ticket": ticket.reference,
        "webhook": str(Subscriber.objects.get().pk),
        "sent": str(Announcement.objects.get().pk),
        "tracker": str(TrackerProject.objects.get().pk),
    }
    return [address.format(**named) for address in PAGES]


def test_pages_are_accessible_and_fit(
    new_context: "Callable[..., BrowserContext]",
    sign_in: "Callable[[BrowserContext, User], BrowserContext]",
    assert_accessible_everywhere: "Callable[[Page], None]",
    ines: User,
    ticket: Ticket,
) -> None:
    page = sign_in(new_context(), ines).new_page()

    for address in addresses(ticket, ines):
        answer = page.goto(address)
        assert answer
        assert answer.status == 200, address
        assert_accessible_everywhere(page)
        assert page.title() != "1"


def test_a_customer_answers_and_rates_without_the_script(
    new_context: "Callable[..., BrowserContext]", ines: User, ticket: Ticket
) -> None:
    page = new_context(java_script_enabled=False).new_page()
    page.goto(f"/t/{receiving.tracking_token(ticket.item.submission)}/")
    page.get_by_label("Your answer").fill("H4-2231")
    page.get_by_role("button", name="Send to Ines").click()
    page.get_by_text("You added something").wait_for()
    ticket.refresh_from_db()
    assert ticket.status == "open"

    decide(ticket.reference, "resolve", by=actor(ines), at=timezone.now(), resolution="answered", reason="It is glued.")
    page.reload()
    page.locator("label", has_text="2").locator("input").check(force=True)
    page.get_by_role("button", name="Answer").click()

    page.get_by_text("We took it up again").wait_for()
    ticket.refresh_from_db()
    assert ticket.status == "open"


def test_an_action_goes_its_way_without_the_script(
    new_context: "Callable[..., BrowserContext]",
    sign_in: "Callable[[BrowserContext, User], BrowserContext]",
    ines: User,
    ticket: Ticket,
) -> None:
    page = sign_in(new_context(java_script_enabled=False), ines).new_page()
    page.goto(f"/triage/{ticket.reference}/link_action/")
    page.get_by_label("Or plan a new one").fill("Order better seals")
    with page.expect_navigation():
        page.get_by_role("button", name="Link", exact=True).click()
    page.goto("/actions/")
    page.get_by_role("link", name="Order better seals").click()
    page.get_by_role("button", name="Do", exact=True).click()
    page.get_by_label("What customers read").fill("Every machine has a better seal.")
    page.get_by_role("button", name="Ship it").click()

    page.get_by_text("has shipped. Tell those who told us").wait_for()
    page.goto(f"/actions/{Action.objects.get(title='Order better seals').reference}/tell/")
    page.get_by_role("button", name="Tell 1 customer").click()
    page.get_by_role("heading", name="Told on").wait_for()
    telling.tell_pending()
    ticket.refresh_from_db()
    assert (ticket.status, ticket.resolution) == ("resolved", "shipped")
