"""How much of the feedback that could be acted on led to a change."""

from datetime import datetime

from django.db.models import Q
from django.db.models.expressions import Combinable

from feedback_portal.marking import marked
from kpis import facts
from kpis.definitions import definitions
from kpis.definitions.base import RipeningShare


@definitions.register
class ActedOn(RipeningShare):
    slug = "acted-on"
    name = marked("Acted on")
    better = "higher"
    numerator = marked("items whose action has shipped")
    denominator = marked("actionable items")
    definition = marked(
        "Of the items received in the period that were triaged and are neither spam nor duplicates, those linked to an"
        " action that has shipped and was not withdrawn. Wilson's interval."
    )
    position = 60
    is_headline = True

    def counted(self, *, as_of: datetime) -> Q:
        return facts.is_actionable(as_of=as_of)

    def hit(self, *, as_of: datetime) -> Q:
        return facts.is_acted_on(as_of=as_of)

    def moments(self, *, as_of: datetime) -> tuple[Combinable, Combinable, Combinable]:
        return (
            facts.became_actionable(as_of=as_of),
            facts.became_acted_on(as_of=as_of),
            facts.became_duplicate(as_of=as_of),
        )
