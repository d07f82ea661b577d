"""What has to be told about the rows of a file: kept beside the import, given out as a table that can be corrected and sent again."""

import csv
import io
import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from intake.chunks import Notice
from intake.connectors.tables import FORMULA
from intake.models import Import, ImportNotice

# The columns that a report puts before those of the file; a file that begins with them is a report come back.
OURS = ("row", "column", "reason")
_AT_ONCE = 2000
_LONGEST_CELL = 5000


def keep(run: Import, notices: Sequence[Notice]) -> None:
    """Inside the transaction that stores the rows around them, so that an import gone on with tells nothing twice."""
    ImportNotice.objects.bulk_create(
        [
            ImportNotice(
                run=run,
                row=notice.row,
                kind=notice.kind,
                column=_line(notice.column)[:200],
                reason=_line(notice.reason),
                cells=[[_line(name), _line(cell)[:_LONGEST_CELL]] for name, cell in notice.cells.items()],
            )
            for notice in notices
        ]
    )


def lines(run: Import) -> Iterator[str]:
    """The report as CSV, piece by piece: the rows that were skipped, that failed, or of which something was left out."""
    columns: list[str] | None = None
    yield "\ufeff"  # tells spreadsheets that it is UTF-8
    for notice in _in_order(run):
        cells = dict(notice.cells)
        if columns is None:
            columns = list(cells)
            yield line([*OURS, *columns])
        known = [cells.pop(column, "") for column in columns]
        # A row of another shape, such as one with too many cells, keeps what no column is for at its end.
        yield line([str(notice.row), notice.column, notice.reason, *known, *cells.values()])


def write(run: Import, path: Path) -> None:
    """Customers wrote it, so only the portal's own account reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(
        path,
        "w",
        encoding="utf-8",
        errors="replace",
        newline="",
        opener=lambda name, flags: os.open(name, flags, 0o600),
    ) as file:
        file.writelines(lines(run))


def line(cells: Iterable[str]) -> str:
    """One line of CSV that no spreadsheet runs anything of."""
    written = io.StringIO()
    csv.writer(written).writerow([guarded(cell) for cell in cells])
    return written.getvalue()


def guarded(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula is opened as text."""
    return f"'{cell}" if FORMULA.match(cell) else cell


def _in_order(run: Import) -> Iterator[ImportNotice]:
    last = 0
    while found := list(ImportNotice.objects.filter(run=run, pk__gt=last).order_by("pk")[:_AT_ONCE]):
        yield from found
        last = found[-1].pk


def _line(text: str) -> str:
    """As the database can hold it."""
    return text.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
