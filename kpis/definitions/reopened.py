"""How much of what was resolved came back."""

from datetime import datetime, timedelta

from django.db.models import Case, DateTimeField, ExpressionWrapper, F, Q, QuerySet, Value, When

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis.definitions import definitions
from kpis.definitions.maturing import MaturingShare
from kpis.facts import first, is_duplicate, since
from triage.models import Event

WINDOW = timedelta(days=30)


@definitions.register
class Reopened(MaturingShare):
    slug = "reopened"
    name = marked("Reopened within 30 days")
    better = "lower"
    numerator = marked("items reopened within 30 days")
    denominator = marked("items first resolved 30 days ago or earlier")
    definition = marked(
        "Of the items received in the period that were first resolved at least 30 days ago and are no duplicates, those that were"
        " reopened within 30 days of that. Wilson's interval. Read it beside the time to resolution: closing early shows here."
    )
    position = 55

    def matured(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return (
            items.exclude(is_duplicate(as_of=as_of))
            .annotate(done_at=first(Event.Type.RESOLVED, as_of=as_of))
            .annotate(
                back_at=since("done_at", Event.Type.REOPENED, as_of=as_of),
                counts_at=ExpressionWrapper(F("done_at") + WINDOW, output_field=DateTimeField()),
            )
            .annotate(is_hit=Case(When(Q(back_at__lte=F("counts_at")), then=Value(True)), default=Value(False)))
        )
