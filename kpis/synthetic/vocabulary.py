"""Words nobody has spoken, as often used as words are: the n-th most frequent about 1/n as often as the first."""

import itertools
from collections.abc import Sequence
from random import Random
from typing import Final

SIZE: Final = 30_000
_STARTS = "b br c ch d dr f fl g gr h k l m n p pl qu r s sh st t tr v w z".split()
_MIDDLES = "a e i o u ai ea ou".split()
_ENDS = ["", "", "", "l", "n", "r", "s", "nt", "rd", "ck"]
# Zipf's law with Mandelbrot's shift, which flattens the very first words as real texts do.
_EXPONENT, _SHIFT = 1.05, 2.7
_FEWEST, _MOST = 4, 17


class Vocabulary:
    """The same seed gives the same words and, with the same `Random`, the same texts."""

    def __init__(self, seed: str, *, size: int = SIZE) -> None:
        self.words: Sequence[str] = _words(Random(f"words {seed}"), size)
        weights = ((rank + _SHIFT) ** -_EXPONENT for rank in range(1, size + 1))
        self._cumulated = list(itertools.accumulate(weights))

    def draw(self, chance: Random, count: int) -> list[str]:
        return chance.choices(self.words, cum_weights=self._cumulated, k=count)

    def text(self, chance: Random, *, words: int, telling: Sequence[str] = ()) -> str:
        """Sentences of about so many words, the `telling` ones strewn among them."""
        drawn = self.draw(chance, words)
        for word in telling:
            drawn[chance.randrange(words)] = word
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
        syllables = 1 + (len(found) > 150) + (len(found) > 4_000 and chance.random() < 0.6)
        parts = (
            chance.choice(_STARTS) + chance.choice(_MIDDLES) + (chance.choice(_ENDS) if last else "")
            for last in (number == syllables - 1 for number in range(syllables))
        )
        found["".join(parts)] = None
    return list(found)
