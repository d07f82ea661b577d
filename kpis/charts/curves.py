"""How many are done after how long, counting those still open: Kaplan-Meier curves, turned to rise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from django.utils.translation import gettext, pgettext

from kpis.charts.paper import Paper, Scale, circle, nice_ticks, number
from kpis.charts.tables import Row, Table
from kpis.charts.units import PERCENT, WHOLE_DAYS, WHOLE_PERCENT, Unit
from kpis.statistics.survival import SurvivalCurve

_HEIGHTS = {360: 244, 560: 250, 760: 262}
_LEFT, _TOP, _BOTTOM = 48, 12, 26
_LEVELS = (0.0, 0.5, 0.9, 1.0)


@dataclass(frozen=True)
class Step:
    """From `time` on, the share `share` is done; `low` and `high` are its band."""

    time: float
    share: float
    low: float | None = None
    high: float | None = None


@dataclass(frozen=True)
class Curve:
    """`ends_at` is the longest time anything was watched for; beyond it nothing is known."""

    name: str
    steps: tuple[Step, ...]
    ends_at: float
    is_previous: bool = False

    @classmethod
    def of(cls, name: str, survival: SurvivalCurve, *, per: float = 1.0, is_previous: bool = False) -> Self:
        """The share done, from the share still waiting; `per` times make one unit of the axis (24 for hours to days)."""
        return cls(
            name,
            tuple(
                Step(
                    step["time"] / per,
                    1 - step["survival"],
                    None if step["high"] is None else 1 - step["high"],
                    None if step["low"] is None else 1 - step["low"],
                )
                for step in survival["table"]
            ),
            (survival["longest"] or 0.0) / per,
            is_previous,
        )

    def first_time(self, share: float) -> float | None:
        return next((step.time for step in self.steps if step.share >= share - 1e-12), None)


@dataclass(frozen=True)
class CurveMark:
    """A finding on the curve, such as "Half resolved in 8 days, was 11"."""

    time: float
    share: float
    text: str
    href: str = ""


@dataclass(frozen=True)
class CurveChart:
    """`horizon` cuts the axis; without it the axis ends with the longest curve."""

    sentence: str
    curves: tuple[Curve, ...]
    marks: tuple[CurveMark, ...] = ()
    unit: Unit = WHOLE_DAYS
    horizon: float | None = None

    def drawn(self, width: int) -> Paper:
        ends = [curve.ends_at for curve in self.curves if curve.ends_at > 0]
        if not ends:
            return Paper.without_values(width, gettext("Nothing to time in this period."))
        paper = Paper(width, _HEIGHTS[width])
        ticks = nice_ticks(0, min(max(ends), self.horizon or max(ends)), about=3 if paper.is_narrow else 4)
        bottom, right = paper.height - _BOTTOM, width - 22
        x, y = Scale(0, ticks[-1], _LEFT, right), Scale(0, 1, bottom, _TOP)
        for level in _LEVELS:
            paper.line(_LEFT, y(level), right, y(level), "chart-grid")
            # 90% and 100% stand close; on the narrow paper their labels would touch.
            if level != 1.0 or y(0.9) - y(1.0) > paper.text_size + 3:
                paper.text(_LEFT - 8, y(level) + 4, WHOLE_PERCENT.write(level), anchor="end")
        for tick in ticks:
            is_last = tick == ticks[-1]
            words = self.unit.tick(tick, step=ticks[1] - ticks[0])
            words = words if is_last else words.removesuffix(self.unit.ending)
            half = paper.text_width(words) / 2
            paper.text(min(x(tick), width - half), bottom + 18, words, anchor="middle")
        for curve in sorted(self.curves, key=lambda curve: not curve.is_previous):
            _draw_curve(paper, curve, x=x, y=y)
        self._draw_key(paper, right=right, bottom=bottom)
        self._draw_marks(paper, x=x, y=y, right=right)
        return paper

    def table(self) -> Table:
        rows = []
        for curve in self.curves:
            for step in _told(curve.steps):
                cells = (curve.name, self.unit.write(step.time), *map(PERCENT.write, (step.share, step.low, step.high)))
                rows.append(Row(cells))
        return Table(
            self.sentence,
            (
                gettext("Period"),
                gettext("Within"),
                gettext("Share done"),
                pgettext("end of an interval", "Low"),
                pgettext("end of an interval", "High"),
            ),
            tuple(rows),
        )

    def _draw_key(self, paper: Paper, *, right: float, bottom: float) -> None:
        """Which line is which, in the corner that a rising curve leaves free."""
        if len(self.curves) < 2:
            return
        start = right - max(paper.text_width(curve.name) for curve in self.curves) - 26
        for place, curve in enumerate(reversed(self.curves)):
            height = bottom - 10 - place * (paper.text_size + 5)
            paper.line(start, height - 4, start + 18, height - 4, _line_class(curve))
            paper.text(start + 26, height, curve.name)

    def _draw_marks(self, paper: Paper, *, x: Scale, y: Scale, right: float) -> None:
        for place, mark in enumerate(self.marks):
            at, level = x(mark.time), y(mark.share)
            # Below and to the right of a rising curve there is room; each further mark hangs a little lower.
            width = paper.text_width(mark.text)
            start = max(min(at + 22, right - width), _LEFT + 4)
            height = level + 26 + 8 * place
            paper.line(at + 3, level + 4, max(start - 2, at + 5) if start > at else at + 5, height - 9, "chart-leader")
            paper.mark(
                [
                    circle(at, level, 12, "chart-hit"),
                    circle(at, level, 3.6, "chart-dot chart-ringed"),
                ],
                label=mark.text,
                href=mark.href,
            )
            paper.text(start, height, mark.text, "chart-strong")


def _told(steps: Sequence[Step]) -> Sequence[Step]:
    """The steps that reach another twentieth, and the last: hundreds of rows would tell no more."""
    told = []
    reached = -1
    for step in steps:
        level = math.floor(step.share * 20 + 1e-9)
        if level > reached or step is steps[-1]:
            told.append(step)
            reached = level
    return told


def _draw_curve(paper: Paper, curve: Curve, *, x: Scale, y: Scale) -> None:
    end = min(curve.ends_at, x.high)
    steps = [step for step in curve.steps if step.time <= end]
    if not curve.is_previous:
        band = [step for step in steps if step.low is not None and step.high is not None]
        if band:
            upper = _stairs([(step.time, step.high or 0.0) for step in band], end, x=x, y=y)
            lower = _stairs_back([(step.time, step.low or 0.0) for step in band], end, x=x, y=y)
            paper.path(f"M{number(x(0))} {number(y(0))}{upper}{lower}Z", "chart-band-line")
    line = _stairs([(step.time, step.share) for step in steps], end, x=x, y=y)
    paper.path(f"M{number(x(0))} {number(y(0))}{line}", _line_class(curve))


def _stairs(points: Sequence[tuple[float, float]], end: float, *, x: Scale, y: Scale) -> str:
    """Level until something happens, then straight up."""
    return "".join(f"H{number(x(time))}V{number(y(share))}" for time, share in points) + f"H{number(x(end))}"


def _stairs_back(points: Sequence[tuple[float, float]], end: float, *, x: Scale, y: Scale) -> str:
    """The same stairs walked from the end to the start, to close a band."""
    if not points:
        return ""
    path = [f"V{number(y(points[-1][1]))}"]
    for (time, _), (_, before) in zip(reversed(points), [*reversed(points[:-1]), (0.0, 0.0)], strict=True):
        path.append(f"H{number(x(time))}V{number(y(before))}")
    return "".join(path) + f"H{number(x(0))}"


def _line_class(curve: Curve) -> str:
    return "chart-line-before" if curve.is_previous else "chart-line"
