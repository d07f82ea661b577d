"""Why a ticket is here, as its page shows it: in words first, the rules one by one below."""

from typing import Any

from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal.languages import in_a_line, percent
from triage.routing import told
from triage.routing.why import Why
from triage.rules import Match

MOST_RULES = 25
"""So many rules stand on the page, those that hold first; the API gives all of them."""


def because(found: Why) -> dict[str, Any]:
    """The context of `_explanation.html`."""
    # Told in words are only those that are shown: there may be two thousand.
    ranked = sorted(found.rules, key=lambda tried: (tried[0].name != found.rule, not tried[1].holds, _failed(tried[1])))
    shown = [told(*tried) for tried in ranked[:MOST_RULES]]
    return {
        "sentence": found.reason,
        "given": found.given,
        "routed_at": found.routed_at,
        "words": found.words,
        "neighbours": [
            {
                "title": one.title,
                "detail": in_a_line(
                    one.reference, one.team, gettext("%(share)s alike") % {"share": percent(one.cosine)}
                ),
                "url": f"{reverse('triage:workbench')}?item={one.reference}",
            }
            for one in found.neighbours
        ],
        "others": found.others,
        "runners_up": [{"team": team, "share": percent(sure)} for team, sure in found.runners_up],
        "unsure": found.unsure,
        "changes": found.changes,
        "today": found.today,
        "as_of": found.as_of,
        "tried": len(found.rules),
        "more": len(ranked) - len(shown),
        "rules": [
            {
                "name": rule["rule"],
                "is_winner": rule["rule"] == found.rule and found.by == "rule",
                "holds": rule["matched"],
                "conditions": [{"text": each["sentence"], "holds": each["held"]} for each in rule["conditions"]],
            }
            for rule in shown
        ],
    }


def _failed(match: Match) -> int:
    return sum(not outcome.holds for outcome in match.outcomes)
