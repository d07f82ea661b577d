"""What was said, by whom and through which channel."""

from intake.models.channels import Allowance, Channel, Form, FormVersion
from intake.models.customers import Account, Customer
from intake.models.feedback import Arrival, Attachment, FeedbackItem
from intake.models.submissions import Submission

__all__ = [
    "Account",
    "Allowance",
    "Arrival",
    "Attachment",
    "Channel",
    "Customer",
    "FeedbackItem",
    "Form",
    "FormVersion",
    "Submission",
]
