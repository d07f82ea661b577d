"""Whether people hear what came of their words."""

from datetime import datetime, timedelta

from django.db.models import Case, F, Q, QuerySet, Value, When
from django.db.models.functions import Coalesce

from feedback_portal.marking import marked
from intake.models import FeedbackItem
from kpis.definitions import definitions
from kpis.definitions.maturing import MaturingShare
from kpis.facts import since, stays_resolved
from triage.models import Event

GRACE = timedelta(days=7)


@definitions.register
class LoopClosed(MaturingShare):
    slug = "loop-closed"
    name = marked("Told the outcome")
    better = "higher"
    numerator = marked("items whose customer was told the outcome")
    denominator = marked("resolved items whose customer may be written to")
    definition = marked(
        "Of the items received in the period that are resolved and whose customer may be written to, those whose customer was"
        " told after the last resolution. Whoever is not told yet has seven days of grace, and is pending until then and in"
        " neither number. Wilson's interval."
    )
    position = 70

    def matured(self, items: QuerySet[FeedbackItem], *, as_of: datetime) -> QuerySet[FeedbackItem]:
        return (
            items.filter(may_contact=True)
            .annotate(done_at=stays_resolved(as_of=as_of))
            .annotate(told_at=since("done_at", Event.Type.CUSTOMER_TOLD, as_of=as_of))
            .annotate(
                counts_at=Coalesce("told_at", F("done_at") + GRACE),
                is_hit=Case(When(Q(told_at__isnull=False), then=Value(True)), default=Value(False)),
            )
        )
