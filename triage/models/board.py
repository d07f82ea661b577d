"""The public board: which themes stand on it in our own words, and who says that it is the same for them."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import User
from triage.models.themes import Theme


class Board(models.Model):
    """Whether there is one, and what stands on top of it; one row for the organisation, and closed until somebody opens it."""

    only = models.BooleanField(primary_key=True, default=True)
    is_open = models.BooleanField(default=False)
    intro = models.TextField(blank=True, default="")
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(only=True), name="board_is_one_row")]


class BoardPost(models.Model):
    """A theme as the public reads it. It has no state of its own: how it stands is read from what was decided and done."""

    theme = models.OneToOneField(Theme, on_delete=models.CASCADE, related_name="board_post")
    # Written by a colleague, never taken from what customers wrote.
    title = models.CharField(max_length=160)
    text = models.TextField(blank=True, default="")
    published_at = models.DateTimeField(null=True)
    version = models.PositiveIntegerField(default=1, db_default=1)

    class Meta:
        constraints = [models.CheckConstraint(condition=~Q(title=""), name="board_post_has_title")]
        indexes = [
            models.Index(
                fields=["-published_at", "-id"], name="board_post_published", condition=Q(published_at__isnull=False)
            )
        ]


class MeToo(models.Model):
    """One browser's word that it is the same for its owner. It is no feedback: no words, no ticket, in no KPI."""

    post = models.ForeignKey(BoardPost, on_delete=models.CASCADE, related_name="me_toos", db_index=False)
    # The hash of a random number that only this browser has, in a signed cookie.
    voter = models.CharField(max_length=64)
    said_at = models.DateTimeField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["post", "voter"], name="me_too_once")]
