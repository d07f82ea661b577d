"""Many phrases found in one walk over a text, at a cost that does not grow with their number."""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from itertools import compress, count
from typing import Any, Final, Generic, NamedTuple, TypeVar

from triage.words import SENTENCE_ENDS, words

LONGEST_PHRASE: Final = 8
"""Words of a phrase that count; it bounds the steps a hostile text can force at each of its words."""

T = TypeVar("T", bound=Hashable)


class Hit(NamedTuple, Generic[T]):
    """A phrase found at `words[start:end]`, and everything it was registered for."""

    start: int
    end: int
    meanings: tuple[T, ...]


class Phrases(Generic[T]):
    """Phrases with what they mean, as a tree of words.

    `key` is what makes two words equal, `stem` for instance; the words to search must have gone through it too.
    """

    def __init__(self, phrases: Iterable[tuple[str, T]], *, key: Callable[[str], str] = str) -> None:
        self._root: dict[str, Any] = {}
        for phrase, meaning in phrases:
            node = self._root
            parts = [key(word) for word in words(phrase).folded if word not in SENTENCE_ENDS][:LONGEST_PHRASE]
            for part in parts:
                node = node.setdefault(part, {})
            if parts:
                node[_MEANS] = tuple(dict.fromkeys([*node.get(_MEANS, ()), meaning]))
        self.beginnings: Final = frozenset(self._root)
        """The first words of all of them: where none of these stands, none is found."""

    def find(self, keys: Sequence[str]) -> Iterator[Hit[T]]:
        """Every phrase among these words, shorter ones inside longer ones too, by where they start."""
        root = self._root
        # Nearly no word begins a phrase, so those that do are picked without a step of Python for each of the others.
        for start in compress(count(), map(root.__contains__, keys)):
            node = root[keys[start]]
            end = start + 1
            while node is not None:
                if _MEANS in node:
                    yield Hit(start, end, node[_MEANS])
                if end >= len(keys):
                    break
                node = node.get(keys[end])
                end += 1

    def longest(self, keys: Sequence[str]) -> Iterator[Hit[T]]:
        """The phrases among these words that lie in no longer one, reading from the left."""
        reached = 0
        best: Hit[T] | None = None
        for hit in self.find(keys):
            if best is not None and hit.start != best.start:
                yield best
                reached, best = best.end, None
            if hit.start >= reached:
                best = hit
        if best is not None:
            yield best


_MEANS = ""  # no word is empty, so no word leads here
