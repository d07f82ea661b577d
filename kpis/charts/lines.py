"""A value over time: the line, the limits it should keep, and the points that left them."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Literal

from django.utils.safestring import SafeString
from django.utils.translation import gettext, pgettext

from feedback_portal.marking import marked
from kpis.charts.paper import Paper, Scale, circle, diamond, nice_ticks, polyline, rect, text
from kpis.charts.tables import Row, Table
from kpis.charts.units import Unit

_HEIGHTS = {360: 236, 560: 244, 760: 250}
_BOTTOM = 26
_ALONE = 8


@dataclass(frozen=True)
class Point:
    """One period of the series. `note` is read after the value, as in "58 of 10,540 orders"; `href` opens its items."""

    label: str
    value: float | None
    lower: float | None = None
    upper: float | None = None
    short_label: str = ""
    note: str = ""
    href: str = ""
    is_signal: bool = False
    is_complete: bool = True


@dataclass(frozen=True)
class Annotation:
    """Something that happened at the point `at`; between two points with a fraction. `brief` is drawn where `text` is too long to be."""

    at: float
    text: str
    href: str = ""
    brief: str = ""


@dataclass(frozen=True)
class LineChart:
    """Points with the band between their lower and upper values: control limits (dashed edges) or an interval."""

    sentence: str
    unit: Unit
    points: tuple[Point, ...]
    centre: float | None = None
    band: Literal["limits", "interval"] = "limits"
    annotations: tuple[Annotation, ...] = ()
    end_note: str = ""
    starts_at_zero: bool = True
    # Marked words, or words already said.
    names: tuple[str, str] = (marked("Period"), marked("Value"))

    def drawn(self, width: int) -> Paper:
        if all(point.value is None for point in self.points):
            return Paper.without_values(width, gettext("No values in this period."))
        return _Drawing(self, Paper(width, _HEIGHTS[width])).paper

    def table(self) -> Table:
        is_limits = self.band == "limits"
        low = gettext("Lower limit") if is_limits else pgettext("end of an interval", "Low")
        high = gettext("Upper limit") if is_limits else pgettext("end of an interval", "High")
        return Table(
            caption=self.sentence,
            columns=(*(gettext(name) for name in self.names), low, high, gettext("Note")),
            rows=tuple(
                Row(
                    (point.label, *map(self.unit.write, (point.value, point.lower, point.upper)), _remark(point)),
                    point.href,
                )
                for point in self.points
            ),
        )


@dataclass(frozen=True)
class _Annotated:
    """An annotation with its words as they fit, from `starts` to `ends`, beside its line at `x`."""

    annotation: Annotation
    words: str
    x: float
    at_right: bool
    starts: float
    ends: float
    row: int


class _Drawing:
    def __init__(self, chart: LineChart, paper: Paper) -> None:
        self.chart, self.paper = chart, paper
        values = [
            value for point in chart.points for value in (point.value, point.lower, point.upper) if value is not None
        ]
        if chart.starts_at_zero:
            values.append(0.0)
        self.ticks = nice_ticks(min(values), max(values))
        self.bottom = paper.height - _BOTTOM
        step = self.ticks[1] - self.ticks[0]
        self.ticks_told = [chart.unit.tick(tick, step=step) for tick in self.ticks]
        self.left = min(max(map(paper.text_width, self.ticks_told)) + 14, paper.width / 4)
        self.right = paper.width - self._label_room()
        # A single point stands in the middle rather than on the axis.
        last = len(chart.points) - 1
        self.x = Scale(0, last, self.left, self.right) if last else Scale(-1, 1, self.left, self.right)
        self.annotated = self._in_rows()
        self.top = 12 + self._annotation_row() * (1 + max((each.row for each in self.annotated), default=-1))
        self.y = Scale(self.ticks[0], self.ticks[-1], self.bottom, self.top)
        self._draw_grid()
        self._draw_band()
        self._draw_annotations()
        self._draw_line()
        self._draw_points()
        self._draw_labels()

    def _label_room(self) -> float:
        labels = [words for words, _, _ in self._labels()]
        return min(max(map(self.paper.text_width, labels), default=0) + 16, self.paper.width * 0.4)

    def _labels(self) -> list[tuple[str, float, str]]:
        """(words, value, class) of what stands right of the line, at the height of the value."""
        chart, write = self.chart, self.chart.unit.write
        labels = []
        last = _last(chart.points, lambda point: point.value)
        if last is not None and last.value is not None:
            words = f"{write(last.value)} {chart.end_note}".strip()
            labels.append((words, last.value, "chart-signal-text" if last.is_signal else "chart-strong"))
        if chart.band == "limits":
            is_narrow = self.paper.is_narrow
            above = gettext("Upper %(limit)s") if is_narrow else gettext("Upper limit %(limit)s")
            below = gettext("Lower %(limit)s") if is_narrow else gettext("Lower limit %(limit)s")
            highest, lowest = (
                _last(chart.points, lambda point: point.upper),
                _last(chart.points, lambda point: point.lower),
            )
            if highest is not None and highest.upper is not None:
                labels.append((above % {"limit": write(highest.upper)}, highest.upper, ""))
            if chart.centre is not None:
                labels.append((gettext("Centre %(value)s") % {"value": write(chart.centre)}, chart.centre, ""))
            if lowest is not None and lowest.lower is not None and lowest.lower != 0:
                labels.append((below % {"limit": write(lowest.lower)}, lowest.lower, ""))
        return labels

    def _draw_grid(self) -> None:
        for tick, told in zip(self.ticks, self.ticks_told, strict=True):
            y = self.y(tick)
            self.paper.line(self.left, y, self.right, y, "chart-grid")
            self.paper.text(self.left - 8, y + 4, self.paper.fitted(told, self.left - 8), anchor="end")

    def _draw_band(self) -> None:
        chart = self.chart
        for run in _runs(chart.points, lambda point: point.lower is not None and point.upper is not None):
            # A point between gaps has no neighbour to reach; its band is given a little width of its own.
            aside = (-_ALONE, _ALONE) if len(run) == 1 else (0,)
            upper = [(self.x(place) + dx, self.y(point.upper or 0)) for place, point in run for dx in aside]
            lower = [(self.x(place) + dx, self.y(point.lower or 0)) for place, point in run for dx in aside]
            self.paper.path(polyline([*upper, *reversed(lower)]) + "Z", "chart-band")
            if chart.band == "limits":
                self.paper.path(polyline(upper), "chart-limit")
                self.paper.path(polyline(lower), "chart-limit")
        if chart.centre is not None:
            self.paper.line(self.left, self.y(chart.centre), self.right, self.y(chart.centre), "chart-centre")

    def _draw_line(self) -> None:
        for run in _runs(self.chart.points, lambda point: point.value is not None):
            self.paper.path(polyline((self.x(place), self.y(point.value or 0)) for place, point in run), "chart-line")

    def _draw_points(self) -> None:
        """Points; of those that can be opened, only as many as fingers can tell apart. The table opens them all."""
        points = self.chart.points
        step = (self.right - self.left) / max(len(points) - 1, 1)
        opened = self._opened(step)
        for place, point in enumerate(points):
            if point.value is None:
                continue
            x, y = self.x(place), self.y(point.value)
            shapes: list[SafeString] = [rect(x - step / 2, self.top, step, self.bottom - self.top, "chart-hit")]
            if point.is_signal:
                shapes.append(diamond(x, y, 5.5, "chart-signal"))
            elif not point.is_complete:
                shapes.append(circle(x, y, 3, "chart-hollow"))
            else:
                shapes.append(circle(x, y, 2.4, "chart-dot"))
            words = f"{point.label}: {self.chart.unit.write(point.value)}"
            label = ". ".join(part for part in (words, _remark(point)) if part)
            self.paper.mark(shapes, label=label, href=point.href if place in opened else "", tip=(x, y))

    def _opened(self, step: float) -> set[int]:
        points = self.chart.points
        apart = self.paper.reach / step if step else 0
        chosen: list[int] = []
        newest_first = range(len(points) - 1, -1, -1)
        for place in sorted(newest_first, key=lambda place: not points[place].is_signal):
            if points[place].href and all(abs(place - other) >= apart for other in chosen):
                chosen.append(place)
        return set(chosen)

    def _annotation_row(self) -> float:
        """High enough to be hit if one opens."""
        opens = any(annotation.href for annotation in self.chart.annotations)
        return self.paper.reach if opens else self.paper.text_size + 3

    def _in_rows(self) -> "list[_Annotated]":
        """Above the plot, each in the first row that has room for its words, so that many leave height for the line."""
        placed: list[_Annotated] = []
        for annotation in self.chart.annotations:
            x = self.x(annotation.at)
            at_right = x > (self.left + self.right) / 2
            words = self.paper.fitted(
                annotation.brief or annotation.text, (x if at_right else self.paper.width - x) - 6
            )
            width = self.paper.text_width(words)
            starts = x - 6 - width if at_right else x + 6
            taken = {each.row for each in placed if each.starts < starts + width + 10 and starts < each.ends + 10}
            row = next(row for row in range(len(placed) + 1) if row not in taken)
            placed.append(_Annotated(annotation, words, x, at_right, starts, starts + width, row))
        return placed

    def _draw_annotations(self) -> None:
        row = self._annotation_row()
        for each in self.annotated:
            x, height = each.x, 12 + each.row * row
            self.paper.line(x, height - 8, x, self.bottom, "chart-when")
            self.paper.mark(
                [
                    rect(each.starts, height - 4 - row / 2, each.ends - each.starts, row, "chart-hit"),
                    text(
                        x - 6 if each.at_right else x + 6,
                        height,
                        each.words,
                        "chart-when-text",
                        anchor="end" if each.at_right else "start",
                    ),
                ],
                label=each.annotation.text,
                href=each.annotation.href,
                tip=(x, height + row) if each.annotation.brief else None,
            )

    def _draw_labels(self) -> None:
        labels = self._labels()
        heights = self.paper.spread(
            [self.y(value) + 4 for _, value, _ in labels], top=self.top + 4, bottom=self.bottom + 4
        )
        for (words, _, css), height in zip(labels, heights, strict=True):
            self.paper.text(self.right + 10, height, self.paper.fitted(words, self.paper.width - self.right - 10), css)
        self._draw_periods()

    def _draw_periods(self) -> None:
        """The oldest label in full, then from the newest back every so many that they have room."""
        points, paper = self.chart.points, self.paper
        y = self.bottom + 18
        first = paper.fitted(points[0].label, paper.width / 2)
        paper.text(max(self.x(0) - 12, 0), y, first)
        taken = max(self.x(0) - 12, 0) + paper.text_width(first) + 10
        step = (self.right - self.left) / max(len(points) - 1, 1)
        widest = max(paper.text_width(point.short_label or point.label) for point in points)
        for place in range(len(points) - 1, 0, -math.ceil((widest + 14) / step)):
            words = points[place].short_label or points[place].label
            half = paper.text_width(words) / 2
            middle = min(self.x(place), paper.width - half)
            if middle - half >= taken:
                paper.text(middle, y, words, anchor="middle")


def _runs(points: Sequence[Point], has: Callable[[Point], bool]) -> Iterator[list[tuple[int, Point]]]:
    """Neighbours that have what is drawn; the line breaks where one has not."""
    for drawn, run in groupby(enumerate(points), key=lambda pair: has(pair[1])):
        if drawn:
            yield list(run)


def _last(points: Sequence[Point], value: Callable[[Point], float | None]) -> Point | None:
    return next((point for point in reversed(points) if value(point) is not None), None)


def _remark(point: Point) -> str:
    remarks = (
        point.note,
        gettext("Outside its limits") if point.is_signal else "",
        "" if point.is_complete else gettext("Not complete yet"),
    )
    return ". ".join(remark for remark in remarks if remark)
