"""What KPIs count: the items of a period as they stood at one moment, and when things happened to them.

Everything here builds querysets and expressions; each is true as of `as_of`, which means that only what had happened
and was recorded by then is seen.
"""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db.models import Count, DateTimeField, Exists, ExpressionWrapper, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Greatest

from intake.models import FeedbackItem
from kpis.periods import Period
from triage.lifecycle import HANDED_ON, Resolution
from triage.models import ActionLink, Event, Tagging, Ticket


@dataclass(frozen=True)
class Slice:
    """Whose items: everybody's, or those of one team, one channel, one production stage, or of several of these at once."""

    team: int | None = None
    channel: int | None = None
    stage: int | None = None


EVERYTHING = Slice()


def population(period: Period, *, as_of: datetime) -> QuerySet[FeedbackItem]:
    """The items received in the period by `as_of`, minus test data and spam.

    Each has the `team_id` and `stage_id` of its first ticket.
    """
    first_ticket = Ticket.objects.filter(item=OuterRef("pk")).order_by("pk")
    items = FeedbackItem.objects.filter(
        received_at__gte=period.starts_at, received_at__lt=period.ends_at, received_at__lte=as_of, is_test=False
    ).annotate(
        team_id=Subquery(first_ticket.values("team_id")[:1]), stage_id=Subquery(first_ticket.values("stage_id")[:1])
    )
    # What is not on a ticket yet has not been understood, so nobody can say whether it is spam; what several teams have
    # is a voice as long as one of them takes it for one.
    return items.filter(Exists(first_ticket.exclude(resolution=Resolution.SPAM, resolved_at__lte=as_of)))


def within(items: QuerySet[FeedbackItem], slice: Slice) -> QuerySet[FeedbackItem]:
    """Those of a population that lie in the slice."""
    wanted = {"team_id": slice.team, "channel_id": slice.channel, "stage_id": slice.stage}
    return items.filter(**{name: key for name, key in wanted.items() if key is not None})


def still_open(period: Period) -> dict[Slice, Counter[str]]:
    """How many tickets of the items received in the period are open now, for each (team, channel, stage)."""
    tickets = Ticket.objects.open().filter(
        received_at__gte=period.starts_at, received_at__lt=period.ends_at, item__is_test=False
    )
    rows = tickets.order_by().values_list("team", "item__channel", "stage").annotate(n=Count("pk"))
    return {Slice(*place): Counter(tickets=n) for *place, n in rows}


def first(*types: str, as_of: datetime) -> Subquery:
    """When the first event of these types happened to an item."""
    return Subquery(_events(types, as_of).order_by("occurred_at").values("occurred_at")[:1])


def last(*types: str, as_of: datetime) -> Subquery:
    return Subquery(_events(types, as_of).order_by("-occurred_at").values("occurred_at")[:1])


def stays_resolved(*, as_of: datetime) -> Subquery:
    """When an item was last resolved, unless it was reopened since: a reopened item is open again, so closing early
    cannot help. One that several teams work on is resolved when the last of them is done."""
    reopened_since = _events((Event.Type.REOPENED,), as_of, item=OuterRef("item")).filter(
        occurred_at__gte=OuterRef("occurred_at")
    )
    resolved = _events((Event.Type.RESOLVED,), as_of).filter(~Exists(reopened_since), ~Exists(_still_worked_on(as_of)))
    return Subquery(resolved.order_by("-occurred_at").values("occurred_at")[:1])


def first_due() -> Subquery:
    """When the first decision on an item was due."""
    return Subquery(Ticket.objects.filter(item=OuterRef("pk")).order_by("pk").values("due_at")[:1])


def since(moment: str, *types: str, as_of: datetime) -> Subquery:
    """When the first event of these types happened at or after the moment annotated under that name."""
    return Subquery(
        _events(types, as_of)
        .filter(occurred_at__gte=OuterRef(moment))
        .order_by("occurred_at")
        .values("occurred_at")[:1]
    )


def happened_within(time: timedelta, *types: str, as_of: datetime) -> Q:
    """An event of these types happened at most so long after the item's arrival."""
    latest = ExpressionWrapper(OuterRef("received_at") + Value(time), output_field=DateTimeField())
    return Q(Exists(_events(types, as_of).filter(occurred_at__lte=latest)))


def is_decided(*, as_of: datetime) -> Q:
    """Triaged by a person, and no duplicate of another item."""
    return Q(Exists(_decided(as_of))) & Q(Exists(_own_work(as_of)))


def was_moved(*, as_of: datetime) -> Q:
    """Sent by a person to another team than it lay with, unless they said that it was only handed on."""
    moved = _events((Event.Type.ROUTED,), as_of).filter(source=Event.Source.PERSON, data__has_key="from")
    # Most give no reason, and what is not there is in no list and out of none.
    return Q(Exists(moved.exclude(data__has_key="because", data__because__in=sorted(HANDED_ON))))


def was_proposed(*, as_of: datetime) -> Q:
    """Decided by a person who saw a proposal."""
    return Q(Exists(_proposed(as_of)))


def was_kept(*, as_of: datetime) -> Q:
    """Decided as it had been proposed."""
    return Q(Exists(_proposed(as_of).filter(data__contains={"kept": True})))


def is_duplicate(*, as_of: datetime) -> Q:
    return ~Q(Exists(_own_work(as_of)))


def _decided(as_of: datetime) -> QuerySet[Event]:
    return _events((Event.Type.TRIAGED,), as_of).filter(source=Event.Source.PERSON)


def _proposed(as_of: datetime) -> QuerySet[Event]:
    return (
        _decided(as_of).exclude(data__contains={"proposed_by": "catch_all"}).exclude(data__contains={"proposed_by": ""})
    )


def is_actionable(*, as_of: datetime) -> Q:
    """Triaged, and neither spam nor a duplicate of another item."""
    return Q(Exists(_found_actionable(as_of))) & Q(Exists(_own_work(as_of)))


def became_actionable(*, as_of: datetime) -> Subquery:
    """When it was known of an item that it can be acted on; a duplicate that was found later keeps that moment."""
    known = _found_actionable(as_of).annotate(known_at=Greatest("occurred_at", "recorded_at"))
    return Subquery(known.order_by("known_at").values("known_at")[:1])


def became_duplicate(*, as_of: datetime) -> Subquery:
    merged = Ticket.objects.filter(item=OuterRef("pk"), resolution=Resolution.DUPLICATE, resolved_at__lte=as_of)
    whole = merged.filter(~Exists(_own_work(as_of, item=OuterRef("item"))))
    return Subquery(whole.order_by("-resolved_at").values("resolved_at")[:1])


def is_acted_on(*, as_of: datetime) -> Q:
    """Linked to an action that has shipped and was not withdrawn."""
    return Q(Exists(_shipped(as_of)))


def became_acted_on(*, as_of: datetime) -> Subquery:
    """When the first of the actions that an item is linked to had shipped; what was withdrawn since never counts."""
    known = _shipped(as_of).annotate(known_at=Greatest("linked_at", "action__shipped_at"))
    return Subquery(known.order_by("known_at").values("known_at")[:1])


def was_answered(*, as_of: datetime) -> Q:
    """A person, or somebody's approval, wrote to the customer."""
    return Q(Exists(_events((Event.Type.REPLY,), as_of)))


def is_understood(*, as_of: datetime) -> Q:
    """What it is about stands on it, or somebody said what it is."""
    tagged = Tagging.objects.filter(
        Q(removed_at=None) | Q(removed_at__gt=as_of), item=OuterRef("pk"), created_at__lte=as_of
    )
    return Q(Exists(tagged)) | was_triaged(as_of=as_of)


def is_owned(*, as_of: datetime) -> Q:
    """Somebody has it by name, or a person decided where it belongs."""
    return Q(Exists(_events((Event.Type.ASSIGNED,), as_of))) | Q(
        Exists(_events((Event.Type.TRIAGED, Event.Type.MERGED), as_of).filter(source=Event.Source.PERSON))
    )


def was_triaged(*, as_of: datetime) -> Q:
    return Q(Exists(_events((Event.Type.TRIAGED, Event.Type.MERGED), as_of)))


def was_told(*, as_of: datetime) -> Q:
    """The customer was told an outcome."""
    return Q(Exists(_events((Event.Type.CUSTOMER_TOLD,), as_of)))


def is_verified(*, as_of: datetime) -> Q:
    """Linked to an action that has shipped and whose effect was judged, whatever the verdict."""
    return Q(Exists(_shipped(as_of).filter(action__finding__judged_at__lte=as_of).exclude(action__finding__outcome="")))


def _found_actionable(as_of: datetime) -> QuerySet[Event]:
    return _events((Event.Type.TRIAGED,), as_of).exclude(data__contains={"actionable": False})


def _own_work(as_of: datetime, *, item: OuterRef | None = None) -> QuerySet[Ticket]:
    """The tickets of an item that are no duplicates; an item without one is a duplicate itself."""
    return Ticket.objects.filter(item=item or OuterRef("pk")).exclude(
        resolution=Resolution.DUPLICATE, resolved_at__lte=as_of
    )


def _still_worked_on(as_of: datetime) -> QuerySet[Ticket]:
    """Other tickets of the item of an event that nobody has ended; an item with one ticket has none."""
    opened_since = Event.objects.filter(
        ticket=OuterRef("ticket"),
        type=Event.Type.REOPENED,
        occurred_at__gte=OuterRef("occurred_at"),
        recorded_at__lte=as_of,
    )
    ended = Event.objects.filter(
        ~Exists(Event.objects.filter(undoes=OuterRef("pk"), recorded_at__lte=as_of)),
        ~Exists(opened_since),
        ticket=OuterRef("pk"),
        type__in=(Event.Type.RESOLVED, Event.Type.MERGED),
        occurred_at__lte=as_of,
        recorded_at__lte=as_of,
    )
    others = Ticket.objects.filter(item=OuterRef("item"), created_at__lte=as_of).exclude(pk=OuterRef("ticket"))
    return others.filter(~Exists(ended))


def _shipped(as_of: datetime) -> QuerySet[ActionLink]:
    return ActionLink.objects.filter(
        Q(unlinked_at=None) | Q(unlinked_at__gt=as_of),
        Q(action__withdrawn_at=None) | Q(action__withdrawn_at__gt=as_of),
        ticket__item=OuterRef("pk"),
        linked_at__lte=as_of,
        action__shipped_at__lte=as_of,
    )


def _events(types: tuple[str, ...], as_of: datetime, *, item: OuterRef | None = None) -> QuerySet[Event]:
    """Events of an item as known then, without those that had been taken back."""
    taken_back = Event.objects.filter(undoes=OuterRef("pk"), recorded_at__lte=as_of)
    return Event.objects.filter(
        ~Exists(taken_back), item=item or OuterRef("pk"), type__in=types, occurred_at__lte=as_of, recorded_at__lte=as_of
    )
