"""Formulas against numbers printed in the literature, or recomputed with independent statistical software."""

from math import sqrt
from typing import Any

import pytest

from kpis import statistics

LEUKAEMIA = {
    "durations": [9, 13, 13, 18, 23, 28, 31, 34, 45, 48, 161],
    "events": [1, 1, 0, 1, 1, 0, 1, 1, 0, 1, 0],
}
NILE = [
    1120, 1160, 963, 1210, 1160, 1160, 813, 1230, 1370, 1140, 995, 935, 1110, 994, 1020, 960, 1180, 799, 958, 1140, 1100,
    1210, 1150, 1250, 1260, 1220, 1030, 1100, 774, 840, 874, 694, 940, 833, 701, 916, 692, 1020, 1050, 969, 831, 726,
    456, 824, 702, 1120, 1100, 832, 764, 821, 768, 845, 864, 862, 698, 845, 744, 796, 1040, 759, 781, 865, 845, 944, 984,
    897, 822, 1010, 771, 676, 649, 846, 812, 742, 801, 1040, 860, 874, 848, 890, 744, 749, 838, 1050, 918, 986, 797, 923,
    975, 815, 1020, 906, 901, 1170, 912, 746, 919, 718, 714, 740,
]  # fmt: skip
PASSENGERS = [
    112, 118, 132, 129, 121, 135, 148, 148, 136, 119, 104, 118, 115, 126, 141, 135, 125, 149, 170, 170, 158, 133, 114,
    140, 145, 150, 178, 163, 172, 178, 199, 199, 184, 162, 146, 166, 171, 180, 193, 181, 183, 218, 230, 242, 209, 191,
    172, 194, 196, 196, 236, 235, 229, 243, 264, 272, 237, 211, 180, 201, 204, 188, 235, 227, 234, 264, 302, 293, 259,
    229, 203, 229, 242, 233, 267, 269, 270, 315, 364, 347, 312, 274, 237, 278, 284, 277, 317, 313, 318, 374, 413, 405,
    355, 306, 271, 306, 315, 301, 356, 348, 355, 422, 465, 467, 404, 347, 305, 336, 340, 318, 362, 348, 363, 435, 491,
    505, 404, 359, 310, 337, 360, 342, 406, 396, 420, 472, 548, 559, 463, 407, 362, 405, 417, 391, 419, 461, 472, 535,
    622, 606, 508, 461, 390, 432,
]  # fmt: skip
STEP = {
    "counts": [
        40, 38, 45, 50, 41, 39, 47, 52, 44, 48, 55, 46, 30, 28, 33, 35, 27, 31, 36, 29, 38, 30, 34, 33,
    ],
    "exposure": [1000 + 10 * month for month in range(24)],
    "time": list(range(24)),
    "after": [0] * 12 + [1] * 12,
}  # fmt: skip

# (source, function, arguments, expected, tolerance)
CASES: list[tuple[str, str, dict[str, Any], dict[str, Any], float]] = [
    ("Newcombe 1998, Table I, method 3", "wilson", {"successes": 15, "n": 148}, {"low": 0.0624, "high": 0.1605}, 6e-5),
    ("Newcombe 1998, Table I, method 3", "wilson", {"successes": 0, "n": 20}, {"low": 0, "high": 0.1611}, 6e-5),
    ("Newcombe 1998, Table I, method 3", "wilson", {"successes": 1, "n": 29}, {"low": 0.0061, "high": 0.1718}, 6e-5),
    (
        "Newcombe 1998, Table I, method 5",
        "clopper_pearson",
        {"successes": 81, "n": 263},
        {"low": 0.2527, "high": 0.3676},
        6e-5,
    ),
    (
        "Newcombe 1998, Table I, method 5",
        "clopper_pearson",
        {"successes": 0, "n": 20},
        {"low": 0, "high": 0.1684},
        6e-5,
    ),
    (
        "Newcombe 1998, Table I, method 5",
        "clopper_pearson",
        {"successes": 1, "n": 29},
        {"low": 0.0009, "high": 0.1776},
        6e-5,
    ),
    (
        "Newcombe 1998, Table II, method 10",
        "newcombe_difference",
        {"x1": 6, "n1": 7, "x2": 2, "n2": 7},
        {"low": 0.0582, "high": 0.8062},
        6e-5,
    ),
    (
        "Newcombe 1998, Table II, method 10",
        "newcombe_difference",
        {"x1": 5, "n1": 56, "x2": 0, "n2": 29},
        {"low": -0.0381, "high": 0.1926},
        6e-5,
    ),
    (
        "Newcombe 1998, Table II, method 10",
        "newcombe_difference",
        {"x1": 10, "n1": 10, "x2": 0, "n2": 20},
        {"low": 0.6791, "high": 1.0},
        6e-5,
    ),
    ("t table: 2.228 at 10 degrees", "mean_ci", {"n": 11, "mean": 5, "sd": sqrt(11)}, {"low": 2.772, "high": 7.228}, 6e-4),
    ("By hand: h = 9 x 0.9 = 8.1", "percentile", {"values": [10, 1, 2, 9, 3, 8, 4, 7, 5, 6], "q": 0.9}, {"value": 9.1}, 1e-12),
    ("Biometrika Tables, Table 40", "poisson_ci", {"count": 0}, {"low": 0, "high": 3.69}, 6e-3),
    ("Biometrika Tables, Table 40", "poisson_ci", {"count": 1}, {"low": 0.0253, "high": 5.572}, 6e-4),
    ("Garwood limits, recomputed", "poisson_ci", {"count": 100}, {"low": 81.364, "high": 121.627}, 6e-4),
    (
        "By hand from Garwood's limits of 10",
        "standardised_ratio",
        {"observed": 10, "expected": 5},
        {"ratio": 2, "low": 0.9591, "high": 3.678},
        2e-4,
    ),
    (
        "Boice and Monson 1977, exact limits recomputed",
        "rate_ratio_exact",
        {"x1": 41, "t1": 28010, "x2": 15, "t2": 19017},
        {"ratio": 1.855759, "low": 1.005684, "high": 3.609300},
        2e-6,
    ),
    (
        "Fleiss 1981: smokers among lung cancer patients",
        "chi_square_homogeneity",
        {"successes": [83, 90, 129, 70], "n": [86, 93, 136, 82]},
        {"chi2": 12.6004, "df": 3, "p": 0.005585},
        6e-5,
    ),
    (
        "Survival of maintained patients, log-log band recomputed",
        "kaplan_meier",
        LEUKAEMIA,
        {"median": 31, "p90": None, "longest": 161},
        0,
    ),
    (
        "NIST e-Handbook 6.3.2.4",
        "ewma_chart",
        {
            "values": [
                52.0, 47.0, 53.0, 49.3, 50.1, 47.0, 51.0, 50.1, 51.2, 50.5,
                49.6, 47.6, 49.9, 51.3, 47.8, 51.2, 52.6, 52.4, 53.6, 52.1,
            ],
            "target": 50,
            "sigma": 2.0539,
            "weight": 0.3,
            "k": 3,
        },
        {
            "ewma": [
                50.60, 49.52, 50.56, 50.18, 50.16, 49.21, 49.75, 49.85, 50.26, 50.33,
                50.11, 49.36, 49.52, 50.05, 49.38, 49.92, 50.73, 51.23, 51.94, 51.99,
            ],
            "lower": [47.4115] * 20,
            "upper": [52.5884] * 20,
            "outside": [],
        },
        6e-3,
    ),
    ("Anhoej and Olesen 2014", "run_limits", {"n": 10}, {"longest_run_max": 6, "crossings_min": 2}, 0),
    ("Anhoej and Olesen 2014", "run_limits", {"n": 20}, {"longest_run_max": 7, "crossings_min": 6}, 0),
    ("Anhoej and Olesen 2014", "run_limits", {"n": 24}, {"longest_run_max": 8, "crossings_min": 8}, 0),
    ("Rule of Anhoej, recomputed", "run_limits", {"n": 100}, {"longest_run_max": 10, "crossings_min": 41}, 0),
    (
        "Efron and Morris 1977: batting averages of 1970",
        "shrink",
        {"successes": [18, 17, 16, 15, 14, 14, 13, 12, 11, 11, 10, 10, 10, 10, 10, 9, 8, 7], "n": 45},
        {"grand_mean": 0.265, "factor": 0.212},
        6e-4,
    ),
    (
        "Box and Jenkins's airline passengers, classical decomposition",
        "seasonal_indices",
        {"series": PASSENGERS, "period": 12},
        {
            "indices": [
                0.9102304, 0.8836253, 1.0073663, 0.9759060, 0.9813780, 1.1127758,
                1.2265555, 1.2199110, 1.0604919, 0.9217572, 0.8011781, 0.8988244,
            ]
        },
        6e-8,
    ),
    (
        "Flow of the Nile, break of 1898",
        "change_point",
        {"series": NILE},
        {"index": 28, "mean_before": 1097.75, "mean_after": 849.9722},
        6e-5,
    ),
    (
        "Two years of monthly counts, quasi-Poisson recomputed",
        "interrupted_time_series",
        STEP,
        {
            "log_coefficient": -0.53486828,
            "se": 0.0821321,
            "dispersion": 0.38659010,
            "low": 0.49865329,
            "high": 0.688051,
        },
        6e-7,
    ),
    (
        "Two years of monthly counts, Poisson recomputed",
        "interrupted_time_series",
        {**STEP, "dispersion": "poisson"},
        {"log_coefficient": -0.53486828, "se": 0.13209536, "dispersion": 1},
        6e-7,
    ),
]  # fmt: skip


@pytest.mark.parametrize(
    ("function", "arguments", "expected", "tolerance"), [case[1:] for case in CASES], ids=[case[0] for case in CASES]
)
def test_a_formula_gives_the_published_number(
    function: str, arguments: dict[str, Any], expected: dict[str, Any], tolerance: float
) -> None:
    found = getattr(statistics, function)(**arguments)
    for key, value in expected.items():
        assert found[key] == (value if value is None else pytest.approx(value, abs=tolerance, rel=0)), key


def test_the_default_band_of_a_survival_curve_is_the_log_log_one() -> None:
    # Recomputed with an independent survival library.
    steps = {step["time"]: (step["low"], step["high"]) for step in statistics.kaplan_meier(**LEUKAEMIA)["table"]}
    assert steps[9] == pytest.approx((0.508080, 0.986674), abs=1e-6)
    assert steps[48] == pytest.approx((0.011738, 0.525015), abs=1e-6)
