"""What a member of staff is told about, and what each of them chose."""

from typing import Self

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from triage.models.actions import Action
from triage.models.tickets import Ticket


class NoticeQuerySet(models.QuerySet["Notice"]):
    def unread(self) -> Self:
        return self.filter(read_at=None)


class Notice(models.Model):
    """One thing that concerns one person; codes and slots, so that each reads it in their own words. Written once, by
    `triage.telling`."""

    class Kind(models.TextChoices):
        MENTION = "mention", gettext_lazy("Somebody mentions me")
        ASSIGNED = "assigned", gettext_lazy("Something is given to me")
        ESCALATION = "escalation", gettext_lazy("A deadline of my team has passed")
        REPLY = "reply", gettext_lazy("A customer of mine answers")
        ACTION_DUE = "action_due", gettext_lazy("An action of mine is due")

    person = models.ForeignKey(User, on_delete=models.CASCADE, related_name="notices")
    kind = models.CharField(max_length=10, choices=Kind.choices)
    ticket = models.ForeignKey(Ticket, on_delete=models.CASCADE, null=True, blank=True, related_name="notices")
    action = models.ForeignKey(Action, on_delete=models.CASCADE, null=True, blank=True, related_name="+")
    # Who did it: a name as it was then, or empty.
    who = models.CharField(max_length=120, blank=True, default="")
    # What makes it the same notice: "assigned:<ticket>:<version>", "escalation:<ticket>:<due at>".
    once_key = models.CharField(max_length=120)
    happened_at = models.DateTimeField()
    read_at = models.DateTimeField(null=True, blank=True)
    mailed_at = models.DateTimeField(null=True, blank=True)

    objects = NoticeQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["person", "once_key"], name="notice_once_per_person"),
            models.CheckConstraint(
                condition=Q(ticket__isnull=False) | Q(action__isnull=False), name="notice_is_about_something"
            ),
        ]
        indexes = [
            models.Index(fields=["person", "-happened_at", "-id"], name="notice_of_person"),
            models.Index(fields=["person"], name="notice_unread", condition=Q(read_at=None)),
            models.Index(fields=["person", "happened_at"], name="notice_to_mail", condition=Q(mailed_at=None)),
        ]


class Preferences(models.Model):
    """How one person works; who never chose has no row, and the defaults hold."""

    person = models.OneToOneField(User, on_delete=models.CASCADE, primary_key=True, related_name="preferences")
    has_single_keys = models.BooleanField(default=True, db_default=True)
    # Acts that another key presses than usual: {"route": "w"}. See `triage.desk.keys`.
    keys = models.JSONField(default=dict)
    is_compact = models.BooleanField(default=False, db_default=False)
    has_big_text = models.BooleanField(default=False, db_default=False)
    # Kinds of notices that do not ring in the app, and those that come by mail in the morning's digest.
    silenced = ArrayField(models.CharField(max_length=10), default=list, blank=True)
    mailed = ArrayField(models.CharField(max_length=10), default=list, blank=True)
