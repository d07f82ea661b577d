"""What the organisation's own words say: the name, description and keywords of each topic, and what else customers call them.

Knows nothing but the taxonomy, so it works from the first item on. A text is compared with every topic that shares a
word, a pair of words or a concept of the thesaurus with it; rare words count more, and a topic inherits a little from
its branch, so that "gate" alone leads to flights rather than to cards.
"""

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from functools import cache
from math import copysign, exp, log, log1p, sqrt
from typing import Final, NamedTuple

from triage import lexicon
from triage.phrases import Phrases
from triage.taggers.base import Evidence, Taxonomy, Text, Topic
from triage.words import SENTENCE_ENDS, stem

MOST_EVIDENCE: Final = 5

# Weights of the places a word of a topic may stand in, of a concept against a word, and of the branch against the topic.
_NAME, _KEYWORD, _DESCRIPTION = 2.0, 1.5, 0.8
_CONCEPT = 0.6
_BRANCH = 0.8
_COMMON = 0.5
# How fast repeating a word stops adding (larger is slower), and how much long descriptions are held against a topic.
_SATURATION = 1.5
_LENGTH = 0.2
# Confidence, as log odds: the lead over the next topic as a share of the better score, the lead itself, and whether a
# keyword or the name was met and not the description alone. Fitted on labelled feedback of an airline, a bank, a software
# house and a voice assistant together, those that belong to no topic included.
_ODDS = -1.40
_ODDS_OF_SHARE, _ODDS_OF_LEAD, _ODDS_OF_NAMED = 1.37, 0.29, 0.35
_NAMED = _NAME * _CONCEPT


class Feature(NamedTuple):
    """A word, a pair of words or a concept of a text: how often it stands there, and at which words first."""

    times: int
    first: int
    last: int


class TopicIndex:
    """What each word says for which topics, derived once from a taxonomy."""

    def __init__(self, taxonomy: Taxonomy) -> None:
        self.topics: tuple[Topic, ...] = taxonomy.topics
        bags = [_bag(topic) for topic in self.topics]
        self._named = [{feature for feature, weight in bag.items() if weight >= _NAMED} for bag in bags]
        branches = defaultdict(list)
        for number, topic in enumerate(self.topics):
            branches[_branch(topic)].append(number)
        self._members = [members for members in branches.values() if len(members) > 1]
        self._weights = _weigh(bags)
        self._by_topic: dict[str, list[tuple[int, float]]] = {}
        for number, weights in enumerate(self._weights):
            for feature, weight in weights.items():
                self._by_topic.setdefault(feature, []).append((number, weight))
        self._pair_starts = {feature.partition(" ")[0] for feature in self._by_topic if " " in feature}
        spread = Counter(feature for bag in bags for feature in bag)
        self._by_branch: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for branch, members in enumerate(self._members):
            together: Counter[str] = Counter()
            for member in members:
                together.update(bags[member])
            for feature, weight in together.items():
                share = _BRANCH * weight * _rarity(spread[feature], len(bags)) / sqrt(len(members))
                self._by_branch[feature].append((branch, share))

    def features(self, text: Text) -> dict[str, Feature]:
        """What the text is compared by, as far as any topic knows it."""
        return _features(text, known=self._by_topic, pairs=self._pair_starts)

    def confidences(self, features: Mapping[str, Feature], *, most: int | None = None) -> list[tuple[int, float]]:
        """The topics (at `most` so many, by score) with the confidence in each, surest first."""
        scores = sorted(self.scores(features).items(), key=lambda one: (-one[1], one[0]))
        best, second = ([score for _, score in scores[:2]] + [0.0, 0.0])[:2]
        sure = []
        for position, (topic, score) in enumerate(scores[:most]):
            lead = score - (best if position else second)
            named = not self._named[topic].isdisjoint(features)
            odds = _ODDS + _ODDS_OF_SHARE * lead / best + _ODDS_OF_LEAD * copysign(log1p(abs(lead)), lead)
            sure.append((topic, 1 / (1 + exp(-odds - _ODDS_OF_NAMED * named))))
        return sorted(sure, key=lambda one: (-one[1], one[0]))

    def scores(self, features: Mapping[str, Feature]) -> dict[int, float]:
        """How much the features speak for each topic that has any of them."""
        scores: dict[int, float] = defaultdict(float)
        branches: dict[int, float] = defaultdict(float)
        for name, feature in features.items():
            often = _often(feature.times)
            for topic, weight in self._by_topic.get(name, ()):
                scores[topic] += weight * often
            for branch, weight in self._by_branch.get(name, ()):
                branches[branch] += weight * often
        for branch, score in branches.items():
            for topic in self._members[branch]:
                scores[topic] += score
        return scores

    def speaking(self, features: Mapping[str, Feature], topic: int) -> list[tuple[float, str, Feature]]:
        """The features that speak for one topic, strongest first."""
        weights = self._weights[topic]
        found = [
            (weights[name] * _often(feature.times), name, feature)
            for name, feature in features.items()
            if name in weights
        ]
        return sorted(found, key=lambda one: (-one[0], one[2].first, one[1]))


def evidence(text: Text, speaking: Iterable[tuple[float, str, Feature]]) -> Iterator[Evidence]:
    """The strongest wordings, none inside another."""
    taken: set[int] = set()
    for weight, _, feature in speaking:
        places = set(range(feature.first, feature.last))
        if not places & taken:
            taken |= places
            says = " ".join(text.words.folded[feature.first : feature.last])
            yield Evidence(says=says, weight=weight, span=text.span(feature.first, feature.last))
        if len(taken) >= 2 * MOST_EVIDENCE:
            return


def _features(
    text: Text, *, known: Container[str] | None = None, pairs: Container[str] | None = None
) -> dict[str, Feature]:
    """What a text is compared by; only what is `known`, and only pairs whose first word is in `pairs`, if these are given."""
    stems = text.stems
    silent = _silent()
    places: dict[str, tuple[int, int]] = {}
    times: dict[str, int] = defaultdict(int)
    last = len(stems) - 1
    for place, word in enumerate(stems):
        if (known is None or word in known) and word not in silent:
            times[word] += 1
            if word not in places:
                places[word] = (place, place + 1)
        if place < last and (pairs is None or word in pairs):
            after = stems[place + 1]
            pair = f"{word} {after}"
            if pair in known if known is not None else _is_telling(word, after):
                times[pair] += 1
                places.setdefault(pair, (place, place + 2))
    for hit in _thesaurus().longest(stems):
        for concept in hit.meanings:
            if known is None or concept in known:
                times[concept] += 1
                places.setdefault(concept, (hit.start, hit.end))
    return {name: Feature(count, *places[name]) for name, count in times.items()}


def _is_telling(word: str, after: str) -> bool:
    """Whether two neighbours make a pair: within a sentence, and "on hold" but not "of the"."""
    return not SENTENCE_ENDS & {word, after} and not {word, after} <= _silent()


def _bag(topic: Topic) -> dict[str, float]:
    """The features of a topic and the weight of the best place each stands in."""
    bag: dict[str, float] = {}
    places = [(_NAME, topic.name), (_DESCRIPTION, topic.description)]
    places += [(_KEYWORD, keyword) for keyword in topic.keywords]
    for weight, said in places:
        for feature in _features(Text(item_id=0, text=said)):
            least = weight * (
                _CONCEPT if feature.startswith(_CONCEPT_MARK) else _COMMON if feature in lexicon.listed("common") else 1
            )
            bag[feature] = max(bag.get(feature, 0.0), least)
    return bag


def _weigh(bags: Sequence[Mapping[str, float]]) -> list[dict[str, float]]:
    """What each feature says for each topic: more in a better place, when few topics have it, and in a short description."""
    spread = Counter(feature for bag in bags for feature in bag)
    lengths = [sqrt(sum(weight**2 for weight in bag.values())) for bag in bags]
    usual = sum(lengths) / len(lengths) if any(lengths) else 1.0
    return [
        {
            feature: weight * _rarity(spread[feature], len(bags)) / (1 - _LENGTH + _LENGTH * length / usual)
            for feature, weight in bag.items()
        }
        for bag, length in zip(bags, lengths, strict=True)
    ]


def _rarity(topics_with_it: int, topics: int) -> float:
    return log(1 + (topics - topics_with_it + 0.5) / (topics_with_it + 0.5))


def _often(count: int) -> float:
    return count * (1 + _SATURATION) / (count + _SATURATION)


def _branch(topic: Topic) -> str:
    return topic.parent or topic.slug.rpartition("/")[0] or topic.slug


_CONCEPT_MARK = "\u00a7"  # begins no word, so no word is taken for a concept


@cache
def _thesaurus() -> Phrases[str]:
    groups = [[said.strip() for said in line.split(",")] for line in lexicon.lines("thesaurus.txt")]
    return Phrases(((said, _CONCEPT_MARK + group[0]) for group in groups for said in group if said), key=stem)


@cache
def _silent() -> frozenset[str]:
    return lexicon.listed("silent") | SENTENCE_ENDS
