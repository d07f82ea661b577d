"""What was measured: rows that can be thrown away and counted again to the same digits."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import Stage, Team
from intake.models import Channel


class Measurement(models.Model):
    """One KPI's additive parts over one day of arrival and one slice (a team, a channel, a stage); never a rate.

    `parts` holds whole numbers by name (`{"numerator": 3, "denominator": 7}`, `{"b12": 4}` for a duration's bucket): the
    parts of a period are the sums over its days, and the KPI's definition turns sums into a value and its interval.
    """

    kpi = models.CharField(max_length=40)
    definition_version = models.PositiveSmallIntegerField()
    day = models.DateField()
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True)
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, null=True)
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, null=True)
    parts = models.JSONField()
    counted_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kpi", "definition_version", "day", "team", "channel", "stage"],
                name="measurement_once_per_slice",
                nulls_distinct=False,
            ),
            models.CheckConstraint(condition=~Q(kpi=""), name="measurement_has_kpi"),
        ]
        indexes = [models.Index(fields=["day"], name="measurement_by_day")]
