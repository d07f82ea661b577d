"""How customer text is cut into words that can be compared, without losing where each stood."""

import re
import unicodedata
from collections.abc import Callable, Iterable
from functools import cached_property, lru_cache
from itertools import compress
from operator import add

LONGEST_TEXT = 65_536
"""Characters looked at; what a customer wrote beyond them is kept but neither tagged nor matched."""

SENTENCE_ENDS = frozenset(".!?")
"""What stands among the words where a sentence ends."""


class Words:
    """The folded words of a text and their places: `text[starts[i]:ends[i]]` folds to `folded[i]`.

    The end of a sentence stands among them as ".", "!" or "?", an emoji as itself, a smiley as ":)" or ":(".
    """

    def __init__(self, text: str) -> None:
        self._text = text[:LONGEST_TEXT]
        self._tokens = _tokens(self._text)
        self._said = tuple(map(_FOLDED.__getitem__, self._tokens))
        self.folded: tuple[str, ...] = tuple(filter(None, self._said)) if "" in self._said else self._said

    @cached_property
    def stems(self) -> tuple[str, ...]:
        """The same words without their endings."""
        return _stems_of(self._tokens)

    @property
    def starts(self) -> tuple[int, ...]:
        return self._places[0]

    @property
    def ends(self) -> tuple[int, ...]:
        return self._places[1]

    @cached_property
    def _places(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Found when they are asked for: most words are evidence of nothing. A token cannot stand anywhere between the one
        before it and its own place, for there it would have been cut."""
        starts, reached, place_of = [], 0, self._text.index
        for token in self._tokens:
            start = place_of(token, reached)
            starts.append(start)
            reached = start + len(token)
        ends: Iterable[int] = map(add, starts, map(len, self._tokens))
        return tuple(compress(starts, self._said)), tuple(compress(ends, self._said))


def fold(text: str) -> str:
    """Lower case without accents, so that "Défaut" and "defaut" are one word. Length may change."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).translate(_PLAIN_LETTERS)


def words(text: str) -> Words:
    """The words of the first 64 K characters. Links and @names are passed over: they match by accident."""
    return Words(text)


def stems(text: str) -> tuple[str, ...]:
    """The words of `words(text)` without their endings, in half the time."""
    return _stems_of(_tokens(text[:LONGEST_TEXT]))


@lru_cache(maxsize=32_768)
def stem(word: str) -> str:
    """A folded word without its commonest English endings: "leaking", "leaks", "leaked" become "leak".

    Deliberately blunt: both sides of a comparison go through it, so a wrong stem only has to be wrong the same way.
    """
    if word.endswith("'s"):
        word = word[:-2]
    if len(word) < 4 or not word.isascii() or not word.isalpha():
        return word
    if word.endswith("ies") and len(word) > 4:
        word = word[:-3] + "y"
    elif word.endswith(("sses", "xes", "zes", "ches", "shes")):
        word = word[:-2]
    elif word.endswith("s") and not word.endswith(("ss", "us", "is")):
        word = word[:-1]
    for ending, shortest_root in (("ation", 5), ("ing", 3), ("ed", 3), ("ly", 4)):
        root = word[: -len(ending)]
        if word.endswith(ending) and len(root) >= shortest_root and any(vowel in root for vowel in "aeiouy"):
            word = root
            if len(root) >= 4 and root[-1] == root[-2] and root[-1] not in "lsz":
                word = root[:-1]
            break
    if len(word) >= 6 and word.endswith("ll"):  # cancelled and cancel, installed and install
        word = word[:-1]
    if len(word) > 4 and word.endswith("e"):
        word = word[:-1]
    if len(word) > 3 and word.endswith("y"):
        word = word[:-1] + "i"
    return word


# Han, kana and Thai are written without spaces: each character is a word, so a phrase of them is a run of words.
_UNSPACED = r"\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
_WORD = re.compile(
    r"(?P<link>(?i:https?://|www\.)\S+)"
    # An apostrophe stays inside English contractions ("don't") and parts elided articles ("l'eau").
    rf"|(?P<word>[{_UNSPACED}]|[^\W_{_UNSPACED}]+(?:['\u2019](?i:t|s|re|ve|ll|d|m)\b)?)"
    r"|(?P<smiley>[:=]['\u2019]?-?[)(DPp/|](?![^\W_])|;-?\))"
    r"|(?P<end>[.!?;\n\u3002\uff01\uff1f]+(?!\d))"
    r"|(?P<emoji>[\u2600-\u27bf\u2b50\U0001f300-\U0001faff])"
    r"|(?P<name>@\w+)"
)
# Latin, Greek and Cyrillic accents, and Arabic vowel marks; the marks of Indic scripts and kana are letters and stay.
_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u0652]+")
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "ð": "d", "þ": "th", "\u2019": "'"}
)


# Cuts as `_WORD` does; which of its branches a token came from can be seen from the token. Most texts hold words and the ends
# of sentences and nothing else, which a simpler pattern cuts alike.
_TOKEN = re.compile(re.sub(r"\(\?P<\w+>", "(?:", _WORD.pattern))
_PLAIN_TOKEN = re.compile(r"[a-zA-Z0-9]+(?:'(?i:t|s|re|ve|ll|d|m)\b)?|[.!?\n]+(?!\d)")
_BEYOND_PLAIN = (":", ";", "=", "@", "ww.", "WW.", "wW.", "Ww.")


def _tokens(text: str) -> list[str]:
    is_plain = text.isascii() and not any(mark in text for mark in _BEYOND_PLAIN)
    return (_PLAIN_TOKEN if is_plain else _TOKEN).findall(text)


def _folded(token: str) -> str:
    """What stands for a token among the words; empty for what is passed over."""
    found = _WORD.match(token)
    match found and found.lastgroup:
        case "word":
            return fold(token)
        case "end":
            return "!" if "!" in token else "?" if "?" in token else "."
        case "smiley":
            return ":)" if token[-1] in ")DPp" else ":("
        case "emoji":
            return token
    return ""


def _stem_of_token(token: str) -> str:
    """What stands for a token among the stems; empty for what is passed over."""
    folded = _folded(token)
    # A word with figures in it has no ending.
    return stem(folded) if folded.isalpha() or not folded.isalnum() else folded


def _stems_of(tokens: Iterable[str]) -> tuple[str, ...]:
    return tuple(filter(None, map(_STEMS.__getitem__, tokens)))


class _Memory(dict[str, str]):
    """What was found for each token: most tokens of a language are seen again soon, and looking one up is all that a text then
    costs. What is found is one string wherever it stands, so that it is quickly looked up elsewhere, too. A dictionary that
    is emptied when it is full takes half the time of a cache that keeps its order."""

    def __init__(self, find: Callable[[str], str]) -> None:
        self._find = find

    def __missing__(self, token: str) -> str:
        found = self._find(token)
        # Hardly any number is seen twice, and what is very long only in a text that means harm.
        if not token.isdigit() and len(token) <= _LONGEST_REMEMBERED:
            if len(self) >= _MOST_REMEMBERED:
                self.clear()
            self[token] = found
        return found


_MOST_REMEMBERED, _LONGEST_REMEMBERED = 200_000, 100
_FOLDED, _STEMS = _Memory(_folded), _Memory(_stem_of_token)
