"""One message to a customer or a member of staff."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models import FeedbackItem
from triage.models.tickets import Ticket


class Notification(PendingWork):
    """Written in the transaction of the decision it tells about, delivered by a drain, at least once under one id."""

    class Kind(models.TextChoices):
        RECEIPT = "receipt", gettext_lazy("Receipt")
        REPLY = "reply", gettext_lazy("Reply")
        RESOLUTION = "resolution", gettext_lazy("Resolution")
        CHANGE = "change", gettext_lazy("What was changed")
        STILL_FIXED = "still_fixed", gettext_lazy("Whether it stayed fixed")
        STAFF = "staff", gettext_lazy("For staff")

    item = models.ForeignKey(FeedbackItem, on_delete=models.PROTECT, null=True, related_name="notifications")
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, null=True, related_name="notifications")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    # What makes it the same message: "receipt:<item>", "resolution:<ticket>:<version>".
    once_key = models.CharField(max_length=120, unique=True)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    recipient = models.EmailField()
    subject = models.CharField(max_length=200)
    body = models.TextField()
    created_at = models.DateTimeField(db_default=Now())

    objects = PendingQuerySet["Notification"].as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(recipient=""), name="notification_has_recipient")]
        indexes = [
            due_index("notification_due"),
            models.Index(fields=["recipient", "-created_at"], name="notification_by_recipient"),
            models.Index(fields=["created_at"], name="notification_receipts", condition=Q(kind="receipt")),
        ]
