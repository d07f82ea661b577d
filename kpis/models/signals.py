"""Early warnings: what left its limits, who looks into it, and what it turned out to be."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import ApiKey, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import signal_code
from triage.models import Action, Theme


class SignalQuerySet(models.QuerySet["Signal"]):
    def open(self) -> Self:
        return self.filter(verdict="")

    def visible_to(self, actor: Actor) -> Self:
        """Signals of one's teams, and those that are one's own to look into; everything else answers 404."""
        if actor.sees_everything:
            return self
        return self.filter(Q(team__in=actor.team_ids) | Q(owner=actor.user, owner__isnull=False))


class Signal(models.Model):
    """A series that left its limits. While it is open, what the following weeks bring is written into it, so one rise is
    one signal; a person ends it with a verdict. Changed only through `kpis.signals`, by compare-and-set on `version`."""

    class Kind(models.TextChoices):
        RISE = "rise", gettext_lazy("More of it than usual")
        VOICE = "voice", gettext_lazy("A new voice")
        NUMBER = "number", gettext_lazy("A number outside its limits")
        MIX = "mix", gettext_lazy("Other people than usual")

    class Verdict(models.TextChoices):
        REAL = "real", gettext_lazy("Real")
        KNOWN = "known", gettext_lazy("Known cause")
        NOISE = "noise", gettext_lazy("Noise")

    # Which series, as in `theme:12|product:H4`; see `kpis.signals.series`. `also` are others that rose with the same items.
    key = models.CharField(max_length=240)
    also = models.JSONField(default=list)
    kind = models.CharField(max_length=6, choices=Kind.choices)
    name = models.CharField(max_length=240)
    team = models.ForeignKey(Team, on_delete=models.PROTECT, null=True, related_name="signals")
    theme = models.ForeignKey(Theme, on_delete=models.SET_NULL, null=True, related_name="+")
    owner = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    action = models.ForeignKey(Action, on_delete=models.PROTECT, null=True, related_name="+")
    # Mondays of the first and of the last week that left the limits, and what each of them was:
    # [{"week", "count", "expected", "p", "window"}], of numbers {"week", "value", "lower", "upper"}.
    first_week = models.DateField()
    last_week = models.DateField()
    weeks = models.JSONField(default=list)
    # The series as it was when it was last looked at, oldest first: [{"week", "value", "lower", "upper"}].
    history = models.JSONField(default=list)
    count = models.PositiveIntegerField(default=0)
    expected = models.FloatField(default=0)
    p = models.FloatField(default=1)
    # What it was held against, in words: "orders of H4", "everything else that was said".
    basis = models.CharField(max_length=160, blank=True, default="")
    customers = models.PositiveIntegerField(default=0)
    # A year's value of the distinct customers with an open item in it; of so many nobody knows it.
    value = models.DecimalField(max_digits=16, decimal_places=2, default=0)
    unknown_value = models.PositiveIntegerField(default=0)
    verdict = models.CharField(max_length=5, choices=Verdict.choices, blank=True, default="")
    verdict_reason = models.TextField(blank=True, default="")
    verdict_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)
    raised_at = models.DateTimeField()
    seen_at = models.DateTimeField()

    objects = SignalQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["key"], condition=Q(verdict=""), name="signal_open_once_per_series"),
            models.CheckConstraint(
                condition=Q(verdict="", verdict_at=None) | ~Q(verdict="") & Q(verdict_at__isnull=False),
                name="signal_verdict_has_time",
            ),
            models.CheckConstraint(condition=Q(verdict="") | ~Q(verdict_reason=""), name="signal_verdict_has_reason"),
            models.CheckConstraint(condition=Q(last_week__gte=models.F("first_week")), name="signal_weeks_in_order"),
        ]
        indexes = [
            models.Index(fields=["-verdict_at"], name="signal_by_verdict", condition=~Q(verdict="")),
            models.Index(fields=["key", "-id"], name="signal_by_series"),
        ]

    def __str__(self) -> str:
        return f"{self.reference} {self.name}"

    @property
    def reference(self) -> str:
        return signal_code(self.pk)

    @property
    def is_open(self) -> bool:
        return not self.verdict


class SignalEvent(models.Model):
    """What happened to a signal, by whom; appended and never changed."""

    class Type(models.TextChoices):
        RAISED = "raised", "raised it"
        AGAIN = "again", "saw it again"
        OWNED = "owned", "gave it to"
        ENDED = "ended", "ended it"
        REOPENED = "reopened", "opened it again"
        LINKED = "linked", "linked"

    signal = models.ForeignKey(Signal, on_delete=models.CASCADE, related_name="events")
    type = models.CharField(max_length=8, choices=Type.choices)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.type
