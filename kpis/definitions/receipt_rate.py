"""Whether people are told at once that their words arrived."""

from datetime import datetime, timedelta

from django.db.models import Q

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.base import Share
from kpis.facts import happened_within
from triage.models import Event

WITHIN = timedelta(minutes=5)


@definitions.register
class ReceiptRate(Share):
    slug = "receipt-rate"
    name = marked("Receipt within 5 minutes")
    better = "higher"
    numerator = marked("items whose receipt went out within 5 minutes")
    denominator = marked("items whose customer may be written to")
    definition = marked(
        "Of the items received in the period whose customer left an address and agreed to be written to, those for which the"
        " automatic receipt went out within 5 minutes. Wilson's interval."
    )
    position = 37

    def counted(self, *, as_of: datetime) -> Q:
        return Q(may_contact=True)

    def hit(self, *, as_of: datetime) -> Q:
        return happened_within(WITHIN, Event.Type.RECEIPT, as_of=as_of)
