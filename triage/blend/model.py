"""A learned blend: what it keeps, and how it answers."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feedback_portal.marking import Share, marked, worded
from triage.blend import beginnings
from triage.blend.base import NONE, Neighbour, Prediction, Verdict
from triage.blend.parts import Linear, spread_out
from triage.blend.pooling import Pool
from triage.blend.vocabulary import NO_PIECES, Matrix, Vocabulary, weighted
from triage.blend.zero_shot import Floats, ZeroShot, log_softmax, stacked
from triage.taggers.base import Evidence, Taxonomy, Text
from triage.taggers.language import UNKNOWN, detect

MOST_WORDS: Final = 5
MOST_NEIGHBOURS: Final = 3
NEAREST: Final = 5
# The encoder reads English; a vector of anything else says little.
_READ_BY_ENCODER: Final = frozenset({"en", UNKNOWN, ""})
# What the taxonomy gives "none of these", before corrections tell how common that is.
_NONE_ODDS: Final = -2.0
_DIGITS: Final = 6
# With no correction nothing is set without being asked.
_DAY_ONE: Final[Mapping[str, float | None]] = {"auto": None, "suggest": 0.3}


@dataclass(frozen=True)
class Mode:
    """How the parts are blended where a text has a vector ("meaning"), or where it has not ("words")."""

    pool: Pool
    """Its biases are in the order of the labels of the blend."""
    thresholds: Mapping[str, float | None]
    """By promise: "auto", "suggest"."""
    in_scope: float
    """What is less in scope than this is unlike anything known."""
    figures: Mapping[str, float]
    """Out of fold: n, accuracy, macro_f1, ece, log_likelihood."""


class _Place(NamedTuple):
    """Where the labels of a blend stand among those the taxonomy has today."""

    labels: tuple[str, ...]
    mine: tuple[int, ...]
    """Numbers of my labels that are still there..."""
    theirs: tuple[int, ...]
    """... and their places among all labels."""


@dataclass(frozen=True, eq=False, repr=False)
class Blend:
    """What was learned for one field. Immutable; threads may share it."""

    field: str
    encoder: str
    labels: tuple[str, ...]
    """Those with examples, in order."""
    counts: tuple[int, ...]
    vocabulary: Vocabulary
    rarity: NDArray[np.float32]
    words: Linear
    meaning: Linear | None
    modes: Mapping[str, Mode]
    keys: NDArray[np.int64]
    vectors: NDArray[np.float16]
    """Those of the examples that have one, in the order of `keys` and `neighbours`."""
    neighbours: NDArray[np.intp]
    """The number of the label of each."""
    languages: Mapping[str, int]
    """How many examples there are of each."""

    @classmethod
    def day_one(cls, field: str) -> "Blend":
        """What goes by the taxonomy alone."""
        alone = Mode(Pool(np.ones(1), np.empty(0)), _DAY_ONE, 0.0, {})
        nothing = Linear(np.empty((0, 0), np.float32), np.empty(0, np.float32))
        return cls(
            field=field,
            encoder="",
            labels=(),
            counts=(),
            vocabulary=Vocabulary((), ()),
            rarity=np.empty(0, np.float32),
            words=nothing,
            meaning=None,
            modes={"words": alone, "meaning": alone},
            keys=np.empty(0, np.int64),
            vectors=np.empty((0, 0), np.float16),
            neighbours=np.empty(0, np.int64),
            languages={},
        )

    def predict(self, texts: Sequence[Text], taxonomy: Taxonomy) -> list[Prediction]:
        """For each text, in order; what else is in the batch changes nothing."""
        predictions: list[Prediction | None] = [None] * len(texts)
        has_meaning = ["meaning" in self.modes and meaningful(text, taxonomy, field=self.field) for text in texts]
        for name, wanted in (("words", False), ("meaning", True)):
            rows = [row for row, has in enumerate(has_meaning) if has is wanted]
            if rows:
                for row, prediction in zip(
                    rows, self._predict([texts[row] for row in rows], taxonomy, name), strict=True
                ):
                    predictions[row] = prediction
        return [prediction for prediction in predictions if prediction is not None]

    def to_bytes(self) -> bytes:
        """The same blend gives the same bytes; see `artefact`."""
        from triage.blend import artefact

        return artefact.to_bytes(self)

    @staticmethod
    def from_bytes(packed: bytes) -> "Blend":
        """The blend that was packed. Raises `Unlearnable` where the bytes are none."""
        from triage.blend import artefact

        return artefact.from_bytes(packed)

    def _predict(self, texts: Sequence[Text], taxonomy: Taxonomy, name: str) -> list[Prediction]:
        place = taxonomy.derive(self._place)
        mode = self.modes[name]
        parts = {"zero_shot": zero_shot(texts, taxonomy, place.labels, field=self.field, meaning=name == "meaning")}
        features: Matrix | None = None
        vectors = np.empty((0, 0))
        if self.labels:
            counts = self.vocabulary.counts(texts)
            features = weighted(counts, self._rarity, terms=len(self.vocabulary.terms))
            parts["labels_words"] = self._spread(self.words.scores(features), place)
        if self.meaning is not None and name == "meaning":
            vectors = stacked([text.vector for text in texts])
            parts["labels_embedding"] = self._spread(self.meaning.scores(vectors), place)
        stack = np.stack(list(parts.values()))
        bias = np.zeros(len(place.labels))
        bias[list(place.theirs)] = mode.pool.bias[list(place.mine)]
        shares = np.exp(Pool(mode.pool.weights, bias).log_probabilities(stack)).round(_DIGITS)
        alone = {part: np.exp(log_softmax(odds)) for part, odds in parts.items()}
        near = self._near(vectors) if vectors.size else [()] * len(texts)
        return [
            self._prediction(
                text,
                place=place,
                mode=mode,
                shares=shares[row],
                parts={part: round(float(each[row, shares[row].argmax()]), 4) for part, each in alone.items()},
                features=None if features is None else features[row],
                near=near[row],
            )
            for row, text in enumerate(texts)
        ]

    def _prediction(
        self,
        text: Text,
        *,
        place: _Place,
        mode: Mode,
        shares: Floats,
        parts: Mapping[str, float],
        features: Matrix | None,
        near: tuple[Neighbour, ...],
    ) -> Prediction:
        order = np.argsort(-shares, kind="stable")
        best = float(shares[order[0]])
        label = place.labels[order[0]]
        in_scope = best * (sum(one.cosine for one in near) / len(near) if near else 1.0)
        verdict, why_not = _verdict(label, best, in_scope, mode)
        words = () if features is None else tuple(self._said(text, label, features))
        if verdict == "auto" and not words and not near:
            verdict = "suggest"
            why_not = worded("Nothing in it speaks for the likeliest, which is only the commonest.")
        return Prediction(
            probabilities=tuple((place.labels[number], float(shares[number])) for number in order),
            verdict=verdict,
            threshold=mode.thresholds.get("auto"),
            parts=parts,
            words=words,
            neighbours=near[:MOST_NEIGHBOURS],
            in_scope=in_scope,
            why_not=why_not,
        )

    def _said(self, text: Text, label: str, features: Matrix) -> Iterator[Evidence]:
        """The words, and pairs of neighbours, that speak for the label most, by exactly what they add to its score."""
        if label not in self.labels:
            return
        terms = len(self.vocabulary.terms)
        adds = np.zeros(len(self.vocabulary))
        adds[features.indices] = features.data * self.words.weights[features.indices, self.labels.index(label)]
        folded, stems = text.words.folded, text.stems
        places: dict[str, int] = {}
        for place, word in enumerate(folded):
            places.setdefault(word, place)
        pieces = [self.vocabulary.pieces_of(word) for word in places]
        often = np.bincount(np.concatenate([self.vocabulary.pieces_of(word) for word in folded] + [NO_PIECES]))
        whose = np.repeat(np.arange(len(pieces)), [len(each) for each in pieces])
        flat = np.concatenate([*pieces, NO_PIECES])
        gains = np.bincount(whose, adds[terms + flat] / often[flat], minlength=len(pieces)).tolist()
        found: list[tuple[float, int, int]] = []
        for gain, place in zip(gains, places.values(), strict=True):
            column = self.vocabulary.term(stems[place])
            found.append((gain + (adds[column] if column is not None else 0.0), place, place + 1))
        for place, (one, other) in enumerate(pairwise(stems)):
            column = self.vocabulary.term(f"{one} {other}")
            if column is not None and adds[column] > 0:
                found.append((adds[column], place, place + 2))
        taken: set[str] = set()
        for gain, first, last in sorted(found, key=lambda each: (-each[0], each[1], each[2])):
            if gain <= 0 or len(taken) == MOST_WORDS:
                return
            says = " ".join(folded[first:last])
            if says not in taken:
                taken.add(says)
                yield Evidence(says, round(float(gain), 4), text.span(first, last))

    def _near(self, vectors: Floats) -> list[tuple[Neighbour, ...]]:
        likeness = vectors.astype(np.float32) @ self._examples.T
        most = min(NEAREST, len(self.keys))
        nearest = np.argpartition(-likeness, most - 1, axis=1)[:, :most]
        found = []
        for row, columns in enumerate(nearest):
            exact = {
                int(column): float(np.dot(vectors[row], self._examples[column].astype(np.float64)))
                for column in columns
            }
            order = sorted(exact, key=lambda column: (-round(exact[column], _DIGITS), column))
            found.append(
                tuple(
                    Neighbour(
                        int(self.keys[column]), self.labels[self.neighbours[column]], round(exact[column], _DIGITS)
                    )
                    for column in order
                )
            )
        return found

    def _place(self, taxonomy: Taxonomy) -> _Place:
        labels = candidates(self.field, taxonomy, seen=self.labels)
        pairs = [(number, labels.index(label)) for number, label in enumerate(self.labels) if label in labels]
        return _Place(labels, tuple(mine for mine, _ in pairs), tuple(theirs for _, theirs in pairs))

    def _spread(self, scores: Floats, place: _Place) -> Floats:
        return spread_out(scores[:, list(place.mine)], place.theirs, len(place.labels))

    @cached_property
    def _rarity(self) -> Floats:
        return self.rarity.astype(np.float64)

    @cached_property
    def _examples(self) -> NDArray[np.float32]:
        return self.vectors.astype(np.float32)


def candidates(field: str, taxonomy: Taxonomy, *, seen: Sequence[str]) -> tuple[str, ...]:
    """The labels that can be given: those the taxonomy has, and none of them where somebody said so."""
    if (known := beginnings.labels_of(field)) is not None:
        return known
    none = (NONE,) if NONE in seen else ()
    if field == "topic":
        return tuple(topic.slug for topic in taxonomy.topics) + none
    if field == "team":
        return tuple(sorted({topic.team for topic in taxonomy.topics} - {NONE})) + none
    return tuple(sorted(seen))


def meaningful(text: Text, taxonomy: Taxonomy, *, field: str) -> bool:
    """Whether the text can be compared by its meaning."""
    if text.vector is None or detect(text).language not in _READ_BY_ENCODER:
        return False
    return field not in {"topic", "team"} or taxonomy.derive(ZeroShot).has_meaning


def zero_shot(texts: Sequence[Text], taxonomy: Taxonomy, labels: Sequence[str], *, field: str, meaning: bool) -> Floats:
    """(texts, labels): the logarithm of what is known of each label without any correction: of a topic or team what the taxonomy
    alone makes of it (of a team all its topics together), of others what the words say."""
    if beginnings.labels_of(field) is not None:
        return beginnings.log_probabilities(field, texts, labels)
    odds = np.full((len(texts), len(labels)), _NONE_ODDS)
    if field not in {"topic", "team"} or not taxonomy.topics:
        return odds
    logs = log_softmax(taxonomy.derive(ZeroShot).log_odds(texts, meaning=meaning))
    for column, label in enumerate(labels):
        if label == NONE:
            continue
        topics = [
            number
            for number, topic in enumerate(taxonomy.topics)
            if label == (topic.slug if field == "topic" else topic.team)
        ]
        odds[:, column] = (
            logs[:, topics[0]] if len(topics) == 1 else np.log(np.exp(logs[:, topics]).sum(axis=1) + 1e-12)
        )
    return odds


def _verdict(label: str, best: float, in_scope: float, mode: Mode) -> tuple[Verdict, str | None]:
    auto, suggest = mode.thresholds.get("auto"), mode.thresholds.get("suggest")
    if label == NONE:
        return "abstain", worded("It reads like what people said belongs to no topic.")
    if in_scope < mode.in_scope:
        return "abstain", worded("It is unlike any labelled item.")
    if auto is not None and best >= auto:
        return "auto", None
    sure = Share(f"{best:.4f}")
    if auto is None:
        why_not = worded("The likeliest is %(sure)s sure, and no confidence is sure enough yet.", sure=sure)
    else:
        less = marked("The likeliest is %(sure)s sure, less than the %(enough)s from where on it is set.")
        why_not = worded(less, sure=sure, enough=Share(f"{auto:.4f}"))
    if suggest is not None and best >= suggest:
        return "suggest", why_not
    return "abstain", why_not
