"""The words of a text as numbers that can be stored, compared and weighed, whatever its language."""

import zlib
from collections.abc import Iterable, Sequence
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Final, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from triage import lexicon
from triage.words import SENTENCE_ENDS, stem, words

if TYPE_CHECKING:
    from scipy.sparse import csr_array

DIMENSIONS: Final = 512
MOST_WORDS: Final = 400
"""Different words of a text that are kept, the first ones."""
VERSION: Final = "words-1"

Vector: TypeAlias = NDArray[np.float32]

# How much of two texts' likeness is the encoder's, where both have its vector.
_ENCODED: Final = 0.9
_COMMON = 0.35
_SMILEYS = frozenset({":)", ":("})


class Bag(NamedTuple):
    """The words of a text by number, each once and in order, and how much each weighs (1 to 255)."""

    numbers: NDArray[np.uint32]
    weights: NDArray[np.uint8]

    def packed(self) -> bytes:
        return self.numbers.astype("<u4").tobytes() + self.weights.tobytes()

    @classmethod
    def unpacked(cls, stored: bytes | memoryview) -> "Bag":
        size = len(stored) // 5
        numbers = np.frombuffer(stored, dtype="<u4", count=size)
        return cls(numbers.astype(np.uint32), np.frombuffer(stored, dtype=np.uint8, offset=4 * size))


def bag(text: str) -> Bag:
    """The text's words and pairs of neighbours without their endings; words that say nothing are left out."""
    counts: dict[int, float] = {}
    before = ""
    for word in telling(text):
        if not word:
            before = ""
            continue
        number = _number(word)
        weight = _COMMON if word in _listed("common") else 1.0
        counts[number] = counts.get(number, 0.0) + weight
        if before:
            pair = _number(f"{before} {word}")
            counts[pair] = counts.get(pair, 0.0) + 0.5 * weight
        before = word
        if len(counts) >= 2 * MOST_WORDS:
            break
    numbers = np.array(sorted(counts), dtype=np.uint32)
    # The second mention of a word says less than the first, the tenth next to nothing.
    weights = np.array([min(255, round(40 * np.log1p(counts[int(number)]) / np.log(2))) for number in numbers])
    return Bag(numbers, np.maximum(weights, 1).astype(np.uint8) if len(numbers) else weights.astype(np.uint8))


def telling(text: str) -> Iterable[str]:
    """The words in order without their endings; an empty one where a sentence ends or a word says nothing."""
    for word in words(text).folded:
        root = "" if word in SENTENCE_ENDS or word in _SMILEYS else stem(word)
        yield "" if root in _listed("silent") else root


def shown(text: str) -> dict[str, str]:
    """How each telling word stands in the text the first time, by its stem."""
    found: dict[str, str] = {}
    for word in words(text).folded:
        if word not in SENTENCE_ENDS and word not in _SMILEYS and (root := stem(word)) not in _listed("silent"):
            found.setdefault(root, word)
    return found


def hashed(bags: Sequence[Bag]) -> Vector:
    """One row of `DIMENSIONS` a bag, of length 1 (0 for an empty bag): words are added where their number falls, with a sign, so
    that chance meetings cancel out (Weinberger et al. 2009)."""
    rows = np.zeros((len(bags), DIMENSIONS), dtype=np.float32)
    for row, one in zip(rows, bags, strict=True):
        signs = np.where(one.numbers >> np.uint32(31), np.float32(1), np.float32(-1))
        np.add.at(row, one.numbers % DIMENSIONS, signs * one.weights)
    return unit(rows)


def joined(encoded: Sequence[Vector | None], bags: Sequence[Bag], *, size: int) -> Vector:
    """The encoder's vector of so many numbers (0 where there is no encoder) and the words' in one row of length 1; the words alone
    where the encoder has none."""
    by_words = hashed(bags)
    if not size:
        return by_words
    rows = np.zeros((len(bags), size + DIMENSIONS), dtype=np.float32)
    for row, vector, said in zip(rows, encoded, by_words, strict=True):
        if vector is None or len(vector) != size:
            row[size:] = said
        else:
            row[:size] = vector * np.float32(_ENCODED**0.5)
            row[size:] = said * np.float32((1 - _ENCODED) ** 0.5)
    return unit(rows)


def unit(rows: Vector) -> Vector:
    lengths = np.linalg.norm(rows, axis=1, keepdims=True)
    scaled: Vector = np.divide(rows, lengths, out=np.zeros_like(rows), where=lengths > 0)
    return scaled


def weighed(bags: Sequence[Bag]) -> "csr_array":
    """Tf-idf over these bags, rows of length 1."""
    from scipy.sparse import csr_array  # not above: pages weigh no words, and what serves them is not to load it

    numbers = np.concatenate([one.numbers for one in bags]) if bags else np.empty(0, dtype=np.uint32)
    weights = np.concatenate([one.weights for one in bags]).astype(np.float32) if bags else np.empty(0, np.float32)
    starts = np.concatenate([[0], np.cumsum([len(one.numbers) for one in bags])]).astype(np.int64)
    known, columns = np.unique(numbers, return_inverse=True)
    spread = np.bincount(columns, minlength=len(known))
    rarity = np.log((len(bags) + 1) / (spread + 1)) + 1
    data = weights * rarity[columns].astype(np.float32)
    lengths = np.sqrt(np.add.reduceat(np.append(data**2, 0), starts[:-1])) if len(bags) else np.empty(0)
    sizes = np.diff(starts)
    lengths = np.where((sizes > 0) & (lengths > 0), lengths, 1.0)
    data /= np.repeat(lengths, sizes).astype(np.float32)
    return csr_array((data, columns, starts), shape=(len(bags), max(len(known), 1)))


@lru_cache(maxsize=65_536)
def _number(word: str) -> int:
    return zlib.crc32(word.encode(errors="replace"))


@cache
def _listed(name: str) -> frozenset[str]:
    said = [line.partition(":")[2] for line in lexicon.lines("common_words.txt") if line.startswith(f"{name}:")]
    return frozenset(stem(word) for word in words(" ".join(said)).folded) | (
        SENTENCE_ENDS if name == "silent" else set()
    )
