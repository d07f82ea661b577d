"""Which words and which counting a KPI had from when on; a definition is replaced by its next version, never changed."""

from django.db import models
from django.db.models import Q


class DefinitionVersion(models.Model):
    """One version of a KPI's definition as it stood when this portal began to count by it; the database refuses to change it."""

    kpi = models.CharField(max_length=40)
    version = models.PositiveSmallIntegerField()
    valid_from = models.DateTimeField()
    name = models.CharField(max_length=80)
    definition = models.TextField()
    numerator = models.CharField(max_length=200)
    denominator = models.CharField(max_length=200)
    unit = models.CharField(max_length=20)
    # What this version changed and why; the first changed nothing.
    change = models.TextField(blank=True, default="")
    # Over the statements that list the items of both sides.
    sql_sha256 = models.CharField(max_length=64)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["kpi", "version"], name="definition_version_once"),
            models.CheckConstraint(condition=Q(version=1) | ~Q(change=""), name="later_version_says_why"),
        ]

    def __str__(self) -> str:
        return f"{self.kpi} v{self.version}"
