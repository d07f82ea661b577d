"""Which kinds of personal data a text held when it came, and which it still holds. What they were is never said.

Intake masks them as the text comes in and notes their kinds; whatever stands in a text despite that (a channel may want it
as it is) is found by the same search, and said to remain.
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from intake import personal_data
from triage.taggers.base import Evidence, Span, Suggestion, Tagger, Taxonomy, Text, taggers

MASKED_BY_INTAKE: Final = "masked"
"""Where intake notes the kinds, among what came with the item."""
MOST_PLACES: Final = 10
_SURE, _FOUND = 0.99, 0.95


@taggers.register
class PersonalData(Tagger):
    """Suggests one kind each: "email", "phone", "iban", "card" or "national_id"."""

    slug = "personal_data"
    version = 1
    kind = "personal_data"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        return [list(_suggest(text)) for text in batch]


def _suggest(text: Text) -> Iterator[Suggestion]:
    noted = str(text.context.get(MASKED_BY_INTAKE, ""))
    masked = {kind for kind, words in personal_data.WORDS.items() if words in noted.split(", ")} if noted else set()
    remaining = _remaining(text)
    for kind in sorted(masked - remaining.keys()):
        words = personal_data.WORDS[kind]
        masks = list(_places(text, f"[{words}]"))
        yield _suggestion(kind, _SURE, f"It held a piece of personal data that is masked: {words}.", masks)
    for kind, places in remaining.items():
        words = personal_data.WORDS[kind]
        yield _suggestion(kind, _FOUND, f"Personal data stands in the text: {words}.", places)


def _suggestion(kind: str, confidence: float, reason: str, places: Sequence[Span]) -> Suggestion:
    evidence = tuple(Evidence(personal_data.WORDS[kind], confidence, place) for place in places[:MOST_PLACES])
    return Suggestion("personal_data", kind, confidence, reason, evidence)


def _remaining(text: Text) -> Mapping[str, list[Span]]:
    found: dict[str, list[Span]] = {}
    for part, said in (("title", text.title), ("text", text.text)):
        if "@" not in said and not _has_figures(said):
            continue
        readable = said if said.isascii() else said.encode(errors="replace").decode()
        for each in personal_data.find(readable):
            found.setdefault(each.kind, []).append(Span(part, each.start, each.end))
    return dict(sorted(found.items()))


def _has_figures(said: str) -> bool:
    """Whether there may be a number at all; most texts have none, and need no search."""
    return not _FIGURES.isdisjoint(said)


def _places(text: Text, mark: str) -> Iterator[Span]:
    for part, said in (("title", text.title), ("text", text.text)):
        at = said.find(mark)
        while at >= 0:
            yield Span(part, at, at + len(mark))
            at = said.find(mark, at + len(mark))


_FIGURES = frozenset("0123456789")
