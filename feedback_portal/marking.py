"""Marks for words that are translated where they are shown: for code that knows no Django, and for sentences that are stored."""

import json
import re
from collections.abc import Callable, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final

KEPT: Final = '{"words": '
"""How a kept sentence begins."""
_MOST_DIGITS: Final = 30
_SLOT: Final = re.compile(r"%\((\w+)\)s|%%")


class Share(Decimal):
    """A number from 0 to 1 that is read in whole per cent."""


def marked(words: str) -> str:
    """These words as they are; being called here puts them into the catalogues (see `docs/languages.md`)."""
    return words


def worded(words: str, /, **slots: object) -> str:
    """A sentence to be stored: what it says, and what fills its slots, as JSON. `languages.said` says it to each reader in their
    own language. A slot may be such a sentence itself, or a list of them; a Decimal, a Share and a date are written as the reader's language writes them."""
    return (
        KEPT
        + json.dumps(words, ensure_ascii=False)
        + ', "slots": '
        + json.dumps(slots, ensure_ascii=False, default=_kept)
        + "}"
    )


def _kept(value: object) -> object:
    if isinstance(value, Share):
        return {"share": str(value)}
    if isinstance(value, Decimal):
        return {"number": str(value)}
    if isinstance(value, date) and not isinstance(value, datetime):
        return {"day": value.isoformat()}
    return str(value)


def plainly(value: Decimal | date) -> str:
    """A number or a day of a stored sentence where nobody's language is known."""
    if isinstance(value, Share):
        return f"{value:.0%}"
    return f"{value:,}" if isinstance(value, Decimal) else value.isoformat()


def filled(
    stored: str,
    say: Callable[[str], str] = str,
    comma: str = ", ",
    write: Callable[[Decimal | date], str] = plainly,
) -> str:
    """A stored sentence with its slots filled in, each of its texts said by `say` and its numbers and days by `write`; any other
    text as it is, also one that only looks like a stored sentence: people write what stands in slots."""
    if not stored.startswith(KEPT):
        return stored
    try:
        kept = json.loads(stored)
        words, slots = say(kept["words"]), dict(kept["slots"])
        # Slots are filled in, and nothing else is formatted.
        return _SLOT.sub(lambda slot: _slot(slots, slot[1], say, comma, write) if slot[1] else "%", words)
    except (ArithmeticError, KeyError, RecursionError, TypeError, ValueError):
        return stored


def _slot(
    slots: Mapping[str, Any],
    name: str,
    say: Callable[[str], str],
    comma: str,
    write: Callable[[Decimal | date], str],
) -> str:
    value = slots.get(name, "")
    if isinstance(value, dict) and ("number" in value or "share" in value):
        number = Share(value["share"]) if "share" in value else Decimal(value["number"])
        if abs(number.adjusted()) > _MOST_DIGITS:
            raise ValueError(number)  # written out, it would fill the page
        return write(number)
    if isinstance(value, dict) and "day" in value:
        return write(date.fromisoformat(value["day"]))
    return comma.join(filled(str(one), say, comma, write) for one in (value if isinstance(value, list) else [value]))
