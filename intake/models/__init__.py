"""What was said, by whom and through which channel."""

from intake.models.arrivals import Delivery, ForgedCalls, Poll
from intake.models.channels import Allowance, Channel, Form, FormVersion, SpentProof
from intake.models.customers import Account, AccountIdentity, Customer, Exposure, Identity, Ownership
from intake.models.data_requests import DataRequest
from intake.models.feedback import Arrival, Attachment, FeedbackItem
from intake.models.imports import Import, ImportNotice, RelationFile, RelationNotice
from intake.models.places import Place
from intake.models.sessions import Participant, Session
from intake.models.submissions import Revision, Submission

__all__ = [
    "Account",
    "AccountIdentity",
    "Allowance",
    "Arrival",
    "Attachment",
    "Channel",
    "Customer",
    "DataRequest",
    "Delivery",
    "Exposure",
    "FeedbackItem",
    "ForgedCalls",
    "Form",
    "FormVersion",
    "Identity",
    "Import",
    "ImportNotice",
    "Ownership",
    "Participant",
    "Place",
    "Poll",
    "RelationFile",
    "RelationNotice",
    "Revision",
    "Session",
    "SpentProof",
    "Submission",
]
