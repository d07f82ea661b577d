"""What a tagger is given and what it gives back.

A new tagger is one new file beside this one: a class with `slug`, `version`, `kind` and `tag`, under `@taggers.register`.
Raise `version` whenever the same text may get another answer; it is stored with every answer.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from feedback_portal.marking import filled
from feedback_portal.registry import Registry
from triage.words import LONGEST_TEXT, Words, words

if TYPE_CHECKING:
    from triage.blend import Blend

T = TypeVar("T")

Vector = NDArray[np.float32]
"""What the encoder makes of a text: of length one, so that the product of two is their cosine."""


class Span(NamedTuple):
    """Characters `start` to `end` of one part of an item: "title" or "text"."""

    part: str
    start: int
    end: int


@dataclass(frozen=True)
class Told:
    """What a model outside said of a text, as far as it held: labels, each with the quotes that show it, the likeliest first; how
    often such answers are right; and which model at which server said so, asked in which words."""

    named: tuple[tuple[str, tuple[str, ...]], ...]
    confidence: float
    model: str
    server: str
    prompt: str


@dataclass(frozen=True)
class Text:
    """One item as taggers see it."""

    item_id: int
    title: str = ""
    text: str = ""
    declared_language: str = ""
    rating_scale: str = ""
    rating_value: Decimal | float | None = None
    product: str = ""
    context: Mapping[str, object] = field(default_factory=dict)
    vector: Vector | None = field(default=None, repr=False, compare=False)
    """None while no encoder has seen it: taggers then go by its words alone."""
    told: "Mapping[str, Told]" = field(default_factory=dict, repr=False, compare=False)
    """By the tagger's slug, what a model outside said in its place."""
    _derived: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def derive(self, find: Callable[["Text"], T]) -> T:
        """What `find` finds in this text, found at the first call; so taggers may lean on each other and be asked alone."""
        if find not in self._derived:
            self._derived[find] = find(self)
        return self._derived[find]  # type: ignore[return-value]

    @cached_property
    def words(self) -> Words:
        """The words of the title, a sentence end, the words of the text; cut into words once for all taggers."""
        return words(self.whole)

    @cached_property
    def whole(self) -> str:
        """The title, a line break, the text; what `words` counts its places in."""
        return f"{self.title}\n{self.text}"[:LONGEST_TEXT]

    @property
    def stems(self) -> tuple[str, ...]:
        """The words without their endings, place by place."""
        return self.words.stems

    def span(self, first: int, last: int) -> Span:
        """Where the words from `first` up to, not including, `last` stand. They must lie in one part, as sentences do."""
        return self.place(self.words.starts[first], self.words.ends[last - 1])

    def place(self, start: int, end: int) -> Span:
        """Where these characters of `whole` stand. They must lie in one part."""
        text_starts = len(self.title) + 1
        if start >= text_starts:
            return Span("text", start - text_starts, end - text_starts)
        return Span("title", start, min(end, len(self.title)))


@dataclass(frozen=True)
class Evidence:
    """One thing that spoke for (or, with a negative weight, against) a suggestion: words at a place, or a fact without one."""

    says: str
    weight: float
    span: Span | None = None


@dataclass(frozen=True)
class Suggestion:
    """What a tagger believes of one item, how sure it is (0 to 1), why in one sentence, and the words that made it."""

    kind: str
    value: str | int
    confidence: float
    reason: str
    evidence: tuple[Evidence, ...] = ()
    score: float | None = None
    grounds: Mapping[str, object] = field(default_factory=dict, compare=False)
    """What else is known of how it came about, as JSON: the parts of a learned model, the nearest examples, the runners-up."""
    worded: str = field(default="", init=False, compare=False)
    """The reason as it is stored, to be said to each reader in their language (`marking.worded`); empty where a tagger gave a text."""

    def __post_init__(self) -> None:
        if (reason := filled(self.reason)) != self.reason:
            object.__setattr__(self, "worded", self.reason)
            object.__setattr__(self, "reason", reason)


@dataclass(frozen=True)
class Topic:
    """A node of the organisation's taxonomy."""

    slug: str
    name: str
    description: str = ""
    keywords: tuple[str, ...] = ()
    team: str = ""
    parent: str = ""


@dataclass(frozen=True)
class Pattern:
    """How the organisation writes one kind of thing: an expression that finds it, or what else one thing is called."""

    name: str
    kind: str
    """What it finds: "batch", "order", "product" …"""
    expression: str = ""
    aliases: tuple[str, ...] = ()
    product: str = ""
    """The product whose mention it is, too."""
    version: int = 1


@dataclass(frozen=True)
class Taxonomy:
    """The organisation's words at one moment, and what was learned from people's corrections: the model in use for each
    field, "topic" or "team". Whatever taggers derive from them is derived once for each snapshot."""

    topics: tuple[Topic, ...] = ()
    learned: "Mapping[str, Blend]" = field(default_factory=dict, compare=False)
    vectors: Mapping[str, Vector] = field(default_factory=dict, repr=False, compare=False)
    """What the encoder makes of each of the `sayings`; empty where there is none."""
    patterns: tuple[Pattern, ...] = ()
    """In the order in which they are tried."""
    _derived: dict[object, object] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        slugs = [topic.slug for topic in self.topics]
        if len(set(slugs)) < len(slugs):
            raise ValueError("Two topics have the same slug.")

    @property
    def sayings(self) -> tuple[str, ...]:
        """Every name, description and keyword once: what is to be encoded for texts to be compared with."""
        said = (saying for topic in self.topics for saying in (topic.name, topic.description, *topic.keywords))
        return tuple(dict.fromkeys(saying for saying in said if saying))

    def derive(self, build: Callable[["Taxonomy"], T]) -> T:
        """What `build` makes of these topics, made at the first call."""
        if build not in self._derived:
            self._derived[build] = build(self)
        return self._derived[build]  # type: ignore[return-value]


class Tagger(ABC):
    """Pure: the same texts and taxonomy give the same suggestions, whatever else is in the batch."""

    slug: ClassVar[str]
    version: ClassVar[int]
    kind: ClassVar[str]
    """What it suggests: "language", "sentiment", "urgency", "topic", "entity" …"""

    @abstractmethod
    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        """For each text in order, the suggestions, surest first; an empty list where there is nothing to go by."""


taggers: Registry[Tagger] = Registry("tagger")
