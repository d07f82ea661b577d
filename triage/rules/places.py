"""Where in the words of an item a condition found what it asks for, so that a reader sees it underlined."""

from collections.abc import Iterator
from typing import Final

from triage.expressions import compiled
from triage.rules.conditions import Condition, as_phrase
from triage.rules.facts import Facts
from triage.words import LONGEST_TEXT, fold, stem, words

MOST_PLACES: Final = 20
"""So many places of one condition are shown."""

Place = tuple[str, int, int]
"""(part, start, end): characters of the "title" or the "text"."""


def places(condition: Condition, facts: Facts) -> list[Place]:
    """Where it holds, for conditions about title and text; nothing for what does not hold or has no words."""
    if condition.field not in {"title", "text"} or condition.op not in _FIND:
        return []
    said = str(getattr(facts, condition.field))[:LONGEST_TEXT]
    values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
    found: list[Place] = []
    for value in values:
        for start, end in _FIND[condition.op](said, str(value)):
            found.append((condition.field, start, end))
            if len(found) == MOST_PLACES:
                return found
    return found


def _contained(said: str, value: str) -> Iterator[tuple[int, int]]:
    """As `contains` compares, letter by letter, for folding may change how long a text is."""
    letters: list[str] = []
    at: list[int] = []
    for place, letter in enumerate(said):
        for one in " " if letter.isspace() else fold(letter):
            if one != " " or letters[-1:] != [" "]:
                letters.append(one)
                at.append(place)
    whole, wanted = "".join(letters), " ".join(fold(value).split())
    start = whole.find(wanted) if wanted else -1
    while start >= 0:
        end = start + len(wanted)
        yield at[start], at[end - 1] + 1
        start = whole.find(wanted, end)


def _mentioned(said: str, value: str) -> Iterator[tuple[int, int]]:
    wanted = as_phrase(value)
    cut = words(said)
    stems = tuple(map(stem, cut.folded))
    for first in range(len(stems) - len(wanted) + 1) if wanted else ():
        if stems[first : first + len(wanted)] == wanted:
            yield cut.starts[first], cut.ends[first + len(wanted) - 1]


def _matched(said: str, value: str) -> Iterator[tuple[int, int]]:
    pattern, characters = compiled(value, finds=True)
    # RE2 counts bytes; people count characters.
    encoded = said[:characters].encode(errors="replace")
    for match in pattern.finditer(encoded):
        start, end = match.span()
        if start < end:
            yield len(encoded[:start].decode(errors="replace")), len(encoded[:end].decode(errors="replace"))


_FIND: Final = {"contains": _contained, "mentions": _mentioned, "matches": _matched}
