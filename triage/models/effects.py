"""What an action should move, and what was found when later feedback was looked at."""

from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy

from triage.models.actions import Action
from triage.models.themes import Theme
from triage.models.topics import Topic


class Expectation(models.Model):
    """Which theme or topic, of whom, should change in which direction, by how much; said before anybody sees later data."""

    class Measure(models.TextChoices):
        SHARE = "share", gettext_lazy("Share of all feedback")
        RATE = "rate", gettext_lazy("Rate per unit, order or visit")

    class Direction(models.TextChoices):
        DOWN = "down", gettext_lazy("Fewer people should say it")
        UP = "up", gettext_lazy("More people should say it")

    class Shape(models.TextChoices):
        STEP = "step", gettext_lazy("At once")
        SLOPE = "slope", gettext_lazy("Little by little")

    action = models.OneToOneField(Action, on_delete=models.CASCADE, related_name="expectation", primary_key=True)
    theme = models.ForeignKey(Theme, on_delete=models.SET_NULL, null=True, related_name="+")
    topic = models.ForeignKey(Topic, on_delete=models.SET_NULL, null=True, related_name="+")
    # Whose feedback: everybody's when empty.
    segment = models.CharField(max_length=60, blank=True, default="")
    product = models.CharField(max_length=120, blank=True, default="")
    measure = models.CharField(max_length=5, choices=Measure.choices, default=Measure.SHARE)
    # The kind of `intake.Exposure` a rate is taken per.
    exposure = models.CharField(max_length=40, blank=True, default="")
    direction = models.CharField(max_length=4, choices=Direction.choices, default=Direction.DOWN)
    by_percent = models.PositiveSmallIntegerField(null=True)
    shape = models.CharField(max_length=5, choices=Shape.choices, default=Shape.STEP)
    # Days after `Action.effective_from` that belong to neither side: stock is still sold, the update still spreads.
    lag_days = models.PositiveSmallIntegerField(default=0)
    # A theme the action does not touch: what moves both is not its doing.
    control = models.ForeignKey(Theme, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=~Q(measure="rate") | ~Q(exposure=""), name="expectation_rate_has_exposure"
            ),
            models.CheckConstraint(condition=Q(theme=None) | Q(topic=None), name="expectation_of_theme_or_topic"),
            models.CheckConstraint(
                condition=Q(control=None) | Q(theme=None) | ~Q(control=F("theme")),
                name="expectation_control_is_another",
            ),
        ]


class Verdict(models.Model):
    """The latest numbers of an action's check, computed by the floor above and written through `improving.checking`."""

    action = models.OneToOneField(Action, on_delete=models.CASCADE, related_name="finding", primary_key=True)
    # Empty while there are too few weeks.
    outcome = models.CharField(max_length=7, choices=Action.Outcome.choices, blank=True, default="")
    # The same before all verdicts are held to a common share of false ones.
    alone = models.CharField(max_length=7, choices=Action.Outcome.choices, blank=True, default="")
    method = models.CharField(max_length=12)
    sentence = models.TextField()
    # Shares are differences from 0 to 1, everything else is a ratio; `detectable` is the smallest effect 4 of 5 times seen.
    unit = models.CharField(max_length=10)
    estimate = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    detectable = models.FloatField(null=True)
    p = models.FloatField(null=True)
    # {"before": {...}, "after": {...}, "weeks": [[first day, count, of, side]], …}
    data = models.JSONField(default=dict)
    judged_at = models.DateTimeField()

    class Meta:
        indexes = [models.Index(fields=["-judged_at"], name="verdict_by_time")]
