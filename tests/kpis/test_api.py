"""KPIs over the API: the contract's shapes, keys held to their team, numbers that are list lengths."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client
from django.utils import timezone

from feedback_portal.accounts.models import Scope
from kpis.definitions import definitions
from tests.kpis.conftest import SEASON, today
from tests.makers import make_team

pytestmark = pytest.mark.django_db

Bearing = Callable[..., Client]
URLS = ("/api/v1/kpis/", "/api/v1/kpis/csat/", "/api/v1/kpis/csat/items/")


def get(client: Client, url: str, status: int = 200) -> dict[str, Any]:
    response = client.get(url)
    assert response.status_code == status, response.content
    told: dict[str, Any] = response.json()
    return told


def references(client: Client, url: str) -> list[str]:
    found: list[str] = []
    cursor = ""
    while True:
        told = get(client, f"{url}&limit=10&cursor={cursor}")
        found += [item["reference"] for item in told["results"]]
        cursor = told["next"] or ""
        if not cursor:
            return found


@pytest.mark.parametrize("url", URLS)
def test_a_key_needs_the_scope(client: Client, bearing: Bearing, url: str) -> None:
    get(bearing(), url)
    get(bearing(Scope.TICKETS_READ, Scope.FEEDBACK_WRITE), url, 403)
    get(client, url, 401)


def test_the_list_tells_every_definition(bearing: Bearing) -> None:
    told = get(bearing(), "/api/v1/kpis/")
    assert {each["slug"] for each in told["results"]} == {kpi.slug for kpi in definitions.all()}
    assert all(each["definition"] and each["definition_version"] for each in told["results"])


@pytest.mark.usefixtures("a_season")
class TestASeason:
    """Written once for all of them, since it is much to write and none changes it."""

    @pytest.mark.parametrize("kpi", definitions.all(), ids=lambda kpi: kpi.slug)
    @pytest.mark.parametrize("group_by", ["team", "channel", "stage", "week"])
    def test_numbers_are_list_lengths_in_every_group(self, bearing: Bearing, kpi, group_by: str) -> None:  # type: ignore[no-untyped-def]
        client = bearing()
        told = get(client, f"/api/v1/kpis/{kpi.slug}/?group_by={group_by}")
        assert {"value", "numerator", "denominator", "n", "interval", "definition_version", "as_of"} <= set(told)
        assert told["groups"]
        for each in [told, *told["groups"]]:
            days = f"from={each['from']}&to={each['to']}"
            group = f"&{group_by}={each['group']}" if "group" in each and group_by != "week" else ""
            for side in ("numerator", "denominator"):
                found = references(client, f"/api/v1/kpis/{kpi.slug}/items/?side={side}&{days}{group}")
                assert len(found) == len(set(found)) == each[side]

    def test_a_teams_key_sees_its_team(self, bearing: Bearing) -> None:
        client = bearing(Scope.KPIS_READ, team=make_team("quality"))
        told = get(client, "/api/v1/kpis/items-received/?group_by=team")
        assert told["value"] == SEASON
        assert [group["group"] for group in told["groups"]] == ["quality"]
        assert len(references(client, "/api/v1/kpis/items-received/items/?side=numerator")) == SEASON
        for url in URLS[1:]:
            get(client, f"{url}?team=logistics", 404)

    def test_what_was_known_then_is_told_again(self, bearing: Bearing) -> None:
        client = bearing()
        moment = (timezone.now() - timedelta(days=5)).isoformat().replace("+00:00", "Z")
        told = get(client, f"/api/v1/kpis/items-received/?as_of={moment}&group_by=team")
        assert told["value"] == 9
        assert sum(group["value"] for group in told["groups"]) == 9
        assert len(references(client, f"/api/v1/kpis/items-received/items/?side=numerator&as_of={moment}")) == 9


@pytest.mark.parametrize(
    ("query", "path"),
    [("from=soon", "from"), ("to=2026-13-01", "to"), ("group_by=mood", "group_by"), ("as_of=2999-01-01", "as_of")],
)
def test_a_bad_parameter_is_named(bearing: Bearing, query: str, path: str) -> None:
    told = get(bearing(), f"/api/v1/kpis/csat/?{query}", 400)
    assert [error["path"] for error in told["errors"]] == [path]
    assert told["detail"].endswith(".")


def test_an_unknown_kpi_names_those_there_are(bearing: Bearing) -> None:
    assert "time-to-triage" in get(bearing(), "/api/v1/kpis/mood/", 404)["detail"]
    get(bearing(), f"/api/v1/kpis/csat/?from={today()}&stage=none", 404)


def test_the_schema_describes_the_endpoints(client: Client) -> None:
    response = client.get("/api/schema/?format=json")
    assert response.status_code == 200
    told = response.json()
    assert {"/api/v1/kpis/", "/api/v1/kpis/{slug}/", "/api/v1/kpis/{slug}/items/"} <= set(told["paths"])
    parameters = {each["name"] for each in told["paths"]["/api/v1/kpis/{slug}/"]["get"]["parameters"]}
    assert {"from", "to", "group_by", "as_of"} <= parameters
