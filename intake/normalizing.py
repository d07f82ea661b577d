"""Reading what arrived: submissions become feedback items in batches, and what cannot be read is parked with its reason."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from itertools import islice
from typing import Any

import structlog
from django.db import connection
from django.db.models import F, Func, IntegerField
from django.db.models.functions import Now

from feedback_portal.pending import Drained, GiveUp, drain
from feedback_portal.registry import UnknownSlug
from feedback_portal.sealing import Unsealable, seal, unseal
from intake import attachments, customers, personal_data, privacy, threads
from intake.cleaning import clean_line, clean_text, excerpt
from intake.connectors.base import SCALES, Draft, Ignored, Rating, RawItem, Unreadable
from intake.copying import copy_rows
from intake.models import Arrival, Channel, FeedbackItem, Revision, Submission

log = structlog.get_logger("portal.normalizing")

BATCH = 500
# A mail comes with its files, so what is read at once is bounded in bytes as well.
MOST_BYTES = 16 * 1024 * 1024
# A customer's clock may be wrong, but not by this much into the future.
_AHEAD = timedelta(days=1)
_MOST_CONTEXT = 50
_CENTS = Decimal("0.01")
# What a later version of the same thing may say anew; when it arrived and through what stays as it was.
CHANGEABLE = (
    "title", "text", "excerpt", "declared_language", "rating_scale", "rating_value", "product", "product_version", "url",
    "author", "thread", "is_private", "context", "submitted_at", "connector_version",
)  # fmt: skip


@dataclass(frozen=True)
class Read:
    """A submission, by its key and arrival, together with what its bytes say."""

    key: int
    received_at: datetime
    channel: Channel
    draft: Draft


def normalize_pending(*, at: datetime) -> Drained:
    """Work off every submission that is due."""
    # What of a row settles it; its bytes are read when their turn comes.
    rows = Submission.objects.only("attempts", "last_error")
    return drain(rows, lambda claimed: _in_portions([row.pk for row in claimed], at=at), batch=BATCH)


def normalize(rows: Sequence[Submission], *, at: datetime) -> Mapping[int, GiveUp]:
    """Items, customers and arrivals of a batch, set-based, inside the caller's transaction; those that never become items, by
    key. Channels must be loaded."""
    hopeless: dict[int, GiveUp] = {}
    found: list[Read] = []
    gone: list[Submission] = []
    for row in rows:
        if row.quarantine_reason:
            continue
        if row.gone_at is not None:
            gone.append(row)
            continue
        try:
            found.append(Read(row.pk, row.received_at, row.channel, read(row)))
        except Ignored as reason:
            Submission.objects.filter(pk=row.pk).update(ignored_reason=str(reason)[:200])
        except (Unreadable, UnknownSlug) as reason:
            hopeless[row.pk] = GiveUp(str(reason))
        except Exception as error:  # a connector is a plugin: whatever breaks in it, the bytes are kept and replayable
            log.warning("connector failed", connector=row.channel.kind, submission=row.pk, exc_info=error)
            hopeless[row.pk] = GiveUp(
                f"The connector failed on it ({type(error).__name__}: {error}). Replay it once mended."
            )
    known = set(FeedbackItem.objects.filter(pk__in=[row.pk for row in rows]).values_list("pk", flat=True))
    take_in([each for each in found if each.key not in known], at=at)
    _change([each for each in found if each.key in known], [row for row in gone if row.pk in known], at=at)
    if gone:
        _take_along(gone, at=at)
    for row in gone:
        privacy.erase(row, at=at)
    return hopeless


def _in_portions(keys: Sequence[int], *, at: datetime) -> Mapping[int, GiveUp]:
    rows = Submission.objects.select_related("channel").defer("conflicting_payload")
    hopeless: dict[int, GiveUp] = {}
    for portion in _portions(keys):
        hopeless |= normalize(list(rows.filter(pk__in=portion).order_by("pk")), at=at)
    return hopeless


def _portions(keys: Sequence[int]) -> Iterator[list[int]]:
    """The keys in order, cut where their payloads come to `MOST_BYTES`; nearly always one portion."""
    size = Func(F("payload"), function="octet_length", output_field=IntegerField())
    portion: list[int] = []
    total = 0
    for key, length in Submission.objects.filter(pk__in=keys).order_by("pk").values_list("pk", size):
        if portion and total + length > MOST_BYTES:
            yield portion
            portion, total = [], 0
        portion.append(key)
        total += length
    if portion:
        yield portion


def take_in(found: Sequence[Read], *, at: datetime) -> None:
    """Customers, items, files and arrivals of what was read for the first time, set-based, inside the caller's transaction."""
    if not found:
        return
    found = _masked(found, at=at)
    known = customers.found_or_made(each.draft.sender for each in found)
    rows = [_said(each, known.get(each.draft.sender), at) for each in found]
    copy_rows("intake_feedbackitem", tuple(rows[0]), [tuple(row.values()) for row in rows])
    answers = {each.key: each.draft.reply_to for each in found if each.draft.thread or each.draft.reply_to}
    threads.join([FeedbackItem(**row) for row in rows if row["submission_id"] in answers], answers)
    _keep_files(found)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO intake_arrival (item_id) SELECT unnest(%s::bigint[])", [[each.key for each in found]]
        )


def _change(found: Sequence[Read], gone: Sequence[Submission], *, at: datetime) -> None:
    """What the source changed says something else from now on, under the same number and the same arrival; the floor above
    is given word to look again, at what was deleted too."""
    if found:
        found = _masked(found, at=at)
        known = customers.found_or_made(each.draft.sender for each in found)
        changed = [FeedbackItem(**_said(each, known.get(each.draft.sender), at)) for each in found]
        FeedbackItem.objects.bulk_update(changed, CHANGEABLE)
        threads.join(changed, {each.key: each.draft.reply_to for each in found})
    again = [each.key for each in found] + [row.pk for row in gone]
    if again:
        Arrival.objects.filter(item__in=again).update(
            completed_at=None, parked_at=None, lease_token=None, attempts=0, next_attempt_at=Now()
        )


def read_again(keys: Sequence[int]) -> None:
    """Give what was passed over to the connectors as they are now, to which it may mean something."""
    Submission.objects.filter(pk__in=keys, ignored_reason__gt="", gone_at=None).update(
        completed_at=None, parked_at=None, lease_token=None, attempts=0, next_attempt_at=Now(), ignored_reason=""
    )


def _take_along(gone: Sequence[Submission], *, at: datetime) -> None:
    """A conversation that its source deleted takes everything said in it along, whatever call it came by."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE intake_submission AS said SET gone_at = %s, completed_at = NULL, parked_at = NULL, lease_token = NULL,"
            "  attempts = 0, next_attempt_at = statement_timestamp()"
            " FROM unnest(%s::bigint[], %s::text[]) AS given (channel_id, thread)"
            " JOIN intake_feedbackitem AS item ON item.channel_id = given.channel_id AND item.thread = given.thread"
            " WHERE said.id = item.submission_id AND said.gone_at IS NULL",
            [at, [row.channel_id for row in gone], [row.external_id for row in gone]],
        )


def read(submission: Submission) -> Draft:
    """The draft a submission's bytes stand for, or `Unreadable` or `Ignored`; reads nothing else and writes nothing."""
    if submission.raw_gone_at is not None:
        raise Unreadable(f"What arrived was kept until {submission.raw_gone_at:%Y-%m-%d}. What came of it stays.")
    try:
        payload = original(submission)
    except Unsealable as reason:
        raise Unreadable(str(reason)) from None
    raw = RawItem(submission.external_id, payload, submission.content_type, headers=submission.headers)
    return read_raw(submission.channel, raw)


def original(stored: Submission | Revision) -> bytes:
    """The bytes as they arrived, unsealed; `Unsealable` where they were sealed with a key that is lost."""
    payload = bytes(stored.payload)
    return unseal(payload) if stored.is_sealed and payload else payload


def would_say(submission: Submission, *, at: datetime) -> dict[str, Any]:
    """What its item would say if it were read now, by column and masked as ever; writes nothing. Raises as `read` does. The
    item must be loaded, if there is one."""
    item: FeedbackItem | None = getattr(submission, "item", None)
    draft = _mask(submission.channel, read(submission))
    row = _said(
        Read(submission.pk, submission.received_at, submission.channel, draft), item.customer_id if item else None, at
    )
    return {name: row[name] for name in CHANGEABLE}


def read_raw(channel: Channel, raw: RawItem) -> Draft:
    """The same for what is not stored yet."""
    draft = channel.connector.parse(raw, settings=channel.settings)
    if draft.rating is not None:
        _check(draft.rating)
    if not (draft.text.strip() or draft.title.strip() or draft.rating is not None):
        raise Ignored("It holds no text and no rating.")
    if draft.files:
        files, left_out = attachments.allowed(draft.files)
        context = {**draft.context, "files left out": " ".join(left_out)} if left_out else draft.context
        return replace(draft, files=files, context=context)
    return draft


def _check(rating: Rating) -> None:
    if rating.scale not in SCALES:
        known = ", ".join(sorted(SCALES))
        raise Unreadable(f'There is no rating scale "{rating.scale}". Use one of {known}.')
    low, high = SCALES[rating.scale]
    if not (rating.value.is_finite() and low <= rating.value <= high):
        raise Unreadable(
            f"A rating of {rating.value} is not on the scale {rating.scale}, which goes from {low} to {high}."
        )


def _said(each: Read, customer: int | None, at: datetime) -> dict[str, Any]:
    """The item's columns with what goes into them."""
    draft = each.draft
    text = clean_text(draft.text)
    submitted_at = draft.submitted_at or each.received_at
    return {
        "submission_id": each.key,
        "channel_id": each.channel.pk,
        "customer_id": customer,
        "title": clean_line(draft.title, longest=300),
        "text": text,
        "excerpt": excerpt(text),
        "declared_language": clean_line(draft.language, longest=12).lower(),
        "rating_scale": draft.rating.scale if draft.rating else "",
        "rating_value": draft.rating.value.quantize(_CENTS) if draft.rating else None,
        "product": clean_line(draft.product, longest=120),
        "product_version": clean_line(draft.product_version, longest=60),
        "url": draft.url[:1000] if draft.url.startswith(("http://", "https://")) else "",
        "author": clean_line(draft.author or draft.sender.name, longest=120) if customer is None else "",
        "thread": clean_line(draft.thread, longest=255),
        "is_private": draft.is_private,
        "context": {
            clean_line(name, longest=60): clean_line(str(value), longest=500)
            for name, value in islice(draft.context.items(), _MOST_CONTEXT)
        },
        "may_contact": draft.sender.may_contact and bool(draft.sender.email),
        "is_test": False,
        "submitted_at": min(submitted_at, at + _AHEAD),
        "received_at": each.received_at,
        "connector_version": each.channel.connector.version,
    }


def _masked(found: Sequence[Read], *, at: datetime) -> list[Read]:
    """The same with personal data in their texts masked, as each channel wants it, and what arrived sealed or destroyed where
    there was any."""
    masked = [replace(each, draft=_mask(each.channel, each.draft)) for each in found]
    closed = [each for each, before in zip(masked, found, strict=True) if each.draft is not before.draft]
    destroyed = [each.key for each in closed if each.channel.settings.get("personal_data") == "destroy"]
    sealed = [each.key for each in closed if each.channel.settings.get("personal_data") != "destroy"]
    if destroyed:
        Submission.objects.filter(pk__in=destroyed).update(
            payload=b"", headers={}, conflicting_payload=None, raw_gone_at=at
        )
    if sealed:
        _seal(sealed)
    if destroyed or sealed:
        # The call that brought it holds the same words, and is kept open.
        privacy.erase_calls([*destroyed, *sealed])
    return masked


def _mask(channel: Channel, draft: Draft) -> Draft:
    """The draft with personal data in its texts masked; itself where there is none, or where the channel wants it as it is."""
    if channel.settings.get("personal_data") == "off":
        return draft
    region = str(channel.settings.get("region", ""))
    text, kinds = personal_data.mask(draft.text, region=region)
    title, more = personal_data.mask(draft.title, region=region)
    if not (kinds or more):
        return draft
    told = ", ".join(sorted(personal_data.WORDS[kind] for kind in kinds | more))
    return replace(draft, text=text, title=title, context={**draft.context, "masked": told})


def _seal(keys: Sequence[int]) -> None:
    """Few rows in a batch hold personal data, so reading these again costs less than carrying every payload along."""
    rows = list(Submission.objects.filter(pk__in=keys, is_sealed=False).only("pk", "payload").order_by("pk"))
    for row in rows:
        row.payload, row.is_sealed = seal(bytes(row.payload)), True
    Submission.objects.bulk_update(rows, ["payload", "is_sealed"], batch_size=500)


def _keep_files(found: Sequence[Read]) -> None:
    files = [(each.key, file) for each in found for file in each.draft.files]
    if files:
        attachments.kept(attachments.stored(file for _, file in files), [key for key, _ in files])
