"""Whether a text is spam."""

from collections.abc import Callable, Mapping, Sequence

from triage.evaluation.base import Answer, Ground, Labelling, Record, tasks
from triage.taggers import Text
from triage.taggers.spam import PROBABLY, probability


@tasks.register
class Spam(Labelling):
    """The tagger as it is: it learns nothing. Rows without a label are honest, so that any feedback shows false alarms."""

    slug = "spam"
    label = "label"
    encodes = False

    def label_of(self, record: Record, ground: Ground) -> str | None:
        return "spam" if str(record.get(ground.label)).lower() in {"spam", "true", "1"} else "ham"

    def learn(self, ground: Ground) -> tuple[str, Callable[[Sequence[Text]], Sequence[Answer]]]:
        def answer(texts: Sequence[Text]) -> list[Answer]:
            likely = [probability(text) for text in texts]
            return [Answer("spam", sure) if sure >= PROBABLY else Answer("ham", 1 - sure) for sure in likely]

        return "signs and hashed words", answer

    def more(self, truths: Sequence[str], answers: Sequence[Answer]) -> Mapping[str, float]:
        said = [answer.label == "spam" for answer in answers]
        true = [truth == "spam" for truth in truths]
        both = sum(one and other for one, other in zip(said, true, strict=True))
        alarms = sum(said) - both
        more = {"false_alarms": alarms / max(1, len(true) - sum(true))}
        if any(true):
            more |= {"precision": both / max(1, sum(said)), "recall": both / sum(true)}
        return more
