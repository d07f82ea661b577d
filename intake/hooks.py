"""Calls of other systems: verified on the bytes as they came, stored once, answered, and taken apart afterwards."""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from django.db import connection
from django.db.models.functions import Now

from feedback_portal.accounts.models import hashed
from feedback_portal.pending import Drained, GiveUp, drain
from feedback_portal.refusals import NotFound, Refused, TooMany
from feedback_portal.registry import UnknownSlug
from feedback_portal.sealing import Unsealable
from intake import allowances, normalizing, privacy, receiving
from intake.connectors.base import Call, Forged, Ignored, PushConnector, RawItem, Reply, Unreadable
from intake.models import Channel, Delivery
from intake.receiving import ChannelClosed

log = structlog.get_logger("portal.hooks")

LARGEST = PushConnector.largest
BATCH = 20
# What one system may call: 200 at once and 50 a second. A channel's setting "limits" changes it like a form's.
LIMITS: Mapping[str, int] = {"burst": 200, "minute": 50 * 60, "hour": 0}
# Beside a secret of this name, its predecessor holds for as long as it is kept.
OLD = "_old"

_USEFUL = re.compile(r"content-type|user-agent|.*(event|topic|timestamp|delivery|identifier|signature|webhook).*")
_LONGEST_HEADER = 500


class NotGenuine(Refused):
    status = 401
    code = "not-genuine"
    title = "This call is not genuine"


class CannotVerify(Refused):
    status = 503
    code = "cannot-verify"
    title = "This call cannot be verified for now"


def longest(key: str) -> int:
    """How many bytes a call to this key may be long; `NotFound` as in `take`."""
    return _channel(key)[1].largest


def take(key: str, call: Call, *, at: datetime) -> Reply:
    """Store a genuine call, and what to answer. It is durable when this returns; what it holds is read afterwards.

    `NotFound` where no channel that is switched on has this key, `NotGenuine` where its sender's signature does not hold.
    Neither says more than that, and nothing of such a call is kept but that there was one. `TooMany` for more genuine calls
    than the channel takes: a stranger uses none of them up.
    """
    channel, connector = _channel(key)
    try:
        secrets = channel.secrets
    except Unsealable:
        log.exception("secrets cannot be read", channel=channel.slug)
        raise CannotVerify("Try it again later. Whoever runs the portal finds the reason in its log.") from None
    try:
        answer = connector.handshake(call, secrets=_told(channel, secrets))
        if answer is None:
            _verify(channel, connector, call, secrets, at)
    except Exception as reason:  # a connector that breaks on what a stranger sent has not found it genuine
        trouble = None if isinstance(reason, Forged) else reason
        log.warning("forged call", channel=channel.slug, kind=channel.kind, reason=str(reason), exc_info=trouble)
        _count_forged(channel, at=at)
        raise NotGenuine("Sign the call with the secret of this channel, and send it when it is signed.") from None
    if answer is not None:
        return Reply(answer)
    _use_one(channel, at=at)
    _store(channel, connector, call, secrets, key=key, at=at)
    return connector.answer(call)


def take_apart_pending() -> Drained:
    """Work off every delivery that is due."""
    # A body may be as large as a mail with its files, so each is read when its turn comes and none is held on to.
    rows = Delivery.objects.select_related("channel").defer("body", "conflicting_body")
    return drain(rows, take_apart, batch=BATCH)


def take_apart(rows: Sequence[Delivery]) -> Mapping[int, GiveUp]:
    """Receive what the deliveries hold, inside the caller's transaction; those that cannot be read, by key. Channels must be
    loaded."""
    hopeless: dict[int, GiveUp] = {}
    for row in rows:
        held: list[RawItem] = []
        ignored = ""
        try:
            held = _split(row)
        except Ignored as reason:
            ignored = str(reason)[:200]
        except (Unreadable, UnknownSlug) as reason:
            hopeless[row.pk] = GiveUp(str(reason))
            continue
        except Exception as error:  # a connector is a plugin: whatever breaks in it, the bytes are kept and replayable
            log.warning("connector failed", connector=row.channel.kind, delivery=row.pk, exc_info=error)
            hopeless[row.pk] = GiveUp(
                f"The connector failed on it ({type(error).__name__}: {error}). Replay it once mended."
            )
            continue
        try:
            received = receiving.receive_many(row.channel, held, at=row.received_at)
        except ChannelClosed as reason:
            # It was accepted before the channel was switched off, so it waits rather than goes.
            hopeless[row.pk] = GiveUp(reason.message)
            continue
        Delivery.objects.filter(pk=row.pk).update(
            held=len(held),
            brought=sum(each.is_new or each.is_newer for each in received),
            told_of=sorted({each.submission.pk for each in received}),
            ignored_reason=ignored,
        )
        # A late repeat of what was erased or sealed meanwhile brings its words back nowhere.
        closed = [each.submission for each in received if each.submission.gone_at or each.submission.is_sealed]
        privacy.erase_calls([submission.pk for submission in closed])
        normalizing.read_again([each.submission.pk for each in received if not (each.is_new or each.is_newer)])
    return hopeless


def replay(delivery: Delivery) -> None:
    """Take a delivery apart once more, by the connector as it is now. What it brought before is known by its ids; one whose
    words were erased stays as it is."""
    Delivery.objects.filter(pk=delivery.pk).exclude(body=b"").update(
        completed_at=None, parked_at=None, lease_token=None, attempts=0, next_attempt_at=Now(), ignored_reason=""
    )


def forget(*, at: datetime) -> int:
    """Delete the calls that are older than their channel keeps things as they arrived; how many went."""
    count = 0
    for channel in Channel.objects.filter(is_held=False).only("raw_kept_days"):
        old = Delivery.objects.filter(channel=channel, received_at__lt=at - timedelta(days=channel.raw_kept_days))
        # Whatever still waits was not read yet, so nothing else knows what it says.
        gone, _ = old.exclude(completed_at=None, parked_at=None).delete()
        count += gone
    return count


def _channel(key: str) -> tuple[Channel, PushConnector]:
    channel = Channel.objects.enabled().filter(hook_hash=hashed(key)).first()
    try:
        connector = channel.connector if channel else None
    except UnknownSlug:
        connector = None
    if channel is None or not isinstance(connector, PushConnector):
        raise NotFound("There is nothing at this address. Copy the address from the channel's page.")
    return channel, connector


def _verify(channel: Channel, connector: PushConnector, call: Call, secrets: Mapping[str, str], at: datetime) -> None:
    """By the secrets as they are, or as they were before they were rotated."""
    before = {name.removesuffix(OLD): secret for name, secret in secrets.items() if name.endswith(OLD) and secret}
    try:
        connector.verify(call, secrets=_told(channel, secrets), at=at)
    except Forged:
        if not before:
            raise
        connector.verify(call, secrets=_told(channel, {**secrets, **before}), at=at)


def _use_one(channel: Channel, *, at: datetime) -> None:
    limits = allowances.limits_of(channel, usual=LIMITS)
    try:
        allowances.use_one(channel, "", at=at, door="calls", limits=limits)
    except TooMany as reason:
        raise TooMany(
            "More calls came than this channel takes. Send this one again after the seconds that Retry-After names.",
            retry_after=reason.retry_after,
        ) from None


def _count_forged(channel: Channel, *, at: datetime) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_forgedcalls AS known (channel_id, count, last_at) VALUES (%s, 1, %s)"
            " ON CONFLICT (channel_id) DO UPDATE SET count = known.count + 1, last_at = greatest(known.last_at, excluded.last_at)",
            [channel.pk, at],
        )


def _told(channel: Channel, secrets: Mapping[str, str]) -> dict[str, str]:
    """The secrets, and the channel's other texts beside them."""
    return {name: text for name, text in channel.settings.items() if isinstance(text, str)} | dict(secrets)


def _store(
    channel: Channel, connector: PushConnector, call: Call, secrets: Mapping[str, str], *, key: str, at: datetime
) -> None:
    """One INSERT; the database decides what is a repeat, for many may ask at once. The first body under an id stands."""
    digest = hashlib.sha256(call.body).digest()
    try:
        given = connector.delivery_id(call)
    except Unreadable:
        given = digest.hex()
    if not given.isprintable() or len(given) > 255:
        given = hashlib.sha256(given.encode("utf-8", "replace")).hexdigest()
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_delivery (channel_id, delivery_id, url, headers, body, sha256, received_at, brought, told_of)"
            " VALUES (%s, %s, %s, %s::jsonb, %s, %s, %s, 0, '{}') ON CONFLICT (channel_id, delivery_id) DO NOTHING",
            [
                channel.pk,
                given,
                # The key opens the channel, so it lies nowhere but in its sender's settings.
                call.url.replace(key, "…")[:2000],
                json.dumps(_useful(call.headers, secrets)),
                call.body,
                digest,
                at,
            ],
        )
        if not cursor.rowcount:
            cursor.execute(
                "UPDATE intake_delivery SET conflicting_body = %s WHERE channel_id = %s AND delivery_id = %s AND sha256 <> %s",
                [call.body, channel.pk, given, digest],
            )


def _useful(headers: Mapping[str, str], secrets: Mapping[str, str]) -> dict[str, str]:
    """What tells one call from another and how it was signed; nothing that lets anybody in."""
    return {
        name: value[:_LONGEST_HEADER]
        for name, value in headers.items()
        if _USEFUL.fullmatch(name) and not any(secret and secret in value for secret in secrets.values())
    }


def _split(row: Delivery) -> list[RawItem]:
    connector = row.channel.connector
    if not isinstance(connector, PushConnector):
        raise Unreadable(f"A channel of kind {row.channel.kind} is not called. Choose another kind for it.")
    # Not `row.body`, which the row would hold until its whole batch is done.
    body = Delivery.objects.values_list("body", flat=True).get(pk=row.pk)
    call = Call("POST", row.url, row.headers, bytes(body))
    return list(connector.split(call, settings=row.channel.settings))
