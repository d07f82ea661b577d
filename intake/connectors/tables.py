"""Tables in files, whatever they are written in: a header, then records with their places, in bounded memory."""

import hashlib
import io
import re
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from itertools import chain
from json.encoder import encode_basestring
from operator import itemgetter
from typing import Any, BinaryIO

from intake.connectors import presets
from intake.connectors.base import BadRow, RawItem, Row, Unreadable
from intake.connectors.columns import Plan, plan_of, says_feedback, told
from intake.connectors.mapped import Origin
from intake.connectors.moments import Unclear, day_first_in, is_slashed
from intake.connectors.presets import GENERIC, Preset, plain
from intake.connectors.workbooks import is_workbook, sheet_rows
from intake.delimited import DELIMITERS, Damage, Record, delimiter_of, names_its_delimiter, records
from intake.encodings import UnknownEncoding, encoding_of
from intake.occurrences import Occurrences

MOST_COLUMNS = 2000
_SAMPLE = 64 * 1024
_AHEAD = 1000
# The columns that a report of ours puts before those of the file.
_REPORT = ["row", "column", "reason"]
# What some spreadsheet runs as a formula: they skip spaces, and East Asian ones read the wide signs too.
FORMULA = re.compile(r"'*(?:[\t\r\n]|\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")


@dataclass(frozen=True)
class Table:
    """A file's columns, what they hold, and the records below them."""

    columns: tuple[str, ...]
    origin: Origin
    plan: Plan
    # The first row as it stands, and the line it stands in.
    header: Record
    records: Iterator[Record | Damage]


@contextmanager
def opened(file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Table, None, None]:
    """The table a file holds. `Unreadable` where it holds none; whether it is feedback is another question."""
    with _records(file, settings) as found:
        yield _table(found, settings)


def rows(file: BinaryIO, *, settings: Mapping[str, Any]) -> Generator[Row | BadRow, None, None]:
    """The rows of a table of feedback as raw items, each an object of texts by column."""
    with opened(file, settings=settings) as table:
        check(table)
        with closing(Occurrences()) as before:
            is_empty = True
            for row in _rows(table, settings, before):
                is_empty = False
                yield row
        if is_empty:
            raise Unreadable(f"The file has a header in line {table.header.line} and no row below it.")


def check(table: Table) -> None:
    """Raise `Unreadable` for a table that holds no feedback."""
    if table.origin.preset.refusal:
        raise Unreadable(table.origin.preset.refusal)
    if not table.plan.is_feedback:
        raise Unreadable(
            f"None of the columns is known to hold a text, a title or a rating. They are: {', '.join(table.columns)[:500]}."
            ' Say what they hold on the page of the import, or in the settings of the channel, as in {"columns": {"What happened?": "text"}}.'
        )


@contextmanager
def _records(file: BinaryIO, settings: Mapping[str, Any]) -> Generator[Iterator[Record | Damage], None, None]:
    if is_workbook(file):
        with closing(sheet_rows(file, sheet=str(settings.get("sheet") or ""))) as cells:
            yield (Record(number, number, fields) for number, fields in cells)
        return
    text = io.TextIOWrapper(file, encoding=_encoding(file, settings), errors="replace", newline="")
    try:
        sample = text.read(_SAMPLE)
        delimiter = settings.get("delimiter") or delimiter_of(sample)
        if delimiter not in DELIMITERS:
            raise Unreadable(
                "Fields can be separated by a comma, a semicolon, a tab or a bar. Correct the settings of the channel."
            )
        text.seek(0)
        head = [[cell.strip('"') for cell in line.split(delimiter)] for line in sample.splitlines()[:2]]
        yield records(text, delimiter=delimiter, quoted=not (head and _preset(head, settings).is_unquoted))
    finally:
        text.detach()


def _encoding(file: BinaryIO, settings: Mapping[str, Any]) -> str:
    named = str(settings.get("encoding") or "")
    try:
        if named:
            "".encode(named)
            return named
        return encoding_of(file)
    except LookupError:
        raise Unreadable(f'There is no encoding "{named}". Correct the settings of the channel.') from None
    except UnknownEncoding as reason:
        raise Unreadable(str(reason)) from None


def _preset(head: Sequence[Sequence[str]], settings: Mapping[str, Any]) -> Preset:
    chosen = str(settings.get("preset") or "")
    if not chosen:
        return presets.of(head)
    if chosen not in presets.known():
        known = ", ".join(presets.known())
        raise Unreadable(f'There is no kind of export "{chosen[:60]}". Use one of these: {known}.')
    return presets.named(chosen)


def _table(found: Iterator[Record | Damage], settings: Mapping[str, Any]) -> Table:
    header = _header(found)
    if header.fields[: len(_REPORT)] == _REPORT:
        header = _corrected(header)
        found = (record if isinstance(record, Damage) else _corrected(record) for record in found)
    head = [header]
    waiting: list[Record | Damage] = []
    while len(head) + len(waiting) < presets.MOST_HEADER_ROWS and (record := next(found, None)) is not None:
        if isinstance(record, Damage) or waiting:
            waiting.append(record)
        else:
            head.append(record)
    cells = [record.fields for record in head]
    preset = _preset(cells, settings)
    heading = presets.Heading(header.fields)
    if preset.headed is not None and len(head) >= preset.header_rows:
        heading = preset.headed(cells)
    columns = tuple(_columns(heading.columns))
    mapping = told(settings)
    if preset.refusal and says_feedback(columns, mapping):
        preset = GENERIC
    plan = plan_of(columns, mapping, preset)
    rest = chain(head[preset.header_rows :], waiting, found)
    day_first, below = _days(rest, [columns.index(column) for column in plan.columns.get("submitted_at", ())])
    return Table(columns, Origin(preset, heading.zone, day_first), plan, header, below)


def _days(below: Iterator[Record | Damage], places: Sequence[int]) -> tuple[bool | None, Iterator[Record | Damage]]:
    """Whether 3/10/2026 is in October, told by the dates below it; only a file that begins so is read ahead."""
    ahead: list[Record | Damage] = []
    dates: list[str] = []
    for record in below:
        ahead.append(record)
        if isinstance(record, Record):
            cells = [record.fields[place] for place in places if place < len(record.fields)]
            dates += [cell for cell in cells if is_slashed(cell)]
        if not dates or len(ahead) >= _AHEAD:
            break
    return day_first_in(dates), chain(ahead, below)


def _corrected(record: Record) -> Record:
    """A row of a report that came back: without what we said of it, and as it stood before we guarded it."""
    fields = [cell[1:] if cell[:1] == "'" and FORMULA.match(cell[1:]) else cell for cell in record.fields]
    return record._replace(fields=fields[len(_REPORT) :])


def _header(found: Iterator[Record | Damage]) -> Record:
    first = next(found, None)
    if isinstance(first, Record) and names_its_delimiter(first):
        first = next(found, None)
    if first is None:
        raise Unreadable("The file is empty.")
    if isinstance(first, Damage):
        raise Unreadable(f"The header in line {first.line} cannot be read. {first.reason}")
    if len(first.fields) > MOST_COLUMNS:
        raise Unreadable(
            f"The header in line {first.line} has {len(first.fields):,} columns; {MOST_COLUMNS:,} are the most."
        )
    return first


def _columns(header: Sequence[str]) -> list[str]:
    """A name for each column: those without one are called by their place, repeated ones are counted."""
    names: dict[str, int] = {}
    for place, cell in enumerate(header, start=1):
        name = cell.strip()[:200] or f"Column {place}"
        times = 1
        while (name if times == 1 else f"{name} ({times})") in names:
            times += 1
        names[name if times == 1 else f"{name} ({times})"] = place
    return list(names)


def _rows(table: Table, settings: Mapping[str, Any], before: Occurrences) -> Iterator[Row | BadRow]:
    columns, preset, width = table.columns, table.origin.preset, len(table.columns)
    header = table.header.fields
    kind = table.origin.content_type
    # Sorted, so that a file with its columns in another order is still the same feedback.
    in_order = _writer(sorted(range(width), key=columns.__getitem__), columns)
    # A survey's questions keep the order in which they were asked; the id is still taken from the sorted cells.
    written = in_order if preset is GENERIC else _writer(range(width), columns)
    ids = table.plan.columns.get("external_id", ())
    places = [columns.index(column) for column in ids]
    version = _version_of(table, settings)
    by_name = {plain(column): place for place, column in reversed(list(enumerate(columns)))}
    has_foot = any(not skip.columns for skip in preset.skips)
    for record in table.records:
        if isinstance(record, Damage):
            yield _damaged(record, columns)
            continue
        fields = record.fields
        if len(fields) != width:
            while len(fields) > width and not fields[-1].strip():
                fields.pop()
            if len(fields) < width and has_foot and _is_foot(fields, preset):
                fields += [""] * (width - len(fields))
            if len(fields) != width:
                yield _of_other_width(record, columns)
                continue
        cells = dict(zip(columns, fields, strict=True))
        if fields == header:
            yield BadRow(record.row, "It repeats the header.", cells=cells)
            continue
        payload = written(fields)
        own = ""
        if preset.identify is not None:
            own = preset.identify({name: fields[place] for name, place in by_name.items()})
        else:
            for place in places:
                own = fields[place].strip()
                if own:
                    break
        if not own:
            digest = hashlib.sha256(payload if written is in_order else in_order(fields))
            own = f"row:{digest.hexdigest()}:{before.count(digest.digest())}"
        yield Row(record.row, RawItem(own, payload, kind, updated_at=version(fields) if version else None), cells)


def _writer(order: Sequence[int], columns: Sequence[str]) -> Callable[[Sequence[str]], bytes]:
    """Writes a record as the JSON object that `json.dumps` would make of it, which is what a row's id was always taken
    from; made once a file, for a million rows come through it."""
    members = [f"{encode_basestring(columns[place])}: %s".replace("%", "%%")[:-3] + "%s" for place in order]
    template = "{" + ", ".join(members) + "}"
    if len(order) == 1:
        (only,) = order
        return lambda fields: (template % encode_basestring(fields[only])).encode("utf-8", "replace")
    chosen = itemgetter(*order)
    return lambda fields: (template % tuple(map(encode_basestring, chosen(fields)))).encode("utf-8", "replace")


def _version_of(table: Table, settings: Mapping[str, Any]) -> Callable[[Sequence[str]], Any] | None:
    """Reads the source's own time of a row, where it has one; a time that cannot be read makes no version."""
    places = [table.columns.index(column) for column in table.plan.columns.get("updated_at", ())]
    if not places:
        return None

    def version(fields: Sequence[str]) -> Any:
        for place in places:
            if fields[place].strip():
                try:
                    return table.origin.moment(fields[place], settings=settings)
                except Unclear:
                    continue
        return None

    return version


def _is_foot(fields: Sequence[str], preset: Preset) -> bool:
    return not any(cell.strip() for cell in fields[1:]) and any(
        not skip.columns and skip.pattern.match(fields[0].strip()) for skip in preset.skips
    )


def _damaged(record: Damage, columns: Sequence[str]) -> BadRow:
    place = record.field
    return BadRow(record.row, record.reason, columns[place] if place is not None and place < len(columns) else "")


def _of_other_width(record: Record, columns: Sequence[str]) -> BadRow:
    beyond = {f"Beyond {place}": cell for place, cell in enumerate(record.fields[len(columns) :], start=1)}
    return BadRow(
        record.row,
        f"It has {len(record.fields):,} fields, and the header names {len(columns):,}. Quote texts that hold the separator.",
        cells=dict(zip(columns, record.fields, strict=False)) | beyond,
    )
