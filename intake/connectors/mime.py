"""A mail taken apart within bounds: what somebody wrote, what they forwarded, and their files.

The standard library reads the structure. What would cost it minutes or its stack (thousands of parts, of levels, of
parameters) is refused while it reads, at the first thing too many.
"""

import binascii
import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from email.message import Message
from email.parser import BytesParser
from typing import Any

from intake.connectors import tnef
from intake.connectors.base import File, Remark, Unreadable
from intake.connectors.headers import Headers, as_text, decoded, words_of
from intake.connectors.markup import text_of_html

LONGEST_MAIL = 25 * 1024 * 1024
LONGEST_HEADERS = 64 * 1024
MOST_LINES = 500_000
MOST_PARTS = 200
DEEPEST = 20
MOST_FILES = 20
LONGEST_FILE = 10 * 1024 * 1024
# Far more than is shown of any text; it keeps what reads the text afterwards short as well.
LONGEST_TEXT = 400_000

_MOST_PARAMETERS = 100
_LONGEST_BOUNDARY = 200
_HEADERS_END = re.compile(rb"\r?\n\r?\n|\r\r")
_ENVELOPE = re.compile(rb"\A(?:\xef\xbb\xbf)?(?:>?From [^\r\n]*\r?\n)?")
_SPACED_NAME = re.compile(rb"^([!-9;-~]{1,100})[ \t]{1,100}:", re.MULTILINE)
_MESSAGE_ID = re.compile(rb"^message-id:((?:[^\r\n]|\r?\n[ \t])*)", re.IGNORECASE | re.MULTILINE)
_UUENCODED = re.compile(r"begin [0-7]{3,4} (\S[^\n]{0,200})\Z")
_PLAIN_STUB = re.compile(r"html|view (?:it|this)|browser", re.IGNORECASE)
_LONGEST_STUB = 300
_SIGNATURES = frozenset(["application/pgp-signature", "application/pkcs7-signature", "application/x-pkcs7-signature"])
_ENDINGS = {"image/jpeg": ".jpg", "image/png": ".png", "image/webp": ".webp", "application/pdf": ".pdf"}


@dataclass
class Mail:
    """`text` is all its writer sent as text, quotes and signature included; `forwarded` are mails it holds as parts."""

    headers: Headers
    kind: str
    text: str = ""
    forwarded: list[str] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    remarks: list[Remark] = field(default_factory=list)


def mail_of(content: bytes) -> Mail:
    """The mail that bytes are; `Unreadable` for what is none, or is more than one may be."""
    check(content)
    try:
        message = BytesParser(_Part).parsebytes(_tidied(content))
        mail = Mail(message.head, message.get_content_type())
        _Reader(mail).read(message)
    except Unreadable:
        raise
    except (ValueError, LookupError, TypeError, AttributeError, RecursionError, OverflowError) as error:
        # The standard library's parser is known to trip over mails nobody has met yet.
        raise Unreadable(f"It cannot be taken apart as a mail ({type(error).__name__}). Open the original.") from None
    return mail


def check(content: bytes) -> None:
    """Refuse at a glance what is too much for one mail."""
    if len(content) > LONGEST_MAIL:
        raise Unreadable(too_long(len(content)))
    if not content.strip():
        raise Unreadable("It is empty. Ask the sender to send it again.")
    end = _HEADERS_END.search(content, 0, LONGEST_HEADERS + 4)
    if end is None and len(content) > LONGEST_HEADERS:
        raise _headers_too_long()
    lines = content.count(b"\n") + content.count(b"\r") - content.count(b"\r\n")
    if lines > MOST_LINES:
        raise Unreadable(f"The mail has more than {MOST_LINES:,} lines. Open the original to see what it is.")


def _tidied(content: bytes) -> bytes:
    """Without what stands before the first header, and with names as they are written today."""
    content = _ENVELOPE.sub(b"", content)
    end = _HEADERS_END.search(content, 0, LONGEST_HEADERS + 4)
    head = content[: end.start() if end else LONGEST_HEADERS]
    return _SPACED_NAME.sub(rb"\1:", head) + content[len(head) :]


def too_long(size: int) -> str:
    return f"The mail is {size // 1024 // 1024} MB long, and {LONGEST_MAIL // 1024 // 1024} MB is the most. Ask for a shorter one."


def identity(content: bytes) -> str:
    """The id a mail is known by: its Message-ID, or else the hash of its bytes."""
    head = content[: LONGEST_HEADERS + 4]
    end = _HEADERS_END.search(head)
    found = _MESSAGE_ID.search(head, 0, end.start() if end else len(head))
    name = Headers([("message-id", found[1].decode("ascii", "replace"))]).message_id() if found else ""
    return name or hashlib.sha256(content).hexdigest()


def composed(headers: Iterable[tuple[str, str]], *, plain: str, markup: str, files: Sequence[File] = ()) -> bytes:
    """A mail written out again from what a service made of it: the same parts give the same bytes."""
    ours = ("content-type", "content-transfer-encoding", "mime-version", "content-disposition", "content-length")
    head = [(name, value) for name, value in headers if name.strip().lower() not in ours]
    texts = [("text/plain", plain)] if plain.strip() or not markup.strip() else []
    texts += [("text/html", markup)] if markup.strip() else []
    mark = hashlib.sha256(repr((head, plain, markup, [file.content for file in files])).encode()).hexdigest()[:40]
    lines = [f"{_name(name)}: {_line(value)}" for name, value in head if _name(name)]
    lines += ["MIME-Version: 1.0", f'Content-Type: multipart/mixed; boundary="{mark}"', ""]
    lines += [f"--{mark}", f'Content-Type: multipart/alternative; boundary="{mark}a"', ""]
    for kind, text in texts:
        lines += [f"--{mark}a", f"Content-Type: {kind}; charset=utf-8", "Content-Transfer-Encoding: base64", ""]
        lines += [_base64(text.encode("utf-8", "replace"))]
    lines += [f"--{mark}a--"]
    for file in files:
        name = _line(file.name).replace("\\", "").replace('"', "")
        lines += [f"--{mark}", f"Content-Type: {_name(file.content_type) or 'application/octet-stream'}"]
        lines += [f'Content-Disposition: attachment; filename="{name}"', "Content-Transfer-Encoding: base64", ""]
        lines += [_base64(file.content)]
    return "\r\n".join([*lines, f"--{mark}--", ""]).encode("utf-8", "surrogateescape")


class _Part(Message):
    """A part that counts itself, its level and what stands in its head while the parser builds it."""

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.level = 0
        self.top = self
        self.parts = 1
        self.size = 0

    @property
    def head(self) -> Headers:
        return Headers(self.raw_items())

    def attach(self, payload: "_Part") -> None:  # type: ignore[override]
        payload.level, payload.top = self.level + 1, self.top
        self.top.parts += 1
        if self.top.parts > MOST_PARTS:
            raise Unreadable(f"The mail has more than {MOST_PARTS} parts. Ask the sender for a plainer one.")
        if payload.level > DEEPEST:
            raise Unreadable(
                f"The mail has parts inside parts, more than {DEEPEST} deep. Ask the sender for a plainer one."
            )
        super().attach(payload)

    def set_raw(self, name: str, value: str) -> None:
        self.size += len(name) + len(value)
        if self.size > LONGEST_HEADERS:
            raise _headers_too_long()
        if value.count(";") > _MOST_PARAMETERS and name.lower().startswith("content-"):
            raise Unreadable(f'Its header "{name[:40]}" has too many parameters. Open the original.')
        super().set_raw(name, as_text(value))

    def get_boundary(self, failobj: Any = None) -> Any:
        found = super().get_boundary(failobj)
        return found if isinstance(found, str) and 0 < len(found) <= _LONGEST_BOUNDARY else failobj


@dataclass
class _Words:
    """What a part says in each of two ways, either of which may be missing."""

    plain: str = ""
    markup: str = ""

    @property
    def best(self) -> str:
        plain, markup = self.plain.strip(), self.markup.strip()
        is_stub = len(plain) < _LONGEST_STUB and len(markup) > len(plain) and _PLAIN_STUB.search(plain)
        return markup if markup and (not plain or is_stub) else plain


class _Reader:
    def __init__(self, mail: Mail) -> None:
        self._mail = mail
        self._left_out = 0
        self._wrapped = 0

    def read(self, message: _Part) -> None:
        self._mail.text = self._words(message).best[:LONGEST_TEXT]
        if self._left_out:
            self._mail.remarks.append(
                Remark("attachments", f"It has {self._left_out} more files than the {MOST_FILES} that are taken.")
            )

    def _words(self, part: _Part) -> _Words:
        kind = part.get_content_type()
        if kind == "message/rfc822":
            return self._forwarded(part)
        if kind == "message/partial":
            raise Unreadable("It is one piece of a mail that was sent in several. Ask the sender to send it whole.")
        if part.is_multipart():
            inside = [self._words(each) for each in part.get_payload() if isinstance(each, _Part)]
            plain = "\n\n".join(each.plain for each in inside if each.plain.strip())
            markup = "\n\n".join(each.markup for each in inside if each.markup.strip())
            if kind == "multipart/alternative" or not plain:
                return _Words(plain, markup)
            return _Words("\n\n".join(found for each in inside if (found := each.best)))
        if kind.startswith("multipart/"):
            kind = "text/plain"  # its boundaries are missing, so whatever it says is text
        name = _file_name(part)
        is_file = part.get_content_disposition() == "attachment" or (name and part.get_content_disposition())
        if kind in ("application/ms-tnef", "application/vnd.ms-tnef") or name.lower() == "winmail.dat":
            return self._tnef(part)
        if kind in ("text/plain", "text/html") and not is_file:
            return self._text(part, kind)
        if kind not in _SIGNATURES and not kind.startswith("message/"):
            self._keep(name, kind, part.get_payload(decode=True))
        return _Words()

    def _text(self, part: _Part, kind: str) -> _Words:
        content = part.get_payload(decode=True)
        if not isinstance(content, bytes):
            return _Words()
        text = decoded(content, _parameter(part, "charset"))
        if kind == "text/html":
            return _Words(markup=text_of_html(text[: 5 * LONGEST_TEXT]))
        text = self._without_uuencoded(text.replace("\r\n", "\n").replace("\r", "\n"))
        if _parameter(part, "format").lower() == "flowed":
            text = _unflowed(text, is_spaced=_parameter(part, "delsp").lower() == "yes")
        return _Words(plain=text)

    def _forwarded(self, part: _Part) -> _Words:
        """The mail inside is somebody else's words: kept apart, under its own head."""
        for given in part.get_payload():
            if isinstance(given, _Part):
                inner = self._unwrapped(part, given)
                head = inner.head
                says = [
                    f"{label}: {said}" for label in ("From", "Date", "Subject") if (said := head.text(label.lower()))
                ]
                self._mail.forwarded.append("\n".join([*says, "", self._words(inner).best[:LONGEST_TEXT]]).strip())
        return _Words()

    def _unwrapped(self, outer: _Part, inner: _Part) -> _Part:
        """A mail must not be encoded as a whole, and sometimes is."""
        if str(outer.get("content-transfer-encoding", "")).strip().lower() != "base64" or inner.is_multipart():
            return inner
        written = inner.get_payload()
        content = _unbase64(written if isinstance(written, str) else "")
        if not content or self._wrapped >= DEEPEST:
            return inner
        self._wrapped += 1
        check(content)
        return BytesParser(_Part).parsebytes(_tidied(content))

    def _tnef(self, part: _Part) -> _Words:
        content = part.get_payload(decode=True)
        found = tnef.unpacked(content if isinstance(content, bytes) else b"")
        for file in found.files:
            self._keep(file.name, file.content_type, file.content)
        if not (found.text or found.files):
            self._mail.remarks.append(Remark("winmail.dat", "It holds no text and no file that can be read."))
        return _Words(plain=found.text)

    def _keep(self, name: str, kind: str, content: Any) -> None:
        if not isinstance(content, bytes) or not content:
            return
        name = name or f"attachment{_ENDINGS.get(kind, '')}"
        if len(self._mail.files) >= MOST_FILES:
            self._left_out += 1
        elif len(content) > LONGEST_FILE:
            self._mail.remarks.append(Remark(name[:200], f"It is larger than {LONGEST_FILE // 1024 // 1024} MB."))
        else:
            self._mail.files.append(File(name, kind, content))

    def _without_uuencoded(self, text: str) -> str:
        """Files that old programs wrote into the text itself."""
        if "\nend" not in text or "begin " not in text:
            return text
        kept: list[str] = []
        lines = text.split("\n")
        place = 0
        while place < len(lines):
            found = _UUENCODED.match(lines[place])
            content, after = _uudecoded(lines, place + 1) if found else (b"", 0)
            if found and after:
                self._keep(found[1].strip(), "application/octet-stream", content)
                place = after
            else:
                kept.append(lines[place])
                place += 1
        return "\n".join(kept)


def _uudecoded(lines: Sequence[str], start: int) -> tuple[bytes, int]:
    """The bytes and the place behind them; place 0 when it was no file after all."""
    parts: list[bytes] = []
    for place in range(start, len(lines)):
        line = lines[place]
        if line.strip() == "end":
            return b"".join(parts), place + 1
        try:
            parts.append(binascii.a2b_uu(line.encode("ascii")) if line.strip() else b"")
        except (binascii.Error, ValueError):
            return b"", 0
    return b"", 0


def _unflowed(text: str, *, is_spaced: bool) -> str:
    """Lines as paragraphs again (RFC 3676): a line that ends in a space goes on in the next of the same quoting."""
    done: list[str] = []
    depth, is_open = 0, False
    for line in text.split("\n"):
        content = line.lstrip(">")
        deep = len(line) - len(content)
        content = content.removeprefix(" ")
        goes_on = content.endswith(" ") and content != "-- "
        if goes_on and is_spaced:
            content = content[:-1]
        if is_open and deep == depth and content != "-- ":
            done.append(content)
        else:
            done.append(("\n" if done else "") + (">" * deep + " " if deep else "") + content)
        depth, is_open = deep, goes_on
    return "".join(done)


def _file_name(part: _Part) -> str:
    name = part.get_filename() or ""
    return words_of(Headers([("name", name)]).raw("name"))[:300]


def _parameter(part: _Part, name: str) -> str:
    """One of the parameters of its content type, which may say in which encoding it is itself (RFC 2231)."""
    found = part.get_param(name, "")
    return str(found[2] if isinstance(found, tuple) else found or "")[:80].strip()


def _headers_too_long() -> Unreadable:
    return Unreadable(f"Its headers are longer than {LONGEST_HEADERS // 1024} KB. Open the original to see what it is.")


def _unbase64(written: str) -> bytes:
    try:
        return binascii.a2b_base64(written.encode("ascii"))
    except (binascii.Error, ValueError):
        return b""


def _name(name: str) -> str:
    return re.sub(r"[^!-9;-~]", "", name)[:100]


def _line(value: str) -> str:
    return " ".join(value.replace("\x00", "").split())


def _base64(content: bytes) -> str:
    written = binascii.b2a_base64(content, newline=False).decode()
    return "\r\n".join(written[place : place + 76] for place in range(0, len(written), 76))
