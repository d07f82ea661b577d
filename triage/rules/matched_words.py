"""Where in an item stand the words for which a rule holds, so that a page can mark them."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from triage.expressions import compiled
from triage.phrases import Phrases
from triage.rules import All, AnyOf, Node, Rule
from triage.rules.conditions import Condition
from triage.rules.facts import FIELDS, Facts, folded
from triage.words import fold, stem, words

MOST_MARKS: Final = 20
LOOKED_AT: Final = 20_000
"""Characters of a text that are searched for marks; they serve the eye, not the rule."""


class Mark(NamedTuple):
    """Characters `start` to `end` of the "title" or the "text"."""

    part: str
    start: int
    end: int


def marks(rule: Rule, facts: Facts) -> list[Mark]:
    """The places, in order and none inside another, of what the rule's own words met; what it asks not to be has no place."""
    found = sorted({mark for condition in _asked_for(rule.when) for mark in _places(condition, facts)})
    kept: list[Mark] = []
    for mark in found:
        if not kept or kept[-1].part != mark.part or kept[-1].end <= mark.start:
            kept.append(mark)
        elif mark.end > kept[-1].end:
            kept[-1] = Mark(mark.part, kept[-1].start, mark.end)
    return kept[:MOST_MARKS]


def pieces(text: str, spans: list[tuple[int, int]], *, around: int = 160) -> list[tuple[str, bool]]:
    """The text as runs to be shown, each marked or not, cut to about `around` characters beside the first and last mark."""
    if not spans:
        return [(text[: 2 * around] + ("…" if len(text) > 2 * around else ""), False)]
    first, last = max(0, spans[0][0] - around), min(len(text), spans[-1][1] + around)
    shown: list[tuple[str, bool]] = []
    reached = first
    for start, end in spans:
        shown += [(text[reached:start], False), (text[start:end], True)]
        reached = end
    shown.append((text[reached:last], False))
    shown[0] = ("…" * (first > 0) + shown[0][0], False)
    shown[-1] = (shown[-1][0] + "…" * (last < len(text)), False)
    return [piece for piece in shown if piece[0]]


def _asked_for(node: Node) -> Iterator[Condition]:
    if isinstance(node, All | AnyOf):
        for part in node.parts:
            yield from _asked_for(part)
    elif isinstance(node, Condition):
        yield node


def _places(condition: Condition, facts: Facts) -> Iterator[Mark]:
    part = condition.field
    if FIELDS.get(part) != "prose":
        return
    text = (facts.title if part == "title" else facts.text)[:LOOKED_AT]
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    if condition.op == "contains":
        found = _containing(text, str(condition.value))
    elif condition.op == "mentions":
        found = _mentioning(text, [str(value) for value in values])
    elif condition.op == "matches":
        found = _matching(text, str(condition.value))
    else:
        return
    for _, (start, end) in zip(range(MOST_MARKS), found, strict=False):
        yield Mark(part, start, end)


def _containing(text: str, said: str) -> Iterator[tuple[int, int]]:
    wanted = folded(said)
    letters: list[str] = []
    places: list[int] = []
    for place, character in enumerate(text):
        for letter in " " if character.isspace() else fold(character):
            if letter != " " or (letters and letters[-1] != " "):
                letters.append(letter)
                places.append(place)
    flat = "".join(letters)
    start = flat.find(wanted)
    while start >= 0:
        yield places[start], places[start + len(wanted) - 1] + 1
        start = flat.find(wanted, start + len(wanted))


def _mentioning(text: str, said: list[str]) -> Iterator[tuple[int, int]]:
    cut = words(text)
    phrases: Phrases[bool] = Phrases(((one, True) for one in said), key=stem)
    for hit in phrases.longest(tuple(map(stem, cut.folded))):
        yield cut.starts[hit.start], cut.ends[hit.end - 1]


def _matching(text: str, said: str) -> Iterator[tuple[int, int]]:
    pattern, characters = compiled(said, finds=True)
    looked_at = text[:characters]
    encoded = looked_at.encode(errors="replace")
    for found in pattern.finditer(encoded):
        start, end = (len(encoded[:place].decode(errors="replace")) for place in found.span())
        if end > start:
            yield start, end
