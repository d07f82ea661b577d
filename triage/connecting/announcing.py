"""Telling subscribers what happened: when each is tried, when it is left alone for a while, and when it is switched off."""

import random
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

import structlog
from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Greatest, Now
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal import outgoing
from feedback_portal.lanes import drain_in_lanes
from feedback_portal.pending import Drained
from feedback_portal.refusals import Refused
from feedback_portal.sealing import Unsealable
from intake.polling import come_back_in
from triage.connecting import messages, signing
from triage.models import Announcement, AnnouncementTry, Notification, Subscriber

log = structlog.get_logger("portal.webhooks")

PAUSES: Final = (
    *(timedelta(seconds=5), timedelta(minutes=5), timedelta(minutes=30), timedelta(hours=2), timedelta(hours=5)),
    *(timedelta(hours=10), timedelta(hours=14), timedelta(hours=20), timedelta(hours=24)),
)
"""After the first try, which is at once: ten tries in all, over three days (Standard Webhooks 1.0). Each give or take a fifth."""
LONGEST_WAIT: Final = timedelta(hours=24)
HELD_BACK: Final = 3
"""While an event was tried no more often than this, later ones about the same thing wait behind it; then they pass it."""
PAUSED_AFTER: Final = 4
OFF_AFTER: Final = 40
SECONDS: Final = 15.0
MOST_BYTES: Final = 64 * 1024
SHOWN_BYTES: Final = 500
"""Of what a receiver answers, so much is kept to look at."""
KEPT: Final = timedelta(days=30)
LANES: Final = 8
# One lane's turn, so that a receiver that is slow every time keeps its lease.
_SECONDS_A_TURN: Final = 30.0
_AT_ONCE: Final = 5_000


@dataclass(frozen=True)
class Call:
    """One message as it goes out."""

    url: str
    body: bytes
    headers: Mapping[str, str]
    method: str = "POST"


@dataclass(frozen=True)
class Tried:
    """What came of one try; a message that went to nobody, for it is none of its subscriber's business, has no `took`."""

    status: int | None = None
    answer: str = ""
    trouble: str = ""
    took: timedelta | None = None
    asked_for: timedelta | None = None

    @property
    def is_taken(self) -> bool:
        return self.took is None or (self.status is not None and 200 <= self.status < 300)


def announce_pending(*, at: Callable[[], datetime]) -> Drained:
    """Tell every subscriber what is due. `at` is asked again for each try, since the time is signed."""

    def begin(rows: list[Announcement]) -> Callable[[], Sequence[Tried]]:
        return _begin(rows, at)

    rows = Announcement.objects.select_related("subscriber")
    return drain_in_lanes(rows, "subscriber_id", begin, _record, lanes=LANES, seconds=60)


def _begin(rows: list[Announcement], at: Callable[[], datetime]) -> Callable[[], Sequence[Tried]]:
    subscriber = rows[0].subscriber
    try:
        secrets = subscriber.secrets
    except Unsealable as reason:
        trouble = gettext("Its secrets cannot be read. %(reason)s") % {"reason": reason}
        return lambda: [Tried(trouble=trouble, took=timedelta(0))]
    bodies = messages.written(rows, subscriber=subscriber)
    return lambda: _send(rows, bodies, url=subscriber.url, secrets=secrets, at=at)


def _send(
    rows: Sequence[Announcement],
    bodies: Mapping[int, bytes],
    *,
    url: str,
    secrets: Sequence[str],
    at: Callable[[], datetime],
) -> list[Tried]:
    """In their order, until one is not taken or the turn is over. Runs in a thread: no database here."""
    end = time.monotonic() + _SECONDS_A_TURN
    tried: list[Tried] = []
    for row in rows:
        body = bodies.get(row.pk)
        if body is None:
            tried.append(Tried())
            continue
        headers = signing.headers(secrets, message=row.public_id, body=body, at=at())
        tried.append(_try(Call(url, body, {"Content-Type": "application/json", **headers}), at=at()))
        if not tried[-1].is_taken or time.monotonic() > end:
            break
    return tried


def _try(call: Call, *, at: datetime) -> Tried:
    began = time.monotonic()

    def took() -> timedelta:
        return timedelta(seconds=time.monotonic() - began)

    try:
        answer = outgoing.ask(call, most_bytes=MOST_BYTES, seconds=SECONDS)
    except Refused as reason:
        return Tried(trouble=reason.message, took=took())
    shown = answer.body[:SHOWN_BYTES].decode("utf-8", "replace").replace("\x00", "\N{REPLACEMENT CHARACTER}")
    asked_for = come_back_in(answer.headers, at)
    return Tried(answer.status, shown, _why(answer.status), took(), asked_for)


def _why(status: int) -> str:
    if status < 300:
        return ""
    if status == 410:
        return gettext("The receiver says that nobody is there any more (410).")
    if status < 400:
        return gettext("The receiver sends us on to another address (%(status)s), which is not followed.") % {
            "status": status
        }
    return gettext("The receiver did not take it (%(status)s).") % {"status": status}


def _record(row: Announcement, tried: Tried) -> None:
    """What came of one try, in the transaction of its completion."""
    if tried.took is None:
        return
    AnnouncementTry.objects.create(
        announcement=row,
        took_ms=min(int(tried.took / timedelta(milliseconds=1)), 2**31 - 1),
        status=tried.status,
        answer=tried.answer,
        trouble=tried.trouble,
    )
    subscriber = Subscriber.objects.select_for_update(no_key=True).get(pk=row.subscriber_id)
    mine = Announcement.objects.filter(pk=row.pk)
    if tried.is_taken:
        Subscriber.objects.filter(pk=subscriber.pk).update(failures=0, paused_until=None, last_success_at=Now())
        mine.update(last_error="")
        return
    failures, in_a_row = row.failures + 1, subscriber.failures + 1
    log.warning("webhook not taken", subscriber=subscriber.pk, status=tried.status, in_a_row=in_a_row)
    Subscriber.objects.filter(pk=subscriber.pk).update(failures=in_a_row)
    mine.update(completed_at=None, attempts=0, failures=failures, last_error=tried.trouble)
    if failures > len(PAUSES):
        mine.update(parked_at=Now())
    else:
        _put_off(row, failures, tried.asked_for)
    if subscriber.switched_off_at is not None:
        park_waiting(subscriber)
    elif tried.status == 410:
        switch_off(subscriber, because=tried.trouble)
    elif in_a_row >= OFF_AFTER:
        switch_off(
            subscriber,
            because=gettext("It did not take %(in_a_row)s calls in a row. %(trouble)s")
            % {"in_a_row": in_a_row, "trouble": tried.trouble},
        )
    elif in_a_row >= PAUSED_AFTER:
        _pause(subscriber, timedelta(minutes=1) * 2 ** min(in_a_row - PAUSED_AFTER, 20))


def _put_off(row: Announcement, failures: int, asked_for: timedelta | None) -> None:
    """Until its next try; what comes after it about the same thing waits behind it at first."""
    pause = PAUSES[failures - 1] * random.uniform(0.8, 1.2)
    if asked_for is not None:
        pause = max(pause, asked_for)
    until = Now() + pause
    waiting = Announcement.objects.waiting().filter(subscriber=row.subscriber_id)
    waiting.filter(pk=row.pk).update(next_attempt_at=until)
    if failures <= HELD_BACK:
        behind = waiting.about(row.log, [row.subject]).filter(pk__gt=row.pk, lease_token=None)
        behind.update(next_attempt_at=Greatest(F("next_attempt_at"), until))


def _pause(subscriber: Subscriber, pause: timedelta) -> None:
    until = Now() + min(pause, LONGEST_WAIT)
    Subscriber.objects.filter(pk=subscriber.pk).update(paused_until=until)
    waiting = Announcement.objects.waiting().filter(subscriber=subscriber, lease_token=None)
    waiting.update(next_attempt_at=Greatest(F("next_attempt_at"), until))


def switch_off(subscriber: Subscriber, *, because: str = "") -> None:
    """Tell it nothing more; what waits is parked and can be sent again. Where the portal does it itself, its maker is written to."""
    is_news = Subscriber.objects.filter(pk=subscriber.pk, switched_off_at=None).update(
        switched_off_at=Now(), off_reason=because, paused_until=None
    )
    park_waiting(subscriber)
    if is_news and because:
        _write_to_maker(subscriber, because)


def park_waiting(subscriber: Subscriber) -> None:
    waiting = Announcement.objects.waiting().filter(subscriber=subscriber, lease_token=None)
    waiting.update(
        parked_at=Now(), last_error=gettext("The webhook was switched off. Switch it on and send this again.")
    )


def _write_to_maker(subscriber: Subscriber, because: str) -> None:
    maker = subscriber.created_by
    if maker is None or not maker.email or not maker.is_active:
        return
    words = {
        "name": subscriber.name,
        "because": because,
        "url": settings.BASE_URL + reverse("triage:webhook", args=[subscriber.pk]),
        "organisation": settings.ORGANISATION,
    }
    subscriber.refresh_from_db(fields=["switched_off_at"])
    assert subscriber.switched_off_at is not None
    Notification.objects.bulk_create(
        [
            Notification(
                kind=Notification.Kind.STAFF,
                once_key=f"webhook-off:{subscriber.pk}:{int(subscriber.switched_off_at.timestamp())}",
                recipient=maker.email,
                subject=f"A webhook of the feedback portal was switched off: {subscriber.name}"[:200],
                body=render_to_string("mail/webhook_off.txt", words),
            )
        ],
        ignore_conflicts=True,
    )


def forget_old(*, at: datetime) -> int:
    """Announcements that are done with are kept for thirty days, with what was answered; how many went."""
    old = Announcement.objects.filter(made_at__lt=at - KEPT).exclude(Q(completed_at=None) & Q(parked_at=None))
    gone, _ = Announcement.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:_AT_ONCE])).delete()
    return gone
