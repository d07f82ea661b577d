"""The two learners of the blend: one over meanings, one over words. Both linear, so that what they say can be shown."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from triage.blend.zero_shot import Floats

# How closely each learner follows its examples; chosen on labelled feedback kept apart from what is reported.
_MEANING_STRICTNESS: Final = 10.0
_WORDS_STRICTNESS: Final = 0.2
# 1 would make every label count the same however rare, 0 every example.
_BALANCE: Final = 1.0
_MOST_STEPS: Final = 200


@dataclass(frozen=True)
class Linear:
    """`weights` (features, labels) and `bias` (labels); scores are sums, so each feature's share is exact."""

    weights: NDArray[np.float32]
    bias: NDArray[np.float32]

    def scores(self, features: Any) -> Floats:
        """Of a dense or sparse matrix (texts, features)."""
        scores: Floats = features @ self.weights.astype(np.float64) + self.bias.astype(np.float64)
        return scores


def learn_meaning(vectors: Floats, labels: NDArray[np.intp], number: int, weights: Floats) -> Linear:
    """Logistic regression; `labels` are numbers below `number`, each of which has an example."""
    if number < 2:
        return _nothing(vectors.shape[1], number)
    from sklearn.linear_model import LogisticRegression

    model = LogisticRegression(C=_MEANING_STRICTNESS, max_iter=_MOST_STEPS)
    model.fit(vectors, labels, weights)
    return _of(model, number)


def learn_words(features: Any, labels: NDArray[np.intp], number: int, weights: Floats) -> Linear:
    """Linear support vector machines, one a label."""
    if number < 2:
        return _nothing(features.shape[1], number)
    from sklearn.svm import LinearSVC

    model = LinearSVC(C=_WORDS_STRICTNESS, random_state=0, max_iter=5 * _MOST_STEPS)
    model.fit(features, labels, weights * balance(labels, number))
    return _of(model, number)


def balance(labels: NDArray[np.intp], number: int) -> Floats:
    """How much each example counts, so that rare labels are not drowned: 1 on average."""
    often = np.bincount(labels, minlength=number)
    weights = (len(labels) / (number * np.maximum(often, 1))) ** _BALANCE
    of_each: Floats = weights[labels]
    of_each /= of_each.mean()
    return of_each


def _of(model: Any, number: int) -> Linear:
    weights, bias = model.coef_.T, model.intercept_
    if number == 2:  # one column tells the second label from the first
        weights, bias = np.hstack([-weights, weights]), np.array([-bias[0], bias[0]])
    return Linear(weights.astype(np.float32), bias.astype(np.float32))


def _nothing(features: int, number: int) -> Linear:
    return Linear(np.zeros((features, number), np.float32), np.zeros(number, np.float32))


def spread_out(scores: Floats, columns: Sequence[int], width: int, *, unseen: float) -> Floats:
    """Scores of the labels seen, in their columns among all labels; `unseen` in the others."""
    wide = np.full((len(scores), width), unseen)
    wide[:, list(columns)] = scores
    return wide
