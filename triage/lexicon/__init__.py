"""Word lists the taggers read, one plain-text file each, made for this portal and meant to be edited."""

from collections.abc import Iterator
from pathlib import Path


def lines(name: str) -> Iterator[str]:
    """The lines of a list, without comments and empty lines."""
    for line in (Path(__file__).parent / name).read_text(encoding="utf-8").splitlines():
        text = line.partition("#")[0].strip()
        if text:
            yield text
