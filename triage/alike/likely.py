"""Likely duplicates: what was said lately that says the same in other words, by the words and by the encoder together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from triage.alike.wording import Bag, Vector, weighed

MOST: Final = 5

# The share of the encoder in the score that is shown, and where a score begins to be worth a person's look. Chosen on linked
# reports of a software project (see docs/understanding.md).
_ENCODED: Final = 0.5
LEAST: Final = 0.55


@dataclass(frozen=True)
class Likely:
    """Place `other` of what was searched is like the one that was asked for; `score` from 0 to 1."""

    other: int
    score: float


def nearest(
    asked: Sequence[int],
    bags: Sequence[Bag],
    vectors: Sequence[Vector | None],
    *,
    most: int = MOST,
    least: float = LEAST,
) -> list[list[Likely]]:
    """For each asked place, the places before and after it that are most like it, best first, itself left out.

    Ranked by the sum of both likenesses, each told in standard deviations from its own mean over all that was searched, for a
    cosine of words and one of an encoder are not comparable as they are."""
    if not asked:
        return []
    matrix = weighed(bags)
    by_words = (matrix[list(asked)] @ matrix.T).toarray().astype(np.float32)
    encoded = _encoded(asked, vectors)
    rank = _standard(by_words)
    score = by_words
    if encoded is not None:
        known = np.isfinite(encoded)
        filled = np.where(known, encoded, 0.0)
        rank = rank + np.where(known, _standard(filled), 0.0)
        score = np.where(known, _ENCODED * filled + (1 - _ENCODED) * by_words, by_words)
    found = []
    for row, place in enumerate(asked):
        order = np.argsort(-rank[row], kind="stable")
        best = [int(other) for other in order[: 4 * most + 1] if other != place]
        likely = [Likely(other, float(min(1.0, score[row, other]))) for other in best if score[row, other] >= least]
        found.append(likely[:most])
    return found


def _encoded(asked: Sequence[int], vectors: Sequence[Vector | None]) -> "Vector | None":
    """Cosines of the asked with all, not a number where one of both has no vector; None where none of the asked has one."""
    size = next((len(vectors[place]) for place in asked if vectors[place] is not None), 0)  # type: ignore[arg-type]
    if not size:
        return None
    rows = np.full((len(vectors), size), np.nan, dtype=np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        if vector is not None and len(vector) == size:
            row[:] = vector
    return rows[list(asked)] @ rows.T


def _standard(rows: Vector) -> Vector:
    spread = rows.std(axis=1, keepdims=True)
    told: Vector = np.divide(rows - rows.mean(axis=1, keepdims=True), spread, out=np.zeros_like(rows), where=spread > 0)
    return told
