"""From which probability on a promise is kept: at least so many of what is decided above it are right."""

from math import sqrt
from typing import Final

import numpy as np
from numpy.typing import NDArray

LEAST_KEPT: Final = 15
_Z: Final = 1.0


def wilson_lower(right: int, of: int, z: float = _Z) -> float:
    """The lower bound of Wilson's interval for a share (Wilson 1927)."""
    if not of:
        return 0.0
    share = right / of
    middle = share + z * z / (2 * of)
    return (middle - z * sqrt(share * (1 - share) / of + z * z / (4 * of * of))) / (1 + z * z / of)


def threshold(rights: NDArray[np.bool_], confidences: NDArray[np.float64], *, promise: float) -> float | None:
    """The lowest confidence such that of all at least so sure, 15 or more, the share that is right is `promise` or more even
    at the lower bound of its interval. None where no confidence does."""
    order = np.argsort(-confidences, kind="stable")
    right = np.cumsum(rights[order])
    found = None
    for kept in range(LEAST_KEPT, len(order) + 1):
        together = kept < len(order) and confidences[order[kept]] == confidences[order[kept - 1]]
        if not together and wilson_lower(int(right[kept - 1]), kept) >= promise:
            found = float(confidences[order[kept - 1]])
    return found
