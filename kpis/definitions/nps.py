"""How many would recommend us, less those who would not."""

from collections import Counter
from datetime import datetime

from django.db.models import Count, Q, QuerySet
from django.utils.translation import gettext

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis import statistics
from kpis.definitions import definitions
from kpis.definitions.base import Kpi, Side
from kpis.facts import PLACE, Place
from kpis.figures import NO_COMPARISON, Change, Figure, Parts, judged
from kpis.statistics.scores import Answers

_PROMOTERS = Q(rating_value__gte=9)
_DETRACTORS = Q(rating_value__lte=6)


@definitions.register
class NetPromoterScore(Kpi):
    slug = "nps"
    name = marked("Net promoter score")
    unit = marked("points")
    decimals = 0
    better = "higher"
    numerator = marked("promoters, who answered 9 or 10")
    denominator = marked("answers 0 to 10, the latest of each customer")
    definition = marked(
        "The share of answers 9 and 10 minus the share of answers 0 to 6, times 100; of each customer only the latest answer in"
        " the period counts, where that answer went. The interval is 1.96 standard errors of the difference; below 30 answers it is built from Wilson's."
    )
    # A customer who answered on two days is one answer of the week, so days do not add up.
    adds_up = False
    position = 20
    is_headline = True

    def voices(self, items: QuerySet[FeedbackItem]) -> QuerySet[FeedbackItem]:
        """The latest answer of each customer; whoever is unknown stands for themselves."""
        answers = items.filter(rating_scale="nps")
        known = answers.filter(customer__isnull=False)
        latest = known.order_by("customer", "-received_at", "-pk").distinct("customer")
        return answers.filter(Q(customer=None) | Q(pk__in=latest.values("pk")))

    def count(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> dict[Place, Counter[str]]:
        rows = (
            items.order_by()
            .values_list(*PLACE)
            .annotate(
                n=Count("pk"), promoters=Count("pk", filter=_PROMOTERS), detractors=Count("pk", filter=_DETRACTORS)
            )
        )
        return {
            Place(*place): Counter(promoters=promoters, passives=n - promoters - detractors, detractors=detractors)
            for *place, n, promoters, detractors in rows
        }

    def figure(self, parts: Parts, *, as_of: datetime) -> Figure:
        answers = _answers(parts)
        score = statistics.nps(**answers)
        note = "" if score["n"] else gettext("No answers in this period.")
        return Figure(
            score["nps"], score["low"], score["high"], answers["promoters"], score["n"], note=note, parts=parts
        )

    def change(self, now: Figure, before: Figure, *, days: tuple[float, float]) -> Change:
        # Below so many answers the standard errors that add up in squares say too little.
        if min(now.denominator, before.denominator) < statistics.scores.SMALL:
            return NO_COMPARISON
        moved = statistics.nps_difference(_answers(now.parts), _answers(before.parts))
        verdict = judged(moved["low"], moved["high"], none=0, better=self.better)
        return Change(verdict, moved["difference"], moved["low"], moved["high"])

    def select(self, items: QuerySet[FeedbackItem], side: Side, *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return items.filter(_PROMOTERS) if side == "numerator" else items


def _answers(parts: Parts) -> Answers:
    return {
        "promoters": parts.get("promoters", 0),
        "passives": parts.get("passives", 0),
        "detractors": parts.get("detractors", 0),
    }
