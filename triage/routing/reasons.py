"""Why something was put where it is, as a sentence: said when it is put there, and again in the language of whoever reads it."""

from collections.abc import Mapping
from typing import Any

from django.utils.translation import gettext

from feedback_portal.marking import marked

_REASONS = {
    "rule": marked("The rule “%(rule)s” sends it to %(team)s."),
    "also": marked("The rule “%(rule)s” sends it to %(team)s as well."),
    "spam": marked("It looks like spam, so %(team)s has it after everything else."),
    "model": marked("Items like this one went to %(team)s (%(sure)s sure)."),
    "topic": marked("Its topic “%(topic)s” belongs to %(team)s."),
    "catch_all": marked("No rule and no sure topic, so %(team)s looks at it."),
    "person": marked("%(who)s sent it to %(team)s."),
    "split": marked("%(who)s gave a part of %(from)s to %(team)s."),
}


def reason(by: str, **slots: str) -> str:
    return gettext(_REASONS[by]) % slots


def reason_again(told: Mapping[str, Any], *, team: str, topic: str = "") -> str:
    """The stored reason of a ticket's explanation, said anew from what it rests on; as it was stored where that is not known.
    `team` is the ticket's, `topic` the name of the topic that decided."""
    by = "also" if told.get("is_also") else str(told.get("by", ""))
    teams = (told.get("model") or {}).get("teams") or []
    known = {
        "team": team,
        "rule": told.get("rule"),
        "topic": topic,
        "sure": f"{float(teams[0][1]):.0%}" if teams else "",
        "who": told.get("who"),
        "from": told.get("from"),
    }
    needed = {"rule": "rule", "also": "rule", "model": "sure", "topic": "topic", "person": "who", "split": "who"}
    if by in _REASONS and (by not in needed or known[needed[by]]):
        return gettext(_REASONS[by]) % known
    return str(told.get("reason", ""))
