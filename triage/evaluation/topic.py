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
            model = fit(examples, taxonomy, field=self.field)
        except Unlearnable:  # too little to go by, so the taxonomy is
            model = Blend.day_one(self.field)

        def answer(texts: Sequence[Text]) -> list[Answer]:
            return [
                Answer(
                    each.label,
                    each.confidence,
                    each.in_scope,
                    is_set=each.verdict == "auto",
                    others=tuple(label for label, _ in each.probabilities[1:3]),
                )
                for each in model.predict(texts, taxonomy)
            ]

        parts = [
            "words",
            *(["meaning"] if vectors else []),
            *([f"{sum(model.counts)} examples"] if model.labels else []),
        ]
        return " + ".join(parts), answer

    def figures(self, truths: Sequence[str], answers: Sequence[Answer], ground: Ground) -> Measured:
        known = self.known(ground.taxonomy)
        inside = [number for number, truth in enumerate(truths) if truth in known]
        outside = [answer for truth, answer in zip(truths, answers, strict=True) if truth not in known]
        right, given = [truths[number] for number in inside], [answers[number] for number in inside]
        figures = figures_of(right, given)
        is_set = [truth == answer.label for truth, answer in zip(right, given, strict=True) if answer.is_set]
        more = {
            "in_top_3": _share(
                [truth in (answer.label, *answer.others) for truth, answer in zip(right, given, strict=True)]
            ),
            "set_coverage": len(is_set) / max(len(given), 1),
            "set_accuracy": _share(is_set),
        }
        if outside:
            high, low = [answer.in_scope for answer in given], [answer.in_scope for answer in outside]
            more |= {
                "out_of_scope_n": float(len(outside)),
                "out_of_scope_auroc": metrics.separation(high, low),
                "out_of_scope_caught": metrics.caught(high, low, lost=0.1),
                "none_recall": _share([answer.label == NONE for answer in outside]),
            }
        return replace(figures, more=more)


def _share(rights: Sequence[bool]) -> float:
    return sum(rights) / len(rights) if rights else 0.0


@tasks.register
class Topic(Learned):
    slug = "topic"
    label = "topic"
    field = "topic"
