"""How the organisation writes its products, orders and batches, and what was found of them in items."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import User
from intake.models import FeedbackItem


class PatternQuerySet(models.QuerySet["Pattern"]):
    def in_order(self) -> Self:
        """Enabled patterns as they are tried."""
        return self.filter(is_enabled=True).order_by("position", "pk")


class Pattern(models.Model):
    """Finds one kind of thing by an expression, or one thing by whatever else it is called; `version` counts its edits."""

    name = models.CharField(max_length=120, unique=True)
    kind = models.SlugField(max_length=40, db_index=False)
    expression = models.CharField(max_length=500, blank=True, default="")
    aliases = ArrayField(models.CharField(max_length=80), default=list, blank=True)
    # What naming it says of the product, as a batch tells which machine it is.
    product = models.CharField(max_length=120, blank=True, default="")
    position = models.PositiveIntegerField(default=100)
    is_enabled = models.BooleanField(default=True)
    version = models.PositiveIntegerField(default=1)
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    changed_at = models.DateTimeField(db_default=Now())

    objects = PatternQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(expression="") & ~Q(aliases=[]) | ~Q(expression="") & Q(aliases=[]),
                name="pattern_expression_or_aliases",
            ),
            models.CheckConstraint(condition=~Q(kind=""), name="pattern_has_kind"),
        ]

    def __str__(self) -> str:
        return self.name


class Mention(models.Model):
    """Something that an item names or came with. Derived, so it may be made again; where in the text, the analysis says."""

    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, db_index=False, related_name="mentions")
    kind = models.CharField(max_length=40)
    value = models.CharField(max_length=120)  # as it was first written
    key = models.CharField(max_length=120)  # as it is compared
    confidence = models.FloatField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "kind", "key"], name="mention_once_per_item"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="mention_confidence_is_share"
            ),
        ]
        indexes = [models.Index(fields=["kind", "key", "-item"], name="mention_by_value")]
