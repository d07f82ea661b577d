"""Living groups of items that say the same thing, and what people did with them."""

from collections.abc import Iterable
from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Exists, F, OuterRef, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy, pgettext_lazy

from feedback_portal.accounts.models import ApiKey, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import theme_code
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models import FeedbackItem
from triage.models.actions import Action
from triage.models.tickets import Ticket
from triage.models.topics import Topic


class ThemeQuerySet(models.QuerySet["Theme"]):
    def living(self) -> Self:
        """Those that still gather items: joined into none, and not given up."""
        return self.filter(joined_into=None, retired_at=None)

    def visible_to(self, actor: Actor) -> Self:
        """Themes of a topic of one's teams, and those in which something is said to one of them; everything else answers 404.
        What counts a theme shows are always of all its members."""
        if actor.sees_everything:
            return self
        mine = Ticket.objects.filter(item__theme_member__theme=OuterRef("pk"), team__in=actor.team_ids)
        return self.filter(Q(topic__team__in=actor.team_ids) | Exists(mine))


class Theme(models.Model):
    """Changed by people through `triage.themes` only, by compare-and-set on `version`; grouped by `triage.themes.grouping`."""

    class State(models.TextChoices):
        NEW = "new", pgettext_lazy("theme", "New")
        GROWING = "growing", gettext_lazy("Growing")
        REGRESSED = "regressed", gettext_lazy("Back after a fix")
        RESTING = "resting", gettext_lazy("Quiet until it grows")
        STEADY = "steady", gettext_lazy("Steady")

    class MadeBy(models.TextChoices):
        MACHINE = "machine", gettext_lazy("the portal")
        PERSON = "person", gettext_lazy("a person")

    name = models.CharField(max_length=160)
    # A name a person gave is never replaced by a proposed one.
    is_named = models.BooleanField(default=False)
    description = models.TextField(blank=True, default="")
    # None: what fits no topic, the new voices.
    topic = models.ForeignKey(Topic, on_delete=models.SET_NULL, null=True, related_name="themes", db_index=False)
    made_by = models.CharField(max_length=7, choices=MadeBy.choices, default=MadeBy.MACHINE)
    state = models.CharField(max_length=9, choices=State.choices, default=State.NEW)
    state_at = models.DateTimeField()
    # When it last grew beyond its forecast, and by how much: {"window", "count", "expected", "p"}.
    grew_at = models.DateTimeField(null=True)
    growth = models.JSONField(default=dict)
    rested_at = models.DateTimeField(null=True)
    is_frozen = models.BooleanField(default=False)
    # A person split, joined or froze it: its centre stands, and grouping anew works around it.
    is_shaped = models.BooleanField(default=False)
    joined_into = models.ForeignKey("self", on_delete=models.PROTECT, null=True, related_name="joined")
    retired_at = models.DateTimeField(null=True)
    centre = models.BinaryField(default=b"")
    space = models.CharField(max_length=120, default="", blank=True)
    words = ArrayField(models.CharField(max_length=80), default=list)
    size = models.PositiveIntegerField(default=0)
    customers = models.PositiveIntegerField(default=0)
    first_at = models.DateTimeField(null=True)
    last_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)
    created_at = models.DateTimeField(db_default=Now())

    objects = ThemeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(condition=~Q(joined_into=F("id")), name="theme_not_joined_into_itself"),
            models.CheckConstraint(
                condition=Q(state="resting", rested_at__isnull=False) | ~Q(state="resting") & Q(rested_at=None),
                name="theme_resting_since",
            ),
            models.CheckConstraint(
                condition=Q(state__in=["new", "growing", "regressed", "resting", "steady"]),
                name="theme_has_known_state",
            ),
        ]
        indexes = [
            models.Index(fields=["topic", "id"], name="theme_living", condition=Q(joined_into=None, retired_at=None)),
            models.Index(fields=["-size", "-id"], name="theme_by_size", condition=Q(joined_into=None, retired_at=None)),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def reference(self) -> str:
        return theme_code(self.pk)


class ThemeMember(models.Model):
    """Where an item belongs: one theme at most. A row that a person wrote stands, also one that says "in none"."""

    class Source(models.TextChoices):
        PERSON = "person", gettext_lazy("A person")
        RULE = "rule", gettext_lazy("A rule")
        MACHINE = "machine", gettext_lazy("The portal")

    item = models.OneToOneField(FeedbackItem, on_delete=models.CASCADE, primary_key=True, related_name="theme_member")
    theme = models.ForeignKey(Theme, on_delete=models.CASCADE, null=True, related_name="members", db_index=False)
    source = models.CharField(max_length=7, choices=Source.choices, default=Source.MACHINE)
    score = models.FloatField(default=1.0)
    reason = models.CharField(max_length=200, default="", blank=True)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    joined_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(theme__isnull=False) | Q(source="person"), name="theme_member_in_none_by_a_person"
            ),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="theme_member_score_is_share"),
        ]
        indexes = [models.Index(fields=["theme", "-item"], name="theme_member_newest")]


class ThemeEvent(models.Model):
    """What was done with a theme, by whom; appended and never changed, which the database itself holds."""

    class Type(models.TextChoices):
        FOUND = "found", gettext_lazy("found it")
        RENAMED = "renamed", gettext_lazy("renamed it")
        DESCRIBED = "described", gettext_lazy("described it")
        SPLIT = "split", gettext_lazy("split it")
        JOINED = "joined", gettext_lazy("joined it")
        FROZEN = "frozen", gettext_lazy("froze it")
        THAWED = "thawed", gettext_lazy("let it move again")
        RESTED = "rested", gettext_lazy("put it to rest")
        WOKE = "woke", gettext_lazy("woke it")
        MOVED = "moved", gettext_lazy("moved an item")
        LINKED = "linked", gettext_lazy("linked an action")
        UNLINKED = "unlinked", gettext_lazy("unlinked an action")
        GREW = "grew", gettext_lazy("grew beyond its forecast")
        REGRESSED = "regressed", gettext_lazy("came back after a fix")
        RETIRED = "retired", gettext_lazy("gave it up")
        DECIDED = "decided", gettext_lazy("decided about it")
        POSTED = "posted", gettext_lazy("put it on the board")
        UNPOSTED = "unposted", gettext_lazy("took it off the board")

    theme = models.ForeignKey(Theme, on_delete=models.CASCADE, related_name="events", db_index=False)
    type = models.CharField(max_length=9, choices=Type.choices)
    person = models.ForeignKey(User, on_delete=models.PROTECT, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.PROTECT, null=True, related_name="+")
    # Names, codes and counts; never a customer's words.
    data = models.JSONField(default=dict)
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())

    class Meta:
        indexes = [models.Index(fields=["theme", "-id"], name="theme_event_newest")]


class ThemeAction(models.Model):
    """An improvement that answers a theme; unlinking keeps the row."""

    theme = models.ForeignKey(Theme, on_delete=models.CASCADE, related_name="action_links")
    action = models.ForeignKey(Action, on_delete=models.PROTECT, related_name="theme_links")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    linked_at = models.DateTimeField()
    unlinked_at = models.DateTimeField(null=True)

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["theme", "action"], condition=Q(unlinked_at=None), name="theme_action_linked_once"
            ),
        ]


class Regrouping(PendingWork):
    """A topic (or none) with items that are in no theme yet, to be grouped. One that waits is not written twice."""

    topic = models.ForeignKey(Topic, on_delete=models.CASCADE, null=True, related_name="+")

    objects = PendingQuerySet["Regrouping"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["topic"],
                condition=Q(completed_at=None, parked_at=None, lease_token=None, attempts=0),
                nulls_distinct=False,
                name="regrouping_waits_once",
            ),
        ]
        indexes = [due_index("regrouping_due")]


def themes_of(items: Iterable[int]) -> dict[int, frozenset[str]]:
    """The themes of these items as rules name them, by item; one query. What is in none is left out."""
    rows = ThemeMember.objects.filter(item__in=items, theme__isnull=False).values_list("item", "theme")
    return {item: frozenset({theme_code(theme)}) for item, theme in rows if theme}
