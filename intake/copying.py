"""Many rows into one table at once: PostgreSQL's COPY, inside the caller's transaction."""

import io
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection


def copy_rows(table: str, columns: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Append rows to a table; every column without a default of the database's own must be there. Constraints hold as for
    any insert, and the first broken one fails the statement."""
    lines = "".join(["\t".join([_CELLS[type(cell)](cell) for cell in row]) + "\n" for row in rows])
    names = ", ".join(f'"{column}"' for column in columns)
    with connection.cursor() as cursor:
        cursor.copy_expert(f'COPY "{table}" ({names}) FROM STDIN', io.StringIO(lines))


def _text(cell: str) -> str:
    if "\\" in cell:
        cell = cell.replace("\\", "\\\\")
    return cell.replace("\n", "\\n").replace("\r", "\\r").replace("\t", "\\t")


# Times are in UTC or carry their offset; JSON is text to PostgreSQL like any other.
_CELLS: Mapping[type, Callable[[Any], str]] = {
    type(None): lambda cell: "\\N",
    str: _text,
    bytes: lambda cell: "\\\\x" + cell.hex(),
    bool: lambda cell: "t" if cell else "f",
    int: str,
    Decimal: str,
    UUID: str,
    date: date.isoformat,
    datetime: datetime.isoformat,
    dict: lambda cell: _text(json.dumps(cell, ensure_ascii=False)) if cell else "{}",
}
