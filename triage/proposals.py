"""What the portal proposes about an item, and what a decision answers to it.

An answer is kept in the event of the decision (`data["answers"]`, see `Answer.as_data`), so that how often proposals are
kept is counted from events alone; see `triage.track_record` for what counts. A person answers by deciding, whether or not
they pressed Accept: who routes elsewhere turns the proposal down, who takes the ticket keeps it.

- `rule`, `team`, `topic_team`: the team. A rule's, the learned router's, or the one its surest topic belongs to. Closing it
  as spam or merging it answers nothing.
- `spam`: to close it as spam. Kept if the first decision does that.
- `topic`: a tag of the model. Kept by accepting the proposal that names it, by leaving it in the list of tags or putting it
  there oneself; turned down by taking it off.
- `severity`: kept by a first decision that leaves it, turned down by changing it.
- `duplicate`: a likely duplicate. Kept by merging the two, turned down by telling them apart.

Themes are no proposals: an item simply is in one, and a person moves it where that is wrong.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db.models import TextChoices
from django.utils.translation import gettext, gettext_lazy

from triage.lifecycle import WhyNot
from triage.models import LikelyDuplicate, Tagging, Ticket
from triage.routing import PROPOSED_BY

BANDS = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95)
"""Where the bands of confidence begin; each ends where the next begins, the last at 1."""

MOST_TAGS = 2
"""So many tags are named in a proposal."""


class Kind(TextChoices):
    RULE = "rule", gettext_lazy("Team by a rule")
    TEAM = "team", gettext_lazy("Team as learned from corrections")
    TOPIC_TEAM = "topic_team", gettext_lazy("Team of the topic")
    SPAM = "spam", gettext_lazy("Close as spam")
    TOPIC = "topic", gettext_lazy("Tag")
    SEVERITY = "severity", gettext_lazy("Severity")
    DUPLICATE = "duplicate", gettext_lazy("Duplicate")


ABOUT = frozenset({Kind.RULE, Kind.SEVERITY})
"""Kinds that give no confidence: each rule, and each severity, has a record of its own instead."""

_ROUTES = {"rule": Kind.RULE, "model": Kind.TEAM, "topic": Kind.TOPIC_TEAM}


@dataclass(frozen=True)
class Proposal:
    """`of` is what it is about within its kind: a rule's name, a topic, another item; `sure` is from 0 to 1, or None."""

    kind: Kind
    of: str = ""
    sure: float | None = None
    team: str = ""

    @property
    def about(self) -> str:
        """What its record is kept by beside its kind and its band."""
        return self.of if self.kind in ABOUT else ""

    @property
    def band(self) -> int | None:
        return band_of(self.sure)

    def answered(self, *, kept: bool) -> dict[str, Any]:
        """The answer, as it stands in the event of the decision."""
        sure = None if self.sure is None else round(self.sure, 4)
        return {"kind": self.kind.value, "of": self.of, "sure": sure, "kept": kept}


def band_of(sure: float | None) -> int | None:
    """The band of a confidence, by the per cent it begins at."""
    return None if sure is None else round(100 * BANDS[max(0, bisect_right(BANDS, sure) - 1)])


def band_words(band: int | None) -> str:
    """ "90 to 95% sure"."""
    if band is None:
        return ""
    ends = {round(100 * low): round(100 * high) for low, high in zip(BANDS, (*BANDS[1:], 1.0), strict=True)}
    return gettext("%(low)s to %(high)s%% sure") % {"low": band, "high": ends.get(band, 100)}


def placing(ticket: Ticket) -> Proposal | None:
    """What is proposed about where this ticket belongs: with whom it lies, that it is spam, or the team which the learned
    router would send it to if it were surer. Its team must be loaded."""
    told = ticket.explanation
    by = told.get("by", "")
    if by == "spam":
        return Proposal(Kind.SPAM)
    model = told.get("model") or {}
    slug, sure = (model.get("teams") or [("", 0.0)])[0]
    if by in PROPOSED_BY:
        confidence = {"model": float(sure), "topic": _sure_of(told)}.get(by)
        of = {"rule": told.get("rule"), "topic": told.get("topic")}.get(by) or ""
        return Proposal(_ROUTES[by], of=of, sure=confidence, team=ticket.team.slug)
    if by == "catch_all" and model.get("verdict") == "suggest" and slug != ticket.team.slug:
        return Proposal(Kind.TEAM, sure=float(sure), team=slug)
    return None


def of_tag(tagging: Tagging) -> Proposal | None:
    """A model's tag; what people and rules put there is no proposal. Its topic must be loaded."""
    if tagging.source != Tagging.Source.MODEL:
        return None
    return Proposal(Kind.TOPIC, of=tagging.topic.slug, sure=tagging.confidence)


def of_duplicate(item: int, other: int) -> Proposal | None:
    """That the two say the same, if the portal said so."""
    later, earlier = max(item, other), min(item, other)
    score = LikelyDuplicate.objects.filter(item=later, other=earlier).values_list("score", flat=True).first()
    return None if score is None else Proposal(Kind.DUPLICATE, of=f"{earlier} {later}", sure=score)


def first_decision(ticket: Ticket, *, team: str, is_spam: bool = False) -> list[dict[str, Any]]:
    """What the first decision about a ticket answers: it goes to this team, or is no feedback at all."""
    answers = []
    proposed = None if ticket.explanation.get("dismissed") else placing(ticket)
    if proposed is not None and proposed.kind == Kind.SPAM:
        answers.append(proposed.answered(kept=is_spam))
    elif proposed is not None and not is_spam:
        answers.append(proposed.answered(kept=proposed.team == team))
    if not is_spam and not ticket.explanation.get("severity_by"):
        answers.append(of_severity(ticket).answered(kept=True))
    return answers


def of_severity(ticket: Ticket) -> Proposal:
    return Proposal(Kind.SEVERITY, of=f"S{ticket.severity}")


def tags(taggings: Iterable[Tagging], *, kept: bool) -> list[dict[str, Any]]:
    return [proposal.answered(kept=kept) for each in taggings if (proposal := of_tag(each)) is not None]


def turned_down(ticket: Ticket, taggings: Iterable[Tagging], *, because: str) -> list[dict[str, Any]]:
    """What "not this" answers: the team unless its reason names the tags, of which `taggings` were shown; nothing while nobody
    can tell."""
    if because == WhyNot.CANNOT_TELL:
        return []
    if because == WhyNot.WRONG_TAGS:
        return tags(taggings, kept=False)
    proposed = placing(ticket)
    return [proposed.answered(kept=False)] if proposed else []


def _sure_of(told: dict[str, Any]) -> float | None:
    return next((float(sure) for slug, sure in told.get("topics", []) if slug == told.get("topic")), None)
