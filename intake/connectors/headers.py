"""The head of a mail: names and values as people read them, whatever their senders meant by them."""

import base64
import binascii
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import getaddresses, parsedate_to_datetime

from intake.connectors.base import Unreadable
from intake.connectors.moments import Unclear, moment_of

MOST_ADDRESSES = 100

_FIRST_YEAR = 1970
_LONGEST_DATE = 200
_MOST_BRACKETS = 50
_FOLDS = re.compile(r"[\r\n]+[ \t]*")
_ENCODED = re.compile(r"=\?([^?\s]{1,80})\?([bBqQ])\?([^?]*)\?=")
_ID = re.compile(r"<([^<>\s]{1,900})>")
_ADDRESS = re.compile(r"[^\s<>,;:\"()@]+@[^\s<>,;:\"()@]+")
# What writers call an encoding, and the larger one that their programs meant.
_MEANT = {
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "ks_c_5601-1987": "cp949",
    "ks_c_5601-1989": "cp949",
    "euc-kr": "cp949",
    "shift_jis": "cp932",
    "iso-2022-jp": "iso2022_jp_ext",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "us-ascii": "cp1252",
    "ascii": "cp1252",
    "iso-8859-9": "cp1254",
    "iso-8859-8-i": "iso-8859-8",
    "iso-8859-6-i": "iso-8859-6",
    "tis-620": "cp874",
}
# Python knows these as encodings of text; two of them take the square of the length, and none is written in mails.
_NEVER = frozenset(["idna", "punycode", "unicode_escape", "raw_unicode_escape", "unicode-escape", "raw-unicode-escape"])


@dataclass(frozen=True)
class Address:
    name: str
    email: str


class Headers:
    """Header fields in their order; `pairs` are (name, value) with bytes that are not ASCII as surrogates or as text."""

    def __init__(self, pairs: Iterable[tuple[str, str]]) -> None:
        self._values: dict[str, list[str]] = {}
        for name, value in pairs:
            self._values.setdefault(name.strip().lower(), []).append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def raw(self, name: str) -> str:
        """The first field of the name on one line, nothing in it decoded but its bytes."""
        values = self._values.get(name)
        return _FOLDS.sub(" ", as_text(values[0])).strip() if values else ""

    def text(self, name: str) -> str:
        return words_of(self.raw(name))

    def ids(self, name: str) -> list[str]:
        """The message ids a field names, without their brackets."""
        return _ID.findall(self.raw(name))

    def message_id(self) -> str:
        raw = self.raw("message-id")
        found = _ID.search(raw)
        return found[1] if found else raw.strip("<> \t").split(" ")[0]

    def addresses(self, name: str) -> list[Address]:
        """Everybody a field names; `Unreadable` for more than a mail may name, or for brackets no reader gets through."""
        found = []
        for value in self._values.get(name, ()):
            line = _FOLDS.sub(" ", as_text(value))
            if line.count("(") > _MOST_BRACKETS or line.count(",") > 10 * MOST_ADDRESSES:
                raise Unreadable(f'Its header "{name}" names too many. Ask the sender to write to you alone.')
            found += [_address(*each) for each in getaddresses([line]) if any(each)]
            if len(found) > MOST_ADDRESSES:
                raise Unreadable(
                    f'Its header "{name}" names more than {MOST_ADDRESSES} addresses. Ask the sender to write to you alone.'
                )
        return found

    def moment(self) -> datetime | None:
        """When it was written, or else when the last server took it; None when neither can be told."""
        received = self.raw("received").rpartition(";")[2]
        return _moment(self.raw("date")) or _moment(received)


def words_of(value: str) -> str:
    """A header's value with its encoded words (RFC 2047) as text. Neighbours are joined before they are decoded, since
    senders cut them inside a character."""
    done: list[str] = []
    charset, waiting, end = "", b"", 0
    for found in _ENCODED.finditer(value):
        content = _content(found[2], found[3])
        if content is None:
            continue
        gap = value[end : found.start()]
        name = found[1].partition("*")[0].lower()
        if waiting and (gap.strip() or name != charset):
            done.append(decoded(waiting, charset))
            waiting = b""
        if gap.strip() or not end:
            done.append(gap)
        charset, waiting, end = name, waiting + content, found.end()
    if waiting:
        done.append(decoded(waiting, charset))
    return "".join([*done, value[end:]])


def as_text(value: str) -> str:
    """Bytes that came unencoded are UTF-8, or else Western."""
    if value.isascii():
        return value
    try:
        content = value.encode("ascii", "surrogateescape")
    except UnicodeEncodeError:
        return value
    return decoded(content, "utf-8")


def decoded(content: bytes, charset: str) -> str:
    """Bytes as text, in the encoding they are labelled with where it fits, else in one that does."""
    label = charset.strip(" \t\"'").lower()[:40]
    named = "" if label in _NEVER else _MEANT.get(label, label)
    # UTF-8 that is labelled as something Western is common, and nothing else happens to be UTF-8.
    western = ["utf-8"] if named in ("cp1252", "") else []
    for each in [*western, named, "utf-8", "cp1252"]:
        try:
            return content.decode(each)
        except (LookupError, ValueError):
            continue
    try:
        return content.decode(named, "replace")
    except (LookupError, ValueError):
        return content.decode("cp1252", "replace")


def _content(kind: str, written: str) -> bytes | None:
    try:
        if kind in "qQ":
            return binascii.a2b_qp(written.replace("_", " ").encode("ascii"), header=True)
        return base64.b64decode(written.encode("ascii") + b"===")
    except (binascii.Error, ValueError):
        return None


def _address(name: str, email: str) -> Address:
    email = email.strip()
    if not _ADDRESS.fullmatch(email):
        found = _ADDRESS.search(f"{name} {email}")
        email = found[0] if found else ""
    return Address(words_of(name).strip(" \"'"), email)


def _moment(written: str) -> datetime | None:
    written = written.strip()
    if not written or len(written) > _LONGEST_DATE:
        return None
    try:
        found = parsedate_to_datetime(written)
        found = (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, TypeError, IndexError, OverflowError):
        try:
            return moment_of(written)
        except Unclear:
            return None
    return found if found.year >= _FIRST_YEAR else None
