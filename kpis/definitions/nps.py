"""How many would recommend us, less those who would not."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count, Exists, F, OuterRef, Q, QuerySet

from intake.models import FeedbackItem
from kpis import statistics
from kpis.definitions import definitions
from kpis.definitions.base import Day, Figure, Kpi, Side, total
from kpis.facts import Slice

_PROMOTERS = Q(rating_value__gte=9)
_DETRACTORS = Q(rating_value__lte=6)


@definitions.register
class NetPromoterScore(Kpi):
    slug = "nps"
    name = "Net promoter score"
    unit = "points"
    decimals = 0
    better = "higher"
    numerator = "promoters, who answered 9 or 10"
    denominator = "answers 0 to 10, the latest of each customer"
    definition = (
        "The share of answers 9 and 10 minus the share of answers 0 to 6, times 100; of each customer only the latest answer in"
        " the period. The interval is 1.96 standard errors of the difference; below 30 answers it is built from Wilson's."
    )
    # A customer who answered on two days is one answer of the week, so days do not add up.
    adds_up = False
    position = 20

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime, zone: ZoneInfo) -> dict[Slice, Counter[str]]:
        rows = (
            self._answers(items)
            .order_by()
            .values(team=F("team_id"), by=F("channel_id"))
            .annotate(
                n=Count("pk"), promoters=Count("pk", filter=_PROMOTERS), detractors=Count("pk", filter=_DETRACTORS)
            )
        )
        return {
            Slice(row["team"], row["by"]): Counter(
                promoters=row["promoters"],
                passives=row["n"] - row["promoters"] - row["detractors"],
                detractors=row["detractors"],
            )
            for row in rows
        }

    def figure(self, days: Sequence[Day], *, as_of: datetime, zone: ZoneInfo) -> Figure:
        parts = total(days)
        score = statistics.nps(parts["promoters"], parts["passives"], parts["detractors"])
        note = "" if score["n"] else "No answers in this period."
        return Figure(
            score["nps"], score["low"], score["high"], parts["promoters"], score["n"], note=note, extra=dict(parts)
        )

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        answers = self._answers(items)
        return answers.filter(_PROMOTERS) if side == "numerator" else answers

    @staticmethod
    def _answers(items: QuerySet[FeedbackItem]) -> QuerySet[FeedbackItem]:
        """The latest answer of each customer among these items; whoever is unknown stands for themselves."""
        answers = items.filter(rating_scale="nps")
        later = answers.filter(customer=OuterRef("customer")).filter(
            Q(received_at__gt=OuterRef("received_at")) | Q(received_at=OuterRef("received_at"), pk__gt=OuterRef("pk"))
        )
        return answers.filter(Q(customer=None) | ~Exists(later))
