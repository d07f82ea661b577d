"""The process that takes one workbook apart: `python -m`, the file on stdin, one JSON line a row on stdout.

It is a process so that a workbook made to break whoever opens it breaks this one alone; nothing else runs in it.
"""

import json
import re
import resource
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from pathlib import PurePosixPath
from typing import Any, BinaryIO

MOST_ENTRIES = 200
MOST_INFLATED = 1024**3
MOST_RATIO = 100
# Below this much, a ratio says nothing.
SMALL = 10 * 1024**2
MOST_ROWS = 1_048_576
_BLOCK = 256 * 1024
_XML = (".xml", ".rels", ".vml")
_DECLARATION = re.compile(rb"<!(?:DOCTYPE|ENTITY)", re.IGNORECASE)
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


class Refused(Exception):
    """The workbook is not read; the sentence says what to do."""


def main(sheet: str, most_memory: str, most_seconds: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (int(most_memory), int(most_memory)))
    resource.setrlimit(resource.RLIMIT_CPU, (int(most_seconds), int(most_seconds)))
    said: dict[str, Any] = {"end": True}
    try:
        with open(0, "rb", buffering=0, closefd=False) as file:
            inspect(file)
            for number, cells in rows(file, sheet):
                sys.stdout.write(json.dumps([number, cells]) + "\n")
    except Refused as reason:
        said = {"refused": str(reason)}
    except (MemoryError, BrokenPipeError):
        raise
    except Exception:  # openpyxl raises anything at all for a broken file
        said = {"refused": "The workbook is damaged. Open it in a spreadsheet, save it again, and send that."}
    sys.stdout.write(json.dumps(said) + "\n")
    sys.stdout.flush()


def inspect(file: BinaryIO) -> None:
    """Raise `Refused` for what must not be parsed: everything is inflated once and counted, for declared sizes lie."""
    file.seek(0)
    if file.read(8) == bytes.fromhex("d0cf11e0a1b11ae1"):
        raise Refused("It is protected by a password, or an old workbook (.xls). Save it as .xlsx without a password.")
    try:
        entries = zipfile.ZipFile(file).infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
        raise Refused("It is no workbook, or was cut off on its way. Send it again.") from None
    if len(entries) > MOST_ENTRIES:
        raise Refused(f"The workbook consists of more than {MOST_ENTRIES} parts. Save the sheet as CSV and send that.")
    names = [entry.filename for entry in entries]
    if len({name.lower() for name in names}) != len(names):
        raise Refused("Two parts of the workbook have the same name. Save the sheet as CSV and send that.")
    for name in names:
        _check_name(name)
    if "[Content_Types].xml" not in names:
        raise Refused("It is an archive, but no workbook. Send a file that a spreadsheet saved as .xlsx.")
    left = MOST_INFLATED
    for entry in entries:
        left -= _inflated(file, entry, left)


def _check_name(name: str) -> None:
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\\" in name:
        raise Refused("A part of the workbook has a name that leads out of it. Save the sheet as CSV and send that.")
    if path.name.lower() in ("vbaproject.bin", "vbadata.xml") or "macrosheets" in path.parts:
        raise Refused("The workbook holds macros, which are not taken. Save it as .xlsx without them.")


def _inflated(file: BinaryIO, entry: zipfile.ZipInfo, left: int) -> int:
    """How much an entry really comes to, and nothing in it that a parser would act on."""
    if entry.flag_bits & 0x1:
        raise Refused("The workbook is protected by a password. Save it without one.")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise Refused("The workbook is packed in a way that spreadsheets do not. Save the sheet as CSV and send that.")
    is_xml = entry.filename.lower().endswith(_XML)
    size = 0
    before = b""
    for block in _blocks(file, entry):
        size += len(block)
        if size > left:
            raise Refused(f"Unpacked, the workbook is larger than {MOST_INFLATED >> 20:,} MB. Save the sheet as CSV.")
        if size > SMALL and size > MOST_RATIO * entry.compress_size:
            raise Refused(f"A part of the workbook unpacks to more than {MOST_RATIO} times its size. Send it as CSV.")
        if is_xml:
            # UTF-16 hides the same letters behind zeros; a name may lie over the end of a block.
            looked_at = (before + block).replace(b"\x00", b"")
            if _DECLARATION.search(looked_at):
                raise Refused("The workbook declares entities, which spreadsheets never do. Save the sheet as CSV.")
            if entry.filename == "[Content_Types].xml" and b"macroEnabled" in looked_at:
                raise Refused("The workbook holds macros, which are not taken. Save it as .xlsx without them.")
            before = block[-64:]
    if size != entry.file_size:
        raise Refused("A part of the workbook is not as large as it says. Open it in a spreadsheet and save it again.")
    return size


def _blocks(file: BinaryIO, entry: zipfile.ZipInfo) -> Iterator[bytes]:
    file.seek(entry.header_offset)
    start = file.read(30)
    if len(start) < 30 or start[:4] != b"PK\x03\x04":
        raise Refused("The workbook is damaged. Open it in a spreadsheet, save it again, and send that.")
    file.seek(sum(struct.unpack("<HH", start[26:30])), 1)
    left = entry.compress_size
    unpacker = zlib.decompressobj(-15) if entry.compress_type == zipfile.ZIP_DEFLATED else None
    while left > 0 and (packed := file.read(min(_BLOCK, left))):
        left -= len(packed)
        if unpacker is None:
            yield packed
            continue
        while packed and not unpacker.eof:
            yield unpacker.decompress(packed, 4 * _BLOCK)
            packed = unpacker.unconsumed_tail
    if left > 0 or (unpacker is not None and not unpacker.eof):
        raise Refused("The workbook was cut off on its way. Send it again.")


def rows(file: BinaryIO, sheet: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that hold anything, as wide as the first of them; what lies beyond is kept where it says something."""
    import openpyxl

    if not openpyxl.DEFUSEDXML:
        raise Refused("Workbooks cannot be read here safely. Ask an administrator to install defusedxml.")
    file.seek(0)
    book = openpyxl.load_workbook(file, read_only=True, data_only=True, keep_links=False)
    sheets = {each.title: each for each in book.worksheets}
    if not sheets:
        raise Refused("The workbook holds no sheet of cells.")
    if sheet and sheet not in sheets:
        known = ", ".join(sheets)[:300]
        raise Refused(f'The workbook has no sheet "{sheet[:60]}". Name one of these in the settings: {known}.')
    chosen: Any = sheets[sheet] if sheet else book.worksheets[0]
    # What a sheet says of its own size is not believed: one cell far out would make a million wide rows.
    chosen.reset_dimensions()
    width = 0
    for number, values in enumerate(chosen.iter_rows(min_row=1, min_col=1, values_only=True), start=1):
        if number > MOST_ROWS:
            raise Refused(f"The sheet says that it has more than {MOST_ROWS:,} rows. Save it as CSV and send that.")
        if not any(value is not None for value in values):
            continue
        cells = [_WRITTEN.get(type(value), str)(value) for value in values]
        while cells and not cells[-1].strip():
            cells.pop()
        if not cells:
            continue
        width = width or len(cells)
        cells += [""] * (width - len(cells))
        yield number, cells


def _text(value: str) -> str:
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), value) if "_x" in value else value


def _moment(value: datetime) -> str:
    if value.microsecond:
        value = value.replace(microsecond=0)
    return value.date().isoformat() if value.time() == time() else value.isoformat(" ")


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


_WRITTEN: dict[type, Callable[[Any], str]] = {
    str: _text,
    bool: lambda value: "true" if value else "false",
    int: str,
    float: _number,
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
    type(None): lambda value: "",
}

if __name__ == "__main__":
    main(*sys.argv[1:])
