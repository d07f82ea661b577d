"""One synthetic item after the other: what was said, what it is about, and what became of it, as one row each."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from random import Random
from typing import NamedTuple

from kpis.synthetic.ground import Ground, TopicPlace
from kpis.synthetic.vocabulary import Vocabulary
from triage.lifecycle import Resolution, Status

OPEN_SHARE = 0.1
_WORDS = (55, 125)
_BY_WEEKDAY = (1.2, 1.15, 1.1, 1.05, 1.0, 0.6, 0.5)
_BY_HOUR = (1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 10, 9, 8, 9, 9, 9, 8, 8, 9, 10, 9, 7, 4, 2)
_STATUSES_OPEN = ((Status.NEW, 50), (Status.OPEN, 30), (Status.WAITING, 10), (Status.SNOOZED, 10))
_OUTCOMES = (
    (Resolution.ANSWERED, 52),
    (Resolution.SHIPPED, 14),
    (Resolution.DECLINED, 11),
    (Resolution.DUPLICATE, 15),
    (Resolution.NOT_REPRODUCIBLE, 5),
    (Resolution.SPAM, 3),
)
_LANGUAGES = (("en", 70), ("de", 12), ("fr", 8), ("sv", 6), ("es", 4))
_SENTIMENTS = (("neg", 50), ("neu", 18), ("pos", 27), ("none", 5))
_URGENCIES = ((1, 70), (0, 15), (2, 13), (3, 2))
# Middle and spread of two lognormal delays in hours: until the first decision, and from there to the outcome.
_DECIDE, _RESOLVE = (1.4, 1.2), (3.9, 1.3)


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
    has_note: bool
    has_reply: bool
    was_reopened: bool
    is_closed: bool
    received_at: datetime
    decided_at: datetime | None
    ended_at: datetime | None
    snoozed_until: datetime | None


@dataclass(frozen=True)
class _Fate:
    status: str
    resolution: str = ""
    duplicate_of_n: int | None = None


def draw(ground: Ground, *, items: int, days: int, seed: str, at: datetime, words: Vocabulary) -> Iterator[Drawn]:
    """So many rows in the order of their arrival, over the days before `at`; the same seed draws the same."""
    chance = Random(f"items {seed}")
    arrivals = _arrivals(items, days, at, chance)
    fates = _fates(arrivals, at, chance)
    channels, topics = list(ground.channels), list(ground.topics)
    # Some topics are spoken of far more than others, and some customers are far louder.
    weights = [1 / (rank + 1) for rank in range(len(topics))]
    for n, (received_at, fate) in enumerate(zip(arrivals, fates, strict=True), start=1):
        topic, second = chance.choices(topics, weights, k=2)
        channel = chance.choice(channels)
        sentiment = _pick(chance, _SENTIMENTS)
        yield Drawn(
            n=n,
            channel_id=channel,
            customer_id=_customer(ground, chance),
            title=words.text(chance, words=chance.randint(3, 8)).rstrip("."),
            body=words.text(chance, words=chance.randint(*_WORDS), telling=_telling(topic, chance)),
            **_rated(ground.channels[channel], sentiment, chance),
            language=_pick(chance, _LANGUAGES),
            sentiment=sentiment,
            urgency=_pick(chance, _URGENCIES),
            topic_id=topic.pk,
            second_topic_id=second.pk if second.pk != topic.pk and chance.random() < 0.3 else None,
            confidence=round(chance.betavariate(5, 2), 4),
            proposed_team_id=topic.team,
            **_worked(ground, topic, chance),
            status=fate.status,
            resolution=fate.resolution,
            duplicate_of_n=fate.duplicate_of_n,
            has_note=chance.random() < 0.15,
            has_reply=chance.random() < 0.4,
            was_reopened=fate.resolution == Resolution.ANSWERED and chance.random() < 0.06,
            is_closed=fate.status == Status.CLOSED,
            received_at=received_at,
            **_times(fate, received_at, at, chance),
        )
