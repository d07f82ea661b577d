"""Word lists the taggers read, one plain-text file each, made for this portal and meant to be edited."""

from collections.abc import Iterator
from functools import cache
from pathlib import Path

from triage.words import stem, words


def lines(name: str) -> Iterator[str]:
    """The lines of a list, without comments and empty lines."""
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            yield text


@cache
def listed(name: str) -> frozenset[str]:
    """The stems of one of the lists of `common_words.txt`."""
    said = [line.partition(":")[2] for line in lines("common_words.txt") if line.startswith(f"{name}:")]
    return frozenset(stem(word) for word in words(" ".join(said)).folded)
