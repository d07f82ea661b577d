"""What people wrote beside the numbers: what happened on a day, and from which week on other limits hold."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from intake.models import Channel


class AnnotationQuerySet(models.QuerySet["Annotation"]):
    def standing(self) -> Self:
        return self.filter(withdrawn_at=None)

    def visible_to(self, actor: Actor) -> Self:
        """Those for everybody and those of one's teams."""
        return self if actor.sees_everything else self.filter(Q(team=None) | Q(team__in=actor.team_ids))


class Annotation(models.Model):
    """Something that happened on a day, shown on every chart over it; withdrawing keeps the row."""

    day = models.DateField()
    text = models.CharField(max_length=160)
    # None: for everybody who reads KPIs.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True)

    objects = AnnotationQuerySet.as_manager()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(text=""), name="annotation_says_something")]
        indexes = [models.Index(fields=["day"], name="annotation_by_day", condition=Q(withdrawn_at=None))]

    def __str__(self) -> str:
        return self.text


class Phase(models.Model):
    """From `first_week` on a KPI of a slice is held against these baseline weeks, whose counts are kept as they were, so
    its limits never move by themselves. A person says so and why; the newest phase that has begun counts."""

    kpi = models.CharField(max_length=40)
    definition_version = models.PositiveSmallIntegerField()
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    channel = models.ForeignKey(Channel, on_delete=models.CASCADE, null=True, related_name="+")
    stage = models.ForeignKey(Stage, on_delete=models.CASCADE, null=True, related_name="+")
    first_week = models.DateField()
    # The parts of each baseline week, oldest first: [{"week", "as_of", "parts"}].
    baseline = models.JSONField()
    reason = models.CharField(max_length=300)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(reason=""), name="phase_has_reason")]
        indexes = [
            models.Index(fields=["kpi", "team", "channel", "stage", "-first_week", "-id"], name="phase_of_series")
        ]

    def __str__(self) -> str:
        return f"{self.kpi} from {self.first_week}"
