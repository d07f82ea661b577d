"""How long until somebody began to do something about it."""

from datetime import datetime

from django.db.models import Q
from django.db.models.expressions import Combinable

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.base import Duration
from kpis.facts import first, is_actionable, stays_resolved
from triage.models import Event


@definitions.register
class TimeToFirstAction(Duration):
    slug = "time-to-first-action"
    name = marked("Time to first action")
    numerator = marked("actionable items somebody acted on")
    denominator = marked("actionable items")
    definition = marked(
        "Half of the actionable items were linked to an action, or work on them was begun, within this many hours of their"
        " arrival. Items that were resolved without either stop waiting then; the others count as waiting (Kaplan and Meier)."
    )
    position = 45

    def counted(self, *, as_of: datetime) -> Q:
        return is_actionable(as_of=as_of)

    def ended(self, *, as_of: datetime) -> Combinable:
        return first(Event.Type.ACTION_LINKED, Event.Type.WORK_STARTED, as_of=as_of)

    def stopped(self, *, as_of: datetime) -> Combinable:
        return stays_resolved(as_of=as_of)
