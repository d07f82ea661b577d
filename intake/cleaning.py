"""The text boundary: whatever customers type becomes text that every layer behind can hold, show and index."""

import re

import re2

LONGEST_TEXT = 100_000
LONGEST_EXCERPT = 160
CUT = " […]"
_NEW_LINE = re.compile(r"\r\n|\r|\x85")
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_TURNS = re.compile("[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]")
_LINKED = re.compile(r"/(?=/)|(?<=\w)(?:@|\.(?=[^\W\d_]{2}))")
# The engine knows what is a mark in every script, and stays linear in towers of them.
_TOWER = re2.compile(r"(\pM{8})\pM+")


def clean_text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """The text without what no text needs: NUL and broken characters become U+FFFD, control characters but newline and tab
    go, a base keeps at most eight combining marks, and what is too long is cut with a mark. Cleaning twice changes nothing."""
    if text.isascii() and text.isprintable() and len(text) <= longest:
        return text.strip()  # nearly every text, and a tenth of the work
    text = _NEW_LINE.sub("\n", text)
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    text = _CONTROL.sub("", text)
    if not text.isascii():
        # Marks above marks can cover a page; no language stacks more than a few.
        text = _TOWER.sub(r"\1", text)
    text = text.strip()
    if len(text) > longest:
        text = text[: longest - len(CUT)].rstrip() + CUT
    return text


def clean_line(text: str, *, longest: int) -> str:
    """The same on one line, for names and titles."""
    if text.isascii() and text.isprintable() and "  " not in text and len(text) <= longest:
        return text.strip()
    return clean_text(_SPACE.sub(" ", clean_text(text)), longest=longest)


def as_mail_line(text: str) -> str:
    """What customers wrote as a line of a mail to staff: nothing in it turns the direction of what stands around it, and mail
    programs make no link of it."""
    return _LINKED.sub("\\g<0>\N{WORD JOINER}", _TURNS.sub("", _SPACE.sub(" ", text))).strip()


def excerpt(text: str) -> str:
    """The beginning of a text on one line, as lists show it; ends at a word where it can."""
    line = _SPACE.sub(" ", text[: 4 * LONGEST_EXCERPT]).strip()
    if len(line) <= LONGEST_EXCERPT:
        return line
    cut = line[: LONGEST_EXCERPT - 1]
    return (cut[: cut.rfind(" ")] if cut.rfind(" ") > LONGEST_EXCERPT // 2 else cut).rstrip() + "…"
