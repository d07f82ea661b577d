"""The language a text is written in: by its script, and among languages of one script by their letters and words.

All the detector knows it learns, when first asked, from the sentences in `lexicon/languages.txt`: how often each run of
one to four letters, and each whole word, stands in a language. That is a naive Bayes over runs which overlap, so its
certainty is divided by what the overlap makes too much of.
"""

from array import array
from bisect import bisect_right
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from math import exp, log
from typing import Final

from triage import lexicon
from triage.taggers.base import Evidence, Suggestion, Tagger, Taxonomy, Text, taggers
from triage.words import fold, words

UNKNOWN: Final = "und"

MOST_WORDS: Final = 60
"""Words looked at; a text that has not shown its language by then will not."""
LEAST_CONFIDENCE: Final = 0.35
"""Below this a guess is worth less than saying that the language is not known."""

_LONGEST_RUN = 4
_UNSEEN = 0.05
_UNACCENTED = 0.3  # many leave accents out when they type, so each word is learned a little without them too
_OVERLAP = 6.0
_SURE = 18.0  # a lead, as log odds, that no further word overturns
_AT_ONCE = 8
_FARTHEST = 2 * MOST_WORDS
_DECLARED = 3.0  # what the channel or the customer said of the language, as log odds
_BY_SCRIPT = 0.99


@dataclass(frozen=True)
class Guess:
    """A language, how sure that is, and the words that told it from the next likely one, most telling first."""

    language: str
    confidence: float
    telling: tuple[tuple[int, float], ...] = ()
    """(number of the word in the text, log odds)"""


@taggers.register
class Language(Tagger):
    slug = "language"
    version = 1
    kind = "language"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        return [list(_suggest(text)) for text in batch]


def detect(text: Text) -> Guess:
    """The language of a text. What was declared counts where the text itself says little."""
    return text.derive(_detect)


def _detect(text: Text) -> Guess:
    declared = text.declared_language.lower().partition("-")[0].partition("_")[0]
    rivals = _RIVALS.get(_script(text.whole), ())
    if not rivals or (declared in _UNLEARNED and len(rivals) > 1):
        # Nothing to read, or a language whose look we do not know, as Norwegian, which would be taken for Danish.
        return Guess(declared, 0.5) if declared in _UNLEARNED or declared in _names() else Guess(UNKNOWN, 0.0)
    if len(rivals) == 1:
        return Guess(rivals[0], _BY_SCRIPT)
    return _compare(text, rivals, declared)


def _suggest(text: Text) -> Iterator[Suggestion]:
    guess = detect(text)
    if guess.language == UNKNOWN:
        return
    said = text.words.folded
    yield Suggestion(
        kind="language",
        value=guess.language,
        confidence=guess.confidence,
        reason=f"The text is written in {_names().get(guess.language, guess.language)}.",
        evidence=tuple(
            Evidence(says=said[place], weight=weight, span=text.span(place, place + 1))
            for place, weight in guess.telling
        ),
    )


def _compare(text: Text, rivals: Sequence[str], declared: str) -> Guess:
    model = _model()
    odds = [_DECLARED if language == declared else 0.0 for language in model.languages]
    places = [model.languages.index(rival) for rival in rivals]
    spelled = [
        (number, text.whole[start:end].lower())
        for number, (start, end) in enumerate(
            zip(text.words.starts[:_FARTHEST], text.words.ends[:_FARTHEST], strict=True)
        )
    ]
    spelled = [(number, word) for number, word in spelled if word[0].isalpha()][:MOST_WORDS]
    read: list[tuple[int, Sequence[float]]] = []
    for at in range(0, len(spelled), _AT_ONCE):
        several = [(number, _of_word(word)) for number, word in spelled[at : at + _AT_ONCE]]
        read += several
        odds = list(map(sum, zip(odds, *(of_word for _, of_word in several), strict=True)))
        first, second = sorted((odds[place] for place in places), reverse=True)[:2]
        if first - second > _SURE:
            break
    best, second_best = sorted(places, key=lambda place: (-odds[place], place))[:2]
    confidence = 1 / sum(exp(odds[place] - odds[best]) for place in places)
    if not read or confidence < LEAST_CONFIDENCE:
        return Guess(declared, LEAST_CONFIDENCE) if declared in rivals else Guess(UNKNOWN, 0.0)
    telling = [(number, of_word[best] - of_word[second_best]) for number, of_word in read]
    telling = sorted((one for one in telling if one[1] > 0), key=lambda one: (-one[1], one[0]))[:3]
    return Guess(model.languages[best], confidence, tuple(telling))


# --- scripts ----------------------------------------------------------------------------------------------------------

# Where each script begins and, with "", ends.
_BLOCKS: Sequence[tuple[int, str]] = (
    (0x0000, ""), (0x0041, "latin"), (0x0250, ""), (0x0370, "greek"), (0x0400, "cyrillic"), (0x0530, ""),
    (0x0590, "hebrew"), (0x0600, "arabic"), (0x0700, ""), (0x0750, "arabic"), (0x0780, ""), (0x0900, "devanagari"),
    (0x0980, ""), (0x0E00, "thai"), (0x0E80, ""), (0x1100, "hangul"), (0x1200, ""), (0x1E00, "latin"), (0x1F00, "greek"),
    (0x2000, ""), (0x3040, "kana"), (0x3100, ""), (0x3400, "han"), (0x4DC0, ""), (0x4E00, "han"), (0xA000, ""),
    (0xAC00, "hangul"), (0xD7B0, ""), (0xFB50, "arabic"), (0xFE00, ""),
)  # fmt: skip
_BEGINS = [begin for begin, _ in _BLOCKS]
_NAMES_BY_SCRIPT = {
    "el": "Greek", "he": "Hebrew", "hi": "Hindi", "th": "Thai", "ko": "Korean", "ja": "Japanese", "zh": "Chinese",
}  # fmt: skip
_RIVALS: Mapping[str, tuple[str, ...]] = {
    "latin": ("cs", "da", "de", "en", "es", "fi", "fr", "hu", "id", "it", "nl", "pl", "pt", "ro", "sv", "tr", "vi"),
    "cyrillic": ("ru", "uk"),
    "arabic": ("ar", "fa"),
    "greek": ("el",),
    "hebrew": ("he",),
    "devanagari": ("hi",),
    "thai": ("th",),
    "hangul": ("ko",),
    "kana": ("ja",),
    "han": ("zh",),
}
# Languages customers declare whose look is not learned; a declaration of anything else is a typing error.
_UNLEARNED = frozenset(
    {"af", "bg", "bs", "ca", "cy", "et", "eu", "ga", "gl", "hr", "is", "lt", "lv", "mk", "ms", "mt", "nb", "nn", "no"}
    | {"sk", "sl", "sq", "sr", "sw", "tl", "ur"}
)
# A letter of these says as much as several Latin ones, and Latin brand names stand among them.
_DENSE = frozenset({"kana", "han", "hangul", "devanagari", "thai", "arabic", "hebrew", "greek", "cyrillic"})


def _script(text: str) -> str:
    counts: Counter[str] = Counter(_script_of(letter) for letter in text[:1000] if letter.isalpha())
    del counts[""]
    if counts["kana"]:  # Japanese writes its Chinese characters among kana
        counts["kana"] += counts.pop("han", 0)
    weighed = {script: count * (3 if script in _DENSE else 1) for script, count in counts.items() if count}
    return max(weighed, key=lambda script: (weighed[script], script), default="")


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> str:
    return _BLOCKS[bisect_right(_BEGINS, ord(letter)) - 1][1]


# --- what was learned -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Model:
    languages: tuple[str, ...]
    runs: Mapping[str, "array[float]"]
    """For each run of letters, its log probability in each language."""


@cache
def _names() -> Mapping[str, str]:
    named = {line.partition(":")[0].partition(" ")[::2] for line in lexicon.lines("languages.txt")}
    return {**_NAMES_BY_SCRIPT, **dict(named)}


@cache
def _model() -> _Model:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lexicon.lines("languages.txt"):
        head, _, sentences = line.partition(":")
        runs = counts[head.partition(" ")[0]]
        found = words(sentences)
        for start, end in zip(found.starts, found.ends, strict=True):
            word = sentences[start:end].lower()
            runs.update(_runs(word))
            plain = fold(word)
            if plain != word:
                for run in _runs(plain):
                    runs[run] += _UNACCENTED  # type: ignore[assignment]
    languages = tuple(sorted(counts))
    known = set().union(*counts.values())
    totals = [log(sum(counts[language].values()) + _UNSEEN * len(known)) for language in languages]
    return _Model(
        languages,
        {
            run: array(
                "f",
                [
                    log(counts[language][run] + _UNSEEN) - total
                    for language, total in zip(languages, totals, strict=True)
                ],
            )
            for run in known
        },
    )


@lru_cache(maxsize=16_384)
def _of_word(word: str) -> "array[float]":
    """What one word says for each language, as log odds against the average language."""
    model = _model()
    odds = [0.0] * len(model.languages)
    for run in _runs(word):
        known = model.runs.get(run)
        if known is not None:
            odds = [before + more for before, more in zip(odds, known, strict=True)]
    average = sum(odds) / len(odds)
    return array("f", [(each - average) / _OVERLAP for each in odds])


def _runs(word: str) -> Iterator[str]:
    marked = f"_{word[:40]}_"
    for length in range(1, _LONGEST_RUN + 1):
        for start in range(len(marked) - length + 1):
            yield marked[start : start + length]
    if len(marked) > _LONGEST_RUN:
        yield marked
