"""How a number is written for people: its unit, its digits, its sign, as the reader's language writes them."""

import math
from dataclasses import dataclass
from decimal import Decimal

from django.utils.formats import number_format
from django.utils.translation import get_language_bidi, gettext

from feedback_portal.languages import PERCENT_SIGN
from feedback_portal.marking import marked

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"
_LEFT_TO_RIGHT = "\N{LEFT-TO-RIGHT MARK}"


@dataclass(frozen=True)
class Unit:
    """`factor` turns what is stored into what is shown: shares are stored from 0 to 1 and shown in per cent."""

    suffix: str = ""
    """Marked words; `ending` is what they are in the language that is spoken."""
    prefix: str = ""
    factor: float = 1.0
    decimals: int = 0
    is_short: bool = False
    """Thousands as k and millions as M, where space is scarce."""

    @property
    def ending(self) -> str:
        return gettext(self.suffix) if self.suffix else ""

    def write(self, value: float | None, *, signed: bool = False) -> str:
        if value is None:
            return NOTHING
        shown = value * self.factor
        return self._written(shown, self.decimals, signed=signed)

    def tick(self, value: float, *, step: float) -> str:
        """The value of an axis mark, with as many digits as its step needs."""
        shown_step = abs(step * self.factor)
        decimals = max(0, -math.floor(math.log10(shown_step) + 1e-9)) if shown_step > 0 else 0
        return self._written(value * self.factor, decimals, signed=False)

    def _written(self, shown: float, decimals: int, *, signed: bool) -> str:
        scale = ""
        size = abs(shown)
        if self.is_short and size >= 999.5:
            size, scale = (size / 1e6, "M") if size >= 999_500 else (size / 1e3, "k")
            decimals = 1 if size < 9.95 else 0
        digits = written(size, decimals)
        is_zero = float(f"{size:.{decimals}f}") == 0
        sign = "" if is_zero else MINUS if shown < 0 else "+" if signed else ""
        if sign and get_language_bidi():
            # Without it the sign would stand on the far side of its number.
            sign = f"{_LEFT_TO_RIGHT}{sign}"
        return f"{sign}{self.prefix}{digits}{scale}{self.ending}"


def written(number: float, decimals: int = 0) -> str:
    """A number rounded to so many digits, thousands apart."""
    return number_format(Decimal(f"{number:.{decimals}f}"), decimals, force_grouping=True)


def out_of(hits: int, n: int) -> str:
    """How many of how many, where there are too few for a share or to stand beside it."""
    return gettext("%(hits)s of %(n)s") % {"hits": written(hits), "n": written(n)}


COUNT = Unit()
PERCENT = Unit(suffix=PERCENT_SIGN, factor=100, decimals=1)
WHOLE_PERCENT = Unit(suffix=PERCENT_SIGN, factor=100)
POINTS = Unit(decimals=1)
HOURS = Unit(suffix=marked(" h"), decimals=1)
DAYS = Unit(suffix=marked(" d"), decimals=1)
WHOLE_DAYS = Unit(suffix=marked(" days"))
