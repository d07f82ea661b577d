"""What KPIs count: the items of a period as they stood at one moment, and when things happened to them.

Everything here builds querysets and expressions; each is true as of `as_of`, which means that only what had happened
and was recorded by then is seen.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import reduce
from operator import or_
from typing import Any, Final, NamedTuple

from django.db.models import (
    BigIntegerField,
    Case,
    CharField,
    Count,
    DateField,
    DateTimeField,
    Exists,
    ExpressionWrapper,
    F,
    Field,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Value,
    When,
)
from django.db.models.expressions import Combinable, RawSQL
from django.db.models.fields.json import KeyTextTransform, KeyTransform
from django.db.models.functions import Cast, Coalesce, Greatest, TruncDate
from django.db.models.lookups import GreaterThan

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


class Place(NamedTuple):
    """Where an item is counted: on which day, or that on which its period begins, and of whom."""

    day: date
    team: int | None
    channel: int | None
    stage: int | None


PLACE: Final = (F("day"), F("team_id"), F("channel_id"), F("stage_id"))
"""A `Place` as columns of a population, to group by."""


def population(period: Period, *, as_of: datetime) -> QuerySet[FeedbackItem]:
    """The items received in the period by `as_of`, minus test data and spam.

    Each has the `team_id` and `stage_id` of its first ticket, and as its `day` the first of the period.
    """
    return _population([period], Value(period.first, output_field=DateField()), as_of=as_of)


def population_by_day(days: Sequence[Period], *, as_of: datetime) -> QuerySet[FeedbackItem]:
    """The same of several single days, in order, each item with its own `day`: one statement counts them all."""
    return _population(days, TruncDate("received_at", tzinfo=days[0].zone), as_of=as_of)


def _population(periods: Sequence[Period], day: Combinable, *, as_of: datetime) -> QuerySet[FeedbackItem]:
    tickets = _tickets(as_of)
    items = FeedbackItem.objects.filter(_received_in(periods), received_at__lte=as_of, is_test=False).annotate(
        day=day,
        team_id=_of_first(tickets, _stood("team_id", as_of)),
        stage_id=_of_first(tickets, _stood("stage_id", as_of)),
    )
    # What is not on a ticket yet has not been understood, so nobody can say whether it is spam; what several teams have
    # is a voice as long as one of them takes it for one.
    return items.filter(Exists(_not_ended_as(Resolution.SPAM, tickets, as_of)))


def within(items: QuerySet[FeedbackItem], slice: Slice) -> QuerySet[FeedbackItem]:
    """Those of a population that lie in the slice."""
    wanted = {"team_id": slice.team, "channel_id": slice.channel, "stage_id": slice.stage}
    return items.filter(**{name: key for name, key in wanted.items() if key is not None})


def still_open(days: Sequence[Period]) -> dict[Place, Counter[str]]:
    """How many tickets of the items received on these days are open now."""
    tickets = Ticket.objects.open().filter(_received_in(days), item__is_test=False)
    rows = (
        tickets.annotate(day=TruncDate("received_at", tzinfo=days[0].zone))
        .order_by()
        .values_list("day", "team", "item__channel", "stage")
        .annotate(n=Count("pk"))
    )
    return {Place(*place): Counter(tickets=n) for *place, n in rows}


def _received_in(periods: Iterable[Period]) -> Q:
    """In any of these periods, which are in order; those that follow on one another are one range."""
    ranges: list[tuple[datetime, datetime]] = []
    for period in periods:
        begins = period.starts_at
        if ranges and ranges[-1][1] == begins:
            begins = ranges.pop()[0]
        ranges.append((begins, period.ends_at))
    return reduce(or_, (Q(received_at__gte=begins, received_at__lt=ends) for begins, ends in ranges))


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


def first_due(*, as_of: datetime) -> Subquery:
    """When the first decision on an item was due."""
    return _of_first(_tickets(as_of), _stood("due_at", as_of))


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
    merged = _tickets(as_of).annotate(ended_as=_ended_as(as_of), ended_at=_stood("resolved_at", as_of))
    whole = merged.filter(~Exists(_own_work(as_of, item=OuterRef("item"))), ended_as=Resolution.DUPLICATE)
    return Subquery(whole.order_by("-ended_at").values("ended_at")[:1])


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
    return _not_ended_as(Resolution.DUPLICATE, _tickets(as_of, item=item), as_of)


def _tickets(as_of: datetime, *, item: OuterRef | None = None) -> QuerySet[Ticket]:
    """The tickets that an item had by then."""
    return Ticket.objects.filter(item=item or OuterRef("pk"), created_at__lte=as_of)


def _not_ended_as(resolution: Resolution, tickets: QuerySet[Ticket], as_of: datetime) -> QuerySet[Ticket]:
    return tickets.annotate(ended_as=_ended_as(as_of)).exclude(ended_as=resolution)


def _ended_as(as_of: datetime) -> Combinable:
    """On tickets: the resolution that one had then, empty while it was open.

    What was decided later overwrites a ticket, and keeps in its event what it was before: so the first of the events
    recorded after `as_of` says what held then, and where there is none the row itself does.
    """
    later = Case(When(_went_on(as_of), then=Subquery(_was("resolution", as_of)[:1])), output_field=CharField())
    # What has no event of its own, as after an import, is dated by the row.
    row = Case(When(resolved_at__lte=as_of, then=F("resolution")), default=Value(""), output_field=CharField())
    return Coalesce(later, row)


def _stood(field: str, as_of: datetime) -> Combinable:
    """On tickets: what a field held then, as with `_ended_as`."""
    output: Field[Any, Any] = DateTimeField() if field.endswith("_at") else BigIntegerField()
    was = _was(field, as_of)
    then = Subquery(was.annotate(then=Cast("was", output)).values("then")[:1])
    return Case(When(_went_on(as_of) & Q(Exists(was)), then=then), default=F(field), output_field=output)


def _was(field: str, as_of: datetime) -> QuerySet[Any, Any]:
    """What the decisions since then say that a field of their ticket held before, the first of them first."""
    events = Event.objects.filter(ticket=OuterRef("pk"), recorded_at__gt=as_of, data__before__has_key=field)
    return events.order_by("pk").annotate(was=KeyTextTransform(field, KeyTransform("before", "data"))).values("was")


def _went_on(as_of: datetime) -> Q:
    """Whether anything was written down since: if not, no ticket has to be asked what it was."""
    return Q(GreaterThan(_LAST_RECORDED, Value(as_of, output_field=DateTimeField())))


# Of several, since whoever began earlier may write later.
_LAST_RECORDED: Final = RawSQL(
    "SELECT max(recorded_at) FROM (SELECT recorded_at FROM triage_event ORDER BY id DESC LIMIT 200) AS newest", ()
)


def _of_first(tickets: QuerySet[Ticket], what: Combinable) -> Subquery:
    return Subquery(tickets.order_by("pk").annotate(what=what).values("what")[:1])


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
