"""Learning a blend from what people decided.

Everything that is promised of a blend (how sure it is, from where on it decides) comes from predictions out of fold: each
example is predicted by learners that never saw it, nor a copy of it, nor counted its words.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

import numpy as np
from numpy.typing import NDArray

from triage.blend.base import Example, Unlearnable
from triage.blend.copies import groups_of
from triage.blend.model import NEAREST, Blend, Mode, candidates, meaningful, zero_shot
from triage.blend.parts import Linear, learn_meaning, learn_words, spread_out
from triage.blend.pooling import Pool, pool, temperature
from triage.blend.promises import threshold, wilson_lower
from triage.blend.vocabulary import Matrix, Vocabulary, rarity_of, weighted
from triage.blend.zero_shot import Floats, log_softmax, stacked
from triage.taggers.base import Taxonomy, Text
from triage.taggers.language import detect

LEAST_EXAMPLES: Final = 15
MOST_EXAMPLES: Final = 20_000
"""The last of them are learned from."""
FOLDS: Final = 4
PROMISES: Final[Mapping[str, float]] = {"auto": 0.9, "suggest": 0.5}
# Such a share of the examples known to be in scope may be taken for something unlike all of them.
_UNLIKE: Final = 0.05

# How strongly the blend is held to be as sure as it comes out, in examples.
_HOLD_HEAT: Final = 100
_AT_ONCE: Final = 1_000

Numbers = NDArray[np.intp]


@dataclass(frozen=True)
class _Lesson:
    """The examples of one fit and what is derived from them once."""

    texts: Sequence[Text]
    truths: Numbers
    """Each example's place among the labels learned."""
    weights: Floats
    groups: Numbers
    folds: Numbers
    vectors: Floats
    """Of those in `meaningful`, in their order."""
    meaningful: Numbers
    counts: Matrix
    terms: int


def fit(
    examples: Sequence[Example],
    taxonomy: Taxonomy,
    *,
    field: str = "topic",
    encoder: str = "",
    promises: Mapping[str, float] = PROMISES,
) -> Blend:
    """The blend for one field: "topic" (labels are slugs of topics), "team" (the teams of topics), or any other, where
    nothing is known but the examples. `NONE` is a label like any other. `encoder` is the fingerprint of what made the
    vectors. The same examples, in whatever order, give the same blend; of more than 20,000 the last are learned from.

    Raises `Unlearnable` where there are fewer than 15 examples of labels the taxonomy has, or of one label only."""
    labels = candidates(field, taxonomy, seen=sorted({example.label for example in examples}))
    usable = [example for example in examples if example.label in labels and example.weight > 0]
    usable = sorted(usable[-MOST_EXAMPLES:], key=_identity)
    seen = tuple(sorted({example.label for example in usable}))
    if len(usable) < LEAST_EXAMPLES or len(seen) < 2:
        raise Unlearnable(
            f"There are {len(usable)} usable corrections of {len(seen)} labels; it takes {LEAST_EXAMPLES} of at least two."
        )
    texts = [_text(example) for example in usable]
    with_meaning = np.flatnonzero([meaningful(text, taxonomy, field=field) for text in texts])
    vocabulary = Vocabulary.of(texts)
    truths = np.array([seen.index(example.label) for example in usable], np.intp)
    groups = groups_of(texts, [example.group for example in usable])
    lesson = _Lesson(
        texts=texts,
        truths=truths,
        weights=np.array([example.weight for example in usable], np.float64),
        groups=groups,
        folds=_folds(groups, truths),
        vectors=stacked([texts[row].vector for row in with_meaning]),
        meaningful=with_meaning,
        counts=vocabulary.counts(texts),
        terms=len(vocabulary.terms),
    )
    everything = np.arange(len(usable))
    columns, rarity, words, _ = _words(lesson, everything, everything[:0])
    meaning = _meaning(lesson, with_meaning, with_meaning[:0])[0] if len(with_meaning) >= LEAST_EXAMPLES else None
    out = _out_of_fold(lesson, len(seen), with_meaning=meaning is not None)
    modes = {}
    for name, rows in (("words", everything), ("meaning", with_meaning if meaning else everything[:0])):
        if len(rows):
            chosen = [texts[row] for row in rows]
            zero = zero_shot(chosen, taxonomy, labels, field=field, meaning=name == "meaning")
            modes[name] = _mode(
                lesson,
                rows,
                zero,
                out if meaning and name == "meaning" else out[:1],
                labels=labels,
                seen=seen,
                promises=promises,
            )
    return Blend(
        field=field,
        encoder=encoder,
        labels=seen,
        counts=tuple(np.bincount(lesson.truths, minlength=len(seen)).tolist()),
        vocabulary=vocabulary.kept(columns),
        rarity=rarity.astype(np.float32),
        words=words,
        meaning=meaning,
        modes=modes,
        keys=np.array([usable[row].key for row in with_meaning], np.int64),
        vectors=lesson.vectors.astype(np.float16),
        neighbours=lesson.truths[with_meaning],
        languages=dict(sorted(Counter(detect(text).language for text in texts).items())),
    )


def _words(lesson: _Lesson, learn: Numbers, ask: Numbers) -> tuple[Numbers, Floats, Linear, Floats]:
    """What the examples `learn` teach of words, and the scores that gives those to `ask`: whole columns are left out and
    rarity is counted among `learn` alone, as for a text that comes tomorrow."""
    _, groups = np.unique(lesson.groups[learn], return_inverse=True)
    columns, rarity = rarity_of(lesson.counts[learn], groups)
    terms = int((columns < lesson.terms).sum())
    number = int(lesson.truths.max()) + 1
    known, places = np.unique(lesson.truths[learn], return_inverse=True)
    learned = learn_words(
        weighted(lesson.counts[learn][:, columns], rarity, terms=terms), places, len(known), lesson.weights[learn]
    ).among(known.tolist(), number)
    if not len(ask):
        return columns, rarity, learned, np.empty((0, number))
    return columns, rarity, learned, learned.scores(weighted(lesson.counts[ask][:, columns], rarity, terms=terms))


def _meaning(lesson: _Lesson, learn: Numbers, ask: Numbers) -> tuple[Linear, Floats]:
    number = int(lesson.truths.max()) + 1
    known, places = np.unique(lesson.truths[learn], return_inverse=True)
    row_of = {int(row): at for at, row in enumerate(lesson.meaningful)}
    vectors = lesson.vectors[[row_of[int(row)] for row in learn]]
    # Labels of which no example has a vector, for want of English, are labels all the same.
    learned = learn_meaning(vectors, places, len(known), lesson.weights[learn]).among(known.tolist(), number)
    if not len(ask):
        return learned, np.empty((0, number))
    return learned, learned.scores(lesson.vectors[[row_of[int(row)] for row in ask]])


def _out_of_fold(lesson: _Lesson, number: int, *, with_meaning: bool) -> list[Floats]:
    """(examples, labels) for each learner; rows without a vector stay empty in that of meanings."""
    folds = lesson.folds
    everything = np.arange(len(lesson.truths))
    has_vector = np.isin(everything, lesson.meaningful)
    out = [np.zeros((len(everything), number)) for _ in range(1 + with_meaning)]
    for fold in range(FOLDS):
        learn, ask = everything[folds != fold], everything[folds == fold]
        if not len(ask) or not len(learn):
            continue
        out[0][ask] = _words(lesson, learn, ask)[3]
        if with_meaning:
            learn, ask = learn[has_vector[learn]], ask[has_vector[ask]]
            if len(ask) and len(learn):
                out[1][ask] = _meaning(lesson, learn, ask)[1]
    return out


def _mode(
    lesson: _Lesson,
    rows: Numbers,
    zero: Floats,
    out: Sequence[Floats],
    *,
    labels: Sequence[str],
    seen: Sequence[str],
    promises: Mapping[str, float],
) -> Mode:
    """How to blend, and what that is worth."""
    from triage.evaluation import metrics

    places = [labels.index(label) for label in seen]
    parts = np.stack([zero, *(spread_out(each[rows], places, len(labels)) for each in out)])
    truths = np.array(places)[lesson.truths[rows]]
    pooled = pool(parts, truths, lesson.weights[rows])
    logs = _pooled_out_of_fold(parts, truths, lesson.weights[rows], lesson.folds[rows])
    answers = logs.argmax(axis=1)
    rights = answers == truths
    # What is learned from all examples is surer of a new text than what was learned from the others of each fold, and not
    # always as much better: so the blend is as sure as the lower bound of how often the folds were right, or nearly so
    # where there are few examples to tell that by.
    heat = temperature(logs, confidence=wilson_lower(int(rights.sum()), len(rights)))
    heat **= len(rights) / (len(rights) + _HOLD_HEAT)
    pooled, logs = pooled.cooled(heat), log_softmax(logs / heat)
    sure = np.exp(logs.max(axis=1))
    near = _likeness_out_of_fold(lesson, rows) if len(out) > 1 else np.ones(len(rows))
    return Mode(
        pool=Pool(pooled.weights, pooled.bias[places]),
        thresholds={name: threshold(rights, sure, promise=promise) for name, promise in promises.items()},
        in_scope=float(np.quantile(sure * near, _UNLIKE)),
        figures={
            "n": float(len(rows)),
            "accuracy": float(rights.mean()),
            "macro_f1": metrics.macro_f1([labels[truth] for truth in truths], [labels[answer] for answer in answers]),
            "ece": metrics.calibration_error(rights.tolist(), sure.tolist()),
            "log_likelihood": float(logs[np.arange(len(rows)), truths].mean()),
        },
    )


def _pooled_out_of_fold(parts: Floats, truths: Numbers, weights: Floats, folds: Numbers) -> Floats:
    """The blend of each example by weights that were fitted without its fold: with many labels the weights themselves
    are fitted well enough to look better than they are."""
    logs = np.zeros(parts.shape[1:])
    for fold in np.unique(folds):
        ask = folds == fold
        learned = pool(parts[:, ~ask], truths[~ask], weights[~ask])
        logs[ask] = learned.log_probabilities(parts[:, ask])
    return logs


def _likeness_out_of_fold(lesson: _Lesson, rows: Numbers) -> Floats:
    """The mean cosine of the five nearest examples of other groups."""
    groups = lesson.groups[rows]
    vectors = lesson.vectors.astype(np.float32)
    nearest = []
    for start in range(0, len(rows), _AT_ONCE):
        likeness = vectors[start : start + _AT_ONCE] @ vectors.T
        likeness[groups[start : start + _AT_ONCE, None] == groups[None, :]] = -1
        nearest.append(np.partition(likeness, -NEAREST, axis=1)[:, -NEAREST:].mean(axis=1))
    return np.concatenate(nearest).astype(np.float64)


def _folds(groups: Numbers, truths: Numbers) -> Numbers:
    """A fold for each example, the same for a whole group, each label dealt evenly over the folds."""
    first = np.unique(groups, return_index=True)[1]
    dealt = np.empty(len(first), np.intp)
    dealt[np.lexsort((groups[first], truths[first]))] = np.arange(len(first)) % FOLDS
    return dealt[groups]


def _identity(example: Example) -> tuple[str, str, int, str]:
    """An order that does not depend on how the examples came."""
    return sha256(example.text.encode(errors="replace")).hexdigest(), example.label, example.key, example.group


def _text(example: Example) -> Text:
    title, _, text = example.text.partition("\n")
    return Text(0, title=title, text=text, declared_language=example.language, vector=example.vector)
