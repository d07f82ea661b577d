"""How many stars people give."""

from feedback_portal.marking import marked
from kpis.definitions import definitions
from kpis.definitions.means import Mean


@definitions.register
class Stars(Mean):
    slug = "stars"
    name = marked("Stars (1 to 5)")
    scale = "stars5"
    fewest = 30
    numerator = marked("ratings of 1 to 5 stars")
    denominator = marked("ratings of 1 to 5 stars")
    definition = marked(
        "The mean number of stars of items received in the period, with Student's interval. Below 30 ratings there is no mean,"
        " only how many gave how many; and a mean hides two camps, so look at those in any case."
    )
    position = 34
