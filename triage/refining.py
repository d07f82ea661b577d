"""Looking again: items that were read by cheap means or by an older model are read anew, and only what no person has touched
changes.

The tickets of the items are locked before anything is compared, as every decision does, so a person who decides meanwhile is
either seen here or finds the ticket as it then is. The same item read by the same versions ends with the same tags and team,
whichever batch it came in.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection

from feedback_portal.pending import Drained, drain
from intake.models import Arrival, FeedbackItem
from triage.lifecycle import Status
from triage.live.bulletins import tell_arrived, tell_changed
from triage.models import Analysis, Event, Refinement, Tagging, Ticket, Topic
from triage.models.events import mark_changed
from triage.pipeline import Draft, Toolbox, draft, routed, split, texts_of
from triage.understanding.answers import ask_later

BATCH = 100
MOST_MARKED = 100_000
"""So many items, the newest, are looked at again when another model takes over."""

_PEOPLE = (Event.Source.PERSON, Event.Source.CUSTOMER)
_NO_DECISIONS = (Event.Type.RECEIVED, Event.Type.CHANGED, Event.Type.RECEIPT, Event.Type.AUDITED)
_OF_TAGS = frozenset({Event.Type.TAGGED, Event.Type.UNTAGGED})
_ANALYSED = ("language", "sentiment", "sentiment_score", "urgency", "evidence", "versions", "failures")
_SHOWN = ("source", "confidence", "evidence", "made_by")
# What a person decides on: when one of these changes, whoever looks at the ticket must look anew.
_DECISIVE = ("team_id", "assignee_id", "severity")
_PLACED = ("team_id", "stage_id", "assignee_id", "severity", "rank", "due_at", "explanation")


def refine_pending(*, at: datetime) -> Drained:
    """Look again at every item that is due, with the encoder and the models in use."""
    rows = Refinement.objects.select_related("item__channel", "item__customer__account", "item__submission").defer(
        "item__submission__payload", "item__submission__conflicting_payload", "item__submission__headers"
    )
    tools = Toolbox(at=at)

    def work(taken: list[Refinement]) -> None:
        there = [row for row in taken if row.item.submission.gone_at is None]
        if there:
            items = [row.item for row in there]
            texts = texts_of(items, encode=len(items), asked=tools.current().asked)
            drafts = draft(items, texts, tools=tools.current())
            ask_later((item, each.ask) for item, each in zip(items, drafts, strict=True))
            rewrite(items, drafts, why={row.item_id: row.get_why_display() for row in there}, at=at)
        # Done is done: nobody asks what was looked at, and there is a row for every item that ever came.
        Refinement.objects.filter(pk__in=[row.pk for row in taken]).delete()

    # Whoever has just written is placed first: a large import must not wait until the encoder has seen the one before.
    return drain(rows, work, batch=BATCH, gives_way=Arrival.objects.due().exists)


def rewrite(items: Sequence[FeedbackItem], drafts: Sequence[Draft], *, why: dict[int, str], at: datetime) -> int:
    """Make these items what their drafts say, as far as no person touched them; how many changed. Inside the caller's
    transaction.

    Tags that the model put on an item change unless a person put a tag on it or took one off. Its ticket moves unless
    anybody decided about it, it has several, or its customer answered.
    """
    here = _Standing.of([item.pk for item in items])
    _rewrite_analyses(drafts)
    changes = []
    for item, drafted in zip(items, drafts, strict=True):
        change = _Change(item.pk, why[item.pk])
        if item.pk not in here.touched:
            change.tags(drafted.taggings, here.taggings.get(item.pk, {}))
        if item.pk in here.undecided:
            change.place(drafted, here.undecided[item.pk])
        if change.is_any:
            changes.append(change)
    _write(changes, here.tickets, at=at)
    return len(changes)


def mark_untouched(*, why: str, most: int = MOST_MARKED) -> int:
    """Everything that waits for its first decision is to be looked at again, the newest first; how many items."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO triage_refinement (item_id, why)"
            " SELECT item_id, %s FROM (SELECT item_id FROM triage_ticket WHERE status = 'new' AND triaged_at IS NULL"
            " ORDER BY received_at DESC, id DESC LIMIT %s) newest ON CONFLICT DO NOTHING",
            [why, most],
        )
        return int(cursor.rowcount)


@dataclass(frozen=True)
class _Standing:
    """What stands on some items, with their tickets locked: the items whose tags people touched, the tags by item and topic,
    the tickets in the order in which they were made, and those of the items nobody decided about."""

    touched: frozenset[int]
    taggings: Mapping[int, Mapping[int, Tagging]]
    tickets: Mapping[int, Sequence[Ticket]]
    undecided: Mapping[int, Sequence[Ticket]]

    @classmethod
    def of(cls, items: Sequence[int]) -> "_Standing":
        # Not by key: an event may be written about a locked ticket, a decision may not be taken.
        rows = Ticket.objects.filter(item__in=items).select_related("team")
        tickets: dict[int, list[Ticket]] = {}
        for ticket in rows.select_for_update(no_key=True, of=("self",)).order_by("pk"):
            tickets.setdefault(ticket.item_id, []).append(ticket)
        said = Event.objects.filter(item__in=items, source__in=_PEOPLE).exclude(type__in=_NO_DECISIONS)
        heard = list(said.values_list("item", "type"))
        decided = {item for item, _ in heard}
        tagged = {item for item, kind in heard if kind in _OF_TAGS}
        standing: dict[int, dict[int, Tagging]] = {}
        for tagging in Tagging.objects.filter(item__in=items).order_by("pk"):
            if tagging.source == Tagging.Source.PERSON or tagging.removed_at is not None:
                tagged.add(tagging.item_id)
            standing.setdefault(tagging.item_id, {})[tagging.topic_id] = tagging
        return cls(
            frozenset(tagged),
            standing,
            tickets,
            {
                item: own
                for item, own in tickets.items()
                if item not in decided and all(one.status == Status.NEW and one.triaged_at is None for one in own)
            },
        )


def _rewrite_analyses(drafts: Sequence[Draft]) -> None:
    Analysis.objects.bulk_update([each.analysis for each in drafts], _ANALYSED)


class _Change:
    """What is to become of one item; `tickets` are those that may change, the first of them the one that may move."""

    def __init__(self, item: int, why: str) -> None:
        self.item, self.why = item, why
        self.put: list[Tagging] = []
        self.changed: list[Tagging] = []
        self.taken: list[Tagging] = []
        self.ticket: Ticket | None = None
        self.came_from = ""
        self.left: int | None = None
        self.beside: list[Ticket] = []

    def tags(self, drafted: Sequence[Tagging], standing: Mapping[int, Tagging]) -> None:
        """The model's tags become what was drafted; a rule's tag stays, and one that is drafted is put on."""
        wanted = {tagging.topic_id: tagging for tagging in drafted}
        self.put = [tagging for topic, tagging in wanted.items() if topic not in standing]
        self.taken = [
            tagging for topic, tagging in standing.items() if topic not in wanted and tagging.source == "model"
        ]
        for topic, tagging in standing.items():
            new = wanted.get(topic)
            if new is not None and tagging.source == "model" and _shown(tagging) != _shown(new):
                for name in _SHOWN:
                    setattr(tagging, name, getattr(new, name))
                self.changed.append(tagging)

    def place(self, drafted: Draft, tickets: Sequence[Ticket]) -> None:
        """The first ticket becomes what was drafted, unless another team's ticket would stand twice; rules may add teams."""
        first, new = tickets[0], drafted.ticket
        theirs = {ticket.team_id for ticket in tickets}
        if new.team_id != first.team_id and new.team_id in theirs:
            return
        self.beside = [ticket for ticket in drafted.beside if ticket.team_id not in theirs | {new.team_id}]
        if all(getattr(first, name) == getattr(new, name) for name in _PLACED):
            return
        if new.team_id != first.team_id:
            self.came_from, self.left = first.team.slug, first.team_id
        if any(getattr(first, name) != getattr(new, name) for name in _DECISIVE):
            first.version += 1
        for name in _PLACED:
            setattr(first, name, getattr(new, name))
        first.team = new.team
        self.ticket = first

    @property
    def is_any(self) -> bool:
        return bool(self.put or self.changed or self.taken or self.ticket or self.beside)


def _write(changes: Sequence[_Change], tickets: Mapping[int, Sequence[Ticket]], *, at: datetime) -> None:
    Tagging.objects.filter(pk__in=[each.pk for change in changes for each in change.taken]).delete()
    Tagging.objects.bulk_update([each for change in changes for each in change.changed], _SHOWN)
    Tagging.objects.bulk_create([each for change in changes for each in change.put], ignore_conflicts=True)
    moved = [change.ticket for change in changes if change.ticket]
    Ticket.objects.bulk_update(moved, [name.removesuffix("_id") for name in (*_PLACED, "version")])
    Ticket.objects.bulk_create([ticket for change in changes for ticket in change.beside])
    named = {tagging.topic_id for change in changes for tagging in (*change.put, *change.taken)}
    slugs = dict(Topic.objects.filter(pk__in=named).values_list("pk", "slug"))
    Event.objects.bulk_create(
        [event for change in changes for event in _told(change, tickets[change.item][0], slugs, at=at)]
    )
    mark_changed(change.ticket.received_at for change in changes if change.ticket and change.came_from)
    tell_changed(
        (ticket.pk, (ticket.team_id, change.left))
        for change in changes
        for ticket in tickets[change.item]
        if change.ticket or change.put or change.taken
    )
    tell_arrived(ticket.team_id for change in changes for ticket in change.beside)


def _told(change: _Change, ticket: Ticket, slugs: Mapping[int, str], *, at: datetime) -> Iterator[Event]:
    """What was done, for the timeline; that the model is a little surer of the same is nothing to tell."""
    for kind, taggings in ((Event.Type.TAGGED, change.put), (Event.Type.UNTAGGED, change.taken)):
        for tagging in taggings:
            said = {"topic": slugs[tagging.topic_id], "reason": change.why}
            yield Event(item_id=change.item, ticket=ticket, type=kind, source=tagging.source, data=said, occurred_at=at)
    if change.came_from:
        event = routed(ticket, at)
        event.data |= {"from": change.came_from, "reason": change.why}
        event.version = ticket.version
        yield event
    for other in change.beside:
        yield split(ticket, other, at)


def _shown(tagging: Tagging) -> tuple[Any, ...]:
    return tuple(getattr(tagging, name) for name in _SHOWN)
