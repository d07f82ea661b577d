"""How good answers are: pure functions of what was right, what was said and how sure it was."""

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Sequence
from math import fsum
from typing import Final

BINS: Final = 15


def accuracy(truths: Sequence[str], answers: Sequence[str]) -> float:
    """The share of answers that are right; 0 where there are none."""
    return sum(map(str.__eq__, truths, answers)) / len(truths) if truths else 0.0


def macro_f1(truths: Sequence[str], answers: Sequence[str]) -> float:
    """The mean of the F1 of every label that is true or answered somewhere, so that a rare label counts like a common one."""
    true, said = Counter(truths), Counter(answers)
    right = Counter(truth for truth, answer in zip(truths, answers, strict=True) if truth == answer)
    scores = [2 * right[label] / (true[label] + said[label]) for label in sorted(true.keys() | said.keys())]
    return fsum(scores) / len(scores) if scores else 0.0


def calibration_error(rights: Sequence[bool], confidences: Sequence[float]) -> float:
    """Expected calibration error over 15 bins of equal width (Guo et al. 2017): how far, on average, confidence is from
    the share that is right."""
    bins: list[list[tuple[bool, float]]] = [[] for _ in range(BINS)]
    for right, confidence in zip(rights, confidences, strict=True):
        bins[min(int(confidence * BINS), BINS - 1)].append((right, confidence))
    gaps = [abs(sum(right for right, _ in each) - fsum(sure for _, sure in each)) for each in bins]
    return fsum(gaps) / len(rights) if rights else 0.0


def coverage_at_accuracy(rights: Sequence[bool], confidences: Sequence[float], *, least: float) -> float:
    """The largest share of answers that can be kept, surest first, while at least `least` of them are right. Answers
    equally sure are kept together or not at all."""
    best = 0
    for kept, right in _kept(rights, confidences):
        if right >= least * kept:
            best = kept
    return best / len(rights) if rights else 0.0


def accuracy_at_coverage(rights: Sequence[bool], confidences: Sequence[float], *, share: float) -> float:
    """The share of right answers among the surest `share` of them; those equally sure at the edge count in part."""
    if not rights:
        return 0.0
    wanted = share * len(rights)
    kept_before = right_before = 0
    for kept, right in _kept(rights, confidences):
        if kept >= wanted:
            part = (wanted - kept_before) / (kept - kept_before)
            return (right_before + part * (right - right_before)) / wanted
        kept_before, right_before = kept, right
    return right_before / kept_before


def separation(high: Sequence[float], low: Sequence[float]) -> float:
    """How likely one of `high` is above one of `low`, ties counting half: the area under the ROC curve (Mann & Whitney)."""
    ordered = sorted(low)
    above = sum(bisect_left(ordered, one) + bisect_right(ordered, one) for one in high)
    return above / (2 * len(high) * len(low)) if high and low else 0.0


def caught(high: Sequence[float], low: Sequence[float], *, lost: float) -> float:
    """The share of `low` that lies below a bound which `lost` of `high` lie below as well."""
    if not high or not low:
        return 0.0
    bound = sorted(high)[min(int(lost * len(high)), len(high) - 1)]
    return sum(one < bound for one in low) / len(low)


def _kept(rights: Sequence[bool], confidences: Sequence[float]) -> list[tuple[int, int]]:
    """How many are kept and how many of them are right, at each confidence from the surest down."""
    order = sorted(range(len(rights)), key=lambda number: -confidences[number])
    levels: list[tuple[int, int]] = []
    right = 0
    for kept, number in enumerate(order, start=1):
        right += rights[number]
        if kept == len(order) or confidences[order[kept]] != confidences[number]:
            levels.append((kept, right))
    return levels
