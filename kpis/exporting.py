"""Items as a CSV file: the database writes the lines (COPY) and they pass through as they come, so memory stays flat."""

import os
import threading
from collections.abc import Iterator
from itertools import chain
from typing import Final

import structlog
from django.db import connection
from django.db.models import (
    Case,
    CharField,
    DateTimeField,
    Expression,
    F,
    Func,
    OuterRef,
    QuerySet,
    Subquery,
    TextField,
    Value,
    When,
)  # fmt: skip
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, Concat
from django.utils.translation import gettext

from feedback_portal.refusals import TooMany
from intake.models import FeedbackItem
from triage.models import Ticket

CHUNK: Final = 64 * 1024
# A cell that begins so is a formula to a spreadsheet.
FORMULA: Final = r"^[=+\-@\t\r\n]"

# Each holds a connection of its own.
_AT_ONCE = threading.BoundedSemaphore(4)

log = structlog.get_logger("portal.kpis")


def columns() -> dict[str, Combinable]:
    """What a line tells, by the name of its column; nothing about who said it."""
    first_ticket = Ticket.objects.filter(item=OuterRef("pk")).order_by("pk")
    return {
        "reference": Func(
            first_ticket_number(), template="'F-' || (%(expressions)s + 20000)", output_field=CharField()
        ),
        "received": _moment("received_at"),
        "submitted": _moment("submitted_at"),
        "channel": F("channel__slug"),
        "product": _plain("product"),
        "product_version": _plain("product_version"),
        "language": Coalesce(F("analysis__language"), F("declared_language"), output_field=CharField()),
        "sentiment": F("analysis__sentiment"),
        "rating_scale": F("rating_scale"),
        "rating": F("rating_value"),
        "team": Subquery(first_ticket.values("team__slug")[:1]),
        "stage": Subquery(first_ticket.values("stage__slug")[:1]),
        "status": Subquery(first_ticket.values("status")[:1]),
        "resolution": Subquery(first_ticket.values("resolution")[:1]),
        "title": _plain("title"),
        "text": _plain("text"),
    }


def first_ticket_number() -> Subquery:
    return Subquery(Ticket.objects.filter(item=OuterRef("pk")).order_by("pk").values("pk")[:1])


def lines(items: QuerySet[FeedbackItem]) -> Iterator[bytes]:
    """The items as CSV in UTF-8 with a header, in pieces. The query is the caller's, so their rights and filters are in it."""
    named = {f"csv_{name}": expression for name, expression in columns().items()}
    rows = items.order_by().annotate(**named).values_list(*named)
    sql, parameters = rows.query.sql_with_params()
    header = (",".join(columns()) + "\r\n").encode()
    pieces = _copied(sql, tuple(parameters), header)
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


def _plain(name: str) -> Expression:
    """A text that no spreadsheet takes for a formula."""
    return Case(
        When(**{f"{name}__regex": FORMULA}, then=Concat(Value("'"), F(name), output_field=TextField())),
        default=Cast(F(name), TextField()),
        output_field=TextField(),
    )


def _moment(name: str) -> Expression:
    return Func(
        F(name),
        template="""to_char(%(expressions)s AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"')""",
        output_field=DateTimeField(),
    )
