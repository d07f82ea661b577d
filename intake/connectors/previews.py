"""What a file would be read as, before any of it is taken in: for the page where a person says what its columns hold."""

from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from typing import Any, BinaryIO

from intake.connectors import presets, tables
from intake.connectors.base import BadRow, Ignored, Row, Unreadable
from intake.connectors.columns import told
from intake.connectors.json_file import JsonFile, plan_for
from intake.connectors.mapped import draft_of
from intake.connectors.presets import GENERIC
from intake.connectors.workbooks import is_workbook
from intake.delimited import Damage

SHOWN = 20
_MOST_PROBLEMS = 5


@dataclass(frozen=True)
class Preview:
    """The columns of a file, what each is taken to hold (see `columns.FIELDS`), its first rows, and what stands in the way.

    `problems` are whole sentences. Without columns the file as a whole cannot be read, and they say why.
    """

    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
    mapping: Mapping[str, str] = field(default_factory=dict)
    preset: str = GENERIC.slug
    problems: tuple[str, ...] = ()

    @property
    def notes(self) -> str:
        """What is odd about exports of this kind."""
        return presets.named(self.preset).notes


def preview(file: BinaryIO, settings: Mapping[str, Any]) -> Preview:
    """The beginning of a table or of a file of objects, as the settings of its channel have it read. Raises nothing."""
    try:
        return _of_objects(file, settings) if _is_json(file) else _of_table(file, settings)
    except Unreadable as reason:
        return Preview(problems=(str(reason),))
    finally:
        file.seek(0)


def _is_json(file: BinaryIO) -> bool:
    if is_workbook(file):
        return False
    file.seek(0)
    start = file.read(4096).lstrip(b"\xef\xbb\xbf\xff\xfe\x00 \t\r\n")
    file.seek(0)
    return start.startswith((b"{", b"["))


def _of_table(file: BinaryIO, settings: Mapping[str, Any]) -> Preview:
    with tables.opened(file, settings=settings) as table:
        width = len(table.columns)
        rows = []
        for record in islice(table.records, SHOWN):
            if not isinstance(record, Damage):
                rows.append((*record.fields[:width], *[""] * (width - len(record.fields))))
        mapping = {column: table.plan.by_column.get(column, "context") for column in table.columns}
        slug = table.origin.preset.slug
    file.seek(0)
    try:
        with closing(tables.rows(file, settings=settings)) as found:
            problems = _without_words(mapping) + _problems(list(islice(found, SHOWN)), settings)
    except Unreadable as reason:
        problems = (str(reason),)
    return Preview(table.columns, tuple(rows), mapping, slug, problems)


def _of_objects(file: BinaryIO, settings: Mapping[str, Any]) -> Preview:
    mapping = told(settings)
    with closing(JsonFile().objects(file, settings=settings)) as found:
        first = list(islice(found, SHOWN))
    try:
        with closing(JsonFile().rows(file, settings=settings)) as found:
            problems = _problems(list(islice(found, SHOWN)), settings)
    except Unreadable as reason:
        problems = (str(reason),)
    whole = [row for row in first if isinstance(row, Row)]
    columns = tuple(dict.fromkeys(name for row in whole for name in row.cells))
    preset, plan = plan_for(columns, mapping, str(settings.get("preset") or ""))
    holds = {name: plan.by_column.get(name, "context") for name in columns}
    rows = tuple(tuple(row.cells.get(name, "") for name in columns) for row in whole)
    return Preview(columns, rows, holds, preset.slug, _without_words(holds) + problems if columns else problems)


def _without_words(mapping: Mapping[str, str]) -> tuple[str, ...]:
    """A file of ratings alone is right, and one whose words lie unseen in a detail is a loss: a person has to look."""
    if {"text", "title"} & set(mapping.values()):
        return ()
    return (
        "No column is said to hold what people wrote, so only ratings count as feedback. If one does, choose it below.",
    )


def _problems(rows: list[Row | BadRow], settings: Mapping[str, Any]) -> tuple[str, ...]:
    """What reading the first rows comes to, each sentence once."""
    said: dict[str, None] = {}
    for row in rows:
        if isinstance(row, BadRow):
            said[f"Row {row.number}: {row.reason}"] = None
            continue
        try:
            draft = draft_of(row.raw, settings=settings)
        except Ignored:
            continue
        except Unreadable as reason:
            said[f"Row {row.number}: {reason}"] = None
            continue
        for remark in draft.remarks:
            said[f"Row {row.number}, {remark.place}: {remark.reason}"] = None
    return tuple(said)[:_MOST_PROBLEMS]
