"""Which team a text should go to: the taxonomy has a team for each topic, the labels are teams."""

from triage.evaluation.base import tasks
from triage.evaluation.topic import Learned
from triage.taggers import Taxonomy


@tasks.register
class Route(Learned):
    slug = "route"
    label = "team"
    field = "team"

    def known(self, taxonomy: Taxonomy) -> set[str]:
        return {topic.team for topic in taxonomy.topics} - {""}
