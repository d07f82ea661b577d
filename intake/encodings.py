"""Which encoding a text file is in: told by its bytes, or asked for; never guessed in silence."""

import codecs
import unicodedata
from typing import BinaryIO

# What spreadsheets and older systems write when it is not Unicode.
CANDIDATES = ("cp1252", "mac_roman", "gb18030", "cp932")

_BLOCK = 1 << 20
_SAMPLE = 64 * 1024
_LIKELY = 0.85
_AHEAD = 0.1
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_WESTERN = frozenset(
    "äöüßÄÖÜéèêëÉÈÊàáâãåÀÁÂÅçÇñÑíìîïÍÎóòôõøÓÔØúùûÚæÆœŒ“”„…€£°«»¿¡·®©²½\u00a0\u2018\u2019\u201a\u2013\u2014"
)
_WORDS_OF_ONE_LETTER = frozenset("àáâéèóöåæø")


class UnknownEncoding(Exception):
    """The bytes fit no encoding, or several; the sentence says what to do."""


def encoding_of(file: BinaryIO) -> str:
    """The name of the codec that reads `file`, which is left at its beginning. Memory stays bounded."""
    file.seek(0)
    start = file.read(_SAMPLE)
    found = next((name for mark, name in _MARKS if start.startswith(mark)), "") or _without_mark(start)
    if not found:
        found = "utf-8" if _is_utf8(file) else _eight_bit(_telling_lines(file))
    file.seek(0)
    return found


def _without_mark(start: bytes) -> str:
    """UTF-16 from a program that writes no byte order mark: every second byte of Western text is NUL."""
    half = len(start) // 2
    if half >= 2 and start[1::2].count(0) > 0.7 * half and start[::2].count(0) < 0.05 * half:
        return "utf-16-le"
    if half >= 2 and start[::2].count(0) > 0.7 * half and start[1::2].count(0) < 0.05 * half:
        return "utf-16-be"
    return ""


def _is_utf8(file: BinaryIO) -> bool:
    decoder = codecs.getincrementaldecoder("utf-8")()
    file.seek(0)
    try:
        while block := file.read(_BLOCK):
            decoder.decode(block)
        decoder.decode(b"", final=True)
    except UnicodeDecodeError:
        return False
    return True


def _telling_lines(file: BinaryIO) -> bytes:
    """The lines that hold more than ASCII, as many as it takes to tell."""
    file.seek(0)
    lines: list[bytes] = []
    size = 0
    while size < _SAMPLE and (line := file.readline(_SAMPLE)):
        if not line.isascii():
            lines.append(line)
            size += len(line)
    return b"".join(lines)


def _eight_bit(sample: bytes) -> str:
    scores = sorted(((_naturalness(sample, name), name) for name in CANDIDATES), reverse=True)
    (best, name), (second, other) = scores[0], scores[1]
    if best < _LIKELY or best - second < _AHEAD:
        like = f"It could be {name} or {other}. " if best >= _LIKELY else ""
        raise UnknownEncoding(
            f"The file is not UTF-8, and its encoding cannot be told for certain. {like}Save it as UTF-8, or name its"
            ' encoding in the settings of the channel, as in {"encoding": "cp1252"}.'
        )
    return name


def _naturalness(sample: bytes, encoding: str) -> float:
    """How much of what is not ASCII looks like writing when it is read this way, from 0 to 1.

    Frequencies of letters mislead in files of three lines. What does not mislead is what no language writes: a capital
    inside a small word, a Chinese character inside a Latin one, rare characters only, halfwidth katakana.
    """
    try:
        text = sample.decode(encoding)
    except UnicodeDecodeError:
        return 0.0
    at_home = _EASTERN.get(encoding, _is_western)
    seen = natural = 0
    for place, letter in enumerate(text):
        if not letter.isascii():
            seen += 1
            natural += at_home(letter, text[place - 1 : place], text[place + 1 : place + 2])
    return natural / seen if seen else 0.0


def _is_western(letter: str, before: str, after: str) -> bool:
    if letter not in _WESTERN:
        return False
    if unicodedata.category(letter) == "Lu":
        return not before.islower() and after.isalpha()
    if letter.isalpha():
        return not after.isupper() and (before.isalpha() or after.isalpha() or letter in _WORDS_OF_ONE_LETTER)
    return True


def _is_chinese(letter: str, before: str, after: str) -> bool:
    """The 3,755 frequent characters, which the standard put first, and punctuation."""
    lead = letter.encode("gb2312", "ignore")[:1]
    return (b"\xb0" <= lead <= b"\xd7" or b"\xa1" <= lead <= b"\xa3") and not _is_inside_latin(before, after)


def _is_japanese(letter: str, before: str, after: str) -> bool:
    """Kana, punctuation and the 2,965 frequent characters, which the standard put first."""
    code = letter.encode("cp932", "ignore")
    return (b"\x81" <= code[:1] <= b"\x83" or b"\x88\x9f" <= code <= b"\x98\x72") and not _is_inside_latin(
        before, after
    )


def _is_inside_latin(before: str, after: str) -> bool:
    return before.isascii() and before.isalpha() and after.isascii() and after.isalpha()


_EASTERN = {"gb18030": _is_chinese, "cp932": _is_japanese}
