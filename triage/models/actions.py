"""An improvement in Plan-Do-Check-Act: its plan, its steps, what was done with it, and the tickets it answers."""

from datetime import date
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy, pgettext_lazy

from feedback_portal.accounts.models import ApiKey, Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_code
from intake.models import Attachment
from triage.models.tickets import Ticket


class ActionQuerySet(models.QuerySet["Action"]):
    def visible_to(self, actor: Actor) -> Self:
        """Actions of one's teams, and those one's teams contribute to; everything else answers 404."""
        if actor.sees_everything:
            return self
        helping = Action.objects.filter(contributors__in=actor.team_ids).values("pk")
        return self.filter(Q(team__in=actor.team_ids) | Q(pk__in=helping))

    def under_way(self) -> Self:
        return self.filter(withdrawn_at=None).exclude(step="act")

    def overdue(self, today: date) -> Self:
        """Not shipped by the day it was due."""
        return self.filter(withdrawn_at=None, step__in=["plan", "do"], due_at__lt=today)


class Action(models.Model):
    """Changed only through `triage.improving`, by compare-and-set on `version`. In its last step it is closed."""

    class Kind(models.TextChoices):
        CONTAINMENT = "containment", gettext_lazy("Containment")
        CORRECTIVE = "corrective", gettext_lazy("Corrective")
        PREVENTIVE = "preventive", gettext_lazy("Preventive")

    class Step(models.TextChoices):
        PLAN = "plan", gettext_lazy("Plan")
        DO = "do", gettext_lazy("Do")
        CHECK = "check", gettext_lazy("Check")
        ACT = "act", pgettext_lazy("step", "Act")

    class Outcome(models.TextChoices):
        """The verdict of the fixed rule; the same words everywhere."""

        WORKED = "worked", gettext_lazy("Worked")
        WORSE = "worse", gettext_lazy("Worse")
        UNCLEAR = "unclear", gettext_lazy("No clear change")

    title = models.CharField(max_length=160)
    problem = models.TextField(blank=True, default="")
    kind = models.CharField(max_length=12, choices=Kind.choices, default=Kind.CORRECTIVE)
    step = models.CharField(max_length=5, choices=Step.choices, default=Step.PLAN)
    stage = models.ForeignKey(Stage, on_delete=models.PROTECT, null=True, blank=True)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, related_name="actions")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="actions")
    contributors: "models.ManyToManyField[Team, models.Model]" = models.ManyToManyField(
        Team, related_name="contributions", blank=True
    )
    due_at = models.DateField(null=True, blank=True)
    # From when its effect is to be seen, and when somebody looks whether it is.
    effective_from = models.DateField(null=True, blank=True)
    check_at = models.DateField(null=True, blank=True)
    plan = models.TextField(blank=True, default="", db_default="")
    # The fishbone as a list, [{"bone": "machine", "text": "The pressing tool is worn"}], and the answers to five whys.
    causes = models.JSONField(default=list, db_default=models.Value([], output_field=models.JSONField()))
    whys = ArrayField(models.CharField(max_length=300), default=list, db_default=models.Value("{}"))
    root_cause = models.TextField(blank=True, default="", db_default="")
    needs_approval = models.BooleanField(default=False, db_default=False)
    approved_by = models.ForeignKey(User, on_delete=models.PROTECT, null=True, blank=True, related_name="+")
    approved_at = models.DateTimeField(null=True, blank=True)
    # What the check found (`Verdict` holds the numbers), or why it was closed without.
    verdict = models.CharField(max_length=7, choices=Outcome.choices, blank=True, default="", db_default="")
    exception = models.TextField(blank=True, default="", db_default="")
    # What was made the rule because of it, and where else it helps.
    standard = models.TextField(blank=True, default="", db_default="")
    reopened_at = models.DateTimeField(null=True, blank=True)
    shipped_at = models.DateTimeField(null=True, blank=True)
    withdrawn_at = models.DateTimeField(null=True, blank=True)
    # What customers read when it has shipped, and its headline among what changed because of feedback.
    public_text = models.TextField(blank=True, default="")
    public_title = models.CharField(max_length=160, blank=True, default="", db_default="")
    published_at = models.DateTimeField(null=True, blank=True)
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(db_default=Now())

    objects = ActionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(shipped_at=None) | Q(withdrawn_at=None) | Q(shipped_at__lte=F("withdrawn_at")),
                name="action_not_shipped_after_withdrawal",
            ),
            models.CheckConstraint(
                condition=~Q(step__in=["check", "act"]) | Q(shipped_at__isnull=False),
                name="action_checked_after_shipping",
            ),
            models.CheckConstraint(
                condition=~Q(step="act") | ~Q(verdict="") | ~Q(exception=""),
                name="action_closed_has_verdict_or_exception",
            ),
            models.CheckConstraint(
                condition=Q(verdict__in=["", "worked", "worse", "unclear"]), name="action_has_known_verdict"
            ),
            models.CheckConstraint(
                condition=Q(published_at=None) | ~Q(public_title="") & ~Q(public_text=""),
                name="action_published_has_words",
            ),
        ]
        indexes = [
            models.Index(fields=["team", "step", "-id"], name="action_by_team"),
            models.Index(
                fields=["-published_at", "-id"], name="action_published", condition=Q(published_at__isnull=False)
            ),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.title}"

    @property
    def reference(self) -> str:
        return action_code(self.pk)


class ActionLink(models.Model):
    """A ticket that an action answers; unlinking keeps the row, since a report as of last month still counts it."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="links")
    ticket = models.ForeignKey(Ticket, on_delete=models.PROTECT, related_name="action_links")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    linked_at = models.DateTimeField()
    unlinked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["action", "ticket"], condition=Q(unlinked_at=None), name="action_linked_once_per_ticket"
            ),
        ]
        indexes = [models.Index(fields=["ticket"], name="action_link_of_ticket", condition=Q(unlinked_at=None))]


class ActionStep(models.Model):
    """One thing to be done for an action, by somebody, until a day."""

    action = models.ForeignKey(Action, on_delete=models.CASCADE, related_name="steps")
    text = models.CharField(max_length=300)
    owner = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    due_at = models.DateField(null=True, blank=True)
    done_at = models.DateTimeField(null=True, blank=True)


class ActionFile(models.Model):
    """A file that shows something about an action: a drawing, a measurement, a picture of what is better now. Removed, it is gone;
    that it was there is told by events."""

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="files")
    attachment = models.OneToOneField(Attachment, on_delete=models.CASCADE, related_name="action_file")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    added_at = models.DateTimeField()

    @property
    def fingerprint(self) -> str:
        """SHA-256 of its bytes, by which anybody can tell that a copy is the same."""
        return bytes(self.attachment.sha256).hex()


class ActionEvent(models.Model):
    """What was done with an action and said about it, by whom; appended and never changed, which the database itself holds."""

    class Type(models.TextChoices):
        PLANNED = "planned", gettext_lazy("planned it")
        CHANGED = "changed", gettext_lazy("changed the plan")
        EXPECTED = "expected", gettext_lazy("said what it should move")
        APPROVED = "approved", gettext_lazy("approved it")
        MOVED = "moved", gettext_lazy("moved it")
        SHIPPED = "shipped", gettext_lazy("shipped it")
        JUDGED = "judged", gettext_lazy("judged its effect")
        EXCEPTED = "excepted", gettext_lazy("closed it without a verdict")
        REOPENED = "reopened", gettext_lazy("reopened it")
        WITHDRAWN = "withdrawn", gettext_lazy("withdrew it")
        COMMENTED = "commented", gettext_lazy("wrote")
        STEPPED = "stepped", gettext_lazy("changed its steps")
        TOLD = "told", gettext_lazy("told the customers")
        PUBLISHED = "published", gettext_lazy("published it")
        UNPUBLISHED = "unpublished", gettext_lazy("took it off the public page")
        FILED = "filed", gettext_lazy("changed its files")

    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="events", db_index=False)
    type = models.CharField(max_length=11, choices=Type.choices)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    # Names, codes, numbers, and the words of colleagues; never a customer's.
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [
            models.Index(fields=["action", "-id"], name="action_event_newest"),
            models.Index(fields=["-occurred_at", "-id"], name="action_event_by_time"),
        ]
