"""Whether the first decision came before it was due."""

from datetime import datetime

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Least

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis.definitions import definitions
from kpis.definitions.maturing import MaturingShare
from kpis.facts import first, first_due
from triage.models import Event


@definitions.register
class DecidedInTime(MaturingShare):
    slug = "decided-in-time"
    name = marked("Decided in time")
    better = "higher"
    numerator = marked("items decided before they were due")
    denominator = marked("items decided, or due")
    definition = marked(
        "Of the items received in the period that were triaged or merged, or whose deadline has passed, those decided by their"
        " deadline. What is neither decided nor due yet is pending and in neither number. Wilson's interval."
    )
    position = 42

    def matured(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return items.annotate(
            decided_at=first(Event.Type.TRIAGED, Event.Type.MERGED, as_of=as_of), due_at=first_due(as_of=as_of)
        ).annotate(
            counts_at=Least("decided_at", "due_at"),
            is_hit=Case(When(Q(decided_at__lte=F("due_at")), then=Value(True)), default=Value(False)),
        )
