"""Why something was put where it is: a sentence that is kept with what fills it, and said again to each reader in their language."""

from collections.abc import Mapping
from typing import Any

from feedback_portal.languages import said
from feedback_portal.marking import marked, worded

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


def kept(by: str, **slots: object) -> dict[str, str]:
    """What an explanation keeps of a reason: the sentence as it is said now, and the same to be said again."""
    sentence = worded(_REASONS[by], **slots)
    return {"reason": said(sentence), "worded": sentence}


def reason_of(told: Mapping[str, Any]) -> str:
    """The reason that an explanation keeps, in the reader's language; as it was written where only that was kept."""
    return said(str(told.get("worded") or told.get("reason") or ""))
