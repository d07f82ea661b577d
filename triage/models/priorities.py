"""What was decided about a theme, what a team thinks it is worth, and how much each part of a priority weighs."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import ApiKey, Team, User
from triage.models.themes import Theme


class ThemeDecision(models.Model):
    """What a team decided to do about a theme, on which numbers. The newest stands; earlier ones stay readable."""

    class Choice(models.TextChoices):
        ACT = "act", gettext_lazy("Act on it")
        DECLINE = "decline", gettext_lazy("Decline it")
        WAIT = "wait", gettext_lazy("Wait for more voices")

    theme = models.ForeignKey(Theme, on_delete=models.CASCADE, related_name="decisions", db_index=False)
    choice = models.CharField(max_length=7, choices=Choice.choices)
    # For declining: what customers read.
    reason = models.TextField(blank=True, default="")
    # For waiting: it is due again when so many customers said it, or on this day.
    until_customers = models.PositiveIntegerField(null=True)
    until_day = models.DateField(null=True)
    # What was known then: {"size", "customers", "recent", "value", "state"}.
    numbers = models.JSONField(default=dict)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    decided_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(choice="decline") | ~Q(reason=""), name="theme_decline_has_reason"),
            models.CheckConstraint(
                condition=~Q(choice="wait") | Q(until_customers__isnull=False) | Q(until_day__isnull=False),
                name="theme_wait_has_end",
            ),
        ]
        indexes = [
            models.Index(fields=["theme", "-id"], name="theme_decision_newest"),
            models.Index(fields=["-decided_at"], name="theme_decision_by_time"),
        ]


class Estimate(models.Model):
    """How well a fix would fit the strategy and how much effort it would take, each from 1 (little) to 5."""

    theme = models.OneToOneField(Theme, on_delete=models.CASCADE, related_name="estimate", primary_key=True)
    fit = models.PositiveSmallIntegerField(default=3)
    effort = models.PositiveSmallIntegerField(default=3)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(fit__gte=1, fit__lte=5, effort__gte=1, effort__lte=5), name="estimate_from_1_to_5"
            )
        ]


class Weights(models.Model):
    """How much each part of a priority weighs, in tenths; one row for the organisation."""

    only = models.BooleanField(primary_key=True, default=True)
    frequency = models.PositiveSmallIntegerField(default=10)
    severity = models.PositiveSmallIntegerField(default=10)
    value = models.PositiveSmallIntegerField(default=10)
    trend = models.PositiveSmallIntegerField(default=10)
    fit = models.PositiveSmallIntegerField(default=10)
    effort = models.PositiveSmallIntegerField(default=10)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(only=True), name="weights_are_one_row")]


class WeeklyNote(models.Model):
    """What a team wrote down in its meeting of one week."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="weekly_notes", db_index=False)
    # Its Monday.
    week = models.DateField()
    text = models.TextField(blank=True, default="")
    version = models.PositiveIntegerField(default=1)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["team", "week"], name="weekly_note_once")]
