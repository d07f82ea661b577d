"""Channels whose source is asked now and then: what is new comes in page by page, and the place is kept with each page."""

import random
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Protocol
from urllib.parse import urlsplit

import structlog
from django.db import transaction
from django.db.models import F
from django.db.models.functions import Greatest, Now
from django.utils.translation import gettext

from feedback_portal import outgoing
from feedback_portal.marking import marked
from feedback_portal.pending import Drained, GiveUp, LostLease, drain_outside
from feedback_portal.refusals import BadInput, Refused
from feedback_portal.registry import UnknownSlug
from feedback_portal.sealing import Unsealable
from intake import receiving
from intake.connectors.base import Answer, Ask, Page, PullConnector, Request, Unreadable
from intake.models import Channel, Poll

log = structlog.get_logger("portal.polling")

# One run of one channel ends after so many pages or seconds, so that no channel keeps the others waiting.
PAGES_A_RUN = 50
SECONDS_A_RUN = 60.0
# One answer takes at most half a minute, and every page renews the lease.
LEASE = timedelta(minutes=5)
SECONDS_AN_ANSWER = 30.0
FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(days=1)
# What servers say about when to come back, in the order it is believed: seconds, a date, or a moment as a number.
_COME_BACK = ("retry-after", "x-rate-limit-reset", "x-ratelimit-reset", "ratelimit-reset")
# Google says 403 for a quota that is used up, which passes, as well as for a right that is missing.
_QUOTA = (b"quotaExceeded", b"LimitExceeded", b"RESOURCE_EXHAUSTED")
# How much of a refusal is looked at for its reason.
_TOLD = 4000
# What an OAuth 2.0 server says with 400 when no later try can succeed (RFC 6749, 5.2).
_KEY_REFUSED = (b"invalid_grant", b"invalid_client", b"unauthorized_client", b"invalid_scope")


class NotAsked(Refused):
    status = 409
    code = "not-asked"
    title = marked("This channel is not asked now")


class _Asker(Protocol):
    def __call__(self, request: Request, *, most_bytes: int, seconds: float) -> outgoing.Answer: ...


class _Enough(Exception):
    """This run has had its share, and the connector wanted more."""


class _Later(Exception):
    """The source works or we are too many, and later it may answer; `pause` is how long it asked for."""

    def __init__(self, reason: str, pause: timedelta | None = None) -> None:
        super().__init__(reason)
        self.pause = pause


@dataclass(frozen=True)
class Standing:
    """How one channel's source is doing: "waiting", "asking", "stopped" by a trouble that needs somebody, or "closed"."""

    poll: Poll
    state: str
    at: datetime


@dataclass(frozen=True)
class _Run:
    """How a run ended: by itself, at its bound (`has_more`), with a trouble that may pass, or before it began."""

    has_more: bool = False
    is_closed: bool = False
    trouble: str = ""
    pause: timedelta | None = None


def begin(channel: Channel) -> Poll | None:
    """Ask the channel's source from now on, going on where it was left; None for a channel whose source is not asked."""
    if not isinstance(channel.connector, PullConnector):
        return None
    every = int(channel.connector.every.total_seconds())
    poll, is_new = Poll.objects.get_or_create(channel=channel, defaults={"every_seconds": every})
    if not is_new:
        _set_going(poll)
    return poll


def stop(channel: Channel) -> None:
    """Ask no more. A run under way writes nothing from here on, and the place is kept."""
    Poll.objects.filter(channel=channel).update(completed_at=Now(), parked_at=None, lease_token=None)


def ask_now(channel: Channel) -> None:
    """Ask before its time, or start again what was stopped by a trouble."""
    poll = Poll.objects.filter(channel=channel).first()
    if poll is None or poll.completed_at is not None or not channel.is_enabled:
        raise NotAsked(
            gettext('The channel "%(name)s" is closed, so nobody is asked. Open it first, under Channels.')
            % {"name": channel.name}
        )
    _set_going(poll)


def standings(*, at: datetime) -> list[Standing]:
    """Every channel whose source is or was asked, those that need somebody first."""
    found = [_standing(poll, at=at) for poll in Poll.objects.select_related("channel").order_by("channel__name")]
    return sorted(found, key=lambda each: (each.state != "stopped", each.poll.failures == 0))


def standing(channel: Channel, *, at: datetime) -> Standing | None:
    poll = Poll.objects.filter(channel=channel).first()
    return _standing(poll, at=at) if poll else None


def ask_pending(*, at: datetime, ask: _Asker = outgoing.ask) -> Drained:
    """Ask every source whose time has come."""

    def act(poll: Poll) -> _Run:
        return _run(poll, ask=ask, at=at)

    def record(poll: Poll, run: _Run) -> None:
        _rest(poll, run, at=at)

    # One at a time, for a lease is for one source however slow it is; and not for long, for mail leaves by the same workers.
    return drain_outside(Poll.objects.select_related("channel"), act, record, batch=1, lease=LEASE, seconds=30)


def _run(poll: Poll, *, ask: _Asker, at: datetime) -> _Run:
    channel = poll.channel
    if not channel.is_enabled:
        return _Run(is_closed=True)
    Poll.objects.filter(pk=poll.pk, lease_token=poll.lease_token).update(last_started_at=at)
    share = _Share()
    try:
        connector = channel.connector
        if not isinstance(connector, PullConnector):
            raise GiveUp(f"{connector.name} cannot be asked. Close this channel, and make one of another kind.")
        pages = connector.pages(
            poll.cursor, ask=_answering(ask, share, at), settings=channel.settings, secrets=channel.secrets, at=at
        )
        for page in pages:
            _store(poll, page, at=at)
            share.pages += 1
            # Whoever asks in a way of its own, as for mail, never meets the check before the next question.
            if share.is_used_up(times=2):
                return _Run(has_more=True)
    except _Enough:
        return _Run(has_more=True)
    except _Later as later:
        return _Run(trouble=str(later), pause=later.pause)
    except (outgoing.Unreachable, outgoing.TooMuch, Unreadable) as trouble:
        return _Run(trouble=str(trouble))
    except (outgoing.AddressRefused, BadInput, Unsealable, UnknownSlug) as reason:
        raise GiveUp(str(reason)) from None
    return _Run()


def _store(poll: Poll, page: Page, *, at: datetime) -> None:
    """A page and the place after it, together: whoever dies before or after asks again from there, and nothing is lost."""
    newest = max((raw.updated_at for raw in page.raws if raw.updated_at), default=None)
    with transaction.atomic():
        received = receiving.receive_many(poll.channel, page.raws, at=at)
        kept = Poll.objects.filter(pk=poll.pk, lease_token=poll.lease_token, completed_at=None).update(
            cursor=dict(page.cursor),
            taken=F("taken") + len(received),
            brought=F("brought") + sum(each.is_new or each.is_newer for each in received),
            next_attempt_at=Now() + LEASE,
            # What a source dates into the future says nothing about how far behind we are.
            **({"newest_at": Greatest(F("newest_at"), min(newest, at))} if newest else {}),
        )
        if not kept:
            raise LostLease


def _rest(poll: Poll, run: _Run, *, at: datetime) -> None:
    """Not done but due later: the row goes back to wait for its next time."""
    if run.is_closed:
        return
    mine = Poll.objects.filter(pk=poll.pk)
    again = {"completed_at": None, "attempts": 0}
    if run.trouble:
        log.warning("source not asked to its end", channel=poll.channel.slug, failures=poll.failures + 1)
        pause = _later_than(run.pause) if run.pause is not None else _around(FIRST_PAUSE * 2 ** min(poll.failures, 20))
        trouble = run.trouble.replace("\x00", "\N{REPLACEMENT CHARACTER}")[:2000]
        mine.update(**again, next_attempt_at=Now() + pause, failures=F("failures") + 1, last_error=trouble)
        return
    pause = timedelta(0) if run.has_more else _around(timedelta(seconds=poll.every_seconds))
    mine.update(**again, next_attempt_at=Now() + pause, failures=0, last_error="", last_success_at=at)


def _standing(poll: Poll, *, at: datetime) -> Standing:
    if poll.completed_at is not None:
        return Standing(poll, "closed", at)
    if poll.parked_at is not None:
        return Standing(poll, "stopped", at)
    # A lease that ran out belongs to nobody.
    return Standing(poll, "asking" if poll.lease_token and poll.next_attempt_at > at else "waiting", at)


def _set_going(poll: Poll) -> None:
    stands = Poll.objects.filter(pk=poll.pk)
    # One that is being asked this moment is left alone, or two would ask at once.
    stands.filter(lease_token=None).update(completed_at=None, parked_at=None, attempts=0, next_attempt_at=Now())


class _Share:
    """What one run may take. It ends when more is asked for, so that a source that is at its end is known to be."""

    def __init__(self) -> None:
        self.pages = 0
        self._began = time.monotonic()

    def is_used_up(self, *, times: int = 1) -> bool:
        return self.pages > 0 and (self.pages >= times * PAGES_A_RUN or self._took() > times * SECONDS_A_RUN)

    def check(self) -> None:
        if self.is_used_up():
            raise _Enough
        # Without a page stored the next run would begin where this one did.
        if self._took() > 3 * SECONDS_A_RUN:
            raise _Later(
                "Its first page took more than three minutes. It is asked again by itself, when it may be faster."
            )

    def _took(self) -> float:
        return time.monotonic() - self._began


def _answering(ask: _Asker, share: _Share, at: datetime) -> Ask:
    """What a connector asks with: an answer it can use comes back, and everything else goes past it to us."""

    def answered(request: Request) -> Answer:
        share.check()
        found = ask(request, most_bytes=outgoing.MOST_BYTES, seconds=SECONDS_AN_ANSWER)
        trouble = _trouble(found, urlsplit(request.url).netloc, at)
        if trouble is not None and not _is_expected(found, request):
            raise trouble
        return Answer(found.status, found.headers, found.body)

    return answered


def _is_expected(found: outgoing.Answer, request: Request) -> bool:
    """A refusal of this one thing for one of the reasons that the connector knows what to make of."""
    start = found.body[:_TOLD]
    return found.status == 403 and any(f'"{reason}"'.encode() in start for reason in request.may_refuse)


def _trouble(found: outgoing.Answer, host: str, at: datetime) -> Exception | None:
    status, start = found.status, found.body[:_TOLD]
    pause = come_back_in(found.headers, at)
    if status < 300 or status in (404, 410):
        return None
    if status < 400:
        return _Later(f"{host} sends us on to another address, which is not followed. Correct the channel's address.")
    if status == 429 or (status == 403 and ("retry-after" in found.headers or any(word in start for word in _QUOTA))):
        return _Later(f"{host} says that we ask too often. It is asked again by itself when it allows that.", pause)
    if status in (401, 403) or (status == 400 and any(word in start for word in _KEY_REFUSED)):
        return GiveUp(
            f"{host} refuses our key (status {status}). Enter a new one in the channel's settings, then start it again."
        )
    if status >= 500 or status == 408:
        return _Later(f"{host} does not work at the moment (status {status}). It is asked again by itself.", pause)
    return _Later(
        f"{host} does not understand what is asked (status {status}). Check the channel's settings; it is asked again"
        " by itself."
    )


def come_back_in(headers: Mapping[str, str], at: datetime) -> timedelta | None:
    """How long a server asks us to wait, between a second and a day; None where it does not say."""
    for name in _COME_BACK:
        value = headers.get(name, "").strip()
        if not value:
            continue
        try:
            if value.replace(".", "", 1).isdecimal():
                seconds = float(value)
                seconds = seconds - at.timestamp() if seconds > 1e9 else seconds
            else:
                when = parsedate_to_datetime(value) if name == "retry-after" else datetime.fromisoformat(value)
                seconds = ((when if when.tzinfo else when.replace(tzinfo=UTC)) - at).total_seconds()
        except (ValueError, OverflowError):
            continue
        return timedelta(seconds=max(1.0, min(seconds, LONGEST_PAUSE.total_seconds())))
    return None


def _around(pause: timedelta) -> timedelta:
    """Give or take a fifth, so that channels begun together do not ask together for ever."""
    return min(pause, LONGEST_PAUSE) * random.uniform(0.8, 1.2)


def _later_than(pause: timedelta) -> timedelta:
    """What was asked for or a fifth more, never less."""
    return pause * random.uniform(1.0, 1.2)
