"""Taking new items in, in batches: what the taggers make of them is kept, the router places them, and what follows is written."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Self

from django.db import connection

from feedback_portal.accounts.models import Team
from feedback_portal.pending import Drained, drain
from intake.models import Arrival, FeedbackItem
from triage import notifications, withdrawing
from triage.deadlines import Deadlines
from triage.live.bulletins import tell_arrived, tell_changed
from triage.models import Analysis, Event, Mention, Pattern, ShadowMatch, Tagging, Ticket
from triage.models.events import mark_changed
from triage.models.learning import mark_for_refinement
from triage.models.themes import themes_of
from triage.persons import erasing
from triage.routing import Foreseen, Router, Routing, facts_of, foresee
from triage.routing.reasons import kept
from triage.rulebook.shadowing import Shadows
from triage.taggers.base import Taxonomy, Text
from triage.themes import gathering
from triage.understanding import embeddings, learned
from triage.understanding.answers import Asked, ask_later, asked_of, with_answers, worth_asking
from triage.understanding.reading import (
    WORTH_SHOWING,
    Understanding,
    analysis_of,
    clues_of,
    mentions_of,
    read,
    taggings_of,
    text_of,
)
from triage.understanding.taxonomy import active_topics, taxonomy_of, with_meaning

BATCH = 200
INLINE = 32
"""A batch of at most so many items is encoded at once; a larger one is placed by what is cheap, and looked at again after."""


@dataclass(frozen=True)
class Tools:
    """Everything a drain reads once, however many items follow."""

    taxonomy: Taxonomy
    topics: Mapping[str, int]
    router: Router
    shadows: Shadows
    deadlines: Deadlines
    versions: Mapping[str, int] = field(default_factory=dict)
    """The learned model in use by field."""
    asked: tuple[Asked, ...] = ()
    """The models outside that may be asked."""

    @classmethod
    def load(cls, *, at: datetime) -> Self:
        topics, versions = active_topics(), learned.active_versions()
        taxonomy = taxonomy_of(topics, Pattern.objects.in_order(), learned=learned.models_of(versions))
        return cls(
            taxonomy=with_meaning(taxonomy),
            topics={topic.slug: topic.pk for topic in topics},
            router=Router.load(at=at),
            shadows=Shadows.load(),
            deadlines=Deadlines.load(),
            versions=versions,
            asked=asked_of(taxonomy),
        )


class Toolbox:
    """The tools of one drain: read when there is work, for the relay may ring for rows that a neighbour took, and read anew
    when another model takes over meanwhile."""

    def __init__(self, *, at: datetime) -> None:
        self._at = at
        self._tools: Tools | None = None

    def current(self) -> Tools:
        if self._tools is None or self._tools.versions != learned.active_versions():
            self._tools = Tools.load(at=self._at)
        return self._tools


@dataclass(frozen=True)
class Draft:
    """What would become of one item: rows that nobody has saved yet. `beside` are the tickets of other teams, `watched` what
    rules in shadow would have done."""

    analysis: Analysis
    taggings: tuple[Tagging, ...]
    mentions: tuple[Mention, ...]
    ticket: Ticket
    beside: tuple[Ticket, ...] = ()
    watched: tuple[ShadowMatch, ...] = ()
    ask: tuple[int, ...] = ()
    """The providers that are still to be asked about it."""


def understand_pending(*, at: datetime) -> Drained:
    """Work off every arrival that is due."""
    arrivals = Arrival.objects.select_related(
        "item__channel", "item__customer__account", "item__submission__brought_by"
    ).defer("item__submission__payload", "item__submission__conflicting_payload", "item__submission__headers")
    tools = Toolbox(at=at)

    def work(rows: list[Arrival]) -> None:
        items = withdrawing.without_taken_back([row.item for row in rows])
        before = set(Analysis.objects.filter(item__in=items).values_list("item", flat=True))
        take_in([item for item in items if item.pk not in before], tools=tools.current(), at=at)
        look_again([item for item in items if item.pk in before], tools=tools.current(), at=at)

    return drain(arrivals, work, batch=BATCH)


def take_in(items: Sequence[FeedbackItem], *, tools: Tools, at: datetime) -> None:
    """Analysis, tags, search text, ticket, events and receipt of a batch, set-based, inside the caller's transaction."""
    if not items:
        return
    texts = texts_of(items, encode=len(items) if len(items) <= INLINE else 0, asked=tools.asked)
    drafts = draft(items, texts, tools=tools)
    Analysis.objects.bulk_create(each.analysis for each in drafts)
    _fill_search_text(item.pk for item in items)
    Tagging.objects.bulk_create(tagging for each in drafts for tagging in each.taggings)
    Mention.objects.bulk_create(mention for each in drafts for mention in each.mentions)
    Ticket.objects.bulk_create(each.ticket for each in drafts)
    Ticket.objects.bulk_create(ticket for each in drafts for ticket in each.beside)
    received = [
        Event(item=item, type=Event.Type.RECEIVED, source="customer", occurred_at=item.received_at) for item in items
    ]
    placed = [routed(each.ticket, at) for each in drafts]
    beside = [split(each.ticket, ticket, at) for each in drafts for ticket in each.beside]
    Event.objects.bulk_create([*received, *placed, *beside])
    ShadowMatch.objects.bulk_create((row for each in drafts for row in each.watched), ignore_conflicts=True)
    mark_for_refinement(later := _not_encoded(texts))
    # Whoever is looked at again by meaning may need no asking.
    ask_later((item, each.ask) for item, each in zip(items, drafts, strict=True) if item.pk not in set(later))
    mark_changed(item.received_at for item in items)
    tell_arrived(ticket.team_id for each in drafts for ticket in (each.ticket, *each.beside))
    notifications.write_receipts(items, at=at)
    gathering.gather_later(items)


def texts_of(items: Sequence[FeedbackItem], *, encode: int, asked: Sequence[Asked] = ()) -> list[Text]:
    """The items as taggers see them, with the vectors that are known; at most `encode` of the others are encoded now. With what
    those who were `asked` said of the very same words."""
    texts = [text_of(item) for item in items]
    vectors = embeddings.vectors_of([text.whole for text in texts], encode=encode)
    return with_answers([replace(text, vector=vector) for text, vector in zip(texts, vectors, strict=True)], asked)


def draft(items: Sequence[FeedbackItem], texts: Sequence[Text], *, tools: Tools) -> list[Draft]:
    """What would become of these items if they came in now; saves nothing. Channel, customer and account must be loaded."""
    understood = read(texts, taxonomy=tools.taxonomy)
    foreseen = foresee(texts, tools.taxonomy)
    themes = themes_of([item.pk for item in items]) if tools.router.asks_for_themes else {}
    return [
        _draft(*each, themes=themes.get(each[0].pk, frozenset()), tools=tools)
        for each in zip(items, texts, understood, foreseen, strict=True)
    ]


def look_again(items: Sequence[FeedbackItem], *, tools: Tools, at: datetime) -> None:
    """What its source changed is understood anew and what it deleted is erased. Where tickets lie and whatever people decided
    stays as it is: the change stands on each ticket's timeline, for whoever has it."""
    for item in items:
        if item.submission.gone_at is not None:
            erasing.erase(item.submission, at=at)
    changed = [item for item in items if item.submission.gone_at is None]
    if not changed:
        return
    texts = texts_of(changed, encode=len(changed) if len(changed) <= INLINE else 0, asked=tools.asked)
    understood = read(texts, taxonomy=tools.taxonomy)
    analyses = [analysis_of(item, each) for item, each in zip(changed, understood, strict=True)]
    hashes = dict(Analysis.objects.filter(item__in=changed).values_list("item", "text_hash"))
    # What still says the same keeps its vector: the taggers have just read by it, and the comparing that follows will.
    embeddings.forget_items(
        each.item_id for each in analyses if bytes(hashes.get(each.item_id) or b"") != (each.text_hash or b"")
    )
    Analysis.objects.bulk_update(
        analyses,
        ["language", "sentiment", "sentiment_score", "urgency", "evidence", "versions", "failures", "text_hash"],
    )
    Tagging.objects.filter(item__in=changed, source="model", removed_at=None).delete()
    Mention.objects.filter(item__in=changed).delete()
    _fill_search_text(item.pk for item in changed)
    taggings = [
        tagging
        for item, each in zip(changed, understood, strict=True)
        for tagging in taggings_of(item, each, (), tools.topics)
    ]
    # A tag that a person or a rule put there, or took off, stands as it is.
    Tagging.objects.bulk_create(taggings, ignore_conflicts=True)
    Mention.objects.bulk_create(
        mention for item, each in zip(changed, understood, strict=True) for mention in mentions_of(item, each)
    )
    mark_for_refinement(later := _not_encoded(texts))
    ask_later(
        (item, worth_asking(text, each.every, tools.asked))
        for item, text, each in zip(changed, texts, understood, strict=True)
        if item.pk not in set(later)
    )
    tickets = Ticket.objects.filter(item__in=changed).order_by("pk")
    Event.objects.bulk_create(
        [
            Event(item_id=ticket.item_id, ticket=ticket, type=Event.Type.CHANGED, source="customer", occurred_at=at)
            for ticket in tickets
        ]
    )
    mark_changed(item.received_at for item in changed)
    tell_changed((ticket.pk, [ticket.team_id]) for ticket in tickets)
    gathering.gather_later(changed)


def _draft(
    item: FeedbackItem,
    text: Text,
    understood: Understanding,
    foreseen: Foreseen | None,
    *,
    themes: frozenset[str],
    tools: Tools,
) -> Draft:
    analysis = analysis_of(item, understood)
    clues = clues_of(understood, foreseen, tools.topics)
    sure = frozenset(slug for slug, confidence in clues.topics if confidence >= WORTH_SHOWING)
    facts = facts_of(item, analysis, topics=sure, themes=themes)
    routing = tools.router.route(facts, clues)
    tags = sure | {slug for slug, _ in routing.tags}
    first, *others = _tickets(item, routing, tags=tags, deadlines=tools.deadlines)
    return Draft(
        analysis=analysis,
        taggings=tuple(taggings_of(item, understood, routing.tags, tools.topics)),
        mentions=tuple(mentions_of(item, understood)),
        ticket=first,
        beside=tuple(others),
        watched=tuple(tools.shadows.watch(item, facts, routing)),
        ask=worth_asking(text, understood.every, tools.asked),
    )


def _tickets(item: FeedbackItem, routing: Routing, *, tags: Collection[str], deadlines: Deadlines) -> list[Ticket]:
    """The ticket of the team it goes to, and one for each team that rules name beside it."""

    def ticket(team: Team, explanation: Mapping[str, Any], assignee_id: int | None = None) -> Ticket:
        return Ticket(
            item=item,
            team=team,
            stage=team.stage,
            assignee_id=assignee_id,
            severity=routing.severity,
            rank=routing.rank,
            due_at=deadlines.due(item.received_at, team=team, topics=tags, severity=routing.severity).at,
            explanation=dict(explanation),
            received_at=item.received_at,
        )

    return [
        ticket(routing.team, routing.explanation, routing.assignee_id),
        *(
            ticket(
                team,
                {
                    **routing.explanation,
                    "by": "rule",
                    "rule": rule,
                    "topic": None,
                    **kept("also", rule=rule, team=team.name),
                },
            )
            for team, rule in routing.also
        ),
    ]


def _not_encoded(texts: Iterable[Text]) -> list[int]:
    """The items that the encoder is still to see, if there is one."""
    if not embeddings.fingerprint():
        return []
    return [text.item_id for text in texts if text.vector is None and text.whole.strip()]


def split(first: Ticket, other: Ticket, at: datetime) -> Event:
    said = {"team": other.team.slug, "into": other.reference, "rule": other.explanation["rule"]}
    return Event(item_id=first.item_id, ticket=first, type=Event.Type.SPLIT, source="rule", data=said, occurred_at=at)


def routed(ticket: Ticket, at: datetime) -> Event:
    by = ticket.explanation["by"]
    return Event(
        item_id=ticket.item_id,
        ticket=ticket,
        type=Event.Type.ROUTED,
        source={"rule": "rule", "topic": "model", "model": "model", "spam": "model"}.get(by, "system"),
        data={
            "team": ticket.team.slug,
            "by": by,
            "rule": ticket.explanation["rule"],
            "topic": ticket.explanation["topic"],
        },
        occurred_at=at,
    )


def _fill_search_text(keys: Iterable[int]) -> None:
    """Title before text, in the language-neutral configuration: customers mix languages, and so do searches."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO triage_searchtext (item_id, document)"
            " SELECT submission_id, setweight(to_tsvector('simple', title), 'A')"
            " || setweight(to_tsvector('simple', left(text, 100000)), 'B')"
            " FROM intake_feedbackitem WHERE submission_id = ANY(%s)"
            " ON CONFLICT (item_id) DO UPDATE SET document = excluded.document",
            [list(keys)],
        )
