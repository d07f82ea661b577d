"""What KPIs count: the items of a period as they stood at one moment, and when things happened to them.

Everything here builds querysets and expressions; each is true as of `as_of`, which means that only what had happened
and was recorded by then is seen.
"""

from dataclasses import dataclass
from datetime import datetime

from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery

from intake.models import FeedbackItem
from kpis.periods import Period
from triage.lifecycle import Resolution
from triage.models import ActionLink, Event, Ticket


@dataclass(frozen=True)
class Slice:
    """Whose items: everybody's, or those of one team, one channel, one production stage, or of several of these at once."""

    team: int | None = None
    channel: int | None = None
    stage: int | None = None


EVERYTHING = Slice()


def population(period: Period, *, as_of: datetime, slice: Slice = EVERYTHING) -> QuerySet[FeedbackItem]:
    """The items received in the period by `as_of`, minus test data and spam.

    Each has the `team_id` and `stage_id` of its first ticket.
    """
    first_ticket = Ticket.objects.filter(item=OuterRef("pk")).order_by("pk")
    items = FeedbackItem.objects.filter(
        received_at__gte=period.starts_at, received_at__lt=period.ends_at, received_at__lte=as_of, is_test=False
    ).annotate(
        team_id=Subquery(first_ticket.values("team_id")[:1]), stage_id=Subquery(first_ticket.values("stage_id")[:1])
    )
    # What is not on a ticket yet has not been understood, so nobody can say whether it is spam.
    items = items.filter(
        Exists(first_ticket), ~Exists(first_ticket.filter(resolution=Resolution.SPAM, resolved_at__lte=as_of))
    )
    if slice.team is not None:
        items = items.filter(team_id=slice.team)
    if slice.channel is not None:
        items = items.filter(channel_id=slice.channel)
    if slice.stage is not None:
        items = items.filter(stage_id=slice.stage)
    return items


def first(*types: str, as_of: datetime) -> Subquery:
    """When the first event of these types happened to an item."""
    return Subquery(_events(types, as_of).order_by("occurred_at").values("occurred_at")[:1])


def last(*types: str, as_of: datetime) -> Subquery:
    return Subquery(_events(types, as_of).order_by("-occurred_at").values("occurred_at")[:1])


def stays_resolved(*, as_of: datetime) -> Subquery:
    """When an item was last resolved, unless it was reopened since: a reopened item is open again, so closing early
    cannot help."""
    reopened_since = _events((Event.Type.REOPENED,), as_of, item=OuterRef("item")).filter(
        occurred_at__gte=OuterRef("occurred_at")
    )
    resolved = _events((Event.Type.RESOLVED,), as_of).filter(~Exists(reopened_since))
    return Subquery(resolved.order_by("-occurred_at").values("occurred_at")[:1])


def is_actionable(*, as_of: datetime) -> Q:
    """Triaged, and neither spam nor a duplicate of another item."""
    decided = _events((Event.Type.TRIAGED,), as_of).exclude(data__contains={"actionable": False})
    duplicate = Ticket.objects.filter(item=OuterRef("pk"), resolution=Resolution.DUPLICATE, resolved_at__lte=as_of)
    return Q(Exists(decided)) & ~Q(Exists(duplicate))


def is_acted_on(*, as_of: datetime) -> Q:
    """Linked to an action that has shipped and was not withdrawn."""
    shipped = ActionLink.objects.filter(
        Q(unlinked_at=None) | Q(unlinked_at__gt=as_of),
        Q(action__withdrawn_at=None) | Q(action__withdrawn_at__gt=as_of),
        ticket__item=OuterRef("pk"),
        linked_at__lte=as_of,
        action__shipped_at__lte=as_of,
    )
    return Q(Exists(shipped))


def _events(types: tuple[str, ...], as_of: datetime, *, item: OuterRef | None = None) -> QuerySet[Event]:
    """Events of an item as known then, without those that had been taken back."""
    taken_back = Event.objects.filter(undoes=OuterRef("pk"), recorded_at__lte=as_of)
    return Event.objects.filter(
        ~Exists(taken_back), item=item or OuterRef("pk"), type__in=types, occurred_at__lte=as_of, recorded_at__lte=as_of
    )
