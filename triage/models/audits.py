"""Weekly samples of items that people label without knowing what the portal said, so that its error is known."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from intake.models import FeedbackItem


class Audit(models.Model):
    """The sample of one week of arrivals. The same seed over the same items draws the same sample."""

    # The Monday of the week, in the organisation's time zone.
    first_day = models.DateField(unique=True)
    seed = models.BigIntegerField()
    # Who placed an item is its stratum: {"rule": {"arrived": 812, "drawn": 12}, …}.
    strata = models.JSONField(default=dict)
    # What the portal had said of all that arrived: {"en": {"neg": 310, "neu": 95, "pos": 120, "none": 12}, …}.
    sentiments = models.JSONField(default=dict)
    drawn_at = models.DateTimeField(db_default=Now())
    # From then on nobody answers any more, and what was found teaches the models.
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        indexes = [models.Index(fields=["first_day"], name="audit_open", condition=Q(closed_at=None))]

    def __str__(self) -> str:
        return f"{self.first_day:%G-W%V}"


class AuditedItem(models.Model):
    """One item of a sample. What the portal had said of it is kept as it was when the sample was drawn."""

    class State(models.TextChoices):
        OPEN = "open", gettext_lazy("Waits for two people")
        AGREED = "agreed", gettext_lazy("Both said the same")
        DISPUTED = "disputed", gettext_lazy("They said different things")
        SETTLED = "settled", gettext_lazy("A third person settled it")
        UNUSABLE = "unusable", gettext_lazy("Nobody could tell")

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="items", db_index=False)
    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="audits")
    stratum = models.CharField(max_length=12)
    # {"team": slug, "topics": [slugs], "sentiment": "neg"}
    machine = models.JSONField(default=dict)
    state = models.CharField(max_length=8, choices=State.choices, default=State.OPEN)
    # What it is, in the same shape, once people are agreed; a name that was not asked of both is missing.
    label = models.JSONField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["audit", "item"], name="audited_item_once_a_week"),
            models.CheckConstraint(
                condition=Q(state__in=["agreed", "settled"], label__isnull=False)
                | Q(state__in=["open", "disputed", "unusable"], label=None),
                name="audited_item_labelled_once_agreed",
            ),
        ]
        indexes = [
            models.Index(
                fields=["audit", "id"], name="audited_item_waiting", condition=Q(state__in=["open", "disputed"])
            )
        ]


class AuditAnswer(models.Model):
    """What one person said of an item without knowing what others or the portal said. Two are asked; the third settles."""

    class Skipped(models.TextChoices):
        LANGUAGE = "language", gettext_lazy("I do not read this language")
        UNCLEAR = "unclear", gettext_lazy("It is not clear what they mean")
        NO_FEEDBACK = "no_feedback", gettext_lazy("No customer speaks here")
        KNOWN = "known", gettext_lazy("I remember what became of it")

    audited = models.ForeignKey(AuditedItem, on_delete=models.CASCADE, related_name="answers", db_index=False)
    person = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    # 1 and 2 in the order in which they came, 3 who settled it; None for whoever skipped it.
    seat = models.PositiveSmallIntegerField(null=True)
    # None where the person was not asked: see `triage.learning.audits.asks_team`.
    team = models.CharField(max_length=40, null=True)
    topics = ArrayField(models.CharField(max_length=80), default=list)
    sentiment = models.CharField(max_length=4, default="", blank=True)
    skipped = models.CharField(max_length=11, choices=Skipped.choices, default="", blank=True)
    answered_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["audited", "person"], name="audit_answered_once_by_each"),
            models.UniqueConstraint(fields=["audited", "seat"], name="audit_seat_taken_once"),
            models.CheckConstraint(
                condition=Q(seat__isnull=False, seat__in=[1, 2, 3], skipped="") | Q(seat=None) & ~Q(skipped=""),
                name="audit_answered_or_skipped",
            ),
        ]
        indexes = [models.Index(fields=["person", "-answered_at"], name="audit_answers_of_person")]
