"""Who has which ticket open right now. The table is unlogged: a crash forgets it, and half a minute later it is true again."""

from datetime import datetime, timedelta
from typing import Self

from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor
from triage.models.tickets import Ticket

GONE_AFTER = timedelta(seconds=40)
"""Who was not heard of for so long has left; a page says every 15 seconds that it is still there."""


class PresenceQuerySet(models.QuerySet["Presence"]):
    def here(self, at: datetime) -> Self:
        return self.filter(seen_at__gt=at - GONE_AFTER)

    def visible_to(self, actor: Actor) -> Self:
        """Of colleagues at tickets that exist for this actor; oneself is not told of oneself."""
        others = self.exclude(person=actor.user)
        return others if actor.sees_everything else others.filter(ticket__team__in=actor.team_ids)


class Presence(models.Model):
    """One person at one ticket, however many of their windows show it; what they do there is what they said last."""

    class Doing(models.TextChoices):
        VIEWING = "viewing", gettext_lazy("looks at it")
        REPLYING = "replying", gettext_lazy("is replying")
        EDITING = "editing", gettext_lazy("is deciding")
        AWAY = "away", gettext_lazy("has it open, but is away")

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, related_name="presences")
    doing = models.CharField(max_length=8, choices=Doing.choices)
    seen_at = models.DateTimeField()

    objects = PresenceQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["ticket", "person"], name="presence_once_per_ticket"),
            models.CheckConstraint(
                condition=Q(doing__in=["viewing", "replying", "editing", "away"]), name="presence_has_known_doing"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.person} {self.get_doing_display()}"
