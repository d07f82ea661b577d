"""What the taggers make of items, as rows that nobody has saved yet; nothing is hidden when a tagger breaks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import structlog

from feedback_portal.marking import worded
from intake.models import FeedbackItem
from triage.models import Analysis, Mention, Tagging
from triage.routing import Clues, Foreseen
from triage.taggers import taggers
from triage.taggers.base import Suggestion, Tagger, Taxonomy, Text
from triage.taggers.entities import MARK, key_of
from triage.taggers.outside import KINDS, merged
from triage.understanding import embeddings

log = structlog.get_logger("portal.understanding")

WORTH_SHOWING = 0.25
"""A topic below this is not even worth showing."""
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

    @property
    def every(self) -> list[Suggestion]:
        return [one for given in self.suggestions.values() for one in given]

    def of(self, kind: str) -> list[Suggestion]:
        return [one for given in self.suggestions.values() for one in given if one.kind == kind]


def read(texts: Sequence[Text], *, taxonomy: Taxonomy) -> list[Understanding]:
    """Every tagger's suggestions for every text, in the order of the texts. A tagger that raises on a batch is asked
    text by text, and its failures are recorded with the texts it broke on."""
    suggestions: list[dict[str, Sequence[Suggestion]]] = [{} for _ in texts]
    failures: list[dict[str, str]] = [{} for _ in texts]
    for tagger in taggers.all():
        for index, outcome in enumerate(_ask(tagger, texts, taxonomy)):
            if isinstance(outcome, str):
                failures[index][tagger.slug] = outcome
            elif outcome := _with_told(tagger, texts[index], outcome):
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


def analysis_of(item: FeedbackItem, each: Understanding) -> Analysis:
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


def taggings_of(
    item: FeedbackItem, each: Understanding, tags: Iterable[tuple[str, str]], topics: Mapping[str, int]
) -> Iterable[Tagging]:
    """One row a topic: a rule's tag is certain and wins over the model's."""
    made: dict[int, Tagging] = {}
    for slug, given in each.suggestions.items():
        for one in given:
            topic = topics.get(str(one.value)) if one.kind == "topic" else None
            if topic is None or one.confidence < WORTH_SHOWING:
                continue
            known = made.get(topic)
            if known is None or known.confidence < one.confidence:
                made[topic] = Tagging(
                    item=item,
                    topic_id=topic,
                    source="model",
                    confidence=one.confidence,
                    evidence=_stored(one),
                    made_by=made_by(slug, one),
                )
    for topic_slug, rule in tags:
        if topic_slug in topics:
            made[topics[topic_slug]] = Tagging(
                item=item,
                topic_id=topics[topic_slug],
                source="rule",
                evidence={
                    "reason": f"The rule “{rule}” tags it.",
                    "worded": worded("The rule “%(rule)s” tags it.", rule=rule),
                },
                made_by=rule[:80],
            )
    return made.values()


def mentions_of(item: FeedbackItem, each: Understanding) -> list[Mention]:
    """One row for each thing the item names, however many taggers found it."""
    made: dict[tuple[str, str], Mention] = {}
    for one in (one for given in each.suggestions.values() for one in given if one.kind.startswith(MARK)):
        kind, value = one.kind.removeprefix(MARK)[:40], str(one.value)[:120]
        row = Mention(item=item, kind=kind, value=value, key=key_of(value), confidence=one.confidence)
        known = made.setdefault((kind, row.key), row)
        known.confidence = max(known.confidence, row.confidence)
    return list(made.values())


def clues_of(each: Understanding, foretold: Foreseen | None, known: Mapping[str, int]) -> Clues:
    topics = [(str(one.value), one.confidence) for one in each.of("topic") if one.value in known]
    spam = each.best("spam")
    is_spam = spam is not None and spam.value == "spam" and spam.confidence >= _PROBABLY
    return Clues(
        topics=sorted(topics, key=lambda pair: -pair[1]),
        foreseen=foretold,
        spam=(spam.worded or spam.reason) if spam is not None and is_spam else "",
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


def _with_told(tagger: Tagger, text: Text, own: Sequence[Suggestion]) -> Sequence[Suggestion]:
    """A tagger's own suggestions, and what a model outside said in its place if one was asked."""
    told = text.told.get(tagger.slug)
    return own if told is None else merged(own, told, text, KINDS[tagger.slug])


def made_by(tagger: str, one: Suggestion) -> str:
    """Who said so, with its version: the tagger, or the model outside that was asked for it."""
    outside = one.grounds.get("outside")
    if isinstance(outside, Mapping):
        return f"{outside['model']}, prompt {outside['prompt']}"[-80:]
    return f"{tagger} {taggers.get(tagger).version}"


def _stored(one: Suggestion) -> dict[str, Any]:
    """A suggestion as a person can check it later: what, how sure, why, and the places in the text."""
    return {
        "kind": one.kind,
        "value": one.value,
        "confidence": round(one.confidence, 4),
        "reason": one.reason,
        **({"worded": one.worded} if one.worded else {}),
        "evidence": [
            {"says": each.says, "weight": round(each.weight, 4), "span": list(each.span) if each.span else None}
            for each in one.evidence[:_MOST_EVIDENCE]
        ],
        **({"grounds": dict(one.grounds)} if one.grounds else {}),
    }
