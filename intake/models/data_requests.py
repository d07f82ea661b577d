"""What was done with one person's data on request; also the ledger of who was erased."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from intake.models.customers import Customer


class DataRequest(models.Model):
    """One export, correction or erasure: who did it, when, and to which row. It says nothing of the person themselves.

    An erasure keeps their address and ids as keyed hashes, by which they are known again if a backup brings them back.
    """

    class Kind(models.TextChoices):
        EXPORTED = "exported", gettext_lazy("Given out")
        RECTIFIED = "rectified", gettext_lazy("Corrected")
        ERASED = "erased", gettext_lazy("Erased")

    kind = models.CharField(max_length=9, choices=Kind.choices)
    # None once the row itself is gone, as after an older backup was restored.
    customer = models.ForeignKey(Customer, on_delete=models.SET_NULL, null=True, related_name="data_requests")
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    # Names of the columns that were corrected, never what stood in them.
    fields = ArrayField(models.CharField(max_length=40), default=list)
    known_by = ArrayField(models.CharField(max_length=64), default=list)
    items = models.PositiveIntegerField(default=0)
    at = models.DateTimeField()
    # Whether it lies beside the database too, where restoring a backup leaves it alone.
    is_copied = models.BooleanField(default=False)
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["customer", "-id"], name="data_request_of_customer")]
