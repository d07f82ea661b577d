"""Teams of different size beside what chance allows each of them."""

from dataclasses import dataclass

from django.utils.translation import get_language_bidi, gettext

from kpis.charts.paper import XY, Paper, Scale, circle, diamond, nice_ticks, polyline, rect, square
from kpis.charts.tables import Row, Table
from kpis.charts.units import Unit, written
from kpis.statistics.comparisons import funnel_poisson

_HEIGHTS = {360: 270, 560: 272, 760: 280}
_LEFT, _TOP = 40, 12
_LEVELS = (0.95, 0.998)
_TWO_DIGITS = Unit(decimals=2)
_ONE_DIGIT = Unit(decimals=1)
_ISOLATED, _ENDS = "\N{FIRST STRONG ISOLATE}", "\N{POP DIRECTIONAL ISOLATE}"


@dataclass(frozen=True)
class Member:
    """One team: what was observed, and what its mix of work made expect."""

    name: str
    observed: int
    expected: float
    href: str = ""

    @property
    def ratio(self) -> float:
        return self.observed / self.expected


@dataclass(frozen=True)
class FunnelChart:
    """`about_expected` names the axis, as in "Late answers expected from the team's mix of work"."""

    sentence: str
    members: tuple[Member, ...]
    about_expected: str

    def drawn(self, width: int) -> Paper:
        members = [member for member in self.members if member.expected > 0]
        if not members:
            return Paper.without_values(width, gettext("Nothing is compared."))
        paper = Paper(width, _HEIGHTS[width])
        about = paper.wrapped(self.about_expected, width - _LEFT - 12)
        bottom_margin = 30 + len(about) * (paper.text_size + 4)
        bottom, right = paper.height - bottom_margin, width - 12
        most = max(member.expected for member in members)
        x_ticks = nice_ticks(0, most * 1.05, about=3)
        y_ticks = nice_ticks(0, max(2.0, *(member.ratio for member in members)), about=4)
        x, y = Scale(0, x_ticks[-1], _LEFT, right), Scale(0, y_ticks[-1], bottom, _TOP)
        for tick in y_ticks:
            paper.line(_LEFT, y(tick), right, y(tick), "chart-centre" if tick == 1 else "chart-grid")
            paper.text(_LEFT - 8, y(tick) + 4, _ONE_DIGIT.tick(tick, step=y_ticks[1]), anchor="end")
        if 1.0 not in y_ticks:
            paper.line(_LEFT, y(1), right, y(1), "chart-centre")
        for tick in x_ticks:
            words = Unit().tick(tick, step=x_ticks[1])
            half = paper.text_width(words) / 2
            paper.text(min(x(tick), width - half), bottom + 18, words, anchor="middle")
        for place, line in enumerate(about):
            paper.text((_LEFT + right) / 2, bottom + 38 + place * (paper.text_size + 4), line, anchor="middle")
        _draw_funnel(paper, x=x, y=y)
        for member in members:
            _draw_member(paper, member, x=x, y=y)
        # Names of teams that lie close to each other move apart, each at most as far as it has to.
        named = [member for member in members if _place(member)[0] != "inside"]
        heights = paper.spread([y(member.ratio) + 4 for member in named], top=_TOP, bottom=bottom - 3)
        for member, height in zip(named, heights, strict=True):
            _name(paper, member, at=x(member.expected), height=height)
        return paper

    def table(self) -> Table:
        rows = []
        for member in self.members:
            cells = (member.name, written(member.observed), _ONE_DIGIT.write(member.expected))
            rows.append(Row((*cells, _TWO_DIGITS.write(member.ratio), _place(member)[1]), member.href))
        return Table(
            self.sentence,
            (gettext("Team"), gettext("Observed"), gettext("Expected"), gettext("Ratio"), gettext("Judged")),
            tuple(rows),
        )


def _draw_funnel(paper: Paper, *, x: Scale, y: Scale) -> None:
    # Equal steps of the square root: the funnel bends most where little is expected.
    expected = [x.high * (step / 40) ** 2 for step in range(4, 41)]
    rows = funnel_poisson(expected, _LEVELS)["limits"]
    for level, css in zip(_LEVELS, ("chart-inner", "chart-limit"), strict=True):
        for side in ("low", "high"):
            points = ((x(row["expected"]), y(row[f"{side}_{level:g}"])) for row in rows)
            inside: list[XY] = [(at, height) for at, height in points if height >= _TOP]
            if inside:
                paper.path(polyline(inside), css)


def _draw_member(paper: Paper, member: Member, *, x: Scale, y: Scale) -> None:
    at, height = x(member.expected), y(member.ratio)
    shape, judged = _place(member)
    label = f"{_beside(member, _ONE_DIGIT.write(member.expected))}. {judged}"
    shapes = [rect(at - 12, height - 12, 24, 24, "chart-hit")]
    if shape == "above":
        shapes.append(diamond(at, height, 6, "chart-signal"))
    elif shape == "below":
        shapes.append(square(at, height, 4.5, "chart-better"))
    else:
        shapes.append(circle(at, height, 4, "chart-dot"))
    paper.mark(shapes, label=label, href=member.href, tip=(at, height))


def _name(paper: Paper, member: Member, *, at: float, height: float) -> None:
    css = "chart-signal-text" if _place(member)[0] == "above" else "chart-better-text"
    words = _beside(member, written(member.expected))
    after, before = paper.width - at - 12, at - 12
    if paper.text_width(words) <= after or after >= before:
        paper.text(at + 12, height, paper.fitted(words, after), css)
    else:
        paper.text(at - 12, height, paper.fitted(words, before), css, anchor="end")


def _beside(member: Member, expected: str) -> str:
    # A name in other letters stands by itself: the sentence runs as its own letters do.
    name = f"{_ISOLATED}{member.name}{_ENDS}" if get_language_bidi() else member.name
    slots = {"name": name, "observed": written(member.observed), "expected": expected}
    return gettext("%(name)s: %(observed)s, expected %(expected)s") % slots


def _place(member: Member) -> tuple[str, str]:
    """Beyond the outer limits a team is named; between inner and outer it is watched, not named."""
    if member.expected <= 0:
        return "inside", gettext("Not compared")
    limits = funnel_poisson([member.expected], _LEVELS)["limits"][0]
    if member.ratio > limits["high_0.998"]:
        return "above", gettext("Above what chance allows")
    if member.ratio < limits["low_0.998"]:
        return "below", gettext("Below what chance allows")
    return "inside", gettext("Within what chance allows")
