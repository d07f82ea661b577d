"""Workbooks (XLSX) row by row, taken apart by a process of their own that may use only so much."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Generator
from pathlib import Path
from typing import BinaryIO

from intake.connectors.base import Unreadable

MOST_MEMORY = 512 * 1024 * 1024
MOST_SECONDS = 600
_ZIP = b"PK\x03\x04"
_COMPOUND = bytes.fromhex("d0cf11e0a1b11ae1")
# How often the place in the file is told; a person watches it, nobody counts on it.
_TELLING = 500


def is_workbook(file: BinaryIO) -> bool:
    """Whether the bytes are those of a workbook, whatever the file is called."""
    file.seek(0)
    start = file.read(8)
    file.seek(0)
    return start.startswith(_ZIP) or start == _COMPOUND


def sheet_rows(file: BinaryIO, *, sheet: str = "") -> Generator[tuple[int, list[str]], None, None]:
    """The rows of the first sheet, or of the one named, that hold anything: their number and cells as text, each as wide as
    the first. `Unreadable` for what is no workbook, or one that would harm whoever opens it.

    The file's place moves on with the reading, so that progress can be told by it.
    """
    file.seek(0)
    with tempfile.TemporaryFile() as copy:
        # The child needs a file with a place of its own.
        shutil.copyfileobj(file, copy, 1 << 20)
        size = copy.tell()
        copy.seek(0)
        child = subprocess.Popen(  # noqa: S603 - our own interpreter and module
            [sys.executable, "-m", "intake.connectors.workbook_child", sheet, str(MOST_MEMORY), str(MOST_SECONDS)],
            stdin=copy,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            cwd=Path(__file__).resolve().parents[2],
            env={"PATH": os.environ.get("PATH", ""), "PYTHONIOENCODING": "utf-8", "OPENPYXL_DEFUSEDXML": "True"},
        )
        assert child.stdout is not None
        try:
            for place, line in enumerate(child.stdout):
                said = json.loads(line)
                if isinstance(said, dict):
                    if "refused" in said:
                        raise Unreadable(said["refused"])
                    return
                if place % _TELLING == 0:
                    file.seek(min(size, os.lseek(copy.fileno(), 0, os.SEEK_CUR)))
                yield said[0], said[1]
            child.wait()
            raise Unreadable(
                f"Reading the workbook took more than {MOST_MEMORY >> 20} MB or {MOST_SECONDS} seconds. Save the sheet as CSV"
                " and send that."
            )
        except ValueError:
            raise Unreadable("The workbook broke off while it was read. Save the sheet as CSV and send that.") from None
        finally:
            child.kill()
            child.stdout.close()
            child.wait()
            file.seek(0, os.SEEK_END)
