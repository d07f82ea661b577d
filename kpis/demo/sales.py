"""What Halden sells a day, which rates are taken per; its shop tells the portal."""

import math
from collections.abc import Iterator
from datetime import date, timedelta
from random import Random
from typing import Final

from intake.exposures import Count

_A_DAY: Final = {"units_shipped": 68, "orders": 117}
# Much is ordered on Sundays, and nothing leaves the house then.
_BY_WEEKDAY: Final = {
    "units_shipped": (1.5, 1.3, 1.2, 1.2, 1.2, 0.6, 0.0),
    "orders": (1.1, 1.0, 0.9, 0.9, 0.9, 1.0, 1.2),
}


def told(first: date, last: date, *, chance: Random) -> Iterator[Count]:
    """The counts of every day from `first` to `last`."""
    for back in range((last - first).days, -1, -1):
        day = last - timedelta(days=back)
        for kind, usual in _A_DAY.items():
            expected = usual * _BY_WEEKDAY[kind][day.weekday()]
            yield Count(kind, day, max(0, round(chance.gauss(expected, math.sqrt(expected)))))
