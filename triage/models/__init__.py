"""What was decided, and what each decision stood on."""

from triage.models.actions import Action, ActionLink
from triage.models.analysis import Analysis, SearchText, Tagging
from triage.models.embeddings import Embedding
from triage.models.events import ChangedDay, Event
from triage.models.learning import Artefact, ModelVersion, Refinement, Training
from triage.models.notifications import Notification
from triage.models.patterns import Mention, Pattern
from triage.models.targets import Target
from triage.models.tickets import Ticket
from triage.models.topics import Rule, Topic

__all__ = [
    "Action",
    "ActionLink",
    "Analysis",
    "Artefact",
    "ChangedDay",
    "Embedding",
    "Event",
    "Mention",
    "ModelVersion",
    "Notification",
    "Pattern",
    "Refinement",
    "Rule",
    "SearchText",
    "Tagging",
    "Target",
    "Ticket",
    "Topic",
    "Training",
]
