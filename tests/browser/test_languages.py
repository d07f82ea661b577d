"""From right to left the pages are mirrored: accessible, no wider than their screen, and with arrows that point along the line."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import pytest
from django.conf import settings
from django.test import Client

from feedback_portal.accounts.models import Role, User
from intake import receiving, surveys
from tests.makers import make_customer, make_person, make_team, make_ticket

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

STAFF = ("/own/", "/settings/channel-kinds/zendesk/", "/imports/")


@pytest.fixture
def ines(transactional_db: None) -> User:
    person = make_person("Ines", make_team("quality"), role=Role.ADMIN)
    User.objects.filter(pk=person.pk).update(language="ar", time_zone="Asia/Riyadh")
    return person


def test_pages_run_from_right_to_left(
    new_context: "Callable[..., BrowserContext]",
    assert_accessible_everywhere: "Callable[[Page], None]",
    ines: User,
    client: Client,
    live_server: Any,
) -> None:
    surveys.furnish()
    ticket = make_ticket("المقبض انكسر (Halden 2).", team=make_team("quality"), item_customer=make_customer())
    context = new_context(locale="ar")
    page = context.new_page()

    for path in ("/", f"/t/{receiving.tracking_token(ticket.item.submission)}/", "/sign-in/"):
        page.goto(path)
        assert page.evaluate("document.documentElement.dir") == "rtl"
        assert_accessible_everywhere(page)

    client.force_login(ines)
    cookie: Any = {"name": settings.SESSION_COOKIE_NAME, "value": client.cookies[settings.SESSION_COOKIE_NAME].value}
    context.add_cookies([cookie | {"url": live_server.url}])
    for path in STAFF:
        page.goto(path)
        assert page.locator(".rail").is_visible()
        assert page.evaluate("document.documentElement.dir") == "rtl"
        assert_accessible_everywhere(page)
    rail, main = page.locator(".rail").bounding_box(), page.locator("main").bounding_box()
    assert rail is not None
    assert main is not None
    assert rail["x"] > main["x"]
