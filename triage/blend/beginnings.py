"""What is known of a field before anybody put anything right: which labels there are, and how likely the words make each.

Topics and teams begin with the taxonomy. Every other field begins with the tagger that knows something of it by itself, and that
tagger says so when it is loaded: a learned blend then weighs its word against what people said, and is measured against it alone.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from triage.blend.zero_shot import Floats
from triage.taggers.base import Text

_LEAST: Final = 1e-3
"""Nothing is held to be less likely than this, so that what people say can be heard against it."""


@dataclass(frozen=True)
class Beginning:
    labels: tuple[str, ...]
    says: Callable[[Text], Mapping[str, float]]


_beginnings: dict[str, Beginning] = {}


def begin(field: str, labels: Sequence[str], says: Callable[[Text], Mapping[str, float]]) -> None:
    """`says` gives the probability of some of the labels; the others share what is left evenly."""
    _beginnings[field] = Beginning(tuple(sorted(labels)), says)


def labels_of(field: str) -> tuple[str, ...] | None:
    """Every label of the field in order; None where it begins with the taxonomy or with nothing."""
    known = _beginnings.get(field)
    return known.labels if known else None


def log_probabilities(field: str, texts: Sequence[Text], labels: Sequence[str]) -> Floats:
    """(texts, labels)"""
    begins = _beginnings[field]
    shares = np.empty((len(texts), len(labels)))
    for row, text in enumerate(texts):
        said = begins.says(text)
        left = max(0.0, 1 - sum(said.values())) / max(1, len(begins.labels) - len(said))
        shares[row] = [said.get(label, left) for label in labels]
    shares = np.maximum(shares, _LEAST)
    logs: Floats = np.log(shares / shares.sum(axis=1, keepdims=True))
    return logs
