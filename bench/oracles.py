"""Our own statistics beside lifelines, statsmodels and SciPy on random inputs: the largest difference of each function.

    python3 -m venv /tmp/oracles && /tmp/oracles/bin/pip install lifelines statsmodels
    /tmp/oracles/bin/python bench/oracles.py [--inputs 1000] [--seed 1]

These libraries are judges, never dependencies: where they are missing this says so and ends with 0. Differences are absolute,
or relative for values above 1; it ends with 1 where one is larger than 1 in a million.
"""

import argparse
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

try:
    import lifelines
    import lifelines.statistics
    import numpy as np
    import scipy.stats
    import statsmodels.api as models
    import statsmodels.stats.api as tests
    from statsmodels.stats.inter_rater import cohens_kappa
    from statsmodels.tsa.seasonal import seasonal_decompose
except ImportError as missing:
    print(f"Skipped: {missing.name} is not installed. The first lines of this file say how to get the judges.")
    sys.exit(0)

from kpis import statistics

TOLERANCE = 1e-6
Pairs = Iterator[tuple[float | None, float]]
Chance = Any


def wilson(chance: Chance) -> Pairs:
    n = int(chance.integers(1, 5000))
    x = int(chance.integers(0, n + 1))
    ours = statistics.wilson(x, n)
    yield from zip((ours["low"], ours["high"]), tests.proportion_confint(x, n, method="wilson"), strict=True)


def clopper_pearson(chance: Chance) -> Pairs:
    n = int(chance.integers(1, 3000))
    x = int(chance.integers(0, n + 1))
    ours = statistics.clopper_pearson(x, n)
    yield from zip((ours["low"], ours["high"]), tests.proportion_confint(x, n, method="beta"), strict=True)


def newcombe_difference(chance: Chance) -> Pairs:
    n1, n2 = (int(n) for n in chance.integers(2, 800, 2))
    x1, x2 = int(chance.integers(0, n1 + 1)), int(chance.integers(0, n2 + 1))
    ours = statistics.newcombe_difference(x1, n1, x2, n2)
    one, two = (scipy.stats.binomtest(x, n).proportion_ci(method="wilson") for x, n in ((x1, n1), (x2, n2)))
    p1, p2 = x1 / n1, x2 / n2
    yield ours["low"], p1 - p2 - math.hypot(p1 - one.low, two.high - p2)
    yield ours["high"], p1 - p2 + math.hypot(one.high - p1, p2 - two.low)


def mean_ci(chance: Chance) -> Pairs:
    values = chance.normal(3, 2, int(chance.integers(2, 200)))
    ours = statistics.mean_ci(len(values), float(values.mean()), float(values.std(ddof=1)))
    theirs = models.stats.DescrStatsW(values).tconfint_mean()
    yield from zip((ours["low"], ours["high"]), theirs, strict=True)


def percentile(chance: Chance) -> Pairs:
    values, q = chance.exponential(10, int(chance.integers(1, 300))), float(chance.uniform())
    yield statistics.percentile(values.tolist(), q)["value"], float(np.quantile(values, q))


def poisson_ci(chance: Chance) -> Pairs:
    count = int(chance.integers(0, 2000))
    ours = statistics.poisson_ci(count)
    yield ours["low"], scipy.stats.chi2.ppf(0.025, 2 * count) / 2 if count else 0.0
    yield ours["high"], scipy.stats.chi2.ppf(0.975, 2 * count + 2) / 2


def rate_ratio_exact(chance: Chance) -> Pairs:
    x1, x2 = (int(x) for x in chance.integers(1, 200, 2))
    t1, t2 = (float(t) for t in chance.uniform(1, 100, 2))
    ours = statistics.rate_ratio_exact(x1, t1, x2, t2)
    theirs = scipy.stats.binomtest(x1, x1 + x2).proportion_ci(method="exact")
    yield ours["low"], theirs.low / (1 - theirs.low) * t2 / t1
    yield ours["high"], theirs.high / (1 - theirs.high) * t2 / t1


def direct_standardised_rate(chance: Chance) -> Pairs:
    strata = int(chance.integers(2, 8))
    sizes, standard = chance.integers(50, 5000, strata), chance.integers(1, 1000, strata)
    counts = chance.binomial(sizes, 0.05)
    if not counts.any():
        return
    ours = statistics.direct_standardised_rate(counts.tolist(), sizes.tolist(), standard.tolist())
    weights = standard / standard.sum() / sizes
    rate, variance, heaviest = float(weights @ counts), float(weights**2 @ counts), float(weights.max())
    yield ours["adjusted"], rate
    yield ours["low"], scipy.stats.gamma.ppf(0.025, rate**2 / variance, scale=variance / rate)
    mean, spread = rate + heaviest, variance + heaviest**2
    yield ours["high"], scipy.stats.gamma.ppf(0.975, mean**2 / spread, scale=spread / mean)


def chi_square_homogeneity(chance: Chance) -> Pairs:
    n = chance.integers(20, 500, int(chance.integers(2, 9)))
    hits = chance.binomial(n, chance.uniform(0.1, 0.9))
    ours = statistics.chi_square_homogeneity(hits.tolist(), n.tolist())
    theirs = scipy.stats.chi2_contingency(np.array([hits, n - hits]), correction=False)
    yield from ((ours["chi2"], theirs.statistic), (ours["p"], theirs.pvalue))


def benjamini_hochberg(chance: Chance) -> Pairs:
    p = chance.uniform(size=int(chance.integers(1, 200))) ** 2
    ours = statistics.benjamini_hochberg(p.tolist(), 0.1)
    rejected, adjusted, _, _ = tests.multipletests(p, 0.1, method="fdr_bh")
    yield ours["rejected"], int(rejected.sum())
    yield from zip(ours["adjusted"], adjusted.tolist(), strict=True)


def cohen_kappa(chance: Chance) -> Pairs:
    size = int(chance.integers(2, 7))
    table = chance.integers(0, 40, (size, size)) + np.eye(size, dtype=int)
    yield statistics.cohen_kappa(table.tolist())["kappa"], cohens_kappa(table).kappa


def _waits(chance: Chance) -> tuple[list[float], list[int]]:
    n = int(chance.integers(5, 150))
    return chance.integers(1, 60, n).astype(float).tolist(), chance.integers(0, 2, n).tolist()


def kaplan_meier(chance: Chance) -> Pairs:
    times, events = _waits(chance)
    ours = statistics.kaplan_meier(times, events)
    fitted = lifelines.KaplanMeierFitter().fit(times, events)
    band = fitted.confidence_interval_
    for step in ours["table"]:
        yield step["survival"], float(fitted.survival_function_.loc[step["time"]].iloc[0])
        if 0 < step["survival"] < 1:
            low, high = (float(each) for each in band.loc[step["time"]])
            yield from ((step["low"], low), (step["high"], high))
    if math.isfinite(fitted.median_survival_time_):
        yield ours["median"], fitted.median_survival_time_


def logrank(chance: Chance) -> Pairs:
    (a, died_a), (b, died_b) = _waits(chance), _waits(chance)
    if not any(died_a) or not any(died_b):
        return
    ours = statistics.logrank(a, died_a, b, died_b)
    theirs = lifelines.statistics.logrank_test(a, b, died_a, died_b)
    yield from ((ours["chi2"], theirs.test_statistic), (ours["p"], theirs.p_value))


def cumulative_incidence(chance: Chance) -> Pairs:
    n = int(chance.integers(10, 150))
    # Without ties, which lifelines moves apart at random.
    times = (chance.permutation(n) + 1).astype(float)
    causes = chance.integers(0, 3, n)
    if not (causes == 1).any():
        return
    fitted = lifelines.AalenJohansenFitter(calculate_variance=False).fit(times, causes, event_of_interest=1)
    at = float(chance.integers(1, n + 1))
    ours = statistics.cumulative_incidence(times.tolist(), [{1: "acted", 2: "declined"}.get(each) for each in causes.tolist()], "acted", at)  # fmt: skip
    curve = fitted.cumulative_density_
    yield ours["incidence"], float(curve[curve.index <= at].iloc[-1, 0])


def interrupted_time_series(chance: Chance) -> Pairs:
    weeks, start = int(chance.integers(16, 60)), 0
    start = int(chance.integers(6, weeks - 6))
    exposure = chance.uniform(500, 2000, weeks)
    time, after = np.arange(weeks), (np.arange(weeks) >= start).astype(int)
    counts = chance.poisson(exposure * 0.02 * np.exp(0.01 * time - 0.4 * after))
    ours = statistics.interrupted_time_series(counts.tolist(), exposure.tolist(), time.tolist(), after.tolist())
    fitted = models.GLM(counts, models.add_constant(np.column_stack([time, after])), family=models.families.Poisson(),
                        offset=np.log(exposure)).fit(scale="X2", tol=1e-12)  # fmt: skip
    yield ours["log_coefficient"], fitted.params[2]
    yield ours["dispersion"], fitted.scale
    if ours["dispersion"] is not None and ours["dispersion"] >= 1:
        yield ours["se"], fitted.bse[2]


def seasonal_indices(chance: Chance) -> Pairs:
    period = int(chance.choice([4, 7, 12]))
    series = chance.uniform(50, 150, period * int(chance.integers(3, 6)))
    for model in ("multiplicative", "additive"):
        theirs = seasonal_decompose(series, model=model, period=period).seasonal[:period]
        yield from zip(
            statistics.seasonal_indices(series.tolist(), period, model=model)["indices"], theirs, strict=True
        )


def calibration(chance: Chance) -> Pairs:
    p = chance.uniform(0.05, 0.9, int(chance.integers(4, 40)))
    n = chance.integers(20, 300, len(p))
    hits = chance.binomial(n, p**1.3)
    groups = [statistics.Foretold(*each) for each in zip(p.tolist(), n.tolist(), hits.tolist(), strict=True)]
    ours = statistics.calibration(groups)
    fitted = models.GLM(np.column_stack([hits, n - hits]), models.add_constant(np.log(p / (1 - p))),
                        family=models.families.Binomial()).fit(tol=1e-12)  # fmt: skip
    yield from ((ours["intercept"], fitted.params[0]), (ours["slope"], fitted.params[1]), (ours["se"], fitted.bse[1]))
    late, timely = np.repeat(p, hits), np.repeat(p, n - hits)
    yield (
        statistics.area_under_curve(groups),
        scipy.stats.mannwhitneyu(late, timely).statistic / len(late) / len(timely),
    )


JUDGES: Sequence[tuple[Callable[[Chance], Pairs], str]] = (
    (wilson, "statsmodels"), (clopper_pearson, "statsmodels"), (newcombe_difference, "SciPy (Wilson)"), (mean_ci, "statsmodels"),
    (percentile, "NumPy"), (poisson_ci, "SciPy"), (rate_ratio_exact, "SciPy"), (direct_standardised_rate, "SciPy (gamma)"),
    (chi_square_homogeneity, "SciPy"), (benjamini_hochberg, "statsmodels"), (cohen_kappa, "statsmodels"),
    (kaplan_meier, "lifelines"), (logrank, "lifelines"), (cumulative_incidence, "lifelines"),
    (interrupted_time_series, "statsmodels"), (seasonal_indices, "statsmodels"), (calibration, "statsmodels, SciPy"),
)  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--inputs", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    args = parser.parse_args()
    warnings.simplefilter("ignore")
    wrong = 0
    print(f"{'function':26}  {'judge':20}  inputs   numbers  largest difference")
    for ask, judge in JUDGES:
        chance, numbers, worst = np.random.default_rng(args.seed), 0, 0.0
        for _ in range(args.inputs):
            for ours, theirs in ask(chance):
                numbers += 1
                apart = math.inf if ours is None else abs(ours - theirs) / max(1.0, abs(theirs))
                worst = max(worst, math.inf if math.isnan(apart) else apart)
        wrong += worst > TOLERANCE
        print(f"{ask.__name__:26}  {judge:20}  {args.inputs:6}  {numbers:8}  {worst:.1e}", flush=True)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
