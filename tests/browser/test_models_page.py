"""In a browser: fifty corrections are made, the page shows what came of them, and one click goes back."""

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest
from django.test import Client

from tests.bakery import arrive, chance, correct, found_right, mixed, open_bakery, train
from tests.makers import actor, make_person
from triage.models import ModelVersion, Refinement
from triage.understanding import learned

if TYPE_CHECKING:
    from playwright.sync_api import BrowserContext, Page

expect = pytest.importorskip("playwright.sync_api").expect
pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(autouse=True)
def no_encoder(settings: Any) -> Iterator[None]:
    settings.ENCODER = False
    chance.seed(7)
    yield
    learned._held.clear()


def test_corrections_lead_to_a_better_model_and_a_click_leads_back(
    new_context: "Callable[..., BrowserContext]",
    assert_accessible_everywhere: "Callable[[Page], None]",
    live_server: Any,
) -> None:
    open_bakery()
    admin = make_person("Aya", role="admin")
    later = mixed(24)
    before = found_right(arrive(later), later)
    slugs = mixed(50)
    correct(arrive(slugs), slugs, actor(admin))
    train()
    assert found_right(arrive(later), later) > before
    context = new_context()
    client = Client()
    client.force_login(admin)
    context.add_cookies([{"name": "session", "value": client.cookies["session"].value, "url": live_server.url}])
    page = context.new_page()
    page.goto("/settings/models/")
    newest = ModelVersion.objects.active().get(field="topic")
    topics = page.locator("#topic")
    topics.get_by_text(f"Version {newest.pk} is in use").wait_for()
    expect(topics.get_by_role("heading", name="Learning curve")).to_be_visible()
    assert_accessible_everywhere(page)

    topics.get_by_role("button", name="Go back to it").click()

    page.get_by_text("It stays until you let it go.").wait_for()
    expect(topics.get_by_text("pinned", exact=True)).to_be_visible()
    assert ModelVersion.objects.active().get(field="topic").corrections == 0
    assert Refinement.objects.exists()
    assert_accessible_everywhere(page)
