"""What a task of the portal is measured by.

A new task is one new file beside this one: a class with `slug`, `label` and `measure` (or, where each item has one right
answer, `Labelling` and its `learn`), under `@tasks.register`.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import process_time
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from feedback_portal.registry import Registry
from triage.evaluation import metrics
from triage.taggers.base import Taxonomy, Text

Record = Mapping[str, Any]
"""One line of the data, as it was read."""

Encode = Callable[[Sequence[str]], NDArray[np.float32]]
"""Texts to unit vectors, a row each."""

PROMISES: Final = (0.8, 0.9, 0.95)
SHARES: Final = (0.5, 0.6, 0.8)
_AT_ONCE = 200


class Unmeasurable(Exception):
    """This task cannot be measured on this data; the message says why and what to do."""


class Answer(NamedTuple):
    """What a task says of one item ("" where it says nothing), and how sure it is, from 0 to 1."""

    label: str
    confidence: float
    in_scope: float = 1.0
    """How much the item is like what the task knows."""
    is_set: bool = False
    """Whether it is sure enough to act on, by the promise it makes."""
    others: tuple[str, ...] = ()
    """The next likely labels."""


@dataclass(frozen=True)
class Ground:
    """What a task may know: labelled examples (none on day one), the taxonomy, the field of the labels, the encoder if any."""

    label: str
    train: Sequence[Record] = ()
    taxonomy: Taxonomy = field(default_factory=Taxonomy)
    encode: Encode | None = None


@dataclass(frozen=True)
class Measured:
    """The figures of one run. Those that make no sense for a task are None."""

    n: int
    accuracy: float | None = None
    macro_f1: float | None = None
    ece: float | None = None
    coverage: Mapping[str, float] = field(default_factory=dict)
    """Share of items that can be kept at this accuracy, surest first."""
    accuracy_at_coverage: Mapping[str, float] = field(default_factory=dict)
    items_per_second: float | None = None
    train_seconds: float = 0.0
    """Both in seconds of one core, so that what else runs on the machine changes them little."""
    model: str = ""
    more: Mapping[str, float] = field(default_factory=dict)
    """Figures of this task alone."""


class Task(ABC):
    slug: ClassVar[str]
    label: ClassVar[str]
    """The field that holds the right answer unless another is named."""

    @abstractmethod
    def measure(self, records: Sequence[Record], ground: Ground) -> Measured:
        """The figures on these records; what it learns, it learns from the ground alone."""


class Labelling(Task):
    """A task with one right label an item; records whose label is null are left out."""

    @abstractmethod
    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        """The name of the model, and what answers batches of texts; a text has a vector where there is an encoder and
        `encodes` holds."""

    encodes: ClassVar[bool] = True
    """Whether the encoder is worth its time for this task."""

    def figures(self, truths: Sequence[str], answers: Sequence[Answer], ground: Ground) -> Measured:
        """How good the answers are."""
        return replace(figures_of(truths, answers), more=self.more(truths, answers))

    def label_of(self, record: Record, ground: Ground) -> str | None:
        """The right answer, None where the record has none."""
        label = record.get(ground.label)
        return None if label is None else str(label)

    def more(self, truths: Sequence[str], answers: Sequence[Answer]) -> Mapping[str, float]:
        """Figures of this task alone."""
        return {}

    def measure(self, records: Sequence[Record], ground: Ground) -> Measured:
        labelled = [(record, label) for record in records if (label := self.label_of(record, ground)) is not None]
        if not labelled:
            raise Unmeasurable(
                f'No row has a label in the field "{ground.label}". Name the field that holds it with --label.'
            )
        if self.encodes and ground.encode:
            # The portal keeps the vectors of what it learns from, so encoding those is no part of training.
            ground = replace(ground, encode=_remembering(ground.encode, [*map(text_of, ground.train)], ground.taxonomy))
        started = process_time()
        model, answer = self.learn(ground)
        trained = process_time()
        answers: list[Answer] = []
        for at in range(0, len(labelled), _AT_ONCE):
            texts = [text_of(record, number) for number, (record, _) in enumerate(labelled[at : at + _AT_ONCE], at)]
            answers += answer(encoded(texts, ground.encode if self.encodes else None))
        took = process_time() - trained
        figures = self.figures([label for _, label in labelled], answers, ground)
        return replace(figures, items_per_second=len(labelled) / took, train_seconds=trained - started, model=model)


def figures_of(truths: Sequence[str], answers: Sequence[Answer]) -> Measured:
    """Everything that follows from the right labels and the answers given."""
    said = [answer.label for answer in answers]
    sure = [answer.confidence for answer in answers]
    rights = [truth == label for truth, label in zip(truths, said, strict=True)]
    return Measured(
        n=len(truths),
        accuracy=metrics.accuracy(truths, said),
        macro_f1=metrics.macro_f1(truths, said),
        ece=metrics.calibration_error(rights, sure),
        coverage={str(least): metrics.coverage_at_accuracy(rights, sure, least=least) for least in PROMISES},
        accuracy_at_coverage={str(share): metrics.accuracy_at_coverage(rights, sure, share=share) for share in SHARES},
    )


def _remembering(encode: Encode, texts: Sequence[Text], taxonomy: Taxonomy) -> Encode:
    known = list(dict.fromkeys([text.whole for text in texts] + list(taxonomy.sayings)))
    vectors = dict(zip(known, encode(known), strict=True))

    def remember(asked: Sequence[str]) -> NDArray[np.float32]:
        missing = [text for text in asked if text not in vectors]
        new = dict(zip(missing, encode(missing), strict=True))
        return np.array([vectors[text] if text in vectors else new[text] for text in asked])

    return remember


def text_of(record: Record, number: int = 0) -> Text:
    """The item of a record, from `text`, or `subject` (or `title`) and `body`."""
    title = record.get("subject") or record.get("title")
    text = record.get("text") or record.get("body")
    return Text(item_id=number, title=str(title or ""), text=str(text or ""))


def encoded(texts: Sequence[Text], encode: Encode | None) -> list[Text]:
    """The texts with their vectors, if there is an encoder."""
    if encode is None or not texts:
        return list(texts)
    vectors = encode([text.whole for text in texts])
    return [replace(text, vector=vector) for text, vector in zip(texts, vectors, strict=True)]


tasks: Registry[Task] = Registry("task")
"""The tasks: one file each, found by being here."""
