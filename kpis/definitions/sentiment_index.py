"""Whether people write well or badly of us."""

from collections import Counter
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis import statistics
from kpis.charts.units import written
from kpis.definitions import definitions
from kpis.definitions.base import Kpi, Side
from kpis.facts import PLACE, Place
from kpis.figures import NO_COMPARISON, Change, Figure, Parts, judged
from kpis.statistics.scores import Answers

MOST_UNCLEAR = 0.1
_POSITIVE, _NEUTRAL, _NEGATIVE = (Q(analysis__sentiment=value) for value in ("pos", "neu", "neg"))


@definitions.register
class SentimentIndex(Kpi):
    slug = "sentiment"
    name = marked("Sentiment")
    unit = marked("points")
    decimals = 0
    better = "higher"
    numerator = marked("items that sound positive")
    denominator = marked("items whose sentiment is clear")
    definition = marked(
        "The share of items that sound positive minus the share that sound negative, times 100, of the items with words whose"
        " sentiment the portal could tell. Where it could not tell of more than one in ten, there is no number. The interval"
        " is 1.96 standard errors of the difference."
    )
    position = 36

    def voices(self, items: QuerySet[FeedbackItem]) -> QuerySet[FeedbackItem]:
        return items.exclude(text="")

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = (
            items.order_by()
            .values_list(*PLACE)
            .annotate(
                n=Count("pk"),
                positive=Count("pk", filter=_POSITIVE),
                neutral=Count("pk", filter=_NEUTRAL),
                negative=Count("pk", filter=_NEGATIVE),
            )
        )
        return {
            Place(*place): Counter(
                positive=positive, neutral=neutral, negative=negative, unclear=n - positive - neutral - negative
            )
            for *place, n, positive, neutral, negative in rows
        }

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        answers, unclear = _answers(parts), parts.get("unclear", 0)
        score = statistics.nps(**answers)
        n, positive = score["n"], answers["promoters"]
        if n + unclear == 0:
            return Figure(None, None, None, 0, 0, note=gettext("No items with words in this period."), parts=parts)
        if unclear > MOST_UNCLEAR * (n + unclear):
            slots = {"unclear": written(unclear), "items": written(n + unclear)}
            note = gettext("Not clear for %(unclear)s of %(items)s items: too many for a number.") % slots
            return Figure(None, None, None, positive, n, note=note, parts=parts)
        return Figure(score["nps"], score["low"], score["high"], positive, n, parts=parts)

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        if now.value is None or before.value is None:
            return NO_COMPARISON
        moved = statistics.nps_difference(_answers(now.parts), _answers(before.parts))
        verdict = judged(moved["low"], moved["high"], none=0, better=self.better)
        return Change(verdict, moved["difference"], moved["low"], moved["high"])

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return items.filter(_POSITIVE if side == "numerator" else _POSITIVE | _NEUTRAL | _NEGATIVE)


def _answers(parts: Parts) -> Answers:
    return {
        "promoters": parts.get("positive", 0),
        "passives": parts.get("neutral", 0),
        "detractors": parts.get("negative", 0),
    }
