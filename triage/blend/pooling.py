"""How much each part of the blend is believed: a softmax of weighted log odds, fitted on predictions out of fold."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triage.blend.zero_shot import Floats, log_softmax

# How strongly the weights are held to where they begin (the taxonomy alone), and the biases to none, in examples.
_HOLD_WEIGHTS: Final = 3.0
_HOLD_BIASES: Final = 8.0
_COLDEST, _HOTTEST = 0.25, 4.0
_HALVINGS: Final = 30


@dataclass(frozen=True)
class Pool:
    """`weights` (parts) and `bias` (labels)."""

    weights: Floats
    bias: Floats

    def log_probabilities(self, parts: Floats) -> Floats:
        """Of parts (parts, texts, labels), the blend (texts, labels)."""
        return log_softmax(np.einsum("p,ptl->tl", self.weights, parts) + self.bias)

    def cooled(self, temperature: float) -> "Pool":
        """The same answers, more or less sure of themselves (temperature scaling; Guo et al. 2017)."""
        return Pool(self.weights / temperature, self.bias / temperature)


def pool(parts: Floats, truths: NDArray[np.intp], weights: Floats) -> Pool:
    """The weights, none below zero, and biases that make the truths likeliest; the first part is the taxonomy's, which is
    believed alone where there is little to go by."""
    from scipy.optimize import minimize

    number, _, labels = parts.shape
    start = np.zeros(number + labels)
    start[0] = 1.0
    hold = np.array([_HOLD_WEIGHTS] * number + [_HOLD_BIASES] * labels)
    one = np.arange(len(truths))

    def loss(point: Floats) -> tuple[float, Floats]:
        logs = Pool(point[:number], point[number:]).log_probabilities(parts)
        error = np.exp(logs)
        error[one, truths] -= 1
        error *= weights[:, None]
        away = point - start
        slope = np.concatenate([np.einsum("ptl,tl->p", parts, error), error.sum(axis=0)]) + hold * away
        return float(-(weights * logs[one, truths]).sum() + (hold * away * away).sum() / 2), slope

    bounds: Sequence[tuple[float | None, float | None]] = [(0, None)] * number + [(None, None)] * labels
    found = minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"maxiter": 200})
    return Pool(found.x[:number], found.x[number:])


def temperature(logs: Floats, *, confidence: float) -> float:
    """What log probabilities (texts, labels) must be divided by for the likeliest label of each text to be this likely on
    average; the nearest to it from a quarter to four where that cannot be."""
    coldest, hottest = np.log(_COLDEST), np.log(_HOTTEST)
    for _ in range(_HALVINGS):
        middle = (coldest + hottest) / 2
        is_too_sure = np.exp(log_softmax(logs / np.exp(middle)).max(axis=1)).mean() > confidence
        coldest, hottest = (middle, hottest) if is_too_sure else (coldest, middle)
    return float(np.exp((coldest + hottest) / 2))
