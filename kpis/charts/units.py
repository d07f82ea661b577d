"""How a number is written for people: its unit, its digits, its sign."""

import math
from dataclasses import dataclass

MINUS = "\N{MINUS SIGN}"
NOTHING = "\N{EN DASH}"


@dataclass(frozen=True)
class Unit:
    """`factor` turns what is stored into what is shown: shares are stored from 0 to 1 and shown in per cent."""

    suffix: str = ""
    prefix: str = ""
    factor: float = 1.0
    decimals: int = 0
    is_short: bool = False
    """Thousands as k and millions as M, where space is scarce."""

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
        digits = f"{size:,.{decimals}f}"
        is_zero = not digits.strip("0.,")
        sign = "" if is_zero else MINUS if shown < 0 else "+" if signed else ""
        return f"{sign}{self.prefix}{digits}{scale}{self.suffix}"


COUNT = Unit()
PERCENT = Unit(suffix="%", factor=100, decimals=1)
POINTS = Unit(decimals=1)
HOURS = Unit(suffix=" h", decimals=1)
DAYS = Unit(suffix=" d", decimals=1)
WHOLE_DAYS = Unit(suffix=" days")
