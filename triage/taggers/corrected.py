"""A tagger's own word, put right by what was learned from people's corrections of it."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

from feedback_portal.marking import worded
from triage.blend import Prediction
from triage.taggers.base import Suggestion, Taxonomy, Text
from triage.taggers.topics import grounds_of

Own = Callable[[Text], list[Suggestion]]


def corrected(
    batch: Sequence[Text],
    own: Own,
    taxonomy: Taxonomy,
    *,
    field: str,
    names: Mapping[str, str],
    usual: str,
) -> list[list[Suggestion]]:
    """`own` says what the words say by themselves, which is all there is until something is learned. `names` are the labels in
    words, `usual` is the one that goes without saying, so that nothing is suggested."""
    learned = taxonomy.learned.get(field)
    said = [own(text) for text in batch]
    asked = [text for text in batch if text.words.folded]
    if learned is None or not asked:
        return said
    answers = dict(zip(map(id, asked), learned.predict(asked, taxonomy), strict=True))
    return [
        _together(mine, answers[id(text)], field=field, names=names, usual=usual) if id(text) in answers else mine
        for text, mine in zip(batch, said, strict=True)
    ]


def _together(
    own: list[Suggestion], prediction: Prediction, *, field: str, names: Mapping[str, str], usual: str
) -> list[Suggestion]:
    label, sure = prediction.label, prediction.confidence
    mine = own[0] if own else None
    if mine is not None and str(mine.value) == label:
        return [replace(mine, confidence=sure)]
    if label == usual or label not in names:
        return []
    quoted = [f"“{one.says}”" for one in prediction.words[:3]]
    reason = (
        worded("It reads like what people have called %(label)s: %(words)s.", label=names[label], words=quoted)
        if quoted
        else worded("It reads like what people have called %(label)s.", label=names[label])
    )
    shares = dict(prediction.probabilities)
    return [
        Suggestion(
            kind=field,
            value=int(label) if label.isdecimal() else label,
            confidence=sure,
            reason=reason,
            evidence=prediction.words,
            score=round(shares.get("pos", 0.0) - shares.get("neg", 0.0), 4) if field == "sentiment" else None,
            grounds=grounds_of(prediction),
        )
    ]
