"""Which topic of the taxonomy a text is about."""

from collections.abc import Callable, Sequence

from triage.evaluation.base import Answer, Ground, Labelling, tasks
from triage.taggers import Text
from triage.taggers.topics import rank


@tasks.register
class Topic(Labelling):
    slug = "topic"
    label = "topic"

    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        def answer(texts: Sequence[Text]) -> list[Answer]:
            return [Answer(*next(iter(rank(text, ground.taxonomy)), ("", 0.0))) for text in texts]

        return "words", answer
