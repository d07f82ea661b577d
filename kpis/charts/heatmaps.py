"""Shares of groups by step as a grid: five shades, and the share written in each cell, so that the shade only helps the eye."""

from collections.abc import Sequence
from dataclasses import dataclass

from django.utils.translation import gettext

from kpis.charts.paper import Paper, rect, text
from kpis.charts.tables import Row, Table
from kpis.charts.units import WHOLE_PERCENT, out_of

_ROW = 44
_SHADES = 5


@dataclass(frozen=True)
class Cell:
    """`share` from 0 to 1, or None where there is too little; `shown` is what stands in the cell."""

    share: float | None
    shown: str
    note: str = ""
    href: str = ""


@dataclass(frozen=True)
class HeatMap:
    sentence: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, tuple[Cell, ...]], ...]
    name: str = "Group"

    def __post_init__(self) -> None:
        if any(len(cells) != len(self.columns) for _, cells in self.rows):
            raise ValueError("Each row has a cell for each column.")

    def drawn(self, width: int) -> Paper:
        if not self.rows:
            return Paper.without_values(width, gettext("Nothing in this period."))
        # On a phone the names stand above their cells.
        is_stacked = width < 560
        paper = Paper(width, 20 + (_ROW + (20 if is_stacked else 0)) * len(self.rows))
        left = 0.0 if is_stacked else min(max(paper.text_width(name) for name, _ in self.rows) + 14, width * 0.28)
        room = (width - left) / len(self.columns)
        for place, column in enumerate(self.columns):
            words = paper.fitted(column, room - 4)
            paper.text(left + (place + 0.5) * room, 12, words, anchor="middle")
        top = 20.0
        for name, cells in self.rows:
            if is_stacked:
                paper.text(0, top + 14, paper.fitted(name, width), "chart-name")
                top += 20
            else:
                paper.text(0, top + _ROW / 2 + 4, paper.fitted(name, left - 10), "chart-name")
            for place, (column, cell) in enumerate(zip(self.columns, cells, strict=True)):
                x = left + place * room
                middle = x + room / 2
                shapes = [
                    rect(x + 1, top + 1, room - 2, _ROW - 2, f"chart-hit {_shade(cell.share)}", radius=3),
                    text(
                        middle, top + _ROW / 2 + 4, paper.fitted(cell.shown, room - 4), "chart-strong", anchor="middle"
                    ),
                ]
                label = f"{name}, {column}: {cell.shown}" + (f", {cell.note}" if cell.note else "")
                paper.mark(shapes, label=label, href=cell.href if room >= paper.reach else "")
            top += _ROW
        return paper

    def table(self) -> Table:
        return Table(
            self.sentence,
            (self.name, *self.columns),
            tuple(Row((name, *(cell.shown for cell in cells))) for name, cells in self.rows),
        )


def _shade(share: float | None) -> str:
    if share is None:
        return "chart-track"
    return f"chart-heat-{min(_SHADES - 1, int(share * _SHADES))}"


def cells(hits: Sequence[int], n: int, urls: Sequence[str]) -> tuple[Cell, ...]:
    """A row's cells from its counts: shares from ten on, before that how many of how many."""
    return tuple(
        Cell(
            None if n < 10 else each / n,
            "" if n == 0 else out_of(each, n) if n < 10 else WHOLE_PERCENT.write(each / n),
            out_of(each, n) if n >= 10 else "",
            url if each else "",
        )
        for each, url in zip(hits, urls, strict=True)
    )
