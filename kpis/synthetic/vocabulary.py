"""Words nobody has spoken, as often used as words are: the n-th most frequent about 1/n as often as the first."""

from collections.abc import Sequence
from random import Random
from typing import Final

SIZE: Final = 30_000
_STARTS = [*"bcdfghklmnprstvwz", "br", "ch", "dr", "fl", "gr", "pl", "qu", "sh", "st", "tr"]
_MIDDLES = ["a", "e", "i", "o", "u", "ai", "ea", "ou"]
_ENDS = ["", "", "", "l", "n", "r", "s", "nt", "rd", "ck"]
# Zipf's law with Mandelbrot's shift, which flattens the very first words as real texts do.
_EXPONENT, _SHIFT = 1.05, 2.7
_FEWEST, _MOST = 4, 17
# Up to here words are one syllable, from there on often three.
_SHORT, _LONG = 150, 4_000


class Vocabulary:
    """The same seed gives the same words and, with the same `Random`, the same texts."""

    def __init__(self, seed: str, *, size: int = SIZE) -> None:
        self.words: Sequence[str] = _words(Random(f"words {seed}"), size)
        weights = [(rank + _SHIFT) ** -_EXPONENT for rank in range(1, size + 1)]
        # Drawing from a bag with many copies of frequent words is faster than looking each draw up by weight.
        self._bag = [
            word for word, weight in zip(self.words, weights, strict=True) for _ in range(round(weight / weights[-1]))
        ]

    def text(self, chance: Random, *, words: int, telling: Sequence[str] = ()) -> str:
        """Sentences of so many words, the `telling` ones strewn among them."""
        drawn = chance.choices(self._bag, k=words)
        for word in telling:
            drawn[int(chance.random() * words)] = word
        sentences = []
        while drawn:
            length = chance.randint(_FEWEST, _MOST)
            sentences.append(" ".join(drawn[:length]).capitalize() + ".")
            del drawn[:length]
        return " ".join(sentences)


def _words(chance: Random, size: int) -> list[str]:
    """Frequent words are short, as they are in every language."""
    found: dict[str, None] = {}
    while len(found) < size:
        syllables = 1 + (len(found) > _SHORT) + (len(found) > _LONG and chance.random() < 0.6)
        beginning = "".join(chance.choice(_STARTS) + chance.choice(_MIDDLES) for _ in range(syllables))
        found[beginning + chance.choice(_ENDS)] = None
    return list(found)
