"""How many are satisfied."""

from datetime import datetime

from django.db.models import Q

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.base import Share


@definitions.register
class Csat(Share):
    slug = "csat"
    name = marked("Satisfied (4 or 5 of 5)")
    better = "higher"
    numerator = marked("answers 4 and 5")
    denominator = marked("answers 1 to 5")
    definition = marked(
        "Answers 4 and 5 among all answers on the five-point satisfaction scale, of items received in the period. Wilson's"
        " interval. Answers on other scales are other KPIs."
    )
    position = 30
    is_headline = True

    def counted(self, *, as_of: datetime) -> Q:
        return Q(rating_scale="csat5")

    def hit(self, *, as_of: datetime) -> Q:
        return Q(rating_value__gte=4)
