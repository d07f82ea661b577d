"""Searches that people keep, share and are sent."""

from typing import Final, Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor

COLUMNS: Final = ("excerpt", "suggestion", "tags", "language", "assignee", "due")
"""What a row may show beside its title."""


class SavedViewQuerySet(models.QuerySet["SavedView"]):
    def visible_to(self, actor: Actor) -> Self:
        """One's own, those shared with one's teams, and those shared with everybody. What they find is for each reader what they
        may see."""
        shared = Q(sharing="all") | Q(sharing="team", team__in=actor.team_ids)
        if actor.sees_everything:
            shared |= Q(sharing="team")
        return self.filter(Q(owner=actor.user) | shared)

    def changeable_by(self, actor: Actor) -> Self:
        """One's own, and shared ones of the people one answers for."""
        return self.filter(Q(owner=actor.user) | ~Q(sharing="me") & Q(owner__in=actor.led))


class SavedView(models.Model):
    """Changed through `triage.desk.saved` only."""

    class Sharing(models.TextChoices):
        ME = "me", gettext_lazy("Only I")
        TEAM = "team", gettext_lazy("A team")
        ALL = "all", gettext_lazy("Everybody")

    class Order(models.TextChoices):
        USUAL = "", gettext_lazy("As usual")
        URGENCY = "urgency", gettext_lazy("Most urgent first")
        NEWEST = "newest", gettext_lazy("Newest first")
        OLDEST = "oldest", gettext_lazy("Oldest first")

    owner = models.ForeignKey(User, on_delete=models.CASCADE, related_name="saved_views")
    name = models.CharField(max_length=60)
    query = models.CharField(max_length=256, blank=True, default="")
    tab = models.CharField(max_length=9, blank=True, default="")
    colour = models.PositiveSmallIntegerField(default=0)
    sharing = models.CharField(max_length=4, choices=Sharing.choices, default=Sharing.ME)
    team = models.ForeignKey(Team, on_delete=models.CASCADE, null=True, blank=True, related_name="saved_views")
    order = models.CharField(max_length=7, choices=Order.choices, blank=True, default="")
    columns = ArrayField(models.CharField(max_length=12), default=list, blank=True)
    created_at = models.DateTimeField(db_default=Now())

    objects = SavedViewQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["owner", "name"], name="saved_view_once_per_name"),
            models.CheckConstraint(condition=~Q(name=""), name="saved_view_has_name"),
            models.CheckConstraint(condition=Q(colour__lte=6), name="saved_view_has_known_colour"),
            models.CheckConstraint(
                condition=Q(sharing="team", team__isnull=False) | ~Q(sharing="team") & Q(team=None),
                name="saved_view_shared_with_a_team",
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Subscription(models.Model):
    """Somebody is sent what a view finds. Whoever may not see the view any more is sent nothing."""

    class Every(models.TextChoices):
        DAY = "day", gettext_lazy("Every morning")
        WEEK = "week", gettext_lazy("On Mondays")

    view = models.ForeignKey(SavedView, on_delete=models.CASCADE, related_name="subscriptions")
    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="+")
    every = models.CharField(max_length=4, choices=Every.choices)
    # The day, in the reader's zone, up to which it was sent.
    sent_on = models.DateField(null=True, blank=True)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["view", "person"], name="subscription_once_per_view")]
