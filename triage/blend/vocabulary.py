"""Texts as weighted words: stems and pairs of stems, and pieces of words, which survive misspelling and inflection.

Weights are (1 + log times) x idf, each of the two halves at length 1 (sublinear tf-idf; Salton & Buckley 1988).
"""

from collections import Counter
from collections.abc import Sequence
from itertools import chain, pairwise
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike, NDArray

from triage.taggers.base import Text
from triage.words import SENTENCE_ENDS

Matrix = Any  # scipy.sparse.csr_matrix, which has no types

MOST_TERMS: Final = 25_000
"""Of either half; the commonest are kept."""
_SHORTEST_PIECE, _LONGEST_PIECE = 3, 5
_LONGEST_WORD = 40
_MOST_REMEMBERED = 50_000
NO_PIECES = np.empty(0, np.int32)


class Vocabulary:
    """Terms (stems and pairs of stems) and pieces of words, each with its column: the terms come first."""

    def __init__(self, terms: Sequence[str], pieces: Sequence[str]) -> None:
        self.terms = tuple(terms)
        self.pieces = tuple(pieces)
        self._terms = {term: number for number, term in enumerate(self.terms)}
        self._pieces = {piece: number for number, piece in enumerate(self.pieces)}
        self._of_word: dict[str, NDArray[np.int32]] = {}

    @classmethod
    def of(cls, texts: Sequence[Text]) -> "Vocabulary":
        """The terms that stand in at least two of the texts."""
        terms = Counter(chain.from_iterable(set(terms_of(text)) for text in texts))
        words = Counter(chain.from_iterable(set(text.words.folded) for text in texts))
        pieces: Counter[str] = Counter()
        for word, count in words.items():
            for piece in set(_pieces(word)):
                pieces[piece] += count
        return cls(_commonest(terms), _commonest(pieces))

    def __len__(self) -> int:
        return len(self.terms) + len(self.pieces)

    def kept(self, columns: NDArray[np.intp]) -> "Vocabulary":
        """Only these columns, in their order."""
        terms = [self.terms[column] for column in columns if column < len(self.terms)]
        return Vocabulary(terms, [self.pieces[column - len(self.terms)] for column in columns[len(terms) :]])

    def counts(self, texts: Sequence[Text]) -> Matrix:
        """How often each term and piece stands in each text: (texts, columns), columns in order within a row."""
        from scipy import sparse  # not above: pages weigh no words, and what serves them is not to load it

        words: dict[str, int] = {}
        of_terms: list[int] = []
        of_words: list[int] = []
        term_ends, word_ends = [0], [0]
        for text in texts:
            of_terms += [self._terms[term] for term in terms_of(text) if term in self._terms]
            of_words += [words.setdefault(word, len(words)) for word in text.words.folded]
            term_ends.append(len(of_terms))
            word_ends.append(len(of_words))
        terms = _rows(of_terms, term_ends, len(self.terms))
        pieces = _rows(of_words, word_ends, len(words)) @ self._pieces_by_word(list(words))
        counts = sparse.hstack([terms, pieces], format="csr")
        counts.sum_duplicates()
        return counts

    def term(self, said: str) -> int | None:
        """The column of a stem or a pair of stems."""
        return self._terms.get(said)

    def pieces_of(self, word: str) -> NDArray[np.int32]:
        """The pieces of a folded word by their place among the pieces, with repetition."""
        known = self._of_word.get(word)
        if known is None:
            known = np.array([self._pieces[piece] for piece in _pieces(word) if piece in self._pieces], np.int32)
            if len(self._of_word) < _MOST_REMEMBERED:
                self._of_word[word] = known
        return known

    def _pieces_by_word(self, words: Sequence[str]) -> Matrix:
        each = [self.pieces_of(word) for word in words]
        return _rows(np.concatenate([*each, NO_PIECES]), np.cumsum([0, *map(len, each)]), len(self.pieces))


def rarity_of(counts: Matrix, groups: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.float64]]:
    """The columns found in at least two groups of texts, and the inverse document frequency of each. Copies of one text
    (those in one group) count once, so that a form letter does not make its words common."""
    from scipy import sparse

    number = int(groups.max()) + 1 if len(groups) else 0
    belongs = sparse.csr_matrix((np.ones(len(groups)), (groups, np.arange(len(groups)))), shape=(number, len(groups)))
    spread = (belongs @ counts).getnnz(axis=0)
    columns = np.flatnonzero(spread > 1)
    return columns, np.log((1 + number) / (1 + spread[columns])) + 1


def weighted(counts: Matrix, rarity: NDArray[np.float64], *, terms: int) -> Matrix:
    """Counts as weights; the first `terms` columns are one half and the rest the other."""
    from scipy import sparse

    data = (1 + np.log(counts.data)) * rarity[counts.indices]
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    half = 2 * row + (counts.indices >= terms)
    length = np.sqrt(np.bincount(half, data * data, minlength=2 * counts.shape[0]))
    return sparse.csr_matrix((data / length[half], counts.indices, counts.indptr), shape=counts.shape)


def terms_of(text: Text) -> list[str]:
    """The stems, and each with the one after it."""
    stems = [word for word in text.stems if word not in SENTENCE_ENDS]
    return stems + [f"{one} {other}" for one, other in pairwise(stems)]


def _pieces(word: str) -> list[str]:
    """Runs of three to five letters of a word, its edges marked by spaces."""
    if word in SENTENCE_ENDS:
        return []
    edged = f" {word[:_LONGEST_WORD]} "
    return [
        edged[at : at + length]
        for length in range(_SHORTEST_PIECE, _LONGEST_PIECE + 1)
        for at in range(max(1, len(edged) - length + 1))
    ]


def _commonest(spread: Counter[str]) -> list[str]:
    often = sorted((term for term, count in spread.items() if count > 1), key=lambda term: (-spread[term], term))
    return sorted(often[:MOST_TERMS])


def _rows(columns: ArrayLike, ends: ArrayLike, width: int) -> Matrix:
    """One row for each run of columns, each worth one."""
    from scipy import sparse

    numbers = np.asarray(columns, np.int32)
    rows = sparse.csr_matrix(
        (np.ones(len(numbers)), numbers, np.asarray(ends, np.int32)), shape=(np.size(ends) - 1, width)
    )
    rows.sum_duplicates()
    return rows
