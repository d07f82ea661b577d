"""What Outlook packs into a winmail.dat (TNEF): the text of the mail and its files; formatted text (RTF) is left aside."""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field

from intake.connectors.base import File
from intake.connectors.headers import decoded
from intake.connectors.markup import text_of_html

_SIGNATURE = b"\x78\x9f\x3e\x22"
_MOST_ATTRIBUTES = 2_000
_MOST_PROPERTIES = 1_000

_BODY = 0x800C
_CODE_PAGE = 0x9007
_PROPERTIES = 0x9003
_NEW_FILE = 0x9002
_FILE_NAME = 0x8010
_FILE_CONTENT = 0x800F
_FILE_PROPERTIES = 0x9005

_TEXT, _HTML, _LONG_NAME, _MIME_TYPE, _DATA = 0x1000, 0x1013, 0x3707, 0x370E, 0x3701
# How many bytes a property of a type takes; what is not here says its length itself.
_FIXED = {0x02: 4, 0x03: 4, 0x04: 4, 0x05: 8, 0x06: 8, 0x07: 8, 0x0A: 4, 0x0B: 4, 0x14: 8, 0x40: 8, 0x48: 16}
_VARIABLE = (0x0D, 0x1E, 0x1F, 0x102)


@dataclass
class Unpacked:
    text: str = ""
    files: list[File] = field(default_factory=list)


def unpacked(content: bytes) -> Unpacked:
    """What a winmail.dat holds, as far as it goes: what is cut off or broken ends it."""
    found = Unpacked()
    if not content.startswith(_SIGNATURE):
        return found
    code_page, name, kind, data = "cp1252", "", "", b""
    for number, value in _attributes(content):
        if number == _CODE_PAGE and len(value) >= 4:
            code_page = f"cp{int.from_bytes(value[:4], 'little')}"
        elif number == _BODY:
            found.text = found.text or _text(value, code_page)
        elif number == _PROPERTIES:
            said = dict(_properties(value, code_page))
            found.text = _string(said.get(_TEXT, "")) or found.text
            if not found.text and (markup := said.get(_HTML)):
                found.text = text_of_html(_string(markup))
        elif number == _NEW_FILE:
            _keep(found, name, kind, data)
            name, kind, data = "", "", b""
        elif number == _FILE_NAME:
            name = name or _text(value, code_page)
        elif number == _FILE_CONTENT:
            data = value
        elif number == _FILE_PROPERTIES:
            said = dict(_properties(value, code_page))
            name = _string(said.get(_LONG_NAME, "")) or name
            kind = _string(said.get(_MIME_TYPE, ""))
            if not data and isinstance(inside := said.get(_DATA), bytes):
                data = inside
    _keep(found, name, kind, data)
    return found


def _keep(found: Unpacked, name: str, kind: str, data: bytes) -> None:
    if data:
        found.files.append(File(name or "attachment", kind or "application/octet-stream", data))


def _attributes(content: bytes) -> Iterator[tuple[int, bytes]]:
    place = 6
    for _ in range(_MOST_ATTRIBUTES):
        if place + 9 > len(content):
            return
        _level, number, _type, length = struct.unpack_from("<BHHI", content, place)
        place += 9
        if place + length > len(content):
            return
        yield number, content[place : place + length]
        place += length + 2  # a checksum, which says nothing that the mail's own would not


def _properties(content: bytes, code_page: str) -> Iterator[tuple[int, str | bytes]]:
    """Those properties that are one text or one piece of bytes."""
    try:
        place = 4
        for _ in range(min(struct.unpack_from("<I", content)[0], _MOST_PROPERTIES)):
            kind, number = struct.unpack_from("<HH", content, place)
            place += 4
            if number >= 0x8000:
                place = _after_name(content, place)
            is_many, kind = kind & 0x1000, kind & 0x0FFF
            many = 1
            if is_many or kind in _VARIABLE:
                many = struct.unpack_from("<I", content, place)[0]
                place += 4
            if kind in _FIXED:
                place += many * _FIXED[kind]
                continue
            for _ in range(min(many, _MOST_PROPERTIES)):
                length = struct.unpack_from("<I", content, place)[0]
                value = content[place + 4 : place + 4 + length]
                place += 4 + length + -length % 4
                if many == 1:
                    yield number, _value(kind, value, code_page)
    except struct.error:
        return


def _after_name(content: bytes, place: int) -> int:
    """Behind the name of a property that has one: sixteen bytes of whose it is, then a number or a text."""
    is_text, length = struct.unpack_from("<II", content, place + 16)
    return place + 24 + (length + -length % 4 if is_text else 0)


def _value(kind: int, value: bytes, code_page: str) -> str | bytes:
    if kind == 0x1F:
        return value.decode("utf-16-le", "replace").rstrip("\x00")
    return _text(value, code_page) if kind == 0x1E else value


def _text(value: bytes, code_page: str) -> str:
    return decoded(value.rstrip(b"\x00"), code_page)


def _string(value: str | bytes) -> str:
    return value if isinstance(value, str) else decoded(value, "")
