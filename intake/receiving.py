"""The door: what arrives is stored as it is, once, before anybody answers or reads it."""

import base64
import hashlib
import hmac
import json
import os
import uuid
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models.functions import Now
from django.utils.translation import gettext
from psycopg2 import Binary

from feedback_portal.accounts.models import RememberedAnswer, hashed
from feedback_portal.api import ANSWERS_KEPT
from feedback_portal.marking import marked
from feedback_portal.refusals import Refused
from intake import allowances, attachments, proof_of_work
from intake.connectors.base import File, RawItem
from intake.copying import copy_rows
from intake.models import Channel, Import, Submission

QUARANTINE_KEPT = timedelta(days=30)
_COPIED = (
    "id", "channel_id", "external_id", "public_id", "payload", "content_type", "headers", "sha256", "received_at",
    "tracking_hash", "source_updated_at", "brought_by_id", "completed_at",
)  # fmt: skip


class ChannelClosed(Refused):
    status = 409
    code = "channel-closed"
    title = marked("This channel takes nothing in")


@dataclass(frozen=True)
class Received:
    """A submission as it lies in the database; `is_new` is False when the same id had arrived before, and `is_newer` says that
    the source changed or deleted what had."""

    submission: Submission
    is_new: bool
    is_newer: bool = False


@dataclass(frozen=True)
class Stored:
    """The same without its row; what is not `is_read` is normalised like anything else that arrives."""

    key: int
    is_new: bool
    is_newer: bool = False
    is_read: bool = True


def receive(
    channel: Channel, raw: RawItem, *, at: datetime, quarantine: str = "", files: Sequence[File] = ()
) -> Received:
    """Store one thing and the files that came with it; durable when this returns. The same (channel, external_id) gives the
    first one back, and its files again are dropped.

    `quarantine` says why it is held back from everything that follows, without telling its sender.
    """
    if not files:
        return receive_many(channel, [raw], at=at, quarantine=quarantine)[0]
    rows = attachments.stored(files)
    try:
        with transaction.atomic():
            received = receive_many(channel, [raw], at=at, quarantine=quarantine)[0]
            if received.is_new:
                attachments.kept(rows, [received.submission.pk] * len(rows))
    except BaseException:
        attachments.discard(rows)
        raise
    if not received.is_new:
        attachments.discard(rows)
    return received


def receive_many(channel: Channel, raws: Sequence[RawItem], *, at: datetime, quarantine: str = "") -> list[Received]:
    """Store many, in the order given; repeats inside the batch are the first one.

    A later version by the source's own time replaces what stands, which is kept as a `Revision`, and what the source deleted
    is marked to be erased; both are then read again. Any other payload under a known id replaces nothing: it is kept
    beside the first for staff to see.
    """
    if not channel.is_enabled:
        raise ChannelClosed(
            gettext('The channel "%(slug)s" is switched off. Ask an administrator to switch it on.')
            % {"slug": channel.slug}
        )
    if not raws:
        return []
    fresh = [_submission(channel, raw, at, quarantine) for raw in raws]
    inserted = _insert(fresh)
    known = {row.external_id: row for row in fresh if row.public_id in inserted}
    for row in known.values():
        row.pk = inserted[row.public_id]
    repeated = {row.external_id for row in fresh} - known.keys()
    if repeated:
        rows = Submission.objects.defer("payload", "headers", "conflicting_payload")
        known |= {row.external_id: row for row in rows.filter(channel=channel, external_id__in=repeated)}
    again = [row for row in fresh if row is not known[row.external_id]]
    _keep_conflicts([row for row in again if not (row.source_updated_at or row.gone_at)], known)
    newer = _replace(again, known, at=at) if again else frozenset()
    late = {id(row) for row in again}
    return [
        Received(known[row.external_id], is_new=id(row) not in late, is_newer=id(row) in late and id(row) in newer)
        for row in fresh
    ]


def receive_read(channel: Channel, raws: Sequence[RawItem], *, at: datetime, brought_by: Import) -> list[Stored]:
    """Store what an import has read already, in the order given, by COPY and inside the caller's transaction; whoever calls
    makes the items of what is new. What is known, twice in the batch or gone takes the way of `receive_many`."""
    names = [_short(raw.external_id) for raw in raws]
    known = set(Submission.objects.filter(channel=channel, external_id__in=names).values_list("external_id", flat=True))
    fresh: dict[str, int] = {}
    for place, name in enumerate(names):
        if name not in known and name not in fresh and not raws[place].is_gone:
            fresh[name] = place
    try:
        with transaction.atomic():
            keys = _copied(channel, [(name, raws[place]) for name, place in fresh.items()], at, brought_by)
    except IntegrityError:
        # Somebody else stored one of them this moment; the slower way asks the database row by row.
        fresh, keys = {}, []
    stored: dict[int, Stored] = {
        place: Stored(key, is_new=True) for place, key in zip(fresh.values(), keys, strict=True)
    }
    rest = [place for place in range(len(raws)) if place not in stored]
    received = receive_many(channel, [raws[place] for place in rest], at=at)
    for place, each in zip(rest, received, strict=True):
        stored[place] = Stored(each.submission.pk, is_new=each.is_new, is_newer=each.is_newer, is_read=False)
    mine = [each.key for each in stored.values() if each.is_new and not each.is_read]
    Submission.objects.filter(pk__in=mine).update(brought_by=brought_by)
    return [stored[place] for place in range(len(raws))]


def arrived_before(channel: Channel, external_ids: Iterable[str]) -> set[str]:
    """Those of the ids under which the channel holds something; a channel not yet saved holds nothing."""
    stored = {_short(external_id): external_id for external_id in external_ids}
    rows = Submission.objects.filter(channel_id=channel.pk, external_id__in=stored)
    return {stored[found] for found in rows.values_list("external_id", flat=True)}


def tracking_token(submission: Submission) -> str:
    """The token of the customer's private page: 256 bits derived from the secret key, so that a later mail can name it
    again while the database holds only its hash."""
    return _token(submission.public_id, settings.SECRET_KEY.encode())


def tracking_url(submission: Submission) -> str:
    """The customer's private page. The address is promised to users; the page is drawn by the floor above."""
    return f"{settings.BASE_URL}/t/{tracking_token(submission)}/"


def find_by_token(token: str) -> Submission | None:
    """The submission a private page is about; None for whatever is no token of ours."""
    return Submission.objects.defer("payload").filter(tracking_hash=hashed(token)).first()


def release(submission: Submission) -> bool:
    """Let a quarantined submission through to normalising; False when it was not held back (any more)."""
    held = Submission.objects.quarantined().filter(pk=submission.pk)
    return bool(held.update(quarantine_reason="", completed_at=None, attempts=0, next_attempt_at=Now()))


def forget_expired(*, at: datetime) -> int:
    """Delete what is too old to keep (remembered API answers, quarantined submissions, spent allowances, spent proofs) and files that no
    row knows; how many went."""
    answers, _ = RememberedAnswer.objects.filter(created_at__lt=at - ANSWERS_KEPT).delete()
    old = Submission.objects.quarantined().filter(
        received_at__lt=at - QUARANTINE_KEPT, item=None, channel__is_held=False
    )
    held, _ = old.delete()
    return answers + held + allowances.forget(at=at) + proof_of_work.forget(at=at) + attachments.sweep(at=at)


def _submission(channel: Channel, raw: RawItem, at: datetime, quarantine: str) -> Submission:
    row = Submission(
        channel=channel,
        external_id=_short(raw.external_id),
        public_id=uuid.uuid4(),
        # What the source deleted is not worth keeping for the day it takes to be erased.
        payload=b"" if raw.is_gone else raw.payload,
        content_type=raw.content_type[:120],
        headers={} if raw.is_gone else dict(raw.headers),
        sha256=hashlib.sha256(raw.payload).digest(),
        received_at=at,
        source_updated_at=raw.updated_at,
        gone_at=at if raw.is_gone else None,
        quarantine_reason=quarantine,
    )
    row.tracking_hash = hashed(tracking_token(row))
    return row


def _copied(channel: Channel, named: Sequence[tuple[str, RawItem]], at: datetime, brought_by: Import) -> list[int]:
    """Rows appended as completed, and their keys; `IntegrityError` if one of the ids is known after all."""
    if not named:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('intake_submission', 'id')) FROM generate_series(1, %s)",
            [len(named)],
        )
        keys = [key for (key,) in cursor.fetchall()]
    noise = os.urandom(16 * len(named))
    secret, moment = settings.SECRET_KEY.encode(), at.isoformat()
    rows = []
    for place, (key, (name, raw)) in enumerate(zip(keys, named, strict=True)):
        public_id = uuid.UUID(bytes=noise[16 * place : 16 * place + 16], version=4)
        rows.append(
            (
                key, channel.pk, name, public_id, raw.payload, raw.content_type[:120], dict(raw.headers),
                hashlib.sha256(raw.payload).digest(), moment, hashed(_token(public_id, secret)), raw.updated_at,
                brought_by.pk, moment,
            )
        )  # fmt: skip
    copy_rows("intake_submission", _COPIED, rows)
    return keys


def _token(public_id: uuid.UUID, secret: bytes) -> str:
    digest = hmac.digest(secret, b"tracking:" + public_id.bytes, "sha256")
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _short(external_id: str) -> str:
    """An id longer than the column is told apart by its hash; what no database holds as text is replaced."""
    clean = external_id.replace("\x00", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()
    if len(clean) <= 255:
        return clean
    return f"{clean[:180]}…{hashlib.sha256(external_id.encode('utf-8', 'replace')).hexdigest()}"


def _insert(rows: Sequence[Submission]) -> dict[uuid.UUID, int]:
    """One INSERT; the database decides what is a repeat, for two may ask at once. Keys of what was stored, by public id."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_submission (channel_id, external_id, public_id, payload, content_type, headers, sha256,"
            " received_at, tracking_hash, quarantine_reason, source_updated_at, gone_at, attempts)"
            " SELECT %s, given.*, 0 FROM unnest(%s::text[], %s::uuid[], %s::bytea[], %s::text[], %s::jsonb[], %s::bytea[],"
            " %s::timestamptz[], %s::text[], %s::text[], %s::timestamptz[], %s::timestamptz[]) AS given"
            " ON CONFLICT (channel_id, external_id) DO NOTHING RETURNING public_id, id",
            [
                rows[0].channel_id,
                [row.external_id for row in rows],
                [str(row.public_id) for row in rows],
                [Binary(row.payload) for row in rows],
                [row.content_type for row in rows],
                [json.dumps(row.headers) for row in rows],
                [Binary(row.sha256) for row in rows],
                [row.received_at for row in rows],
                [row.tracking_hash for row in rows],
                [row.quarantine_reason for row in rows],
                [row.source_updated_at for row in rows],
                [row.gone_at for row in rows],
            ],
        )
        return {uuid.UUID(str(public_id)): number for public_id, number in cursor.fetchall()}


def _keep_conflicts(again: Sequence[Submission], known: dict[str, Submission]) -> None:
    """Whatever says something else under a known id, the last of it: all in one statement, and none when nothing does."""
    other = {
        known[row.external_id].pk: bytes(row.payload)
        for row in again
        if bytes(known[row.external_id].sha256) != bytes(row.sha256)
    }
    if not other:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE intake_submission AS first SET conflicting_payload = other.payload"
            " FROM unnest(%s::bigint[], %s::bytea[]) AS other (id, payload)"
            # What was emptied is not to be filled again by the back door.
            " WHERE first.id = other.id AND first.gone_at IS NULL AND first.raw_gone_at IS NULL",
            [list(other), [Binary(payload) for payload in other.values()]],
        )


def _replace(again: Sequence[Submission], known: Mapping[str, Submission], *, at: datetime) -> frozenset[int]:
    """Put what the source changed or deleted in the place of what stands, and have it read again; the ids (Python's) of the
    rows that did. Of several versions of one thing only the last counts. What is gone stays gone."""
    last: dict[str, Submission] = {}
    for row in again:
        other = last.get(row.external_id)
        if (row.gone_at or row.source_updated_at) and (other is None or _version(row) >= _version(other)):
            last[row.external_id] = row
    if not last:
        return frozenset()
    with transaction.atomic(), connection.cursor() as cursor:
        keys = sorted(known[external_id].pk for external_id in last)
        cursor.execute("SELECT FROM intake_submission WHERE id = ANY(%s) ORDER BY id FOR UPDATE", [keys])
        cursor.execute(
            "WITH newer AS (SELECT stands.id, stands.payload AS old_payload, stands.is_sealed, stands.content_type AS old_type,"
            "   stands.source_updated_at AS old_time, given.*"
            "  FROM unnest(%s::bigint[], %s::bytea[], %s::text[], %s::jsonb[], %s::bytea[], %s::timestamptz[],"
            "   %s::timestamptz[]) AS given (key, payload, type, headers, sha256, updated_at, gone_at)"
            "  JOIN intake_submission AS stands ON stands.id = given.key"
            "  WHERE stands.gone_at IS NULL AND (given.gone_at IS NOT NULL OR (given.sha256 <> stands.sha256"
            "   AND given.updated_at > coalesce(stands.source_updated_at, '-infinity')))"
            "), kept AS (INSERT INTO intake_revision (submission_id, payload, is_sealed, content_type, source_updated_at, replaced_at)"
            "  SELECT id, old_payload, is_sealed, old_type, old_time, %s FROM newer WHERE gone_at IS NULL)"
            " UPDATE intake_submission AS stands SET payload = newer.payload, is_sealed = FALSE, content_type = newer.type,"
            "  headers = newer.headers, sha256 = newer.sha256, gone_at = newer.gone_at, raw_gone_at = NULL,"
            "  source_updated_at = coalesce(newer.updated_at, stands.source_updated_at),"
            "  completed_at = NULL, parked_at = NULL, lease_token = NULL, attempts = 0, ignored_reason = '',"
            "  next_attempt_at = statement_timestamp()"
            " FROM newer WHERE stands.id = newer.id RETURNING stands.id",
            [
                [known[external_id].pk for external_id in last],
                [Binary(row.payload) for row in last.values()],
                [row.content_type for row in last.values()],
                [json.dumps(row.headers) for row in last.values()],
                [Binary(row.sha256) for row in last.values()],
                [row.source_updated_at for row in last.values()],
                [row.gone_at for row in last.values()],
                at,
            ],
        )
        changed = {key for (key,) in cursor.fetchall()}
    return frozenset(id(row) for external_id, row in last.items() if known[external_id].pk in changed)


def _version(row: Submission) -> tuple[bool, datetime]:
    return row.gone_at is not None, row.source_updated_at or datetime.min.replace(tzinfo=UTC)
