"""Whether chances fit what came, and how much unequal answers tell."""

from random import Random

import pytest

from kpis import statistics
from kpis.statistics import Foretold


def test_chances_that_fit_have_a_slope_of_1() -> None:
    fitting = [Foretold(p, 1000, round(1000 * p)) for p in (0.1, 0.3, 0.6)]
    told = statistics.calibration(fitting)

    assert told["slope"] == pytest.approx(1)
    assert told["intercept"] == pytest.approx(0)


def test_chances_that_are_too_bold_have_a_flat_slope_and_timid_ones_a_steep_one() -> None:
    bold = statistics.calibration([Foretold(0.05, 1000, 200), Foretold(0.9, 1000, 700)])
    timid = statistics.calibration([Foretold(0.4, 1000, 100), Foretold(0.6, 1000, 900)])

    assert bold["slope"] == pytest.approx(0.4347, abs=1e-3)  # (logit .7 - logit .2) / (logit .9 - logit .05)
    assert timid["slope"] is not None
    assert timid["slope"] > 2


def test_equal_chances_and_certain_outcomes_have_no_slope() -> None:
    for groups in ([Foretold(0.2, 50, 10)], [Foretold(0.2, 50, 0), Foretold(0.4, 50, 0)], []):
        assert statistics.calibration(groups)["slope"] is None
    assert statistics.calibration([Foretold(0.2, 50, 0), Foretold(0.4, 50, 50)])["slope"] is None


def test_the_area_is_the_share_of_pairs_in_the_right_order() -> None:
    chance = Random(7)
    cases = [(chance.choice((0.1, 0.2, 0.5)), chance.random() < 0.4) for _ in range(200)]
    groups = [Foretold(p, 1, int(hit)) for p, hit in cases]
    pairs = [(a, b) for a, hit in cases if hit for b, other in cases if not other]

    expected = sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs)
    assert statistics.area_under_curve(groups) == pytest.approx(expected)
    assert statistics.area_under_curve([Foretold(0.3, 9, 0)]) is None


def test_equal_weights_tell_as_much_as_there_are_and_one_heavy_one_hardly_more_than_itself() -> None:
    assert statistics.effective_size([(2.0, 40)]) == pytest.approx(40)
    assert statistics.effective_size([(1000.0, 1), (1.0, 9)]) == pytest.approx(1.018, abs=1e-3)
    assert statistics.effective_size([]) is None
