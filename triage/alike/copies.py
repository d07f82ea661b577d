"""Near copies: texts that share most of their runs of five characters, found by MinHash without comparing every pair.

The share two signatures agree in estimates the Jaccard index J of the two sets of runs, with a standard error of at most
0.045 (Broder 1997). Bands of four places make texts of J = .6 meet with a chance of .988 and of J = .2 with .05.
"""

import re
from typing import Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from triage.words import LONGEST_TEXT, fold

NEAR: Final = 0.6
"""Texts whose signatures agree in at least this share say the same in nearly the same words."""
SHORTEST: Final = 24
"""Letters and digits a text must have: "Great, thanks!" is said by many who have nothing to do with each other."""
PLACES: Final = 128
BANDS: Final = 32

Signature: TypeAlias = NDArray[np.uint32]

_RUN = 5
_CHUNK = 4096
_NOT_WORDS = re.compile(r"[\W_]+")
_chance = np.random.default_rng(20_260_101)  # fixed: signatures are stored
_TIMES = _chance.integers(1, 2**63, size=PLACES, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_PLUS = _chance.integers(0, 2**63, size=PLACES, dtype=np.uint64)
_MIX = _chance.integers(1, 2**63, size=_RUN, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_BAND_MIX = _chance.integers(1, 2**63, size=PLACES // BANDS, dtype=np.uint64) * np.uint64(2) + np.uint64(1)
_BAND_PLUS = _chance.integers(0, 2**63, size=BANDS, dtype=np.uint64)


def plain(text: str) -> str:
    """The letters and digits of the first 64 K characters, words apart by one space, without case and accents."""
    return _NOT_WORDS.sub(" ", fold(text[:LONGEST_TEXT])).strip()


def signature(text: str) -> Signature | None:
    """128 numbers that agree with those of another text in about the share of what the two have in common; None for a text
    too short to tell."""
    letters = plain(text)
    if len(letters) - letters.count(" ") < SHORTEST:
        return None
    codes = np.frombuffer(letters.encode("utf-32-le", errors="replace"), dtype=np.uint32).astype(np.uint64)
    runs = np.zeros(len(codes) - _RUN + 1, dtype=np.uint64)
    for place in range(_RUN):
        runs += codes[place : place + len(runs)] * _MIX[place]
    runs = np.unique(runs ^ runs >> np.uint64(31))
    least = np.full(PLACES, np.iinfo(np.uint64).max, dtype=np.uint64)
    for start in range(0, len(runs), _CHUNK):
        mixed = runs[None, start : start + _CHUNK] * _TIMES[:, None] + _PLUS[:, None]
        np.minimum(least, mixed.min(axis=1), out=least)
    return (least >> np.uint64(32)).astype(np.uint32)


def bands(signed: Signature) -> list[int]:
    """32 numbers of 64 bits; two texts that share one are worth comparing."""
    rows = signed.astype(np.uint64).reshape(BANDS, -1)
    mixed = (rows * _BAND_MIX).sum(axis=1, dtype=np.uint64) * _TIMES[:BANDS] + _BAND_PLUS
    return [int(one) for one in mixed.astype(np.int64)]


def likeness(one: Signature, other: Signature) -> float:
    """The estimated Jaccard index, 0 to 1."""
    return float(np.mean(one == other))


def packed(signed: Signature) -> bytes:
    return signed.astype("<u4").tobytes()


def unpacked(stored: bytes | memoryview) -> Signature:
    return np.frombuffer(stored, dtype="<u4").astype(np.uint32)
