"""Better rules and keywords, found in what people decided: pure, from examples to findings.

What looks right in many examples looks so by chance in some, so a change is found in one half of the examples and measured
in the other; only what it does there is told.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import sqrt
from typing import Final

from triage import lexicon
from triage.words import SENTENCE_ENDS, stem, words

LEAST_SUPPORT: Final = 4
"""Examples in each half that must speak for a change."""
LEAST_SURE: Final = 0.6
"""The lower end of the interval of how often people decided so."""
LEAST_GAIN: Final = 3
MOST_FOUND: Final = 10
MOST_WORDS: Final = 200
_MOST_CANDIDATES: Final = 2_000
_Z: Final = 1.959964  # 95% two-sided

Feature = tuple[str, str]
"""A word or two in a row, as stems, and the topic beside it, or ""."""


@dataclass(frozen=True)
class Example:
    """One item that people decided on. `placed` is the team it would get now, `decided` the team people gave it; `given` the
    topics that taggers put on it, `added` and `removed` those that people did."""

    item: int
    words: frozenset[str]
    topics: frozenset[str]
    placed: str
    decided: str
    given: frozenset[str] = frozenset()
    added: frozenset[str] = frozenset()
    removed: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Effect:
    """Measured on the other half: how often people decided so where it would hold, with a 95% interval, how many wrong ones
    it sets right and how many right ones it sets wrong, and who would move."""

    right: int
    decided: int
    fixes: int
    breaks: int
    moves: Mapping[tuple[str, str], int]

    @property
    def interval(self) -> tuple[float, float]:
        return interval(self.right, self.decided)


@dataclass(frozen=True)
class NewRule:
    """Text that says `word` (and has `topic`, if one is named) goes to `team`."""

    word: str
    topic: str
    team: str
    effect: Effect


@dataclass(frozen=True)
class Keyword:
    """`word` speaks for `topic` (`is_addition`), or one of its keywords does not."""

    word: str
    topic: str
    is_addition: bool
    effect: Effect


def features(text: str) -> dict[str, str]:
    """The words of a text and its pairs of neighbours that tell something, as stems, each with how it is written there."""
    cut = words(text).folded[:MOST_WORDS]
    silent = _silent()
    found: dict[str, str] = {}
    before, before_stem = "", ""
    for word in cut:
        this = "" if word in SENTENCE_ENDS else stem(word)
        if this and this not in silent and len(this) > 2 and not this.isdecimal():
            found.setdefault(this, word)
        if this and before_stem and not (this in silent or before_stem in silent):
            found.setdefault(f"{before_stem} {this}", f"{before} {word}")
        before, before_stem = word, this
    return found


def new_rules(examples: Sequence[Example]) -> list[NewRule]:
    """Words that lead people to one team where the portal chose another, largest gain first, none for the items of another."""
    seen, kept = _halves(examples)
    wrong = [one for one in seen if one.placed != one.decided]
    counted: Counter[tuple[Feature, str]] = Counter()
    for one in wrong:
        for feature in _with_topics(one):
            counted[feature, one.decided] += 1
    candidates = [pair for pair, count in counted.most_common(_MOST_CANDIDATES) if count >= LEAST_SUPPORT]
    before = _by_feature(seen, {feature for feature, _ in candidates})
    after = _by_feature(kept, {feature for feature, _ in candidates})
    scored = []
    for feature, team in candidates:
        found = _moved(before[feature], team)
        if found.fixes - found.breaks >= LEAST_GAIN and found.interval[0] >= LEAST_SURE:
            scored.append((found.fixes - found.breaks, not feature[1], feature, team))
    result: list[NewRule] = []
    taken: set[int] = set()
    for _, _, feature, team in sorted(scored, key=lambda one: (-one[0], not one[1], one[2], one[3])):
        mine = {one.item for one in before[feature] if one.placed != team and one.decided == team}
        effect = _moved(after[feature], team)
        if len(mine - taken) < LEAST_GAIN or not _is_good(effect):
            continue
        taken |= mine
        result.append(NewRule(feature[0], feature[1], team, effect))
        if len(result) == MOST_FOUND:
            break
    return result


def keywords(examples: Sequence[Example], known: Mapping[str, Iterable[str]]) -> list[Keyword]:
    """Words that speak for a topic which people had to put on, and keywords (of `known`, by topic) that led to topics people
    took off."""
    seen, kept = _halves(examples)
    has = {topic: {_stems(word): word for word in said} for topic, said in known.items()}
    counted = Counter((word, topic) for one in seen for topic in one.added - one.given for word in one.words)
    wanted = [pair for pair, count in counted.most_common(_MOST_CANDIDATES) if count >= LEAST_SUPPORT]
    wanted = [(word, topic) for word, topic in wanted if topic in has and word not in has[topic]]
    before = _by_word(seen, {word for word, _ in wanted})
    after = _by_word(kept, {word for word, _ in wanted} | {word for said in has.values() for word in said})
    result = []
    best: dict[str, int] = {}
    for word, topic in sorted(wanted, key=lambda pair: (-counted[pair], pair)):
        effect = _added(after[word], topic)
        if best.get(topic, 0) < 2 and _is_good(_added(before[word], topic)) and _is_good(effect):
            best[topic] = best.get(topic, 0) + 1
            result.append(Keyword(word, topic, True, effect))
    for topic, said in has.items():
        for stems, word in said.items():
            effect = _taken_off(after.get(stems, []), topic)
            if _is_good(effect):
                result.append(Keyword(word, topic, False, effect))
    return sorted(result, key=lambda one: (one.effect.breaks - one.effect.fixes, one.topic, one.word))[:MOST_FOUND]


def better_bound(
    pairs: Sequence[tuple[int, float, int]], *, holds: Callable[[float, float], bool], now: float
) -> tuple[float, int, int] | None:
    """A bound that agrees more often with people than `now` does: (bound, fixes, breaks) on the other half. Each of `pairs` is
    an item, its number, and what it is worth to be taken in: 1 set right, -1 set wrong, 0 neither."""
    seen = [(value, worth) for item, value, worth in pairs if item % 2 == 0]
    kept = [(value, worth) for item, value, worth in pairs if item % 2]
    bounds = sorted({value for value, _ in seen})[:200]
    if not bounds:
        return None

    def gain(bound: float, some: Sequence[tuple[float, int]]) -> int:
        return sum(worth for value, worth in some if holds(value, bound))

    best = max(bounds, key=lambda bound: (gain(bound, seen), -abs(bound - now)))
    if best == now or gain(best, seen) - gain(now, seen) < LEAST_GAIN:
        return None
    changed = [(holds(value, best) - holds(value, now)) * worth for value, worth in kept]
    fixes, breaks = sum(one > 0 for one in changed), sum(one < 0 for one in changed)
    return (best, fixes, breaks) if fixes - breaks >= LEAST_GAIN else None


def interval(right: int, n: int) -> tuple[float, float]:
    """The 95% score interval of a share (Wilson 1927, J Am Stat Assoc 22:209-212); of nothing, anything."""
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = (share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
    reach = _Z / (1 + _Z**2 / n) * sqrt(share * (1 - share) / n + _Z**2 / (4 * n * n))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def _halves(examples: Sequence[Example]) -> tuple[list[Example], list[Example]]:
    """By the number of the item, so that an example stays in its half when the portal looks again."""
    return [one for one in examples if one.item % 2 == 0], [one for one in examples if one.item % 2]


def _with_topics(one: Example) -> Iterator[Feature]:
    for word in one.words:
        yield word, ""
        for topic in one.topics:
            yield word, topic


def _by_feature(examples: Sequence[Example], wanted: set[Feature]) -> dict[Feature, list[Example]]:
    found: dict[Feature, list[Example]] = {feature: [] for feature in wanted}
    for one in examples:
        for feature in _with_topics(one):
            if feature in found:
                found[feature].append(one)
    return found


def _by_word(examples: Sequence[Example], wanted: set[str]) -> dict[str, list[Example]]:
    found: dict[str, list[Example]] = {word: [] for word in wanted}
    for one in examples:
        for word in one.words:
            if word in found:
                found[word].append(one)
    return found


def _moved(some: Sequence[Example], team: str) -> Effect:
    moves: defaultdict[tuple[str, str], int] = defaultdict(int)
    for one in some:
        if one.placed != team:
            moves[one.placed, team] += 1
    return Effect(
        right=sum(one.decided == team for one in some),
        decided=len(some),
        fixes=sum(one.decided == team != one.placed for one in some),
        breaks=sum(one.placed == one.decided != team for one in some),
        moves=dict(moves),
    )


def _added(some: Sequence[Example], topic: str) -> Effect:
    has = [topic in (one.given | one.added) - one.removed for one in some]
    return Effect(
        right=sum(has),
        decided=len(some),
        fixes=sum(topic in one.added - one.given for one in some),
        breaks=sum(not right and topic not in one.given for right, one in zip(has, some, strict=True)),
        moves={},
    )


def _taken_off(some: Sequence[Example], topic: str) -> Effect:
    given = [one for one in some if topic in one.given]
    off = sum(topic in one.removed for one in given)
    return Effect(right=off, decided=len(given), fixes=off, breaks=len(given) - off, moves={})


def _is_good(effect: Effect) -> bool:
    enough = effect.right >= LEAST_SUPPORT and effect.fixes - effect.breaks >= LEAST_GAIN
    return enough and effect.interval[0] >= LEAST_SURE


def _stems(said: str) -> str:
    return " ".join(stem(word) for word in words(said).folded if word not in SENTENCE_ENDS)


def _silent() -> frozenset[str]:
    return lexicon.listed("silent") | lexicon.listed("common")
