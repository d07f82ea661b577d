"""Items as a CSV file: the database writes the lines (COPY) and they pass through as they come, so memory stays flat."""

import os
import threading
from collections.abc import Iterator
from itertools import chain
from typing import Final

import structlog
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext

from feedback_portal.refusals import TooMany
from intake.models import FeedbackItem

CHUNK: Final = 64 * 1024
# A cell that begins so is a formula to a spreadsheet.
FORMULA_STARTS: Final = r"=+-@\t\r\n"
FORMULA: Final = rf"^[{FORMULA_STARTS}]".replace("-", r"\-")

# Each holds a connection of its own.
_AT_ONCE = threading.BoundedSemaphore(4)

log = structlog.get_logger("portal.kpis")


def _moment(column: str) -> str:
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')"""


def _plain(column: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    is_formula = f"{column} <> '' AND strpos(E'{FORMULA_STARTS}', left({column}, 1)) > 0"
    return f"CASE WHEN {is_formula} THEN '''' || {column} ELSE {column} END"


COLUMNS: Final = {
    "reference": "'F-' || (ticket.id + 20000)",
    "received": _moment("item.received_at"),
    "submitted": _moment("item.submitted_at"),
    "channel": "channel.slug",
    "product": _plain("item.product"),
    "product_version": _plain("item.product_version"),
    "language": "coalesce(analysis.language, item.declared_language)",
    "sentiment": "analysis.sentiment",
    "rating_scale": "item.rating_scale",
    "rating": "item.rating_value",
    "team": "team.slug",
    "stage": "stage.slug",
    "status": "ticket.status",
    "resolution": "ticket.resolution",
    "title": _plain("item.title"),
    "text": _plain("item.text"),
}
"""What a line tells, by the name of its column; nothing about who said it."""

_OF_ITEM: Final = (
    "submission_id", "channel_id", "received_at", "submitted_at", "product", "product_version", "declared_language", "rating_scale",
    "rating_value", "title", "text",
)  # fmt: skip

# One look at the ticket for all that is told of it, where the ORM would look once for each column.
_LINES = """
SELECT {columns} FROM ({items}) AS item ({names})
JOIN intake_channel AS channel ON channel.id = item.channel_id
LEFT JOIN triage_analysis AS analysis ON analysis.item_id = item.submission_id
LEFT JOIN LATERAL (
    SELECT id, team_id, stage_id, status, resolution FROM triage_ticket WHERE item_id = item.submission_id ORDER BY id LIMIT 1
) AS ticket ON true
LEFT JOIN accounts_team AS team ON team.id = ticket.team_id
LEFT JOIN accounts_stage AS stage ON stage.id = ticket.stage_id
"""


def lines(items: QuerySet[FeedbackItem]) -> Iterator[bytes]:
    """The items as CSV in UTF-8 with a header, in pieces. The query is the caller's, so their rights and filters are in it."""
    sql, parameters = items.order_by().values_list(*_OF_ITEM).query.sql_with_params()
    statement = _LINES.format(columns=", ".join(COLUMNS.values()), items=sql, names=", ".join(_OF_ITEM))
    header = (",".join(COLUMNS) + "\r\n").encode()
    pieces = _copied(statement, tuple(parameters), header)
    # The first piece is asked for at once, so that a refusal is an answer and not a broken file.
    return chain([next(pieces)], pieces)


def _copied(sql: str, parameters: tuple[object, ...], header: bytes) -> Iterator[bytes]:
    """COPY writes into one end of a pipe from a thread with a connection of its own, and the other end is read here."""
    if not _AT_ONCE.acquire(blocking=False):
        raise TooMany(gettext("Several files are being written already. Try again in a minute."), retry_after=60)
    source, sink = os.pipe()
    writer = threading.Thread(target=_write, args=(sql, parameters, sink), daemon=True)
    writer.start()
    try:
        yield b"\xef\xbb\xbf" + header
        with os.fdopen(source, "rb", buffering=0) as readable:
            while piece := readable.read(CHUNK):
                yield piece
    finally:
        writer.join(timeout=10)
        _AT_ONCE.release()


def _write(sql: str, parameters: tuple[object, ...], sink: int) -> None:
    try:
        with os.fdopen(sink, "wb", buffering=CHUNK) as writable, connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
            statement = cursor.cursor.mogrify(sql, parameters).decode()
            cursor.copy_expert(f"COPY ({statement}) TO STDOUT WITH (FORMAT csv)", writable)
    except BrokenPipeError:
        # Whoever asked went away; the file is nobody's.
        pass
    except Exception:
        log.exception("export_broke")
    finally:
        connection.close()
