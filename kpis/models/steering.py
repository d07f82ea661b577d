"""What people set beside the numbers: dashboards they keep, ranges they aim for, and what was judged of a person's work."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import Role, Team, User


class SavedDashboard(models.Model):
    """A name for filters, of one person, for themselves or for everybody of a role; on Mondays by mail if they wish."""

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    name = models.CharField(max_length=80)
    query = models.CharField(max_length=600, blank=True, default="")
    # "" is for its owner alone.
    role = models.CharField(max_length=10, choices=Role.choices, blank=True, default="")
    is_mailed = models.BooleanField(default=False)
    # The Monday of the last week that was mailed.
    mailed_week = models.DateField(null=True)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "name"], name="dashboard_once_per_name"),
            models.CheckConstraint(condition=~Q(name=""), name="dashboard_has_name"),
        ]

    def __str__(self) -> str:
        return self.name


class Goal(models.Model):
    """Between which values a KPI should lie in a year: a range, for a single threshold is met by whatever means."""

    kpi = models.CharField(max_length=40)
    # None: for all teams together.
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, related_name="+")
    year = models.PositiveSmallIntegerField()
    low = models.FloatField()
    high = models.FloatField()
    reason = models.CharField(max_length=300)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    set_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kpi", "team", "year"], name="goal_once_a_year", nulls_distinct=False),
            models.CheckConstraint(condition=Q(low__lt=models.F("high")), name="goal_is_a_range"),
            models.CheckConstraint(condition=~Q(reason=""), name="goal_has_reason"),
        ]

    def __str__(self) -> str:
        return f"{self.kpi} {self.year}: {self.low} to {self.high}"


class Look(models.Model):
    """Somebody looked at the figures of one person's work: who, whose, when and what for; appended and never changed."""

    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    purpose = models.CharField(max_length=200)
    looked_at = models.DateTimeField()

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(purpose=""), name="look_has_purpose")]
        indexes = [models.Index(fields=["person", "-looked_at"], name="look_at_person")]

    def __str__(self) -> str:
        return f"{self.by} looked at {self.person}"


class Review(models.Model):
    """What a lead judged of a person's work in their own words, with the figures they saw and the person's answer."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    by = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    first_day = models.DateField()
    last_day = models.DateField()
    figures = models.JSONField()
    judgement = models.TextField()
    answer = models.TextField(blank=True, default="")
    written_at = models.DateTimeField()
    answered_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(judgement=""), name="review_has_judgement"),
            models.CheckConstraint(
                condition=Q(answer="", answered_at=None) | ~Q(answer="") & Q(answered_at__isnull=False),
                name="review_answer_has_time",
            ),
        ]
        indexes = [models.Index(fields=["person", "-written_at"], name="review_of_person")]

    def __str__(self) -> str:
        return f"{self.person}, {self.first_day} to {self.last_day}"
