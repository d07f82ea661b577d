"""The customer's private page: whose it is, what happened to their words, as the events tell that KPIs count, and what they may do
there. What it says is written in `saying`; what they take away is packed in `handing_out`."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.refusals import NotFound
from intake import receiving
from intake.models import Customer, FeedbackItem, Submission
from triage import decisions
from triage.improving.telling import ASK_AFTER
from triage.lifecycle import Resolution, Status
from triage.models import Event, Notification, Ticket

EXPIRES_AFTER = timedelta(days=180)
"""After the last thing that happened, the link leads nowhere."""

SHOWN = frozenset(
    {
        Event.Type.RECEIVED,
        Event.Type.REPLY,
        Event.Type.TRIAGED,
        Event.Type.ROUTED,
        Event.Type.SPLIT,
        Event.Type.MERGED,
        Event.Type.UNMERGED,
        Event.Type.WAITING,
        Event.Type.CUSTOMER_REPLIED,
        Event.Type.ACTION_LINKED,
        Event.Type.WORK_STARTED,
        Event.Type.RESOLVED,
        Event.Type.REOPENED,
        Event.Type.CUSTOMER_TOLD,
        Event.Type.SCORE,
    }
)
"""Notes, tags and severities are for colleagues, whatever else is added to the list of events."""


@dataclass(frozen=True)
class Journey:
    """Everything one private page is drawn from."""

    submission: Submission
    item: FeedbackItem | None
    tickets: tuple[Ticket, ...]
    events: tuple[Event, ...]
    """Oldest first; what was taken back is not among them."""

    @property
    def voice(self) -> Ticket | None:
        """The ticket an answer goes to: the one that waits for it, else one somebody still works on, else the first."""
        return min(self.tickets, key=lambda ticket: (ticket.status != Status.WAITING, not ticket.is_open), default=None)

    @property
    def deciding(self) -> Ticket | None:
        """The ticket whose outcome is theirs: a duplicate ends as its original does."""
        voice = self.voice
        return voice.duplicate_of if voice is not None and voice.duplicate_of is not None else voice

    @property
    def parts(self) -> tuple[Ticket, ...]:
        """The tickets of an item that several teams work on; none where one team does all of it."""
        return self.tickets if len(self.tickets) > 1 else ()

    @property
    def customer(self) -> Customer | None:
        return self.item.customer if self.item else None

    def first(self, *types: str) -> Event | None:
        return next((event for event in self.events if event.type in types), None)

    def asks_whether_fixed(self, *, at: datetime) -> bool:
        """Four weeks after they heard of a change, until they have answered."""
        told = self.last(Event.Type.CUSTOMER_TOLD)
        shipped = self.deciding is not None and self.deciding.resolution == Resolution.SHIPPED
        return (
            shipped and told is not None and told.occurred_at <= at - ASK_AFTER and self.scored("still_fixed") is None
        )

    def scored(self, kind: str) -> Any:
        """Their last answer of this kind, since they last heard from us of an outcome; None without one."""
        scores = [event for event in self.events if event.type == Event.Type.SCORE]
        told = self.last(Event.Type.CUSTOMER_TOLD)
        since = told.occurred_at if told is not None and kind == "still_fixed" else None
        return next(
            (
                event.data.get("value")
                for event in reversed(scores)
                if event.data.get("kind", "handling") == kind and (since is None or event.occurred_at > since)
            ),
            None,
        )

    def last(self, *types: str) -> Event | None:
        return next((event for event in reversed(self.events) if event.type in types), None)


def journey(token: str, *, at: datetime) -> Journey:
    """What the link leads to; `NotFound` for a token that is unknown, revoked or too old, in the same words."""
    submission = receiving.find_by_token(token)
    if submission is None:
        raise NotFound(gettext("There is nothing here."))
    found = journey_of(submission)
    newest = found.events[-1].occurred_at if found.events else submission.received_at
    if newest < at - EXPIRES_AFTER:
        raise NotFound(gettext("There is nothing here."))
    return found


def journey_of(submission: Submission) -> Journey:
    """The same without a link, for whoever is answerable for it."""
    items = FeedbackItem.objects.select_related("customer", "channel").filter(pk=submission.pk)
    item = items.first() if not submission.quarantine_reason else None
    events: list[Event] = []
    tickets: list[Ticket] = []
    if item is not None:
        tickets = list(Ticket.objects.filter(item=item).select_related("team", "duplicate_of__team").order_by("pk"))
        known = Event.objects.filter(item=item, undone_by=None).exclude(type=Event.Type.UNDONE)
        events = list(known.select_related("person").order_by("occurred_at", "id"))
    return Journey(submission, item, tuple(tickets), tuple(events))


def add_words(token: str, *, at: datetime, text: str) -> None:
    """What the customer writes on their page; it opens what was waiting, resting or done."""
    with transaction.atomic():
        decisions.hear(_locked(token, at), at=at, text=text)


def rate(token: str, *, at: datetime, value: int) -> None:
    """How well they were helped, 1 to 5, once there is an outcome."""
    with transaction.atomic():
        decisions.rate(_locked(token, at), at=at, value=value)


def say_whether_fixed(token: str, *, at: datetime, is_fixed: bool) -> None:
    """Whether what was changed still holds for them, weeks after they were told."""
    with transaction.atomic():
        decisions.stayed_fixed(_locked(token, at), at=at, is_fixed=is_fixed)


def set_mail(token: str, *, at: datetime, wanted: bool) -> None:
    """Whether we may write to them at all; what waits to be sent is dropped when they say no."""
    customer = journey(token, at=at).customer
    if customer is None:
        raise NotFound(gettext("There is nothing here."))
    with transaction.atomic():
        Customer.objects.filter(pk=customer.pk).update(opted_out_at=None if wanted else at)
        if not wanted:
            waiting = Notification.objects.filter(item__customer=customer, completed_at=None)
            waiting.exclude(kind=Notification.Kind.STAFF).delete()


def words(event: Event) -> dict[str, Any]:
    """What was written to or by the customer; the reason inside a reopening is ours."""
    if event.type in {Event.Type.REPLY, Event.Type.CUSTOMER_REPLIED}:
        return {"text": str(event.data.get("text", ""))}
    if event.type == Event.Type.RESOLVED:
        return {"text": str(event.data.get("reason", "")), "resolution": event.data.get("resolution")}
    if event.type == Event.Type.SCORE:
        return {"value": event.data.get("value")}
    return {}


def _locked(token: str, at: datetime) -> Ticket:
    """The ticket an answer goes to, held for the rest of the transaction: a customer is never told that somebody was quicker."""
    voice = journey(token, at=at).voice
    if voice is None:
        raise NotFound(gettext("We received your feedback, but nobody has it yet. Try again in a minute."))
    return Ticket.objects.select_for_update().get(pk=voice.pk)
