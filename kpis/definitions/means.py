"""Answers on a scale of a few whole numbers: how many gave which, and their mean."""

from collections import Counter
from datetime import datetime
from math import sqrt
from typing import ClassVar

from django.db.models import Count, F, QuerySet
from django.utils.translation import gettext, ngettext

from intake.models import FeedbackItem
from kpis import statistics
from kpis.charts.units import written
from kpis.definitions.base import Kpi, Side
from kpis.facts import PLACE, Place
from kpis.figures import NO_COMPARISON, Change, Figure, Parts, judged


class Mean(Kpi):
    """The mean answer with Student's interval, and the answers themselves, since a mean hides two camps.

    The parts are `a<answer>`, so many who answered that.
    """

    scale: ClassVar[str]
    fewest: ClassVar[int] = 2
    """Below so many answers there is no mean, only the answers."""
    unit = "of"
    decimals = 2
    better = "higher"

    def voices(self, items: QuerySet[FeedbackItem]) -> QuerySet[FeedbackItem]:
        return items.filter(rating_scale=self.scale)

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = items.order_by().values_list(*PLACE, F("rating_value")).annotate(n=Count("pk"))
        found: dict[Place, Counter[str]] = {}
        for *place, answer, n in rows:
            found.setdefault(Place(*place), Counter())[f"a{answer:.0f}"] += n
        return found

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        n, mean, deviation = _moments(parts)
        if n < self.fewest or mean is None:
            few = ngettext("%(count)s answer: too few for a mean.", "%(count)s answers: too few for a mean.", n)
            note = few % {"count": written(n)} if n else gettext("No answers in this period.")
            return Figure(None, None, None, n, n, note=note, parts=parts)
        likely = statistics.mean_ci(n, mean, deviation)
        return Figure(mean, likely["low"], likely["high"], n, n, parts=parts)

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        (n, mean, sd), (m, past, past_sd) = _moments(now.parts), _moments(before.parts)
        if now.value is None or before.value is None or mean is None or past is None:
            return NO_COMPARISON
        moved = statistics.mean_difference((n, mean, sd), (m, past, past_sd))
        verdict = judged(moved["low"], moved["high"], none=0, better=self.better)
        return Change(verdict, moved["difference"], moved["low"], moved["high"])

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return items


def _moments(parts: Parts) -> tuple[int, float | None, float]:
    """How many, their mean, and their sample standard deviation."""
    n = sum(parts.values())
    if n == 0:
        return 0, None, 0.0
    mean = sum(int(name[1:]) * times for name, times in parts.items()) / n
    squares = sum((int(name[1:]) - mean) ** 2 * times for name, times in parts.items())
    return n, mean, sqrt(squares / (n - 1)) if n > 1 else 0.0
