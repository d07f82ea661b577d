"""How many tickets several searches find, in one statement, each up to a bound and all within a bounded time."""

from collections.abc import Sequence
from typing import Any, Final

from django.core.exceptions import EmptyResultSet
from django.db import OperationalError, connection, transaction
from django.db.models import QuerySet

from triage.models import Ticket

MOST: Final = 1_000
PATIENCE_MS: Final = 400
"""A count is a convenience: no page waits longer for it."""


def counts(searches: Sequence[QuerySet[Ticket]], *, most: int = MOST) -> list[int | None]:
    """One number a search, at most `most`; None for all of them where that would take too long."""
    asked: list[tuple[str, tuple[Any, ...]]] = []
    for found in searches:
        try:
            inner = found.order_by().values("pk")[:most].query.sql_with_params()
        except EmptyResultSet:
            inner = ("SELECT 1 WHERE false", ())
        asked.append(inner)
    if not asked:
        return []
    wanted = ", ".join(f"(SELECT count(*) FROM ({sql}) found{place})" for place, (sql, _) in enumerate(asked))  # noqa: S608 -- by Django
    try:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("SELECT set_config('statement_timeout', %s, true)", [str(PATIENCE_MS)])
            cursor.execute(f"SELECT {wanted}", [value for _, given in asked for value in given])
            found_counts: list[int | None] = list(cursor.fetchone())
            cursor.execute("SELECT set_config('statement_timeout', '0', true)")
    except OperationalError:
        return [None] * len(asked)
    return found_counts
