"""How long until somebody decided what an item is and who acts on it."""

from datetime import datetime

from django.db.models.expressions import Combinable

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.base import Duration
from kpis.facts import first
from triage.models import Event


@definitions.register
class TimeToTriage(Duration):
    slug = "time-to-triage"
    name = marked("Time to triage")
    numerator = marked("items decided")
    denominator = marked("items received")
    definition = marked(
        "Half of the items were triaged, or merged into another, within this many hours of their arrival. Items that still"
        " wait count as waiting (Kaplan and Meier), so leaving them lie cannot improve the number."
    )
    position = 40
    is_headline = True

    def ended(self, *, as_of: datetime) -> Combinable:
        return first(Event.Type.TRIAGED, Event.Type.MERGED, as_of=as_of)
