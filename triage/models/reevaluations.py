"""Going over open tickets again after a rule, a topic or a model changed: what was asked for, and the batches it is done in."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import User
from feedback_portal.languages import said
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index


class Reevaluation(models.Model):
    """One run over the open tickets that no person has touched; changed only through `triage.reevaluating`."""

    # The end of a sentence: "the rule “Leaks” was changed".
    because = models.TextField()
    asked_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField(db_default=Now())
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(because=""), name="reevaluation_says_why")]
        indexes = [models.Index(fields=["-asked_at"], name="reevaluation_newest")]

    def __str__(self) -> str:
        return f"{self.asked_at:%-d %B %Y}, because {said(self.because)}"


class ReevaluationBatch(PendingWork):
    """Some tickets of a run, by row number: `moved` are those it changed. A batch that undoes puts its tickets back."""

    run = models.ForeignKey(Reevaluation, on_delete=models.CASCADE, related_name="batches")
    is_undo = models.BooleanField(default=False, db_default=False)
    tickets = ArrayField(models.BigIntegerField())
    moved = ArrayField(models.BigIntegerField(), default=list)

    objects = PendingQuerySet["ReevaluationBatch"].as_manager()

    class Meta:
        indexes = [due_index("reevaluation_batch_due"), models.Index(fields=["run"], name="reevaluation_batch_of_run")]
