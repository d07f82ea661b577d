"""Named amounts side by side: from received to told, value by theme, age of the backlog."""

from dataclasses import dataclass
from typing import Literal

from django.utils.translation import gettext

from feedback_portal.marking import marked
from kpis.charts.paper import Paper, Scale, rect, text
from kpis.charts.tables import Row, Table

_ROW, _BAR = 31, 16


@dataclass(frozen=True)
class Bar:
    """`shown` is the value in words and stands beside the bar, `note` after it (a step rate, a cumulative share)."""

    label: str
    value: float
    shown: str
    note: str = ""
    href: str = ""
    tone: Literal["plain", "signal", "rest"] = "plain"


@dataclass(frozen=True)
class BarChart:
    sentence: str
    bars: tuple[Bar, ...]
    # Marked words.
    names: tuple[str, str, str] = (marked("Step"), marked("Items"), marked("Share"))

    def drawn(self, width: int) -> Paper:
        if not self.bars:
            return Paper.without_values(width, gettext("Nothing in this period."))
        paper = Paper(width, _ROW * len(self.bars))
        shown_room = max(paper.text_width(bar.shown) for bar in self.bars) + 14
        note_room = max(paper.text_width(bar.note) for bar in self.bars)
        note_room += 18 if note_room else 0
        label_room = min(max(paper.text_width(bar.label) for bar in self.bars) + 14, width * 0.42)
        end = width - shown_room - note_room
        length = Scale(0, max(bar.value for bar in self.bars) or 1, 0, end - label_room)
        for place, bar in enumerate(self.bars):
            top = place * _ROW + (_ROW - _BAR) / 2
            line = top + _BAR / 2 + 4
            # An amount that is not 0 stays visible.
            reach = max(length(bar.value), 2 if bar.value > 0 else 0)
            shapes = [
                rect(0, place * _ROW, width, _ROW, "chart-hit"),
                text(0, line, paper.fitted(bar.label, label_room - 8), "chart-name"),
                rect(label_room, top, end - label_room, _BAR, "chart-track", radius=3),
                rect(label_room, top, reach, _BAR, f"chart-bar chart-{bar.tone}", radius=3),
                text(end + shown_room, line, bar.shown, "chart-strong", anchor="end"),
            ]
            if bar.note:
                shapes.append(text(width, line, bar.note, anchor="end"))
            label = ", ".join(part for part in (f"{bar.label}: {bar.shown}", bar.note) if part)
            paper.mark(shapes, label=label, href=bar.href)
        return paper

    def table(self) -> Table:
        has_notes = any(bar.note for bar in self.bars)
        names = self.names if has_notes else self.names[:2]
        return Table(
            caption=self.sentence,
            columns=tuple(gettext(name) if name else "" for name in names),
            rows=tuple(
                Row((bar.label, bar.shown, bar.note) if has_notes else (bar.label, bar.shown), bar.href)
                for bar in self.bars
            ),
        )
