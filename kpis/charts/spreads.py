"""How answers are spread from worst to best, with the middle in the middle: a mean would hide two camps."""

import math
from dataclasses import dataclass

from django.utils.translation import gettext, ngettext

from kpis.charts.paper import Paper, Scale, rect, text
from kpis.charts.tables import Row, Table
from kpis.charts.units import WHOLE_PERCENT, written

_ROW, _BAR = 34, 18


@dataclass(frozen=True)
class Group:
    """The answers of one group, from worst to best, as many as the chart has levels."""

    name: str
    counts: tuple[int, ...]
    href: str = ""

    @property
    def n(self) -> int:
        return sum(self.counts)


@dataclass(frozen=True)
class SpreadChart:
    """Bars that leave the centre to both sides; an odd number of `levels` has a neutral one that straddles it."""

    sentence: str
    levels: tuple[str, ...]
    groups: tuple[Group, ...]

    def __post_init__(self) -> None:
        if any(len(group.counts) != len(self.levels) for group in self.groups):
            raise ValueError("Each group has one count for each level.")

    def drawn(self, width: int) -> Paper:
        groups = [group for group in self.groups if group.n > 0]
        if not groups:
            return Paper.without_values(width, gettext("No answers in this period."))
        paper = Paper(width, 0)
        above = paper.key(self.levels, [self._css(level) for level in range(len(self.levels))], left=0) + 4
        paper.height = math.ceil(above + _ROW * len(groups))
        label_room = min(max(paper.text_width(group.name) for group in groups) + 14, width * 0.34)
        n_room = max(paper.text_width(written(group.n)) for group in groups) + 14
        reach = max(max(_sides(group)) for group in groups)
        x = Scale(-reach, reach, label_room, width - n_room)
        for place, group in enumerate(groups):
            top = above + place * _ROW
            line = top + _ROW / 2 + 4
            shapes = [
                rect(0, top, width, _ROW, "chart-hit"),
                text(0, line, paper.fitted(group.name, label_room - 8), "chart-name"),
            ]
            start = -_sides(group)[0]
            for level, count in enumerate(group.counts):
                end = start + count / group.n
                shapes.append(rect(x(start), top + (_ROW - _BAR) / 2, x(end) - x(start), _BAR, self._css(level)))
                start = end
            shapes.append(text(width, line, written(group.n), "chart-strong", anchor="end"))
            told = ", ".join(
                f"{name} {WHOLE_PERCENT.write(count / group.n)}"
                for name, count in zip(self.levels, group.counts, strict=True)
            )
            label = ngettext(
                "%(name)s: %(told)s, of %(count)s answer", "%(name)s: %(told)s, of %(count)s answers", group.n
            ) % {"name": group.name, "told": told, "count": written(group.n)}
            paper.mark(shapes, label=label, href=group.href)
        paper.line(x(0), above, x(0), paper.height, "chart-centre")
        return paper

    def table(self) -> Table:
        rows = (Row((group.name, *map(written, group.counts), written(group.n)), group.href) for group in self.groups)
        return Table(self.sentence, (gettext("Group"), *self.levels, gettext("Answers")), tuple(rows))

    def _css(self, level: int) -> str:
        """Worse than the middle, better, or the middle itself; the outermost are drawn full."""
        middle = (len(self.levels) - 1) / 2
        if level == middle:
            return "chart-level chart-neutral"
        side = "chart-worse" if level < middle else "chart-best"
        is_outermost = level in (0, len(self.levels) - 1)
        return f"chart-level {side}" if is_outermost else f"chart-level {side} chart-faint"


def _sides(group: Group) -> tuple[float, float]:
    """The shares left and right of the centre; a neutral level counts half to each."""
    middle = len(group.counts) // 2
    worse, better = sum(group.counts[:middle]), sum(group.counts[-middle:] if middle else ())
    neutral = group.n - worse - better
    return (worse + neutral / 2) / group.n, (better + neutral / 2) / group.n
