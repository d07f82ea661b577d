"""What happens at Halden in half a year: which themes rise and fall, and who says what, where and when.

The seal of batch H4-2231 leaks since four weeks; a better carton halves the damage on arrival since ten; a new steam tip helps;
a steadier pairing helped until version 4.3 of the app lost it again; a quieter burr set makes no difference to what is said; a card
about descaling brings more people to the step at which the guide ends; how willing people are to recommend Halden does not move.
"""

import math
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from random import Random
from typing import Final, NamedTuple

from kpis.demo import customers
from kpis.demo.customers import Customer
from kpis.demo.voices import Voices, Words

WEEKS: Final = 26
BAD_BATCH: Final = "H4-2231"
NEW_CARTON, NEW_TIP, NEW_APP, NEW_BURRS, NEW_CARD = 10, 13, 12, 9, 11
"""How many weeks ago each of these reached customers."""
PAIRING_LOST = 1.4
"""Since so many weeks the app has its old fault again, with version 4.3."""


class Mood(StrEnum):
    BAD = "bad"
    IDEA = "idea"
    GOOD = "good"
    NOISE = "noise"


@dataclass(frozen=True)
class Theme:
    """`words` names its fragments; `weekly` is how many come in a usual week, or how many came so many weeks ago."""

    words: str
    topic: str
    team: str
    mood: Mood
    weekly: float | Callable[[float], float]
    channels: Mapping[str, int]

    def rate(self, weeks_ago: float) -> float:
        return self.weekly(weeks_ago) if callable(self.weekly) else self.weekly


@dataclass(frozen=True)
class Said:
    """One thing somebody says: what the channel is given, and what a reader of it would know."""

    at: datetime
    channel: str
    theme: Theme
    customer: Customer | None
    words: Words
    language: str
    rating: tuple[str, int] | None = None
    product: str = ""
    version: str = ""
    facts: Mapping[str, str] | None = None
    said_at: datetime | None = None  # where it came to us later than it was said
    is_cast: bool = False

    @property
    def is_score_only(self) -> bool:
        return not self.words.text


def _seal(weeks: float) -> float:
    return next((rate for since, rate in ((1, 33.0), (2, 24.0), (3, 13.0), (4, 6.0)) if weeks < since), 3.0)


def _damage(weeks: float) -> float:
    return 10.0 if weeks > NEW_CARTON else 4.2


def _thanks_for_carton(weeks: float) -> float:
    return 0.6 if weeks > NEW_CARTON else 2.6


def _steam(weeks: float) -> float:
    return 6.0 if weeks > NEW_TIP else 1.4


def _thanks_for_tip(weeks: float) -> float:
    return 0.0 if weeks > NEW_TIP else 4.2 - 0.15 * (NEW_TIP - weeks)


def _pairing(weeks: float) -> float:
    return 8.5 if weeks > NEW_APP else 2.4 if weeks > PAIRING_LOST else 14.0


def _descaling(weeks: float) -> float:
    return 3.8 if weeks > NEW_CARD else 9.4


def _crashes(weeks: float) -> float:
    return 5.5 if NEW_APP - 2 < weeks < NEW_APP else 2.0


_ANYWHERE = {"web-form": 45, "support-desk": 42, "stores": 13}
_DESK = {"support-desk": 70, "web-form": 30}
_APP = {"app-store": 75, "support-desk": 15, "web-form": 10}
_COUNTER = {"stores": 40, "web-form": 45, "support-desk": 15}
BAD, IDEA, GOOD = Mood.BAD, Mood.IDEA, Mood.GOOD
THEMES: Final[Mapping[str, Theme]] = {
    theme.words: theme
    for theme in (
        Theme("seal-leak", "seal-leak", "quality", BAD, _seal, _ANYWHERE),
        Theme("overheating", "overheating", "quality", BAD, 0.3, _DESK),
        Theme("grinder", "grinder", "purchasing", BAD, 4.4, _ANYWHERE),
        Theme("steam-bad", "steam-wand", "product-design", BAD, _steam, _ANYWHERE),
        Theme("steam-praise", "", "product-design", GOOD, _thanks_for_tip, _ANYWHERE),
        Theme("brew-temperature", "brew-temperature", "quality", BAD, 3.0, _ANYWHERE),
        Theme("no-power", "no-power", "assembly", BAD, 2.8, _DESK),
        Theme("delivery-damage", "delivery-damage", "logistics", BAD, _damage, _DESK),
        Theme("delivery-good", "", "logistics", GOOD, _thanks_for_carton, _ANYWHERE),
        Theme("missing-part", "missing-part", "logistics", BAD, 4.4, _DESK),
        Theme("late-delivery", "late-delivery", "logistics", BAD, 3.6, _DESK),
        Theme("app-pairing", "app-pairing", "app", BAD, _pairing, _APP),
        Theme("app-crash", "app-crash", "app", BAD, _crashes, _APP),
        Theme("descale-reminder", "descale-reminder", "app", IDEA, 2.6, {"app-store": 50, "web-form": 50}),
        Theme("descaling", "descaling", "repair", BAD, _descaling, _ANYWHERE),
        Theme("spare-parts", "spare-parts", "purchasing", BAD, 2.4, _COUNTER),
        Theme("billing", "billing", "repair", BAD, 3.4, {"support-desk": 85, "web-form": 15}),
        Theme("refund", "refund", "repair", BAD, 1.8, _DESK),
        Theme("web-shop", "web-shop", "shop", BAD, 2.6, {"web-form": 60, "support-desk": 40}),
        Theme("manual", "manual", "product-design", BAD, 1.8, _COUNTER),
        Theme("wish", "wish", "product-design", IDEA, 4.0, _COUNTER),
        Theme("praise", "", "triage-desk", GOOD, 4.6, {"web-form": 40, "stores": 30, "app-store": 30}),
        Theme("spam", "", "triage-desk", Mood.NOISE, 0.9, {"web-form": 100}),
        # Asked for by surveys, so these come as often as surveys go out.
        Theme("repair-good", "repair-service", "repair", GOOD, 0, {}),
        Theme("repair-bad", "repair-service", "repair", BAD, 0, {}),
        Theme("score", "", "surveys", Mood.NOISE, 0, {}),
    )
}

REPAIRS_A_WEEK, RECOMMENDATIONS_A_WEEK = 9.5, 15.0


class Opinion(NamedTuple):
    """Of 25 people asked, so many answer with one of these scores, and some of them say why."""

    of_25: int
    scores: Sequence[int]
    wordy: float
    themes: Sequence[str]


# Promoters, passives and detractors: a score of 36.
_OPINIONS: Sequence[Opinion] = (
    Opinion(13, (9, 9, 10, 10, 10), 0.3, ("praise", "praise", "repair-good", "delivery-good")),
    Opinion(8, (7, 8, 8), 0.4, ("wish", "descale-reminder", "grinder", "manual")),
    Opinion(
        4, (2, 3, 4, 5, 6, 6), 0.65, ("late-delivery", "app-pairing", "spare-parts", "billing", "brew-temperature")
    ),
)
_SATISFIED = {Mood.BAD: (1, 1, 2, 2, 3), Mood.IDEA: (3, 4, 4, 5), Mood.GOOD: (4, 5, 5, 5), Mood.NOISE: (3, 4, 5)}
# Who is content chooses a face more readily than who has something to explain.
_RATES = {Mood.BAD: 0.35, Mood.IDEA: 0.6, Mood.GOOD: 0.95, Mood.NOISE: 0.0}
_PRODUCTS = {"H4": 60, "H2": 18, "H6 Pro": 22}
_BY_WEEKDAY = (1.25, 1.15, 1.05, 1.0, 0.95, 0.8, 0.8)
_BY_HOUR = (1, 0, 0, 0, 0, 1, 3, 7, 10, 10, 9, 8, 8, 7, 7, 7, 7, 8, 9, 10, 10, 8, 5, 3)
_PACE = 0.85  # of the rates above, so that half a year is somewhat over two thousand items
_SWING = 0.16  # more machines are sold, and so more is said, in winter


class Teller:
    """Draws the whole half year, ending at `now`; `scale` makes it shorter on words, not in time, but for the themes in `whole`."""

    def __init__(self, chance: Random, *, now: datetime, scale: float = 1.0, whole: Collection[str] = ()) -> None:
        self._chance, self._now, self._scale, self._whole = chance, now, scale, whole
        self._voices = Voices(chance)
        self._people = customers.everybody(chance)
        self._to_ask: list[Customer] = []
        self._deck: list[Opinion] = []

    def tell(self) -> list[Said]:
        """Everything, in the order in which it arrives."""
        return sorted((self._delivered(said) for said in self._everything()), key=lambda said: said.at)

    def _everything(self) -> Iterator[Said]:
        for day in range(7 * WEEKS, -1, -1):
            midnight = (self._now - timedelta(days=day)).replace(hour=0, minute=0, second=0, microsecond=0)
            every = _PACE * _BY_WEEKDAY[midnight.weekday()] / 7
            usual = every * self._scale
            season = 1 + _SWING * math.cos(2 * math.pi * (midnight.timetuple().tm_yday / 365.25))
            for theme in THEMES.values():
                # What rises and falls for a reason of its own follows no season.
                expected = theme.rate(day / 7) * (1 if callable(theme.weekly) else season)
                for moment in self._moments(midnight, expected * (every if theme.words in self._whole else usual)):
                    yield self._volunteered(theme, moment)
            for moment in self._moments(midnight, usual * RECOMMENDATIONS_A_WEEK):
                yield self._recommendation(moment)
            for moment in self._moments(midnight, usual * REPAIRS_A_WEEK):
                yield self._after_repair(moment)

    def _moments(self, midnight: datetime, expected: float) -> list[datetime]:
        """As many as chance has it (Poisson), at the hours people write, none in the future."""
        left, count = self._chance.random(), 0
        term = total = math.exp(-expected)
        while left > total:
            count += 1
            term *= expected / count
            total += term
        hours = self._chance.choices(range(24), _BY_HOUR, k=count)
        found = [midnight + timedelta(hours=hour, seconds=self._chance.randrange(3600)) for hour in hours]
        return [moment for moment in found if moment < self._now - timedelta(minutes=4)]

    def _volunteered(self, theme: Theme, at: datetime) -> Said:
        chance = self._chance
        channel = chance.choices(list(theme.channels), list(theme.channels.values()))[0]
        customer = self._somebody(theme)
        facts = self._facts(theme, at)
        rating: tuple[str, int] | None = None
        if channel == "app-store":
            rating = ("stars5", chance.choice(_SATISFIED[theme.mood]))
        elif channel == "web-form" and chance.random() < _RATES[theme.mood]:
            rating = ("csat5", chance.choice(_SATISFIED[theme.mood]))
        words = self._voices.write(customer.writer, theme.words, facts=facts, titled=channel != "web-form")
        is_known = theme.mood != Mood.NOISE and (channel == "support-desk" or chance.random() < 0.6)
        return Said(
            at,
            channel,
            theme,
            customer if is_known else None,
            words,
            customer.writer.language,
            rating,
            product=self._product(theme),
            version=self._app_version(at) if channel == "app-store" else "",
            facts=facts if channel == "support-desk" else {},
        )

    def _recommendation(self, at: datetime) -> Said:
        chance = self._chance
        opinion = self._next_of_the_deck()
        theme = THEMES[chance.choice(opinion.themes)]
        return self._answered("recommend", theme, ("nps", chance.choice(opinion.scores)), opinion.wordy, at)

    def _next_of_the_deck(self) -> Opinion:
        """Dealt from a shuffled deck, so that chance alone cannot move the score for long."""
        if not self._deck:
            self._deck = [opinion for opinion in _OPINIONS for _ in range(opinion.of_25)]
            self._chance.shuffle(self._deck)
        return self._deck.pop()

    def _after_repair(self, at: datetime) -> Said:
        chance = self._chance
        is_good = chance.random() < 0.87
        theme = THEMES["repair-good" if is_good else "repair-bad"]
        return self._answered(
            "after-repair", theme, ("csat5", chance.choice(_SATISFIED[theme.mood])), 0.55 if is_good else 0.85, at
        )

    def _answered(self, channel: str, theme: Theme, rating: tuple[str, int], wordy: float, at: datetime) -> Said:
        """Many answer a survey with the number alone. Nobody is asked again before everybody was."""
        if not self._to_ask:
            self._to_ask = [one for people in self._people.values() for one in people]
            self._chance.shuffle(self._to_ask)
        customer = self._to_ask.pop()
        language = customer.writer.language if self._voices.speaks(customer.writer.language, theme.words) else "en"
        if self._chance.random() < wordy:
            words = self._voices.write(customer.writer, theme.words, facts={}, titled=False)
        else:
            theme, words = THEMES["score"], Words("", "")
        return Said(at, channel, theme, customer, words, language, rating, facts={})

    def _delivered(self, said: Said) -> Said:
        """Reviews come to us with Monday's export, and with one more this morning."""
        if said.channel != "app-store":
            return said
        monday = said.at.replace(hour=7, minute=12, second=0) + timedelta(days=7 - said.at.weekday())
        latest = max(said.at, self._now - timedelta(hours=3))
        return replace(said, at=min(monday, latest), said_at=said.at)

    def _somebody(self, theme: Theme) -> Customer:
        language = self._chance.choices(list(customers.SHARES), list(customers.SHARES.values()))[0]
        speaks = self._voices.speaks(language, theme.words)
        return customers.pick(self._people[language if speaks else "en"], self._chance)

    def _facts(self, theme: Theme, at: datetime) -> dict[str, str]:
        facts = {"order": f"O-{self._chance.randrange(410_000, 489_999)}"}
        weeks_ago = (self._now - at) / timedelta(weeks=1)
        if theme.words == "seal-leak":
            is_bad = self._chance.random() < (0.85 if weeks_ago < 4 else 0.04)
            facts["batch"] = BAD_BATCH if is_bad else f"H4-{2180 + round(26 - weeks_ago) + self._chance.randint(0, 20)}"
        return facts

    def _product(self, theme: Theme) -> str:
        if theme.words == "seal-leak":
            return "H4"
        return self._chance.choices(list(_PRODUCTS), list(_PRODUCTS.values()))[0]

    def _app_version(self, at: datetime) -> str:
        weeks_ago = (self._now - at) / timedelta(weeks=1)
        return "4.1" if weeks_ago > NEW_APP else "4.2" if weeks_ago > PAIRING_LOST else "4.3"
