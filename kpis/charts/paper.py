"""The paper charts are drawn on: shapes by class name, text that fits, marks that can be opened.

Everything a person wrote goes through `format_html`; nothing here carries a colour or a style attribute, so the page's
content security policy holds and one style sheet serves light, dark and print.
"""

import math
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Literal, Self

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

WIDTHS = (360, 560, 760)
"""Each chart is drawn for these widths, and the style sheet shows the one that fits its place."""

Anchor = Literal["start", "middle", "end"]
XY = tuple[float, float]


@dataclass
class Paper:
    """One drawing of one width. `picture` is read as an image with one sentence, `links` are read one by one."""

    width: int
    height: int
    picture: list[SafeString] = field(default_factory=list)
    links: list[SafeString] = field(default_factory=list)

    @property
    def is_narrow(self) -> bool:
        return self.width == WIDTHS[0]

    @property
    def text_size(self) -> float:
        """The style sheet's largest size of text on this paper: phones shrink the narrow one, so its text is larger."""
        return 13.8 if self.is_narrow else 11.5

    @property
    def reach(self) -> float:
        """How far apart two links must lie to be hit one by one: 24 px on the screen."""
        return 30.0 if self.is_narrow else 24.0

    @classmethod
    def without_values(cls, width: int, words: str) -> Self:
        """Says in words that there is nothing to draw."""
        paper = cls(width, 72)
        paper.text(width / 2, 40, words, anchor="middle")
        return paper

    def line(self, x1: float, y1: float, x2: float, y2: float, css: str) -> None:
        self.path(f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", css)

    def path(self, d: str, css: str) -> None:
        self.picture.append(format_html('<path class="{}" d="{}"/>', css, d))

    def rect(self, x: float, y: float, width: float, height: float, css: str, *, radius: float = 0) -> None:
        self.picture.append(rect(x, y, width, height, css, radius=radius))

    def text(self, x: float, y: float, words: str, css: str = "", *, anchor: Anchor = "start") -> None:
        self.picture.append(text(x, y, words, css, anchor=anchor))

    def mark(self, shapes: Iterable[SafeString], *, label: str, href: str = "", tip: XY | None = None) -> None:
        """Shapes that belong to one thing; with `href` they open it. Near `tip` the label appears on hover and focus."""
        parts = [*shapes, *(self._tip(label, *tip) if tip is not None else ())]
        drawn = format_html_join("", "{}", ((part,) for part in parts))
        if href:
            self.links.append(format_html('<a class="chart-mark" href="{}" aria-label="{}">{}</a>', href, label, drawn))
        else:
            self.picture.append(format_html('<g class="chart-mark">{}</g>', drawn))

    def text_width(self, words: str) -> float:
        return sum(1.0 if _is_wide(letter) else 0.6 for letter in words) * self.text_size

    def fitted(self, words: str, room: float) -> str:
        """The words, cut with an ellipsis where they are wider than `room`."""
        if self.text_width(words) <= room:
            return words
        while words and self.text_width(words + "…") > room:
            words = words[:-1]
        return words.rstrip() + "…"

    def wrapped(self, words: str, room: float) -> list[str]:
        """The words on as many lines as `room` makes necessary."""
        lines = [""]
        for word in words.split():
            longer = f"{lines[-1]} {word}".strip()
            if self.text_width(longer) <= room or not lines[-1]:
                lines[-1] = longer
            else:
                lines.append(word)
        return [self.fitted(line, room) for line in lines]

    def key(self, names: Sequence[str], css: Sequence[str], *, left: float) -> float:
        """What each colour means, on top of the drawing, in as many rows as it needs; returns where the last one ends."""
        x, y = left, 12.0
        for name, style in zip(names, css, strict=True):
            needed = 14 + self.text_width(name)
            if x > left and x + needed > self.width:
                x, y = left, y + self.text_size + 6
            self.rect(x, y - 9, 9, 9, style, radius=1.5)
            self.text(x + 14, y, self.fitted(name, self.width - x - 14))
            x += needed + 16
        return y + 5

    def spread(self, wanted: Sequence[float], *, top: float, bottom: float) -> list[float]:
        """Heights for labels that want to stand at `wanted`, moved apart so that none covers another."""
        step = self.text_size + 2
        order = sorted(range(len(wanted)), key=lambda index: wanted[index])
        heights = [min(max(height, top), bottom) for height in wanted]
        for before, after in pairwise(order):
            heights[after] = max(heights[after], heights[before] + step)
        ceiling = bottom
        for index in reversed(order):
            heights[index] = min(heights[index], ceiling)
            ceiling = heights[index] - step
        return heights

    def _tip(self, label: str, x: float, y: float) -> list[SafeString]:
        """The label above its mark, or below where there is no room, on as many lines as the paper is narrow."""
        lines = self.wrapped(label, self.width - 8)
        height = self.text_size + 3
        top = y - 12 - height * (len(lines) - 1)
        if top < self.text_size:
            top = y + 22
        half = max(map(self.text_width, lines)) / 2
        middle = min(max(x, half), self.width - half)
        return [
            text(middle, top + place * height, line, "chart-tip", anchor="middle") for place, line in enumerate(lines)
        ]

    def svg(self, sentence: str) -> SafeString:
        return format_html(
            '<svg class="chart-drawing chart-{}" viewBox="0 0 {} {}"><g role="img" aria-label="{}">{}</g>{}</svg>',
            self.width,
            self.width,
            self.height,
            sentence,
            format_html_join("", "{}", ((part,) for part in self.picture)),
            format_html_join("", "{}", ((part,) for part in self.links)),
        )


@dataclass(frozen=True)
class Scale:
    """A straight way from values to places on the paper."""

    low: float
    high: float
    start: float
    end: float

    def __call__(self, value: float) -> float:
        if self.high == self.low:
            return (self.start + self.end) / 2
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)


def rect(x: float, y: float, width: float, height: float, css: str, *, radius: float = 0) -> SafeString:
    return format_html(
        '<rect class="{}" x="{}" y="{}" width="{}" height="{}" rx="{}"/>',
        css,
        number(x),
        number(y),
        number(max(width, 0)),
        number(max(height, 0)),
        number(radius),
    )


def circle(x: float, y: float, radius: float, css: str) -> SafeString:
    return format_html('<circle class="{}" cx="{}" cy="{}" r="{}"/>', css, number(x), number(y), number(radius))


def diamond(x: float, y: float, size: float, css: str) -> SafeString:
    corners = ((x, y - size), (x + size, y), (x, y + size), (x - size, y))
    return format_html('<path class="{}" d="{}Z"/>', css, polyline(corners))


def square(x: float, y: float, size: float, css: str) -> SafeString:
    return rect(x - size, y - size, 2 * size, 2 * size, css, radius=1.5)


def text(x: float, y: float, words: str, css: str = "", *, anchor: Anchor = "start") -> SafeString:
    return format_html(
        '<text class="{}" x="{}" y="{}" text-anchor="{}">{}</text>', css, number(x), number(y), anchor, words
    )


def polyline(points: Iterable[XY]) -> str:
    return "M" + "L".join(f"{number(x)} {number(y)}" for x, y in points)


def number(value: float) -> str:
    """A coordinate to a tenth of a unit, as short as it goes."""
    short = f"{value:.1f}".removesuffix(".0")
    return "0" if short == "-0" else short


def nice_ticks(low: float, high: float, *, about: int = 4) -> list[float]:
    """Round values in steps of 1, 2 or 5 from at or below `low` to at or above `high`."""
    # A span that is lost in the digits of its ends is drawn as none.
    if high - low <= 1e-12 * max(abs(low), abs(high), 1):
        high = low + 1
    rough = (high - low) / about
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(factor * power for factor in (1, 2, 5, 10) if factor * power >= rough * (1 - 1e-9))
    first = math.floor(low / step + 1e-9)
    last = math.ceil(high / step - 1e-9)
    return [place * step for place in range(first, last + 1)]


def _is_wide(letter: str) -> bool:
    return unicodedata.east_asian_width(letter) in "WF"
