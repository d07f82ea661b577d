"""Which language a text is written in."""

from collections.abc import Callable, Sequence

from triage.evaluation.base import Answer, Ground, Labelling, Record, tasks
from triage.taggers import Text
from triage.taggers.language import UNKNOWN, detect


@tasks.register
class Language(Labelling):
    """The tagger as it is: it learns nothing. The label is a code of two letters."""

    slug = "language"
    label = "lang"
    encodes = False

    def label_of(self, record: Record, ground: Ground) -> str | None:
        label = super().label_of(record, ground)
        return label.lower() if label else None

    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        def answer(texts: Sequence[Text]) -> list[Answer]:
            guesses = [detect(text) for text in texts]
            return [Answer("" if each.language == UNKNOWN else each.language, each.confidence) for each in guesses]

        return "py3langid by word", answer
