"""Likely duplicates: what was said lately that says the same in other words, by the words and by the encoder together."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from triage.alike.wording import Bag, Vector, weighed

MOST: Final = 3

# The share of the encoder in the score that is shown, and where a score begins to be worth a person's look.
_ENCODED: Final = 0.5
LEAST: Final = 0.4
LEAST_BY_WORDS: Final = 0.25
# By how many standard deviations a pair must stand out from what else was said, all likenesses added up: in a collection that
# speaks of one thing everything is alike, and no score of two texts by themselves tells that. Together with the bounds above and
# at most three an item this makes a third of the suggestions (by words alone a fifth) that the five best above 0.5 (0.35) did,
# and finds no fewer of the linked reports it was chosen on: 27 of 46 against 26, by words 17 against 11.
_STANDS_OUT, _STANDS_OUT_BY_WORDS = 10.0, 8.0
# Among fewer than this nothing can stand out so far, and the score alone tells.
MANY: Final = 200
_LEAST_AMONG_FEW, _LEAST_AMONG_FEW_BY_WORDS = 0.5, 0.35
# How much the likeness of titles and of the encoder's vectors counts beside that of all words. Chosen on linked reports of one
# software project, so that reports of another stay apart to be measured on.
_HEADING, _MEANING = 0.5, 1.0


@dataclass(frozen=True)
class Likely:
    """Place `other` of what was searched is like the one that was asked for; `score` from 0 to 1."""

    other: int
    score: float


def nearest(
    asked: Sequence[int],
    bags: Sequence[Bag],
    headings: Sequence[Bag],
    vectors: Sequence[Vector | None],
    *,
    most: int = MOST,
    least: float | None = None,
) -> list[list[Likely]]:
    """For each asked place, the places that are most like it, best first, itself left out.

    Ranked by the sum of the likenesses of words, of titles and of the encoder's vectors, each told in standard deviations from its
    own mean over all that was searched, for their cosines are not comparable as they are. What does not stand out from the rest is
    left out, unless `least` says which score alone is enough."""
    if not asked:
        return []
    by_words = _cosines(asked, bags)
    known = np.zeros(by_words.shape, dtype=bool)
    rank = _standard(by_words) + _HEADING * _standard(_cosines(asked, headings))
    score = by_words
    encoded = _encoded(asked, vectors)
    if encoded is not None:
        known = np.isfinite(encoded)
        filled = np.where(known, encoded, 0.0)
        rank = rank + np.where(known, _MEANING * _standard(filled), 0.0)
        score = np.where(known, _ENCODED * filled + (1 - _ENCODED) * by_words, by_words)
    if least is not None:
        is_enough = score >= least
    elif len(bags) < MANY:
        is_enough = score >= np.where(known, _LEAST_AMONG_FEW, _LEAST_AMONG_FEW_BY_WORDS)
    else:
        stands_out = rank >= np.where(known, _STANDS_OUT, _STANDS_OUT_BY_WORDS)
        is_enough = stands_out & (score >= np.where(known, LEAST, LEAST_BY_WORDS))
    found = []
    for row, place in enumerate(asked):
        order = np.argsort(-rank[row], kind="stable")
        best = [int(other) for other in order[: 4 * most + 1] if other != place]
        likely = [Likely(other, float(min(1.0, score[row, other]))) for other in best if is_enough[row, other]]
        found.append(likely[:most])
    return found


def _cosines(asked: Sequence[int], bags: Sequence[Bag]) -> Vector:
    matrix = weighed(bags)
    cosines: Vector = (matrix[list(asked)] @ matrix.T).toarray().astype(np.float32)
    return cosines


def _encoded(asked: Sequence[int], vectors: Sequence[Vector | None]) -> Vector | None:
    """Cosines of the asked with all, not a number where one of both has no vector; None where none of them has one."""
    size = next((len(one) for one in vectors if one is not None), 0)
    if not size:
        return None
    rows = np.full((len(vectors), size), np.nan, dtype=np.float32)
    for row, vector in zip(rows, vectors, strict=True):
        if vector is not None and len(vector) == size:
            row[:] = vector
    cosines: Vector = rows[list(asked)] @ rows.T
    return cosines


def _standard(rows: Vector) -> Vector:
    spread = rows.std(axis=1, keepdims=True)
    told: Vector = np.divide(rows - rows.mean(axis=1, keepdims=True), spread, out=np.zeros_like(rows), where=spread > 0)
    return told
