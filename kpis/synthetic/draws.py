"""One synthetic item after the other: what was said, what it is about, and what became of it, as one row each."""

import heapq
import itertools
from bisect import bisect
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from random import Random
from typing import Generic, NamedTuple, Self, TypeVar

from kpis.synthetic.ground import Ground, TopicPlace
from kpis.synthetic.vocabulary import Vocabulary
from triage.lifecycle import Resolution, Status

T = TypeVar("T")


class Shares(Generic[T]):
    """Values, each with its weight."""

    def __init__(self, weights: Mapping[T, int]) -> None:
        self._values, self._cumulated = list(weights), list(itertools.accumulate(weights.values()))

    def pick(self, chance: Random) -> T:
        return self._values[bisect(self._cumulated, chance.random() * self._cumulated[-1])]


OPEN_SHARE = 0.1
SLICE = 10_000
_SHORTEST, _RANGE = 55, 80
_BY_WEEKDAY = (1.2, 1.15, 1.1, 1.05, 1.0, 0.6, 0.5)
_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 8, 9, 9, 9, 8, 8, 9, 10, 9, 7, 4, 2)
# Of ten that are open; dealt out, not drawn, so that a few hundred items have every kind as well.
_OPEN = (Status.NEW,) * 5 + (Status.OPEN,) * 3 + (Status.WAITING, Status.SNOOZED)
_OUTCOMES = Shares(
    {
        Resolution.ANSWERED: 52,
        Resolution.SHIPPED: 14,
        Resolution.DECLINED: 11,
        Resolution.DUPLICATE: 15,
        Resolution.NOT_REPRODUCIBLE: 5,
        Resolution.SPAM: 3,
    }
)
_LANGUAGES = Shares({"en": 70, "de": 12, "fr": 8, "sv": 6, "es": 4})
_SENTIMENTS = Shares({"neg": 50, "neu": 18, "pos": 27, "none": 5})
_URGENCIES = Shares({1: 70, 0: 15, 2: 13, 3: 2})
_STAR_ENDS = {"csat5": (1, 5), "stars5": (1, 5), "nps": (0, 10)}
# The middle in hours and the spread of two lognormal delays: until the first decision, and from there to the outcome.
_TO_DECIDE, _TO_END = (4.0, 1.2), (50.0, 1.3)
_CLOSED_AFTER = timedelta(days=28)


class Drawn(NamedTuple):
    """A row of the staging table, in the order of its columns."""

    n: int
    channel_id: int
    customer_id: int | None
    title: str
    body: str
    scale: str
    rating: int | None
    language: str
    sentiment: str
    urgency: int
    topic_id: int
    second_topic_id: int | None
    confidence: float
    proposed_team_id: int
    team_id: int
    person_id: int
    status: str
    resolution: str
    duplicate_of_n: int | None
    action_id: int | None
    is_assigned: bool
    has_note: bool
    has_reply: bool
    was_reopened: bool
    received_at: datetime
    decided_at: datetime | None
    ended_at: datetime | None
    snoozed_until: datetime | None


@dataclass(frozen=True)
class Plan:
    """When so many items arrive and which of them are still open: what must be known of all before one can be drawn.

    Items are drawn in slices, each by itself and with a chance of its own, so slices may be drawn side by side.
    """

    seed: str
    at: datetime
    arrivals: Sequence[datetime]
    still_open: Mapping[int, Status]

    @classmethod
    def make(cls, *, items: int, days: int, seed: str, at: datetime) -> Self:
        chance = Random(f"plan {seed}")
        arrivals = _arrivals(items, days, at, chance)
        return cls(seed, at, arrivals, _still_open(arrivals, at, chance))

    @property
    def slices(self) -> list[range]:
        return [range(first, min(first + SLICE, len(self.arrivals))) for first in range(0, len(self.arrivals), SLICE)]


def draw(plan: Plan, numbers: range, *, ground: Ground) -> Iterator[Drawn]:
    """The rows of one slice, in the order of their arrival; the same plan and ground give the same rows."""
    chance = Random(f"items {plan.seed} {numbers.start}")
    words = _vocabulary(plan.seed)
    channels, teams = list(ground.channels), list(ground.people)
    # Some topics are spoken of far more than others.
    weights = [1 / (rank + 1) for rank in range(len(ground.topics))]
    originals: list[int] = []
    for n in numbers:
        received_at = plan.arrivals[n]
        status, resolution = _fate(n, plan, chance, may_repeat=bool(originals))
        if not (is_duplicate := resolution == Resolution.DUPLICATE):
            originals.append(n)
        topic, second = chance.choices(ground.topics, weights, k=2)
        channel = chance.choice(channels)
        sentiment = _SENTIMENTS.pick(chance)
        scale, rating = _rated(ground.channels[channel], sentiment, chance)
        # One in eight is sent elsewhere by whoever decides.
        team = topic.team if status == Status.NEW or chance.random() < 0.88 else chance.choice(teams)
        decided_at, ended_at = _times(status, resolution, received_at, plan.at, chance)
        action = None
        if resolution == Resolution.SHIPPED:
            action = next((one for one in ground.shipped[team] if decided_at and one.at > decided_at), None)
            # It ends when its action has shipped.
            ended_at = action.at + (plan.at - action.at) * 0.02 if action else ended_at
        yield Drawn(
            n=n,
            channel_id=channel,
            customer_id=_customer(ground, chance),
            title=words.text(chance, words=3 + int(6 * chance.random()))[:-1],
            body=words.text(chance, words=_SHORTEST + int(_RANGE * chance.random()), telling=_telling(topic, chance)),
            scale=scale,
            rating=rating,
            language=_LANGUAGES.pick(chance),
            sentiment=sentiment,
            urgency=_URGENCIES.pick(chance),
            topic_id=topic.pk,
            second_topic_id=second.pk if second.pk != topic.pk and chance.random() < 0.3 else None,
            confidence=round(chance.betavariate(5, 2), 4),
            proposed_team_id=topic.team,
            team_id=team,
            person_id=chance.choice(ground.people[team]),
            status=status,
            resolution=resolution,
            duplicate_of_n=chance.choice(originals[-500:]) if is_duplicate else None,
            action_id=action.pk if action else None,
            is_assigned=decided_at is not None and not is_duplicate and chance.random() < 0.6,
            has_note=chance.random() < 0.15,
            has_reply=chance.random() < 0.4,
            was_reopened=resolution == Resolution.ANSWERED and chance.random() < 0.06,
            received_at=received_at,
            decided_at=decided_at,
            ended_at=ended_at,
            snoozed_until=plan.at + timedelta(hours=200 * chance.random()) if status == Status.SNOOZED else None,
        )


def _arrivals(items: int, days: int, at: datetime, chance: Random) -> list[datetime]:
    """Moments with the rhythm of the week and of the day, none after `at`."""
    hours = [at - timedelta(hours=back) for back in range(24 * days, 0, -1)]
    weights = [_BY_WEEKDAY[hour.weekday()] * _BY_HOUR[hour.hour] for hour in hours]
    return sorted(hour + timedelta(seconds=3600 * chance.random()) for hour in chance.choices(hours, weights, k=items))


def _still_open(arrivals: Sequence[datetime], at: datetime, chance: Random) -> dict[int, Status]:
    """Exactly the open share and in what way each is open; the younger an item the likelier it is one of those."""
    span = (at - arrivals[0]) / 6
    # Sampling without replacement by weight (Efraimidis and Spirakis 2006): the largest log(u) / weight win.
    keys = [(-chance.expovariate(1) * 2 ** ((at - moment) / span), n) for n, moment in enumerate(arrivals)]
    chosen = [n for _, n in heapq.nlargest(round(OPEN_SHARE * len(arrivals)), keys)]
    chance.shuffle(chosen)
    return dict(zip(chosen, itertools.cycle(_OPEN), strict=False))


def _fate(n: int, plan: Plan, chance: Random, *, may_repeat: bool) -> tuple[Status, str]:
    if n in plan.still_open:
        return plan.still_open[n], ""
    is_old = plan.arrivals[n] < plan.at - _CLOSED_AFTER
    status = Status.CLOSED if is_old and chance.random() < 0.7 else Status.RESOLVED
    resolution = _OUTCOMES.pick(chance)
    return status, resolution if may_repeat or resolution != Resolution.DUPLICATE else Resolution.ANSWERED


def _times(
    status: Status, resolution: str, received_at: datetime, at: datetime, chance: Random
) -> tuple[datetime | None, datetime | None]:
    """When it was first decided and when it ended, both before `at`; a duplicate ends by being decided."""
    if status == Status.NEW:
        return None, None
    decided_at = _later(received_at, at, _TO_DECIDE, chance)
    if resolution == Resolution.DUPLICATE:
        return decided_at, decided_at
    return decided_at, _later(decided_at, at, _TO_END, chance) if resolution else None


def _later(moment: datetime, latest: datetime, delay: tuple[float, float], chance: Random) -> datetime:
    middle, spread = delay
    wanted = timedelta(hours=middle * chance.lognormvariate(0, spread))
    return min(moment + wanted, moment + (latest - moment) * chance.uniform(0.1, 0.9))


def _rated(scale: str, sentiment: str, chance: Random) -> tuple[str, int | None]:
    if not scale or chance.random() < 0.15:
        return "", None
    low, high = _STAR_ENDS[scale]
    middle = {"neg": 0.15, "pos": 0.95}.get(sentiment, 0.6)
    return scale, low + round((high - low) * min(1.0, max(0.0, chance.gauss(middle, 0.2))))


def _customer(ground: Ground, chance: Random) -> int | None:
    """One in five is unknown; of the others a few are far louder than the rest."""
    if chance.random() < 0.2:
        return None
    return ground.customers[int(len(ground.customers) * chance.random() ** 2)]


def _telling(topic: TopicPlace, chance: Random) -> list[str]:
    return chance.choices(topic.keywords, k=chance.randint(1, 4))


@cache
def _vocabulary(seed: str) -> Vocabulary:
    """Made once a process."""
    return Vocabulary(seed)
