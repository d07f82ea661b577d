"""Why a ticket is where it is, and what would have changed that: the stored reason, and beside it what today's rules say.

The reason is what was true when the portal routed it, and is kept as it was. Everything about today is worked out when somebody
asks, from the item as it stands and the rules as they stand, and is dated.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import percent, said
from intake.models import FeedbackItem
from triage.models import Analysis, Event, Rule, Tagging, Ticket
from triage.models.themes import themes_of
from triage.routing import SURE_ENOUGH, Clues, Foreseen, Placed, Router, facts_of
from triage.routing.reasons import reason_of
from triage.rules import AnyOf, Condition, Match, Node, Not
from triage.rules import Rule as Meaning
from triage.rules.facts import Facts
from triage.rules.places import Place, places

MOST_NEIGHBOURS = 3
MOST_RUNNERS_UP = 3
MOST_NEAR_MISSES = 3
_MOST_SPANS = 50


@dataclass(frozen=True)
class Neighbour:
    """An example the model leaned on that exists for the reader."""

    reference: str
    title: str
    team: str
    cosine: float


@dataclass(frozen=True)
class Why:
    """`words` are in the message at `marks`; `others` counts the examples that are not for the reader."""

    by: str
    reason: str
    routed_at: datetime
    rule: str | None
    topic: str | None
    given: str
    words: tuple[str, ...]
    marks: tuple[Place, ...]
    neighbours: tuple[Neighbour, ...]
    others: int
    runners_up: tuple[tuple[str, float], ...]
    unsure: str
    changes: tuple[str, ...]
    """What would have changed it, each a sentence."""
    today: str
    """Where today's rules would send it, if that is elsewhere."""
    rules: tuple[tuple[Rule, Match], ...]
    """Every rule of today, tried."""
    as_of: datetime


def why(
    ticket: Ticket, about: FeedbackItem, analysis: Analysis, taggings: Sequence[Tagging], *, by: Actor, at: datetime
) -> Why:
    """`about` has its channel, customer and account loaded, `taggings` (those that stand) their topics."""
    told = ticket.explanation
    router = Router.load(at=at)
    themes = themes_of([about.pk]).get(about.pk, frozenset()) if router.asks_for_themes else frozenset()
    facts = facts_of(about, analysis, topics=frozenset(tagging.topic.slug for tagging in taggings), themes=themes)
    clues = _clues(told, taggings)
    held = router.held(facts)
    today = router.place(held, facts, clues)
    rules = tuple(router.trace(facts))
    neighbours, others = _neighbours(told.get("model", {}), by)
    words, marks = _words(told, taggings, _winner(told, router), facts)
    return Why(
        by=str(told.get("by", "")),
        reason=reason_of(told),
        routed_at=_routed_at(ticket),
        rule=told.get("rule"),
        topic=told.get("topic"),
        given=said(str(told.get("given", ""))),
        words=words,
        marks=marks,
        neighbours=neighbours,
        others=others,
        runners_up=tuple(_runners_up(told.get("model", {}), router, ticket)),
        unsure=said(str(told.get("model", {}).get("why_not") or "")),
        changes=tuple(_changes(router, facts, clues, held, today)),
        today=_elsewhere(ticket, today),
        rules=rules,
        as_of=at,
    )


def would_hold(node: Node, facts: Facts, *, wanted: bool = True) -> list[Condition]:
    """The fewest conditions that would have to be otherwise for this to hold (or, if not `wanted`, not to); none if it does."""
    if isinstance(node, Condition):
        return [] if node.holds(facts) is wanted else [node]
    if isinstance(node, Not):
        return would_hold(node.part, facts, wanted=not wanted)
    each = [would_hold(part, facts, wanted=wanted) for part in node.parts]
    if isinstance(node, AnyOf) is wanted:
        return min(each, key=len)
    return [condition for part in each for condition in part]


def _clues(told: dict[str, Any], taggings: Sequence[Tagging]) -> Clues:
    """What routing went by then, with the tags as they are now."""
    topics = [(tagging.topic.slug, tagging.confidence) for tagging in taggings if tagging.source != Tagging.Source.RULE]
    model = told.get("model") or {}
    foreseen = (
        Foreseen(str(model.get("verdict", "")), [tuple(each) for each in model.get("teams", [])]) if model else None
    )
    return Clues(sorted(topics, key=lambda pair: -pair[1]), foreseen, str(told.get("spam", "")))


def _changes(
    router: Router, facts: Facts, clues: Clues, held: Sequence[tuple[Rule, Meaning]], placed: Placed
) -> Iterator[str]:
    """What would have changed where it goes, nearest first, each tried by routing it once more without that one thing."""
    winner = placed.rule
    if winner is not None:
        without = router.place([pair for pair in held if pair[0].pk != winner.pk], facts, clues)
        yield _but_for(gettext("Without the rule “%(rule)s” it would be with %(team)s."), without, rule=winner.name)
    elif placed.by == "spam":
        without = router.place(held, facts, replace(clues, spam=""))
        yield _but_for(gettext("Had it not looked like spam, %(team)s would have it."), without)
    elif placed.by == "model":
        without = router.place(held, facts, replace(clues, foreseen=None))
        yield _but_for(gettext("Had earlier items been less alike, %(team)s would have it."), without)
    elif placed.topic is not None:
        sure = dict(clues.topics)[placed.topic]
        less = [pair for pair in clues.topics if pair[0] != placed.topic]
        without = router.place(held, facts, replace(clues, topics=less))
        name = (router.team_of(placed.topic) or (placed.topic,))[0]
        less_sure = gettext("Had “%(topic)s” been less than %(enough)s sure (it is %(sure)s), %(team)s would have it.")
        yield _but_for(less_sure, without, topic=name, enough=percent(SURE_ENOUGH), sure=percent(sure))
    yield from _near_misses(router, facts, placed)
    if placed.by == "catch_all":
        yield from _nearly_sure(router, clues)


def _near_misses(router: Router, facts: Facts, placed: Placed) -> Iterator[str]:
    """Rules that one condition kept from deciding: before the one that did, and for another team."""
    found = 0
    facts = router.seen(facts)
    for stored, meaning in zip(router.stored, router.rules.rules, strict=True):
        if placed.rule is not None and stored.pk == placed.rule.pk:
            return
        act = meaning.act("route")
        team = router.teams.get(str(act.argument)) if act else None
        if team is None or team.pk == placed.team.pk:
            continue
        missing = would_hold(meaning.when, facts)
        if len(missing) == 1:
            found += 1
            condition = str(missing[0].outcome(facts)).rstrip(".")
            missed = gettext(
                "The rule “%(rule)s” missed by one condition (%(condition)s). Otherwise %(team)s would have it."
            )
            yield missed % {"rule": stored.name, "condition": condition, "team": team.name}
            if found == MOST_NEAR_MISSES:
                return


def _nearly_sure(router: Router, clues: Clues) -> Iterator[str]:
    for slug, sure in clues.topics:
        known = router.team_of(slug)
        if known is not None and sure < SURE_ENOUGH:
            surer = gettext("Had “%(topic)s” been at least %(enough)s sure (it is %(sure)s), %(team)s would have it.")
            yield surer % {
                "topic": known[0],
                "enough": percent(SURE_ENOUGH),
                "sure": percent(sure),
                "team": known[1].name,
            }
            return


def _elsewhere(ticket: Ticket, today: Placed) -> str:
    if today.team.pk == ticket.team_id:
        return ""
    if ticket.explanation.get("by") in {"person", "split"}:
        return _but_for(gettext("By itself the portal would have it with %(team)s."), today)
    return _but_for(gettext("By today's rules it would be with %(team)s."), today)


def _but_for(sentence: str, placed: Placed, **slots: str) -> str:
    """Where it would be, and why there."""
    return f"{sentence % {'team': placed.team.name, **slots}} {placed.reason}"


def _routed_at(ticket: Ticket) -> datetime:
    routed = Event.objects.filter(ticket=ticket, type=Event.Type.ROUTED, undone_by=None).order_by("-id")
    return routed.values_list("occurred_at", flat=True).first() or ticket.created_at


def _winner(told: dict[str, Any], router: Router) -> Meaning | None:
    """The rule that decided, if it still stands as it did then."""
    then = {each.get("rule"): each.get("version") for each in told.get("held", [])}
    for stored, meaning in zip(router.stored, router.rules.rules, strict=True):
        if stored.name == told.get("rule") and then.get(stored.name) == stored.version:
            return meaning
    return None


def _words(
    told: dict[str, Any], taggings: Sequence[Tagging], winner: Meaning | None, facts: Facts
) -> tuple[tuple[str, ...], tuple[Place, ...]]:
    """The words that spoke for it and where they stand: the rule's, else the model's, else the topic's."""
    by = told.get("by")
    if by == "rule" and winner is not None:
        marks = [place for condition in _conditions(winner.when) for place in places(condition, facts)]
        words = [str(getattr(facts, part))[start:end] for part, start, end in marks]
        return _once(words), tuple(marks[:_MOST_SPANS])
    evidence = list(told.get("model", {}).get("words", [])) if by == "model" else []
    if not evidence:
        chosen = [tagging for tagging in taggings if tagging.topic.slug == told.get("topic")] or list(taggings[:1])
        evidence = [each for tagging in chosen for each in tagging.evidence.get("evidence", [])]
    given = [each["span"] for each in evidence if each.get("span")]
    spans = tuple((str(part), int(start), int(end)) for part, start, end in given)
    return _once([str(each["says"]) for each in evidence if each.get("weight", 1) > 0]), spans[:_MOST_SPANS]


def _conditions(node: Node) -> Iterator[Condition]:
    """The conditions that speak for a rule; what is negated speaks for it by being absent."""
    if isinstance(node, Condition):
        yield node
    elif not isinstance(node, Not):
        for part in node.parts:
            yield from _conditions(part)


def _once(words: Sequence[str]) -> tuple[str, ...]:
    return tuple({word.casefold(): word for word in words}.values())[:10]


def _neighbours(model: dict[str, Any], by: Actor) -> tuple[tuple[Neighbour, ...], int]:
    given = model.get("neighbours", [])[:MOST_NEIGHBOURS]
    items = [each["item"] for each in given if each.get("item")]
    if not items:
        return (), 0
    rows = Ticket.objects.visible_to(by).filter(item__in=items).select_related("item", "team").order_by("-pk")
    seen = {row.item_id: row for row in rows.defer("item__text", "item__context", "explanation")}
    shown = tuple(
        Neighbour(row.reference, row.item.headline, row.team.name, float(each.get("cosine", 0.0)))
        for each in given
        if (row := seen.get(each["item"])) is not None
    )
    return shown, len(given) - len(shown)


def _runners_up(model: dict[str, Any], router: Router, ticket: Ticket) -> Iterator[tuple[str, float]]:
    others = [
        (slug, sure) for slug, sure in model.get("teams", []) if slug != ticket.team.slug and slug in router.teams
    ]
    for slug, sure in others[:MOST_RUNNERS_UP]:
        yield router.teams[slug].name, float(sure)
