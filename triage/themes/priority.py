"""Which theme first, with its sums shown: frequency x severity x customer value x trend x fit / effort. No rows and no clock.

Each part is a number from about 1 up, and weighs as its exponent, so that doubling a part does the same everywhere. How much a rank
depends on the weights is shown beside it: the same order is made under other weights that somebody could reasonably have chosen.
"""

import math
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

PARTS: Final = ("frequency", "severity", "value", "trend", "fit", "effort")
AGAINST: Final = frozenset({"effort"})
DRAWS: Final = 200
"""Other weights are drawn so often, each part between half and twice its own, evenly by their logarithm."""
_STRONGEST_TREND: Final = 3.0


@dataclass(frozen=True)
class Standing:
    """What is known of one theme. `voices`: distinct customers, and each item nobody signed. `severity` from 1, a wish, to 4, danger.
    `log_value`: the mean of ln(1 + value) over the customers whose value is known; None where it is of none."""

    key: int
    voices: int
    severity: float
    log_value: float | None
    recent: int
    earlier: int
    fit: int
    effort: int


@dataclass(frozen=True)
class Ranked:
    """`parts` multiply to the score, each already raised to its weight; `stays` is the share of other weights under which it ranks at
    least as high."""

    standing: Standing
    rank: int
    score: float
    parts: Mapping[str, float]
    stays: float


def ranked(standings: Sequence[Standing], weights: Mapping[str, float], *, seed: int = 1) -> list[Ranked]:
    """By score, highest first; equal scores by key, so that an order can be repeated."""
    if not standings:
        return []
    logs = [{name: math.log(value) for name, value in _parts(each).items()} for each in standings]
    order, scores = _order(standings, logs, weights)
    draw = random.Random(seed)
    better = [0] * len(standings)
    places = {index: place for place, index in enumerate(order)}
    for _ in range(DRAWS):
        other = {name: weights[name] * 2 ** draw.uniform(-1, 1) for name in PARTS}
        for place, index in enumerate(_order(standings, logs, other)[0]):
            better[index] += place <= places[index]
    return [
        Ranked(
            standings[index],
            place + 1,
            math.exp(scores[index]),
            {name: math.exp(_signed(name) * weights[name] * logs[index][name]) for name in PARTS},
            better[index] / DRAWS,
        )
        for place, index in enumerate(order)
    ]


def _parts(one: Standing) -> dict[str, float]:
    trend = (one.recent + 1) / (one.earlier + 1)
    return {
        "frequency": float(max(one.voices, 1)),
        "severity": max(one.severity, 1.0),
        # Of nobody the value is known: neither for nor against.
        "value": 1.0 + (one.log_value or 0.0) / math.log(10),
        "trend": min(max(trend, 1 / _STRONGEST_TREND), _STRONGEST_TREND),
        "fit": one.fit / 3,
        "effort": one.effort / 3,
    }


def _order(
    standings: Sequence[Standing], logs: Sequence[Mapping[str, float]], weights: Mapping[str, float]
) -> tuple[list[int], list[float]]:
    scores = [sum(_signed(name) * weights[name] * value for name, value in each.items()) for each in logs]
    return sorted(range(len(scores)), key=lambda index: (-scores[index], standings[index].key)), scores


def _signed(name: str) -> int:
    return -1 if name in AGAINST else 1
