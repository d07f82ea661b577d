"""Under each chart stand its numbers, and they go out as CSV at the same address."""

import csv
import io
from collections.abc import Callable

import pytest
from django.test import Client

from feedback_portal.accounts.models import Role
from kpis.charts import Row, Table
from kpis.views import tables
from tests.kpis.conftest import season


@pytest.mark.django_db
def test_every_chart_of_a_page_gives_the_numbers_under_it(signed_in: Callable[..., Client]) -> None:
    season(10)
    browser = signed_in(Role.MANAGER)
    offered = {
        "/kpis/": ["flow", "steps", "resolution", "ages"],
        "/kpis/integration/": ["chart", "grid"],
        "/kpis/themes/": ["chart"],
        "/kpis/teams/": ["chart"],
        "/kpis/effects/": [],
    }
    for address, names in offered.items():
        page = browser.get(address, {"team": "quality"})
        for name in names:
            assert f"csv={name}" in page.content.decode()
            answer = browser.get(address, {"team": "quality", "csv": name})
            assert answer["Content-Type"].startswith("text/csv")
            rows = list(csv.reader(io.StringIO(answer.content.decode())))
            assert len(rows) > 1 or name == "chart", (address, name)
            assert all(len(row) == len(rows[0]) for row in rows)
            if name == "steps":
                assert f">{rows[1][1]}</td>" in page.content.decode()
        assert browser.get(address, {"csv": "another"}).status_code == 404


def test_no_cell_is_a_formula_and_numbers_stay_numbers() -> None:
    table = Table("Teams", ("Team", "Late"), (Row(("=cmd|' /C calc'!A0", "-3.5")), Row(("@SUM(1)", "+2.1%"))))

    assert b"".join(tables.lines(table)).decode().splitlines() == [
        "Team,Late",
        "'=cmd|' /C calc'!A0,-3.5",
        "'@SUM(1),+2.1%",
    ]
