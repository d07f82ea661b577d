"""The text boundary: whatever customers type becomes text that every layer behind can hold, show and index."""

import re
import unicodedata

LONGEST_TEXT = 100_000
LONGEST_EXCERPT = 160
CUT = " […]"
_MOST_MARKS = 8
_CONTROL = re.compile(r"[\x01-\x08\x0b\x0c\x0e-\x1f\x7f-\x84\x86-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SPACE = re.compile(r"\s+")
_MARKED = re.compile(r"[\u0300-\u036f\u0483-\u0489\u1ab0-\u1aff\u1dc0-\u1dff\u20d0-\u20ff\ufe20-\ufe2f]")


def clean_text(text: str, *, longest: int = LONGEST_TEXT) -> str:
    """The text without what no text needs: NUL and broken characters become U+FFFD, control characters but newline and tab
    go, a base keeps at most eight combining marks, and what is too long is cut with a mark. Cleaning twice changes nothing."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = _SURROGATE.sub("\N{REPLACEMENT CHARACTER}", text.replace("\x00", "\N{REPLACEMENT CHARACTER}"))
    text = _CONTROL.sub("", text)
    if _MARKED.search(text):
        text = _without_towers(text)
    text = text.strip()
    if len(text) > longest:
        text = text[: longest - len(CUT)].rstrip() + CUT
    return text


def clean_line(text: str, *, longest: int) -> str:
    """The same on one line, for names and titles."""
    return clean_text(_SPACE.sub(" ", clean_text(text)), longest=longest)


def excerpt(text: str) -> str:
    """The beginning of a text on one line, as lists show it; ends at a word where it can."""
    line = _SPACE.sub(" ", text[: 4 * LONGEST_EXCERPT]).strip()
    if len(line) <= LONGEST_EXCERPT:
        return line
    cut = line[: LONGEST_EXCERPT - 1]
    return (cut[: cut.rfind(" ")] if cut.rfind(" ") > LONGEST_EXCERPT // 2 else cut).rstrip() + "…"


def _without_towers(text: str) -> str:
    """Marks above marks can cover a page; no language stacks more than a few."""
    kept: list[str] = []
    marks = 0
    for letter in text:
        marks = marks + 1 if unicodedata.combining(letter) else 0
        if marks <= _MOST_MARKS:
            kept.append(letter)
    return "".join(kept)
