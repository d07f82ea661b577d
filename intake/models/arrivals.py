"""How things come in by themselves: calls of other systems, and our own calls to theirs."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models.channels import Channel


class Delivery(PendingWork):
    """One verified call of another system, kept byte by byte until it is taken apart, and after that to look at or replay."""

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="deliveries")
    # What a repeat of the same call has in common with it.
    delivery_id = models.CharField(max_length=255)
    url = models.CharField(max_length=2000)
    headers = models.JSONField(default=dict)
    body = models.BinaryField()
    sha256 = models.BinaryField(max_length=32)
    received_at = models.DateTimeField(db_default=Now())
    # How many items it held, once it was taken apart, and how many of them were new or newer.
    held = models.PositiveIntegerField(null=True)
    brought = models.PositiveIntegerField(default=0)
    # The submissions that stand for what it held, so that erasing one of them erases its words here too.
    told_of = ArrayField(models.BigIntegerField(), default=list)
    # Why nothing was taken out of it: an event of a kind the connector does not know.
    ignored_reason = models.CharField(max_length=200, default="", db_default="", blank=True)
    # Another body came under the same id; the first stands.
    conflicting_body = models.BinaryField(null=True)

    objects = PendingQuerySet["Delivery"].as_manager()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["channel", "delivery_id"], name="delivery_once_per_channel")]
        indexes = [
            due_index("delivery_due"),
            models.Index(fields=["-parked_at"], name="delivery_parked", condition=Q(parked_at__isnull=False)),
            models.Index(fields=["channel", "-id"], name="delivery_newest"),
            GinIndex(fields=["told_of"], name="delivery_told_of"),
        ]


class ForgedCalls(models.Model):
    """How often somebody called a channel without being who they said, which is all that is kept of such calls.

    In a table that is not written ahead, so that a stranger's calls cost no flush; after a crash it counts from nothing.
    """

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, primary_key=True, related_name="forged_calls")
    count = models.PositiveBigIntegerField(default=1)
    last_at = models.DateTimeField()


class Poll(PendingWork):
    """When a channel's source is asked again, and how that went. One row a channel: done means due later, and completed that
    it is asked no more."""

    channel = models.OneToOneField(Channel, on_delete=models.CASCADE, related_name="poll")
    cursor = models.JSONField(default=dict)
    every_seconds = models.PositiveIntegerField(default=300)
    last_started_at = models.DateTimeField(null=True)
    last_success_at = models.DateTimeField(null=True)
    # The source's time of the newest thing it gave, which tells how far behind we are.
    newest_at = models.DateTimeField(null=True)
    taken = models.PositiveBigIntegerField(default=0)
    brought = models.PositiveBigIntegerField(default=0)
    # In a row, since it last went well.
    failures = models.PositiveIntegerField(default=0)

    objects = PendingQuerySet["Poll"].as_manager()

    class Meta:
        indexes = [due_index("poll_due")]
