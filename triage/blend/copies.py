"""Which examples are copies of one another, so that they are never on both sides of a fold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triage.alike.copies import NEAR, bands, likeness, signature
from triage.taggers.base import Text

_MOST_COMPARED = 8
"""Copies of one text share most of their bands, so a few members of each tell."""


def groups_of(texts: Sequence[Text], given: Sequence[str]) -> NDArray[np.intp]:
    """A number for each text, the same for those given the same group, made of the same words, or nearly so."""
    first = list(range(len(texts)))

    def root(number: int) -> int:
        while first[number] != number:
            first[number] = first[first[number]]
            number = first[number]
        return number

    def join(one: int, other: int) -> None:
        early, late = sorted((root(one), root(other)))
        first[late] = early

    known: dict[object, int] = {}
    for number, (text, group) in enumerate(zip(texts, given, strict=True)):
        for key in (text.stems, group or number):
            join(known.setdefault(key, number), number)
    signatures = [signature(text.whole) for text in texts]
    met: dict[tuple[int, int], list[int]] = {}
    for number, signed in enumerate(signatures):
        if signed is None:
            continue
        for band in enumerate(bands(signed)):
            others = met.setdefault(band, [])
            for other in others:
                against = signatures[other]
                if root(other) != root(number) and against is not None and likeness(signed, against) >= NEAR:
                    join(other, number)
            if len(others) < _MOST_COMPARED:
                others.append(number)
    _, dense = np.unique([root(number) for number in range(len(texts))], return_inverse=True)
    return dense.astype(np.intp)
