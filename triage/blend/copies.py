"""Which texts are copies of one another, so that they are never on both sides of a fold."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triage.taggers.base import Text


def groups_of(texts: Sequence[Text], given: Sequence[str]) -> NDArray[np.intp]:
    """A number for each text, the same for those given the same group or made of the same words."""
    numbers: dict[object, int] = {}
    groups = []
    for text, group in zip(texts, given, strict=True):
        by = [("words", text.stems)] + ([("group", group)] if group else [])
        known = min((numbers[key] for key in by if key in numbers), default=len(numbers))
        for key in by:
            numbers.setdefault(key, known)
        groups.append(known)
    _, dense = np.unique(groups, return_inverse=True)
    return dense.astype(np.intp)
