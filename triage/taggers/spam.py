"""Whether somebody sells or a machine speaks where a customer should. Probably spam is marked and moved back, never dropped.

Two opinions are needed: a wording or shape that spam has (`lexicon/spam.txt` and the signs below), and a small learned model
that has read many honest texts. The model is weights of hashed words and signs; what it was trained on, and under which
licences, says the head of `spam_weights.json`. A lost complaint costs more than ten advertisements read.
"""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache
from itertools import pairwise
from math import exp, log1p
from pathlib import Path
from string import ascii_letters, ascii_uppercase, digits
from typing import Final, NamedTuple
from zlib import crc32

import re2

from feedback_portal.marking import worded
from triage import lexicon
from triage.blend.beginnings import begin
from triage.phrases import Phrases
from triage.taggers.base import Evidence, Span, Suggestion, Tagger, Taxonomy, Text, taggers
from triage.taggers.corrected import corrected
from triage.words import SENTENCE_ENDS, fold

PROBABLY: Final = 0.5
"""From here on the suggestion is "spam"."""
MOST_WORDS: Final = 120
MOST_EVIDENCE: Final = 5
BUCKETS: Final = 1 << 13
_UNSEEN: Final = 0.02
_NAMES: Final[Mapping[str, str]] = {"spam": "spam", "customer": "a customer's words"}


@taggers.register
class Spam(Tagger):
    """Suggests "spam", or nothing: that something is no spam is what everybody assumes."""

    slug = "spam"
    version = 2
    kind = "spam"

    def tag(self, batch: Sequence[Text], taxonomy: Taxonomy) -> list[list[Suggestion]]:
        return corrected(batch, _suggest, taxonomy, field="spam", names=_NAMES, usual="customer")


def likely(text: Text) -> Mapping[str, float]:
    """How likely spam is by its signs alone; where there is none a little is left, for nobody knows every sign."""
    sure = min(max(probability(text), _UNSEEN), 1 - _UNSEEN)
    return {"spam": sure, "customer": 1 - sure}


class Sign(NamedTuple):
    """What a text has of spam: the family of a wording or shape, what it says of itself as log odds, and where it stands."""

    family: str
    weight: float
    says: str
    span: Span | None


def probability(text: Text) -> float:
    """How likely it is spam; 0 where no sign of it is seen."""
    signs = _signs(text)
    return _probability(text, signs) if signs else 0.0


def _suggest(text: Text) -> list[Suggestion]:
    signs = _signs(text)
    if not signs:
        return []
    sure = _probability(text, signs)
    if sure < PROBABLY:
        return []
    weights = _weights().signs
    told = sorted(signs, key=lambda sign: -(sign.weight + weights.get(sign.family, 0.0)))
    said = list(dict.fromkeys(f"“{sign.says}”" for sign in told))[:3]
    return [
        Suggestion(
            kind="spam",
            value="spam",
            confidence=sure,
            reason=worded("It looks like spam: %(signs)s.", signs=said),
            evidence=tuple(
                Evidence(sign.says, sign.weight + weights.get(sign.family, 0.0), sign.span)
                for sign in told[:MOST_EVIDENCE]
            ),
        )
    ]


def _probability(text: Text, signs: Sequence[Sign]) -> float:
    learned = _weights()
    odds = learned.bias + sum(learned.words.get(bucket, 0.0) for bucket in buckets(text))
    odds += sum(learned.signs.get(name, 0.0) * value for name, value in shape(text, signs).items())
    odds += sum(weight for _, weight in {(sign.says, sign.weight) for sign in signs})
    return 1 / (1 + exp(-max(-30.0, min(30.0, odds))))


# --- what is seen of a text -------------------------------------------------------------------------------------------

# Shapes that stand in advertisements, each with the name of its family.
_SHAPES = re2.compile(
    r"(?P<pounds>[£$€]\s?\d[\d,.]*|\b\d[\d,.]*\s?(?:£|€|pounds|usd|eur)\b)"
    r"|(?P<link>(?i:https?://|www\.)\S+|\b[\w-]+\.(?:com|net|biz|info|tv|ru|xyz|top|shop)\b(?:/\S*)?)"
    r"|(?P<premium>\b0?[89]0?[0-9]{8,9}\b|\b(?:\d{3,5}[ -]){2}\d{3,5}\b|\[telephone number\])"
    r"|(?P<pence>\b\d{1,4}\s?(?:p|pm|ppm|p/\w+)\b|\bp/?min\b)"
    r"|(?P<short>\b[2-9]\d{4}\b)"
)
_MOST_SHAPES = 20


def _signs(text: Text) -> list[Sign]:
    return text.derive(_find_signs)


def _find_signs(text: Text) -> list[Sign]:
    return [*_wordings(text), *_shapes(text)]


def _wordings(text: Text) -> Iterator[Sign]:
    for hit in _phrases().longest(text.words.folded):
        family, weight = hit.meanings[0]
        says = " ".join(text.words.folded[hit.start : hit.end])
        yield Sign(family, weight, says, text.span(hit.start, hit.end))


def _shapes(text: Text) -> Iterator[Sign]:
    whole = text.whole[:4_000]
    whole = whole if whole.isascii() else whole.encode(errors="replace").decode()
    if not _SHAPES.search(whole):
        return
    border = len(text.title)
    for count, found in enumerate(_SHAPES.finditer(whole)):
        if count == _MOST_SHAPES:
            return
        start, end = found.span()
        if not start <= border < end:
            yield Sign(found.lastgroup or "", 0.0, found[0][:60], text.place(start, end))


def shape(text: Text, signs: Sequence[Sign]) -> Mapping[str, float]:
    """The text in a few numbers: its signs by family, and how loud and how full of figures it is."""
    whole = text.whole[:4_000]
    plain = whole.encode("ascii", "ignore")
    letters = len(plain) - len(plain.translate(None, _LETTERS)) or 1
    numbers = {sign.family: 1.0 for sign in signs}
    numbers["families"] = float(len({sign.family for sign in signs}))
    numbers["signs"] = log1p(len(signs))
    numbers["loud"] = (len(plain) - len(plain.translate(None, _CAPITALS))) / letters
    numbers["figures"] = (len(plain) - len(plain.translate(None, _FIGURES))) / (len(whole) or 1)
    numbers["calls out"] = min(whole.count("!"), 5) / 5
    numbers["long"] = log1p(len(whole)) / 10
    return numbers


_CAPITALS, _FIGURES = ascii_uppercase.encode(), digits.encode()
_LETTERS = ascii_letters.encode()
_NUMBERS = re.compile(r"\d+")


def buckets(text: Text) -> set[int]:
    """The words and pairs of words of the beginning, hashed; a number counts by how many figures it has."""
    said = [_shaped(word) for word in text.words.folded[:MOST_WORDS] if word not in SENTENCE_ENDS]
    return {_bucket(word) for word in said} | {_bucket(pair) for pair in map(" ".join, pairwise(said))}


@lru_cache(maxsize=16_384)
def _shaped(word: str) -> str:
    return f"#{len(word)}" if word.isdigit() else _NUMBERS.sub("#", word)


@lru_cache(maxsize=65_536)
def _bucket(word: str) -> int:
    return crc32(word.encode(errors="replace")) % BUCKETS


# --- what was learned -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Weights:
    bias: float
    signs: Mapping[str, float]
    words: Mapping[int, float]


@cache
def _weights() -> _Weights:
    stored = json.loads((Path(__file__).parent / "spam_weights.json").read_text(encoding="utf-8"))
    step = stored["step"]
    return _Weights(
        bias=stored["bias"],
        signs=stored["signs"],
        words={int(bucket): step * weight for bucket, weight in stored["words"].items()},
    )


@cache
def _phrases() -> Phrases[tuple[str, float]]:
    listed = []
    for line in lexicon.lines("spam.txt"):
        head, _, said = line.partition(":")
        family, weight = head.split()
        listed += [(phrase, (family, float(weight))) for phrase in said.split(",")]
    return Phrases(listed, key=fold)


begin("spam", tuple(_NAMES), likely)
