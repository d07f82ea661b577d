"""What the taxonomy says of a text by itself, with no label at all: likeness of meaning and words of its own together."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from triage.blend.keywords import TopicIndex
from triage.taggers.base import Taxonomy, Text, Vector

Floats = NDArray[np.float64]

# Log odds for each unit of cosine to the description and to the middle of the keywords, of the logarithm of the score by
# words, and of the share of that score. Fitted on labelled feedback of an airline, of three banks, of a software house and
# of a voice assistant together, each left out in turn. A topic's name stands in where it has no more.
_DESCRIPTION, _KEYWORDS, _WORDS, _SHARE = 4.6, 10.2, 0.64, 0.6
# The same where nothing but words can be gone by.
_WORDS_ALONE, _SHARE_ALONE = 1.0, 1.5


class ZeroShot:
    """Derived once from a taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.index = taxonomy.derive(TopicIndex)
        self._descriptions, self._keywords = _meanings(taxonomy)

    def log_odds(self, texts: Sequence[Text], *, meaning: bool) -> Floats:
        """(texts, topics): what speaks for each topic. With `meaning`, texts and taxonomy must have vectors."""
        words = np.zeros((len(texts), len(self.index.topics)))
        for row, text in enumerate(texts):
            for topic, score in self.index.scores(self.index.features(text)).items():
                words[row, topic] = score
        share = words / np.maximum(words.sum(axis=1, keepdims=True), 1e-9)
        if not meaning:
            by_words: Floats = _WORDS_ALONE * np.log1p(words) + _SHARE_ALONE * share
            return by_words
        vectors = stacked([text.vector for text in texts])
        likeness = _DESCRIPTION * (vectors @ self._descriptions.T) + _KEYWORDS * (vectors @ self._keywords.T)
        odds: Floats = likeness + _WORDS * np.log1p(words) + _SHARE * share
        return odds

    @property
    def has_meaning(self) -> bool:
        """Whether the encoder has seen the whole taxonomy."""
        return self._descriptions.size > 0


def stacked(vectors: Sequence[Vector | None]) -> Floats:
    return np.array([vector for vector in vectors if vector is not None], np.float64)


def log_softmax(odds: Floats) -> Floats:
    """Row by row; the same row gives the same digits whatever stands beside it."""
    shifted = odds - odds.max(axis=1, keepdims=True)
    logs: Floats = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    return logs


def _meanings(taxonomy: Taxonomy) -> tuple[Floats, Floats]:
    """Unit vectors of the description and of the middle of the keywords of each topic; empty where a vector is missing."""
    if not taxonomy.topics or any(saying not in taxonomy.vectors for saying in taxonomy.sayings):
        return np.empty((0, 0)), np.empty((0, 0))
    descriptions, keywords = [], []
    for topic in taxonomy.topics:
        fallback = topic.description or topic.name
        descriptions.append(np.asarray(taxonomy.vectors[fallback], np.float64))
        middle = np.mean([taxonomy.vectors[word] for word in topic.keywords or (fallback,)], axis=0, dtype=np.float64)
        keywords.append(middle / max(float(np.linalg.norm(middle)), 1e-9))
    return np.array(descriptions), np.array(keywords)
