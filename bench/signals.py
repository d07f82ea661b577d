"""How often the watch cries wolf, and how soon it sees what is there: 500 weekly series with season and trend, 20 seeds.

    nice .venv/bin/python bench/signals.py [--seeds 20] [--mean 10] [--weeks 26]

Each series has a mean of its own (lognormal around `--mean` items a week), a trend of its own, one season of a year in common
(30 % up and down) and counts that vary by half more than Poisson's. First nothing changes for 26 weeks: whatever is raised is
false. Then 20 of the series become 2.5 times as large: how many are raised within four weeks, and when? What is raised stays
one signal while it is raised again within four weeks, as in the portal.
"""

import argparse
import math
import sys
import time
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from kpis.statistics import benjamini_hochberg
from kpis.statistics.surveillance import excess

SERIES, SHIFTED, SHIFT, BASELINE = 500, 20, 2.5, 26
DISPERSION, SEASON, TREND = 1.5, 0.3, 0.006
FALSE_DISCOVERIES, REPEATED, FEWEST, QUIET = 0.1, 0.01, 5, 4


def means(chance: np.random.Generator, *, mean: float, weeks: int) -> NDArray[np.float64]:
    """What each series has in each week where nothing but season and trend happens."""
    time_of_year = np.arange(weeks) / 52 + chance.uniform()
    season = 1 + SEASON * np.sin(2 * math.pi * time_of_year)
    level = chance.lognormal(math.log(mean), 0.7, SERIES)
    slope = chance.normal(0, TREND, SERIES)
    return level[:, None] * np.exp(slope[:, None] * (np.arange(weeks) - weeks / 2)) * season


def raised(counts: NDArray[np.int64], *, first: int) -> dict[int, list[int]]:
    """By series the weeks in which it is raised, each week knowing only what came before it."""
    totals = counts.sum(axis=0)
    found: dict[int, list[int]] = {}
    alone: list[list[float]] = []
    for week in range(first, counts.shape[1]):
        since = max(0, week - BASELINE - 3)
        span = slice(since, week + 1)
        told = []
        single = []
        for series in range(len(counts)):
            mine = counts[series, span].tolist()
            others = (totals[span] - counts[series, span]).tolist()
            now, last = excess(mine, others), excess(mine, others, windows=(1,))
            told.append(now.p if now else 1.0)
            single.append(last.p if last else 1.0)
        alone.append(single)
        adjusted = benjamini_hochberg(told, FALSE_DISCOVERIES)["adjusted"]
        for series, among in enumerate(adjusted):
            twice = sum(each[series] < REPEATED for each in alone[-3:]) >= 2
            if counts[series, week] >= FEWEST and (among <= FALSE_DISCOVERIES or twice):
                found.setdefault(series, []).append(week)
    return found


def signals(weeks: list[int]) -> int:
    return sum(place == 0 or week - weeks[place - 1] > QUIET for place, week in enumerate(weeks))


def drawn(chance: np.random.Generator, rates: NDArray[np.float64]) -> NDArray[np.int64]:
    """Negative binomial counts whose variance is 1.5 times their mean."""
    return chance.negative_binomial(rates / (DISPERSION - 1), 1 / DISPERSION)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=20)
    parser.add_argument("--first", type=int, default=0, help="the first seed")
    parser.add_argument("--mean", type=float, default=10)
    parser.add_argument("--weeks", type=int, default=26)
    args = parser.parse_args()
    false, seen, delays = [], [], []
    print("seed  false signals a week  of 20 shifts seen within 4 weeks  median delay, weeks  seconds")
    for seed in range(args.first, args.first + args.seeds):
        began, chance = time.monotonic(), np.random.default_rng(seed)
        rates = means(chance, mean=args.mean, weeks=BASELINE + args.weeks)
        null = raised(drawn(chance, rates), first=BASELINE)
        start = BASELINE + args.weeks // 2
        shifted = chance.choice(SERIES, SHIFTED, replace=False)
        rates[shifted, start:] *= SHIFT
        told = raised(drawn(chance, rates)[:, : start + 13], first=start)
        late = [min(told[series]) - start + 1 for series in shifted if series in told]
        false.append(sum(signals(weeks) for weeks in null.values()) / args.weeks)
        seen.append(sum(delay <= 4 for delay in late))
        delays += late
        print(
            f"{seed:4}  {false[-1]:20.2f}  {seen[-1]:32}  {median(late) if late else 0:19.1f}  {time.monotonic() - began:7.1f}",
            flush=True,
        )
    print(
        f"all   {np.mean(false):20.2f} (worst {max(false):.2f})  seen {np.mean(seen):.1f} of 20 (worst {min(seen)}),"
        f" median delay {median(delays):.0f} weeks, goal: below 2 and at least 12"
    )


if __name__ == "__main__":
    main()
