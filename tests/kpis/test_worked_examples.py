"""The worked examples of the KPI definitions, where they are at hand beside the checkout."""

import json
from pathlib import Path
from typing import Any

import pytest

from kpis import statistics

EXAMPLES = Path(__file__).resolve().parents[3] / "shared" / "reference" / "kpi_examples.json"
CASES: list[dict[str, Any]] = json.loads(EXAMPLES.read_text())["cases"] if EXAMPLES.exists() else []


def agrees(expected: Any, found: Any, *, tolerance: float) -> bool:
    if isinstance(expected, dict):
        return all(agrees(value, part(found, key, value), tolerance=tolerance) for key, value in expected.items())
    if isinstance(expected, list):
        return len(expected) == len(found) and all(
            agrees(value, other, tolerance=tolerance) for value, other in zip(expected, found, strict=True)
        )
    if isinstance(expected, int | float) and isinstance(found, int | float):
        return abs(expected - found) <= tolerance
    return bool(expected == found)


def part(found: dict[str, Any], key: str, expected: Any) -> Any:
    """What `key` names: `upper_all` is every upper limit, `adjusted_first` the leading ones, `last_upper` the last."""
    if key in found:
        return found[key]
    if key.endswith("_all"):
        return max(found[key.removesuffix("_all")], key=lambda one: abs(one - expected))
    if key.endswith("_first"):
        return found[key.removesuffix("_first")][: len(expected)]
    end, _, name = key.partition("_")
    return found[name][{"first": 0, "last": -1}[end]]


@pytest.mark.skipif(not CASES, reason="The worked examples are not beside this checkout.")
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["id"])
def test_a_worked_example_comes_out_within_its_tolerance(case: dict[str, Any]) -> None:
    found = getattr(statistics, case["method"])(**case["inputs"])
    assert agrees(case["expected"], found, tolerance=case["tolerance"]), found
