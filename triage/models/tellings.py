"""One review after which everybody whose words an action answers is told what came of them."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now

from feedback_portal.accounts.models import ApiKey, User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from triage.models.actions import Action


class Telling(models.Model):
    """Approved words for all linked senders. Each of them is told once under it, however often a worker begins anew."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="tellings")
    # By language, {"en": "The seal is new.", "de": "…"}; "" is for everybody else.
    texts = models.JSONField(default=dict)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField()
    # Four weeks later they are asked whether it stayed fixed.
    asked_again_at = models.DateTimeField(null=True)

    class Meta:
        indexes = [models.Index(fields=["approved_at"], name="telling_to_ask", condition=models.Q(asked_again_at=None))]


class TellingPart(PendingWork):
    """Some of the tickets of a telling: resolved and written to in one transaction. `asks` whether it stayed fixed instead."""

    telling = models.ForeignKey(Telling, on_delete=models.CASCADE, related_name="parts")
    tickets = ArrayField(models.BigIntegerField())
    asks = models.BooleanField(default=False)
    # How many were written to, and why others were not, {"told": 180, "no_consent": 12, …}.
    counts = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    objects = PendingQuerySet["TellingPart"].as_manager()

    class Meta:
        indexes = [due_index("telling_part_due")]
