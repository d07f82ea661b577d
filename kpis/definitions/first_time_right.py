"""Whether an item lay with the right team from the start."""

from datetime import datetime

from django.db.models import Q

from feedback_portal.marking import marked
from kpis import facts
from kpis.definitions import definitions
from kpis.definitions.base import Share


@definitions.register
class FirstTimeRight(Share):
    slug = "first-time-right"
    name = marked("Right team at once")
    better = "higher"
    numerator = marked("items nobody sent to another team")
    denominator = marked("items a person decided about")
    definition = marked(
        "Of the items received in the period that a person has decided about and that are no duplicates, those that no person sent"
        " to another team than the portal had put them with; passing on what one's own part of is done, or what one has no time"
        " for, does not count against it. Wilson's interval."
    )
    position = 64

    def counted(self, *, as_of: datetime) -> Q:
        return facts.is_decided(as_of=as_of)

    def hit(self, *, as_of: datetime) -> Q:
        return ~facts.was_moved(as_of=as_of)
