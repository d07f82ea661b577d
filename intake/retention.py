"""How long things are kept as they arrived: emptied after their channel's time, unless somebody has to hold on to them."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal.refusals import BadInput, InputError
from intake.models import Channel, Delivery, Revision, Submission

# What a call held lies in its submissions too, so it is kept shorter.
CALLS_KEPT = timedelta(days=30)
LONGEST_DAYS = 3650
MOST_COUNTED = 10_000
_AT_ONCE = 1000
# One run ends after so many rows of one channel; the next goes on there.
_MOST_A_RUN = 50_000


@dataclass(frozen=True)
class Holding:
    """What one channel holds as it arrived, and how much of it is past its time; both counted up to `MOST_COUNTED`."""

    channel: Channel
    held: int
    due: int
    calls_due: int


def set_retention(channel: Channel, *, days: str, is_held: bool) -> None:
    """What was emptied already stays empty, however long things are kept from now on."""
    if not days.isascii() or not days.isdecimal() or not 1 <= int(days[:9]) <= LONGEST_DAYS:
        message = gettext("Write a number of days from 1 to %(longest_days)s.") % {
            "longest_days": number_format(LONGEST_DAYS, force_grouping=True)
        }
        raise BadInput(message, errors=(InputError("days", message),))
    Channel.objects.filter(pk=channel.pk).update(raw_kept_days=int(days), is_held=is_held)


def holdings(*, at: datetime) -> list[Holding]:
    """Every channel, with what would be emptied now; a dry run of `empty_expired`."""
    return [
        Holding(
            channel,
            held=Submission.objects.filter(channel=channel, raw_gone_at=None, gone_at=None)[:MOST_COUNTED].count(),
            due=0 if channel.is_held else _past(channel, at=at)[:MOST_COUNTED].count(),
            calls_due=0 if channel.is_held else _past_calls(channel, at=at)[:MOST_COUNTED].count(),
        )
        for channel in Channel.objects.order_by("name")
    ]


def empty_expired(*, at: datetime) -> int:
    """Empty what is past its time; how many things that were. Their ids, hashes and items stay, and so does whatever still
    waits to be read, for nothing else knows what it says."""
    return sum(_empty(channel, at=at) for channel in Channel.objects.filter(is_held=False))


def _empty(channel: Channel, *, at: datetime) -> int:
    keys = list(_past(channel, at=at).values_list("pk", flat=True)[:_MOST_A_RUN])
    for start in range(0, len(keys), _AT_ONCE):
        with transaction.atomic():
            some = Submission.objects.filter(pk__in=keys[start : start + _AT_ONCE])
            # In the order of their keys, as whoever else changes several of them locks them.
            ours = list(some.select_for_update().order_by("pk").values_list("pk", flat=True))
            Revision.objects.filter(submission__in=ours).delete()
            Submission.objects.filter(pk__in=ours).update(
                payload=b"", is_sealed=False, headers={}, conflicting_payload=None, raw_gone_at=at
            )
    if len(keys) < _MOST_A_RUN:
        Channel.objects.filter(pk=channel.pk).update(raw_gone_before=_cutoff(channel, at))
    calls = list(_past_calls(channel, at=at).values_list("pk", flat=True)[:_MOST_A_RUN])
    for start in range(0, len(calls), _AT_ONCE):
        Delivery.objects.filter(pk__in=calls[start : start + _AT_ONCE]).update(
            body=b"", conflicting_body=None, headers={}, url=""
        )
    return len(keys) + len(calls)


def _past(channel: Channel, *, at: datetime) -> QuerySet[Submission]:
    """By arrival; of what its source changed after that was emptied, by the change."""
    cutoff = _cutoff(channel, at)
    arrived = Q(received_at__lt=cutoff)
    if channel.raw_gone_before is not None:
        arrived &= Q(received_at__gte=channel.raw_gone_before)
    changed = Revision.objects.filter(submission__channel=channel, replaced_at__lt=cutoff)
    rows = Submission.objects.filter(arrived | Q(pk__in=changed.values("submission")), channel=channel)
    return rows.filter(raw_gone_at=None, gone_at=None).exclude(completed_at=None, parked_at=None)


def _past_calls(channel: Channel, *, at: datetime) -> QuerySet[Delivery]:
    """No call outlives what was in it: taken apart again, it would bring that back."""
    kept = min(CALLS_KEPT, timedelta(days=channel.raw_kept_days))
    rows = Delivery.objects.filter(channel=channel, received_at__lt=at - kept).exclude(body=b"")
    return rows.exclude(completed_at=None, parked_at=None)


def _cutoff(channel: Channel, at: datetime) -> datetime:
    return at - timedelta(days=channel.raw_kept_days)
