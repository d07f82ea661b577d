"""Workbooks give what a spreadsheet shows, and those made to harm whoever opens them harm nobody."""

import io
import os
import re
import struct
import subprocess
import zipfile
import zlib
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, date, datetime, time
from typing import Any

import openpyxl
import pytest
from openpyxl.utils.datetime import CALENDAR_MAC_1904

from intake.connectors import workbooks
from intake.connectors.base import BadRow, Row, Unreadable
from intake.connectors.csv_file import CsvFile
from intake.connectors.workbooks import sheet_rows

table = CsvFile()
EVENING = datetime(2026, 3, 31, 18)  # noqa: DTZ001 - spreadsheets know no zones

TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    '<Default Extension="xml" ContentType="application/xml"/>'
    '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package.relationships+xml"/>'
    '<Override PartName="/xl/workbook.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sheet.main+xml"/>'
    '<Override PartName="/xl/worksheets/sheet1.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.worksheet+xml"/>'
    "</Types>"
)
RELATED = '<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{}</Relationships>'
TO = '<Relationship Id="r1" Type="http://schemas.openxmlformats.org/officeDocument/2006/relationships/{}" Target="{}"/>'
MAIN = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
BOOK = (
    f'<workbook xmlns="{MAIN}" xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships">'
    '<sheets><sheet name="One" sheetId="1" r:id="r1"/></sheets></workbook>'
)


def parts(rows: str, **others: str | bytes) -> dict[str, str | bytes]:
    """The parts of the smallest workbook whose sheet holds these rows."""
    return {
        "[Content_Types].xml": TYPES,
        "_rels/.rels": RELATED.format(TO.format("officeDocument", "xl/workbook.xml")),
        "xl/workbook.xml": BOOK,
        "xl/_rels/workbook.xml.rels": RELATED.format(TO.format("worksheet", "worksheets/sheet1.xml")),
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{MAIN}"><sheetData>{rows}</sheetData></worksheet>',
        **others,
    }


def packed(content: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, said in content.items():
            archive.writestr(name, said)
    return out.getvalue()


def cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t>{text}</t></is></c>'


HEADER = f"<row r='1'>{cell('A1', 'id')}{cell('B1', 'text')}</row>"
FIRST = f"<row r='2'>{cell('A2', '1')}{cell('B2', 'It leaks')}</row>"


def saved(book: openpyxl.Workbook) -> bytes:
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def sheet(*rows: list[Any]) -> openpyxl.Workbook:
    book = openpyxl.Workbook()
    for row in rows:
        book.worksheets[0].append(row)
    return book


def cells(content: bytes, **settings: Any) -> list[tuple[int, list[str]]]:
    return list(sheet_rows(io.BytesIO(content), **settings))


def test_cells_are_what_a_spreadsheet_shows() -> None:
    content = saved(
        sheet(
            ["text", "whole", "part", "when", "day", "clock", "yes", "none"],
            ["It leaks", 4.0, 4.5, EVENING, date(2026, 3, 31), time(9, 30), True, None],
            [None],
            [" ", 7],
        )
    )

    assert cells(content) == [
        (1, ["text", "whole", "part", "when", "day", "clock", "yes", "none"]),
        (2, ["It leaks", "4", "4.5", "2026-03-31 18:00:00", "2026-03-31", "09:30:00", "true", ""]),
        (4, [" ", "7", "", "", "", "", "", ""]),
    ]


def test_a_workbook_is_a_table_whatever_it_is_called() -> None:
    content = saved(sheet(["Response ID", "Comment", "Stars", "Created"], ["R-1", "It leaks", 2, EVENING]))
    (row,) = table.rows(io.BytesIO(content), settings={})

    assert isinstance(row, Row)
    draft = table.parse(row.raw, settings={})
    assert (row.number, row.raw.external_id, draft.text) == (2, "R-1", "It leaks")
    assert draft.submitted_at == datetime(2026, 3, 31, 18, tzinfo=UTC)
    assert draft.rating is not None


def test_the_same_rows_are_the_same_feedback_in_a_workbook_and_in_text() -> None:
    (one,) = table.rows(io.BytesIO(saved(sheet(["text", "stars"], ["It leaks", 2]))), settings={})
    (other,) = table.rows(io.BytesIO(b"text,stars\nIt leaks,2\n"), settings={})

    assert isinstance(one, Row)
    assert isinstance(other, Row)
    assert one.raw == other.raw


def test_days_are_counted_from_1904_where_the_workbook_says_so() -> None:
    book = sheet(["text", "date"], ["It leaks", EVENING])
    book.epoch = CALENDAR_MAC_1904
    content = saved(book)

    assert b"date1904" in zipfile.ZipFile(io.BytesIO(content)).read("xl/workbook.xml")
    assert cells(content)[1][1] == ["It leaks", "2026-03-31 18:00:00"]


def test_a_formula_is_what_it_came_to_and_is_never_worked_out() -> None:
    row = '<row r="2"><c r="A2" t="str"><f>CONCAT("It"," leaks")</f><v>It leaks</v></c><c r="B2"><f>1+1</f></c></row>'

    assert cells(packed(parts(HEADER + row)))[1][1] == ["It leaks", ""]


def test_merged_cells_say_it_once() -> None:
    book = sheet(["text", "note"], ["It leaks", ""], ["", ""])
    book.worksheets[0].merge_cells("A2:B2")

    assert cells(saved(book))[1][1] == ["It leaks", ""]


def test_characters_that_xml_cannot_hold_come_back() -> None:
    assert (
        cells(packed(parts(HEADER + f"<row r='2'>{cell('A2', '1')}{cell('B2', 'a_x000D_b')}</row>")))[1][1][1] == "a\rb"
    )


def test_the_sheet_that_is_named_is_read() -> None:
    book = sheet(["text"], ["first"])
    book.create_sheet("Answers").append(["text"])
    book["Answers"].append(["second"])

    assert cells(saved(book))[1][1] == ["first"]
    assert cells(saved(book), sheet="Answers")[1][1] == ["second"]
    with pytest.raises(Unreadable, match=r'no sheet "Moon".*Sheet, Answers'):
        cells(saved(book), sheet="Moon")


def test_a_million_empty_rows_are_passed_over() -> None:
    """Those that were formatted and those that are only counted."""
    formatted = "".join(f'<row r="{number}"><c r="A{number}" s="0"/></row>' for number in range(3, 30_000))
    last = f'<row r="1048576">{cell("B1048576", "the last")}</row>'

    assert [number for number, _ in cells(packed(parts(HEADER + FIRST + formatted + last)))] == [1, 2, 1_048_576]


@pytest.mark.parametrize("said_size", ["A1:XFD1048576", "A1:A1"])
def test_what_a_sheet_says_of_its_size_is_not_believed(said_size: str) -> None:
    said = parts(HEADER + FIRST)
    body = str(said["xl/worksheets/sheet1.xml"])
    said["xl/worksheets/sheet1.xml"] = body.replace("<sheetData>", f'<dimension ref="{said_size}"/><sheetData>')

    assert cells(packed(said)) == [(1, ["id", "text"]), (2, ["1", "It leaks"])]


def bomb() -> bytes:
    """About a megabyte that unpacks to half a gigabyte of rows."""
    said = parts("")
    before, after = str(said.pop("xl/worksheets/sheet1.xml")).split("</sheetData>")
    row = FIRST.encode() * 1000
    out = io.BytesIO(packed(said))
    with (
        zipfile.ZipFile(out, "a", zipfile.ZIP_DEFLATED) as archive,
        archive.open("xl/worksheets/sheet1.xml", "w") as body,
    ):
        body.write(before.encode())
        for _ in range(500_000_000 // len(row)):
            body.write(row)
        body.write(f"</sheetData>{after}".encode())
    return out.getvalue()


def lying(content: bytes, name: bytes, said: int) -> bytes:
    """The same archive, whose table of contents claims another size for one entry."""
    place = content.rindex(name) - 46
    assert content[place : place + 4] == b"PK\x01\x02"
    return content[: place + 24] + struct.pack("<I", said) + content[place + 28 :]


def encrypted(content: bytes) -> bytes:
    place = content.index(b"PK\x01\x02")
    return content[: place + 8] + struct.pack("<H", 1) + content[place + 10 :]


SHEET = "xl/worksheets/sheet1.xml"
GOOD = parts(HEADER + FIRST)
LONG = parts(HEADER + FIRST * 5000)
DOCTYPE = '<!DOCTYPE lol [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;">]>'


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (bomb, "more than 100 times its size"),
        (lambda: lying(packed(LONG), SHEET.encode(), 1024), "not as large as it says"),
        (lambda: packed({**GOOD, SHEET: DOCTYPE + str(GOOD[SHEET])}), "declares entities"),
        (lambda: packed({**GOOD, SHEET: ('<?xml version="1.0" encoding="UTF-16"?>' + DOCTYPE).encode("utf-16")}), "declares entities"),
        (lambda: packed({**GOOD, SHEET: " " * (4 * 262_144 - 5) + "<!DOCTYPE x>" + "x" * 200_000}), "declares entities"),
        (lambda: packed({**GOOD, "xl/vbaProject.bin": b"x"}), "macros"),
        (lambda: packed({**GOOD, "[Content_Types].xml": TYPES.replace("sheet.main", "sheet.macroEnabled.main")}), "macros"),
        (lambda: encrypted(packed(GOOD)), "password"),
        (lambda: workbooks._COMPOUND + b"\0" * 600, "password, or an old workbook"),
        (lambda: packed({**GOOD, "../../etc/cron.d/x": b"x"}), "leads out of it"),
        (lambda: packed({**GOOD, "/etc/passwd": b"x"}), "leads out of it"),
        (lambda: packed({**GOOD, "xl\\..\\..\\x": b"x"}), "leads out of it"),
        (lambda: packed({**GOOD, **{f"xl/media/{number}.png": b"x" for number in range(200)}}), "more than 200 parts"),
        (lambda: packed({**GOOD, SHEET.upper(): b"x"}), "the same name"),
        (lambda: packed({"a.txt": b"x"}), "no workbook"),
        (lambda: packed(LONG)[:-500], "no workbook, or was cut off"),
        (lambda: packed({**GOOD, SHEET: "<worksheet><sheetData><row>"}), "damaged"),
        (lambda: packed({**GOOD, "xl/workbook.xml": f'<workbook xmlns="{MAIN}"><sheets/></workbook>'}), "no sheet of cells"),
        (lambda: packed(parts(HEADER + FIRST + f"<row r='9000000'>{cell('A9000000', 'x')}</row>")), "more than 1,048,576 rows"),
    ],
    ids=[
        "bomb", "lies about a size", "entities", "entities in UTF-16", "entities over a block", "macros", "says macros", "encrypted", "old",
        "out by dots", "absolute", "out by backslashes", "many parts", "twice", "no workbook", "cut off", "broken", "no sheet", "row too far",
    ],
)  # fmt: skip
def test_what_would_harm_is_refused_in_words(content: Any, says: str) -> None:
    with pytest.raises(Unreadable, match=says) as refused:
        cells(content())
    assert str(refused.value).endswith(".")


def test_a_lie_about_size_hides_gigabytes_and_is_found_before_they_are_parsed() -> None:
    """Five gigabytes of one letter, claimed to be a kilobyte; the deflate stream is made by repeating its middle."""
    packer = zlib.compressobj(9, zlib.DEFLATED, -15)
    block = packer.compress(b" " * 50_000_000) + packer.flush(zlib.Z_FULL_FLUSH)
    stream = block * 100 + zlib.compressobj(9, zlib.DEFLATED, -15).flush()
    content = packed(GOOD)
    end = content.rindex(b"PK\x05\x06")
    start = struct.unpack("<I", content[end + 16 : end + 20])[0]
    name = b"xl/styles.xml"
    local = struct.pack("<4s5H3I2H", b"PK\x03\x04", 20, 0, 8, 0, 0, 0, len(stream), 1024, len(name), 0) + name + stream
    entry = (
        struct.pack(
            "<4s6H3I5H2I", b"PK\x01\x02", 20, 20, 0, 8, 0, 0, 0, len(stream), 1024, len(name), 0, 0, 0, 0, 0, start
        )
        + name
    )
    count = struct.unpack("<H", content[end + 10 : end + 12])[0] + 1
    directory = content[start:end] + entry
    tail = struct.pack("<4s4H2IH", b"PK\x05\x06", 0, 0, count, count, len(directory), start + len(local), 0)

    with pytest.raises(Unreadable, match="more than 100 times its size"):
        cells(content[:start] + local + directory + tail)


def test_more_memory_than_allowed_ends_the_child_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """A table of texts that are all different, which the reader holds in memory."""
    strings = "".join(f"<si><t>{os.urandom(40).hex()}{number}</t></si>" for number in range(200_000))
    said = parts(
        HEADER + FIRST,
        **{
            "xl/sharedStrings.xml": f'<sst xmlns="{MAIN}">{strings}</sst>',
            "xl/_rels/workbook.xml.rels": RELATED.format(
                TO.format("worksheet", "worksheets/sheet1.xml")
                + TO.format("sharedStrings", "sharedStrings.xml").replace("r1", "r2")
            ),
            "[Content_Types].xml": TYPES.replace(
                "</Types>",
                '<Override PartName="/xl/sharedStrings.xml" ContentType="application/vnd.openxmlformats-officedocument.spreadsheetml.sharedStrings+xml"/></Types>',
            ),
        },
    )
    assert len(cells(packed(said))) == 2
    monkeypatch.setattr(workbooks, "MOST_MEMORY", 48 * 1024 * 1024)

    with pytest.raises(Unreadable, match=r"took more than 48 MB .* as CSV and send that"):
        cells(packed(said))


def test_nothing_goes_on_once_nobody_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    children: list[subprocess.Popen[bytes]] = []
    start = subprocess.Popen

    def started(*given: Any, **named: Any) -> Any:
        children.append(start(*given, **named))
        return children[-1]

    monkeypatch.setattr(workbooks.subprocess, "Popen", started)
    many = "".join(f"<row r='{number}'>{cell(f'A{number}', 'x' * 500)}</row>" for number in range(2, 20_000))
    with closing(sheet_rows(io.BytesIO(packed(parts(HEADER + many))))) as rows:
        next(rows)
        assert children[0].poll() is None
    assert children[0].poll() is not None


def test_a_row_beyond_the_header_is_told() -> None:
    row = f"<row r='2'>{cell('A2', '1')}{cell('B2', 'It leaks')}{cell('C2', 'badly')}</row>"
    (bad,) = table.rows(io.BytesIO(packed(parts(HEADER + row))), settings={})

    assert isinstance(bad, BadRow)
    assert re.search("3 fields, and the header names 2", bad.reason)
    assert bad.cells == {"id": "1", "text": "It leaks", "Beyond 1": "badly"}
