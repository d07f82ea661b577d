"""How long until a person answered."""

from datetime import datetime

from django.db.models.expressions import Combinable

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.base import Duration
from kpis.facts import first
from triage.models import Event


@definitions.register
class TimeToAcknowledge(Duration):
    slug = "time-to-acknowledge"
    name = marked("Time to answer")
    numerator = marked("items a person answered")
    denominator = marked("items received")
    definition = marked(
        "Half of the items had an answer by a person within this many hours of their arrival. The automatic receipt never counts"
        " as an answer, and items without one count as waiting (Kaplan and Meier)."
    )
    position = 38

    def ended(self, *, as_of: datetime) -> Combinable:
        return first(Event.Type.REPLY, as_of=as_of)
