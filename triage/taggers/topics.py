"""Topics of the organisation's taxonomy: by its own words, by what texts mean where they have been encoded, and by what was
learned from people's corrections once there are some."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from feedback_portal.marking import marked, worded
from triage import blend
from triage.blend import keywords
from triage.taggers.base import Evidence, Suggestion, Tagger, Taxonomy, Text, taggers

MOST_SUGGESTIONS: Final = 5
LEAST_CONFIDENCE: Final = 0.1
_MOST_SAID: Final = 3


@taggers.register
class Topics(Tagger):
    slug = "topics"
    version = 2
    kind = "topic"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        index = taxonomy.derive(keywords.TopicIndex)
        if not index.topics:
            return [[] for _ in batch]
        learned = taxonomy.learned.get("topic")
        model = learned or blend.Blend.day_one("topic")
        # With nothing learned and nothing encoded the words have their own, better tried, measure of confidence.
        asked = [
            text for text in batch if text.words.folded and (learned or blend.meaningful(text, taxonomy, field="topic"))
        ]
        answers = dict(zip(map(id, asked), model.predict(asked, taxonomy), strict=True))
        return [
            list(_blended(text, answers[id(text)], index) if id(text) in answers else _by_words(text, index))
            for text in batch
        ]


def rank(text: Text, taxonomy: Taxonomy) -> list[tuple[str, float]]:
    """Every topic the text shares any word with and the confidence in it by words alone, surest first, however small."""
    index = taxonomy.derive(keywords.TopicIndex)
    return [(index.topics[topic].slug, confidence) for topic, confidence in index.confidences(index.features(text))]


_SPEAKS = marked("The text speaks of %(topic)s: %(said)s.")


def _by_words(text: Text, index: keywords.TopicIndex) -> Iterator[Suggestion]:
    features = index.features(text)
    for topic, confidence in index.confidences(features, most=MOST_SUGGESTIONS):
        if confidence < LEAST_CONFIDENCE:
            return
        evidence = tuple(keywords.evidence(text, index.speaking(features, topic)))
        said = _quoted(evidence) or worded("words of its branch")
        yield Suggestion(
            kind="topic",
            value=index.topics[topic].slug,
            confidence=confidence,
            reason=worded(_SPEAKS, topic=index.topics[topic].name, said=said),
            evidence=evidence,
        )


def _blended(text: Text, prediction: blend.Prediction, index: keywords.TopicIndex) -> Iterator[Suggestion]:
    features = index.features(text)
    numbers = {topic.slug: number for number, topic in enumerate(index.topics)}
    for label, share in prediction.probabilities[:MOST_SUGGESTIONS]:
        if share < LEAST_CONFIDENCE:
            return
        if label == blend.NONE:
            continue
        likeliest = label == prediction.label
        by_taxonomy = tuple(keywords.evidence(text, index.speaking(features, numbers[label])))
        evidence = _together(prediction.words if likeliest else (), by_taxonomy)
        if likeliest and not evidence and text.vector is None:
            return  # nothing speaks for it but that it is common
        yield Suggestion(
            kind="topic",
            value=label,
            confidence=share,
            reason=_reason(index.topics[numbers[label]].name, label, evidence, prediction),
            evidence=evidence,
            grounds=grounds_of(prediction) if likeliest else {},
        )


def _reason(name: str, label: str, evidence: Sequence[Evidence], prediction: blend.Prediction) -> str:
    if said := _quoted(evidence):
        return worded(_SPEAKS, topic=name, said=said)
    alike = sum(each.label == label for each in prediction.neighbours)
    if alike:
        return worded(
            "Of the %(nearest)s nearest items that people have placed, %(alike)s went to %(topic)s.",
            nearest=len(prediction.neighbours),
            alike=alike,
            topic=name,
        )
    if label == prediction.label:
        return worded("Its meaning is closest to %(topic)s.", topic=name)
    return worded("What people have placed so far makes %(topic)s the next likeliest.", topic=name)


def grounds_of(prediction: blend.Prediction) -> Mapping[str, object]:
    """How the likeliest label came about, as it is stored with the decision."""
    return {
        "decision": prediction.verdict,
        "threshold": prediction.threshold,
        "parts": dict(prediction.parts),
        "neighbours": [
            {"item": each.key, "cosine": round(each.cosine, 3), "label": each.label} for each in prediction.neighbours
        ],
        "runner_up": [[label, round(share, 4)] for label, share in prediction.probabilities[1:3]],
        "why_not": prediction.why_not,
    }


def _together(learned: Sequence[Evidence], by_taxonomy: Sequence[Evidence]) -> tuple[Evidence, ...]:
    """What was learned first, and of the taxonomy's words those it does not name."""
    places = {each.span for each in learned}
    return (*learned, *(each for each in by_taxonomy if each.span not in places))[: 2 * keywords.MOST_EVIDENCE]


def _quoted(evidence: Sequence[Evidence]) -> str:
    return ", ".join(f'"{one.says}"' for one in evidence[:_MOST_SAID])
