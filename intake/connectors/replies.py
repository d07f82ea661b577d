"""What somebody wrote in a mail, apart from what they quoted and signed with.

How programs announce a quote in fourteen languages is known by mail-parser-reply; its tables are used, and its reading is
not: its patterns take minutes on a line made for that, and a letter that says "Thanks," ends there for it.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from mailparser_reply.constants import GENERIC_MAIL_SEPARATOR, MAIL_LANGUAGES

# Where a quote may begin: the patterns of the tables are tried on so many short lines, and no further.
_MOST_LINES = 1_000
_LONGEST_LINE = 200
_MOST_TRIES = 100
_LONGEST_SIGNATURE = 15
_LONGEST_SIGN_OFF = 60


def _table(name: str) -> str:
    found = [said for language in MAIL_LANGUAGES.values() if (said := language.get(name))]
    return "|".join(f"(?:{'|'.join(said) if isinstance(said, list) else said})" for said in found)


_WROTE = re.compile(_table("wrote_header"), re.MULTILINE | re.IGNORECASE)
_HEAD = re.compile(f"{_table('from_header')}|{GENERIC_MAIL_SEPARATOR}", re.MULTILINE | re.IGNORECASE)
_LOOKS_LIKE_HEAD = re.compile(r"^[>* ]{0,10}(?:-{5}|[^\s:]{1,20}[ *]?:)", re.MULTILINE)
_SIGN_OFF = re.compile(f"(?:{_table('signatures')})[ ,.!]*", re.IGNORECASE)
_DEVICE = re.compile(f"(?:{_table('sent_from')}).*", re.IGNORECASE)
_RULE = re.compile(r"(?:--|__|[-_]{32,}) ?")
_FORWARDED = re.compile(
    r"forwarded|weitergeleitet|transf[ée]r|reenviad|inoltrat|doorgestuurd|vidarebefordra|videresend|przekazan|転送|转发",
    re.IGNORECASE,
)


@dataclass(frozen=True)
class Reply:
    """`text` is what was written; where that would be nothing, everything. `is_shortened` says that there was more."""

    text: str
    is_shortened: bool = False


def reply_of(text: str) -> Reply:
    """The words of a mail's writer. Linear in the length of the text."""
    whole = text.replace("\r\n", "\n").strip()
    lines = whole.split("\n")
    start = _quote_begins(lines)
    own, older = lines[:start], lines[start:]
    # Whoever answers between the lines of a quote, or below it, left the quote's own marks standing.
    if any(line.startswith(">") for line in older):
        own = own + _below_mark(older)
    elif older and any(_FORWARDED.search(line[:_LONGEST_LINE]) for line in [*own[-3:], older[0]]):
        own = lines
    kept = "\n".join(_without_signature([line for line in own if not line.startswith(">")])).strip()
    kept = re.sub(r"\n{3,}", "\n\n", kept)
    if not kept:
        return Reply(whole)
    return Reply(kept, is_shortened=len(kept.split()) < len(whole.split()))


def _quote_begins(lines: Sequence[str]) -> int:
    """The line that announces the older mail; the number of lines when none does."""
    short = [line.strip() if len(line) <= _LONGEST_LINE else "" for line in lines[:_MOST_LINES]]
    found = [len(lines), _head_begins(short), _wrote_begins(short)]
    return min(place for place in found if place >= 0)


def _head_begins(lines: Sequence[str]) -> int:
    text = "\n".join(lines)
    candidate = _LOOKS_LIKE_HEAD.search(text)
    found = _HEAD.search(text, max(candidate.start() - 1, 0)) if candidate else None
    if found is None:
        return -1
    begins = found.start() + len(found[0]) - len(found[0].lstrip("\n"))
    return text.count("\n", 0, begins)


def _wrote_begins(lines: Sequence[str]) -> int:
    tries = 0
    for place, line in enumerate(lines):
        if not line.endswith((":", "\N{FULLWIDTH COLON}")):
            continue
        tries += 1
        if tries > _MOST_TRIES:
            break
        first = place - 1 if place and lines[place - 1] else place
        window = "\n".join(lines[first : place + 1])
        if found := _WROTE.search(window):
            return first + window.count("\n", 0, found.start())
    return -1


def _below_mark(older: Sequence[str]) -> list[str]:
    """What stands below the announcement of a quote: the announcement itself ends with the first quoted line."""
    first = next(place for place, line in enumerate(older) if line.startswith(">"))
    return ["", *older[first:]]


def _without_signature(lines: Sequence[str]) -> list[str]:
    kept = list(lines)
    while kept and not kept[-1].strip():
        kept.pop()
    for place in range(max(1, len(kept) - _LONGEST_SIGNATURE), len(kept)):
        line = kept[place].strip()
        if _RULE.fullmatch(line) or (len(line) <= _LONGEST_SIGN_OFF and _SIGN_OFF.fullmatch(line)):
            return kept[:place]
    if len(kept) > 1 and len(kept[-1]) <= 2 * _LONGEST_SIGN_OFF and _DEVICE.fullmatch(kept[-1].strip()):
        kept.pop()
    return kept
