"""Who is not heard: how the share of those who speak compares with the share of those who buy, and scores weighed accordingly."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from django.db.models import Count, F, Q
from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.models import Customer
from kpis import recording, statistics
from kpis.charts import WHOLE_PERCENT, written
from kpis.definitions import definitions
from kpis.facts import within
from kpis.questions import Question
from kpis.words import Grouped, between

FEWEST: Final = 30
MOST: Final = 20
UNKNOWN: Final = marked("Not known")
# What a customer has, and what an item shows of whoever said it.
DIMENSIONS: Final[Mapping[str, tuple[str, str]]] = {
    "segment": ("account__segment", "customer__account__segment"),
    "language": ("language", "customer__language"),
}


@dataclass(frozen=True)
class Voice:
    """One group: its share of the customers, its share of those who spoke, and whether the difference is more than chance."""

    name: str
    customers: int
    speakers: int
    share: float
    spoken: float
    low: float
    high: float
    verdict: str

    is_heard_less: bool = False

    @property
    def interval(self) -> str:
        return between(written(100 * self.low), WHOLE_PERCENT.write(self.high))

    @property
    def ratio(self) -> float | None:
        return self.spoken / self.share if self.share else None


@dataclass(frozen=True)
class Panel(Grouped):
    customers: int
    speakers: int
    voices: Sequence[Voice]


@dataclass(frozen=True)
class Weight:
    """One group of answers: what one of them weighs is its group's share of the customers over its share of the answers."""

    name: str
    answers: int
    satisfied: int
    of_answers: float
    of_customers: float

    @property
    def weight(self) -> float:
        return self.of_customers / self.of_answers


@dataclass(frozen=True)
class Reweighted(Grouped):
    """A share of satisfied answers as it is, and as it would be had each group answered as often as it is large."""

    raw: float
    adjusted: float
    low: float
    high: float
    n: int
    groups: int
    weights: Sequence[Weight]
    effective: float
    """How many answers of equal weight would tell as much."""

    @property
    def interval(self) -> str:
        return between(written(100 * self.low), WHOLE_PERCENT.write(self.high))


def panels(question: Question) -> list[Panel]:
    """For segments and languages: who is there, and who of them said anything in the period."""
    items = within(
        recording.voices(definitions.get("items-received"), question.period, question.as_of, question.slice),
        question.slice,
    )
    told = []
    for by, (of_customer, of_item) in DIMENSIONS.items():
        known = Customer.objects.filter(erased_at=None)
        population = _counter(known.values_list(F(of_customer)).annotate(n=Count("pk")))
        speakers = _counter(
            items.filter(customer__isnull=False)
            .order_by()
            .values_list(F(of_item))
            .annotate(n=Count("customer", distinct=True))
        )
        told.append(_panel(by, population, speakers))
    return told


def reweighted(question: Question) -> list[Reweighted]:
    """Satisfaction by direct standardisation to the customers' mix; only over groups that answered at all."""
    kpi = definitions.get("csat")
    items = within(recording.voices(kpi, question.period, question.as_of, question.slice), question.slice)
    answers = items.filter(rating_scale="csat5", customer__isnull=False).order_by()
    found = []
    for by, (of_customer, of_item) in DIMENSIONS.items():
        population = _counter(
            Customer.objects.filter(erased_at=None).values_list(F(of_customer)).annotate(n=Count("pk"))
        )
        rows = {
            str(name or UNKNOWN): (hits, n)
            for name, hits, n in answers.values_list(F(of_item)).annotate(
                hits=Count("pk", filter=Q(rating_value__gte=4)), n=Count("pk")
            )
        }
        names = sorted(name for name in rows if population[name])
        n = sum(rows[name][1] for name in names)
        if n < FEWEST or len(names) < 2:
            continue
        told = statistics.direct_standardised_rate(
            [rows[name][0] for name in names],
            [rows[name][1] for name in names],
            [population[name] for name in names],
        )
        if told["adjusted"] is not None and told["crude"] is not None:
            low, high = told["low"] or 0.0, min(1.0, told["high"] or 1.0)
            weights = _weights(names, rows, population)
            effective = statistics.effective_size([(each.weight, each.answers) for each in weights])
            found.append(
                Reweighted(by, told["crude"], told["adjusted"], low, high, n, len(names), weights, effective or 0.0)
            )
    return found


def _weights(names: Sequence[str], rows: Mapping[str, tuple[int, int]], population: Mapping[str, int]) -> list[Weight]:
    answers, customers = sum(rows[name][1] for name in names), sum(population[name] for name in names)
    return [
        Weight(name, n, hits, n / answers, population[name] / customers)
        for name, (hits, n) in ((name, rows[name]) for name in names)
    ]


def _panel(by: str, population: Counter[str], speakers: Counter[str]) -> Panel:
    everybody, heard = population.total(), speakers.total()
    voices = []
    for name, n in population.most_common(MOST):
        share = n / everybody
        likely = statistics.wilson(min(speakers[name], heard), heard)
        low, high = likely["low"] or 0.0, likely["high"] if likely["high"] is not None else 1.0
        verdict, is_heard_less = gettext("Too few to say"), False
        if heard >= FEWEST:
            is_heard_less = high < share
            verdict = gettext("As to be expected")
            if is_heard_less or low > share:
                verdict = gettext("Heard less") if is_heard_less else gettext("Heard more")
        told = gettext(name) if name == UNKNOWN else name
        spoken = speakers[name] / heard if heard else 0.0
        voices.append(Voice(told, n, speakers[name], share, spoken, low, high, verdict, is_heard_less))
    return Panel(by, everybody, heard, voices)


def _counter(rows: object) -> Counter[str]:
    found: Counter[str] = Counter()
    for name, n in rows:  # type: ignore[attr-defined]
        found[str(name or UNKNOWN)] += n
    return found
