"""One review after which everybody whose words an action answers is told what came of them."""

from django.db import models
from django.db.models import Q

from feedback_portal.accounts.models import ApiKey, User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from triage.models.actions import Action


class Telling(PendingWork):
    """Approved words on their way to all linked senders, a batch at a time. `reached` is the last ticket that was looked at, so that
    one whose worker dies goes on where it stopped; who was told once under this telling is not told again."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="tellings")
    # By language, {"en": "The seal is new.", "de": "…"}; "" is for everybody else.
    texts = models.JSONField(default=dict)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    approved_at = models.DateTimeField()
    reached = models.BigIntegerField(default=0)
    # How many were written to, and why others were not: {"told": 210, "no_consent": 12, …}.
    counts = models.JSONField(default=dict)
    # Four weeks later they are asked whether it stayed fixed.
    asked_again_at = models.DateTimeField(null=True)

    objects = PendingQuerySet["Telling"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action"], condition=Q(completed_at=None, parked_at=None), name="telling_one_at_a_time"
            )
        ]
        indexes = [due_index("telling_due")]
