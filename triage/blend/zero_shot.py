"""What the taxonomy says of a text by itself, with no label at all: likeness of meaning and words of its own together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triage.blend.keywords import TopicIndex
from triage.phrases import Phrases
from triage.taggers.base import Taxonomy, Text, Vector
from triage.words import stem

Floats = NDArray[np.float64]

# Log odds for each unit of cosine to a topic, of the logarithm of its score by words, of that score as a share of the best,
# and of its share of the keywords and names found in the text. Fitted together on labelled feedback of an airline, of three
# banks, of a software house and of a voice assistant, dev parts only; the optimum is flat.
_LIKENESS, _WORDS, _LEAD, _HITS = 14.3, 0.14, 0.79, 1.22
# The same where nothing but words can be gone by.
_WORDS_ALONE, _HITS_ALONE = 1.88, 0.68
# How far a topic's direction leans to the middle of its keywords alone, from that of description and keywords together.
_KEYWORDS = 0.35


class ZeroShot:
    """Derived once from a taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.index = taxonomy.derive(TopicIndex)
        self._directions = _directions(taxonomy)
        said = (
            (saying, number) for number, topic in enumerate(taxonomy.topics) for saying in (topic.name, *topic.keywords)
        )
        self._sayings = Phrases(said, key=stem)

    def log_odds(self, texts: Sequence[Text], *, meaning: bool) -> Floats:
        """(texts, topics): what speaks for each topic. With `meaning`, texts and taxonomy must have vectors."""
        words = np.zeros((len(texts), len(self.index.topics)))
        hits = np.zeros_like(words)
        for row, text in enumerate(texts):
            for topic, score in self.index.scores(self.index.features(text)).items():
                words[row, topic] = score
            for hit in self._sayings.find(text.stems):
                for topic in hit.meanings:
                    hits[row, topic] += 1
        lead = words / np.maximum(words.max(axis=1, keepdims=True), 1e-9)
        words = np.log1p(words)
        hits /= np.maximum(hits.sum(axis=1, keepdims=True), 1)
        if not meaning:
            by_words: Floats = _WORDS_ALONE * words + _HITS_ALONE * hits
            return by_words
        likeness = stacked([text.vector for text in texts]) @ self._directions.T
        odds: Floats = _LIKENESS * likeness + _WORDS * words + _LEAD * lead + _HITS * hits
        return odds

    @property
    def has_meaning(self) -> bool:
        """Whether the encoder has seen the whole taxonomy."""
        return self._directions.size > 0


def stacked(vectors: Sequence[Vector | None]) -> Floats:
    """(texts, size) of those that have a vector; (0, 0) where none has."""
    known = [vector for vector in vectors if vector is not None]
    return np.array(known, np.float64) if known else np.empty((0, 0))


def log_softmax(odds: Floats) -> Floats:
    """Row by row; the same row gives the same digits whatever stands beside it."""
    shifted = odds - odds.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _directions(taxonomy: Taxonomy) -> Floats:
    """Where each topic lies, (topics, size): between its description and its keywords, or where its name does if it has
    neither. Empty if a vector is missing."""
    if not taxonomy.topics or any(saying not in taxonomy.vectors for saying in taxonomy.sayings):
        return np.empty((0, 0))
    found = []
    for topic in taxonomy.topics:
        description = np.asarray(taxonomy.vectors[topic.description or topic.name], np.float64)
        keywords = (
            _unit(np.sum([taxonomy.vectors[word] for word in topic.keywords if word], axis=0, dtype=np.float64))
            if any(topic.keywords)
            else description
        )
        found.append((1 - _KEYWORDS) * _unit(description + keywords) + _KEYWORDS * keywords)
    return np.array(found)


def _unit(vector: Floats) -> Floats:
    unit: Floats = vector / max(float(np.linalg.norm(vector)), 1e-9)
    return unit
