"""How much came in."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from zoneinfo import ZoneInfo

from django.db.models import Count, F, QuerySet

from intake.models import FeedbackItem
from kpis import statistics
from kpis.definitions import definitions
from kpis.definitions.base import Day, Figure, Kpi, Side, total
from kpis.facts import Slice


@definitions.register
class ItemsReceived(Kpi):
    slug = "items-received"
    name = "Items received"
    unit = "items"
    decimals = 0
    numerator = "items received"
    denominator = "items received"
    definition = (
        "Feedback items that arrived in the period, by the day they arrived, without spam and test data. The interval says how"
        " far a count like this moves by chance alone (Garwood)."
    )
    position = 10

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime, zone: ZoneInfo) -> dict[Slice, Counter[str]]:
        rows = items.order_by().values(team=F("team_id"), by=F("channel_id")).annotate(n=Count("pk"))
        return {Slice(row["team"], row["by"]): Counter(items=row["n"]) for row in rows}

    def figure(self, days: Sequence[Day], *, as_of: datetime, zone: ZoneInfo) -> Figure:
        n = total(days)["items"]
        likely = statistics.poisson_ci(n)
        return Figure(n, likely["low"], likely["high"], n, n)

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return items
