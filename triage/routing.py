"""Who gets an item, and why: rules first, then the topic's team, then the catch-all, so that there is always an owner."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.utils.timezone import get_default_timezone, localtime

from feedback_portal.accounts.models import Team
from intake.models import FeedbackItem
from triage import rules
from triage.facts import WEEKDAYS, Facts
from triage.models import Analysis, Rule, Topic
from triage.rule_sets import RuleSet
from triage.taggers.entities import MARK

SAFETY = 3
# A topic the tagger is less sure of than this stays a suggestion and moves nothing.
SURE_ENOUGH = 0.5
_RANKS = {SAFETY: 0, 2: 1, 1: 2, 0: 3}
_SEVERITIES = {SAFETY: 1, 2: 2, 1: 3, 0: 4}


@dataclass(frozen=True)
class Routing:
    """Where one item goes. `by` says who decided: "rule", "topic" or "catch_all"; `tags` are topics that rules put on it."""

    team: Team
    by: str
    rank: int
    severity: int
    explanation: Mapping[str, Any]
    assignee_id: int | None = None
    tags: tuple[tuple[str, str], ...] = ()  # (topic's slug, rule's name)


class Router:
    """A snapshot of rules, topics and teams, read once for many items; routing itself is a pure function of it."""

    def __init__(
        self,
        *,
        stored: Sequence[Rule],
        teams: Mapping[str, Team],
        topics: Mapping[str, tuple[str, Team]],
        people: Mapping[str, int],
        above: Mapping[str, Sequence[str]],
    ) -> None:
        self._stored = stored
        self._rules = RuleSet(rules.parse(rule.definition) for rule in stored)
        self._teams = teams
        self._topics = topics
        self._people = people
        self._above = above
        self._catch_all = next(team for team in teams.values() if team.is_catch_all)

    @classmethod
    def load(cls) -> Self:
        # Stages come with their teams, since a ticket takes its team's stage.
        teams = {team.slug: team for team in Team.objects.filter(is_active=True).select_related("stage")}
        by_id = {team.pk: team for team in teams.values()}
        topics = Topic.objects.filter(is_active=True, team__in=by_id).values_list("slug", "name", "team_id")
        people = Team.people.through.objects.filter(user__is_active=True).values_list("user__email", "user_id")
        return cls(
            stored=list(Rule.objects.in_order()),
            teams=teams,
            topics={slug: (name, by_id[team]) for slug, name, team in topics if team},
            people=dict(people),
            above=Topic.objects.all().above(),
        )

    def route(self, facts: Facts, *, topics: Sequence[tuple[str, float]]) -> Routing:
        """`topics` are (slug, confidence) pairs. The first rule that routes decides the team; every rule that holds
        may tag, and the first to name a severity or a person decides those."""
        facts = facts.with_above(self._above)
        held = [(self._stored[position], rule) for position, rule in self._rules.matching(facts)]
        team, by, reason, winner = self._team(held, topics)
        urgency = facts.urgency if facts.urgency is not None else 1
        severity = next((act.argument for _, rule in held if (act := rule.act("severity"))), _SEVERITIES[urgency])
        person = next((str(act.argument) for _, rule in held if (act := rule.act("assign"))), "")
        return Routing(
            team=team,
            by=by,
            rank=0 if severity == 1 else _RANKS[urgency],
            severity=int(severity),
            assignee_id=self._people.get(person.lower()),
            tags=tuple(
                (str(act.argument), stored.name) for stored, rule in held for act in rule.then if act.verb == "tag"
            ),
            explanation={
                "by": by,
                "rule": winner.name if winner else None,
                "reason": reason,
                "topic": topics[0][0] if topics and by == "topic" else None,
                "tried": len(self._stored),
                "held": [_told(stored, rules.match(rule, facts)) for stored, rule in held],
            },
        )

    def trace(self, facts: Facts) -> list[dict[str, Any]]:
        """Every rule as it stands now, tried on this item, each condition answered; for the "why here" panel."""
        facts = facts.with_above(self._above)
        return [_told(stored, match) for stored, match in zip(self._stored, self._rules.trace(facts), strict=True)]

    def _team(
        self, held: Sequence[tuple[Rule, rules.Rule]], topics: Sequence[tuple[str, float]]
    ) -> tuple[Team, str, str, Rule | None]:
        for stored, rule in held:
            act = rule.act("route")
            team = self._teams.get(str(act.argument)) if act else None
            if team is not None:
                return team, "rule", f"The rule “{stored.name}” sends it to {team.name}.", stored
        for slug, confidence in sorted(topics, key=lambda pair: -pair[1]):
            if confidence >= SURE_ENOUGH and slug in self._topics:
                name, team = self._topics[slug]
                return team, "topic", f"Its topic “{name}” belongs to {team.name}.", None
        return self._catch_all, "catch_all", f"No rule and no sure topic, so {self._catch_all.name} looks at it.", None


def facts_of(item: FeedbackItem, analysis: Analysis, *, topics: frozenset[str]) -> Facts:
    """What rules may ask about an item; its channel, customer and account must be loaded."""
    account = item.customer.account if item.customer else None
    return Facts(
        channel=item.channel.slug,
        connector=item.channel.kind,
        language=analysis.language if analysis.language != "und" else "",
        sentiment=analysis.sentiment,
        urgency=analysis.urgency,
        topics=topics,
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


def _told(stored: Rule, match: rules.Match) -> dict[str, Any]:
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
