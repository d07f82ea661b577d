"""Who gets an item, and why: rules first, then what was learned from corrections, then the topic's team, then the catch-all,
so that there is always an owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import lru_cache
from typing import Any, Self

from django.utils.timezone import get_default_timezone, localtime

from feedback_portal.accounts.models import Team
from feedback_portal.marking import Share, marked, worded
from intake.models import FeedbackItem
from triage import rules
from triage.blend.base import Prediction
from triage.models import Analysis, Rule, Topic
from triage.routing.reasons import kept, reason_of
from triage.routing.workload import Crew, Given
from triage.rules.facts import WEEKDAYS, Facts
from triage.rules.sets import RuleSet
from triage.taggers.base import Taxonomy, Text
from triage.taggers.entities import MARK

SAFETY = 3
# A topic the tagger is less sure of than this stays a suggestion and moves nothing.
SURE_ENOUGH = 0.5
MOST_TEAMS = 5
"""So many teams beside the first may get a ticket of their own by rules."""
OUT_OF_THE_WAY = 4
"""The rank of what looks like spam: after everything else, and still there."""

PROPOSED_BY = frozenset({"rule", "model", "topic"})
"""Who routes because it has a reason to; a person who agrees keeps the proposal, and each kind has its record."""

_RANKS = {SAFETY: 0, 2: 1, 1: 2, 0: 3}
_SEVERITIES = {SAFETY: 1, 2: 2, 1: 3, 0: 4}
_MOST_TOPICS = 5


@dataclass(frozen=True)
class Foreseen:
    """What the learned router says of one item: the teams with their probabilities, surest first, and whether that is sure
    enough to act on ("auto"), to propose ("suggest") or for neither ("abstain")."""

    verdict: str
    teams: Sequence[tuple[str, float]]
    told: Mapping[str, Any] = field(default_factory=dict)
    """What is stored of it: words, nearest examples, why it is not sure, and the version that said so."""


@dataclass(frozen=True)
class Clues:
    """What routing goes by beside the facts that rules ask about. `topics` are (slug, confidence) pairs, `spam` is the reason
    why it looks like spam."""

    topics: Sequence[tuple[str, float]] = ()
    foreseen: Foreseen | None = None
    spam: str = ""


@dataclass(frozen=True)
class Routing:
    """Where one item goes. `by` says who decided: "rule", "spam", "model", "topic" or "catch_all"; `tags` are topics that rules
    put on it, `also` the teams that get a ticket of their own beside it, each with the rule's name."""

    team: Team
    by: str
    rank: int
    severity: int
    explanation: Mapping[str, Any]
    assignee_id: int | None = None
    tags: tuple[tuple[str, str], ...] = ()  # (topic's slug, rule's name)
    also: tuple[tuple[Team, str], ...] = ()


@dataclass(frozen=True)
class Placed:
    """The team and who found it: a rule, or a topic by its slug, or neither."""

    team: Team
    by: str
    why: Mapping[str, str]
    rule: Rule | None = None
    topic: str | None = None

    @property
    def reason(self) -> str:
        return reason_of(self.why)


@lru_cache(maxsize=1)
def _compiled(stamp: str) -> tuple[Sequence[Rule], RuleSet]:
    """The rules that decide and what they mean. Every item that is opened shows them, and two thousand take a second to compile:
    each process does that once for each `stamp` of theirs."""
    stored = tuple(Rule.objects.in_order())
    return stored, RuleSet(rules.parse(rule.definition) for rule in stored)


class Router:
    """A snapshot of rules, topics, teams and people, read once for many items; routing itself is a pure function of it."""

    def __init__(
        self,
        *,
        stored: Sequence[Rule],
        teams: Mapping[str, Team],
        topics: Mapping[str, tuple[str, Team]],
        crew: Crew,
        above: Mapping[str, Sequence[str]],
        compiled: RuleSet | None = None,
    ) -> None:
        """`compiled` is what `stored` mean, where that is known."""
        self.stored = stored
        self.rules = compiled or RuleSet(rules.parse(rule.definition) for rule in stored)
        self.asks_for_themes = any(
            each.field == "theme" for rule in self.rules.rules for each in rules.conditions(rule)
        )
        self.teams = teams
        self._topics = topics
        self._crew = crew
        self._above = above
        self._catch_all = next(team for team in teams.values() if team.is_catch_all)

    @classmethod
    def load(cls, *, at: datetime) -> Self:
        """`at` says who is away."""
        # Stages come with their teams, since a ticket takes its team's stage.
        teams = {team.slug: team for team in Team.objects.filter(is_active=True).select_related("stage")}
        by_id = {team.pk: team for team in teams.values()}
        topics = Topic.objects.filter(is_active=True, team__in=by_id).values_list("slug", "name", "team_id")
        stored, compiled = _compiled(Rule.objects.stamp())
        return cls(
            stored=stored,
            compiled=compiled,
            teams=teams,
            topics={slug: (name, by_id[team]) for slug, name, team in topics if team},
            crew=Crew.load(at=at),
            above=Topic.objects.all().above(),
        )

    def route(self, facts: Facts, clues: Clues) -> Routing:
        """The first rule that routes decides the team; every rule that holds may tag and send it to others as well, and the
        first to name a severity or a person decides those."""
        facts = self.seen(facts)
        held = self.held(facts)
        place = self.place(held, facts, clues)
        urgency = facts.urgency if facts.urgency is not None else 1
        severity = next((act.argument for _, rule in held if (act := rule.act("severity"))), _SEVERITIES[urgency])
        rank = 0 if severity == 1 else OUT_OF_THE_WAY if place.by == "spam" else _RANKS[urgency]
        given = self._given(held, place.team)
        also = self._also(held, place.team)
        return Routing(
            team=place.team,
            by=place.by,
            rank=rank,
            severity=int(severity),
            assignee_id=given.person.pk if given.person else None,
            tags=tuple(
                (str(act.argument), stored.name) for stored, rule in held for act in rule.then if act.verb == "tag"
            ),
            also=also,
            explanation={
                "by": place.by,
                "rule": place.rule.name if place.rule else None,
                **place.why,
                "topic": place.topic,
                "tried": len(self.stored),
                "held": [told(stored, rules.match(rule, facts)) for stored, rule in held],
                "topics": [[slug, round(sure, 4)] for slug, sure in clues.topics[:_MOST_TOPICS]],
            }
            | ({"model": dict(clues.foreseen.told)} if clues.foreseen else {})
            | ({"spam": clues.spam} if clues.spam else {})
            | ({"given": given.reason} if given.reason else {})
            | ({"also": [{"team": team.slug, "rule": rule} for team, rule in also]} if also else {}),
        )

    def seen(self, facts: Facts) -> Facts:
        """The facts as rules see them: with every topic that stands above one of the item's own."""
        return facts.with_above(self._above)

    def held(self, facts: Facts) -> list[tuple[Rule, rules.Rule]]:
        """The rules that hold, in order."""
        facts = self.seen(facts)
        return [(self.stored[position], rule) for position, rule in self.rules.matching(facts)]

    def trace(self, facts: Facts) -> list[tuple[Rule, rules.Match]]:
        """Every rule as it stands now, tried on this item, each condition answered; `told` says one of them in words."""
        return list(zip(self.stored, self.rules.trace(self.seen(facts)), strict=True))

    def place(self, held: Sequence[tuple[Rule, rules.Rule]], facts: Facts, clues: Clues) -> Placed:
        """The team, by the rules that hold (of which some may be left out, to see what would be without them) and the clues."""
        for stored, rule in held:
            act = rule.act("route")
            team = self.teams.get(str(act.argument)) if act else None
            if team is not None:
                return Placed(team, "rule", kept("rule", team=team.name, rule=stored.name), rule=stored)
        if clues.spam and facts.urgency != SAFETY:
            return Placed(self._catch_all, "spam", kept("spam", team=self._catch_all.name))
        foreseen = clues.foreseen
        if foreseen is not None and foreseen.verdict == "auto" and foreseen.teams:
            slug, probability = foreseen.teams[0]
            if (team := self.teams.get(slug)) is not None:
                return Placed(team, "model", kept("model", team=team.name, sure=Share(str(probability))))
        for slug, confidence in sorted(clues.topics, key=lambda pair: -pair[1]):
            if confidence >= SURE_ENOUGH and slug in self._topics:
                name, team = self._topics[slug]
                return Placed(team, "topic", kept("topic", team=team.name, topic=name), topic=slug)
        return Placed(self._catch_all, "catch_all", kept("catch_all", team=self._catch_all.name))

    def team_of(self, topic: str) -> tuple[str, Team] | None:
        """The name of a topic and its team, if it has one that is in use."""
        return self._topics.get(topic)

    def _given(self, held: Sequence[tuple[Rule, rules.Rule]], team: Team) -> Given:
        """Whom the rules give it to; where they name nobody it is the team's, whoever of it is here."""
        named = next((str(act.argument) for _, rule in held if (act := rule.act("assign"))), "")
        person = self._crew.find(named) if named else None
        if person is None:
            return self._crew.when_nobody_is_here(team.pk)
        if not self._crew.may_have(person, team.pk):
            waits = marked("%(name)s does not work for %(team)s, so it waits for the team.")
            return Given(None, worded(waits, name=person.name, team=team.name))
        return self._crew.instead_of(person, team.pk)

    def _also(self, held: Sequence[tuple[Rule, rules.Rule]], first: Team) -> tuple[tuple[Team, str], ...]:
        found: dict[str, tuple[Team, str]] = {}
        for stored, rule in held:
            for act in rule.then:
                team = self.teams.get(str(act.argument)) if act.verb == "also" else None
                if team is not None and team.pk != first.pk:
                    found.setdefault(team.slug, (team, stored.name))
        return tuple(found.values())[:MOST_TEAMS]


def foresee(texts: Sequence[Text], taxonomy: Taxonomy) -> list[Foreseen | None]:
    """What the learned router says of each text; None for all of them while nothing is learned yet."""
    learned = taxonomy.learned.get("team")
    if learned is None:
        return [None] * len(texts)
    return [_foreseen(prediction) for prediction in learned.predict(texts, taxonomy)]


def facts_of(
    item: FeedbackItem, analysis: Analysis, *, topics: frozenset[str], themes: frozenset[str] = frozenset()
) -> Facts:
    """What rules may ask about an item; its channel, customer and account must be loaded. It is in no theme when it arrives,
    and those of what is looked at again are its `themes`."""
    account = item.customer.account if item.customer else None
    return Facts(
        channel=item.channel.slug,
        connector=item.channel.kind,
        language=analysis.language if analysis.language != "und" else "",
        sentiment=analysis.sentiment,
        urgency=analysis.urgency,
        topics=topics,
        themes=themes,
        product=item.product,
        product_version=item.product_version,
        rating=item.rating_value,
        rating_scale=item.rating_scale,
        title=item.title,
        text=item.text,
        customer_segment=account.segment if account else "",
        customer_value=account.value if account else None,
        customer_account=frozenset({account.name, account.external_id} - {""}) if account else frozenset(),
        country=str(item.context.get("country") or ""),
        place=str(item.context.get("place") or ""),
        spam=_spam(analysis),
        received_hour=(arrived := localtime(item.received_at, get_default_timezone())).hour,
        received_weekday=WEEKDAYS[arrived.weekday()],
        context=item.context,
        entities=_entities(analysis),
    )


def _entities(analysis: Analysis) -> Mapping[str, frozenset[str]]:
    found: dict[str, set[str]] = {}
    for each in (each for given in analysis.evidence.values() for each in given):
        if each["kind"].startswith(MARK):
            found.setdefault(each["kind"].removeprefix(MARK), set()).add(str(each["value"]))
    return {kind: frozenset(values) for kind, values in found.items()}


def _foreseen(prediction: Prediction) -> Foreseen:
    """An answer of nobody's leaves the item to whatever comes next, so that only teams stand among the teams."""
    teams = [(slug, probability) for slug, probability in prediction.probabilities if slug]
    return Foreseen(
        verdict=prediction.verdict,
        teams=teams,
        told={
            "verdict": prediction.verdict,
            "threshold": prediction.threshold,
            "teams": [[slug, round(probability, 4)] for slug, probability in teams[:_MOST_TOPICS]],
            "parts": dict(prediction.parts),
            "words": [
                {"says": one.says, "weight": one.weight, "span": list(one.span) if one.span else None}
                for one in prediction.words
            ],
            "neighbours": [
                {"item": one.key, "label": one.label, "cosine": round(one.cosine, 4)} for one in prediction.neighbours
            ],
            "why_not": prediction.why_not,
        },
    )


def _spam(analysis: Analysis) -> bool | None:
    """Whether it looks like spam; None where no tagger was asked."""
    said = [each for given in analysis.evidence.values() for each in given if each["kind"] == "spam"]
    if said or "spam" in analysis.versions:
        return any(each["value"] == "spam" and each["confidence"] >= SURE_ENOUGH for each in said)
    return None


def told(stored: Rule, match: rules.Match) -> dict[str, Any]:
    """One rule tried, as it is stored and shown."""
    return {
        "rule": stored.name,
        "version": stored.version,
        "matched": match.holds,
        "conditions": [
            {
                "field": outcome.condition.field,
                "op": outcome.condition.op,
                "value": outcome.condition.value,
                "seen": outcome.seen,
                "held": outcome.holds,
                "sentence": str(outcome),
            }
            for outcome in match.outcomes
        ],
    }
