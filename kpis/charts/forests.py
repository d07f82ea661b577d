"""Effects with their intervals under one another, and the verdict on each in words."""

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext, pgettext

from feedback_portal.marking import marked
from kpis.charts.paper import Paper, Scale, nice_ticks, rect, square, text
from kpis.charts.tables import Row, Table
from kpis.charts.units import Unit

_BOTTOM, _TOP = 24, 4
VERDICTS = {"worked": marked("Worked"), "worse": marked("Worse"), "unclear": marked("No clear change")}
_CLASSES = {"worked": "chart-better", "worse": "chart-worse", "unclear": "chart-unclear"}


@dataclass(frozen=True)
class Effect:
    """One action: the change it made, with its interval, and the verdict of the fixed rule."""

    name: str
    about: str
    change: float
    low: float
    high: float
    verdict: Literal["worked", "worse", "unclear"]
    href: str = ""

    @property
    def verdict_words(self) -> str:
        return gettext(VERDICTS[self.verdict])


@dataclass(frozen=True)
class ForestChart:
    sentence: str
    effects: tuple[Effect, ...]
    unit: Unit

    def drawn(self, width: int) -> Paper:
        if not self.effects:
            return Paper.without_values(width, gettext("No action has taken effect long enough to be judged."))
        is_stacked = width < 560
        row = 60 if is_stacked else 38
        paper = Paper(width, row * len(self.effects) + _TOP + _BOTTOM)
        left = 8.0 if is_stacked else width * 0.36
        right = width - (8 if is_stacked else max(paper.text_width(self._told(effect)) for effect in self.effects) + 22)
        ticks = nice_ticks(min(0.0, *(one.low for one in self.effects)), max(0.0, *(one.high for one in self.effects)))
        x = Scale(ticks[0], ticks[-1], left, right)
        bottom = paper.height - _BOTTOM
        for tick in ticks:
            paper.line(x(tick), _TOP, x(tick), bottom, "chart-centre" if abs(tick) < 1e-9 else "chart-grid")
            words = self.unit.tick(tick, step=ticks[1] - ticks[0])
            half = paper.text_width(words) / 2
            paper.text(min(max(x(tick), half), width - half), bottom + 16, words, anchor="middle")
        for place, effect in enumerate(self.effects):
            top = _TOP + place * row
            css = _CLASSES[effect.verdict]
            level = top + (43 if is_stacked else 17)
            shapes = [
                rect(0, top, width, row, "chart-hit"),
                rect(x(effect.low), level - 1, x(effect.high) - x(effect.low), 2, css),
                square(x(effect.change), level, 4, f"{css} chart-ringed"),
            ]
            if is_stacked:
                shapes.append(text(0, top + 14, paper.fitted(effect.name, width), "chart-strong"))
                shapes.append(text(0, top + 30, paper.fitted(f"{effect.verdict_words}, {self._told(effect)}", width)))
            else:
                shapes.append(text(0, top + 15, paper.fitted(effect.name, left - 12), "chart-strong"))
                shapes.append(text(0, top + 30, paper.fitted(effect.about, left - 12)))
                shapes.append(text(right + 20, top + 15, effect.verdict_words, "chart-strong"))
                shapes.append(text(right + 20, top + 30, self._told(effect)))
            paper.mark(shapes, label=f"{effect.name}: {effect.verdict_words}, {self._told(effect)}", href=effect.href)
        return paper

    def table(self) -> Table:
        return Table(
            self.sentence,
            (
                gettext("Action"),
                pgettext("noun", "Change"),
                pgettext("end of an interval", "Low"),
                pgettext("end of an interval", "High"),
                gettext("Verdict"),
            ),
            tuple(
                Row(
                    (
                        effect.name,
                        *(self.unit.write(value, signed=True) for value in (effect.change, effect.low, effect.high)),
                        effect.verdict_words,
                    ),
                    effect.href,
                )
                for effect in self.effects
            ),
        )

    def _told(self, effect: Effect) -> str:
        change, low, high = (self.unit.write(value, signed=True) for value in (effect.change, effect.low, effect.high))
        return gettext("%(change)s (%(low)s to %(high)s)") % {"change": change, "low": low, "high": high}
