"""What the formulas promise for every input, and what they answer where there is nothing to say."""

import math
from collections import Counter
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kpis import statistics
from kpis.statistics import buckets, distributions

counts = st.integers(0, 2000)
few = st.integers(0, 60)
shares = st.tuples(counts, counts).map(lambda pair: (min(pair), max(pair)))
some_shares = shares.filter(lambda share: share[1] > 0)
answers = st.fixed_dictionaries({"promoters": few, "passives": few, "detractors": few})
durations = st.lists(st.tuples(st.integers(0, 50), st.integers(0, 1)), min_size=1, max_size=40)
SLACK = 1e-9


@pytest.mark.parametrize("interval", [statistics.wilson, statistics.clopper_pearson])
@given(share=some_shares)
def test_a_share_lies_within_its_interval_and_the_interval_within_0_and_1(
    interval: Any, share: tuple[int, int]
) -> None:
    found = interval(*share)
    assert 0 <= found["low"] <= found["estimate"] + SLACK
    assert found["estimate"] <= found["high"] + SLACK
    assert found["high"] <= 1


@pytest.mark.parametrize("interval", [statistics.wilson, statistics.clopper_pearson])
@given(share=some_shares, times=st.integers(2, 20))
def test_more_answers_of_the_same_share_are_surer(interval: Any, share: tuple[int, int], times: int) -> None:
    few_answers, many = interval(*share), interval(share[0] * times, share[1] * times)
    assert many["high"] - many["low"] < few_answers["high"] - few_answers["low"]


@given(share=some_shares)
def test_the_exact_interval_holds_what_it_promises(share: tuple[int, int]) -> None:
    successes, n = share
    exact = statistics.clopper_pearson(successes, n)
    assert exact["low"] is not None
    assert exact["high"] is not None
    # At its lower end, as many successes or more have a chance of exactly 2.5%; at its upper end as many or fewer.
    if successes > 0:
        assert distributions.beta_below(exact["low"], a=successes, b=n - successes + 1) == pytest.approx(
            0.025, abs=1e-9
        )
    if successes < n:
        assert distributions.beta_below(exact["high"], a=successes + 1, b=n - successes) == pytest.approx(
            0.975, abs=1e-9
        )


@given(one=some_shares, two=some_shares)
def test_swapping_the_groups_flips_the_sign_of_a_difference(one: tuple[int, int], two: tuple[int, int]) -> None:
    ahead, behind = statistics.newcombe_difference(*one, *two), statistics.newcombe_difference(*two, *one)
    assert ahead["difference"] == pytest.approx(-behind["difference"])  # type: ignore[operator]
    assert (ahead["low"], ahead["high"]) == pytest.approx((-behind["high"], -behind["low"]))  # type: ignore[operator]
    assert ahead["low"] <= ahead["difference"] <= ahead["high"]  # type: ignore[operator]


@given(a=answers, b=answers)
def test_swapping_the_groups_flips_the_sign_of_a_score_difference(a: dict[str, int], b: dict[str, int]) -> None:
    ahead, behind = statistics.nps_difference(a, b), statistics.nps_difference(b, a)  # type: ignore[arg-type]
    if ahead["difference"] is None or behind["difference"] is None:
        assert sum(a.values()) * sum(b.values()) == 0
    else:
        assert ahead["difference"] == -behind["difference"]
        assert ahead["se"] == behind["se"]


@given(answers)
def test_a_score_lies_within_its_interval_and_the_scale(given_answers: dict[str, int]) -> None:
    found = statistics.nps(**given_answers)
    if found["n"] == 0:
        assert found["nps"] is None
        assert found["low"] is None
    else:
        assert -100 <= found["low"] <= found["nps"] + SLACK  # type: ignore[operator]
        assert found["nps"] <= found["high"] + SLACK <= 100 + SLACK  # type: ignore[operator]
        assert found["low"] < found["high"]  # type: ignore[operator]


def test_answers_all_alike_still_leave_doubt() -> None:
    found = statistics.nps(promoters=40, passives=0, detractors=0)
    assert (found["nps"], found["se"], found["high"]) == (100, 0, 100)
    assert found["low"] == pytest.approx(100 * (1 - 2 * 0.08762), abs=0.01)


@given(st.integers(0, 5000))
def test_a_count_lies_within_its_interval(count: int) -> None:
    found = statistics.poisson_ci(count)
    assert found["low"] <= count < found["high"]  # type: ignore[operator]


@given(x1=few, t1=st.integers(1, 999), x2=few, t2=st.integers(1, 999))
def test_swapping_the_groups_inverts_a_rate_ratio(x1: int, t1: int, x2: int, t2: int) -> None:
    ahead, behind = statistics.rate_ratio_exact(x1, t1, x2, t2), statistics.rate_ratio_exact(x2, t2, x1, t1)
    if x1 and x2:
        assert ahead["ratio"] == pytest.approx(1 / behind["ratio"])  # type: ignore[operator]
        assert ahead["low"] == pytest.approx(1 / behind["high"])  # type: ignore[operator]
        assert ahead["low"] < ahead["ratio"] < ahead["high"]  # type: ignore[operator]
    elif x1:
        assert (ahead["ratio"], ahead["high"], behind["ratio"]) == (None, None, 0)


@given(st.lists(st.integers(-1000, 1000), min_size=1), st.floats(0, 1), st.floats(0, 1))
def test_percentiles_rise_and_stay_among_the_values(values: list[int], one: float, two: float) -> None:
    low, high = (
        statistics.percentile(values, min(one, two))["value"],
        statistics.percentile(values, max(one, two))["value"],
    )
    assert min(values) <= low <= high + SLACK <= max(values) + 2 * SLACK  # type: ignore[operator]


@given(durations)
def test_a_survival_curve_falls_within_its_band_and_its_marks_lie_on_it(rows: list[tuple[int, int]]) -> None:
    curve = statistics.kaplan_meier([time for time, _ in rows], [event for _, event in rows])
    levels = [1.0] + [step["survival"] for step in curve["table"]]
    assert all(after < before for before, after in pairwise(levels))
    for step in curve["table"]:
        if step["low"] is not None and step["high"] is not None:
            assert 0 <= step["low"] <= step["survival"] <= step["high"] <= 1
    if curve["median"] is not None:
        assert any(step["time"] == curve["median"] and step["survival"] <= 0.5 + 1e-12 for step in curve["table"])
    if curve["p90"] is not None:
        assert curve["median"] is not None
        assert curve["median"] <= curve["p90"]


@given(durations)
def test_without_open_items_the_curve_is_the_share_not_yet_done(rows: list[tuple[int, int]]) -> None:
    times = [time for time, _ in rows]
    for step in statistics.kaplan_meier(times, [1] * len(times))["table"]:
        assert step["survival"] == pytest.approx(sum(time > step["time"] for time in times) / len(times))


@given(durations)
def test_a_histogram_of_durations_gives_the_curve_of_the_items(rows: list[tuple[int, int]]) -> None:
    distinct = sorted(set(rows))
    of_items = statistics.kaplan_meier([time for time, _ in rows], [event for _, event in rows])
    of_histogram = statistics.kaplan_meier(
        [time for time, _ in distinct],
        [event for _, event in distinct],
        counts=[rows.count(row) for row in distinct],
    )
    assert of_items == of_histogram


@given(durations, durations)
def test_a_log_rank_test_does_not_care_which_group_comes_first(
    one: list[tuple[int, int]], two: list[tuple[int, int]]
) -> None:
    columns = [[row[place] for row in rows] for rows in (one, two) for place in (0, 1)]
    ahead, behind = statistics.logrank(*columns), statistics.logrank(*columns[2:], *columns[:2])
    assert (ahead["chi2"], ahead["p"]) == (pytest.approx(behind["chi2"]), pytest.approx(behind["p"]))
    events = ahead["observed_a"] + behind["observed_a"]
    assert ahead["expected_a"] + behind["expected_a"] == pytest.approx(events)


@given(st.lists(st.tuples(st.integers(0, 30), st.sampled_from(["shipped", "declined", None])), min_size=1, max_size=30))
def test_competing_endings_and_the_open_ones_add_up_to_all(rows: list[tuple[int, str | None]]) -> None:
    times, causes = [time for time, _ in rows], [cause for _, cause in rows]
    ended = sum(
        statistics.cumulative_incidence(times, causes, cause, 30)["incidence"] or 0.0
        for cause in ("shipped", "declined")
    )
    curve = statistics.kaplan_meier(times, [int(cause is not None) for cause in causes])["table"]
    assert ended + (curve[-1]["survival"] if curve else 1.0) == pytest.approx(1)


@given(st.lists(st.tuples(few, st.integers(60, 90)), min_size=1, max_size=30))
def test_no_point_between_its_limits_is_called_outside(points: list[tuple[int, int]]) -> None:
    sizes = [size for _, size in points]
    for chart in (statistics.p_chart, statistics.u_chart, statistics.laney_p, statistics.laney_u):
        found = chart([count for count, _ in points], sizes)
        for place, value in enumerate(found["values"], start=1):
            low, high = found["lower"][place - 1], found["upper"][place - 1]
            assert value is not None
            assert low is not None
            assert high is not None
            if place in found["outside"]:
                assert value < low or value > high
            else:
                assert low - SLACK <= value <= high + SLACK


def test_a_point_on_its_limit_is_inside() -> None:
    # Centre 4, limits 4 +- 6: cut at 0, and 10 lies exactly on the upper one.
    assert statistics.c_chart([4, 4, 4, 10], baseline=3) == {"centre": 4, "lower": 0, "upper": 10, "outside": []}
    assert statistics.c_chart([4, 4, 4, 11], baseline=3)["outside"] == [4]


def test_a_change_does_not_widen_the_limits_of_its_own_baseline() -> None:
    counts, sizes = [20, 24, 18, 22, 60], [1000] * 5
    frozen = statistics.u_chart(counts, sizes, baseline=4)
    assert frozen["centre"] == 0.021
    assert frozen["outside"] == [5]
    assert statistics.individuals_chart([5, 6, 5, 6, 20], baseline=4)["centre"] == 5.5


def test_a_week_without_exposure_has_no_value_and_no_limits() -> None:
    chart = statistics.laney_p([5, 0, 7], [50, 0, 60])
    assert (chart["values"][1], chart["lower"][1], chart["upper"][1]) == (None, None, None)
    assert chart["sigma_z"] is not None
    assert chart["outside"] == []


def test_a_run_too_long_for_chance_is_a_shift() -> None:
    assert statistics.runs([1, 3] * 8, centre=2) == {
        "useful": 16, "longest_run": 1, "crossings": 15, "is_shifted": False,
    }  # fmt: skip
    assert statistics.runs([1] * 8 + [3] * 8, centre=2)["is_shifted"] is True
    assert statistics.runs([2, None, 2], centre=2)["useful"] == 0


@given(st.lists(st.floats(-5, 5), max_size=30), st.floats(0, 2), st.floats(0.5, 10))
def test_a_sum_above_its_threshold_is_the_first_signal(values: list[float], slack: float, threshold: float) -> None:
    found = statistics.cusum(values, 0, slack, threshold)
    first = found["first_signal"]
    before = len(values) if first is None else first - 1
    assert all(sums <= threshold for sums in found["high"][:before] + found["low"][:before])
    if first is not None:
        assert max(found["high"][first - 1], found["low"][first - 1]) > threshold


def test_good_weeks_are_not_saved_up_against_bad_ones() -> None:
    assert statistics.cusum([-10, 12], target=0, slack=0, threshold=11) == {
        "high": [0, 12], "low": [10, 0], "first_signal": 2,
    }  # fmt: skip


@given(st.lists(st.floats(0, 1), max_size=40), st.floats(0.01, 0.5))
def test_adjusted_p_values_are_never_smaller_and_keep_their_order(p_values: list[float], q: float) -> None:
    found = statistics.benjamini_hochberg(p_values, q)
    assert all(after >= before - SLACK for before, after in zip(p_values, found["adjusted"], strict=True))
    in_order = [value for _, value in sorted(zip(p_values, found["adjusted"], strict=True))]
    assert in_order == sorted(in_order)
    # The step-up rule as first printed: the largest rank whose p is at most q rank / m.
    ranks = [rank for rank, p in enumerate(sorted(p_values), start=1) if p * len(p_values) / rank <= q * (1 + 1e-12)]
    assert found["rejected"] == max(ranks, default=0)


@given(st.lists(st.floats(0.5, 500), min_size=2, max_size=6, unique=True))
def test_a_funnel_narrows_as_more_is_expected(expected: list[float]) -> None:
    rows = statistics.funnel_poisson(sorted(expected))["limits"]
    for small, large in pairwise(rows):
        assert small["high_0.95"] >= large["high_0.95"]
        assert small["low_0.998"] <= large["low_0.998"]
    assert all(row["low_0.998"] < row["low_0.95"] < row["high_0.95"] < row["high_0.998"] for row in rows)


@given(st.lists(st.integers(0, 45), min_size=1, max_size=20))
def test_shrinking_moves_every_share_towards_the_mean_and_keeps_the_mean(successes: list[int]) -> None:
    found = statistics.shrink(successes, 45)
    mean = found["grand_mean"]
    assert mean is not None
    assert found["factor"] is not None
    assert 0 <= found["factor"] <= 1
    for hits, shrunk in zip(successes, found["shrunk"], strict=True):
        assert abs(shrunk - mean) <= abs(hits / 45 - mean) + SLACK
    assert sum(found["shrunk"]) / len(successes) == pytest.approx(mean)


@given(st.lists(few, min_size=4, max_size=4), st.integers(1, 50))
def test_agreement_does_not_depend_on_how_many_were_coded(cells: list[int], times: int) -> None:
    table = [cells[:2], cells[2:]]
    found, larger = statistics.cohen_kappa(table), statistics.cohen_kappa([[n * times for n in row] for row in table])
    if found["kappa"] is None:
        assert larger["kappa"] is None
    else:
        assert larger["kappa"] == pytest.approx(found["kappa"])
        assert found["kappa"] <= 1 + SLACK


@given(
    st.lists(st.floats(0.2, 3), min_size=7, max_size=7),
    st.floats(10, 1000),
    st.integers(2, 6),
)
def test_a_pure_season_is_found_again(season: list[float], level: float, cycles: int) -> None:
    mean = sum(season) / 7
    found = statistics.seasonal_indices([level * factor for factor in season] * cycles, 7)["indices"]
    assert found == pytest.approx([factor / mean for factor in season])


def test_one_cycle_has_no_seasons() -> None:
    assert statistics.seasonal_indices([1, 2, 3, 4], 4) == {"indices": None}


@given(st.integers(1, 20), st.integers(1, 20), st.floats(-50, 50), st.floats(1, 50))
def test_a_clean_step_is_found_where_it_is(before: int, after: int, level: float, height: float) -> None:
    found = statistics.change_point([level] * before + [level + height] * after)
    assert found["index"] == before
    assert found["mean_before"] == pytest.approx(level)
    assert found["mean_after"] == pytest.approx(level + height)


@given(st.floats(0.3, 3), st.integers(4, 15), st.integers(4, 15))
def test_an_exact_step_in_a_rate_is_measured_exactly(ratio: float, before: int, after: int) -> None:
    time = list(range(before + after))
    side = [0] * before + [1] * after
    means = [1000 * 1.01**moment * (ratio if late else 1) for moment, late in zip(time, side, strict=True)]
    found = statistics.interrupted_time_series(means, [1] * len(time), time, side)  # type: ignore[arg-type]
    assert found["rate_ratio"] == pytest.approx(ratio)
    assert found["dispersion"] == pytest.approx(0, abs=1e-9)


def test_a_series_that_cannot_tell_the_step_says_nothing() -> None:
    always = statistics.interrupted_time_series([5, 6, 7, 8, 9], [1] * 5, [1, 2, 3, 4, 5], [1] * 5)
    assert always["rate_ratio"] is None
    never_again = statistics.interrupted_time_series([9, 8, 9, 0, 0, 0], [1] * 6, list(range(6)), [0, 0, 0, 1, 1, 1])
    assert never_again["rate_ratio"] is None


lengths = st.lists(st.floats(1e-6, 1e6), min_size=1, max_size=50)


@given(st.floats(1e-6, 1e9))
def test_a_bucket_stands_for_its_durations_to_one_per_cent(duration: float) -> None:
    bucket = statistics.bucket_of(duration)
    assert abs(statistics.value_of(bucket) - duration) <= buckets.ACCURACY * duration * (1 + 1e-9)


@given(lengths, lengths, st.floats(0, 1))
def test_adding_two_histograms_gives_the_histogram_of_both(one: list[float], two: list[float], q: float) -> None:
    added = Counter(map(statistics.bucket_of, one)) + Counter(map(statistics.bucket_of, two))
    assert added == Counter(map(statistics.bucket_of, one + two))
    exact = sorted(one + two)[math.floor((len(one + two) - 1) * q)]
    assert statistics.bucket_percentile(added, q) == pytest.approx(exact, rel=buckets.ACCURACY * (1 + 1e-9))


def test_an_answer_in_no_time_has_a_bucket_and_nothing_has_no_median() -> None:
    assert statistics.value_of(statistics.bucket_of(0)) == pytest.approx(0, abs=1e-5)
    assert statistics.bucket_percentile({}, 0.5) is None


NOTHING: list[tuple[str, dict[str, Any], str]] = [
    ("wilson", {"successes": 0, "n": 0}, "estimate"),
    ("clopper_pearson", {"successes": 0, "n": 0}, "estimate"),
    ("newcombe_difference", {"x1": 1, "n1": 2, "x2": 0, "n2": 0}, "difference"),
    ("nps", {"promoters": 0, "passives": 0, "detractors": 0}, "nps"),
    ("mean_ci", {"n": 1, "mean": 3, "sd": 0}, "low"),
    ("percentile", {"values": [], "q": 0.5}, "value"),
    ("rate_ratio_exact", {"x1": 0, "t1": 1, "x2": 0, "t2": 1}, "ratio"),
    ("rate_ratio_wald", {"x1": 5, "t1": 1, "x2": 0, "t2": 1}, "ratio"),
    ("standardised_ratio", {"observed": 3, "expected": 0}, "ratio"),
    ("direct_standardised_rate", {"counts": [1, 0], "sizes": [10, 0], "standard": [5, 5]}, "adjusted"),
    ("chi_square_homogeneity", {"successes": [0, 0], "n": [5, 5]}, "chi2"),
    ("kaplan_meier", {"durations": [], "events": []}, "median"),
    ("logrank", {"durations_a": [], "events_a": [], "durations_b": [], "events_b": []}, "p"),
    ("cumulative_incidence", {"durations": [], "causes": [], "cause": "shipped", "at": 1}, "incidence"),
    ("p_chart", {"counts": [], "sizes": []}, "centre"),
    ("laney_u", {"counts": [0], "sizes": [0]}, "sigma_z"),
    ("c_chart", {"counts": []}, "centre"),
    ("individuals_chart", {"values": [3]}, "upper"),
    ("shrink", {"successes": [], "n": 5}, "factor"),
    ("cohen_kappa", {"table": [[3, 0], [0, 0]]}, "kappa"),
    ("change_point", {"series": [1]}, "index"),
]


@pytest.mark.parametrize(("function", "arguments", "key"), NOTHING, ids=[case[0] for case in NOTHING])
def test_what_is_not_defined_is_none_and_never_0(function: str, arguments: dict[str, Any], key: str) -> None:
    assert getattr(statistics, function)(**arguments)[key] is None


IMPOSSIBLE: list[tuple[str, dict[str, Any]]] = [
    ("wilson", {"successes": 5, "n": 4}),
    ("wilson", {"successes": 1, "n": 4, "confidence": 95}),
    ("clopper_pearson", {"successes": -1, "n": 4}),
    ("nps", {"promoters": -1, "passives": 3, "detractors": 0}),
    ("mean_ci", {"n": 4, "mean": 1, "sd": -1}),
    ("percentile", {"values": [1], "q": 90}),
    ("rate_ratio_exact", {"x1": 1, "t1": 0, "x2": 1, "t2": 1}),
    ("kaplan_meier", {"durations": [-1], "events": [1]}),
    ("kaplan_meier", {"durations": [1, 2], "events": [1]}),
    ("p_chart", {"counts": [3], "sizes": [2]}),
    ("u_chart", {"counts": [3, 4], "sizes": [2]}),
    ("c_chart", {"counts": [1], "baseline": 0}),
    ("ewma_chart", {"values": [1], "target": 1, "sigma": 0}),
    ("run_limits", {"n": 0}),
    ("benjamini_hochberg", {"p_values": [1.5], "q": 0.1}),
    ("funnel_poisson", {"expected": [0]}),
    ("shrink", {"successes": [9], "n": 5}),
    ("cohen_kappa", {"table": [[1, 2]]}),
    ("seasonal_indices", {"series": [1, 2], "period": 1}),
    ("interrupted_time_series", {"counts": [1], "exposure": [0], "time": [1], "after": [0]}),
]


@pytest.mark.parametrize(("function", "arguments"), IMPOSSIBLE, ids=[case[0] for case in IMPOSSIBLE])
def test_impossible_numbers_are_refused_in_words(function: str, arguments: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"\w+ \w+ .*\.$"):
        getattr(statistics, function)(**arguments)


@given(st.floats(0.001, 0.999), st.floats(0.2, 5000))
def test_gamma_quantiles_and_tails_are_inverse(probability: float, shape: float) -> None:
    x = distributions.gamma_quantile(probability, shape=shape)
    assert distributions.gamma_below(x, shape=shape) == pytest.approx(probability, abs=1e-10)
    assert distributions.gamma_above(x, shape=shape) == pytest.approx(1 - probability, abs=1e-10)


@given(st.floats(0.001, 0.999), st.floats(1, 5000), st.floats(1, 5000))
def test_beta_quantiles_are_inverse_and_mirrored(probability: float, a: float, b: float) -> None:
    x = distributions.beta_quantile(probability, a=a, b=b)
    assert distributions.beta_below(x, a=a, b=b) == pytest.approx(probability, abs=1e-10)
    assert distributions.beta_below(1 - x, a=b, b=a) == pytest.approx(1 - probability, abs=1e-9)


# Recomputed in high precision; the first is 318,309.886... = cot(pi 1e-6).
@pytest.mark.parametrize(
    ("probability", "df", "expected"),
    [(1 - 1e-6, 1, 1 / math.tan(math.pi * 1e-6)), (0.975, 10, 2.2281388520), (0.975, 10_000_000, 1.9599642218)],
)
def test_student_quantiles(probability: float, df: float, expected: float) -> None:
    assert distributions.student_quantile(probability, df=df) == pytest.approx(expected, rel=2e-10)
    assert distributions.student_quantile(1 - probability, df=df) == pytest.approx(-expected, rel=2e-10)
