"""Mails in files: one (.eml), or a mailbox of them (.mbox) in any of the dialects."""

import codecs
import re
from collections.abc import Generator, Mapping
from typing import Any, BinaryIO, ClassVar

from feedback_portal.marking import marked
from intake.connectors import connectors, mails, mime
from intake.connectors.base import BadRow, FileConnector, RawItem, Row, Unreadable

_LONGEST_LINE = 1 << 20
# A line that begins a mail names a time or an address, or nobody at all, and a header follows it; "From Russia with
# love" does not. Where no blank line stands before, it must be a date as C writes it.
_SEPARATOR = re.compile(rb"From (?:-[ \r\n]|\S{1,200}@|[^\r\n]{0,200}\d{1,2}:\d\d)")
_EXACT_SEPARATOR = re.compile(rb"From (?:-[ \r\n]|[^\r\n]{0,200}\d\d:\d\d:\d\d [^\r\n]{0,10}\d{4})")
_FIELD = re.compile(rb"(?:[!-9;-~]{1,100}:|>From )")
_QUOTED = re.compile(rb">+From ")
_LENGTH = re.compile(rb"content-length:[ \t]*(\d{1,9})\s*\Z", re.IGNORECASE)
_BLANK = (b"\n", b"\r\n")


@connectors.register
class Email(mails.MailConnector, FileConnector):
    slug = "email"
    name = marked("E-mail files")
    extensions: ClassVar[tuple[str, ...]] = (".eml", ".mbox")

    def rows(self, file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
        file.seek(0)
        start = file.read(8)
        if not start:
            raise Unreadable("The file is empty.")
        mark = len(codecs.BOM_UTF8) if start.startswith(codecs.BOM_UTF8) else 0
        file.seek(mark)
        if start[mark : mark + 5] == b"From ":
            yield from _mailbox(file)
        else:
            yield Row(1, _read(file, _size(file)))


def _mailbox(file: BinaryIO) -> Generator[Row, None, None]:
    """Mail after mail. A Content-Length that leads to the next mail is believed; else a mail ends where a line begins one."""
    number = 0
    line = file.readline(_LONGEST_LINE)
    while line:
        number += 1
        begins = file.tell()
        end = _end_by_length(file, begins)
        is_quoted = end is None
        if end is None:
            end = _end_by_separator(file, begins)
        file.seek(begins)
        raw = _read(file, end - begins, is_quoted=is_quoted)
        yield Row(number, raw)
        file.seek(end)
        line = file.readline(_LONGEST_LINE)
        while line in _BLANK:
            line = file.readline(_LONGEST_LINE)


def _end_by_length(file: BinaryIO, begins: int) -> int | None:
    file.seek(begins)
    length = None
    while (line := file.readline(mime.LONGEST_HEADERS)) and line not in _BLANK:
        if file.tell() - begins > mime.LONGEST_HEADERS:
            return None
        if found := _LENGTH.match(line):
            length = int(found[1])
    if length is None:
        return None
    end = file.tell() + length
    file.seek(end)
    after = file.readline(_LONGEST_LINE)
    while after in _BLANK:
        after = file.readline(_LONGEST_LINE)
    return end if (not after and end <= _size(file)) or _SEPARATOR.match(after) else None


def _end_by_separator(file: BinaryIO, begins: int) -> int:
    """The place of the next line that begins a mail, or the end of the file."""
    file.seek(begins)
    place, is_blank, is_start, found = begins, False, True, -1
    while line := file.readline(_LONGEST_LINE):
        if found >= 0 and _FIELD.match(line):
            return found
        is_separator = is_start and (_SEPARATOR if is_blank else _EXACT_SEPARATOR).match(line)
        found = place if is_separator else -1
        place += len(line)
        is_blank, is_start = is_start and line in _BLANK, line.endswith(b"\n")
    return place


def _read(file: BinaryIO, length: int, *, is_quoted: bool = False) -> RawItem:
    if length > mime.LONGEST_MAIL:
        return mails.raw_mail(file.read(mime.LONGEST_HEADERS), size=length)
    content = file.read(length)
    if is_quoted and b"\n>" in content:
        content = b"".join(line[1:] if _QUOTED.match(line) else line for line in content.splitlines(keepends=True))
    return mails.raw_mail(content)


def _size(file: BinaryIO) -> int:
    here = file.tell()
    size = file.seek(0, 2)
    file.seek(here)
    return size
