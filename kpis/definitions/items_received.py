"""How much came in."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Count, QuerySet

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis import statistics
from kpis.definitions import definitions
from kpis.definitions.base import Kpi, Side
from kpis.facts import PLACE, Place
from kpis.figures import NO_COMPARISON, Change, Figure, Limits, Parts, judged


@definitions.register
class ItemsReceived(Kpi):
    slug = "items-received"
    name = marked("Items received")
    unit = marked("items")
    decimals = 0
    numerator = marked("items received")
    denominator = marked("items received")
    definition = marked(
        "Feedback items that arrived in the period, by the day they arrived, without spam and test data. The interval says how"
        " far a count like this moves by chance alone (Garwood)."
    )
    position = 10
    is_headline = True

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = items.order_by().values_list(*PLACE).annotate(n=Count("pk"))
        return {Place(*place): Counter(items=n) for *place, n in rows}

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        n = parts.get("items", 0)
        likely = statistics.poisson_ci(n)
        return Figure(n, likely["low"], likely["high"], n, n, parts=parts)

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        if not before.numerator:
            return NO_COMPARISON
        moved = statistics.rate_ratio_exact(now.numerator, days[0], before.numerator, days[1])
        verdict = judged(moved["low"], moved["high"], none=1, better=self.better)
        return Change(verdict, now.numerator - before.numerator, moved["low"], moved["high"], ratio=moved["ratio"])

    def limits(self, figures: Sequence[Figure], *, settled: int | None = None) -> Limits:
        # Weeks vary by more than chance alone; Laney's limits are as wide as they do.
        chart = statistics.laney_u([figure.numerator for figure in figures], [1.0] * len(figures), baseline=settled)
        outside = frozenset(place - 1 for place in chart["outside"])
        return Limits(chart["centre"], chart["lower"], chart["upper"], outside)

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return items
