"""How well a model did on corrections that were held back from it, as figures that can be stored and shown. Pure."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import fsum, log, sqrt
from typing import Any, Final

import numpy as np

from triage.evaluation import metrics

LEAST_LIKELY: Final = 1e-4
"""No answer counts as worse than this, so that a single one does not decide a comparison."""
NEEDS_EXAMPLES: Final = 10
"""A label with fewer corrections than this cannot be judged."""
_BINS = 10
_SHARES = tuple(number / 10 for number in range(1, 11))
_MOST_LABELS = 500
_Z = 1.959964


@dataclass(frozen=True)
class Outcome:
    """One correction and what a model said that had not seen it; `event` names the correction, `likelihood` is how
    probable the model held the right label."""

    event: int
    truth: str
    said: str
    sure: float
    likelihood: float

    @property
    def is_right(self) -> bool:
        return self.truth == self.said

    @property
    def log_likelihood(self) -> float:
        return log(max(self.likelihood, LEAST_LIKELY))


@dataclass(frozen=True)
class Comparison:
    """A new model against the one in use, on the same corrections. `reason` says why it is not better; empty if it is."""

    held_back: int
    log_likelihoods: tuple[float, float]
    accuracies: tuple[float, float]
    reason: str

    @property
    def is_better(self) -> bool:
        return not self.reason


def compare(new: Sequence[Outcome], old: Sequence[tuple[bool, float]]) -> Comparison:
    """`old` is whether the model in use was right, and its log-likelihood, correction by correction. The rule stands in
    `triage.learning.training`."""
    n = len(new)
    likelihoods = fsum(each.log_likelihood for each in new) / n, fsum(told for _, told in old) / n
    accuracies = sum(each.is_right for each in new) / n, sum(right for right, _ in old) / n
    apart = [each.is_right - right for each, (right, _) in zip(new, old, strict=True)]
    mean = sum(apart) / n
    error = sqrt(max(0.0, sum(each * each for each in apart) / n - mean * mean) / n)
    reason = ""
    if mean < -error or (mean < 0 and not error):
        reason = (
            f"It is right {_percent(accuracies[0])} of the time on {n} corrections it had not seen, the one in use"
            f" {_percent(accuracies[1])}."
        )
    elif likelihoods[0] <= likelihoods[1]:
        reason = (
            f"It is no surer of what is right: {likelihoods[0]:.3f} against {likelihoods[1]:.3f} mean log-likelihood on"
            f" {n} corrections it had not seen."
        )
    return Comparison(n, likelihoods, accuracies, reason)


def figures_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """What the model page shows; shares carry their Wilson interval as [value, low, high]."""
    n = len(outcomes)
    rights = [each.is_right for each in outcomes]
    sure = [each.sure for each in outcomes]
    true, said = Counter(each.truth for each in outcomes), Counter(each.said for each in outcomes)
    right = Counter(each.truth for each in outcomes if each.is_right)
    return {
        "held_back": n,
        "accuracy": share(sum(rights), n),
        "macro_f1": metrics.macro_f1([each.truth for each in outcomes], [each.said for each in outcomes]),
        "log_likelihood": fsum(each.log_likelihood for each in outcomes) / n if n else 0.0,
        "calibration_error": metrics.calibration_error(rights, sure),
        "calibration": _calibration(outcomes),
        "coverage": [[part, metrics.accuracy_at_coverage(rights, sure, share=part)] for part in _SHARES],
        "labels": [
            {
                "label": label,
                "corrections": count,
                "precision": share(right[label], said[label]),
                "recall": share(right[label], count),
            }
            for label, count in sorted(true.items(), key=lambda pair: (-pair[1], pair[0]))[:_MOST_LABELS]
        ],
    }


def share(part: int, whole: int) -> list[float] | None:
    """A share with its 95 % interval by Wilson (1927); None of nothing."""
    if not whole:
        return None
    value, square = part / whole, _Z * _Z
    middle = (value + square / (2 * whole)) / (1 + square / whole)
    reach = _Z / (1 + square / whole) * sqrt(value * (1 - value) / whole + square / (4 * whole * whole))
    return [value, max(0.0, middle - reach), min(1.0, middle + reach)]


def packed(outcomes: Sequence[Outcome]) -> bytes:
    """The outcomes as far as a later model is compared with them: about 20 bytes each."""
    out = io.BytesIO()
    np.savez_compressed(
        out,
        events=np.array([each.event for each in outcomes], np.int64),
        rights=np.array([each.is_right for each in outcomes], np.bool_),
        likelihoods=np.array([each.log_likelihood for each in outcomes], np.float32),
    )
    return out.getvalue()


def unpacked(stored: bytes) -> Mapping[int, tuple[bool, float]]:
    """By event: whether it was right, and its log-likelihood."""
    if not stored:
        return {}
    with np.load(io.BytesIO(stored), allow_pickle=False) as read:
        rows = zip(read["events"].tolist(), read["rights"].tolist(), read["likelihoods"].tolist(), strict=True)
        return {event: (right, likelihood) for event, right, likelihood in rows}


def _calibration(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Answers by how sure they were, ten kinds: how sure on average, and how many were right."""
    bins: list[list[Outcome]] = [[] for _ in range(_BINS)]
    for each in outcomes:
        bins[min(int(each.sure * _BINS), _BINS - 1)].append(each)
    return [
        {
            "from": number / _BINS,
            "to": (number + 1) / _BINS,
            "n": len(inside),
            "sure": fsum(each.sure for each in inside) / len(inside),
            "right": share(sum(each.is_right for each in inside), len(inside)),
        }
        for number, inside in enumerate(bins)
        if inside
    ]


def _percent(value: float) -> str:
    return f"{100 * value:.1f}%"
