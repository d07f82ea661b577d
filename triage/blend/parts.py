"""The two learners of the blend, one over meanings and one over words: linear support vector machines, one a label.

Linear, so that what they say can be shown. Their margins blend better than the log probabilities of a logistic regression,
which are too sure of themselves where examples are few, and above all of labels without any.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.blend.zero_shot import Floats

# How closely each learner follows its examples; chosen on labelled feedback kept apart from what is reported.
_MEANING_STRICTNESS: Final = 3.0
_WORDS_STRICTNESS: Final = 0.2
# 1 would make every label count the same however rare, 0 every example.
_BALANCE: Final = 1.0
_MOST_STEPS: Final = 60
_CLOSE_ENOUGH: Final = 0.05
# What a machine says where it says no.
_NO: Final = -1.0


@dataclass(frozen=True)
class Linear:
    """`weights` (features, labels) and `bias` (labels); scores are sums, so each feature's share is exact."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, features: Any) -> Floats:
        """Of a dense or sparse matrix (texts, features)."""
        scores: Floats = features @ self.weights.astype(np.float64) + self.bias.astype(np.float64)
        return scores

    def among(self, columns: Sequence[int], width: int) -> "Linear":
        """The same machines at their columns among `width` labels; of the others it always says no."""
        weights = np.zeros((len(self.weights), width), np.float32)
        bias = np.full(width, _NO, np.float32)
        weights[:, list(columns)], bias[list(columns)] = self.weights, self.bias
        return Linear(weights, bias)


def learn_meaning(vectors: Floats, labels: NDArray[np.intp], number: int, weights: Floats) -> Linear:
    """From (examples, size) vectors; `labels` are numbers below `number`, each of which has an example.

    All machines are learned at once by products of whole matrices, ten times as fast as one by one."""
    from scipy.optimize import minimize

    middle = vectors.mean(axis=0)
    points = np.hstack([vectors - middle, np.ones((len(vectors), 1))]).astype(np.float32)
    sides = np.full((len(labels), number), -1, np.float32)
    sides[np.arange(len(labels)), labels] = 1
    costs = (_MEANING_STRICTNESS * weights * balance(labels, number))[:, None].astype(np.float32)

    def loss(point: Floats) -> tuple[float, Floats]:
        plane = point.reshape(-1, number).astype(np.float32)
        short = np.maximum(1 - sides * (points @ plane), 0)
        slope = plane - 2 * (points.T @ (costs * sides * short))
        length = np.square(plane, dtype=np.float64).sum() / 2
        return float(length + (costs * np.square(short, dtype=np.float64)).sum()), slope.astype(np.float64).ravel()

    options = {"maxiter": _MOST_STEPS, "ftol": 1e-5, "gtol": 1e-3}
    found = minimize(loss, np.zeros(points.shape[1] * number), jac=True, method="L-BFGS-B", options=options)
    plane = found.x.reshape(-1, number)
    return Linear(plane[:-1].astype(np.float32), (plane[-1] - middle @ plane[:-1]).astype(np.float32))


def learn_words(features: Any, labels: NDArray[np.intp], number: int, weights: Floats) -> Linear:
    """From a sparse matrix (examples, features)."""
    if number < 2:
        return Linear(np.zeros((features.shape[1], number), np.float32), np.zeros(number, np.float32))
    # Not above: it takes half a second, and only whoever trains needs it.
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=_WORDS_STRICTNESS, random_state=0, tol=_CLOSE_ENOUGH)
    with warnings.catch_warnings():
        warnings.simplefilter(
            "ignore"
        )  # a machine that has not quite settled is as good; how good is measured out of fold
        model.fit(features, labels, weights * balance(labels, number))
    coefficients, bias = model.coef_.T, model.intercept_
    if number == 2:  # one column tells the second label from the first
        coefficients, bias = np.hstack([-coefficients, coefficients]), np.array([-bias[0], bias[0]])
    return Linear(coefficients.astype(np.float32), bias.astype(np.float32))


def balance(labels: NDArray[np.intp], number: int) -> Floats:
    """How much each example counts, so that rare labels are not drowned: 1 on average."""
    often = np.bincount(labels, minlength=number)
    weights = (len(labels) / (number * np.maximum(often, 1))) ** _BALANCE
    of_each: Floats = weights[labels]
    of_each /= of_each.mean()
    return of_each


def spread_out(scores: Floats, columns: Sequence[int], width: int) -> Floats:
    """Scores of the labels seen, in their columns among all labels; of the others no."""
    wide = np.full((len(scores), width), _NO)
    wide[:, list(columns)] = scores
    return wide
