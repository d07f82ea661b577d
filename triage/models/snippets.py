"""Words that a team writes to its customers again and again."""

from django.db import models
from django.db.models import Q

from feedback_portal.accounts.models import Team


class Snippet(models.Model):
    """`text` may have the slots of `triage.desk.snippets`, as in "Dear {customer}"."""

    team = models.ForeignKey(Team, on_delete=models.CASCADE, related_name="snippets")
    name = models.CharField(max_length=60)
    text = models.TextField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["team", "name"], name="snippet_once_per_name"),
            models.CheckConstraint(condition=~Q(name="") & ~Q(text=""), name="snippet_has_words"),
        ]

    def __str__(self) -> str:
        return self.name
