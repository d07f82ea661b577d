"""What a snoozed ticket waits for, besides the time at which it comes back anyway."""

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from triage.models.actions import Action
from triage.models.themes import Theme
from triage.models.tickets import Ticket


class Awaited(models.Model):
    """One a ticket, of no meaning once the ticket is snoozed no more; written by `triage.deciding.snoozing`."""

    class Kind(models.TextChoices):
        REPLY = "reply", gettext_lazy("The customer answers")
        REPORTS = "reports", gettext_lazy("More say the same")
        SHIP = "ship", gettext_lazy("The action ships")

    ticket = models.OneToOneField(Ticket, on_delete=models.CASCADE, primary_key=True, related_name="awaited")
    kind = models.CharField(max_length=7, choices=Kind.choices)
    # More say the same: as soon as the theme has so many items.
    theme = models.ForeignKey(Theme, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    size = models.PositiveIntegerField(null=True, blank=True)
    action = models.ForeignKey(Action, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    asked_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(kind="reports", theme__isnull=False, size__isnull=False, action=None)
                | Q(kind="ship", action__isnull=False, theme=None, size=None)
                | Q(kind="reply", theme=None, size=None, action=None),
                name="awaited_names_what_it_waits_for",
            ),
        ]

    def __str__(self) -> str:
        return self.get_kind_display()
