"""Files that are made to hurt, or merely large: what the importer says of each, how long it takes and how much memory.

    .venv/bin/python bench/hostile_files.py

Each is rehearsed (`import_feedback --dry-run`) by a process of its own against the running portal; nothing is stored. Seconds wander
with the machine; what holds is that memory stays far below the size of what the files would unfold to, and that each report is exact.
"""

import csv
import io
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from imports import HEADER, make, said  # noqa: E402  (the folder is put on the path above)

BAD_ROWS = (
    "{id},,,,,,,",
    "{id},It broke,eleven,,,,,",
    "{id},It broke,11,,,,,",
    "{id},It broke,-1,,,,,",
    "{id},It broke,5,no address,,,,",
    "{id},It broke,5,a@b@c,,,,",
    "{id},It broke,5,,,,32.13.2026,",
    "{id},It broke,5,,,,yesterday,",
    "{id},It broke,5,,,,0001-01-01,",
    "{id},It broke,5,,,,9999-99-99T00:00:00Z,",
    "{id},It broke,5,,,,,,one cell too many",
    "{id},It broke",
    '{id},"It "broke" badly",5,,,,,',
    "{id},It\x00broke,5,,,,,",
    "id,text,rating,email,name,product,submitted_at,country",
    "{id},,9999999999999999999999,,,,,",
    "{id},,NaN,,,,,",
    "{id},,1e400,,,,,",
    "{id},,١٢٣٤٥٦٧٨,,,,,",
    "{id},n/a,n/a,n/a,n/a,n/a,n/a,n/a",
)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        print("| file | bytes | seconds | MB above idle | said |\n| --- | ---: | ---: | ---: | --- |")
        idle = rehearsed(written(Path(folder) / "one.csv", b"text\nIt leaks\n"))[1]
        for name, write in FILES.items():
            path = Path(folder) / name
            write(path)
            seconds, peak, told = rehearsed(path)
            print(
                f"| {name} | {path.stat().st_size:,} | {seconds:.1f} | {max(0, peak - idle):,.0f} | {told} |",
                flush=True,
            )


def rehearsed(path: Path) -> tuple[float, float, str]:
    """Seconds, the most memory of the process or a child of it in MB, and the last line it said."""
    kind = {".eml": "email", ".jsonl": "json_file"}.get(path.suffix, "csv_file")
    command = [
        sys.executable,
        str(ROOT / "manage.py"),
        "import_feedback",
        str(path),
        "--channel",
        "hostile",
        "--dry-run",
    ]
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        start = time.monotonic()
        process = subprocess.Popen([*command, "--connector", kind], stdout=out, stderr=err)
        # What it and the children it waited for took, and nobody else's.
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        seconds = time.monotonic() - start
        said_by = out if process.returncode == 0 else err
        said_by.seek(0)
        lines = said_by.read().strip().splitlines()
    peak = used.ru_maxrss / 1024
    told = lines[-1] if lines else f"it ended with {process.returncode}"
    if told.startswith("{"):
        counts = json.loads(told)
        told = ", ".join(f"{name} {counts[name]:,}" for name in ("read", "created", "duplicate", "skipped", "failed"))
    return seconds, peak, told


def written(path: Path, content: bytes) -> Path:
    path.write_bytes(content)
    return path


def utf16(path: Path) -> None:
    lines = io.StringIO()
    writer = csv.writer(lines, delimiter="\t")
    writer.writerow(HEADER)
    writer.writerows(said(100_000))
    path.write_bytes(lines.getvalue().encode("utf-16"))


def bad_rows(path: Path) -> None:
    """A hundred thousand rows, one in a hundred bad, each of twenty kinds fifty times."""
    chance = random.Random(5)
    lines = [",".join(HEADER)]
    for number in range(100_000):
        if number % 100 == 50:
            lines.append(BAD_ROWS[number // 100 % len(BAD_ROWS)].replace("{id}", f"bad-{number}"))
        else:
            lines.append(
                f"good-{number},The lid of box {chance.randrange(10**6)} cracked,3,,,H4,2026-03-04T10:00:00Z,DE"
            )
    path.write_text("\n".join(lines), encoding="utf-8")


def bomb(path: Path) -> None:
    """About a megabyte that unfolds to half a gigabyte of one sheet."""
    make(path, 2)
    with zipfile.ZipFile(path) as book:
        entries = {name: book.read(name) for name in book.namelist()}
    sheet = next(name for name in entries if name.startswith("xl/worksheets/"))
    row = b'<row r="1"><c r="A1" t="inlineStr"><is><t>' + b"A" * 4000 + b"</t></is></c></row>"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as book:
        for name, content in entries.items():
            if name != sheet:
                book.writestr(name, content)
        with book.open(sheet, "w", force_zip64=True) as entry:
            entry.write(b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>')
            for _ in range(125_000):
                entry.write(row)
            entry.write(b"</sheetData></worksheet>")


def many_parts(path: Path) -> None:
    head = b"From: a@example.com\nSubject: parts\nMIME-Version: 1.0\nContent-Type: multipart/mixed; boundary=x\n\n"
    path.write_bytes(head + b"--x\nContent-Type: text/plain\n\nhello\n" * 200_000 + b"--x--\n")


def one_line(path: Path) -> None:
    with path.open("wb") as file:
        file.write(b'{"text": "')
        for _ in range(500):
            file.write(b"a" * 1_000_000)
        file.write(b'"}\n')


def no_quote(path: Path) -> None:
    """Half of the rows open a quote and never close it."""
    path.write_text(
        "id,text\n" + "".join(f'{n},"never closed {n}\n{n}b,fine\n' for n in range(50_000)), encoding="utf-8"
    )


FILES: dict[str, Callable[[Path], object]] = {
    "100000_rows.xlsx": lambda path: make(path, 100_000),
    "bomb.xlsx": bomb,
    "200000_parts.eml": many_parts,
    "utf16.tsv": utf16,
    "bad_rows_of_20_kinds.csv": bad_rows,
    "one_line_of_500_MB.jsonl": one_line,
    "unclosed_quotes.csv": no_quote,
    "a_million_columns.csv": lambda path: written(path, b"a," * 1_000_000 + b"text\n" + b"1," * 1_000_000 + b"x\n"),
}


if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")
    main()
