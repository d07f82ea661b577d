"""Letters that every match of a pattern contains, so that a text without them need not be asked."""

import re
import warnings
from collections.abc import Iterable, Iterator
from re import _parser  # type: ignore[attr-defined]
from typing import Any, Final

SHORTEST: Final = 3


def literal_of(pattern: str) -> str:
    """The longest run of small ASCII letters and digits that the folded text of every match contains; empty if none is sure.

    RE2 and Python read some patterns differently. What only one of them understands, and classes by name, give nothing.
    """
    if "[:" in pattern:
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            parsed = _parser.parse(pattern, re.IGNORECASE)
    except (re.error, Warning, RecursionError, OverflowError):
        return ""
    return max(_runs(parsed), key=len, default="")


def _runs(nodes: Iterable[tuple[Any, Any]]) -> Iterator[str]:
    """Runs of letters that must stand in the text; whatever may be left out or differ ends a run."""
    run = ""
    for op, value in nodes:
        name = str(op)
        if name == "LITERAL" and 0 < value < 128 and chr(value).isalnum():
            run += chr(value).lower()
            continue
        if name == "AT":  # a word's edge or the text's is no letter, and keeps no letters apart
            continue
        if len(run) >= SHORTEST:
            yield run
        run = ""
        if name == "SUBPATTERN":
            yield from _runs(value[3])
        elif name in ("MAX_REPEAT", "MIN_REPEAT") and value[0] >= 1:
            yield from _runs(value[2])
    if len(run) >= SHORTEST:
        yield run
