"""How often people keep what the portal proposes."""

from datetime import datetime

from django.db.models import Q

from feedback_portal.marking import marked
from kpis import facts
from kpis.definitions import definitions
from kpis.definitions.base import Share


@definitions.register
class ProposalsKept(Share):
    slug = "proposals-kept"
    name = marked("Proposals kept")
    better = "higher"
    numerator = marked("items decided as proposed")
    denominator = marked("items with a proposal that a person decided about")
    definition = marked(
        "Of the items received in the period for which a rule or the model proposed a team and a person decided, those decided"
        " as proposed. What went to the catch-all team for want of a proposal is left out. Wilson's interval."
    )
    position = 66

    def counted(self, *, as_of: datetime) -> Q:
        return facts.was_proposed(as_of=as_of)

    def hit(self, *, as_of: datetime) -> Q:
        return facts.was_kept(as_of=as_of)
