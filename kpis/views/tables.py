"""The numbers under a chart as a CSV file, at the address of the page with `csv=` and the chart's name."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils.translation import gettext

from feedback_portal.refusals import NotFound
from kpis.charts import Table
from kpis.exporting import FORMULA


class Pictured(Protocol):
    """What a page shows with a chart."""

    @property
    def table(self) -> Table: ...


class _Echo:
    """What the csv module writes to, handed on."""

    def write(self, line: str) -> bytes:
        return line.encode()


def page(
    request: HttpRequest, template: str, context: Mapping[str, Any], *, status: int = 200, **cards: Pictured | None
) -> HttpResponse:
    """The page, or the table of one of its charts where `csv` names it: the digits that stand under the chart."""
    name = request.GET.get("csv", "")
    if not name:
        return render(request, template, dict(context), status=status)
    card = cards.get(name)
    if card is None:
        raise NotFound(gettext("This page has no chart of this name. Open the table under the chart and take its CSV."))
    named = f"{request.path.strip('/').replace('/', '-')}-{name}.csv"
    return HttpResponse(b"".join(lines(card.table)), content_type=_CSV, headers=_headers(named))


def csv_file(pieces: Iterable[bytes], name: str) -> StreamingHttpResponse:
    return StreamingHttpResponse(pieces, content_type=_CSV, headers=_headers(name))


def lines(table: Table) -> Iterator[bytes]:
    """Its heading and rows; no cell is a formula to a spreadsheet, and a negative number stays a number."""
    writer = csv.writer(_Echo())
    for row in (table.columns, *(row.cells for row in table.rows)):
        yield writer.writerow(
            [f"'{cell}" if _FORMULA.match(cell) and not _NUMBER.match(cell) else cell for cell in row]
        )


def _headers(name: str) -> dict[str, str]:
    return {"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"}


_CSV: Final = "text/csv; charset=utf-8"
_FORMULA: Final = re.compile(FORMULA)
_NUMBER: Final = re.compile(r"[+-]?[\d.,]+ ?[%\w]*\Z")
