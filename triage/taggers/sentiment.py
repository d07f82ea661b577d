"""How a text sounds: its words, what turns and strengthens them, its emoji, and the rating that came with it.

Words are those of `lexicon/sentiment.txt`, in English, German, French and Spanish. In another language only emoji and the
rating speak: no sentiment is better than a wrong one. Where an English text comes with its vector, a small learned head weighs
what it means together with its words; what that was trained on, and under which licences, says the head of
`sentiment_head.json`.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from math import exp, isfinite, log1p, sqrt
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from feedback_portal.marking import marked, worded
from triage import lexicon
from triage.blend.beginnings import begin
from triage.phrases import Phrases
from triage.taggers.base import Evidence, Suggestion, Tagger, Taxonomy, Text, taggers
from triage.taggers.corrected import corrected
from triage.taggers.language import UNKNOWN, detect
from triage.words import SENTENCE_ENDS, fold, stem

MOST_EVIDENCE: Final = 6

# A word at the end of the reach of a negation is turned, but "not great" is less bad than "bad" and "not bad" hardly good.
_REACH = 3
_TURNED_GOOD, _TURNED_BAD = -0.7, -0.15
_BARE_NEGATION = -0.6  # who says what is not there, does not work or never came is seldom pleased
_STRONGER, _WEAKER = 1.3, 0.6
_SHOUTED = 1.2
_BEFORE_BUT, _AFTER_BUT = 0.5, 1.3
_RATING = 4.0  # an extreme rating weighs as much as one of the strongest words
_SOFTNESS = 8.0  # how much must be said before a score comes near 1
_NEUTRAL = 0.12
_SILENT = 0.7  # how sure it is that nothing is told where nothing is found
_NAMES: Final[Mapping[str, str]] = {"neg": "displeased", "neu": "neutral", "pos": "pleased", "none": "not clear"}


@taggers.register
class Sentiment(Tagger):
    """Suggests "neg", "neu" (good and bad in balance) or "pos" with a score from -1 to 1; nothing where nothing is told."""

    slug = "sentiment"
    version = 3
    kind = "sentiment"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        return corrected(batch, _suggest, taxonomy, field="sentiment", names=_NAMES, usual="none")


def likely(text: Text) -> Mapping[str, float]:
    """How likely each sentiment is by the words, the rating and the meaning of a text alone."""
    found = _suggest(text)
    if not found:
        return {"none": _SILENT}
    return {str(found[0].value): found[0].confidence, "none": (1 - found[0].confidence) / 10}


def _suggest(text: Text) -> list[Suggestion]:
    said = list(_words(text))
    rated = list(_rating(text))
    meant = _meaning(text, said, rated)
    if not (said or rated or meant):
        return []
    evidence = [*said, *rated]
    if meant is None:
        total = sum(each.weight for each in evidence)
        score = total / sqrt(total * total + _SOFTNESS)
        value = "pos" if score > _NEUTRAL else "neg" if score < -_NEUTRAL else "neu"
        sure = _confidence(score, evidence)
    else:
        value = max(meant, key=lambda name: (meant[name], name))
        score, sure = meant["pos"] - meant["neg"], meant[value]
    evidence.sort(
        key=lambda each: -each.weight if value == "pos" else each.weight if value == "neg" else -abs(each.weight)
    )
    told: object = [f'"{each.says}"' if each.span else each.says for each in evidence[:3]]
    sounds = _SOUNDS["mixed" if value == "neu" and evidence else value]
    return [
        Suggestion(
            kind="sentiment",
            value=value,
            confidence=sure,
            reason=worded(sounds, told=told or worded("no word of praise or blame")),
            evidence=tuple(evidence[:MOST_EVIDENCE]) or (Evidence("the whole text", 0.0),),
            score=round(score, 4),
        )
    ]


def _confidence(score: float, evidence: Sequence[Evidence]) -> float:
    """Surer the further from neutral, and the less was said to the contrary."""
    against = sum(abs(each.weight) for each in evidence if each.weight * score < 0)
    agreed = 1 - against / sum(abs(each.weight) for each in evidence) if any(each.weight for each in evidence) else 0.0
    return 0.4 + 0.57 * abs(score) * agreed if abs(score) > _NEUTRAL else 0.4


# --- words ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Tongue:
    """What one language offers: its sounding phrases, and the words that turn, strengthen or weaken them."""

    key: Callable[[str], str]
    sounding: Phrases[float]
    negates_behind: bool
    """Whether a negation may follow what it negates, as in "gefällt mir nicht"."""
    negations: frozenset[str]
    stronger: frozenset[str]
    weaker: frozenset[str]
    buts: frozenset[str]


def _words(text: Text) -> Iterator[Evidence]:
    folded = text.words.folded
    if not folded:
        return
    tongue = _tongues().get(_language(text), _tongues()["all"])
    keys = text.stems if tongue.key is stem else tuple(map(tongue.key, folded))
    turns = _by_but(folded, tongue.buts)
    calm = any(letter.islower() for letter in text.whole[:2000])
    used: set[int] = set()
    for hit in tongue.sounding.longest(keys):
        used.update(range(max(0, hit.start - _REACH), hit.end + (_REACH if tongue.negates_behind else 0)))
        weight = hit.meanings[0] * _turned(tongue, folded, hit.start, hit.end, hit.meanings[0])
        before = folded[max(0, hit.start - 2) : hit.start]
        if not tongue.stronger.isdisjoint(before):
            weight *= _STRONGER
        if not tongue.weaker.isdisjoint(before):
            weight *= _WEAKER
        if calm and hit.end - hit.start == 1 and _is_shouted(text, hit.start):
            weight *= _SHOUTED
        weight *= turns[hit.start]
        yield Evidence(" ".join(folded[hit.start : hit.end]), weight, text.span(hit.start, hit.end))
    for place, word in enumerate(folded):
        if word in tongue.negations and place not in used:
            yield Evidence(word, _BARE_NEGATION, text.span(place, place + 1))


def _language(text: Text) -> str:
    language = detect(text).language
    return "en" if language == UNKNOWN else language


def _turned(tongue: _Tongue, folded: Sequence[str], start: int, end: int, weight: float) -> float:
    """1, or what a negation near by makes of the phrase."""
    near = list(_in_sentence(reversed(folded[max(0, start - _REACH) : start]), tongue))
    if tongue.negates_behind:
        near += _in_sentence(iter(folded[end : end + _REACH]), tongue)
    if tongue.negations.isdisjoint(near):
        return 1.0
    return _TURNED_GOOD if weight > 0 else _TURNED_BAD


def _in_sentence(near: Iterator[str], tongue: _Tongue) -> Iterator[str]:
    for word in near:
        if word in SENTENCE_ENDS or word in tongue.buts:
            return
        yield word


def _by_but(folded: Sequence[str], buts: frozenset[str]) -> list[float]:
    """For each word what its place in the sentence makes of it: what stands after a "but" outweighs what stands before."""
    factors = [1.0] * len(folded)
    if buts.isdisjoint(folded):
        return factors
    begin = 0
    but: int | None = None
    for place, word in enumerate((*folded, ".")):
        if word in buts and but is None:
            but = place
        elif word in SENTENCE_ENDS:
            if but is not None:
                factors[begin:but] = [_BEFORE_BUT] * (but - begin)
                factors[but:place] = [_AFTER_BUT] * (place - but)
            begin, but = place, None
    return factors


def _is_shouted(text: Text, place: int) -> bool:
    start, end = text.words.starts[place], text.words.ends[place]
    return end - start > 2 and text.whole[start:end].isupper()


@cache
def _tongues() -> Mapping[str, _Tongue]:
    sounding: dict[str, list[tuple[str, float]]] = {"en": [], "de": [], "fr": [], "es": [], "all": []}
    for line in lexicon.lines("sentiment.txt"):
        head, _, said = line.partition(":")
        language, weight = head.split()
        for name in sounding if language == "all" else [language]:
            sounding[name] += [(phrase.strip(), float(weight)) for phrase in said.split(", ")]
    return {
        language: _Tongue(key, Phrases(sounding[language], key=key), language == "de", *map(_listed, turning))
        for language, key, turning in (
            ("en", stem, _ENGLISH),
            ("de", _german, _GERMAN),
            ("fr", _romance, _FRENCH),
            ("es", _romance, _SPANISH),
            ("all", str, ("", "", "", "")),
        )
    }


def _listed(said: str) -> frozenset[str]:
    return frozenset(map(fold, said.split()))


def _german(word: str) -> str:
    """A folded German word without the endings of adjectives and plurals."""
    for ending in ("en", "em", "er", "es", "e", "n", "s"):
        if len(word) - len(ending) >= 4 and word.endswith(ending):
            return word[: -len(ending)]
    return word


def _romance(word: str) -> str:
    """A folded French or Spanish word without gender and number."""
    for ending in ("es", "as", "os", "s", "e", "a", "o"):
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


# Negations, what strengthens, what weakens, and what turns the sentence.
_ENGLISH = (
    "not no never none nobody nothing neither nor without hardly barely scarcely rarely lack lacks lacking cannot cant can't"
    " don't doesn't didn't isn't aren't wasn't weren't won't wouldn't couldn't shouldn't haven't hasn't hadn't ain't dont doesnt"
    " didnt isnt wasnt wont wouldnt couldnt nowhere",
    "very really extremely so too absolutely totally completely incredibly truly highly super utterly most entirely such"
    " especially particularly remarkably insanely beyond",
    "slightly somewhat little bit fairly rather kinda sorta partly mildly almost relatively",
    "but however although though yet except unfortunately",
)
_GERMAN = (
    "nicht kein keine keinen keiner keinem keines nie niemals nichts niemand ohne weder kaum nimmer",
    "sehr wirklich total absolut extrem äußerst besonders so zu richtig völlig ganz überaus wahnsinnig höchst",
    "etwas ein bisschen wenig ziemlich eher relativ halbwegs einigermaßen teilweise",
    "aber jedoch allerdings doch obwohl leider",
)
_FRENCH = (
    "pas ne jamais rien aucun aucune sans ni personne guère nullement",
    "très vraiment extrêmement tellement si trop absolument totalement complètement hyper super particulièrement",
    "peu assez plutôt légèrement presque relativement",
    "mais cependant pourtant toutefois malheureusement hélas sauf",
)
_SPANISH = (
    "no nunca jamás nada nadie ningún ninguna ninguno sin ni tampoco apenas",
    "muy realmente extremadamente tan demasiado absolutamente totalmente completamente súper sumamente bastante",
    "poco algo ligeramente casi relativamente medio",
    "pero sin embargo aunque desgraciadamente lamentablemente excepto",
)


# --- meaning ----------------------------------------------------------------------------------------------------------

_RATED = 2.0  # what an extreme rating says, as log odds, beside what the words mean


@dataclass(frozen=True)
class _Head:
    classes: tuple[str, ...]
    bias: NDArray[np.float32]
    weights: NDArray[np.float32]


def figures(text: Text, said: Sequence[Evidence]) -> list[float]:
    """What the word lists say of a text, as the head was trained to read it."""
    weights = [each.weight for each in said]
    total = sum(weights)
    return [
        total / sqrt(total * total + _SOFTNESS),
        log1p(sum(weight for weight in weights if weight > 0)),
        log1p(-sum(weight for weight in weights if weight < 0)),
        max(weights, default=0.0),
        min(weights, default=0.0),
        float(not weights),
        float("!" in text.whole),
        float("?" in text.whole),
        log1p(max(1, len(text.words.folded))) / 3,
    ]


def _meaning(text: Text, said: Sequence[Evidence], rated: Sequence[Evidence]) -> Mapping[str, float] | None:
    """How likely each sentiment is by what the text means; None without its vector, and outside English, which is all the
    encoder was taught."""
    if text.vector is None or not text.words.folded or detect(text).language != "en":
        return None
    head = _head()
    odds = head.weights @ np.concatenate([text.vector, np.array(figures(text, said), np.float32)]) + head.bias
    likely = dict(zip(head.classes, map(float, odds), strict=True))
    for each in rated:
        likely["pos"] += _RATED * each.weight / _RATING
        likely["neg"] -= _RATED * each.weight / _RATING
    highest = max(likely.values())
    raised = {name: exp(value - highest) for name, value in likely.items()}
    return {name: value / sum(raised.values()) for name, value in raised.items()}


@cache
def _head() -> _Head:
    stored = json.loads((Path(__file__).parent / "sentiment_head.json").read_text(encoding="utf-8"))
    return _Head(
        tuple(stored["classes"]),
        np.array(stored["bias"], np.float32),
        np.array(stored["weights"], np.float32) * stored["step"],
    )


# --- ratings ----------------------------------------------------------------------------------------------------------

_SOUNDS: Mapping[str, str] = {
    "pos": marked("It sounds positive: %(told)s."),
    "neg": marked("It sounds negative: %(told)s."),
    "neu": marked("It sounds neutral: %(told)s."),
    "mixed": marked("It sounds mixed: %(told)s."),
}
_SCALES: Mapping[str, tuple[float, float]] = {"nps": (0, 10), "thumbs": (0, 1)}


def _rating(text: Text) -> Iterator[Evidence]:
    position = rating_position(text)
    if position is not None:
        value = float(text.rating_value or 0)
        yield Evidence(f"the rating {value:g} ({text.rating_scale})", _RATING * position)


def rating_position(text: Text) -> float | None:
    """Where the rating lies between -1, the worst, and 1, the best of its scale; None if there is none, or its scale is unknown.

    The end of a scale's name is its highest value, as in csat5, stars5 or ces7; 0 to 6 of NPS are all below the middle.
    """
    if text.rating_value is None or not isfinite(text.rating_value):
        return None
    value, scale = float(text.rating_value), text.rating_scale.lower()
    digits = scale[len(scale.rstrip("0123456789")) :]
    low, high = _SCALES.get(scale, (1, int(digits)) if digits and len(digits) < 4 else (0, 0))
    if not low <= value <= high or low == high:
        return None
    if scale == "nps":
        return 1.0 if value > 8 else 0.2 if value > 6 else -1.0 + value / 10
    return 2 * (value - low) / (high - low) - 1


begin("sentiment", tuple(_NAMES), likely)
