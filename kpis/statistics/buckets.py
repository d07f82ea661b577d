"""Durations as a histogram that can be added up: any quantile of any period to 1%, from a few hundred whole numbers.

Buckets grow by a constant factor, so the error is relative and the same everywhere, and adding the counts of two
histograms gives the histogram of both. Source: Masson, Rim and Lee 2019, Proc VLDB Endow 12:2195-2205 (DDSketch).
"""

import math
from collections.abc import Mapping

ACCURACY = 0.01
GROWTH = (1 + ACCURACY) / (1 - ACCURACY)
_LOG_GROWTH = math.log(GROWTH)
_SHORTEST = 1e-6


def bucket_of(duration: float) -> int:
    """The bucket of a duration of at least 0, in any unit: it holds (GROWTH^(b - 1), GROWTH^b].

    Next to nothing is counted as a millionth, for the logarithm of 0 has no bucket.
    """
    if duration < 0:
        raise ValueError("Nothing happens before it was received: durations start at 0.")
    return math.ceil(math.log(max(duration, _SHORTEST)) / _LOG_GROWTH)


def value_of(bucket: int) -> float:
    """The value that is at most `ACCURACY` away, relatively, from every duration in the bucket."""
    return 2 * GROWTH**bucket / (GROWTH + 1)


def bucket_percentile(counts: Mapping[int, int], q: float) -> float | None:
    """The duration that a share `q` (0 to 1) does not exceed, to `ACCURACY`; `None` of nothing.

    It is the value of the item at place floor((n - 1) q), counted from 0 in rising order.
    """
    if not 0 <= q <= 1:
        raise ValueError("A percentile is asked for as a share, 0.9 for the ninetieth.")
    place = math.floor((sum(counts.values()) - 1) * q)
    passed = 0
    for bucket in sorted(counts):
        passed += counts[bucket]
        if passed > place:
            return value_of(bucket)
    return None
