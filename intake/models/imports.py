"""A file on its way in: where it is, how far it is, and what has to be told about its rows."""

import uuid

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models.channels import Channel


class FileOnItsWay(PendingWork):
    """What every file that is read chunk by chunk keeps: where it lies, who brought it, and how far it is."""

    # What was chosen for this file: the channel's settings, or of customers and companies `preset`, `system`,
    # `columns` {column: field}, `currency`, `day_first`, `sheet`.
    settings = models.JSONField(default=dict)
    file_name = models.CharField(max_length=200)
    # A path below the state directory; empty once the file is gone.
    stored_as = models.CharField(max_length=200)
    size = models.PositiveBigIntegerField()
    # Why the file as a whole was refused.
    refused_reason = models.TextField(blank=True, default="")
    started_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    # How much of the file is safely in: rows of the file, and bytes of it for the bar that shows it.
    read = models.PositiveBigIntegerField(default=0)
    read_bytes = models.PositiveBigIntegerField(default=0)
    created = models.PositiveBigIntegerField(default=0)
    updated = models.PositiveBigIntegerField(default=0)
    skipped = models.PositiveBigIntegerField(default=0)
    failed = models.PositiveBigIntegerField(default=0)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return self.file_name


class Import(FileOnItsWay):
    """One file taken in through one channel, chunk by chunk; each chunk is stored together with the place it ends at."""

    class State(models.TextChoices):
        UPLOADED = "uploaded", gettext_lazy("Its columns are still to be checked")
        WAITING = "waiting", gettext_lazy("Waiting")
        RUNNING = "running", gettext_lazy("Running")
        PAUSED = "paused", gettext_lazy("Paused")
        DONE = "done", gettext_lazy("Done")
        CANCELLED = "cancelled", gettext_lazy("Cancelled")
        REFUSED = "refused", gettext_lazy("Refused")
        UNDOING = "undoing", gettext_lazy("Being taken back")
        UNDONE = "undone", gettext_lazy("Taken back")

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="imports")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    duplicate = models.PositiveBigIntegerField(default=0)
    # While it is taken back: the submission that this has come to.
    taken_back_up_to = models.PositiveBigIntegerField(default=0)

    objects = PendingQuerySet["Import"].as_manager()

    class Meta:
        indexes = [
            due_index("import_due"),
            models.Index(
                fields=["-id"], name="import_running", condition=Q(state__in=["waiting", "running", "undoing"])
            ),
        ]

    @property
    def percent(self) -> int:
        """How much of the file is in, as a bar shows it; full only once it is."""
        if self.state == self.State.DONE:
            return 100
        return min(99, 100 * self.read_bytes // self.size) if self.size else 0


class ImportNotice(models.Model):
    """What a person should know of one row: why it was passed over, why it failed, or what was left out of it."""

    class Kind(models.TextChoices):
        SKIPPED = "skipped", gettext_lazy("Skipped")
        FAILED = "failed", gettext_lazy("Failed")
        LEFT_OUT = "left_out", gettext_lazy("Taken in, something left out")

    run = models.ForeignKey(Import, on_delete=models.CASCADE, related_name="notices")
    row = models.PositiveBigIntegerField()
    kind = models.CharField(max_length=10, choices=Kind.choices)
    column = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField()
    # (column, cell) pairs, in the order of the file.
    cells = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["run", "id"], name="import_notice_in_order")]


class RelationFile(FileOnItsWay):
    """A file of customers, companies or exposure counts on its way in, chunk by chunk. The file itself goes when it ended."""

    class Kind(models.TextChoices):
        CUSTOMERS = "customers", gettext_lazy("Customers")
        ACCOUNTS = "accounts", gettext_lazy("Companies")
        EXPOSURES = "exposures", gettext_lazy("Exposure counts")

    class State(models.TextChoices):
        UPLOADED = "uploaded", gettext_lazy("Its columns are still to be checked")
        WAITING = "waiting", gettext_lazy("Waiting")
        RUNNING = "running", gettext_lazy("Running")
        DONE = "done", gettext_lazy("Done")
        CANCELLED = "cancelled", gettext_lazy("Cancelled")
        REFUSED = "refused", gettext_lazy("Refused")

    kind = models.CharField(max_length=12, choices=Kind.choices)
    state = models.CharField(max_length=10, choices=State.choices, default=State.UPLOADED)
    unchanged = models.PositiveBigIntegerField(default=0)
    deleted = models.PositiveBigIntegerField(default=0)

    objects = PendingQuerySet["RelationFile"].as_manager()

    class Meta:
        indexes = [due_index("relation_file_due")]


class RelationNotice(models.Model):
    """Why a row of such a file was passed over or failed. What the row held is not kept: it is about people."""

    run = models.ForeignKey(RelationFile, on_delete=models.CASCADE, related_name="notices")
    row = models.PositiveBigIntegerField()
    is_failure = models.BooleanField()
    column = models.CharField(max_length=200, blank=True, default="")
    reason = models.TextField()

    class Meta:
        indexes = [models.Index(fields=["run", "id"], name="relation_notice_in_order")]
