"""Analysts read views of their own, in which every column is described and nobody is named."""

import pytest
from django.core.management import call_command
from django.db import connection

from kpis import analysts, recording
from kpis.definitions import definitions
from tests.kpis.town import NOW, WEEK, Town, fill, recount


@pytest.mark.django_db
def test_views_are_made_described_and_say_what_the_portal_says() -> None:
    fill(Town())
    recount()
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
            assert not {"name", "email", "text", "title"} & set(view.columns) - (
                {"name"} if name == "signals" else set()
            )
        cursor.execute("SELECT count(*) FILTER (WHERE rating_scale = 'csat5' AND rating_value >= 4) FROM analyst.items")
        satisfied = cursor.fetchone()[0]
        cursor.execute(
            "SELECT sum((parts->>'items')::int) FROM analyst.measurements WHERE kpi = 'items-received'"
            " AND team IS NULL AND channel IS NULL AND stage IS NULL"
        )
        received = cursor.fetchone()[0]
        cursor.execute("SELECT col_description('analyst.items'::regclass, 1)")
        described = cursor.fetchone()[0]

    assert satisfied == recording.read(definitions.get("csat"), WEEK, at=NOW).figure.numerator
    assert received == recording.read(definitions.get("items-received"), WEEK, at=NOW).figure.value
    assert described == analysts.VIEWS["items"].columns["item"]
    call_command("analyst_views", drop=True)
    with connection.cursor() as cursor:
        cursor.execute("SELECT to_regnamespace('analyst')")
        assert cursor.fetchone()[0] is None
