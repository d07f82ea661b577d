"""Rules in shadow: tried on every new item, deciding nothing, so that a person sees what they would have done before they do it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from django.db import connection

from feedback_portal.accounts.models import Team
from feedback_portal.refusals import BadInput
from intake.models import FeedbackItem
from triage import rules
from triage.models import Rule, ShadowMatch, Topic
from triage.routing import Routing
from triage.rules.facts import Facts
from triage.rules.sets import RuleSet

KEPT: Final = 10_000
"""Matches kept for each rule; older ones are forgotten."""
SHOWN: Final = 20


class Shadows:
    """A snapshot of the rules in shadow and of the live order, read once for many items."""

    def __init__(
        self,
        *,
        stored: Sequence[Rule],
        places: Mapping[str, tuple[int, int]],
        teams: Mapping[str, Team],
        above: Mapping[str, Sequence[str]],
    ) -> None:
        readable = [(rule, parsed) for rule in stored if (parsed := _parsed(rule)) is not None]
        self._stored = [rule for rule, _ in readable]
        self._rules = RuleSet(parsed for _, parsed in readable)
        self._places, self._teams, self._above = places, teams, above

    @classmethod
    def load(cls) -> Self:
        stored = list(Rule.objects.in_shadow())
        if not stored:
            return cls(stored=[], places={}, teams={}, above={})
        return cls(
            stored=stored,
            places={
                name: (position, pk)
                for name, position, pk in Rule.objects.in_order().values_list("name", "position", "pk")
            },
            teams={team.slug: team for team in Team.objects.filter(is_active=True)},
            above=Topic.objects.all().above(),
        )

    def watch(self, item: FeedbackItem, facts: Facts, routing: Routing) -> list[ShadowMatch]:
        """What to write down of one new item: each rule in shadow that holds for it, and where that would have placed it, as
        far as no live rule before it decides."""
        if not self._stored:
            return []
        winner = self._places.get(str(routing.explanation.get("rule"))) if routing.by == "rule" else None
        found = []
        for position, rule in self._rules.matching(facts.with_above(self._above)):
            stored = self._stored[position]
            act = rule.act("route")
            decides = act is not None and (winner is None or (stored.position, stored.pk) < winner)
            found.append(
                ShadowMatch(
                    rule=stored,
                    version=stored.version,
                    item=item,
                    would=self._teams.get(str(act.argument)) if act and decides else None,
                    placed=routing.team,
                )
            )
        return found


@dataclass(frozen=True)
class Watched:
    """What one version of a rule in shadow would have done so far. Of the items it would have decided: how many would lie
    elsewhere than they were placed, how many people decided on, how often people agreed with the rule and with the placing."""

    held: int
    decides: int
    differs: int
    decided: int
    rule_right: int
    placing_right: int
    latest: Sequence[ShadowMatch]


def watched(rule: Rule) -> Watched:
    """Read in two queries, whatever there is. What people decided is the team of the item's first ticket once it was triaged."""
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, {"rule": rule.pk, "version": rule.version})
        counted = cursor.fetchone()
    rows = ShadowMatch.objects.filter(rule=rule, version=rule.version).select_related("would", "placed", "item")
    held, decides, differs, decided, rule_right, placing_right = counted
    latest = list(rows.order_by("-pk")[:SHOWN])
    return Watched(held, decides, differs, decided, rule_right, placing_right, latest)


def forget_old() -> int:
    """Keep the newest matches of each rule; how many were forgotten."""
    with connection.cursor() as cursor:
        cursor.execute(_FORGET, {"kept": KEPT})
        return int(cursor.rowcount)


_COUNTED: Final = """
SELECT count(*), count(would), count(*) FILTER (WHERE would <> placed), count(decided),
    count(*) FILTER (WHERE decided = would), count(*) FILTER (WHERE decided = placed)
FROM (
    SELECT shadow.would_id AS would, shadow.placed_id AS placed, CASE WHEN shadow.would_id IS NOT NULL AND first.triaged_at IS NOT NULL
        AND first.resolution NOT IN ('spam', 'duplicate') THEN first.team_id END AS decided
    FROM triage_shadowmatch AS shadow LEFT JOIN LATERAL (
        SELECT team_id, triaged_at, resolution FROM triage_ticket WHERE item_id = shadow.item_id ORDER BY id LIMIT 1
    ) AS first ON true
    WHERE shadow.rule_id = %(rule)s AND shadow.version = %(version)s
) AS each
"""
_FORGET: Final = """
DELETE FROM triage_shadowmatch USING (
    SELECT id, row_number() OVER (PARTITION BY rule_id ORDER BY id DESC) AS age FROM triage_shadowmatch
) AS aged WHERE aged.id = triage_shadowmatch.id AND aged.age > %(kept)s
"""


def _parsed(rule: Rule) -> rules.Rule | None:
    try:
        return rules.parse(rule.definition)
    except BadInput:
        return None
