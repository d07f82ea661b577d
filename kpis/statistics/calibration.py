"""Whether chances that were said beforehand fit what came: neither too bold nor too timid, and telling cases apart."""

import math
from collections.abc import Sequence
from typing import Final, NamedTuple, TypedDict

_STEPS: Final = 50
_CLOSE: Final = 1e-10


class Foretold(NamedTuple):
    """So many cases of the same chance, and to how many of them it happened."""

    chance: float
    cases: int
    hits: int


class Calibration(TypedDict):
    slope: float | None
    intercept: float | None
    se: float | None


def calibration(groups: Sequence[Foretold]) -> Calibration:
    """Slope and intercept of logit(observed) on logit(chance) by maximum likelihood; 1 and 0 where chances fit.

    A slope below 1 says that chances were too extreme, above 1 too much alike. Undefined where all chances are the same, or
    where it happened to all or none. `se` is the standard error of the slope. Source: Cox 1958, Biometrika 45:562-565.
    """
    known = [(math.log(p / (1 - p)), n, hits) for p, n, hits in groups if n > 0 and 0 < p < 1]
    cases, hits = sum(n for _, n, _ in known), sum(hit for _, _, hit in known)
    if not 0 < hits < cases or max(x for x, _, _ in known) - min(x for x, _, _ in known) < _CLOSE:
        return {"slope": None, "intercept": None, "se": None}
    intercept, slope = 0.0, 1.0
    for _ in range(_STEPS):
        score_a = score_b = aa = ab = bb = 0.0
        for x, n, hit in known:
            p = 1 / (1 + math.exp(-max(-700.0, min(700.0, intercept + slope * x))))
            weight = n * p * (1 - p)
            score_a += hit - n * p
            score_b += (hit - n * p) * x
            aa, ab, bb = aa + weight, ab + weight * x, bb + weight * x * x
        determinant = aa * bb - ab * ab
        if determinant <= 0:
            break
        step_a, step_b = (bb * score_a - ab * score_b) / determinant, (aa * score_b - ab * score_a) / determinant
        intercept, slope = intercept + step_a, slope + step_b
        if abs(step_a) + abs(step_b) < _CLOSE:
            return {"slope": slope, "intercept": intercept, "se": math.sqrt(aa / determinant)}
    # Chances part the cases so well that no finite slope is the likeliest.
    return {"slope": None, "intercept": None, "se": None}


def area_under_curve(groups: Sequence[Foretold]) -> float | None:
    """The chance that of a case to which it happened and one to which it did not, the first had the greater chance; ties
    count half. None where it happened to all or none. Source: Hanley and McNeil 1982, Radiology 143:29-36."""
    hits = sum(group.hits for group in groups)
    misses = sum(group.cases for group in groups) - hits
    if hits == 0 or misses == 0:
        return None
    by_chance: dict[float, tuple[int, int]] = {}
    for chance, n, hit in groups:
        above, below = by_chance.get(chance, (0, 0))
        by_chance[chance] = (above + hit, below + n - hit)
    won, passed = 0.0, 0
    for chance in sorted(by_chance):
        hit, miss = by_chance[chance]
        won += hit * (passed + miss / 2)
        passed += miss
    return won / (hits * misses)


def effective_size(groups: Sequence[tuple[float, int]]) -> float | None:
    """How many equally weighted answers tell as much as these, given as the weight of one and how many have it: (sum w)^2 / sum w^2;
    None without any. Source: Kish 1965, Survey Sampling, 11.7."""
    squares = math.fsum(n * weight * weight for weight, n in groups)
    return math.fsum(n * weight for weight, n in groups) ** 2 / squares if squares > 0 else None
