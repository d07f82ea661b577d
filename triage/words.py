"""How customer text is cut into words that can be compared, without losing where each stood."""

import re
import unicodedata
from functools import lru_cache
from typing import NamedTuple

LONGEST_TEXT = 65_536
"""Characters looked at; what a customer wrote beyond them is kept but neither tagged nor matched."""

SENTENCE_ENDS = frozenset(".!?")
"""What stands among the words where a sentence ends."""


class Words(NamedTuple):
    """The folded words of a text and their places: `text[starts[i]:ends[i]]` folds to `folded[i]`.

    The end of a sentence stands among them as ".", "!" or "?", an emoji as itself, a smiley as ":)" or ":(".
    """

    folded: tuple[str, ...]
    starts: tuple[int, ...]
    ends: tuple[int, ...]


def fold(text: str) -> str:
    """Lower case without accents, so that "Défaut" and "defaut" are one word. Length may change."""
    if text.isascii():
        return text.lower()
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return unicodedata.normalize("NFC", _ACCENTS.sub("", decomposed)).translate(_PLAIN_LETTERS)


def words(text: str) -> Words:
    """The words of the first 64 K characters. Links and @names are passed over: they match by accident."""
    text = text[:LONGEST_TEXT]
    folded: list[str] = []
    starts: list[int] = []
    ends: list[int] = []
    for found in _WORD.finditer(text):
        match found.lastgroup:
            case "word":
                folded.append(_fold_word(found[0]))
            case "end":
                folded.append("!" if "!" in found[0] else "?" if "?" in found[0] else ".")
            case "smiley":
                folded.append(":)" if found[0][-1] in ")DPp" else ":(")
            case "emoji":
                folded.append(found[0])
            case _:
                continue
        starts.append(found.start())
        ends.append(found.end())
    return Words(tuple(folded), tuple(starts), tuple(ends))


def stems(text: str) -> tuple[str, ...]:
    """The words of `words(text)` without their endings and without their places, several times as quickly."""
    text = text[:LONGEST_TEXT]
    is_plain = text.isascii() and not any(mark in text for mark in _BEYOND_PLAIN)
    tokens = (_PLAIN_TOKEN if is_plain else _TOKEN).findall(text)
    if len(_stems) > _MOST_STEMS:
        _stems.clear()
    found = map(_stems.__getitem__, tokens)
    # What is plain is passed over nowhere.
    return tuple(found) if is_plain else tuple(filter(None, found))


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
    r"|(?P<smiley>[:=]['\u2019]?-?[)(DPp/|](?!\w)|;-?\))"
    r"|(?P<end>[.!?;\n\u3002\uff01\uff1f]+(?!\d))"
    r"|(?P<emoji>[\u2600-\u27bf\u2b50\U0001f300-\U0001faff])"
    r"|(?P<name>@\w+)"
)
# Latin, Greek and Cyrillic accents, and Arabic vowel marks; the marks of Indic scripts and kana are letters and stay.
_ACCENTS = re.compile("[\u0300-\u036f\u064b-\u0652]+")
_PLAIN_LETTERS = str.maketrans(
    {"ø": "o", "ł": "l", "đ": "d", "æ": "ae", "œ": "oe", "\u0131": "i", "ð": "d", "þ": "th", "\u2019": "'"}
)


@lru_cache(maxsize=32_768)
def _fold_word(word: str) -> str:
    return fold(word)


# Cuts as `_WORD` does; which of its branches a token came from can be seen from the token. Most texts hold words and the ends
# of sentences and nothing else, which a simpler pattern cuts alike.
_TOKEN = re.compile(re.sub(r"\(\?P<\w+>", "(?:", _WORD.pattern))
_PLAIN_TOKEN = re.compile(r"[a-zA-Z0-9]+(?:'(?i:t|s|re|ve|ll|d|m)\b)?|[.!?\n]+(?!\d)")
_BEYOND_PLAIN = (":", ";", "=", "@", "ww.", "WW.", "wW.", "Ww.")


def _stem_of_token(token: str) -> str:
    """What stands for a token among the stems; empty for what is passed over."""
    if token.isalnum() and token.isascii():
        # One word, and one with figures in it has no ending; numbers are many, and hardly any is seen twice.
        return stem(token.lower()) if token.isalpha() else token.lower()
    cut = words(token).folded
    return stem(cut[0]) if cut else ""


class _Stems(dict[str, str]):
    """Stems by token: most tokens of a language are seen again soon, and looking one up is all that a text then costs."""

    def __missing__(self, token: str) -> str:
        found = _stem_of_token(token)
        # Hardly any number is seen twice.
        if not token.isdigit():
            self[token] = found
        return found


_MOST_STEMS = 200_000
_stems = _Stems()
