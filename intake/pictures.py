"""What a picture is, told by its bytes, and the same picture without where and with what it was taken.

Nothing is decoded: a file is walked block by block, so no picture can be large enough to hurt, and none loses quality.
"""

import re
import struct
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from django.utils.translation import gettext

MOST_PIXELS = 40_000_000


class BadPicture(Exception):
    """It is no whole picture; the sentence says what is wrong with it."""


@dataclass(frozen=True)
class Picture:
    content_type: str
    width: int
    height: int
    # Without remarks, places, names of cameras and thumbnails; how it is to be turned is kept.
    content: bytes


def picture_of(content: bytes) -> Picture | None:
    """The picture these bytes are; None when they are none of the kinds we know. A broken or too large one is `BadPicture`."""
    for starts, read in _KINDS:
        if starts.match(content):
            try:
                found = read(content)
            except (struct.error, IndexError):
                raise BadPicture(gettext("The picture is not complete. Send it again.")) from None
            if found.width * found.height > MOST_PIXELS:
                raise BadPicture(
                    gettext("The picture has more than %(most)s million pixels. Make it smaller and send it again.")
                    % {"most": MOST_PIXELS // 1000000}
                )
            if not found.width or not found.height:
                raise BadPicture(gettext("The picture is empty. Send another one."))
            return found
    return None


def _cut_short() -> BadPicture:
    return BadPicture(gettext("The picture ends too early. Send it again."))


# JPEG: segments 0xFF <marker> <length>, then scans of entropy-coded bytes that end at the next real marker.
_SCAN_ENDS = re.compile(rb"\xff[\x01-\xcf\xd8-\xfe]")
_SIZES = {0xC0, 0xC1, 0xC2, 0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF}
_END, _SCAN, _EXIF, _PROFILE, _COMMENT = 0xD9, 0xDA, 0xE1, 0xE2, 0xFE
_KEPT_APPS = {0xE0, 0xEE}  # JFIF and Adobe: how colours are coded


def _jpeg(content: bytes) -> Picture:
    kept = [b"\xff\xd8"]
    width = height = turned = 0
    place = 2
    while True:
        while content[place] == content[place + 1] == 0xFF:
            place += 1  # fill bytes
        if content[place] != 0xFF:
            raise _cut_short()
        marker = content[place + 1]
        if marker == _END:
            kept.append(b"\xff\xd9")
            break
        length: int = struct.unpack_from(">H", content, place + 2)[0]
        end = place + 2 + length
        segment = content[place:end]
        if len(segment) != 2 + length:
            raise _cut_short()
        if marker in _SIZES:
            height, width = struct.unpack_from(">HH", segment, 5)
        if marker == _EXIF:
            turned = turned or _turned(segment)
        elif marker == _SCAN:
            scan_ends = _SCAN_ENDS.search(content, end)
            if scan_ends is None:
                raise _cut_short()
            end = scan_ends.start()
            segment = content[place:end]
        is_app = 0xE0 <= marker <= 0xEF
        if marker != _COMMENT and (
            not is_app or marker in _KEPT_APPS or (marker == _PROFILE and segment[4:].startswith(b"ICC_PROFILE\0"))
        ):
            kept.append(segment)
        place = end
    if turned:
        kept.insert(1, _turning(turned))
    return Picture("image/jpeg", width, height, b"".join(kept))


def _turned(segment: bytes) -> int:
    """The orientation an EXIF segment names, from 2 to 8; 0 for upright or unknown."""
    body = segment[10:]
    if segment[4:10] != b"Exif\0\0" or body[:2] not in (b"II", b"MM"):
        return 0
    order = "<" if body[:2] == b"II" else ">"
    try:
        first: int = struct.unpack_from(order + "I", body, 4)[0]
        count: int = struct.unpack_from(order + "H", body, first)[0]
        for number in range(min(count, 200)):
            tag, kind, _, value = struct.unpack_from(order + "HHIH", body, first + 2 + 12 * number)
            if tag == 0x0112 and kind == 3:
                return value if 2 <= value <= 8 else 0
    except struct.error:
        return 0
    return 0


def _turning(turned: int) -> bytes:
    """An EXIF segment that says how to turn the picture, and nothing else."""
    body = b"Exif\0\0MM\0*" + struct.pack(">IHHHIHHI", 8, 1, 0x0112, 3, 1, turned, 0, 0)
    return struct.pack(">BBH", 0xFF, _EXIF, len(body) + 2) + body


# PNG: chunks <length> <name> <body> <checksum>. Only those that change how it looks stay.
_PNG_KEPT = {
    b"IHDR",
    b"PLTE",
    b"IDAT",
    b"IEND",
    b"tRNS",
    b"gAMA",
    b"cHRM",
    b"sRGB",
    b"iCCP",
    b"sBIT",
    b"bKGD",
    b"pHYs",
} | {
    b"acTL",
    b"fcTL",
    b"fdAT",
}


def _png(content: bytes) -> Picture:
    kept = [content[:8]]
    width, height = struct.unpack_from(">II", content, 16)
    place = 8
    name = b""
    while name != b"IEND":
        length, name = struct.unpack_from(">I4s", content, place)
        end = place + 12 + length
        body = content[place + 4 : end - 4]
        checksum: int = struct.unpack_from(">I", content, end - 4)[0]
        if zlib.crc32(body) != checksum:
            raise BadPicture(gettext("The picture is damaged. Send it again."))
        if name in _PNG_KEPT:
            kept.append(content[place:end])
        place = end
    return Picture("image/png", width, height, b"".join(kept))


# WebP: RIFF chunks <name> <length> <body>, padded to even length.
def _webp(content: bytes) -> Picture:
    size: int = struct.unpack_from("<I", content, 4)[0]
    if len(content) < size + 8:
        raise _cut_short()
    kept = []
    width = height = 0
    for name, body in _riff(content[12 : size + 8]):
        if name in {b"EXIF", b"XMP "}:
            continue
        part = body
        if name == b"VP8X":
            part = bytes([body[0] & ~0x0C]) + body[1:]  # it has neither any more
            width, height = (int.from_bytes(body[at : at + 3], "little") + 1 for at in (4, 7))
        elif name == b"VP8 " and not width:
            width, height = (side & 0x3FFF for side in struct.unpack_from("<HH", body, 6))
        elif name == b"VP8L" and not width:
            bits: int = struct.unpack_from("<I", body, 1)[0]
            width, height = (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
        kept.append(name + struct.pack("<I", len(part)) + part + b"\0" * (len(part) % 2))
    body = b"WEBP" + b"".join(kept)
    return Picture("image/webp", width, height, b"RIFF" + struct.pack("<I", len(body)) + body)


def _riff(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(content):
        name, length = struct.unpack_from("<4sI", content, place)
        body = content[place + 8 : place + 8 + length]
        if len(body) != length:
            raise _cut_short()
        yield name, body
        place += 8 + length + length % 2


_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes], Picture]], ...] = (
    (re.compile(rb"\xff\xd8\xff"), _jpeg),
    (re.compile(rb"\x89PNG\r\n\x1a\n....IHDR", re.DOTALL), _png),
    (re.compile(rb"RIFF....WEBP", re.DOTALL), _webp),
)
