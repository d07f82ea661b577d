"""How pressing a text is: danger to people above all, then what costs a customer or stops their work, then everything else.

Words are those of `lexicon/urgency.txt`. Safety words are read in every language at once, whatever language the text is
thought to be in: missing one costs more than looking at one too many.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Final, NamedTuple

from feedback_portal.marking import marked, worded
from triage import lexicon
from triage.blend.beginnings import begin
from triage.phrases import Hit, Phrases
from triage.taggers.base import Evidence, Suggestion, Tagger, Taxonomy, Text, taggers
from triage.taggers.corrected import corrected
from triage.taggers.language import detect
from triage.words import SENTENCE_ENDS, fold

LOW, NORMAL, HIGH, SAFETY = 0, 1, 2, 3
MOST_EVIDENCE: Final = 5


@dataclass(frozen=True)
class Kind:
    """One way of being pressing: the level it asks for, how far one such phrase goes towards it, and the sentence for it."""

    level: int
    weight: float
    says: str


KINDS: Final[Mapping[str, Kind]] = {
    "safety": Kind(SAFETY, 1.0, marked("Somebody may be in danger")),
    "harm": Kind(SAFETY, 0.5, marked("Somebody may have come to harm")),
    "blocked": Kind(HIGH, 1.0, marked("The customer cannot go on")),
    "legal": Kind(HIGH, 1.0, marked("The customer speaks of lawyers or authorities")),
    "press": Kind(HIGH, 1.0, marked("The customer speaks of the press")),
    "leaving": Kind(HIGH, 1.0, marked("The customer speaks of leaving")),
    "repeated": Kind(HIGH, 0.6, marked("It was not the first time")),
    "urgent": Kind(HIGH, 0.7, marked("The customer calls it urgent")),
    "calm": Kind(LOW, 1.0, marked("The customer is in no hurry")),
}
_NAMES: Final[Mapping[str, str]] = {"0": "no hurry", "1": "normal", "2": "pressing", "3": "dangerous"}
_SAID = marked('%(kind)s: "%(words)s"')
_USUALLY = 0.85  # of what no word speaks of
_HIDING = "nothing"
_REACH = 3
_ENOUGH = 1.0  # from here on phrases asking for HIGH are taken at their word; one weak one alone is not


@taggers.register
class Urgency(Tagger):
    """Suggests a level from 0, can wait, to 3, danger; nothing where nothing is pressing or calm."""

    slug = "urgency"
    version = 2
    kind = "urgency"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        found = corrected(batch, _suggest, taxonomy, field="urgency", names=_NAMES, usual=str(NORMAL))
        # Danger that the words speak of is never learned away.
        return [
            own if own and own[0].value == SAFETY else learned
            for learned, own in zip(found, map(_suggest, batch), strict=True)
        ]


def likely(text: Text) -> Mapping[str, float]:
    """How likely each level is by the words alone."""
    found = _suggest(text)
    return {str(found[0].value): found[0].confidence} if found else {str(NORMAL): _USUALLY}


def _suggest(text: Text) -> list[Suggestion]:
    found = list(_found(text))
    for level in (SAFETY, HIGH, LOW):
        speaking = [one for one in found if KINDS[one.kind].level == level]
        # The same words again make nothing more pressing.
        weight = sum(KINDS[kind].weight for kind, _ in {(one.kind, one.says) for one in speaking})
        if weight >= _ENOUGH:
            return [_suggestion(text, level, weight, speaking)]
    return []


def _suggestion(text: Text, level: int, weight: float, speaking: Sequence["_Found"]) -> Suggestion:
    kinds = dict.fromkeys(one.kind for one in speaking)
    said = {kind: next(one.says for one in speaking if one.kind == kind) for kind in kinds}
    reasons = [worded(_SAID, kind=worded(KINDS[kind].says), words=said[kind]) for kind in kinds]
    reason = reasons[0]
    for more in reasons[1:]:
        reason = worded("%(first)s. %(second)s", first=reason, second=more)
    return Suggestion(
        kind="urgency",
        value=level,
        confidence=1 - 0.4 / max(weight, 1.0),
        reason=worded("%(reason)s.", reason=reason),
        evidence=tuple(
            Evidence(one.says, KINDS[one.kind].weight, text.span(one.start, one.end))
            for one in speaking[:MOST_EVIDENCE]
        ),
    )


class _Found(NamedTuple):
    kind: str
    says: str
    start: int
    end: int


def _found(text: Text) -> Iterator[_Found]:
    folded = text.words.folded
    for hit in _phrases().longest(folded):
        kind = _kind(text, hit)
        if kind in KINDS and not (KINDS[kind].level > NORMAL and _is_denied(folded, hit.start)):
            yield _Found(kind, " ".join(folded[hit.start : hit.end]), hit.start, hit.end)


def _kind(text: Text, hit: Hit[tuple[str, str]]) -> str:
    """The kind a phrase is of in this text; nothing, if it is only of that kind in another language."""
    for language, kind in hit.meanings:
        if not language or detect(text).language == language:
            return kind
    return _HIDING


def _is_denied(folded: Sequence[str], start: int) -> bool:
    """Whether the words before say that it is not so, as in "there was no smoke"."""
    for word in reversed(folded[max(0, start - _REACH) : start]):
        if word in SENTENCE_ENDS or word in _TURNS:
            return False
        if word in _DENIALS:
            return True
    return False


_TURNS = frozenset({"but", "however", "only", "aber", "sondern", "mais", "pero"})
_DENIALS = frozenset(
    {
        "no",
        "not",
        "never",
        "without",
        "nobody",
        "none",
        "don't",
        "doesn't",
        "didn't",
        "isn't",
        "wasn't",
        "won't",
        "hasn't",
    }
    | {
        "haven't",
        "kein",
        "keine",
        "keinen",
        "keiner",
        "nicht",
        "nie",
        "ohne",
        "pas",
        "aucun",
        "aucune",
        "sans",
        "jamais",
    }
    | {"ningun", "ninguna", "sin", "nunca"}
)


@cache
def _phrases() -> Phrases[tuple[str, str]]:
    """Every phrase with (the only language it counts in, or "", and its kind)."""
    listed = []
    for line in lexicon.lines("urgency.txt"):
        head, _, said = line.partition(":")
        language, kind = head.split()
        only = language.removesuffix("!") if language.endswith("!") else ""
        listed += [(phrase, (only, kind)) for phrase in said.split(",")]
    return Phrases(listed, key=fold)


begin("urgency", tuple(_NAMES), likely)
