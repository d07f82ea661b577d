"""Going over open tickets again after a rule, a topic or a model changed, as a job that can be watched and undone as a whole.

It looks only at tickets that nobody has decided about and no person has touched, and changes one only if it is still as it was
when it was looked at: whoever decides while it runs has decided.
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.core.serializers.json import DjangoJSONEncoder
from django.db import connection, transaction
from django.db.models import Count, Exists, Func, IntegerField, OuterRef, Q, QuerySet, Sum
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import filled, worded
from feedback_portal.pending import Drained, drain
from feedback_portal.refusals import NotAllowed
from triage.journal import NotNow
from triage.lifecycle import Status
from triage.live.bulletins import tell_changed
from triage.models import Event, ModelVersion, Reevaluation, ReevaluationBatch, Rule, Tagging, Ticket
from triage.models.events import mark_changed
from triage.models.themes import themes_of
from triage.pipeline import Tools
from triage.routing import Clues, Routing, facts_of, foresee
from triage.understanding import embeddings
from triage.understanding.reading import text_of

BATCH = 200
MOST = 200_000
"""So many of the newest tickets one run looks at."""
PREVIEWED = 1_000
"""So many of the newest tickets are tried before a run is asked for."""

_BY = {"rule": Event.Source.RULE, "topic": Event.Source.MODEL, "model": Event.Source.MODEL, "spam": Event.Source.MODEL}
# What a run may change about a ticket, and what undoing it puts back.
_CHANGED = ("team_id", "stage_id", "assignee_id", "severity", "rank", "due_at")

_PLAN = """
INSERT INTO triage_reevaluationbatch (run_id, is_undo, tickets, moved)
SELECT %(run)s, false, array_agg(id ORDER BY id), '{}' FROM (
    SELECT id, (row_number() OVER (ORDER BY id) - 1) / %(batch)s AS part FROM (
        SELECT t.id FROM triage_ticket t WHERE t.status = 'new' AND t.triaged_at IS NULL
            AND NOT EXISTS (SELECT FROM triage_event e WHERE e.ticket_id = t.id AND e.source = 'person')
            AND NOT EXISTS (SELECT FROM triage_ticket o WHERE o.item_id = t.item_id AND o.id <> t.id)
        ORDER BY t.id DESC LIMIT %(most)s
    ) newest
) numbered GROUP BY part ORDER BY part
"""
# The compare-and-set of a whole batch; what somebody decided meanwhile has another version and is passed over.
_SET = """
UPDATE triage_ticket t SET team_id = v.team_id, stage_id = v.stage_id, assignee_id = v.assignee_id, severity = v.severity,
    rank = v.rank, due_at = v.due_at, explanation = v.explanation::jsonb, version = t.version + 1
FROM unnest(%s::bigint[], %s::int[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::int[], %s::timestamptz[], %s::text[])
    AS v(id, version, team_id, stage_id, assignee_id, severity, rank, due_at, explanation)
WHERE t.id = v.id AND t.version = v.version AND t.status = 'new' AND t.triaged_at IS NULL
RETURNING t.id
"""


@dataclass(frozen=True)
class Change:
    """Where one ticket would lie by today's rules."""

    ticket: Ticket
    routing: Routing
    due_at: datetime

    @property
    def values(self) -> dict[str, Any]:
        team = self.routing.team
        return {
            "team_id": team.pk,
            "stage_id": team.stage_id,
            "assignee_id": self.routing.assignee_id,
            "severity": self.routing.severity,
            "rank": self.routing.rank,
            "due_at": self.due_at,
        }


@dataclass(frozen=True)
class Preview:
    """What a run would do with the newest tickets: how many were looked at, of how many (counted up to `MOST`), and how many
    would go from where to where."""

    looked_at: int
    untouched: int
    moves: Mapping[tuple[str, str], int]
    other: int
    """Those that stay with their team and change in severity or in whom they are given to."""

    @property
    def moving(self) -> int:
        return sum(self.moves.values())


@dataclass(frozen=True)
class Progress:
    """How far a run is, in tickets."""

    total: int
    looked_at: int
    moved: int
    put_back: int
    waiting: int
    parked: int

    @property
    def is_over(self) -> bool:
        return not self.waiting


def preview(*, at: datetime) -> Preview:
    """What would change now, tried without changing anything."""
    rows = untouched()
    keys = list(rows.order_by("-pk").values_list("pk", flat=True)[:PREVIEWED])
    found = _changes(keys, tools=Tools.load(at=at))
    moves = Counter(
        (change.ticket.team.name, change.routing.team.name)
        for change in found
        if change.ticket.team_id != change.routing.team.pk
    )
    total = len(keys) if len(keys) < PREVIEWED else rows.values("pk")[:MOST].count()
    return Preview(len(keys), total, dict(moves.most_common()), len(found) - sum(moves.values()))


def offer(*, at: datetime) -> str:
    """After a change, what it would mean for the tickets that lie here already, as a sentence; empty if nothing would move."""
    found = preview(at=at)
    count = found.moving + found.other
    if not count:
        return ""
    if found.untouched > found.looked_at:
        said = ngettext(
            "%(count)s of the %(looked_at)s newest open ticket would change by it: see below, and decide whether they should.",
            "%(count)s of the %(looked_at)s newest open tickets would change by it: see below, and decide whether they should.",
            count,
        )
    else:
        said = ngettext(
            "%(count)s open ticket would change by it: see below, and decide whether they should.",
            "%(count)s open tickets would change by it: see below, and decide whether they should.",
            count,
        )
    return said % {"count": count, "looked_at": found.looked_at}


def start(*, because: str = "", by: Actor, at: datetime) -> Reevaluation:
    """Ask for a run; it is worked off in batches by whoever drains them."""
    _may(by)
    with transaction.atomic():
        run = Reevaluation.objects.create(because=because or changed_since_last(), asked_by=by.user, asked_at=at)
        with connection.cursor() as cursor:
            cursor.execute(_PLAN, {"run": run.pk, "batch": BATCH, "most": MOST})
    return run


def undo(run: Reevaluation, *, by: Actor, at: datetime) -> None:
    """Put back what a run moved and nobody has touched since; what it has not looked at yet stays where it is."""
    _may(by)
    with transaction.atomic():
        # Waits for batches at work, so that what they moved is known; those that come later see that it is undone.
        locked = Reevaluation.objects.select_for_update().get(pk=run.pk)
        if locked.undone_at is not None:
            raise NotNow(gettext("This was taken back already."))
        Reevaluation.objects.filter(pk=run.pk).update(undone_at=at, undone_by=by.user)
        moved = ReevaluationBatch.objects.filter(run=run, is_undo=False).exclude(moved=[]).order_by("pk")
        ReevaluationBatch.objects.bulk_create(
            ReevaluationBatch(run=run, is_undo=True, tickets=keys) for keys in moved.values_list("moved", flat=True)
        )


def reevaluate_pending(*, at: datetime) -> Drained:
    """Work off the batches of all runs that are due."""
    tools: list[Tools] = []

    def work(batches: list[ReevaluationBatch]) -> None:
        for batch in batches:
            is_undone = _share(batch.run_id)
            if batch.is_undo:
                moved = _put_back(batch, at=at)
            elif is_undone:
                continue
            else:
                if not tools:
                    tools.append(Tools.load(at=at))
                moved = _move(_changes(batch.tickets, tools=tools[0]), batch.run, at=at)
            ReevaluationBatch.objects.filter(pk=batch.pk).update(moved=moved)

    return drain(ReevaluationBatch.objects.select_related("run"), work, batch=1)


def progress(runs: Sequence[Reevaluation]) -> dict[int, Progress]:
    """How far each of these runs is, by its row number, in one statement."""
    sizes = {name: Func(name, function="cardinality", output_field=IntegerField()) for name in ("tickets", "moved")}
    sized = (
        ReevaluationBatch.objects.filter(run__in=runs).order_by().annotate(n=sizes["tickets"], changed=sizes["moved"])
    )
    forward, waits = Q(is_undo=False), Q(completed_at=None, parked_at=None)
    rows = sized.values("run").annotate(
        total=Sum("n", filter=forward, default=0),
        looked_at=Sum("n", filter=forward & Q(completed_at__isnull=False), default=0),
        put=Sum("changed", filter=forward, default=0),
        put_back=Sum("changed", filter=Q(is_undo=True), default=0),
        waiting=Count("pk", filter=waits),
        parked=Count("pk", filter=Q(parked_at__isnull=False)),
    )
    found = {
        row["run"]: Progress(row["total"], row["looked_at"], row["put"], row["put_back"], row["waiting"], row["parked"])
        for row in rows
    }
    return {run.pk: found.get(run.pk, Progress(0, 0, 0, 0, 0, 0)) for run in runs}


def untouched() -> QuerySet[Ticket]:
    """Tickets that wait for their first decision, that no person (or person's program) has touched, and that are the only one of
    their item: where an item lies with several teams, somebody or some rule meant it so."""
    touched = Event.objects.filter(ticket=OuterRef("pk"), source=Event.Source.PERSON)
    others = Ticket.objects.filter(item=OuterRef("item")).exclude(pk=OuterRef("pk"))
    return Ticket.objects.filter(~Exists(touched), ~Exists(others), status=Status.NEW, triaged_at=None)


def changed_since_last() -> str:
    """What was changed since the last run, as the end of a sentence."""
    last = Reevaluation.objects.order_by("-asked_at").values_list("asked_at", flat=True).first()
    rules = Rule.objects.filter(changed_at__gt=last) if last else Rule.objects.all()
    names = [f"“{name}”" for name in rules.order_by("-changed_at").values_list("name", flat=True)[:4]]
    models = ModelVersion.objects.active()
    if last:
        models = models.filter(activated_at__gt=last)
    if len(names) == 1:
        return worded("the rule %(name)s was changed", name=names[0])
    if names:
        if len(names) > 3:
            return worded("rules were changed: %(names)s and others", names=names[:3])
        return worded("rules were changed: %(names)s", names=names)
    return worded("another model is in use") if models.exists() else worded("somebody asked for it")


def _changes(keys: Sequence[int], *, tools: Tools) -> list[Change]:
    """Those of these tickets that would lie elsewhere, or be given to somebody else; a fixed number of statements."""
    rows = untouched().filter(pk__in=keys, item__analysis__isnull=False)
    tickets = list(
        rows.select_related("team", "item__channel", "item__customer__account", "item__analysis").order_by("pk")
    )
    tags: defaultdict[int, list[Tagging]] = defaultdict(list)
    standing = Tagging.objects.standing().filter(item__in=[ticket.item_id for ticket in tickets])
    # A rule's tag is a rule's doing: it was not there when rules were first asked.
    for tagging in standing.exclude(source=Tagging.Source.RULE).select_related("topic"):
        tags[tagging.item_id].append(tagging)
    texts = [text_of(ticket.item) for ticket in tickets]
    if tools.taxonomy.learned.get("team"):
        vectors = embeddings.vectors_of([text.whole for text in texts], encode=0)
        texts = [replace(text, vector=vector) for text, vector in zip(texts, vectors, strict=True)]
    items = [ticket.item_id for ticket in tickets]
    themes = themes_of(items) if tools.router.asks_for_themes else {}
    found = []
    for ticket, foretold in zip(tickets, foresee(texts, tools.taxonomy), strict=True):
        item = ticket.item
        topics = sorted(
            ((tagging.topic.slug, tagging.confidence) for tagging in tags[item.pk]), key=lambda pair: -pair[1]
        )
        names = frozenset(slug for slug, _ in topics)
        clues = Clues(topics, foretold, str(ticket.explanation.get("spam", "")))
        routing = tools.router.route(
            facts_of(item, item.analysis, topics=names, themes=themes.get(item.pk, frozenset())), clues
        )
        due = tools.deadlines.due(
            item.received_at,
            team=routing.team,
            topics=names | {slug for slug, _ in routing.tags},
            severity=routing.severity,
        )
        change = Change(ticket, routing, due.at)
        if any(change.values[name] != getattr(ticket, name) for name in ("team_id", "assignee_id", "severity", "rank")):
            found.append(change)
    return found


def _move(changes: Sequence[Change], run: Reevaluation, *, at: datetime) -> list[int]:
    """Change them, set-based, as far as they are still what was looked at; the row numbers of those that are changed now."""
    changed = _set(
        [
            (change.ticket.pk, change.ticket.version, change.values, dict(change.routing.explanation))
            for change in changes
        ]
    )
    done = [change for change in changes if change.ticket.pk in changed]
    Event.objects.bulk_create(_event(change, run, at) for change in done)
    mark_changed(change.ticket.received_at for change in done)
    tell_changed((change.ticket.pk, (change.ticket.team_id, change.routing.team.pk)) for change in done)
    return sorted(changed)


def _event(change: Change, run: Reevaluation, at: datetime) -> Event:
    ticket, routing = change.ticket, change.routing
    before = {name: getattr(ticket, name) for name in _CHANGED} | {"explanation": ticket.explanation}
    moved = routing.team.pk != ticket.team_id
    sentence = worded("Looked at again because %(because)s.", because=run.because)
    reason = {"reason": filled(sentence), "worded": sentence}
    said = {"team": routing.team.slug, "from": ticket.team.slug} if moved else {"value": routing.severity}
    return Event(
        item_id=ticket.item_id,
        ticket=ticket,
        type=Event.Type.ROUTED if moved else Event.Type.REEVALUATED,
        source=_BY.get(routing.by, Event.Source.SYSTEM),
        version=ticket.version + 1,
        data={
            **said,
            "by": routing.by,
            "rule": routing.explanation["rule"],
            "topic": routing.explanation["topic"],
            "run": run.pk,
            **reason,
            "before": before | {"due_at": ticket.due_at.isoformat()},
        },
        occurred_at=at,
    )


def _put_back(batch: ReevaluationBatch, *, at: datetime) -> list[int]:
    """Put these tickets back to where the run found them, unless somebody has touched them since."""
    events = Event.objects.filter(ticket__in=batch.tickets, undone_by=None, data__run=batch.run_id)
    undone = {event.ticket_id: event for event in events.select_related("ticket").order_by("id")}
    active = set(Team.objects.filter(is_active=True).values_list("pk", flat=True))
    rows = []
    for event in undone.values():
        ticket, before = event.ticket, event.data["before"]
        if ticket is not None and ticket.version == event.version and before["team_id"] in active:
            values = {name: before[name] for name in _CHANGED} | {"due_at": parse_datetime(before["due_at"])}
            rows.append((ticket.pk, ticket.version, values, before["explanation"]))
    back = _set(rows)
    done = [event for event in undone.values() if event.ticket_id in back]
    Event.objects.bulk_create(
        Event(
            item_id=event.item_id,
            ticket_id=event.ticket_id,
            type=Event.Type.UNDONE,
            # Who asked stands on the run: nobody has decided about this one ticket, so the next run may move it.
            source=Event.Source.SYSTEM,
            version=(event.version or 0) + 1,
            undoes=event,
            data={"type": event.type, "run": batch.run_id},
            occurred_at=at,
        )
        for event in done
    )
    mark_changed(event.ticket.received_at for event in done if event.ticket is not None)
    tell_changed(
        (event.ticket.pk, (event.ticket.team_id, event.data["before"]["team_id"]))
        for event in done
        if event.ticket is not None
    )
    return sorted(back)


def _set(rows: Sequence[tuple[int, int, Mapping[str, Any], Mapping[str, Any]]]) -> set[int]:
    """Set (ticket, version that was seen, values, explanation) where the version still stands; which those were."""
    if not rows:
        return set()
    columns: Iterable[list[Any]] = (
        [pk for pk, *_ in rows],
        [version for _, version, *_ in rows],
        *([values[name] for _, _, values, _ in rows] for name in _CHANGED),
        [_json(explanation) for *_, explanation in rows],
    )
    with connection.cursor() as cursor:
        cursor.execute(_SET, list(columns))
        return {row[0] for row in cursor.fetchall()}


def _json(explanation: Mapping[str, Any]) -> str:
    return json.dumps(explanation, cls=DjangoJSONEncoder)


def _share(run: int) -> bool:
    """Whether a run is undone; until this transaction ends, nobody undoes it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT undone_at IS NOT NULL FROM triage_reevaluation WHERE id = %s FOR SHARE", [run])
        (is_undone,) = cursor.fetchone()
    return bool(is_undone)


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may have tickets looked at again. Ask one of them."))
