"""Colours that alone tell two things apart do so for readers who see two colours instead of three, checked without a browser.

Matrices for full protanopia, deuteranopia and tritanopia in linear sRGB: Machado, Oliveira and Fernandes, "A physiologically-based
model for simulation of color vision deficiency", IEEE TVCG 15(6), 2009, table of severity 1.0. Distance: CIE 1976 in L*a*b* (ISO/CIE
11664-4), white D65; 2.3 is the smallest that is seen side by side.
"""

import itertools
import math
import re
from operator import mul

import pytest

from tests.ground.test_look import DARK, LIGHT, STATIC, linear

SEES = {
    "everything": ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)),
    "no red": ((0.152286, 1.052583, -0.204868), (0.114503, 0.786281, 0.099216), (-0.003882, -0.048116, 1.051998)),
    "no green": ((0.367322, 0.860646, -0.227968), (0.280085, 0.672501, 0.047413), (-0.011820, 0.042940, 0.968881)),
    "no blue": ((1.255528, -0.076749, -0.178779), (-0.078411, 0.930809, 0.147602), (0.004733, 0.691367, 0.303900)),
}
LEAST = 16
"""Seven times what is just seen: such colours are told apart in different corners of a chart."""

ALONE = {
    "series of a stack": [f"chart-series-{number}" for number in range(5)],
    "worse, neither and better": ["chart-worse", "chart-neutral", "chart-best"],
    "the bars and the rest of them": ["chart-bar", "chart-rest"],
}
"""Marks of one shape that differ by their colour. Every other pair has a second mark: a diamond, a square, a hollow ring, a dash."""


def seen(colour: str, sees: str) -> tuple[float, float, float]:
    """L*, a* and b* of this colour for somebody who sees so."""
    given = linear(colour)
    red, green, blue = (min(1.0, max(0.0, sum(map(mul, row, given)))) for row in SEES[sees])
    x, y, z = (
        _root((0.4124564 * red + 0.3575761 * green + 0.1804375 * blue) / 0.95047),
        _root(0.2126729 * red + 0.7151522 * green + 0.0721750 * blue),
        _root((0.0193339 * red + 0.1191920 * green + 0.9503041 * blue) / 1.08883),
    )
    return 116 * y - 16, 500 * (x - y), 200 * (y - z)


def _root(share: float) -> float:
    return math.cbrt(share) if share > 216 / 24389 else (24389 / 27 * share + 16) / 116


def token_of(mark: str) -> str:
    sheet = (STATIC / "kpis.css").read_text(encoding="utf-8")
    found = re.search(rf"\.{mark}(?:, [^{{]*)? {{ fill: var\(--([\w-]+)\)", sheet)
    assert found, mark
    return found[1]


def test_the_distance_is_the_published_one() -> None:
    """White and red of sRGB in the standard's L*a*b*, and a pair of colours that is one colour without green."""
    assert seen("#ffffff", "everything") == pytest.approx((100, 0, 0), abs=0.02)
    assert seen("#ff0000", "everything") == pytest.approx((53.24, 80.09, 67.20), abs=0.02)
    assert math.dist(seen("#d55e00", "no green"), seen("#b97a00", "no green")) < 2  # vermilion and amber


@pytest.mark.parametrize("sees", SEES)
@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_marks_of_one_shape_are_told_apart(theme: dict[str, str], sees: str) -> None:
    for what, marks in ALONE.items():
        tokens = [token_of(mark) for mark in marks]
        for one, other in itertools.combinations(tokens, 2):
            apart = math.dist(seen(theme[one], sees), seen(theme[other], sees))
            assert apart >= LEAST, f"{what}: --{one} and --{other} are {apart:.0f} apart"
