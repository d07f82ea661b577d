"""How easy it was."""

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.means import Mean


@definitions.register
class CustomerEffort(Mean):
    slug = "ces"
    name = marked("Made it easy (1 to 7)")
    scale = "ces7"
    numerator = marked("answers 1 to 7")
    denominator = marked("answers 1 to 7")
    definition = marked(
        "The mean of the answers to “We made it easy for you”, 1 I disagree to 7 I agree (CES 2.0), of items received in the"
        " period. Student's interval. The older scale from 1 to 5 runs the other way and is never mixed in."
    )
    position = 32
