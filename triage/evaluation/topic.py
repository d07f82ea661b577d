"""Which topic of the taxonomy a text is about."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import ClassVar

from triage.blend import NONE, Blend, Example, Unlearnable, fit
from triage.evaluation import metrics
from triage.evaluation.base import (
    Answer,
    Ground,
    Labelling,
    Measured,
    Unmeasurable,
    encoded,
    figures_of,
    tasks,
    text_of,
)
from triage.taggers import Taxonomy, Text


class Learned(Labelling):
    """A field the blend learns. A label the taxonomy does not have is an example of none of these: trained as such, and in
    measuring it counts for the figures of what is out of scope and for no other, as is usual (Larson et al. 2019)."""

    field: ClassVar[str]

    def known(self, taxonomy: Taxonomy) -> set[str]:
        return {topic.slug for topic in taxonomy.topics}

    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        known = self.known(ground.taxonomy)
        if not known:
            raise Unmeasurable(
                "There is no taxonomy to choose from. Give one with --taxonomy, or examples with --train."
            )
        sayings = ground.taxonomy.sayings
        vectors = dict(zip(sayings, ground.encode(sayings), strict=True)) if ground.encode else {}
        taxonomy = replace(ground.taxonomy, vectors=vectors)
        labelled = [record for record in ground.train if record.get(ground.label) is not None]
        texts = encoded([text_of(record) for record in labelled], ground.encode)
        labels = [str(record[ground.label]) for record in labelled]
        examples = [
            Example(text.whole, label if label in known else NONE, text.vector, key=number)
            for number, (text, label) in enumerate(zip(texts, labels, strict=True))
        ]
        try:
            model = fit(examples, taxonomy, field=self.field) if examples else Blend.day_one(self.field)
        except Unlearnable as no:
            raise Unmeasurable(str(no)) from None

        def answer(texts: Sequence[Text]) -> list[Answer]:
            return [Answer(each.label, each.confidence, each.in_scope) for each in model.predict(texts, taxonomy)]

        parts = ["words", *(["meaning"] if vectors else []), *([f"{len(examples)} examples"] if examples else [])]
        return " + ".join(parts), answer

    def figures(self, truths: Sequence[str], answers: Sequence[Answer], ground: Ground) -> Measured:
        known = self.known(ground.taxonomy)
        inside = [number for number, truth in enumerate(truths) if truth in known]
        outside = [answer for truth, answer in zip(truths, answers, strict=True) if truth not in known]
        figures = figures_of([truths[number] for number in inside], [answers[number] for number in inside])
        if not outside:
            return figures
        high, low = [answers[number].in_scope for number in inside], [answer.in_scope for answer in outside]
        more = {
            "out_of_scope_n": float(len(outside)),
            "out_of_scope_auroc": metrics.separation(high, low),
            "out_of_scope_caught": metrics.caught(high, low, lost=0.1),
            "none_recall": sum(answer.label == NONE for answer in outside) / len(outside),
        }
        return replace(figures, more=more)


@tasks.register
class Topic(Learned):
    slug = "topic"
    label = "topic"
    field = "topic"
