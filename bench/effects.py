"""How often the check of an action is wrong, and how often it sees a real effect: simulated weeks, the rule of the portal itself.

    python bench/effects.py [--runs 500] [--seed 1]

Null actions change nothing; each must say "Worked" or "Worse" in at most 5 % of runs. Real ones halve the rate over 12 weeks and must
be found in at least 80 %. Weeks are Poisson, or vary half again as much as Poisson, as feedback does.
"""

import argparse
import json
import os
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

from kpis.statistics.before_after import Week
from kpis.verdicts import Hope, compare, outcome_of


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--runs", type=int, default=500)
    asked.add_argument("--seed", type=int, default=1)
    given = asked.parse_args()
    worst, least = 0.0, 1.0
    for measure in ("share", "rate"):
        for weeks in (8, 12):
            for spread in (1.0, 1.5):
                for controlled in (False, True):
                    told = {
                        factor: simulate(
                            measure, weeks, spread, factor, controlled=controlled, runs=given.runs, seed=given.seed
                        )
                        for factor in (1.0, 0.5)
                    }
                    false, seen = told[1.0]["worked"] + told[1.0]["worse"], told[0.5]["worked"]
                    worst = max(worst, false)
                    if weeks == 12:
                        least = min(least, seen)
                    print(
                        json.dumps(
                            {
                                "measure": measure,
                                "weeks": f"{weeks} + {weeks}",
                                "dispersion": spread,
                                "control": controlled,
                                "false": round(false, 3),
                                "halved_found": round(seen, 3),
                            }
                        )
                    )
    print(json.dumps({"worst_false": round(worst, 3), "least_found_over_12_weeks": round(least, 3)}))


def simulate(
    measure: str,
    weeks: int,
    spread: float,
    factor: float,
    *,
    controlled: bool,
    runs: int,
    seed: int,
    level: float = 30.0,
) -> dict[str, float]:
    """The share of outcomes over `runs` actions; `level` items a week before, of 500 in all or for 2,000 units."""
    draw = np.random.default_rng([seed, weeks, int(spread * 10), int(factor * 10), controlled, measure == "rate"])
    counted = {"worked": 0, "worse": 0, "unclear": 0}
    hope = Hope(measure="share" if measure == "share" else "rate", direction="down", shape="step")
    for _ in range(runs):

        def side(start: int, mean: float) -> list[Week]:
            sizes = draw.poisson(500, weeks) if measure == "share" else np.full(weeks, 2000)
            means = mean * sizes / (500 if measure == "share" else 2000)
            # A Poisson count whose mean itself varies: variance = spread x mean.
            noisy = draw.gamma(means / (spread - 1), spread - 1) if spread > 1 else means
            counts = np.minimum(draw.poisson(noisy), sizes)
            return [Week(start + place, int(counts[place]), float(sizes[place])) for place in range(weeks)]

        before, after = side(-weeks, level), side(0, level * factor)
        control = (side(-weeks, 40.0), side(0, 40.0)) if controlled else None
        found = compare(before, after, hope=hope, control=control)
        assert found is not None
        counted[outcome_of(found, hope)] += 1
    return {name: count / runs for name, count in counted.items()}


if __name__ == "__main__":
    main()
