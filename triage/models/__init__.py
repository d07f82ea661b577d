"""What was decided, and what each decision stood on."""

from triage.models.actions import Action, ActionEvent, ActionFile, ActionLink, ActionStep
from triage.models.analysis import Analysis, SearchText, Tagging
from triage.models.audits import Audit, AuditAnswer, AuditedItem
from triage.models.awaited import Awaited
from triage.models.board import Board, BoardPost, MeToo
from triage.models.bulk import BulkAct, BulkPart
from triage.models.effects import Expectation, Verdict
from triage.models.embeddings import Embedding
from triage.models.events import ChangedDay, Event
from triage.models.learning import Artefact, ModelVersion, Refinement, Training
from triage.models.notices import Notice, Preferences
from triage.models.notifications import Notification
from triage.models.patterns import Mention, Pattern
from triage.models.presence import Presence
from triage.models.priorities import Estimate, ThemeDecision, WeeklyNote, Weights
from triage.models.providers import Provider, ProviderAnswer, ProviderDay, Question
from triage.models.reevaluations import Reevaluation, ReevaluationBatch
from triage.models.rules import BackTest, Rule, RuleProposal, RuleVersion, ShadowMatch
from triage.models.saved_views import SavedView, Subscription
from triage.models.snippets import Snippet
from triage.models.targets import Target
from triage.models.tellings import Telling, TellingPart
from triage.models.themes import Regrouping, Theme, ThemeAction, ThemeEvent, ThemeMember
from triage.models.tickets import Ticket
from triage.models.topics import Topic
from triage.models.track_record import TrackRecord
from triage.models.trackers import CarriedComment, LinkedIssue, TrackerProject
from triage.models.webhooks import Announcement, AnnouncementTry, Subscriber
from triage.models.wordings import Gathering, LikelyDuplicate, NotTheSame, Wording

__all__ = [
    "Action",
    "ActionEvent",
    "ActionFile",
    "ActionLink",
    "ActionStep",
    "Analysis",
    "Announcement",
    "AnnouncementTry",
    "Artefact",
    "Audit",
    "AuditAnswer",
    "AuditedItem",
    "Awaited",
    "BackTest",
    "Board",
    "BoardPost",
    "BulkAct",
    "BulkPart",
    "CarriedComment",
    "ChangedDay",
    "Embedding",
    "Estimate",
    "Event",
    "Expectation",
    "Gathering",
    "LikelyDuplicate",
    "LinkedIssue",
    "MeToo",
    "Mention",
    "ModelVersion",
    "NotTheSame",
    "Notice",
    "Notification",
    "Pattern",
    "Preferences",
    "Presence",
    "Provider",
    "ProviderAnswer",
    "ProviderDay",
    "Question",
    "Reevaluation",
    "ReevaluationBatch",
    "Refinement",
    "Regrouping",
    "Rule",
    "RuleProposal",
    "RuleVersion",
    "SavedView",
    "SearchText",
    "ShadowMatch",
    "Snippet",
    "Subscriber",
    "Subscription",
    "Tagging",
    "Target",
    "Telling",
    "TellingPart",
    "Theme",
    "ThemeAction",
    "ThemeDecision",
    "ThemeEvent",
    "ThemeMember",
    "Ticket",
    "Topic",
    "TrackRecord",
    "TrackerProject",
    "Training",
    "Verdict",
    "WeeklyNote",
    "Weights",
    "Wording",
]
