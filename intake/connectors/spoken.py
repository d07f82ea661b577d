"""What was said in a room, out of WebVTT, SRT, SBV, Word and plain text: turns of speech, each with who spoke and when."""

import html
import io
import re
import zipfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import Element

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import ParseError, fromstring

from intake.connectors.base import Unreadable
from intake.encodings import UnknownEncoding, encoding_of

LONGEST_FILE = 20 * 1024 * 1024
_LONGEST_DOCUMENT = 100 * 1024 * 1024
_TIME = r"(?:(\d{1,3}):)?(\d{1,2}):(\d{2})(?:[.,](\d{1,3}))?"
_TIMING = re.compile(rf"\s*{_TIME}\s*-->\s*{_TIME}(?:\s.*)?\Z")
# As YouTube writes it above each caption (.sbv).
_SBV_TIMING = re.compile(r"^(\d{1,3}:\d{2}:\d{2}\.\d{3}),(\d{1,3}:\d{2}:\d{2}\.\d{3})[ \t]*$", re.MULTILINE)
_STAMP = re.compile(rf"\(?\[?{_TIME}\]?\)?\Z")
_VOICE = re.compile(r"<v(?:\.[^\s>]*)?\s+([^>]{1,200})>")
_TAG = re.compile(r"<[^<>]{0,500}>")
_BRACKETED = re.compile(r"[\[(]([^\])\n:]{1,60})[\])]\s*:?\s*(?=\S)")
# A name is a few words that begin in capitals or digits, as in "Dr. Ana Lopez" or "Speaker 1", so that a colon inside a sentence
# makes nobody speak.
_NAMED = re.compile(
    r"([^\W\d_a-z][\w.'\u2019-]*(?: (?:[^\W_a-z][\w.'\u2019-]*|de|del|der|di|la|le|of|van|von)){0,4}(?: \([^)\n]{1,40}\))?)\s*:\s+(?=\S)"
)
_HEADED = re.compile(rf"(\S.{{0,60}}?)\s{{1,4}}\(?\[?{_TIME}\]?\)?\s*\Z")
# What a machine or a transcriber heard besides words.
_NOISE = re.compile(
    r"\{[^{}\n]{1,40}\}|\[(?:inaudible|crosstalk|laughter|laughs|applause|music|noise|pause|unverständlich|rires|risas)[^\]\n]{0,30}\]",
    re.IGNORECASE,
)
_SPACE = re.compile(r"\s+")
_SKIPPED = ("NOTE", "STYLE", "REGION", "WEBVTT")
_WORD = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"


@dataclass(frozen=True)
class Turn:
    """Somebody spoke, from `start` seconds after the beginning where that is known; `place` is the line or block."""

    speaker: str
    text: str
    start: float | None
    place: int


@dataclass(frozen=True)
class Broken:
    """A block that cannot be read, and why."""

    place: int
    reason: str
    original: str


def turns(name: str, content: bytes) -> list[Turn | Broken]:
    """The turns of a transcript, the kind of which its name's ending tells; what one speaker said in a row is one turn.
    `Unreadable` for what is no transcript."""
    if len(content) > LONGEST_FILE:
        raise Unreadable(
            f"It is larger than {LONGEST_FILE // 1024 // 1024} MB. Send the transcript without its recording."
        )
    ending = name.lower().rpartition(".")[2]
    if ending == "docx":
        found: Iterable[Turn | Broken] = _paragraphs(_word(content))
    else:
        text = _SBV_TIMING.sub(r"\1 --> \2", _decoded(content))
        timed = ending in ("vtt", "srt") or text.lstrip("\ufeff").startswith("WEBVTT") or _is_timed(text)
        found = _cues(text) if timed else _paragraphs(text.split("\n"))
    merged = list(_merged(found))
    if merged and all(isinstance(each, Broken) for each in merged):
        raise Unreadable(f"None of it can be read as a transcript. {merged[0].reason}")  # type: ignore[union-attr]
    if not any(isinstance(each, Turn) and each.text for each in merged):
        raise Unreadable(
            "Nobody says anything in it. Send a transcript as WebVTT, SRT, Word or text with names before the words."
        )
    return merged


def speakers(found: Sequence[Turn | Broken]) -> dict[str, int]:
    """Who speaks, in the order of their first words, and how many turns each has."""
    counts: dict[str, int] = {}
    for each in found:
        if isinstance(each, Turn):
            counts[each.speaker] = counts.get(each.speaker, 0) + 1
    return counts


def _decoded(content: bytes) -> str:
    try:
        encoding = encoding_of(io.BytesIO(content))
    except UnknownEncoding as reason:
        raise Unreadable(str(reason)) from None
    return content.decode(encoding, "replace").replace("\r\n", "\n").replace("\r", "\n").lstrip("\ufeff")


def _is_timed(text: str) -> bool:
    return any(_TIMING.match(line) for line in text[:4000].split("\n"))


def _cues(text: str) -> Iterator[Turn | Broken]:
    speaker = ""
    for place, block in _blocks(text):
        timing = next((number for number, line in enumerate(block) if "-->" in line), None)
        if timing is None:
            if not block[0].startswith(_SKIPPED) and not (len(block) == 1 and block[0].strip().isdigit()):
                yield Broken(
                    place, "It names no time. Write it as 00:01.000 --> 00:04.000 above the words.", "\n".join(block)
                )
            continue
        if block[0].startswith(("NOTE", "STYLE", "REGION")):
            continue
        match = _TIMING.match(block[timing])
        if match is None:
            yield Broken(place, "Its time cannot be read. Write it as 00:01.000 --> 00:04.000.", "\n".join(block))
            continue
        start = _seconds(match.groups()[:4])
        for who, words in _voices("\n".join(block[timing + 1 :])):
            speaker = who or speaker
            yield Turn(speaker, words, start, place)


def _blocks(text: str) -> Iterator[tuple[int, list[str]]]:
    """Lines between blank ones, with the number of the first."""
    block: list[str] = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            block.append(line)
        elif block:
            yield number - len(block), block
            block = []
    if block:
        yield text.count("\n") + 2 - len(block), block


def _voices(cue: str) -> Iterator[tuple[str, str]]:
    """Who says what in one cue: voices in tags, a name before a colon, a name in brackets."""
    parts = _VOICE.split(cue)
    if len(parts) > 1:
        if words := _plain(parts[0]):
            yield "", words
        for who, said in zip(parts[1::2], parts[2::2], strict=True):
            yield _name(html.unescape(who)), _plain(said)
        return
    yield _led(_plain(cue, keep_lines=True))


def _led(said: str) -> tuple[str, str]:
    bracketed = _BRACKETED.match(said)
    if bracketed and not _NOISE.match(said):
        return _name(bracketed[1]), _SPACE.sub(" ", said[bracketed.end() :]).strip()
    named = _NAMED.match(said)
    if named:
        return _name(named[1]), _SPACE.sub(" ", said[named.end() :]).strip()
    return "", _SPACE.sub(" ", said).strip()


def _plain(said: str, *, keep_lines: bool = False) -> str:
    plain = html.unescape(_TAG.sub("", said))
    return plain.strip() if keep_lines else _SPACE.sub(" ", plain).strip()


def _paragraphs(lines: Sequence[str]) -> Iterator[Turn]:
    """Text with names before the words, on the same line or on one of their own with the time."""
    speaker, start = "", None
    for place, line in enumerate(lines, start=1):
        said = line.strip()
        if not said:
            continue
        if _STAMP.match(said):
            start = _seconds(_STAMP.match(said).groups())  # type: ignore[union-attr]
            continue
        headed = _HEADED.match(said)
        if headed and len(headed[1].split()) <= 6:
            speaker, start = _name(headed[1].rstrip(":")), _seconds(headed.groups()[1:])
            continue
        who, words = _led(said)
        speaker = who or speaker
        yield Turn(speaker, words, start, place)


def _merged(found: Iterable[Turn | Broken]) -> Iterator[Turn | Broken]:
    """What the same speaker says in a row is one turn; a turn of noises only is none."""
    open_turn: Turn | None = None
    for each in found:
        if isinstance(each, Broken):
            yield each
            continue
        if open_turn is not None and each.speaker == open_turn.speaker:
            open_turn = Turn(
                open_turn.speaker, f"{open_turn.text} {each.text}".strip(), open_turn.start, open_turn.place
            )
            continue
        if open_turn is not None:
            yield open_turn
        open_turn = each
    if open_turn is not None:
        yield open_turn


def without_noises(text: str) -> str:
    """The words alone: coughs, laughter and gaps that a transcriber wrote down are gone."""
    return _SPACE.sub(" ", _NOISE.sub(" ", text)).strip()


def _name(text: str) -> str:
    return _SPACE.sub(" ", text).strip(" :")[:120]


def _seconds(parts: Sequence[str | None]) -> float:
    hours, minutes, seconds, fraction = parts
    return (
        int(hours or 0) * 3600
        + int(minutes or 0) * 60
        + int(seconds or 0)
        + int((fraction or "0").ljust(3, "0")) / 1000
    )


def _word(content: bytes) -> list[str]:
    """The lines of a Word document: paragraphs, and rows of tables as "name  time" above what was said."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as book, book.open("word/document.xml") as entry:
            # Read, not believed: what an entry says of its own size may be a lie.
            document = entry.read(_LONGEST_DOCUMENT + 1)
        if len(document) > _LONGEST_DOCUMENT:
            raise Unreadable("The document inside is larger than any transcript. Save it anew as plain text.")
        body = fromstring(document, forbid_dtd=True)
    except (zipfile.BadZipFile, KeyError, ParseError, DefusedXmlException, RuntimeError, OSError, EOFError):
        raise Unreadable("It is no Word document that can be read. Save it anew, or as plain text.") from None
    lines: list[str] = []
    speaker = ""
    for each in body.iterfind(f"{_WORD}body/*"):
        if each.tag == f"{_WORD}tbl":
            for row in each.iterfind(f"{_WORD}tr"):
                cells = [" ".join(_lines_of(cell)).strip() for cell in row.iterfind(f"{_WORD}tc")]
                speaker = _row(cells, speaker, lines)
        else:
            lines += _lines_of(each)
    return lines


def _row(cells: Sequence[str], speaker: str, lines: list[str]) -> str:
    """One row of a table of times, names and words in any order, the words last; a blank name is the one above."""
    if len(cells) < 2:
        lines += cells
        return speaker
    stamp = next((cell for cell in cells[:-1] if _STAMP.match(cell)), "")
    names = [cell for cell in cells[:-1] if cell and cell != stamp]
    speaker = names[0] if names else speaker
    lines.append(f"{speaker or 'Speaker'}  {stamp or '0:00'}")
    lines.append(cells[-1])
    return speaker


def _lines_of(part: Element) -> list[str]:
    text: list[str] = []
    for each in part.iter():
        if each.tag == f"{_WORD}t":
            text.append(each.text or "")
        elif each.tag in (f"{_WORD}br", f"{_WORD}cr", f"{_WORD}p"):
            text.append("\n")
        elif each.tag == f"{_WORD}tab":
            text.append("\t")
    return [line for line in "".join(text).split("\n") if line.strip()]


def as_given(turn: Turn, **more: Any) -> dict[str, Any]:
    """A turn as a submission holds it."""
    return {"speaker": turn.speaker, "text": turn.text, "start": turn.start, **more}
