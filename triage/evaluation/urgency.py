"""How pressing a text is."""

from collections.abc import Callable, Sequence
from typing import Final

from triage.evaluation.base import Answer, Ground, Labelling, Record, tasks
from triage.taggers import Taxonomy, Text, taggers
from triage.taggers.urgency import HIGH, LOW, SAFETY

_LEVELS: Final = {LOW: "low", HIGH: "high", SAFETY: "high"}


@tasks.register
class Urgency(Labelling):
    """The word rules as they are, against low, medium and high. No public set tells how pressing feedback truly is: the
    figures say how the rules behave, and people's own corrections say how good they are."""

    slug = "urgency"
    label = "priority"
    encodes = False

    def label_of(self, record: Record, ground: Ground) -> str | None:
        label = super().label_of(record, ground)
        return "medium" if label == "normal" else label

    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        tagger = taggers.get("urgency")

        def answer(texts: Sequence[Text]) -> list[Answer]:
            return [
                Answer(_LEVELS.get(int(given[0].value), "medium"), given[0].confidence)
                if given
                else Answer("medium", 0.4)
                for given in tagger.tag(texts, Taxonomy())
            ]

        return "word rules", answer
