"""Where causes sit: what is said by production stage and theme, what stages hand over to each other, and the list for a gate."""

from collections import Counter
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.db.models import Count, Q, Subquery
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.models import Stage, Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import NotFound
from triage.lifecycle import OPEN
from triage.models import Action, Event, Theme, Ticket

LOOKS_BACK: Final = timedelta(days=90)
MOST_THEMES: Final = 15
MOST_LISTED: Final = 300
MOST_HANDED: Final = 20_000


@dataclass(frozen=True)
class Cell:
    """`heat` from 0 to 5, of the largest cell."""

    stage: Stage
    count: int
    heat: int


@dataclass(frozen=True)
class Row:
    theme: Theme
    cells: tuple[Cell, ...]
    total: int


@dataclass(frozen=True)
class Hand:
    source: Stage
    target: Stage
    count: int


@dataclass(frozen=True)
class Map:
    stages: tuple[Stage, ...]
    rows: tuple[Row, ...]
    open_actions: tuple[tuple[Stage, int], ...]
    open_tickets: tuple[tuple[Stage, int], ...]
    hands: tuple[Hand, ...]


def draw(*, by: Actor, at: datetime) -> Map:
    """The map of the last 90 days: distinct items, of the tickets this actor sees."""
    stages = tuple(Stage.objects.order_by("position", "slug"))
    seen = Ticket.objects.visible_to(by).filter(received_at__gte=at - LOOKS_BACK, stage__isnull=False)
    said = seen.filter(item__theme_member__theme__isnull=False).order_by()
    counted = said.values_list("item__theme_member__theme", "stage").annotate(n=Count("item", distinct=True))
    cells: dict[int, dict[int, int]] = {}
    for theme, stage, n in counted:
        cells.setdefault(theme, {})[stage] = n
    biggest = sorted(cells, key=lambda theme: (-sum(cells[theme].values()), theme))[:MOST_THEMES]
    themes = Theme.objects.in_bulk(biggest)
    most = max((n for theme in biggest for n in cells[theme].values()), default=1)
    rows = tuple(
        Row(
            themes[theme],
            tuple(Cell(stage, n := cells[theme].get(stage.pk, 0), -(-5 * n // most)) for stage in stages),
            sum(cells[theme].values()),
        )
        for theme in biggest
        if theme in themes
    )
    actions = Counter(Action.objects.visible_to(by).under_way().values_list("stage", flat=True))
    tickets = dict(
        Ticket.objects.visible_to(by)
        .open()
        .filter(stage__isnull=False)
        .order_by()
        .values_list("stage")
        .annotate(Count("pk"))
    )
    return Map(
        stages,
        rows,
        tuple((stage, actions[stage.pk]) for stage in stages),
        tuple((stage, tickets.get(stage.pk, 0)) for stage in stages),
        _hands(stages, by=by, at=at),
    )


def find(slug: str) -> Stage:
    stage = Stage.objects.filter(slug=slug).first()
    if stage is None:
        raise NotFound(gettext("There is no such stage. Choose one from the map."))
    return stage


def gate(stage: Stage, *, since: date, by: Actor) -> list[Ticket]:
    """What must be looked at before the next batch or release passes this stage: the open tickets whose cause sits there, and what
    was shipped for it since the last gate; safety first, then the most recent."""
    starts = datetime(since.year, since.month, since.day, tzinfo=timezone.get_default_timezone())
    rows = Ticket.objects.visible_to(by).filter(stage=stage)
    rows = rows.filter(Q(status__in=sorted(OPEN)) | Q(resolution="shipped", resolved_at__gte=starts))
    rows = rows.filter(Q(received_at__gte=starts) | Q(severity=1) | Q(resolved_at__gte=starts))
    shown = rows.select_related("item", "team", "item__theme_member__theme").defer(
        "item__text", "item__context", "explanation"
    )
    return list(shown.order_by("severity", "-received_at", "-pk")[:MOST_LISTED])


def _hands(stages: tuple[Stage, ...], *, by: Actor, at: datetime) -> tuple[Hand, ...]:
    """How often a person sent work from a team of one stage to a team of another."""
    known = {stage.pk: stage for stage in stages}
    at_stage = {slug: known[stage] for slug, stage in Team.objects.values_list("slug", "stage") if stage in known}
    routed = Event.objects.filter(
        type=Event.Type.ROUTED, occurred_at__gte=at - LOOKS_BACK, undone_by=None, data__has_key="from"
    )
    if not by.sees_everything:
        routed = routed.filter(ticket__in=Subquery(Ticket.objects.visible_to(by).values("pk")))
    pairs: Counter[tuple[int, int]] = Counter()
    for source, target in routed.order_by("-pk").values_list("data__from", "data__team")[:MOST_HANDED]:
        one, other = at_stage.get(str(source)), at_stage.get(str(target))
        if one is not None and other is not None and one.pk != other.pk:
            pairs[one.pk, other.pk] += 1
    return tuple(Hand(known[one], known[other], n) for (one, other), n in pairs.most_common(20))
