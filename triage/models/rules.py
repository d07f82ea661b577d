"""Rules as they stand, every version they had, what each would have changed, and what the portal proposes to change."""

from typing import Self

from django.db import connection, models
from django.db.models import Q
from django.db.models.functions import Cast, Now
from django.utils.translation import gettext_lazy, pgettext_lazy

from feedback_portal.accounts.models import Team, User
from feedback_portal.languages import said
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models import FeedbackItem
from triage.models.topics import Topic


class RuleQuerySet(models.QuerySet["Rule"]):
    def in_order(self) -> Self:
        """Rules that decide, as they are tried."""
        return self.filter(is_enabled=True, is_shadow=False).order_by("position", "pk")

    def stamp(self) -> str:
        """A digest of the rules that decide, of whole rows in their order: the same only where nothing about any of them differs."""
        with connection.cursor() as cursor:
            cursor.execute(
                "SELECT md5(string_agg(r::text, E'\\n' ORDER BY r.position, r.id)) FROM triage_rule r WHERE r.is_enabled AND NOT r.is_shadow"
            )
            return cursor.fetchone()[0] or ""

    def asking(self, field: str) -> Self:
        """Those whose conditions ask about this field, as its name stands in their definitions."""
        return self.annotate(told=Cast("definition", models.TextField())).filter(told__contains=f'"field": "{field}"')

    def in_shadow(self) -> Self:
        """Rules that are watched and decide nothing."""
        return self.filter(is_enabled=True, is_shadow=True).order_by("position", "pk")


class Rule(models.Model):
    """Conditions and verbs as data (see `triage.rules`), tried in order; `version` counts its edits."""

    name = models.CharField(max_length=120, unique=True)
    position = models.PositiveIntegerField(default=100)
    definition = models.JSONField()
    version = models.PositiveIntegerField(default=1)
    is_enabled = models.BooleanField(default=True)
    is_shadow = models.BooleanField(default=False, db_default=False)
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    changed_at = models.DateTimeField(db_default=Now())

    objects = RuleQuerySet.as_manager()

    def __str__(self) -> str:
        return self.name


class BackTest(PendingWork):
    """What an edit of a rule would have changed about the newest items, worked out by a drain; asked for before it is saved.

    Without a `rule` it is about a new one. `result` is as `triage.rulebook.comparison.Comparison.told` makes it.
    """

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, null=True, related_name="back_tests")
    # The version that the edit was made from; 0 for a new rule.
    base_version = models.PositiveIntegerField(default=0)
    name = models.CharField(max_length=120)
    position = models.PositiveIntegerField()
    definition = models.JSONField()
    items = models.PositiveIntegerField()
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    asked_at = models.DateTimeField()
    looked_at = models.PositiveIntegerField(default=0, db_default=0)
    cancelled_at = models.DateTimeField(null=True)
    result = models.JSONField(null=True)

    objects = PendingQuerySet["BackTest"].as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(items__gte=1, items__lte=1_000_000), name="back_test_has_bounds"),
        ]
        indexes = [due_index("back_test_due")]

    @property
    def is_over(self) -> bool:
        return self.completed_at is not None or self.parked_at is not None or self.cancelled_at is not None


class RuleVersion(models.Model):
    """A rule as it stood from `changed_at` until its next version."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, db_index=False, related_name="versions")
    number = models.PositiveIntegerField()
    name = models.CharField(max_length=120)
    position = models.PositiveIntegerField()
    definition = models.JSONField()
    is_enabled = models.BooleanField()
    is_shadow = models.BooleanField()
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField()
    # What was foreseen of it when it was saved.
    back_test = models.ForeignKey(BackTest, on_delete=models.SET_NULL, null=True, related_name="versions")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "number"], name="rule_version_once")]

    def __str__(self) -> str:
        return f"{self.name}, version {self.number}"


class ShadowMatch(models.Model):
    """A rule in shadow held for a new item. `would` is the team it would have placed it in, if it had decided that."""

    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, db_index=False, related_name="shadow_matches")
    version = models.PositiveIntegerField()
    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="+")
    would = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")
    placed = models.ForeignKey(Team, on_delete=models.SET_NULL, null=True, related_name="+")

    class Meta:
        constraints = [models.UniqueConstraint(fields=["rule", "version", "item"], name="shadow_match_once")]


class RuleProposal(models.Model):
    """A change the portal believes in, with its measured effect. Nothing happens unless a person accepts it; one that was
    turned down stays here, so that it is not proposed again."""

    class Kind(models.TextChoices):
        RULE = "rule", gettext_lazy("A new rule")
        THRESHOLD = "threshold", gettext_lazy("Another number in a rule")
        KEYWORD = "keyword", gettext_lazy("A word for a topic")
        NOT_KEYWORD = "not_keyword", gettext_lazy("A word too many for a topic")

    class Status(models.TextChoices):
        OPEN = "open", pgettext_lazy("status", "Open")
        ACCEPTED = "accepted", gettext_lazy("Accepted")
        DISMISSED = "dismissed", gettext_lazy("Turned down")
        OUTDATED = "outdated", gettext_lazy("No longer true")

    kind = models.CharField(max_length=12, choices=Kind.choices)
    # What makes it the same proposal when it is found again.
    key = models.CharField(max_length=64, unique=True)
    says = models.TextField()
    rule = models.ForeignKey(Rule, on_delete=models.CASCADE, null=True, related_name="proposals")
    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, null=True, related_name="proposals")
    word = models.CharField(max_length=80, blank=True, default="")
    definition = models.JSONField(null=True)
    # {"support", "right", "decided", "low", "high", "fixes", "breaks", "items"}
    effect = models.JSONField()
    status = models.CharField(max_length=9, choices=Status.choices, default=Status.OPEN, db_default=Status.OPEN)
    reason = models.CharField(max_length=300, blank=True, default="")
    decided_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    decided_at = models.DateTimeField(null=True)
    found_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="rule", definition__isnull=False)
                | Q(kind="threshold", definition__isnull=False, rule__isnull=False)
                | (Q(kind__in=["keyword", "not_keyword"], topic__isnull=False) & ~Q(word="")),
                name="rule_proposal_names_what",
            ),
            models.CheckConstraint(
                condition=~Q(status="dismissed") | ~Q(reason=""), name="rule_proposal_dismissed_has_reason"
            ),
        ]
        indexes = [models.Index(fields=["-found_at"], name="rule_proposal_open", condition=Q(status="open"))]

    def __str__(self) -> str:
        return said(self.says)
