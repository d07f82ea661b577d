"""An improvement in Plan-Do-Check-Act, and the tickets it answers."""

from typing import Self

from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_code
from triage.models.tickets import Ticket


class ActionQuerySet(models.QuerySet["Action"]):
    def visible_to(self, actor: Actor) -> Self:
        """Actions that exist for this actor; everything else answers 404."""
        return self if actor.sees_everything else self.filter(team__in=actor.team_ids)

    def under_way(self) -> Self:
        return self.filter(withdrawn_at=None).exclude(step="act")


class Action(models.Model):
    """Changed only through `triage.improving.improvements`."""

    class Kind(models.TextChoices):
        CONTAINMENT = "containment", "Containment"
        CORRECTIVE = "corrective", "Corrective"
        PREVENTIVE = "preventive", "Preventive"

    class Step(models.TextChoices):
        PLAN = "plan", "Plan"
        DO = "do", "Do"
        CHECK = "check", "Check"
        ACT = "act", "Act"

    title = models.CharField(max_length=160)
    problem = models.TextField(blank=True, default="")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.CORRECTIVE)
    step = models.CharField(max_length=5, choices=Step.choices, default=Step.PLAN)
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, null=True, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="actions")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="actions")
    due_at = models.DateField(null=True, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    # What customers read when it has shipped.
    public_text = models.TextField(blank=True, default="")
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(db_default=Now())

    objects = ActionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(shipped_at=None) | Q(withdrawn_at=None) | Q(shipped_at__lte=F("withdrawn_at")),
                name="action_not_shipped_after_withdrawal",
            ),
            models.CheckConstraint(
                condition=~Q(step__in=["check", "act"]) | Q(shipped_at__isnull=False),
                name="action_checked_after_shipping",
            ),
        ]
        indexes = [models.Index(fields=["team", "step", "-id"], name="action_by_team")]

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"

    @property
    def reference(self) -> str:
        return action_code(self.pk)


class ActionLink(models.Model):
    """A ticket that an action answers; unlinking keeps the row, since a report as of last month still counts it."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="links")
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="action_links")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    linked_at = models.DateTimeField()
    unlinked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action", "ticket"], condition=Q(unlinked_at=None), name="action_linked_once_per_ticket"
            ),
        ]
        indexes = [models.Index(fields=["ticket"], name="action_link_of_ticket", condition=Q(unlinked_at=None))]
