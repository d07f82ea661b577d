"""Delimited text taken apart (RFC 4180): record by record, each with its place, and damage told rather than spread."""

import csv
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple, TextIO

DELIMITERS = (",", ";", "\t", "|")
LONGEST_FIELD = 131_072  # what the csv module allows; its setting is global, so it is left alone
LONGEST_RECORD = 2_000_000
_SNIFFED = 50
# How much is read again, all in all, after quotes that were not closed; a file made of nothing else would take for ever.
_MOST_AGAIN = 32_000_000


class Record(NamedTuple):
    """`row` is the place as a person counts in a spreadsheet, `line` the line of the file it begins in."""

    row: int
    line: int
    fields: list[str]


@dataclass(frozen=True)
class Damage:
    row: int
    line: int
    reason: str
    # The place of the field, counted from 0, where it can be told.
    field: int | None = None


def records(file: TextIO, *, delimiter: str, quoted: bool = True) -> Iterator[Record | Damage]:
    """The records of `file`, which was opened with newline="". Blank lines are passed over but counted. Unless it is
    `quoted`, a quotation mark is a character like any other.

    A quote that is never closed would swallow all that follows: only the line it stands in is damaged, and reading goes
    on with the next. Memory and work are bounded by `LONGEST_RECORD`.
    """
    lines = _Lines(file)
    reader = _reader(lines, delimiter, quoted)
    row = 0
    while True:
        lines.begin()
        try:
            fields = next(reader)
        except StopIteration:
            return
        except (csv.Error, _TooLong) as error:
            row += 1
            yield _damage(error, row, lines, delimiter, passed_over=not lines.go_back_to_the_second())
            reader = _reader(lines, delimiter, quoted)
            continue
        row += 1
        if lines.holds_nul:
            places = [place for place, text in enumerate(fields) if "\x00" in text]
            yield Damage(
                row, lines.first, "It holds a NUL character, which no text has.", places[0] if places else None
            )
        elif fields:
            yield Record(row, lines.first, fields)


def delimiter_of(sample: str) -> str:
    """What separates the fields, told by the beginning of a file: whatever cuts its lines into the most equal parts."""
    if sample[:4].lower() == "sep=" and sample[4:5] in DELIMITERS:
        return sample[4]
    return max(DELIMITERS, key=lambda delimiter: _evenness(sample, delimiter))


def names_its_delimiter(first: Record) -> bool:
    """Whether the first record is no header but Excel's `sep=;`."""
    return first.fields[0].lower().startswith("sep=") and len("".join(first.fields)) <= len("sep=,")


def _evenness(sample: str, delimiter: str) -> tuple[float, int]:
    rows = []
    try:
        for fields in csv.reader(sample.splitlines(keepends=True), delimiter=delimiter):
            if fields:
                rows.append(len(fields))
            if len(rows) == _SNIFFED:
                break
        else:
            # The sample may end in the middle of its last record.
            rows = rows[:-1] or rows
    except csv.Error:
        pass
    if not rows or rows[0] == 1:
        return (0.0, 0)
    return (sum(width == rows[0] for width in rows) / len(rows), rows[0])


def _reader(lines: "_Lines", delimiter: str, quoted: bool) -> Iterator[list[str]]:
    return csv.reader(lines, delimiter=delimiter, strict=True, quoting=csv.QUOTE_MINIMAL if quoted else csv.QUOTE_NONE)


class _TooLong(Exception):
    """One record is longer than anybody writes."""


class _Lines:
    """The lines of a file, of which those of the current record can be given again."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._again: deque[str] = deque()
        self._taken: list[str] = []
        self._size = 0
        self._left = _MOST_AGAIN
        self.number = 0

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        line = self._again.popleft() if self._again else self._file.readline(LONGEST_RECORD)
        if not line:
            raise StopIteration
        self.number += 1
        self._taken.append(line)
        self._size += len(line)
        if self._size >= LONGEST_RECORD:
            self._skip_the_rest_of(line)
            raise _TooLong
        if "\x00" in line:
            self.holds_nul = True
        return line

    def begin(self) -> None:
        self._taken, self._size, self.holds_nul = [], 0, False
        self.first = self.number + 1

    @property
    def taken(self) -> list[str]:
        return self._taken

    def go_back_to_the_second(self) -> bool:
        """Give the current record's lines again but the first; False when too much was read twice already."""
        self._left -= self._size
        if self._left < 0:
            return False
        self._again.extendleft(reversed(self._taken[1:]))
        self.number = self.first
        return True

    def _skip_the_rest_of(self, line: str) -> None:
        if line.endswith(("\n", "\r")):
            return
        # Given again, it is too long again, and ends where it ends now.
        self._taken[-1] = line + "\n"
        while line and not line.endswith(("\n", "\r")):
            line = self._file.readline(LONGEST_RECORD)


def _damage(error: Exception, row: int, lines: _Lines, delimiter: str, *, passed_over: bool) -> Damage:
    first, line = lines.taken[0], lines.first
    if len(lines.taken) > 1 or "unexpected end" in str(error):
        reason = f"A quote opens in line {line} and is not closed."
        if passed_over:
            reason = (
                f"Quotes are not closed in so many places that lines {line} to {lines.number} cannot be told apart."
            )
        return Damage(row, line, reason, _last_field(first, delimiter))
    if isinstance(error, _TooLong):
        return Damage(row, line, f"It is longer than {LONGEST_RECORD:,} characters.")
    if "field larger" in str(error):
        reason = f"A field is longer than {LONGEST_FIELD:,} characters."
        return Damage(row, line, reason, _last_field(first, delimiter))
    reason = 'A quote stands inside a quoted field. Write it twice, as in "the ""best"" one", or leave it out.'
    return Damage(row, line, reason)


def _last_field(line: str, delimiter: str) -> int:
    """The place of the field that the line ends in, or reaches where a field must end."""
    return len(next(csv.reader([line[:LONGEST_FIELD]], delimiter=delimiter), [""])) - 1
