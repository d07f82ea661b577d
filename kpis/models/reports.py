"""Reports that stay as they were, and the nightly proof that what is counted can be counted again."""

from typing import Self

from django.db import models
from django.db.models import Q

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor


class ReportQuerySet(models.QuerySet["Report"]):
    def visible_to(self, actor: Actor) -> Self:
        """Reports about one's teams; everything else answers 404."""
        return self if actor.sees_everything else self.filter(team__in=actor.team_ids)


class Report(models.Model):
    """The numbers of one question as of one moment, with a hash over every digit. The database refuses to change its rows."""

    code = models.CharField(max_length=24, unique=True)
    title = models.CharField(max_length=160)
    # The filters as in an address, to ask the same again.
    query = models.CharField(max_length=600, blank=True, default="")
    # None: of all teams.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="+")
    first_day = models.DateField()
    last_day = models.DateField()
    zone = models.CharField(max_length=64)
    as_of = models.DateTimeField()
    sha256 = models.CharField(max_length=64)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")

    objects = ReportQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(last_day__gte=models.F("first_day")), name="report_days_in_order")
        ]
        indexes = [models.Index(fields=["-as_of", "-id"], name="report_newest")]

    def __str__(self) -> str:
        return f"{self.code} {self.title}"


class ReportRow(models.Model):
    """One KPI of a report: as a whole, of one week, or of one team, channel or stage. `parts` are what was summed."""

    report = models.ForeignKey(Report, on_delete=models.PROTECT, related_name="rows", db_index=False)
    position = models.PositiveIntegerField()
    kpi = models.CharField(max_length=40)
    definition_version = models.PositiveSmallIntegerField()
    # "" for the whole, else "week", "team", "channel" or "stage", and which one.
    split = models.CharField(max_length=7, blank=True, default="")
    of = models.CharField(max_length=120, blank=True, default="")
    value = models.FloatField(null=True)
    low = models.FloatField(null=True)
    high = models.FloatField(null=True)
    numerator = models.BigIntegerField()
    denominator = models.BigIntegerField()
    note = models.CharField(max_length=200, blank=True, default="")
    parts = models.JSONField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["report", "position"], name="report_row_once")]

    def __str__(self) -> str:
        return f"{self.kpi} {self.split} {self.of}".strip()


class Proof(models.Model):
    """One night's recount of the last weeks beside what stands in the tables; what differed is named."""

    proved_at = models.DateTimeField()
    first_day = models.DateField()
    last_day = models.DateField()
    compared = models.PositiveIntegerField()
    differing = models.PositiveIntegerField()
    # Up to twenty of those that differ: {"kpi", "day", "slice", "stands", "counted"}.
    examples = models.JSONField(default=list)

    class Meta:
        indexes = [models.Index(fields=["-proved_at"], name="proof_newest")]

    def __str__(self) -> str:
        return f"{self.differing} of {self.compared} differ"
