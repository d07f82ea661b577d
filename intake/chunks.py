"""A file cut into chunks of rows that were already read: what can be stored, what cannot and why, counted row by row."""

import threading
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from itertools import islice
from queue import Full, Queue
from typing import BinaryIO

import structlog

from intake import normalizing
from intake.connectors.base import BadRow, Draft, FileConnector, Ignored, RawItem, Row, Unreadable
from intake.models import Channel, ImportNotice

log = structlog.get_logger("portal.importing")

# Rows that are stored in one transaction; fewer when they are long.
CHUNK = 2000
_MOST_BYTES = 8_000_000
# Chunks that are read while one is being stored.
_AHEAD = 2


@dataclass(frozen=True)
class Notice:
    """What a person should know of one row: why it was passed over, or what was left out of it."""

    row: int
    column: str
    reason: str
    cells: Mapping[str, str]
    kind: str = ImportNotice.Kind.FAILED


@dataclass
class Chunk:
    """Some rows on: `good` can be stored, `notices` tell of the others, `counts` of all of them; `ends_at` is a byte of the file."""

    good: list[tuple[RawItem, Draft]] = field(default_factory=list)
    notices: list[Notice] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)
    ends_at: int = 0
    size: int = 0

    @property
    def is_full(self) -> bool:
        return self.counts["read"] >= CHUNK or self.size > _MOST_BYTES


def chunks(channel: Channel, connector: FileConnector, file: BinaryIO, *, skip: int = 0) -> Iterator[Chunk]:
    """The file's chunks from its row `skip` on, the rows before it being in already. Raises `Unreadable` where the file as a
    whole cannot be read. The last chunk may be empty."""
    with closing(connector.rows(file, settings=channel.settings)) as rows:
        chunk = Chunk()
        for row in islice(rows, skip, None):
            _judge(channel, row, chunk)
            if chunk.is_full:
                chunk.ends_at = file.tell()
                yield chunk
                chunk = Chunk()
        chunk.ends_at = file.tell()
        yield chunk


@contextmanager
def read_ahead(source: Iterator[Chunk]) -> Iterator[Iterator[Chunk]]:
    """The same chunks, read by a thread of their own while others are stored: reading waits for no database."""
    ready: Queue[Chunk | BaseException | None] = Queue(_AHEAD)
    stopped = threading.Event()

    def hand(each: Chunk | BaseException | None) -> None:
        while not stopped.is_set():
            try:
                ready.put(each, timeout=0.2)
            except Full:
                continue
            return

    def work() -> None:
        try:
            for chunk in source:
                hand(chunk)
                if stopped.is_set():
                    break
            hand(None)
        except BaseException as error:  # it is raised again where it can be answered
            hand(error)
        finally:
            getattr(source, "close", lambda: None)()

    def taken() -> Iterator[Chunk]:
        while (each := ready.get()) is not None:
            if isinstance(each, BaseException):
                raise each
            yield each

    thread = threading.Thread(target=work, name="reading", daemon=True)
    thread.start()
    try:
        yield taken()
    finally:
        stopped.set()
        thread.join()


def _judge(channel: Channel, row: Row | BadRow, chunk: Chunk) -> None:
    """Every row is read now, so that whoever sent the file hears of it, not only who looks at parked work."""
    chunk.counts["read"] += 1
    if isinstance(row, BadRow):
        chunk.counts["failed"] += 1
        chunk.notices.append(Notice(row.number, row.column, row.reason, row.cells))
        return
    if row.raw.is_gone:
        chunk.good.append((row.raw, Draft()))  # nothing in it is read: what it names is erased
        return
    try:
        draft = normalizing.read_raw(channel, row.raw)
    except Ignored as reason:
        chunk.counts["skipped"] += 1
        chunk.notices.append(Notice(row.number, "", str(reason), _cells(row), ImportNotice.Kind.SKIPPED))
    except Unreadable as reason:
        chunk.counts["failed"] += 1
        chunk.notices.append(Notice(row.number, reason.place, str(reason), _cells(row)))
    except Exception as error:  # a connector is a plugin: what breaks in it costs its row, not the file
        log.warning("connector failed", connector=channel.kind, row=row.number, exc_info=error)
        chunk.counts["failed"] += 1
        reason_ = f"The connector failed on it ({type(error).__name__})."
        chunk.notices.append(Notice(row.number, "", reason_, _cells(row)))
    else:
        chunk.good.append((row.raw, draft))
        chunk.size += len(row.raw.payload)
        for remark in draft.remarks:
            chunk.notices.append(
                Notice(
                    row.number,
                    remark.place,
                    f"{remark.reason} It was left out.",
                    _cells(row),
                    ImportNotice.Kind.LEFT_OUT,
                )
            )


def _cells(row: Row) -> Mapping[str, str]:
    return row.cells or {"original": row.raw.payload.decode("utf-8", "replace")}
