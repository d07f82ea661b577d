"""What arrived, exactly as it arrived."""

import uuid
from typing import Self

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.codes import customer_code
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models.channels import Channel


class SubmissionQuerySet(PendingQuerySet["Submission"]):
    def quarantined(self) -> Self:
        return self.filter(quarantine_reason__gt="")


class Submission(PendingWork):
    """The raw thing, stored before we answer and kept until its retention date; pending until it is normalised."""

    # Indexes below begin with these keys, so they need none of their own.
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, db_index=False, related_name="submissions")
    external_id = models.CharField(max_length=255)
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    payload = models.BinaryField()
    # It holds personal data that the item masks, so it is readable with the portal's key only; see `normalizing.read`.
    is_sealed = models.BooleanField(default=False, db_default=False)
    content_type = models.CharField(max_length=120)
    headers = models.JSONField(default=dict)
    sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField(db_default=Now())
    # The hash of the token in the customer's tracking link; the token itself is derived again when a mail needs it.
    tracking_hash = models.CharField(max_length=64, unique=True)
    # Why it is held back from triage and mail (honeypot, too quick, …); empty for everything else.
    quarantine_reason = models.CharField(max_length=60, default="", db_default="", blank=True)
    # Why nothing came of it: understood, and no feedback in it.
    ignored_reason = models.CharField(max_length=200, default="", db_default="", blank=True)
    # The source's own time of what stands here; only a later version replaces it.
    source_updated_at = models.DateTimeField(null=True)
    # A tombstone: deleted at the source or erased on request. Its words are gone and the same id brings nothing back.
    gone_at = models.DateTimeField(null=True)
    # When what arrived was emptied for its age, or destroyed on arrival; what came of it stays.
    raw_gone_at = models.DateTimeField(null=True)
    # The import that brought it, so that a whole import can be undone.
    brought_by = models.ForeignKey(
        "Import", on_delete=models.SET_NULL, null=True, db_index=False, related_name="submissions"
    )
    # Another payload under the same id arrived later; the first one won, and staff can see the other.
    conflicting_payload = models.BinaryField(null=True)

    objects = SubmissionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["channel", "external_id"], name="submission_once_per_channel"),
            models.CheckConstraint(condition=~Q(external_id=""), name="submission_has_external_id"),
        ]
        indexes = [
            due_index("submission_due"),
            models.Index(fields=["-parked_at"], name="submission_parked", condition=Q(parked_at__isnull=False)),
            models.Index(fields=["received_at"], name="submission_quarantined", condition=Q(quarantine_reason__gt="")),
            models.Index(
                fields=["brought_by", "id"], name="submission_by_import", condition=Q(brought_by__isnull=False)
            ),
            models.Index(fields=["channel", "-id"], name="submission_passed_over", condition=Q(ignored_reason__gt="")),
            # Rows lie in the order they arrived, so this index of a few pages finds what is too old to keep.
            BrinIndex(fields=["received_at"], name="submission_by_age"),
        ]

    @property
    def reference(self) -> str:
        """The code a customer reads to us on the telephone."""
        return customer_code(self.pk)


class Revision(models.Model):
    """What stood in a submission before its source changed it."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, related_name="revisions")
    payload = models.BinaryField()
    is_sealed = models.BooleanField(default=False, db_default=False)
    content_type = models.CharField(max_length=120)
    source_updated_at = models.DateTimeField(null=True)
    replaced_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [BrinIndex(fields=["replaced_at"], name="revision_by_age")]
