"""How soon the first decision is due."""

from django.db import models
from django.db.models import Q

from feedback_portal.accounts.models import Team
from triage.models.topics import Topic


class Target(models.Model):
    """So many hours to the first decision, for what fits all that it names; the closest target counts (`triage.deadlines`)."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="targets")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, null=True, blank=True, related_name="targets")
    severity = models.PositiveSmallIntegerField(null=True, blank=True)
    hours = models.PositiveSmallIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["team", "topic", "severity"], name="target_once_for_the_same", nulls_distinct=False
            ),
            models.CheckConstraint(
                condition=~Q(team=None, topic=None, severity=None), name="target_names_what_it_is_for"
            ),
            models.CheckConstraint(
                condition=Q(severity=None) | Q(severity__gte=2, severity__lte=4), name="target_severity_known"
            ),
            models.CheckConstraint(condition=Q(hours__gte=1, hours__lte=8760), name="target_hours_sensible"),
        ]
