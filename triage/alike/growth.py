"""Does a theme grow beyond what chance and the general traffic explain? A test of its share of all items.

What was said of it for each other item over the 28 days before a window, times the other items of the window, is what would be
expected, so weekends and growth of the whole drop out, and a surge of its own does not raise what it is held against. Counts vary more than a Poisson law allows, so the tail is that of a negative binomial whose variance is a multiple
of its mean, estimated from the same 28 days. Windows of 1, 3 and 7 days are tried (the smallest p times three) and what is found
is held to a false discovery rate over all themes (Benjamini and Hochberg 1995).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

WINDOWS: Final = (1, 3, 7)
BASELINE: Final = 28
NEEDS_DAYS: Final = BASELINE + WINDOWS[-1]
"""Before so many days nothing can be said, and that is what is said."""
FALSE_DISCOVERIES: Final = 0.01
LEAST_COUNT: Final = 4
LEAST_RATIO: Final = 1.5
COOL_DOWN: Final = 7
"""Days in which a theme that grew is not reported anew."""

# What is known of the dispersion before anything is counted, and how many days that knowledge is worth.
_USUAL_DISPERSION, _WORTH_DAYS = 1.5, 14
# A share is never taken for less than this many items in the 28 days: what was silent is not therefore impossible.
_LEAST_EXPECTED = 0.5
_LARGEST_SHARE = 1 / 3


@dataclass(frozen=True)
class Growth:
    """The window that speaks most for growth: `count` items in `window` days where `expected` were; `p` is corrected for the windows."""

    grows: bool
    window: int
    count: int
    expected: float
    p: float

    @property
    def ratio(self) -> float:
        return self.count / self.expected if self.expected else 0.0


def growth(counts: ArrayLike, totals: ArrayLike) -> list[Growth] | None:
    """Of each theme, one row of daily `counts` a theme, oldest first and the last day still running or just over; `totals` are all
    items of those days. None where there are fewer than 35 days: no baseline yet."""
    seen = np.atleast_2d(np.asarray(counts, dtype=float))
    every = np.asarray(totals, dtype=float)
    if every.shape[0] < NEEDS_DAYS or not seen.size:
        return None if every.shape[0] < NEEDS_DAYS else []
    tried = [_window(seen, every, window) for window in WINDOWS]
    best = np.argmin([p for _, _, p in tried], axis=0)
    p_values = np.minimum(1.0, np.min([p for _, _, p in tried], axis=0) * len(WINDOWS))
    found = _discoveries(p_values, FALSE_DISCOVERIES)
    told = []
    for theme, window in enumerate(best):
        count, expected = tried[window][0][theme], tried[window][1][theme]
        grows = bool(found[theme]) and count >= LEAST_COUNT and count >= LEAST_RATIO * expected
        told.append(Growth(grows, WINDOWS[window], int(count), float(expected), float(p_values[theme])))
    return told


def _window(
    seen: NDArray[np.float64], every: NDArray[np.float64], window: int
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
    """Count, expected count and p of each theme in the last `window` days."""
    before = slice(-BASELINE - window, -window)
    daily, totals = seen[:, before], every[before]
    said = daily.sum(axis=1)
    odds = np.maximum(said, _LEAST_EXPECTED) / np.maximum(totals.sum() - said, 1.0)
    share = odds / (1 + odds)
    usual = share[:, None] * totals[None, :]
    squares = np.divide((daily - usual) ** 2, usual, out=np.zeros_like(usual), where=usual > 0).sum(axis=1)
    dispersion = (squares + _USUAL_DISPERSION * _WORTH_DAYS) / (BASELINE - 1 + _WORTH_DAYS)
    count = seen[:, -window:].sum(axis=1)
    total = every[-window:].sum()
    # Beside a theme that is most of what is said there is too little else to hold it against.
    expected = np.where(share <= _LARGEST_SHARE, odds * np.maximum(total - count, 0), share * total)
    return count, expected, _tail(count, np.maximum(expected, 1e-9), np.maximum(dispersion, 1.0))


def _tail(
    count: NDArray[np.float64], mean: NDArray[np.float64], dispersion: NDArray[np.float64]
) -> NDArray[np.float64]:
    """P(X >= count) where X has this mean and dispersion times it as variance; Poisson where the dispersion is 1."""
    from scipy.special import betainc, gammainc  # not above: pages show what was found and look for nothing

    at_least_one = np.maximum(count, 1)
    over = dispersion > 1 + 1e-6
    size = mean / np.where(over, dispersion - 1, 1.0)
    wide = betainc(at_least_one, size, 1 - 1 / np.where(over, dispersion, 2.0))
    tail = np.where(over, wide, gammainc(at_least_one, mean))
    return np.where(count > 0, tail, 1.0)


def _discoveries(p_values: Sequence[float] | NDArray[np.float64], rate: float) -> NDArray[np.bool_]:
    """Which hypotheses are rejected at this false discovery rate."""
    p = np.asarray(p_values, dtype=float)
    order = np.argsort(p, kind="stable")
    below = np.nonzero(p[order] <= rate * np.arange(1, len(p) + 1) / len(p))[0]
    found = np.zeros(len(p), dtype=bool)
    if len(below):
        found[order[: below[-1] + 1]] = True
    return found
