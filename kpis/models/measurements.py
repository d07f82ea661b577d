"""What was counted: whole numbers by day and slice, never a rate."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import Stage, Team
from intake.models import Channel


class Measurement(models.Model):
    """One KPI's parts over one day of arrival and one slice (a team, a channel, a stage, or several); never a rate.

    `parts` holds whole numbers by name (`{"numerator": 3, "denominator": 7}`, `{"e12": 4}` for a duration's bucket): the
    parts of a period are the sums over its days, and the KPI's definition turns sums into a value and its interval.
    Where days do not add up, a row covers several: a week, or a period that is read often.
    """

    kpi = models.CharField(max_length=40)
    definition_version = models.PositiveSmallIntegerField()
    day = models.DateField()
    days = models.PositiveSmallIntegerField(default=1)
    # No index of their own: most rows have no team (channel, stage), so it would mislead the planner.
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, db_index=False)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True, db_index=False)
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, null=True, db_index=False)
    parts = models.JSONField()
    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                # The slice first: a page reads many days and several KPIs of one slice.
                fields=["team", "channel", "stage", "day", "days", "kpi", "definition_version"],
                name="measurement_once_per_slice",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=~Q(kpi=""), name="measurement_has_kpi"),
        ]
        indexes = [models.Index(fields=["day"], name="measurement_by_day")]
