"""Which tickets a search means: the query of `triage.finding.search` as conditions on rows."""

import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import reduce
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib.postgres.search import SearchQuery
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Coalesce
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number, customer_number, theme_number, ticket_number
from intake.models import Attachment, Channel
from triage.finding import search
from triage.finding.search import And, Between, Compared, Is, Length, Not, Or, Query, SearchError, Term, Where
from triage.finding.search_fields import CONTEXT, ENTITY
from triage.lifecycle import OPEN, Resolution, Status
from triage.models import ActionLink, Event, Mention, ModelVersion, SearchText, Tagging, Theme, Ticket, Topic
from triage.models.learning import Field
from triage.routing import OUT_OF_THE_WAY, SURE_ENOUGH
from triage.taggers.entities import key_of


@dataclass(frozen=True)
class Asker:
    """Who searches and when: `me`, `today` and lengths of time depend on it."""

    user: User | None
    at: datetime
    zone: ZoneInfo

    @property
    def today(self) -> date:
        return self.at.astimezone(self.zone).date()


def condition(query: Query, asker: Asker) -> Q:
    """The query as one condition on `Ticket`. A field that cannot be asked here is a `SearchError`."""
    match query:
        case And(parts):
            # Words are looked up together: the index then reads what holds all of them, not what holds each.
            words = [part for part in parts if isinstance(part, Term)]
            others = (condition(part, asker) for part in parts if not isinstance(part, Term))
            return reduce(operator.and_, others, _worded(words) if words else Q())
        case Or(parts):
            return reduce(operator.or_, (condition(part, asker) for part in parts))
        case Not(part):
            # Not a plain negation: what is unknown about a row (no customer, no account) is "not that" too.
            return Q(~Exists(Ticket.objects.filter(condition(part, asker), pk=OuterRef("pk"))))
        case Term():
            return _worded([query])
        case Where(field, values):
            return reduce(operator.or_, (_where(field, value, asker) for value in values))


def mentions_status(query: Query) -> bool:
    """Whether the query itself says which statuses it means; if not, the list shows what is open."""
    match query:
        case And(parts) | Or(parts):
            return any(mentions_status(part) for part in parts)
        case Not(part):
            return mentions_status(part)
        case Where(field, _):
            return field in {"is", "snoozed", "resolution", "resolved", "id"}
        case _:
            return False


def matching(query: Query, actor: Actor, *, at: datetime) -> QuerySet[Ticket]:
    """The tickets a search means, of those that exist for this actor; what waits for a decision unless it says more."""
    found = Ticket.objects.visible_to(actor)
    if not mentions_status(query):
        found = found.undecided()
    return found.filter(condition(query, asker_of(actor.user, at)))


def counts_by_tab(found: QuerySet[Ticket], actor: Actor, *, most: int) -> dict[str, int]:
    """How many of them lie in each tab, each at most `most`; in one statement while there are fewer."""
    rows = list(found.order_by().values_list("assignee_id", "team_id")[:most])
    if len(rows) < most:
        unclaimed, mine = sum(who is None for who, _ in rows), sum(team in actor.team_ids for _, team in rows)
        return {"all": len(rows), "unclaimed": unclaimed, "mine": mine}
    return {"all": most} | {tab: in_tab(found, tab, actor)[:most].count() for tab in ("unclaimed", "mine")}


def in_tab(found: QuerySet[Ticket], tab: str, actor: Actor) -> QuerySet[Ticket]:
    if tab == "mine":
        return found.filter(team__in=actor.team_ids)
    return found.filter(assignee=None) if tab == "unclaimed" else found


def asker_of(user: User | None, at: datetime) -> Asker:
    return Asker(user, at, ZoneInfo(timezone.get_default_timezone_name()))


def _worded(terms: Sequence[Term]) -> Q:
    queries = (
        SearchQuery(each.text, config="simple", search_type="phrase" if each.exact or " " in each.text else "plain")
        for each in terms
    )
    together = reduce(operator.and_, queries)
    return Q(Exists(SearchText.objects.filter(item=OuterRef("item"), document=together)))


def _where(field: str, value: search.Value, asker: Asker) -> Q:
    if field.startswith(CONTEXT):
        return _context(field.removeprefix(CONTEXT), value)
    if field.startswith(ENTITY) or field in _ENTITIES:
        return _named(field.removeprefix(ENTITY), _word(value))
    if field in _STATES:
        return _STATES[field](_word(value), asker)
    if field in _PLACES:
        column, by, rows, empty = _PLACES[field]
        word = _word(value)
        return Q(**empty) if word == "none" else Q(**{f"{column}__in": _keys(rows.filter(**{f"{by}__iexact": word}))})
    if field in _NAMES:
        column, empty = _NAMES[field]
        word = _word(value)
        return Q(**empty) if word == "none" else Q(**{f"{column}__iexact": word})
    if field in _NUMBERS:
        return _said(_NUMBERS[field], value)
    if field in _DAYS:
        return _day(_DAYS[field], value, asker)
    raise SearchError(gettext('"%(field)s:" cannot be searched for yet. Leave it out.') % {"field": field})


def _context(name: str, value: search.Value) -> Q:
    """By containment, so that a name typed by a person never becomes part of a lookup."""
    if not isinstance(value, Is):
        raise SearchError(
            gettext('"%(context)s%(name)s" can only be asked for one value, as in %(context)sbatch:H4-2231.')
            % {"context": CONTEXT, "name": name}
        )
    return Q(item__context__contains={name: str(value.value)})


def _named(kind: str, word: str) -> Q:
    """Items that name this thing; `none` finds those that name nothing of the kind."""
    mentions = Mention.objects.filter(item=OuterRef("item"), kind=kind)
    return ~Q(Exists(mentions)) if word == "none" else Q(Exists(mentions.filter(key=key_of(word))))


def _product(word: str, asker: Asker) -> Q:
    """The product that was given, and where none was, the one that the text names."""
    given = Q(item__product="") if word == "none" else Q(item__product__iexact=word)
    return given & _named("product", word) if word == "none" else given | Q(item__product="") & _named("product", word)


def _word(value: search.Value) -> str:
    return str(value.value) if isinstance(value, Is) else str(value)


def _state(word: str, asker: Asker) -> Q:
    return {
        "untriaged": Q(status=Status.NEW),
        "open": Q(status__in=sorted(OPEN)),
        "waiting": Q(status=Status.WAITING),
        "snoozed": Q(status=Status.SNOOZED),
        "resolved": Q(status=Status.RESOLVED),
        "closed": Q(status=Status.CLOSED),
        "done": Q(status__in=[Status.RESOLVED, Status.CLOSED]),
        "overdue": Q(status__in=sorted(OPEN), triaged_at=None, due_at__lt=asker.at),
        "safety": Q(severity=1),
        "spam": Q(rank=OUT_OF_THE_WAY) | Q(resolution=Resolution.SPAM),
        "test": Q(item__is_test=True),
    }[word]


def _assigned(word: str, asker: Asker) -> Q:
    if word == "none":
        return Q(assignee=None)
    if word == "me":
        return Q(assignee=asker.user) if asker.user else Q(pk=None)
    return Q(assignee__email__iexact=word) | Q(assignee__name__icontains=word)


def _tag(word: str, asker: Asker) -> Q:
    standing = Tagging.objects.standing().filter(item=OuterRef("item"))
    if word == "none":
        return ~Q(Exists(standing))
    topics = Topic.objects.filter(Q(slug__iexact=word) | Q(name__iexact=word) | Q(parent__slug__iexact=word))
    return Q(Exists(standing.filter(topic__in=_keys(topics))))


def _keys(rows: QuerySet[Any]) -> list[int]:
    """Which rows of a small table are meant, read now: with numbers instead of names the database takes the index of their queue."""
    return list(rows.order_by("pk").values_list("pk", flat=True))


def _theme(word: str, asker: Asker) -> Q:
    if word == "none":
        return Q(item__theme_member__theme=None)
    number = theme_number(word)
    named = Q(pk=number) if number else Q(name__iexact=word)
    themes = Theme.objects.filter(named).values_list(Coalesce("joined_into", "pk"))
    return Q(item__theme_member__theme__in=themes)


def _from(word: str, asker: Asker) -> Q:
    if word == "none":
        return Q(item__customer=None)
    person, firm = "item__customer", "item__customer__account"
    return (
        Q(**{f"{person}__name__icontains": word})
        | Q(**{f"{person}__email__iexact": word})
        | Q(**{f"{person}__external_id__iexact": word})
        | Q(**{f"{firm}__name__icontains": word})
        | Q(**{f"{firm}__external_id__iexact": word})
    )


def _has(word: str, asker: Asker) -> Q:
    files = Attachment.objects.filter(submission=OuterRef("item"))
    return {
        "photo": Q(Exists(files.filter(content_type__startswith="image/"))),
        "attachment": Q(Exists(files)),
        "rating": Q(item__rating_value__isnull=False),
        "customer": Q(item__customer__isnull=False),
        "reply": Q(Exists(Event.objects.filter(item=OuterRef("item"), type=Event.Type.REPLY))),
        "action": Q(Exists(ActionLink.objects.filter(ticket=OuterRef("pk"), unlinked_at=None))),
        "duplicates": Q(Exists(Ticket.objects.filter(duplicate_of=OuterRef("pk")))),
    }[word]


def _action(word: str, asker: Asker) -> Q:
    links = ActionLink.objects.filter(ticket=OuterRef("pk"), unlinked_at=None)
    return ~Q(Exists(links)) if word == "none" else Q(Exists(links.filter(action=action_number(word) or 0)))


def _id(word: str, asker: Asker) -> Q:
    number = customer_number(word)
    return Q(item=number) if number is not None else Q(pk=ticket_number(word) or 0)


def _urgency(word: str, asker: Asker) -> Q:
    return Q(item__analysis__urgency={"low": 0, "normal": 1, "high": 2, "safety": 3}[word])


def _snoozed(word: str, asker: Asker) -> Q:
    return Q(status=Status.SNOOZED) if word == "yes" else ~Q(status=Status.SNOOZED)


def _suggested(word: str, asker: Asker) -> Q:
    """Of what waits for its first decision. "Unsure" is what is worth a person's word most: near enough to a topic to be shown,
    not sure enough to be set, and no copy of another item, whose answer would teach the same."""
    if word == "none":
        return Q(status=Status.NEW, explanation__by="catch_all")
    standing = Tagging.objects.standing().filter(item=OuterRef("item"))
    surely = Q(Exists(standing.filter(~Q(source="model") | Q(confidence__gte=_sure_from()))))
    if word == "sure":
        return Q(status=Status.NEW) & (Q(explanation__by="rule") | surely)
    return Q(Exists(standing), ~surely, status=Status.NEW, item__wording__copy_of=None)


def _sure_from() -> float:
    """From which confidence on the topics' model in use sets a tag by itself."""
    thresholds = ModelVersion.objects.active().of(Field.TOPIC).values_list("thresholds", flat=True).first() or {}
    chosen = thresholds.get("meaning") or thresholds.get("words") or {}
    return float(chosen.get("auto") or SURE_ENOUGH)


_STATES: Mapping[str, Callable[[str, Asker], Q]] = {
    "is": _state,
    "assigned": _assigned,
    "tag": _tag,
    "theme": _theme,
    "from": _from,
    "has": _has,
    "action": _action,
    "id": _id,
    "urgency": _urgency,
    "snoozed": _snoozed,
    "product": _product,
    "suggest": _suggested,
    "mood": lambda word, asker: Q(item__analysis__sentiment=word),
    "resolution": lambda word, asker: Q(resolution=Resolution(word)),
}

_ENTITIES = frozenset({"batch", "order", "serial", "site"})

_PLACES: Mapping[str, tuple[str, str, QuerySet[Any], dict[str, object]]] = {
    "team": ("team", "slug", Team.objects.all(), {"team__is_catch_all": True}),
    "stage": ("stage", "slug", Stage.objects.all(), {"stage": None}),
    "channel": ("item__channel", "slug", Channel.objects.all(), {"pk": None}),
    "connector": ("item__channel", "kind", Channel.objects.all(), {"pk": None}),
}
_NAMES: Mapping[str, tuple[str, dict[str, object]]] = {
    "lang": ("item__analysis__language", {"item__analysis__language": "und"}),
    "scale": ("item__rating_scale", {"item__rating_scale": ""}),
    "version": ("item__product_version", {"item__product_version": ""}),
    "segment": ("item__customer__account__segment", {"item__customer__account": None}),
}

_NUMBERS = {"severity": "severity", "rating": "item__rating_value", "value": "item__customer__account__value"}

_DAYS = {"received": "received_at", "submitted": "item__submitted_at", "resolved": "resolved_at", "sla": "due_at"}

_LOOKUPS = {"<": "lt", "<=": "lte", ">": "gt", ">=": "gte"}


def _said(column: str, value: search.Value) -> Q:
    match value:
        case Is(word) if word == "none":
            return Q(**{f"{column}__isnull": True})
        case Is(word):
            return Q(**{column: word if isinstance(word, Decimal) else str(word)})
        case Compared(op, bound):
            return Q(**{f"{column}__{_LOOKUPS[op]}": bound})
        case Between(low, high):
            return Q(**{f"{column}__gte": low, f"{column}__lte": high})


def _day(column: str, value: search.Value, asker: Asker) -> Q:
    """Days are the organisation's calendar days; a length is an age, or for `sla` the time that is left."""
    match value:
        case Is("today"):
            return _between(column, asker.today, asker.today, asker)
        case Is("yesterday"):
            return _between(column, asker.today - timedelta(days=1), asker.today - timedelta(days=1), asker)
        case Is("overdue"):
            return Q(due_at__lt=asker.at)
        case Is(day) if isinstance(day, date):
            return _between(column, day, day, asker)
        case Between(low, high) if isinstance(low, date) and isinstance(high, date):
            return _between(column, low, high, asker)
        case Compared(op, Length() as length):
            if column == "due_at":
                return Q(**{f"{column}__{_LOOKUPS[op]}": asker.at + length.delta})
            # Younger than a week was received after the moment a week ago.
            turned = {"<": "gt", "<=": "gte", ">": "lt", ">=": "lte"}[op]
            return Q(**{f"{column}__{turned}": asker.at - length.delta})
        case Compared(op, day) if isinstance(day, date):
            edge = day + timedelta(days=1) if op in {">", "<="} else day
            return Q(**{f"{column}__{'lt' if op in {'<', '<='} else 'gte'}": _midnight(edge, asker)})
        case _:
            raise SearchError(
                gettext('"%(value)s" is no day. Write it as 2026-03-31, today or <7d.') % {"value": value}
            )


def _between(column: str, low: date, high: date, asker: Asker) -> Q:
    return Q(**{f"{column}__gte": _midnight(low, asker), f"{column}__lt": _midnight(high + timedelta(days=1), asker)})


def _midnight(day: date, asker: Asker) -> datetime:
    return datetime.combine(day, time.min, tzinfo=asker.zone)
