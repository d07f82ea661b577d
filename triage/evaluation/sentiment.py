"""How a text sounds: negative, neutral or positive."""

from collections.abc import Callable, Mapping, Sequence

from triage.evaluation.base import Answer, Ground, Labelling, Record, tasks
from triage.taggers import Taxonomy, Text, taggers


@tasks.register
class Sentiment(Labelling):
    """The tagger as it is: it learns nothing. Where nothing is told it counts as neutral."""

    slug = "sentiment"
    label = "sentiment"

    def label_of(self, record: Record, ground: Ground) -> str | None:
        label = record.get(ground.label, record.get("label"))
        return None if label is None else str(label)[:3]

    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        tagger = taggers.get("sentiment")

        def answer(texts: Sequence[Text]) -> list[Answer]:
            return [
                Answer(str(given[0].value), given[0].confidence) if given else Answer("neu", 0.0)
                for given in tagger.tag(texts, Taxonomy())
            ]

        return "words and meaning" if ground.encode else "words", answer

    def more(self, truths: Sequence[str], answers: Sequence[Answer]) -> Mapping[str, float]:
        """Recall and precision of what matters most, complaints; and how many are right where a text takes a side."""
        said = [answer.label for answer in answers]
        both = sum(truth == label == "neg" for truth, label in zip(truths, said, strict=True))
        sided = [(truth, label) for truth, label in zip(truths, said, strict=True) if truth != "neu" and label != "neu"]
        return {
            "negative_recall": both / max(1, truths.count("neg")),
            "negative_precision": both / max(1, said.count("neg")),
            "accuracy_where_sided": sum(truth == label for truth, label in sided) / max(1, len(sided)),
        }
