"""Projects of trackers, the issues there that tickets and actions are linked to, and which comments were carried over."""

import base64
import hashlib
import hmac
import uuid
from collections.abc import Mapping
from typing import Self

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from feedback_portal.sealing import seal_texts, unseal_texts
from triage.models.actions import Action
from triage.models.tickets import Ticket


class TrackerProject(PendingWork):
    """One project or repository of a tracker. It falls due whenever it is time to look what changed there; see `triage.connecting`."""

    class WhenDone(models.TextChoices):
        NOTE = "note", gettext_lazy("Write it down")
        RESOLVE = "resolve", gettext_lazy("Resolve the ticket as shipped, and tell nobody")
        TELL = "tell", gettext_lazy("Resolve the ticket as shipped, and tell the customer")

    name = models.CharField(max_length=120)
    # The tracker's slug, and no choices: a new kind needs no migration.
    kind = models.CharField(max_length=40)
    settings = models.JSONField(default=dict)
    # Sealed; see `secrets`.
    sealed_secrets = models.BinaryField(default=b"")
    # The project's own words for each `Standing`.
    statuses = models.JSONField(default=dict)
    when_done = models.CharField(max_length=7, choices=WhenDone.choices, default=WhenDone.NOTE)
    # What colleagues write in notes is written there as comments as well.
    shares_notes = models.BooleanField(default=False)
    is_enabled = models.BooleanField(default=True)
    hook_hash = models.CharField(max_length=64, unique=True, null=True, editable=False)
    hook_salt = models.UUIDField(default=uuid.uuid4, editable=False)
    # Up to when changes there are known.
    seen_until = models.DateTimeField(null=True)
    # Calls in a row that failed, what was said last, and until when it is left alone.
    failures = models.PositiveIntegerField(default=0)
    trouble = models.TextField(default="", blank=True)
    paused_until = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(db_default=Now())

    objects = PendingQuerySet["TrackerProject"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(when_done__in=["note", "resolve", "tell"]), name="tracker_project_knows_what_done_means"
            ),
        ]
        indexes = [due_index("tracker_project_due")]

    def __str__(self) -> str:
        return self.name

    @property
    def secrets(self) -> dict[str, str]:
        return unseal_texts(bytes(self.sealed_secrets))

    @secrets.setter
    def secrets(self, texts: Mapping[str, str]) -> None:
        self.sealed_secrets = seal_texts(texts)

    @property
    def hook_key(self) -> str:
        """The key of the address that is called, derived so that the page can show it again."""
        digest = hmac.new(settings.SECRET_KEY.encode(), b"tracker:" + self.hook_salt.bytes, hashlib.sha256).digest()
        return base64.urlsafe_b64encode(digest[:24]).decode()


class LinkedIssueQuerySet(PendingQuerySet["LinkedIssue"]):
    def standing(self) -> Self:
        return self.filter(unlinked_at=None)


class LinkedIssue(PendingWork):
    """An issue and what it is about here. It falls due when something happened on either side, and is at rest when both agree."""

    project = models.ForeignKey(TrackerProject, on_delete=models.CASCADE, related_name="issues")
    # Empty until the issue is made there of `draft`, {"title", "text"}.
    key = models.CharField(max_length=120, default="", blank=True)
    draft = models.JSONField(default=dict, blank=True)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, null=True, related_name="issues")
    action = models.ForeignKey(Action, on_delete=models.CASCADE, null=True, related_name="issues")
    title = models.CharField(max_length=300, default="", blank=True)
    url = models.CharField(max_length=2000, default="", blank=True)
    # Their word and ours when both were last looked at; what differs from these moved since.
    status = models.CharField(max_length=120, default="", blank=True)
    standing = models.CharField(max_length=7, default="", blank=True)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    linked_at = models.DateTimeField()
    unlinked_at = models.DateTimeField(null=True)
    comments_until = models.DateTimeField()
    # Something happened here or there; later than the beginning of a look, it is looked at again.
    rung_at = models.DateTimeField(null=True)
    looked_at = models.DateTimeField(null=True)
    # The version of the ticket or action that we made because of the issue: nobody decided since while it is the same.
    acted_version = models.PositiveIntegerField(null=True)

    objects = LinkedIssueQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(ticket=None, action__isnull=False) | Q(ticket__isnull=False, action=None),
                name="linked_issue_of_ticket_or_action",
            ),
            models.UniqueConstraint(
                fields=["project", "key", "ticket"],
                condition=Q(unlinked_at=None, ticket__isnull=False) & ~Q(key=""),
                name="linked_issue_once_per_ticket",
            ),
            models.UniqueConstraint(
                fields=["project", "key", "action"],
                condition=Q(unlinked_at=None, action__isnull=False) & ~Q(key=""),
                name="linked_issue_once_per_action",
            ),
        ]
        indexes = [due_index("linked_issue_due")]


class CarriedComment(models.Model):
    """A comment that stands on both sides: theirs that was written down here, or one of our notes that was written there."""

    issue = models.ForeignKey(LinkedIssue, on_delete=models.CASCADE, related_name="comments")
    # Their number of it.
    number = models.CharField(max_length=60)
    # The event that is our note; none for what was written there.
    event = models.BigIntegerField(null=True)
    carried_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["issue", "number"], name="carried_comment_once_from_there"),
            models.UniqueConstraint(fields=["issue", "event"], name="carried_comment_once_from_here"),
        ]
