"""KPI pages: who sees what, and every number opens a list of exactly its length."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from urllib.parse import unquote

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Role
from kpis.definitions import definitions
from kpis.definitions.base import Kpi
from kpis.views.numbers import ITEMS_A_PAGE
from tests.kpis.conftest import SEASON, happened, recount, season, today
from tests.makers import make_channel, make_customer, make_person, make_team, make_ticket
from triage.models import ChangedDay, Event, Ticket

pytestmark = pytest.mark.django_db

SignIn = Callable[..., Client]
PAGES = ("/kpis/", "/kpis/csat/", "/kpis/csat/items/", "/kpis/backlog/")


def page(client: Client, url: str, status: int = 200) -> str:
    response = client.get(url)
    assert response.status_code == status, f"{url}: {response.status_code}"
    return response.content.decode()


def listed(client: Client, url: str) -> tuple[int, list[str]]:
    """What a list says it holds, and the references on all its pages."""
    found: list[str] = []
    following = url.replace("&amp;", "&")
    said = -1
    while following:
        html = page(client, following)
        count = re.search(r"<b>([\d,]+) (?:item|ticket)s?</b>", html)
        assert count is not None
        said = int(count[1].replace(",", ""))
        found += re.findall(r'href="/triage/\?item=(F-\d+)"', html)
        older = re.search(r'<div class="pager">.*?href="([^"]+)"', html)
        following = older[1].replace("&amp;", "&") if older else ""
    return said, found


@pytest.mark.parametrize("url", PAGES)
def test_whoever_is_not_signed_in_is_asked_to(client: Client, url: str) -> None:
    response = client.get(url)
    assert response.status_code == 302
    assert response["Location"].startswith("/sign-in/")


@pytest.mark.parametrize("url", PAGES)
@pytest.mark.parametrize(("role", "status"), [("agent", 403), ("lead", 200), ("manager", 200), ("admin", 200)])
def test_leads_and_above_see_kpis(signed_in: SignIn, url: str, role: str, status: int) -> None:
    client = signed_in(role, make_team("quality"))
    html = page(client, url, status)
    assert ("Ask an administrator" in html) == (status == 403)


@pytest.mark.parametrize("url", PAGES)
def test_another_team_does_not_exist_for_a_lead(signed_in: SignIn, url: str) -> None:
    make_team("logistics")
    client = signed_in(Role.LEAD, make_team("quality"))
    page(client, f"{url}?team=quality")
    page(client, f"{url}?team=logistics", 404)
    page(client, f"{url}?team=nobody", 404)


def test_a_lead_of_no_team_is_told_whom_to_ask(signed_in: SignIn) -> None:
    assert "You lead no team yet" in page(signed_in(Role.LEAD), "/kpis/", 403)


@pytest.mark.usefixtures("a_season")
class TestASeason:
    """What one season of feedback shows: written once, since it is much to write."""

    def test_a_lead_sees_the_numbers_of_their_team_only(self, signed_in: SignIn) -> None:
        client = signed_in(Role.LEAD, make_team("quality"))
        said, found = listed(client, "/kpis/items-received/items/")
        assert said == len(found) == SEASON
        teams = Ticket.objects.filter(pk__in=[int(reference[2:]) - 20_000 for reference in found])
        assert {ticket.team.slug for ticket in teams} == {"quality"}
        said, found = listed(client, "/kpis/backlog/")
        assert said == len(found) == Ticket.objects.open().filter(team__slug="quality").count()

    @pytest.mark.parametrize(
        "filters", ["", "?team=logistics", "?channel=desk", "?team=logistics&channel=form", "?stage=quality"]
    )
    def test_every_number_on_the_dashboard_opens_exactly_its_items(self, signed_in: SignIn, filters: str) -> None:
        client = signed_in()
        html = page(client, f"/kpis/{filters}")
        links = dict.fromkeys(
            re.findall(r'<a class="lk" href="([^"]+(?:items|backlog)/[^"]*)">(?:See )?([\d,]+)(?: items| open|<)', html)
        )
        steps = re.findall(r'href="([^"]+(?:items|backlog)/[^"]*)" aria-label="[^":]+: ([\d,]+)', html)
        assert len(links) >= 3
        assert len(set(steps)) >= 5
        for url, number in {*links, *steps}:
            said, found = listed(client, url)
            assert said == len(found) == len(set(found)) == int(number.replace(",", "")), unquote(url)

    def test_an_item_that_came_later_is_not_in_the_list_of_an_earlier_number(self, signed_in: SignIn) -> None:
        client = signed_in()
        url = re.search(r'href="(/kpis/items-received/items/[^"]+)"', page(client, "/kpis/items-received/"))
        assert url is not None
        make_ticket(at=timezone.now())
        recount(1)
        assert listed(client, url[1])[0] == 3 * SEASON
        assert listed(client, "/kpis/items-received/items/")[0] == 3 * SEASON + 1

    def test_filters_stand_in_the_address_and_can_be_taken_away(self, signed_in: SignIn) -> None:
        html = page(signed_in(), f"/kpis/?from={today() - timedelta(days=9)}&team=quality&channel=desk")
        removed = re.findall(r'href="(/kpis/\?[^"]*)">.{0,160}Take away the (\w+) filter', html, re.DOTALL)
        assert {name: "team=" in url for url, name in removed} == {"period": True, "team": False, "channel": True}
        assert all("from=" in url for url, name in removed if name != "period")

    def test_numbers_that_are_being_counted_again_say_so(self, signed_in: SignIn) -> None:
        client = signed_in()
        assert "being counted again" not in page(client, "/kpis/")
        ChangedDay.objects.create(day=today())
        assert "1 day of this period changed a moment ago" in page(client, "/kpis/")

    @pytest.mark.parametrize("url", [*PAGES, "/kpis/time-to-resolution/"])
    @pytest.mark.parametrize("filters", ["", "?team=quality&channel=desk"])
    def test_more_items_need_no_more_queries(self, signed_in: SignIn, url: str, filters: str) -> None:
        client = signed_in()
        page(client, url + filters)
        with CaptureQueriesContext(
            connection,
        ) as few:
            page(client, url + filters)
        season()
        with CaptureQueriesContext(connection) as many:
            page(client, url + filters)
        assert len(many) == len(few) <= 40

    @pytest.mark.parametrize(
        "filters", ["", "?team=quality", "?channel=desk&stage=quality", "?team=quality&channel=desk&stage=quality"]
    )
    def test_the_dashboard_reads_what_was_measured_and_counts_no_items(self, signed_in: SignIn, filters: str) -> None:
        client = signed_in()
        with CaptureQueriesContext(connection) as queries:
            page(client, f"/kpis/{filters}")
        tables = ("intake_feedbackitem", "triage_event", "triage_actionlink")
        assert [each["sql"] for each in queries if any(table in each["sql"] for table in tables)] == []

    def test_a_lead_of_two_teams_asks_about_one_at_a_time(self, signed_in: SignIn) -> None:
        client = signed_in(Role.LEAD, make_team("quality"), make_team("logistics"))
        assert "<p>Logistics, all channels." in page(client, "/kpis/")
        assert "<p>Quality, all channels." in page(client, "/kpis/?team=quality")


class TestNumbersAndTheirItems:
    """On one season for all KPIs, since it is much to write and none of them changes it."""

    @pytest.fixture(scope="class", autouse=True)
    @classmethod
    def world(cls, a_season: None, django_db_blocker: Any) -> None:
        with django_db_blocker.unblock():
            outcomes()

    @pytest.mark.parametrize("kpi", definitions.all(), ids=lambda kpi: kpi.slug)
    def test_every_number_of_a_kpi_opens_exactly_its_items(self, signed_in: SignIn, kpi: Kpi) -> None:
        client = signed_in()
        html = page(client, f"/kpis/{kpi.slug}/?from={today() - timedelta(days=60)}&to={today()}")
        assert kpi.definition.replace("'", "&#x27;") in html
        links = re.findall(r'<a class="lk" href="([^"]+/items/[^"]*)">([\d,]+)(?: items?<|<)', html)
        assert len(links) >= 5  # a side at least, two teams, two channels
        for url, number in links:
            said, found = listed(client, url)
            assert said == len(found) == int(number.replace(",", "")), unquote(url)


def outcomes() -> None:
    """What a season of ratings and decisions has none of: other scales, and outcomes that were told, came back, or were proposed."""
    by = make_person("Tariq")
    for team, channel in (("quality", "desk"), ("logistics", "form")):
        for scale, value in (("ces7", 6), ("stars5", 4)):
            make_ticket(
                team=make_team(team),
                at=timezone.now() - timedelta(hours=5),
                item_channel=make_channel(channel),
                item_rating_scale=scale,
                item_rating_value=value,
            )
        old = make_ticket(
            team=make_team(team),
            at=timezone.now() - timedelta(days=50),
            item_channel=make_channel(channel),
            item_customer=make_customer("Bo"),
        )
        Event.objects.create(
            item=old.item,
            ticket=old,
            type="triaged",
            source="person",
            person=by,
            data={"kept": True, "proposed_by": "topic"},
            occurred_at=old.received_at,
            recorded_at=old.received_at,
        )
        for hours, kind in enumerate(("resolved", "customer_told")):
            happened(old, kind, after=timedelta(hours=hours + 1))
    recount(52)


def test_a_long_list_goes_on_over_pages_without_gap_or_repeat(signed_in: SignIn) -> None:
    at = timezone.now() - timedelta(hours=1)
    for number in range(ITEMS_A_PAGE + 3):
        # Half of them at one moment, so that the key has to tell them apart.
        make_ticket(at=at - timedelta(minutes=number // 2))
    said, found = listed(signed_in(), "/kpis/items-received/items/")
    assert said == len(found) == len(set(found)) == ITEMS_A_PAGE + 3


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("/kpis/?from=yesterday", "Write the day as year, month and day"),
        ("/kpis/?from=2026-03-02&to=2026-03-01", "Swap the two days"),
        ("/kpis/csat/?to=31.3.2026", "Write the day as year, month and day"),
        ("/kpis/csat/items/?side=both", "Write `side` as one of"),
        ("/kpis/csat/items/?as_of=later", "Write a day as"),
        ("/kpis/csat/items/?cursor=x", "not one of ours"),
        ("/kpis/backlog/?band=old", "Write `band` as one of"),
    ],
)
def test_what_cannot_be_asked_is_answered_with_what_can(signed_in: SignIn, url: str, said: str) -> None:
    assert said in page(signed_in(), url, 400)


@pytest.mark.parametrize("url", ["/kpis/nothing/", "/kpis/nothing/items/", "/kpis/?channel=none", "/kpis/?stage=none"])
def test_what_is_not_there_is_not_found(signed_in: SignIn, url: str) -> None:
    page(signed_in(), url, 404)


def test_an_empty_portal_says_what_to_do_next(signed_in: SignIn) -> None:
    html = page(signed_in(), "/kpis/")
    assert "Nothing has been measured yet" in html
    assert "import a file" in html


def test_a_hostile_headline_stays_text(signed_in: SignIn) -> None:
    make_ticket("<script>alert(1)</script>", at=timezone.now() - timedelta(hours=1))
    html = page(signed_in(), "/kpis/items-received/items/")
    assert "<script>alert" not in html
    assert "&lt;script&gt;alert" in html
