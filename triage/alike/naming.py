"""What a group is called until a person names it: the words that are used more in it than elsewhere."""

from collections import Counter
from collections.abc import Sequence
from typing import Final

import numpy as np

from triage.alike.wording import shown, telling

MOST: Final = 8
SPEAKERS: Final = 3
"""A word must stand in so many texts of the group, so that no single person's words become its name."""
# The pull towards what everybody says: the prior weighs as much as the group itself, but no more than this many words.
_MOST_PRIOR = 500.0


def distinguishing(texts: Sequence[str], others: Sequence[str], *, most: int = MOST) -> list[str]:
    """Words of `texts` by their log odds against `others`, in standard deviations, under an informative Dirichlet prior (Monroe,
    Colaresi and Quinn 2008); as they stand in the texts."""
    here, there = _said(texts), _said(others)
    speakers = Counter(word for text in texts for word in set(telling(text)) if word)
    total = here + there
    whole, inside, outside = sum(total.values()), sum(here.values()), sum(there.values())
    if not inside:
        return []
    pull = min(_MOST_PRIOR, inside)
    scored = []
    for word, times in here.items():
        if speakers[word] < min(SPEAKERS, len(texts)) or len(word) < 3 or word.isdecimal():
            continue
        prior = pull * total[word] / whole
        mine = np.log((times + prior) / (inside + pull - times - prior))
        theirs = np.log((there[word] + prior) / (outside + pull - there[word] - prior))
        scored.append(((mine - theirs) / np.sqrt(1 / (times + prior) + 1 / (there[word] + prior)), word))
    best = [word for score, word in sorted(scored, key=lambda one: (-one[0], one[1])) if score > 1][:most]
    if not best:  # nothing else was said that it could be told from
        best = [word for _, word in sorted((-speakers[word], word) for _, word in scored)][:most]
    forms: dict[str, Counter[str]] = {word: Counter() for word in best}
    for text in texts:
        for root, word in shown(text).items():
            if root in forms:
                forms[root][word] += 1
    return [min(forms[word].items(), key=lambda one: (-one[1], one[0]))[0] for word in best if forms[word]]


def name_of(words: Sequence[str]) -> str:
    """A proposed name: the three words that tell it best."""
    return ", ".join(words[:3])


def _said(texts: Sequence[str]) -> Counter[str]:
    return Counter(word for text in texts for word in telling(text) if word)
