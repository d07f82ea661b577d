"""How often people kept what the portal proposed, day by day."""

from django.db import models
from django.db.models import F, Q


class TrackRecord(models.Model):
    """Answers of one day to proposals of one kind and one confidence, counted from events; see `triage.track_record`."""

    day = models.DateField()  # in UTC
    kind = models.CharField(max_length=12)
    # The rule's name, or the severity; other kinds go by confidence alone.
    about = models.CharField(max_length=120, default="", blank=True)
    # The per cent at which the band of confidence begins; None for a kind that gives none.
    band = models.PositiveSmallIntegerField(null=True)
    kept = models.PositiveIntegerField()
    answers = models.PositiveIntegerField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "about", "band", "day"], nulls_distinct=False, name="track_record_once_a_day"
            ),
            models.CheckConstraint(
                condition=Q(kept__lte=F("answers")), name="track_record_keeps_no_more_than_answered"
            ),
        ]
        indexes = [models.Index(fields=["day"], name="track_record_by_day")]
