"""What an item names: products, versions, orders, batches, serial numbers, sites, by the organisation's own patterns.

The longest wording wins wherever two overlap, so the H4 inside batch H4-2231 is part of the batch. What came with the item
under the name of a kind counts as named too, and as certain.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, Final, NamedTuple

import re2

from triage import lexicon
from triage.expressions import LARGEST_PROGRAM, WORK, BadExpression, compiled
from triage.phrases import Phrases
from triage.taggers.base import Evidence, Pattern, Suggestion, Tagger, Taxonomy, Text, taggers
from triage.words import LONGEST_TEXT, fold, stem

KINDS: Final = ("product", "version", "order", "batch", "serial", "site")
"""Kinds that are known without a pattern, since they may come with an item."""
MARK: Final = "entity."
"""Before the kind in what this tagger suggests."""

LONGEST_VALUE: Final = 120
MOST_VALUES: Final = 30
MOST_PLACES: Final = 5
_MOST_HITS = 40  # of one pattern in one text; no honest text needs more
_MOST_CANDIDATES = 400

# How sure each way of being named is; see "Entities" in docs/understanding.md.
_GIVEN = 1.0
_CODE = 0.97
_SEVERAL_WORDS = 0.96
_AS_WRITTEN = 0.95
_WORD = 0.85
_COMMON_WORD = 0.6


@taggers.register
class Entities(Tagger):
    slug = "entities"
    version = 1
    kind = "entity"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        index = taxonomy.derive(EntityIndex)
        return [index.suggestions(text) for text in batch]


class Found(NamedTuple):
    """One place of `whole` that names something; `order` is the place of its pattern."""

    start: int
    end: int
    order: int
    value: str
    confidence: float


@dataclass
class _Value:
    value: str
    confidence: float = 0.0
    evidence: list[Evidence] = field(default_factory=list)
    by: str = ""

    def add(self, confidence: float, evidence: Evidence, by: str) -> None:
        if confidence > self.confidence:
            self.confidence, self.by = confidence, by
        if len(self.evidence) < MOST_PLACES:
            self.evidence.append(evidence)


class EntityIndex:
    """All patterns made ready once: one tree of every alias, and expressions in groups of which most texts match none."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self._patterns: Sequence[Pattern] = taxonomy.patterns
        self.kinds = frozenset(KINDS) | {pattern.kind for pattern in taxonomy.patterns}
        self._phrases = Phrases(
            ((alias, (order, alias)) for order, pattern in enumerate(taxonomy.patterns) for alias in pattern.aliases),
            key=stem,
        )
        self._groups = [_Group(members) for members in _grouped(taxonomy.patterns)]

    def suggestions(self, text: Text) -> list[Suggestion]:
        found: dict[tuple[str, str], _Value] = {}
        for kind, value in self._given(text):
            _value(found, kind, value).add(_GIVEN, Evidence(value, _GIVEN), "It came with the item")
        for each in self.find(text):
            pattern = self._patterns[each.order]
            evidence = Evidence(
                text.whole[each.start : each.end][:LONGEST_VALUE], each.confidence, text.place(*each[:2])
            )
            by = f"The pattern “{pattern.name}” finds it"
            _value(found, pattern.kind, each.value).add(each.confidence, evidence, by)
            if pattern.product and pattern.kind != "product":
                _value(found, "product", pattern.product).add(each.confidence, evidence, by)
        ranked = sorted(found.items(), key=lambda one: (-one[1].confidence, one[0]))
        return [
            Suggestion(
                kind=f"{MARK}{kind}",
                value=value.value,
                confidence=value.confidence,
                reason=f"{value.by}: {kind} “{value.value}”.",
                evidence=tuple(value.evidence),
            )
            for (kind, _), value in ranked[:MOST_VALUES]
        ]

    def find(self, text: Text) -> list[Found]:
        """Everything the patterns find, none inside or across another, in the order of the text."""
        candidates = list(islice(self._candidates(text), _MOST_CANDIDATES))
        candidates.sort(key=lambda one: (one.start - one.end, one.order, one.start))
        taken: list[Found] = []
        for each in candidates:
            if all(each.end <= other.start or other.end <= each.start for other in taken):
                taken.append(each)
                if len(taken) == 2 * MOST_VALUES:
                    break
        return sorted(taken)

    def _candidates(self, text: Text) -> Iterator[Found]:
        if not self._patterns:
            return
        for hit in self._phrases.longest(text.stems):
            start, end = text.words.starts[hit.start], text.words.ends[hit.end - 1]
            order, alias = min(hit.meanings)
            pattern = self._patterns[order]
            said = text.whole[start:end]
            yield Found(start, end, order, _stands_for(pattern), _sure_of_alias(alias, said, hit.end - hit.start))
        whole = _readable(text.whole)
        border = len(text.title)  # the line break between title and text: nothing stands across it
        for group in self._groups:
            for order, start, end, value in group.find(whole):
                if not start <= border < end:
                    confidence = _CODE if any(map(str.isdigit, value)) else _WORD
                    yield Found(start, end, order, value, confidence)

    def _given(self, text: Text) -> Iterator[tuple[str, str]]:
        if text.product:
            yield "product", text.product[:LONGEST_VALUE]
        for name, value in text.context.items():
            kind = name.lower()
            if kind in self.kinds and isinstance(value, str | int) and (said := " ".join(str(value).split())):
                yield kind, said[:LONGEST_VALUE]


class _Group:
    """Expressions that are tried one by one only where any of them matches at all."""

    def __init__(self, members: Sequence[tuple[int, str, Any, int]]) -> None:
        self._members = [(order, program, characters) for order, _, program, characters in members]
        self._any: Any = None
        self._characters = min(characters for *_, characters in members)
        if len(members) > 1:
            # Each was compiled by itself, so together they are an expression too; should they not be, each is tried.
            try:
                self._any, characters = compiled("|".join(f"(?:{expression})" for _, expression, *_ in members))
            except (BadExpression, re2.error):
                return
            self._characters = min(self._characters, characters)

    def find(self, whole: str) -> Iterator[tuple[int, int, int, str]]:
        """(order, start, end, value) of every match that is not a part of a longer word or number."""
        if self._any is not None and len(whole) <= self._characters and self._any.search(whole) is None:
            return
        for order, program, characters in self._members:
            for match in islice(program.finditer(whole[:characters]), _MOST_HITS):
                start, end = match.span(1) if program.groups == 1 and match[1] else match.span()
                value = " ".join(whole[start:end].split())
                if value and len(value) <= LONGEST_VALUE and _is_whole(whole, *match.span()):
                    yield order, start, end, value


def _grouped(patterns: Sequence[Pattern]) -> Iterator[list[tuple[int, str, Any, int]]]:
    group: list[tuple[int, str, Any, int]] = []
    size = 0
    for order, pattern in enumerate(patterns):
        if not pattern.expression:
            continue
        try:
            program, characters = compiled(pattern.expression, finds=True)
        except BadExpression:  # it was refused when it was written; a stored one that no longer compiles finds nothing
            continue
        if group and size + program.programsize > LARGEST_PROGRAM // 2:
            yield group
            group, size = [], 0
        group.append((order, pattern.expression, program, min(characters, WORK // program.programsize, LONGEST_TEXT)))
        size += program.programsize
    if group:
        yield group


def _is_whole(whole: str, start: int, end: int) -> bool:
    """Whether a match ends where a word or number ends: 4711 is not found in 47110."""
    before, after = whole[start - 1 : start] if start else "", whole[end : end + 1]
    return not (before.isalnum() and whole[start].isalnum()) and not (after.isalnum() and whole[end - 1].isalnum())


def _stands_for(pattern: Pattern) -> str:
    """What an alias means: the product for products, and otherwise the thing that the pattern is named for."""
    return (pattern.product if pattern.kind == "product" else "") or pattern.name


def _sure_of_alias(alias: str, said: str, count: int) -> float:
    if count > 1 or any(map(str.isdigit, said)):
        return _SEVERAL_WORDS
    if stem(fold(said)) in lexicon.listed("common"):
        return _COMMON_WORD
    return _AS_WRITTEN if said == alias and said != said.lower() else _WORD


def _value(found: dict[tuple[str, str], _Value], kind: str, value: str) -> _Value:
    return found.setdefault((kind, key_of(value)), _Value(value))


def key_of(value: str) -> str:
    """How values are compared: without regard to case, accents and how often a space was pressed."""
    return fold(" ".join(value.split()))[:LONGEST_VALUE]


def _readable(text: str) -> str:
    """The text as RE2 can read it, character for character."""
    return text if text.isascii() else text.encode(errors="replace").decode()
