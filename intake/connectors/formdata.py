"""The fields and files of a call that sends a form, read within bounds from its bytes."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import parse_qsl

from intake.connectors.base import Call, File, Unreadable
from intake.connectors.headers import Headers, decoded

MOST_FIELDS = 200
_BOUNDARY = re.compile(r'boundary="?([^";,\s]{1,200})"?', re.IGNORECASE)
_NAME = re.compile(r'\bname="((?:[^"\\]|\\.){0,200})"')
_FILE_NAME = re.compile(r'\bfilename="((?:[^"\\]|\\.){0,400})"')
_LONGEST_HEAD = 4_000


@dataclass(frozen=True)
class Form:
    """`fields` by name, as bytes, the first of each name; `files` in their order."""

    fields: Mapping[str, bytes]
    files: tuple[File, ...] = ()

    def text(self, name: str, *, charset: str = "") -> str:
        return decoded(self.fields.get(name, b""), charset or "utf-8")


def form_of(call: Call) -> Form:
    """What the call's form holds; `Unreadable` for what is no form, or has more fields than any sender's."""
    kind = call.headers.get("content-type", "")
    if kind.lower().startswith("multipart/form-data"):
        return _multipart(call.body, kind)
    try:
        pairs = parse_qsl(
            call.body.decode("ascii"), keep_blank_values=True, max_num_fields=MOST_FIELDS, encoding="latin-1"
        )
    except ValueError:
        raise Unreadable("It is no form. Have the service send forms to this address.") from None
    fields: dict[str, bytes] = {}
    for name, value in pairs:
        fields.setdefault(name, value.encode("latin-1"))
    return Form(fields)


def _multipart(body: bytes, kind: str) -> Form:
    fields: dict[str, bytes] = {}
    files = []
    for head, content in _parts(body, kind):
        about = head.raw("content-disposition")
        name = _NAME.search(about)
        file_name = _FILE_NAME.search(about)
        if file_name:
            file_kind = head.raw("content-type").partition(";")[0].strip() or "application/octet-stream"
            files.append(File(_plain(file_name[1]), file_kind, content))
        elif name:
            fields.setdefault(_plain(name[1]), content)
    return Form(fields, tuple(files))


def _parts(body: bytes, kind: str) -> Iterator[tuple[Headers, bytes]]:
    found = _BOUNDARY.search(kind)
    if found is None:
        raise Unreadable("It is a form whose parts cannot be told apart. Have the service send it again.")
    mark = re.compile(rb"\r\n--" + re.escape(found[1].encode("latin-1", "replace")) + rb"(--)?[ \t]*(?=\r\n|\Z)")
    begins = 0
    for number, end in enumerate(mark.finditer(b"\r\n" + body)):
        if number > MOST_FIELDS:
            raise Unreadable(f"It is a form of more than {MOST_FIELDS} fields. Have the service send fewer.")
        if number:
            # Counted from two bytes before the body, as the marks are.
            yield _part(body[begins - 2 : end.start() - 2])
        begins = end.end()
        if end[1]:
            return


def _part(piece: bytes) -> tuple[Headers, bytes]:
    head, _, content = piece.partition(b"\r\n\r\n")
    lines = decoded(head[:_LONGEST_HEAD], "utf-8").split("\r\n")
    pairs = [line.partition(":")[::2] for line in lines if ":" in line]
    return Headers([(name, value.strip()) for name, value in pairs]), content


def _plain(quoted: str) -> str:
    return re.sub(r"\\(.)", r"\1", quoted).replace("%22", '"')
