"""Topics of the organisation's taxonomy, by its own words and, once there are corrections, by what was learned from them."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from triage.blend import NONE, Prediction, keywords
from triage.taggers.base import Suggestion, Tagger, Taxonomy, Text, taggers

MOST_SUGGESTIONS: Final = 5
LEAST_CONFIDENCE: Final = 0.1


@taggers.register
class Topics(Tagger):
    slug = "topics"
    version = 2
    kind = "topic"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        if (learned := taxonomy.learned.get("topic")) is not None:
            names = {topic.slug: topic.name for topic in taxonomy.topics}
            return [list(_learned(said, names)) for said in learned.predict(batch, taxonomy)]
        index = taxonomy.derive(keywords.TopicIndex)
        return [list(_suggest(text, index)) for text in batch]


def _learned(said: Prediction, names: Mapping[str, str]) -> Iterator[Suggestion]:
    """What was learned, as far as it is worth showing; the words are those that speak for the likeliest topic."""
    for place, (slug, probability) in enumerate(said.probabilities[: MOST_SUGGESTIONS + 1]):
        if probability < LEAST_CONFIDENCE:
            return
        if slug == NONE:
            continue
        evidence = said.words if place == 0 else ()
        words = ", ".join(f'"{one.says}"' for one in evidence[:3])
        yield Suggestion(
            kind="topic",
            value=slug,
            confidence=probability,
            reason=f"Items like this one were tagged {names[slug]}" + (f": {words}." if words else "."),
            evidence=evidence,
        )


def rank(text: Text, taxonomy: Taxonomy) -> list[tuple[str, float]]:
    """Every topic the text shares anything with and the confidence in it, surest first, however small."""
    index = taxonomy.derive(keywords.TopicIndex)
    return [(index.topics[topic].slug, confidence) for topic, confidence in index.confidences(index.features(text))]


def _suggest(text: Text, index: keywords.TopicIndex) -> Iterator[Suggestion]:
    features = index.features(text)
    for topic, confidence in index.confidences(features, most=MOST_SUGGESTIONS):
        if confidence < LEAST_CONFIDENCE:
            return
        evidence = tuple(keywords.evidence(text, index.speaking(features, topic)))
        said = ", ".join(f'"{one.says}"' for one in evidence[:3]) or "words of its branch"
        yield Suggestion(
            kind="topic",
            value=index.topics[topic].slug,
            confidence=confidence,
            reason=f"The text speaks of {index.topics[topic].name}: {said}.",
            evidence=evidence,
        )
