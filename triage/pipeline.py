"""Taking new items in: taggers read them in batches, the router places them, and nothing is hidden when a tagger breaks."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Self

import structlog
from django.db import connection

from feedback_portal.accounts.models import Team
from feedback_portal.pending import Drained, drain
from intake.models import Arrival, FeedbackItem
from triage import embeddings, erasing, notifications, withdrawing
from triage.deadlines import Deadlines
from triage.models import Analysis, Event, Mention, Pattern, Tagging, Ticket, Topic
from triage.models.events import mark_changed
from triage.routing import Clues, Foreseen, Router, Routing, facts_of, foresee
from triage.taggers import base, taggers
from triage.taggers.base import Suggestion, Tagger, Taxonomy, Text
from triage.taggers.entities import MARK, key_of

log = structlog.get_logger("portal.pipeline")

BATCH = 200
# A topic below this is not even worth showing.
_WORTH_SHOWING = 0.25
_MOST_EVIDENCE = 10
# From here on something is treated as spam: moved behind everything else, never away.
_PROBABLY = 0.5


@dataclass(frozen=True)
class Understanding:
    """What the taggers say of one item, by the tagger's slug; `failures` names those that broke on it."""

    suggestions: Mapping[str, Sequence[Suggestion]] = field(default_factory=dict)
    failures: Mapping[str, str] = field(default_factory=dict)

    def best(self, kind: str) -> Suggestion | None:
        return max(self.of(kind), key=lambda suggestion: suggestion.confidence, default=None)

    def of(self, kind: str) -> list[Suggestion]:
        return [one for given in self.suggestions.values() for one in given if one.kind == kind]


@dataclass(frozen=True)
class Tools:
    """Everything a drain reads once, however many items follow."""

    taxonomy: Taxonomy
    topics: Mapping[str, int]
    router: Router
    deadlines: Deadlines

    @classmethod
    def load(cls, *, at: datetime) -> Self:
        topics = list(Topic.objects.filter(is_active=True).select_related("team", "parent").order_by("slug"))
        return cls(
            taxonomy=taxonomy_of(topics, Pattern.objects.in_order()),
            topics={topic.slug: topic.pk for topic in topics},
            router=Router.load(at=at),
            deadlines=Deadlines.load(),
        )


def understand_pending(*, at: datetime) -> Drained:
    """Work off every arrival that is due."""
    arrivals = Arrival.objects.select_related(
        "item__channel", "item__customer__account", "item__submission__brought_by"
    ).defer("item__submission__payload", "item__submission__conflicting_payload", "item__submission__headers")
    tools: list[Tools] = []

    def work(rows: list[Arrival]) -> None:
        # Read when there is work: the relay may ring for rows that a neighbour took.
        if not tools:
            tools.append(Tools.load(at=at))
        items = withdrawing.without_taken_back([row.item for row in rows])
        before = set(Analysis.objects.filter(item__in=items).values_list("item", flat=True))
        take_in([item for item in items if item.pk not in before], tools=tools[0], at=at)
        look_again([item for item in items if item.pk in before], tools=tools[0], at=at)

    return drain(arrivals, work, batch=BATCH)


def take_in(items: Sequence[FeedbackItem], *, tools: Tools, at: datetime) -> None:
    """Analysis, tags, search text, ticket, events and receipt of a batch, set-based, inside the caller's transaction."""
    if not items:
        return
    texts = [text_of(item) for item in items]
    understood = read(texts, taxonomy=tools.taxonomy)
    foreseen = foresee(texts, tools.taxonomy)
    analyses = [_analysis(item, each) for item, each in zip(items, understood, strict=True)]
    Analysis.objects.bulk_create(analyses)
    _fill_search_text(item.pk for item in items)
    taggings: list[Tagging] = []
    mentions: list[Mention] = []
    tickets: list[Ticket] = []
    beside: list[tuple[Ticket, Ticket]] = []
    events: list[Event] = []
    for item, analysis, each, foretold in zip(items, analyses, understood, foreseen, strict=True):
        clues = _clues(each, foretold, tools.topics)
        sure = frozenset(slug for slug, confidence in clues.topics if confidence >= _WORTH_SHOWING)
        routing = tools.router.route(facts_of(item, analysis, topics=sure), clues)
        taggings += _taggings(item, each, routing.tags, tools.topics)
        mentions += _mentions(item, each)
        tags = sure | {slug for slug, _ in routing.tags}
        first, *others = _tickets(item, routing, tags=tags, deadlines=tools.deadlines)
        tickets.append(first)
        beside += [(first, other) for other in others]
        events.append(Event(item=item, type=Event.Type.RECEIVED, source="customer", occurred_at=item.received_at))
    Tagging.objects.bulk_create(taggings)
    Mention.objects.bulk_create(mentions)
    Ticket.objects.bulk_create(tickets)
    Ticket.objects.bulk_create([other for _, other in beside])
    events += [_routed(ticket, at) for ticket in tickets]
    events += [_split(ticket, other, at) for ticket, other in beside]
    Event.objects.bulk_create(events)
    mark_changed(item.received_at for item in items)
    notifications.write_receipts(items, at=at)


def look_again(items: Sequence[FeedbackItem], *, tools: Tools, at: datetime) -> None:
    """What its source changed is understood anew and what it deleted is erased. Where tickets lie and whatever people decided
    stays as it is: the change stands on each ticket's timeline, for whoever has it."""
    for item in items:
        if item.submission.gone_at is not None:
            erasing.erase(item.submission, at=at)
    changed = [item for item in items if item.submission.gone_at is None]
    if not changed:
        return
    understood = read([text_of(item) for item in changed], taxonomy=tools.taxonomy)
    analyses = [_analysis(item, each) for item, each in zip(changed, understood, strict=True)]
    embeddings.forget_items(item.pk for item in changed)
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
        for tagging in _taggings(item, each, (), tools.topics)
    ]
    # A tag that a person or a rule put there, or took off, stands as it is.
    Tagging.objects.bulk_create(taggings, ignore_conflicts=True)
    Mention.objects.bulk_create(
        mention for item, each in zip(changed, understood, strict=True) for mention in _mentions(item, each)
    )
    tickets = Ticket.objects.filter(item__in=changed).order_by("pk")
    Event.objects.bulk_create(
        [
            Event(item_id=ticket.item_id, ticket=ticket, type=Event.Type.CHANGED, source="customer", occurred_at=at)
            for ticket in tickets
        ]
    )
    mark_changed(item.received_at for item in changed)


def read(texts: Sequence[Text], *, taxonomy: Taxonomy) -> list[Understanding]:
    """Every tagger's suggestions for every text, in the order of the texts. A tagger that raises on a batch is asked
    text by text, and its failures are recorded with the texts it broke on."""
    suggestions: list[dict[str, Sequence[Suggestion]]] = [{} for _ in texts]
    failures: list[dict[str, str]] = [{} for _ in texts]
    for tagger in taggers.all():
        for index, outcome in enumerate(_ask(tagger, texts, taxonomy)):
            if isinstance(outcome, str):
                failures[index][tagger.slug] = outcome
            elif outcome:
                suggestions[index][tagger.slug] = outcome
    return [Understanding(*pair) for pair in zip(suggestions, failures, strict=True)]


def text_of(item: FeedbackItem) -> Text:
    return Text(
        item_id=item.pk,
        title=item.title,
        text=item.text,
        declared_language=item.declared_language,
        rating_scale=item.rating_scale,
        rating_value=item.rating_value,
        product=item.product,
        context=item.context,
    )


def taxonomy_of(topics: Iterable[Topic], patterns: Iterable[Pattern] = ()) -> Taxonomy:
    """The organisation's words as taggers see them; a topic's team and parent must be loaded."""
    return Taxonomy(
        topics=tuple(
            base.Topic(
                slug=topic.slug,
                name=topic.name,
                description=topic.description,
                keywords=tuple(topic.keywords),
                team=topic.team.slug if topic.team else "",
                parent=topic.parent.slug if topic.parent else "",
            )
            for topic in topics
        ),
        patterns=tuple(map(pattern_of, patterns)),
    )


def pattern_of(stored: Pattern) -> base.Pattern:
    return base.Pattern(
        name=stored.name,
        kind=stored.kind,
        expression=stored.expression,
        aliases=tuple(stored.aliases),
        product=stored.product,
        version=stored.version,
    )


def _ask(tagger: Tagger, texts: Sequence[Text], taxonomy: Taxonomy) -> list[Sequence[Suggestion] | str]:
    try:
        answers: list[Sequence[Suggestion] | str] = list(tagger.tag(texts, taxonomy))
    except Exception as error:  # a tagger is a plugin: whatever breaks in it is its failure, not the item's
        if len(texts) == 1:
            log.warning("tagger failed", tagger=tagger.slug, item=texts[0].item_id, exc_info=error)
            return [f"{type(error).__name__}: {error}"[:300]]
        return [answer for text in texts for answer in _ask(tagger, [text], taxonomy)]
    if len(answers) != len(texts):
        return [f"It gave {len(answers)} answers for {len(texts)} texts."] * len(texts)
    return answers


def _analysis(item: FeedbackItem, each: Understanding) -> Analysis:
    language, sentiment, urgency = each.best("language"), each.best("sentiment"), each.best("urgency")
    score = next((one.score for one in each.of("sentiment") if one.score is not None), None)
    return Analysis(
        item=item,
        language=str(language.value) if language else item.declared_language or "und",
        sentiment=str(sentiment.value) if sentiment else "none",
        sentiment_score=score,
        urgency=int(urgency.value) if urgency else 1,
        evidence={
            slug: [_stored(one) for one in given if one.kind != "topic"]
            for slug, given in each.suggestions.items()
            if any(one.kind != "topic" for one in given)
        },
        versions={tagger.slug: tagger.version for tagger in taggers.all()},
        failures=dict(each.failures),
        text_hash=embeddings.text_hash(text_of(item).whole),
    )


def _mentions(item: FeedbackItem, each: Understanding) -> list[Mention]:
    """One row for each thing the item names, however many taggers found it."""
    made: dict[tuple[str, str], Mention] = {}
    for one in (one for given in each.suggestions.values() for one in given if one.kind.startswith(MARK)):
        kind, value = one.kind.removeprefix(MARK)[:40], str(one.value)[:120]
        row = Mention(item=item, kind=kind, value=value, key=key_of(value), confidence=one.confidence)
        known = made.setdefault((kind, row.key), row)
        known.confidence = max(known.confidence, row.confidence)
    return list(made.values())


def _taggings(
    item: FeedbackItem, each: Understanding, tags: Iterable[tuple[str, str]], topics: Mapping[str, int]
) -> Iterable[Tagging]:
    """One row a topic: a rule's tag is certain and wins over the model's."""
    made: dict[int, Tagging] = {}
    versions = {tagger.slug: tagger.version for tagger in taggers.all()}
    for slug, given in each.suggestions.items():
        for one in given:
            topic = topics.get(str(one.value)) if one.kind == "topic" else None
            if topic is None or one.confidence < _WORTH_SHOWING:
                continue
            known = made.get(topic)
            if known is None or known.confidence < one.confidence:
                made[topic] = Tagging(
                    item=item,
                    topic_id=topic,
                    source="model",
                    confidence=one.confidence,
                    evidence=_stored(one),
                    made_by=f"{slug} {versions[slug]}",
                )
    for topic_slug, rule in tags:
        if topic_slug in topics:
            made[topics[topic_slug]] = Tagging(
                item=item,
                topic_id=topics[topic_slug],
                source="rule",
                evidence={"reason": f"The rule “{rule}” tags it."},
                made_by=rule[:80],
            )
    return made.values()


def _clues(each: Understanding, foretold: Foreseen | None, known: Mapping[str, int]) -> Clues:
    topics = [(str(one.value), one.confidence) for one in each.of("topic") if one.value in known]
    spam = each.best("spam")
    is_spam = spam is not None and spam.value == "spam" and spam.confidence >= _PROBABLY
    return Clues(
        topics=sorted(topics, key=lambda pair: -pair[1]),
        foreseen=foretold,
        spam=spam.reason if spam is not None and is_spam else "",
    )


def _stored(one: Suggestion) -> dict[str, Any]:
    """A suggestion as a person can check it later: what, how sure, why, and the places in the text."""
    return {
        "kind": one.kind,
        "value": one.value,
        "confidence": round(one.confidence, 4),
        "reason": one.reason,
        "evidence": [
            {"says": each.says, "weight": round(each.weight, 4), "span": list(each.span) if each.span else None}
            for each in one.evidence[:_MOST_EVIDENCE]
        ],
    }


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
                team, {**routing.explanation, "by": "rule", "rule": rule, "topic": None, "reason": _also(rule, team)}
            )
            for team, rule in routing.also
        ),
    ]


def _also(rule: str, team: Team) -> str:
    return f"The rule “{rule}” sends it to {team.name} as well."


def _split(first: Ticket, other: Ticket, at: datetime) -> Event:
    said = {"team": other.team.slug, "into": other.reference, "rule": other.explanation["rule"]}
    return Event(item_id=first.item_id, ticket=first, type=Event.Type.SPLIT, source="rule", data=said, occurred_at=at)


def _routed(ticket: Ticket, at: datetime) -> Event:
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
