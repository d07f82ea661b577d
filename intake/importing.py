"""Files of feedback, taken in row by row: what is good is stored as if it had come alone, what is not is told by its place."""

import csv
import os
import secrets
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Self, TextIO

import structlog
from django.conf import settings
from django.core.exceptions import ValidationError

from feedback_portal.refusals import BadInput
from intake import normalizing, receiving
from intake.connectors import connectors
from intake.connectors.base import BadRow, FileConnector, Ignored, RawItem, Row, Unreadable
from intake.models import Channel, Submission
from intake.occurrences import Occurrences

log = structlog.get_logger("portal.importing")

# Rows that are stored in one transaction; fewer when they are long.
CHUNK = 500
_MOST_BYTES = 8_000_000
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True)
class Notice:
    """What a person should know of one row: why it was passed over, or what was left out of it."""

    row: int
    column: str
    reason: str
    cells: Mapping[str, str]


@dataclass(frozen=True)
class Report:
    """What came of a file; created + duplicate + skipped + failed is read.

    `updated` stays 0: the first row of an id stands, and another one under the same id is kept beside it for staff to see.
    `errors_file` lists the rows that were skipped, that failed, or of which something was left out.
    """

    read: int = 0
    created: int = 0
    updated: int = 0
    duplicate: int = 0
    skipped: int = 0
    failed: int = 0
    errors_file: str | None = None


class FileRefused(BadInput):
    code = "file-refused"
    title = "This file cannot be imported"


def import_file(
    channel: Channel,
    path: Path,
    *,
    at: datetime,
    dry_run: bool = False,
    progress: Callable[[int], None] | None = None,
    notice: Callable[[Notice], None] | None = None,
) -> Report:
    """Take the rows of a file in through a channel. The same file again creates nothing, so a broken import is repeated.

    A channel not yet saved is saved with the first row. A dry run counts the same and writes nothing at all. `progress` is told how many rows
    were read after each chunk, `notice` what the errors file holds.
    """
    connector = _file_connector(channel)
    if not channel.is_enabled:
        raise receiving.ChannelClosed(
            f'The channel "{channel.slug}" is switched off. Ask an administrator to switch it on.'
        )
    errors = _ErrorsFile(_errors_path(channel, at), notice, writes=not dry_run)
    store = _Rehearsal(channel) if dry_run else _Storage(channel, at)
    try:
        with (
            errors,
            store,
            path.open("rb") as file,
            closing(connector.rows(file, settings=channel.settings)) as rows,
        ):
            counts = _take(channel, rows, store, errors, progress or (lambda read: None))
    except OSError as error:
        raise FileRefused(f"{path} cannot be read: {error.strerror or error}. Name a file that can be read.") from None
    except Unreadable as reason:
        raise FileRefused(str(reason)) from None
    return Report(**counts, errors_file=errors.written_to)


def channel_for(slug: str, *, kind: str = "", path: Path) -> Channel:
    """The channel a file comes through; where there is none, a new one of that kind, not yet saved."""
    known = Channel.objects.filter(slug=slug).first()
    if known is not None:
        if kind and kind != known.kind:
            raise FileRefused(
                f'The channel "{slug}" is of kind {known.kind}, not {kind}. Leave the kind out, or name another channel.'
            )
        return known
    if not kind:
        fitting = connector_for(path)
        hint = f"Add --connector {fitting.slug} to create it" if fitting else f"Name the kind of file: {_kinds()}"
        raise FileRefused(f'There is no channel "{slug}". {hint}, or name another one.')
    made = Channel(slug=slug, name=slug.replace("-", " ").replace("_", " ").capitalize(), kind=kind)
    _file_connector(made)
    try:
        made.full_clean()
    except ValidationError as error:
        raise FileRefused(f'"{slug}" cannot be the slug of a channel: {" ".join(error.messages)}') from None
    return made


def connector_for(path: Path) -> FileConnector | None:
    """The kind of file that the ending of a name tells."""
    ending = path.suffix.lower()
    return next((each for each in _file_connectors() if ending in each.extensions), None)


def _file_connectors() -> list[FileConnector]:
    return [each for each in connectors.all() if isinstance(each, FileConnector)]


def _kinds() -> str:
    return ", ".join(each.slug for each in _file_connectors())


def _file_connector(channel: Channel) -> FileConnector:
    found = next((each for each in _file_connectors() if each.slug == channel.kind), None)
    if found is None:
        raise FileRefused(f'The kind "{channel.kind}" takes no files. Use a channel of one of these kinds: {_kinds()}.')
    return found


def _errors_path(channel: Channel, at: datetime) -> Path:
    return Path(settings.STATE_DIR) / "imports" / f"{channel.slug}-{at:%Y%m%dT%H%M%S}-{secrets.token_hex(4)}.csv"


def _take(
    channel: Channel,
    rows: Iterator[Row | BadRow],
    store: "_Storage | _Rehearsal",
    errors: "_ErrorsFile",
    progress: Callable[[int], None],
) -> Counter[str]:
    counts: Counter[str] = Counter()
    waiting: list[RawItem] = []
    size = 0
    for row in rows:
        counts["read"] += 1
        verdict = _judge(channel, row, errors)
        if verdict:
            counts[verdict] += 1
        elif isinstance(row, Row):
            waiting.append(row.raw)
            size += len(row.raw.payload)
        if len(waiting) == CHUNK or size > _MOST_BYTES:
            counts += store.add(waiting)
            waiting, size = [], 0
        if counts["read"] % CHUNK == 0:
            progress(counts["read"])
    if waiting:
        counts += store.add(waiting)
    progress(counts["read"])
    return counts


def _judge(channel: Channel, row: Row | BadRow, errors: "_ErrorsFile") -> str:
    """Empty when the row can be stored. It is read now so that its sender hears of it, not only who looks at parked work."""
    if isinstance(row, BadRow):
        errors.add(Notice(row.number, row.column, row.reason, row.cells))
        return "failed"
    try:
        draft = normalizing.read(_unsaved(channel, row.raw))
    except Ignored as reason:
        errors.add(Notice(row.number, "", str(reason), _cells(row)))
        return "skipped"
    except Unreadable as reason:
        errors.add(Notice(row.number, reason.place, str(reason), _cells(row)))
        return "failed"
    except Exception as error:  # a connector is a plugin: what breaks in it costs its row, not the file
        log.warning("connector failed", connector=channel.kind, row=row.number, exc_info=error)
        errors.add(Notice(row.number, "", f"The connector failed on it ({type(error).__name__}).", _cells(row)))
        return "failed"
    for remark in draft.remarks:
        errors.add(Notice(row.number, remark.place, f"{remark.reason} It was left out.", _cells(row)))
    return ""


def _unsaved(channel: Channel, raw: RawItem) -> Submission:
    return Submission(
        channel=channel,
        external_id=raw.external_id,
        payload=raw.payload,
        content_type=raw.content_type,
        headers=dict(raw.headers),
    )


def _cells(row: Row) -> Mapping[str, str]:
    return row.cells or {"original": row.raw.payload.decode("utf-8", "replace")}


class _Storage:
    """Stores chunks of rows, each in one transaction."""

    def __init__(self, channel: Channel, at: datetime) -> None:
        self._channel, self._at = channel, at

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *broken: object) -> None:
        pass

    def add(self, raws: Sequence[RawItem]) -> Counter[str]:
        if self._channel._state.adding:
            self._channel.save()  # now that the file turned out to be one
        received = receiving.receive_many(self._channel, raws, at=self._at)
        return Counter("created" if each.is_new else "duplicate" for each in received)


class _Rehearsal:
    """Tells what storing would do, and writes nothing."""

    def __init__(self, channel: Channel) -> None:
        self._channel, self._seen = channel, Occurrences()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *broken: object) -> None:
        self._seen.close()

    def add(self, raws: Sequence[RawItem]) -> Counter[str]:
        known = receiving.arrived_before(self._channel, [raw.external_id for raw in raws])
        return Counter(
            "created"
            if self._seen.count(raw.external_id.encode()) == 1 and raw.external_id not in known
            else "duplicate"
            for raw in raws
        )


class _ErrorsFile:
    """The rows with something to tell, as a spreadsheet opens them; made when the first of them is met."""

    def __init__(self, path: Path, notice: Callable[[Notice], None] | None, *, writes: bool) -> None:
        self._path, self._notice, self._writes = path, notice, writes
        self._file: TextIO | None = None
        self._columns: list[str] = []

    @property
    def written_to(self) -> str | None:
        return str(self._path) if self._file is not None else None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *broken: object) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, notice: Notice) -> None:
        if self._notice is not None:
            self._notice(notice)
        if not self._writes:
            return
        if self._file is None:
            self._columns = list(notice.cells)
            self._file = self._opened()
            self._write(["row", "column", "reason", *self._columns])
        cells = dict(notice.cells)
        known = [cells.pop(column, "") for column in self._columns]
        # A row of another shape, such as one with too many cells, keeps what no column is for at its end.
        self._write([str(notice.row), notice.column, notice.reason, *known, *cells.values()])

    def _opened(self) -> TextIO:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        # Customers wrote it, so only the portal's own account reads it; the mark tells spreadsheets that it is UTF-8.
        return open(
            self._path,
            "x",
            encoding="utf-8-sig",
            errors="replace",
            newline="",
            opener=lambda name, flags: os.open(name, flags, 0o600),
        )

    def _write(self, cells: Sequence[str]) -> None:
        assert self._file is not None
        csv.writer(self._file).writerow([_guarded(cell) for cell in cells])


def _guarded(cell: str) -> str:
    """A cell that a spreadsheet would run as a formula is opened as text."""
    return f"'{cell}" if cell.startswith(_FORMULA) else cell
