"""What somebody wrote in a mail, apart from what they quoted and signed with.

How programs announce a quote in fourteen languages is known by mail-parser-reply; its tables are used, and its reading is
not: its patterns take minutes on a line made for that, and a letter that says "Thanks," ends there for it. What programs
write in every language alike (a time and an address before a colon, a block that begins with the sender) is known here.
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
# Yahoo and Zoho: between dashes.
_DASHED = re.compile(r"-{2,5} ?On .{5,150} wrote ?(?::|-{2,5})")
_TIME = re.compile(r"\d{1,2}[:.h]\d{2}")
_ADDRESS = re.compile(r"<\s?[^<>\s]{1,100}@[^<>\s]{1,100}>")
_SENDER = re.compile(
    r"\*?(?:from|de|von|van|da|fra|från|od|от|lähettäjä|feladó|gönderen|kimden|发件人|寄件者|差出人)\*?\s?\*?"
    r"(?::|\N{FULLWIDTH COLON})",
    re.IGNORECASE,
)
_FIELD = re.compile(r"\*?\w[\w' ]{0,30}\*?\s?(?::|\N{FULLWIDTH COLON})")
_ON_A_DEVICE = re.compile(
    r"(?:sent|envoy|gesendet|von meinem|enviado|inviat|verzonden|skickat|sendt|lähetetty|wysłan|отправлено).{0,60}"
    r"(?:iphone|ipad|ios|android|outlook|blackberry|galaxy)",
    re.IGNORECASE,
)
_DELIMITER = re.compile(r"(?:--|__|_{32,}) ?")
_LINE = re.compile(r"\s*[-_\u2014]*\s*")
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
    kept = "\n".join(_without_signature(_without_quotes(own))).strip()
    kept = re.sub(r"\n{3,}", "\n\n", kept)
    if not kept:
        return Reply(whole)
    return Reply(kept, is_shortened=len(kept.split()) < len(whole.split()))


def _quote_begins(lines: Sequence[str]) -> int:
    """The line that announces the older mail; the number of lines when none does."""
    short = [line.strip() if len(line) <= _LONGEST_LINE else "" for line in lines[:_MOST_LINES]]
    begins = min(_head_begins(short), _wrote_begins(short))
    return begins if begins < len(short) else len(lines)


def _head_begins(lines: Sequence[str]) -> int:
    for place, line in enumerate(lines):
        if _SENDER.match(line) and sum(1 for each in lines[place + 1 : place + 5] if _FIELD.match(each)) > 1:
            break
    else:
        place = len(lines)
    text = "\n".join(lines[: place + 5])
    candidate = _LOOKS_LIKE_HEAD.search(text)
    found = _HEAD.search(text, max(candidate.start() - 1, 0)) if candidate else None
    if found is not None:
        begins = found.start() + len(found[0]) - len(found[0].lstrip("\n"))
        place = min(place, text.count("\n", 0, begins))
    return place


def _wrote_begins(lines: Sequence[str]) -> int:
    tries = 0
    for place, line in enumerate(lines):
        if _DASHED.fullmatch(line):
            return place
        if not line.endswith((":", "\N{FULLWIDTH COLON}")):
            continue
        tries += 1
        if tries > _MOST_TRIES:
            break
        # Programs wrap the announcement; it is one paragraph all the same.
        first = place
        while first and place - first < 2 and lines[first - 1]:
            first -= 1
        window = "\n".join(lines[first : place + 1])
        if found := _WROTE.search(window):
            return first + window.count("\n", 0, found.start())
        for begins in range(place, first - 1, -1):
            said = " ".join(lines[begins : place + 1])
            if _TIME.search(said) and _ADDRESS.search(said):
                return begins
    return len(lines)


def _below_mark(older: Sequence[str]) -> list[str]:
    """What stands below the announcement of a quote: the announcement itself ends with the first quoted line."""
    first = next(place for place, line in enumerate(older) if line.startswith(">"))
    return ["", *older[first:]]


def _without_quotes(lines: Sequence[str]) -> list[str]:
    """Without quoted lines, and without the line that announces the first of them in whatever language."""
    first = next((place for place, line in enumerate(lines) if line.startswith(">")), len(lines))
    before = list(lines[:first])
    while before and not before[-1].strip():
        before.pop()
    if first < len(lines) and before and before[-1].rstrip().endswith(":") and re.search(r"\d", before[-1]):
        before.pop()
    return before + [line for line in lines[first:] if not line.startswith(">")]


def _without_signature(lines: Sequence[str]) -> list[str]:
    kept = _without_end(lines)
    for place in range(max(1, len(kept) - _LONGEST_SIGNATURE), len(kept)):
        line = kept[place].strip()
        if _DELIMITER.fullmatch(line) or (len(line) <= _LONGEST_SIGN_OFF and _SIGN_OFF.fullmatch(line)):
            kept = _without_end(kept[:place])
            break
    last = kept[-1].strip() if len(kept) > 1 else ""
    if len(last) <= 2 * _LONGEST_SIGN_OFF and (_DEVICE.fullmatch(last) or _ON_A_DEVICE.match(last)):
        kept = _without_end(kept[:-1])
    return kept


def _without_end(lines: Sequence[str]) -> list[str]:
    """Without the blank and drawn lines at its end."""
    kept = list(lines)
    while kept and len(kept[-1]) <= _LONGEST_LINE and _LINE.fullmatch(kept[-1]):
        kept.pop()
    return kept
