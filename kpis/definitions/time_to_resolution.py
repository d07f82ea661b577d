"""How long until an item was resolved and stayed so."""

from datetime import datetime

from django.db.models.expressions import Combinable

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.base import Duration
from kpis.facts import stays_resolved


@definitions.register
class TimeToResolution(Duration):
    slug = "time-to-resolution"
    name = marked("Time to resolution")
    numerator = marked("items resolved")
    denominator = marked("items received")
    definition = marked(
        "Half of the items were resolved within this many hours of their arrival, and not reopened since. Open items count as"
        " open (Kaplan and Meier)."
    )
    position = 50
    is_headline = True

    def ended(self, *, as_of: datetime) -> Combinable:
        return stays_resolved(as_of=as_of)
