"""One decision on many tickets: what was asked for, and the parts it is done in."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index


class BulkAct(models.Model):
    """Changed only through `triage.desk.bulk`; decided with the rights its person has when each part is done."""

    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    verb = models.CharField(max_length=20)
    arguments = models.JSONField(default=dict)
    # What was searched for, in words: empty where rows were chosen one by one.
    query = models.CharField(max_length=256, blank=True, default="")
    # "Route to Quality", as whoever asked for it read it; pages say it anew to each reader.
    label = models.CharField(max_length=160)
    asked_at = models.DateTimeField(db_default=Now())
    paused_at = models.DateTimeField(null=True, blank=True)
    undone_at = models.DateTimeField(null=True, blank=True)
    undone_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(label=""), name="bulk_act_says_what"),
            models.CheckConstraint(
                condition=Q(paused_at=None) | Q(undone_at=None), name="bulk_act_undone_is_not_paused"
            ),
        ]
        indexes = [models.Index(fields=["person", "-asked_at"], name="bulk_act_of_person")]

    def __str__(self) -> str:
        return self.label


class BulkPart(PendingWork):
    """Some tickets of a bulk by row number, with the versions that were seen. `done` are those it changed, with the versions it
    `made`; `skipped` says of each other one why, as a sentence. A part that undoes puts its tickets back."""

    act = models.ForeignKey(BulkAct, on_delete=models.CASCADE, related_name="parts")
    is_undo = models.BooleanField(default=False, db_default=False)
    tickets = ArrayField(models.BigIntegerField())
    versions = ArrayField(models.IntegerField())
    done = ArrayField(models.BigIntegerField(), default=list)
    made = ArrayField(models.IntegerField(), default=list)
    skipped = models.JSONField(default=dict)

    objects = PendingQuerySet["BulkPart"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(tickets__len=models.F("versions__len")), name="bulk_part_knows_what_was_seen"
            ),
        ]
        indexes = [due_index("bulk_part_due"), models.Index(fields=["act"], name="bulk_part_of_act")]
