"""Tails and quantiles of the distributions behind the intervals, on the standard library alone.

Web processes draw dashboards without loading a numerical library, so the incomplete gamma and beta functions are
evaluated here (series and continued fractions as in the NIST Digital Library of Mathematical Functions, 8.7, 8.9 and
8.17) and inverted by Newton steps that fall back to bisection. Good to about 1e-10, relative, for the counts that
occur here.
"""

import math
from collections.abc import Callable
from statistics import NormalDist

_TINY = 1e-300
_PRECISION = 1e-15
_MOST_STEPS = 100_000
_LARGE = 20.0


def normal_quantile(probability: float) -> float:
    return NormalDist().inv_cdf(probability)


def two_sided_z(confidence: float) -> float:
    """How many standard errors a two-sided interval reaches: 1.96 for 0.95."""
    return normal_quantile(0.5 + check_confidence(confidence) / 2)


def gamma_quantile(probability: float, *, shape: float) -> float:
    """The x with P(shape, x) = probability, for a gamma distribution of scale 1."""
    _check_probability(probability)
    if shape <= 0:
        raise ValueError("The shape of a gamma distribution is greater than 0.")
    if probability == 0:
        return 0.0
    # Wilson and Hilferty: the cube root of a gamma variate is nearly normal.
    third = 1 / (9 * shape)
    start = shape * (1 - third + normal_quantile(probability) * math.sqrt(third)) ** 3
    if start <= 0:
        start = math.exp((math.log(probability) + math.lgamma(shape + 1)) / shape)
    high = max(2 * start, shape, 1.0)
    while gamma_below(high, shape=shape) < probability:
        high *= 2
    return _invert(
        lambda x: gamma_below(x, shape=shape) - probability,
        slope=lambda x: _exp(_log_gamma_term(x, shape) - math.log(x)),
        start=start,
        low=0.0,
        high=high,
    )


def gamma_below(x: float, *, shape: float) -> float:
    """The regularised lower incomplete gamma function P(shape, x)."""
    if x <= 0:
        return 0.0
    return _gamma_series(x, shape) if x < shape + 1 else 1 - _gamma_fraction(x, shape)


def gamma_above(x: float, *, shape: float) -> float:
    """The upper tail Q(shape, x), exact to the last digits where it is small."""
    if x <= 0:
        return 1.0
    return 1 - _gamma_series(x, shape) if x < shape + 1 else _gamma_fraction(x, shape)


def chi_square_above(x: float, *, df: float) -> float:
    """The probability of a chi-square value of at least x."""
    return gamma_above(x / 2, shape=df / 2)


def beta_below(x: float, *, a: float, b: float) -> float:
    """The regularised incomplete beta function I_x(a, b)."""
    if x <= 0:
        return 0.0
    if x >= 1:
        return 1.0
    front = _exp(a * math.log(x) + b * math.log1p(-x) - _log_beta(a, b))
    # The fraction converges fast on its own side of the mean only; the other side is its mirror image.
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b


def beta_quantile(probability: float, *, a: float, b: float) -> float:
    """The x with I_x(a, b) = probability."""
    _check_probability(probability)
    if a <= 0 or b <= 0:
        raise ValueError("Both shapes of a beta distribution are greater than 0.")
    if probability == 0:
        return 0.0
    weight = _log_beta(a, b)
    return _invert(
        lambda x: beta_below(x, a=a, b=b) - probability,
        slope=lambda x: _exp((a - 1) * math.log(x) + (b - 1) * math.log1p(-x) - weight),
        start=a / (a + b),
        low=0.0,
        high=1.0,
    )


def student_quantile(probability: float, *, df: float) -> float:
    """The quantile of Student's t with `df` degrees of freedom."""
    _check_probability(probability)
    if df <= 0:
        raise ValueError("Student's t needs at least one degree of freedom.")
    if not 0 < probability < 1:
        return math.inf if probability else -math.inf
    # Solved for the smaller tail, whose digits are all there even where it is tiny.
    tail = min(probability, 1 - probability)
    if tail == 0.5:
        return 0.0
    weight = _log_beta(df / 2, 0.5) + math.log(df) / 2
    high = 1.0
    while _student_above(high, df) > tail:
        high *= 2
    size = _invert(
        lambda t: tail - _student_above(t, df),
        slope=lambda t: _exp(-weight - (df + 1) / 2 * math.log1p(t * t / df)),
        start=-normal_quantile(tail),
        low=0.0,
        high=high,
    )
    return size if probability > 0.5 else -size


def binomial_quantile(probability: float, *, trials: int, chance: float) -> int:
    """The smallest number of successes whose cumulative probability is at least `probability`."""
    _check_probability(probability)
    below = 0.0
    for successes in range(trials):
        below += _exp(
            successes * math.log(chance)
            + (trials - successes) * math.log1p(-chance)
            - math.log(trials + 1)
            - _log_beta(successes + 1, trials - successes + 1)
        )
        if below >= probability:
            return successes
    return trials


def check_confidence(confidence: float) -> float:
    if not 0 < confidence < 1:
        raise ValueError(f"A confidence lies between 0 and 1, as in 0.95; this one is {confidence}.")
    return confidence


def _check_probability(probability: float) -> None:
    if not 0 <= probability <= 1:
        raise ValueError(f"A probability lies between 0 and 1; this one is {probability}.")


def _student_above(t: float, df: float) -> float:
    """Student's upper tail for t >= 0, by whichever of its two forms does not cancel."""
    if t * t > df:
        return beta_below(df / (df + t * t), a=df / 2, b=0.5) / 2
    return 0.5 - beta_below(t * t / (df + t * t), a=0.5, b=df / 2) / 2


def _gamma_series(x: float, shape: float) -> float:
    term = total = 1 / shape
    for step in range(1, _MOST_STEPS):
        term *= x / (shape + step)
        total += term
        if term < total * _PRECISION:
            break
    return total * _exp(_log_gamma_term(x, shape))


def _gamma_fraction(x: float, shape: float) -> float:
    b = x + 1 - shape
    c = 1 / _TINY
    d = 1 / b
    result = d
    for step in range(1, _MOST_STEPS):
        factor = -step * (step - shape)
        b += 2
        d = 1 / _away_from_zero(factor * d + b)
        c = _away_from_zero(b + factor / c)
        result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result * _exp(_log_gamma_term(x, shape))


def _beta_fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1 / _away_from_zero(1 - (a + b) * x / (a + 1))
    result = d
    for step in range(1, _MOST_STEPS):
        even = step * (b - step) * x / ((a + 2 * step - 1) * (a + 2 * step))
        d = 1 / _away_from_zero(1 + even * d)
        c = _away_from_zero(1 + even / c)
        result *= c * d
        odd = -(a + step) * (a + b + step) * x / ((a + 2 * step) * (a + 2 * step + 1))
        d = 1 / _away_from_zero(1 + odd * d)
        c = _away_from_zero(1 + odd / c)
        result *= c * d
        if abs(c * d - 1) < _PRECISION:
            break
    return result


def _log_gamma_term(x: float, shape: float) -> float:
    """log(x^shape exp(-x) / Gamma(shape)).

    For large shapes the three parts are huge and nearly cancel; Stirling's formula takes them together.
    """
    if shape < _LARGE:
        return shape * math.log(x) - x - math.lgamma(shape)
    off = x / shape - 1
    return shape * (math.log1p(off) - off) + math.log(shape / math.tau) / 2 - _stirling_rest(shape)


def _log_beta(a: float, b: float) -> float:
    """log B(a, b), with the difference of two large log-gammas taken analytically."""
    small, large = min(a, b), max(a, b)
    if large < _LARGE:
        return math.lgamma(a) + math.lgamma(b) - math.lgamma(a + b)
    rise = (
        (large - 0.5) * math.log1p(small / large)
        + small * math.log(small + large)
        - small
        + _stirling_rest(small + large)
        - _stirling_rest(large)
    )
    return math.lgamma(small) - rise


def _stirling_rest(x: float) -> float:
    """log Gamma(x) beyond Stirling's (x - 1/2) log x - x + log(2 pi) / 2, for x of at least `_LARGE`."""
    square = x * x
    return (1 / 12 - (1 / 360 - (1 / 1260 - 1 / (1680 * square)) / square) / square) / x


def _invert(
    error: Callable[[float], float],
    *,
    slope: Callable[[float], float],
    start: float,
    low: float,
    high: float,
) -> float:
    """The root of a rising `error` between `low` and `high`: Newton where it stays inside, else halving."""
    x = start if low < start < high else (low + high) / 2
    for _ in range(200):
        off = error(x)
        if off == 0:
            return x
        low, high = (x, high) if off < 0 else (low, x)
        steep = slope(x)
        following = x - off / steep if steep > 0 else low
        if not low < following < high:
            following = (low + high) / 2
        if abs(following - x) <= 4e-16 * abs(following) or high - low <= 4e-16 * high:
            return following
        x = following
    return x


def _exp(exponent: float) -> float:
    """exp() that reaches 0 and infinity instead of raising."""
    if exponent > 709:
        return math.inf
    return math.exp(exponent)


def _away_from_zero(value: float) -> float:
    return value if abs(value) > _TINY else _TINY
