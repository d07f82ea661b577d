"""Analysts read views of their own, in which every column is described and nobody is named."""

from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import ProgrammingError, connection, transaction

from feedback_portal.accounts.models import Role
from kpis import analysts, recording, reports
from kpis.definitions import definitions
from kpis.questions import ask
from tests.kpis.town import NOW, WEEK, Town, fill, recount
from tests.makers import actor, make_person


@pytest.mark.django_db
def test_views_are_made_described_and_say_what_the_portal_says() -> None:
    fill(Town())
    recount()
    lena = actor(make_person("Lena", role=Role.MANAGER))
    frozen = reports.freeze(ask({}, actor=lena, at=NOW), title="March", by=lena, at=NOW)
    call_command("analyst_views")
    call_command("analyst_views")  # again, which changes nothing

    with connection.cursor() as cursor:
        for name, view in analysts.VIEWS.items():
            cursor.execute(
                "SELECT column_name FROM information_schema.columns WHERE table_schema = 'analyst' AND table_name = %s"
                " ORDER BY ordinal_position",
                [name],
            )
            assert [column for (column,) in cursor.fetchall()] == list(view.columns)
            # What a series, a KPI or a report is called is no name of anybody.
            theirs = set() if name in {"signals", "definitions", "reports"} else {"name", "title"}
            assert not {"email", "text", *theirs} & set(view.columns)
        cursor.execute("SELECT count(*) FILTER (WHERE rating_scale = 'csat5' AND rating_value >= 4) FROM analyst.items")
        satisfied = cursor.fetchone()[0]
        cursor.execute(
            "SELECT sum((parts->>'items')::int) FROM analyst.measurements WHERE kpi = 'items-received'"
            " AND team IS NULL AND channel IS NULL AND stage IS NULL"
        )
        received = cursor.fetchone()[0]
        cursor.execute(
            "SELECT count(*) FROM analyst.reports JOIN analyst.definitions USING (kpi) WHERE version = definition_version"
        )
        in_reports = cursor.fetchone()[0]
        cursor.execute("SELECT col_description('analyst.items'::regclass, 1)")
        described = cursor.fetchone()[0]

    assert satisfied == recording.read(definitions.get("csat"), WEEK, at=NOW).figure.numerator
    assert received == recording.read(definitions.get("items-received"), WEEK, at=NOW).figure.value
    assert in_reports == frozen.rows.count()
    assert described == analysts.VIEWS["items"].columns["item"]
    call_command("analyst_views", drop=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('analyst')")
        assert cursor.fetchone()[0] is None


@pytest.mark.django_db
def test_a_reader_reads_the_views_and_nothing_else() -> None:
    with pytest.raises(CommandError, match="no role"):
        call_command("analyst_views", reader="nobody-of-this-name")
    with connection.cursor() as cursor:
        cursor.execute('CREATE ROLE "some reader" NOLOGIN')
        call_command("analyst_views", reader="some reader")
        cursor.execute('SET LOCAL ROLE "some reader"')
        for name in analysts.VIEWS:
            cursor.execute(f"SELECT count(*) FROM analyst.{name}")  # noqa: S608 - names of ours
        for refused in ("SELECT FROM intake_customer", "DELETE FROM analyst.definitions", "SELECT FROM kpis_reportrow"):
            with pytest.raises(ProgrammingError, match="permission denied"), transaction.atomic():
                cursor.execute(refused)
        cursor.execute("RESET ROLE")


def test_the_documentation_lists_every_column_as_it_is() -> None:
    written = (Path(__file__).parents[2] / "docs" / "analysts.md").read_text()
    for name, view in analysts.VIEWS.items():
        assert f"### analyst.{name}" in written
        for column, about in view.columns.items():
            assert f"| `{column}` | {about} |" in written, f"{name}.{column}"
