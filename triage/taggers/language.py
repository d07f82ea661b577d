"""The language a text is written in: by its script, and among languages of one script by what `py3langid` knows of words.

Its model, a naive Bayes over runs of letters, is asked for one word at a time and the answers are remembered and added up:
as exact as asking for the whole text, better where little was said, and quick, since customers use the same words.
"""

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import islice
from math import exp, sqrt
from typing import Any, Final

from py3langid.langid import MODEL_FILE, LanguageIdentifier

from feedback_portal.marking import worded
from triage.taggers.base import Evidence, Suggestion, Tagger, Taxonomy, Text, taggers

UNKNOWN: Final = "und"

MOST_WORDS: Final = 60
"""Words looked at; a text that has not shown its language by then will not."""
LEAST_CONFIDENCE: Final = 0.35
"""Below this a guess is worth less than saying that the language is not known."""

_LONGEST_WORD = 40
_AT_ONCE = 8
_FARTHEST = 2 * MOST_WORDS
# The letters of one word overlap in many runs, and words of one text are alike: the model's log odds, divided by this and by
# the root of the words read and one, are odds that hold. Fitted on sentences, pairs of words and single words together.
_OVERLAP = 1.0
_SURE = 9.0  # a lead, as log odds, that no further word overturns
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
    version = 2
    kind = "language"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        return [list(_suggest(text)) for text in batch]


def names() -> Mapping[str, str]:
    """The languages that can be told apart: how each is called in English, by its code."""
    return _NAMES


def detect(text: Text) -> Guess:
    """The language of a text. What was declared counts where the text itself says little."""
    return text.derive(_detect)


def _detect(text: Text) -> Guess:
    declared = text.declared_language.lower().partition("-")[0].partition("_")[0]
    rivals: tuple[str, ...] = _RIVALS.get(_script(text.whole), ())
    if not rivals:
        return Guess(declared, 0.5) if declared in _NAMES else Guess(UNKNOWN, 0.0)
    if declared in _ONLY_DECLARED and len(rivals) > 1:
        rivals = (*rivals, declared)
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
        reason=worded("The text is written in %(language)s.", language=_NAMES.get(guess.language, guess.language)),
        evidence=tuple(
            Evidence(says=said[place], weight=weight, span=text.span(place, place + 1))
            for place, weight in guess.telling
        ),
    )


def _compare(text: Text, rivals: tuple[str, ...], declared: str) -> Guess:
    odds_of = _reader(rivals)
    lead = [_DECLARED if rival == declared else 0.0 for rival in rivals]
    spelled = _spelled(text)
    read: list[tuple[int, Sequence[float]]] = []
    summed = [0.0] * len(rivals)
    odds = lead
    while several := [(number, odds_of(word)) for number, word in islice(spelled, _AT_ONCE)]:
        read += several
        summed = list(map(sum, zip(summed, *(of_word for _, of_word in several), strict=True)))
        scale = _OVERLAP * sqrt(len(read) + 1)
        odds = [before + more / scale for before, more in zip(lead, summed, strict=True)]
        first, second = sorted(odds, reverse=True)[:2]
        if first - second > _SURE:
            break
    best, second_best = sorted(range(len(rivals)), key=lambda each: (-odds[each], each))[:2]
    confidence = 1 / sum(exp(each - odds[best]) for each in odds)
    if not read or confidence < LEAST_CONFIDENCE:
        return Guess(declared, LEAST_CONFIDENCE) if declared in rivals else Guess(UNKNOWN, 0.0)
    telling = [(number, of_word[best] - of_word[second_best]) for number, of_word in read]
    telling = sorted((one for one in telling if one[1] > 0), key=lambda one: (-one[1], one[0]))[:3]
    return Guess(rivals[best], confidence, tuple(telling))


def _spelled(text: Text) -> Iterator[tuple[int, str]]:
    """The first words in small letters, with their accents, each with its number; only as many as are asked for are made."""
    whole, words = text.whole, text.words
    if whole.isascii():  # then folded words are just that, and nobody need know where they stand
        spelled: Iterable[str] = words.folded[:_FARTHEST]
    else:
        spelled = (
            whole[start:end].lower()
            for start, end in zip(words.starts[:_FARTHEST], words.ends[:_FARTHEST], strict=True)
        )
    return islice(((number, word) for number, word in enumerate(spelled) if word[0].isalpha()), MOST_WORDS)


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
# Languages that are thought of only where they were declared, since each of them looks much like one of the others; and what
# the model calls them, where that is not their code.
_ONLY_DECLARED = frozenset(
    {"af", "bg", "bs", "ca", "cy", "et", "eu", "ga", "gl", "hr", "is", "lt", "lv", "mk", "ms", "mt", "nb", "nn", "no"}
    | {"sk", "sl", "sq", "sr", "sw", "tl", "ur"}
)
_CALLED: Mapping[str, str] = {"nb": "no"}
_NAMES: Mapping[str, str] = {
    "af": "Afrikaans", "ar": "Arabic", "bg": "Bulgarian", "bs": "Bosnian", "ca": "Catalan", "cs": "Czech", "cy": "Welsh",
    "da": "Danish", "de": "German", "el": "Greek", "en": "English", "es": "Spanish", "et": "Estonian", "eu": "Basque",
    "fa": "Persian", "fi": "Finnish", "fr": "French", "ga": "Irish", "gl": "Galician", "he": "Hebrew", "hi": "Hindi",
    "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "is": "Icelandic", "it": "Italian", "ja": "Japanese",
    "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "mk": "Macedonian", "ms": "Malay", "mt": "Maltese",
    "nb": "Norwegian", "nl": "Dutch", "nn": "Norwegian", "no": "Norwegian", "pl": "Polish", "pt": "Portuguese",
    "ro": "Romanian", "ru": "Russian", "sk": "Slovak", "sl": "Slovenian", "sq": "Albanian", "sr": "Serbian",
    "sv": "Swedish", "sw": "Swahili", "th": "Thai", "tl": "Tagalog", "tr": "Turkish", "uk": "Ukrainian", "ur": "Urdu",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip
# A letter of these says as much as several Latin ones, and Latin brand names stand among them.
_DENSE = frozenset({"kana", "han", "hangul", "devanagari", "thai", "arabic", "hebrew", "greek", "cyrillic"})


def _script(text: str) -> str:
    if text.isascii():
        return "latin" if any(map(str.isalpha, text[:1000])) else ""
    counts: Counter[str] = Counter(_script_of(letter) for letter in text[:1000] if letter.isalpha())
    del counts[""]
    if counts["kana"]:  # Japanese writes its Chinese characters among kana
        counts["kana"] += counts.pop("han", 0)
    weighed = {script: count * (3 if script in _DENSE else 1) for script, count in counts.items() if count}
    return max(weighed, key=lambda script: (weighed[script], script), default="")


@lru_cache(maxsize=4096)
def _script_of(letter: str) -> str:
    return _BLOCKS[bisect_right(_BEGINS, ord(letter)) - 1][1]


# --- what the model knows ----------------------------------------------------------------------------------------------


@cache
def _model() -> Any:
    """The library's model, cut down to the languages that are told apart here."""
    model = LanguageIdentifier.from_model_file(MODEL_FILE)
    compared = [language for rivals in _RIVALS.values() if len(rivals) > 1 for language in rivals]
    model.set_languages({_CALLED.get(language, language) for language in (*compared, *_ONLY_DECLARED)})
    model._full_model = model.nb_ptc, model.nb_pc, model.nb_classes  # lets go of the others, 20 MB of them
    return model


@cache
def _of_no_word() -> Mapping[str, float]:
    return dict(zip(_model().nb_classes, _model().nb_pc.tolist(), strict=True))


@cache
def _reader(rivals: tuple[str, ...]) -> Callable[[str], tuple[float, ...]]:
    """What one word says for each of these languages, as log odds against no word at all; remembered by word."""
    called = [_CALLED.get(rival, rival) for rival in rivals]
    before = _of_no_word()

    @lru_cache(maxsize=32_768)
    def odds_of(word: str) -> tuple[float, ...]:
        scores = dict(_model().rank(f" {word[:_LONGEST_WORD]} "))
        if min(scores.values()) < _UNREAD:  # no run of its letters is known
            return (0.0,) * len(called)
        return tuple(scores[label] - before[label] for label in called)

    return odds_of


_UNREAD = -1e30
