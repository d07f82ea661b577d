"""What the blend learns from, what it says, and what it refuses."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, NamedTuple

from triage.taggers.base import Evidence, Vector

NONE: Final = ""
"""The label of what belongs to none of the topics."""

Verdict = Literal["auto", "suggest", "abstain"]


class Unlearnable(Exception):
    """These examples cannot be learned from, or these bytes are no model; the message says why."""


@dataclass(frozen=True)
class Example:
    """One thing a person decided: the text (its title, a line break, its body) and the label they gave it, or `NONE`."""

    text: str
    label: str
    vector: Vector | None = field(default=None, repr=False, compare=False)
    language: str = ""
    """As found by the language tagger; found again where it is empty."""
    group: str = ""
    """Near copies share it and are never on both sides of a fold; the blend also finds copies by itself."""
    key: int = 0
    """Whatever the caller finds the example by again; neighbours are named by it."""
    weight: float = 1.0


class Neighbour(NamedTuple):
    """A labelled example close by: its key, its label, and how close, as cosine."""

    key: int
    label: str
    cosine: float


@dataclass(frozen=True)
class Prediction:
    """What the blend says of one text, and why."""

    probabilities: tuple[tuple[str, float], ...]
    """Every label with its probability, likeliest first; they add up to one."""
    verdict: Verdict
    """ "auto": sure enough to be set; "suggest": worth showing; "abstain": neither."""
    threshold: float | None
    """From this probability on the verdict would be "auto"; None where no threshold keeps the promise."""
    parts: Mapping[str, float] = field(default_factory=dict)
    """How likely each part of the blend, asked alone, holds the likeliest label."""
    words: tuple[Evidence, ...] = ()
    """The words that speak for the likeliest label, strongest first."""
    neighbours: tuple[Neighbour, ...] = ()
    in_scope: float = 1.0
    """The likeliest probability times the mean cosine of the five nearest examples: low for what is unlike anything known."""
    why_not: str | None = None
    """Why it is not "auto", as a sentence."""

    @property
    def label(self) -> str:
        return self.probabilities[0][0]

    @property
    def confidence(self) -> float:
        return self.probabilities[0][1]
