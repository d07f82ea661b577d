"""Rules in the order they are tried, compiled once so that an item meets only those that could hold for it.

Most rules can hold only where something is seen: "channel is app-store", "text contains drips", "text mentions seal leak",
"text matches leak(s|ed)". Each rule waits under one such thing; one walk over the item finds who is woken, and what a
thousand rules for other words ask costs nothing. Waking too many is allowed, for each is asked in full; too few is not.
"""

import heapq
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
import numpy.typing

from triage.phrases import Phrases
from triage.rules import All, AnyOf, Match, Node, Rule, match
from triage.rules.conditions import Condition
from triage.rules.facts import ENTITY, FIELDS, Facts, folded, index_key
from triage.rules.literals import literal_of
from triage.words import stem


class Sight(NamedTuple):
    """One thing that may be seen of an item: that a field `is` this, `has` these letters in it, or `says` this phrase."""

    kind: str
    field: str
    value: str


class RuleSet:
    def __init__(self, rules: Iterable[Rule]) -> None:
        self.rules: Sequence[Rule] = tuple(rules)
        guards = [tuple(_guards(rule.when)) for rule in self.rules]
        popular = Counter(sight for choices in guards for sights in choices for sight in sights)
        self._everywhere: list[int] = []
        waiting: defaultdict[Sight, list[int]] = defaultdict(list)
        for position, choices in enumerate(guards):
            if choices:
                for sight in min(choices, key=lambda sights: sum(popular[sight] for sight in sights)):
                    waiting[sight].append(position)
            else:
                self._everywhere.append(position)
        self._exact: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        letters: defaultdict[str, dict[str, list[int]]] = defaultdict(dict)
        phrases: defaultdict[str, list[tuple[str, int]]] = defaultdict(list)
        for sight, positions in waiting.items():
            if sight.kind == "is":
                self._exact[sight.field][sight.value] = positions
            elif sight.kind == "has":
                letters[sight.field][sight.value] = positions
            else:
                phrases[sight.field] += [(sight.value, position) for position in positions]
        self._letters = {field: _Letters(needles) for field, needles in letters.items()}
        self._phrases = {field: Phrases(said, key=stem) for field, said in phrases.items()}

    def matching(self, facts: Facts) -> Iterator[tuple[int, Rule]]:
        """The rules that hold with their positions, in order, each found only when asked for."""
        for position in self._candidates(facts):
            if self.rules[position].when.holds(facts):
                yield position, self.rules[position]

    def first_match(self, facts: Facts, *, verb: str | None = None) -> Match | None:
        """The first rule that holds (and does `verb`, if one is given), with its conditions answered."""
        for _, rule in self.matching(facts):
            if verb is None or rule.act(verb):
                return match(rule, facts)
        return None

    def trace(self, facts: Facts) -> tuple[Match, ...]:
        """Every rule tried, in order, each with every condition answered."""
        return tuple(match(rule, facts) for rule in self.rules)

    def _candidates(self, facts: Facts) -> Iterator[int]:
        woken: list[int] = []
        for field, values in self._exact.items():
            seen = facts.get(field)
            for one in seen if isinstance(seen, frozenset) else (seen,):
                if one is not None:
                    woken += values.get(index_key(one), ())
        for field, letters in self._letters.items():
            text = facts.folded(field)
            if text:
                woken += letters.woken(text)
        for field, phrases in self._phrases.items():
            said = facts.said(field)
            if not phrases.beginnings.isdisjoint(said.kinds):
                for hit in phrases.find(said.stems):
                    woken += hit.meanings
        return heapq.merge(self._everywhere, sorted(set(woken)))


class _Letters:
    """Runs of letters to be found anywhere in a text: each is looked for only where its rarest group of three bytes stands.

    Groups are compared by a number of 16 bits each, all of a text at once; two that share a number cost a look and no more.
    """

    def __init__(self, needles: dict[str, list[int]]) -> None:
        groups = {needle: set(_groups(needle).tolist()) for needle in needles}
        popular = Counter(group for found in groups.values() for group in found)
        self._short: list[tuple[str, list[int]]] = []
        self._by_group: defaultdict[int, list[tuple[str, list[int]]]] = defaultdict(list)
        for needle, positions in needles.items():
            if groups[needle]:
                rarest = min(groups[needle], key=lambda group: (popular[group], group))
                self._by_group[rarest].append((needle, positions))
            else:
                self._short.append((needle, positions))
        self._is_known = np.zeros(1 << 16, dtype=bool)
        self._is_known[list(self._by_group)] = True

    def woken(self, text: str) -> Iterator[int]:
        for needle, positions in self._short:
            if needle in text:
                yield from positions
        found = _groups(text)
        for group in set(found[self._is_known[found]].tolist()):
            for needle, positions in self._by_group[group]:
                if needle in text:
                    yield from positions


def _groups(text: str) -> "numpy.typing.NDArray[np.integer[Any]]":
    """The number of every three bytes in a row."""
    # What is no letter by itself is matched by nobody either, so it may become anything.
    letters = np.frombuffer(text.encode(errors="replace"), dtype=np.uint8).astype(np.uint32)
    return (letters[:-2] * 5_333 + letters[1:-1] * 73 + letters[2:]) & 0xFFFF


def _guards(node: Node) -> Iterator[frozenset[Sight]]:
    """Sets of sights of which at least one must be seen for the node to hold."""
    if isinstance(node, All):
        for part in node.parts:
            yield from _guards(part)
    elif isinstance(node, AnyOf):
        first_of_each = [next(_guards(part), None) for part in node.parts]
        guards = [guard for guard in first_of_each if guard is not None]
        if len(guards) == len(node.parts):
            yield frozenset().union(*guards)
    elif isinstance(node, Condition):
        sights = frozenset(_sights(node))
        if sights:
            yield sights


def _sights(condition: Condition) -> Iterator[Sight]:
    field, value = condition.field, condition.value
    values = value if isinstance(value, tuple) else (value,)
    if condition.op in ("is", "in"):
        for one in values:
            yield Sight("is", field, index_key(one))
    elif condition.op == "contains":
        yield Sight("has", field, folded(str(value)))
    elif condition.op == "mentions":
        for one in values:
            yield Sight("says", field, str(one))
    elif condition.op == "matches" and (FIELDS.get(field) == "prose" or field.startswith(ENTITY)):
        literal = literal_of(str(value))
        if literal:
            yield Sight("has", field, literal)
