"""A rule tried on the newest items, while it is written."""

from dataclasses import dataclass
from typing import Any, Final

from intake.models import FeedbackItem
from triage import rules
from triage.models import Topic
from triage.rulebook import past_facts
from triage.rules.matched_words import marks, pieces

TRIED: Final = 200
SHOWN: Final = 8


@dataclass(frozen=True)
class Shown:
    """An item for which the rule holds, as a list shows it: runs of its title and text, each marked or not."""

    reference: str
    title: list[tuple[str, bool]]
    text: list[tuple[str, bool]]


@dataclass(frozen=True)
class Preview:
    """How many of the newest items the rule was tried on, the references of those for which it holds, and some of them."""

    tried: int
    matched: tuple[str, ...]
    shown: tuple[Shown, ...]


def preview(definition: Any, *, show: int = SHOWN) -> Preview:
    """Nothing is done; `BadInput` names the first place of the rule that is wrong."""
    rule = rules.parse(definition)
    fields = past_facts.fields_of([rule]) | {"title", "text"}
    found = past_facts.pages(most=TRIED, fields=fields, above=Topic.objects.all().above(), page=TRIED)
    rows = [past for page in found for past in page.rows]
    matched = [past for past in rows if rule.when.holds(past.facts)]
    return Preview(
        tried=len(rows),
        matched=tuple(FeedbackItem(pk=past.item).reference for past in matched),
        shown=tuple(_shown(rule, past) for past in matched[:show]),
    )


def _shown(rule: rules.Rule, past: past_facts.Past) -> Shown:
    found = marks(rule, past.facts)
    spans = {part: [(mark.start, mark.end) for mark in found if mark.part == part] for part in ("title", "text")}
    return Shown(
        reference=FeedbackItem(pk=past.item).reference,
        title=pieces(past.facts.title, spans["title"]) if past.facts.title else [],
        text=pieces(past.facts.text, spans["text"]) if past.facts.text else [],
    )
