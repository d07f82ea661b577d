"""Amounts over ordered classes, standing: histograms, and stacks of a few series."""

import math
from dataclasses import dataclass

from django.utils.translation import gettext

from kpis.charts.paper import Paper, Scale, nice_ticks, rect
from kpis.charts.tables import Row, Table
from kpis.charts.units import COUNT, Unit

_HEIGHTS = {360: 226, 560: 234, 760: 240}
_LEFT, _RIGHT, _BOTTOM = 42, 8, 26
SERIES_MOST = 5


@dataclass(frozen=True)
class Column:
    """One class, with one amount for each series of the chart, from the ground up."""

    label: str
    values: tuple[float, ...]
    href: str = ""


@dataclass(frozen=True)
class ColumnChart:
    """With one series a histogram, with more a stack with its key above."""

    sentence: str
    series: tuple[str, ...]
    columns: tuple[Column, ...]
    unit: Unit = COUNT
    name: str = "Class"

    def __post_init__(self) -> None:
        if not 1 <= len(self.series) <= SERIES_MOST:
            raise ValueError(f"A stack has 1 to {SERIES_MOST} series; more cannot be told apart.")
        if any(len(column.values) != len(self.series) for column in self.columns):
            raise ValueError("Each column has one amount for each series.")

    def drawn(self, width: int) -> Paper:
        if not self.columns:
            return Paper.without_values(width, gettext("Nothing in this period."))
        paper = Paper(width, _HEIGHTS[width])
        top = 12.0
        if len(self.series) > 1:
            top += paper.key(self.series, [_css(series) for series in range(len(self.series))], left=_LEFT)
        bottom, right = paper.height - _BOTTOM, width - _RIGHT
        ticks = nice_ticks(0, max(sum(column.values) for column in self.columns), about=3)
        y = Scale(0, ticks[-1], bottom, top)
        for tick in ticks:
            paper.line(_LEFT, y(tick), right, y(tick), "chart-grid")
            paper.text(_LEFT - 8, y(tick) + 4, self.unit.tick(tick, step=ticks[1] - ticks[0]), anchor="end")
        room = (right - _LEFT) / len(self.columns)
        widest = max(paper.text_width(column.label) for column in self.columns)
        every = math.ceil((widest + 8) / room)
        for place, column in enumerate(self.columns):
            start = _LEFT + place * room
            gap = min(room * 0.16, 6)
            shapes = [rect(start, top, room, bottom - top, "chart-hit")]
            below = 0.0
            for series, value in enumerate(column.values):
                height = y(below) - y(below + value)
                shapes.append(rect(start + gap, y(below + value), room - 2 * gap, height, _css(series)))
                below += value
            # Columns too narrow for a finger are opened from the table.
            href = column.href if room >= paper.reach else ""
            tip = (start + room / 2, y(below))
            paper.mark(shapes, label=f"{column.label}: {self._told(column)}", href=href, tip=tip)
            if place % every == 0:
                half = paper.text_width(column.label) / 2
                paper.text(min(start + room / 2, width - half), bottom + 18, column.label, anchor="middle")
        return paper

    def table(self) -> Table:
        return Table(
            caption=self.sentence,
            columns=(self.name, *self.series),
            rows=tuple(
                Row((column.label, *map(self.unit.write, column.values)), column.href) for column in self.columns
            ),
        )

    def _told(self, column: Column) -> str:
        if len(self.series) == 1:
            return self.unit.write(column.values[0])
        return ", ".join(
            f"{name} {self.unit.write(value)}" for name, value in zip(self.series, column.values, strict=True)
        )


def _css(series: int) -> str:
    return f"chart-series-{series}"
