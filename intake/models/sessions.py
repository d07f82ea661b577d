"""People in a room: focus groups, interviews, visits and calls, and who took part."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.permissions import Actor
from intake.models.channels import Channel
from intake.models.customers import Customer


class SessionQuerySet(models.QuerySet["Session"]):
    def visible_to(self, actor: Actor) -> Self:
        """Whoever held it, and those who steer: what was said in a room is not for the whole house."""
        return self if actor.may_steer else self.filter(created_by=actor.user)


class Session(models.Model):
    """One meeting with customers. Its transcript lies here until it is taken in turn by turn; notes come in as they are typed."""

    class Kind(models.TextChoices):
        FOCUS_GROUP = "focus_group", gettext_lazy("Focus group")
        INTERVIEW = "interview", gettext_lazy("Interview")
        VISIT = "visit", gettext_lazy("Visit")
        CALL = "call", gettext_lazy("Call")

    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="sessions")
    kind = models.CharField(max_length=12, choices=Kind.choices)
    title = models.CharField(max_length=160)
    held_at = models.DateTimeField()
    place = models.CharField(max_length=120, blank=True, default="")
    product = models.CharField(max_length=120, blank=True, default="")
    moderators = models.CharField(max_length=300, blank=True, default="")
    transcript = models.BinaryField(null=True)
    transcript_name = models.CharField(max_length=160, blank=True, default="")
    # How many turns were taken in so far: a shorter transcript that replaces it takes the rest back.
    turns = models.PositiveIntegerField(default=0)
    created_by = models.ForeignKey("accounts.User", on_delete=models.SET_NULL, null=True, related_name="+")
    created_at = models.DateTimeField(db_default=Now())

    objects = SessionQuerySet.as_manager()

    class Meta:
        indexes = [models.Index(fields=["-held_at", "-id"], name="session_newest")]

    def __str__(self) -> str:
        return self.title


class Participant(models.Model):
    """Somebody who took part, under the name the transcript has for them; nothing of theirs is taken in before they agreed."""

    session = models.ForeignKey(Session, on_delete=models.CASCADE, related_name="participants")
    label = models.CharField(max_length=120)
    customer = models.ForeignKey(Customer, on_delete=models.SET_NULL, null=True, related_name="+")
    consented_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["session", "label"], name="participant_once_per_session"),
            models.CheckConstraint(condition=~Q(label=""), name="participant_has_label"),
        ]
