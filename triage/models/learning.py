"""What was learned from people's corrections: versions of the models, and what waits to be learned or looked at again."""

from collections.abc import Iterable, Mapping
from typing import Any, Self

from django.db import connection, models
from django.db.models import F, Func, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models import FeedbackItem
from triage.models.events import Event

LARGEST_ARTEFACT = 64 * 1024 * 1024
WAIT_BEFORE_TRAINING = 60
"""Seconds from the first correction to the training, so that a row of corrections is learned at once."""


class Field(models.TextChoices):
    """What a model decides about an item."""

    TOPIC = "topic", gettext_lazy("Topics")
    TEAM = "team", gettext_lazy("Teams")
    URGENCY = "urgency", gettext_lazy("Urgency")
    SENTIMENT = "sentiment", gettext_lazy("Sentiment")
    SPAM = "spam", gettext_lazy("Spam")


BY_TAXONOMY = frozenset({Field.TOPIC, Field.TEAM})
"""Fields that go by the organisation's taxonomy before anything is learned; the others go by what words say."""

_TEACHES: Mapping[str, tuple[Field, ...]] = {
    Event.Type.TAGGED: (Field.TOPIC,),
    Event.Type.UNTAGGED: (Field.TOPIC,),
    Event.Type.ROUTED: (Field.TEAM,),
    Event.Type.RESOLVED: (Field.TEAM,),
    Event.Type.SEVERITY: (Field.URGENCY,),
}


def taught_by(kind: str, said: Mapping[str, Any]) -> tuple[Field, ...]:
    """What is learned from a deed of a person, by its event: see `triage.learning.corrections`. Everything that was answered says
    that it was no spam, but only what was spam is news worth a training of its own."""
    spam = kind == Event.Type.RESOLVED and said.get("resolution") == "spam"
    return (Field.SPAM,) if spam else _TEACHES.get(kind, ())


class Artefact(models.Model):
    """A model as bytes (npz and JSON, nothing that runs when it is read), by its hash and apart from the lists of versions."""

    sha256 = models.CharField(max_length=64, primary_key=True)
    size = models.PositiveIntegerField()
    content = models.BinaryField()
    # How it did on each correction it was trained from, while that was held back: see `triage.learning.training.Outcomes`.
    outcomes = models.BinaryField(default=bytes)

    class Meta:
        constraints = [
            models.CheckConstraint(condition=Q(size__lte=LARGEST_ARTEFACT), name="artefact_fits_in_a_worker"),
            models.CheckConstraint(
                condition=Q(size=Func(F("content"), function="octet_length", output_field=models.IntegerField())),
                name="artefact_is_whole",
            ),
        ]


class ModelVersionQuerySet(models.QuerySet["ModelVersion"]):
    def active(self) -> Self:
        return self.filter(state=ModelVersion.State.ACTIVE)

    def of(self, field: str) -> Self:
        return self.filter(field=field)

    def newest_first(self) -> Self:
        return self.order_by("-pk")


class ModelVersion(models.Model):
    """One model of one field as it was trained once; changed only through `triage.learning.training`."""

    class State(models.TextChoices):
        CANDIDATE = "candidate", gettext_lazy("Candidate")
        ACTIVE = "active", gettext_lazy("In use")
        REJECTED = "rejected", gettext_lazy("Not better")
        RETIRED = "retired", gettext_lazy("Replaced")

    field = models.CharField(max_length=12, choices=Field.choices)
    state = models.CharField(max_length=9, choices=State.choices, default=State.CANDIDATE)
    # The version that was in use when this one was trained, which it was measured against.
    parent = models.ForeignKey("self", on_delete=models.SET_NULL, null=True, blank=True, related_name="children")
    artefact = models.ForeignKey(Artefact, on_delete=models.PROTECT, null=True, related_name="versions")
    corrections = models.PositiveIntegerField(default=0)
    # Measured on corrections this version had not seen: see `triage.learning.training`.
    metrics = models.JSONField(default=dict)
    thresholds = models.JSONField(default=dict)
    # What the bytes can be read with: the encoder, the code that makes features of a text, and the taxonomy it was made for.
    encoder = models.CharField(max_length=64, blank=True, default="")
    features = models.PositiveSmallIntegerField(default=1)
    taxonomy = models.CharField(max_length=64)
    why_rejected = models.TextField(blank=True, default="")
    seconds = models.FloatField(default=0.0)
    created_at = models.DateTimeField(db_default=Now())
    activated_at = models.DateTimeField(null=True, blank=True)
    activated_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    # While the version in use is pinned, no other takes its place by itself.
    pinned_at = models.DateTimeField(null=True, blank=True)
    # How many items were marked to be looked at again when it came into use.
    looked_again = models.PositiveIntegerField(default=0)

    objects = ModelVersionQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["field"], condition=Q(state="active"), name="model_one_active_per_field"),
            models.CheckConstraint(
                # What the portal goes by on day one is the taxonomy, which needs no bytes.
                condition=~Q(state="active")
                | Q(activated_at__isnull=False) & (Q(artefact__isnull=False) | Q(corrections=0)),
                name="model_active_can_be_loaded",
            ),
            models.CheckConstraint(
                condition=~Q(state="rejected") | ~Q(why_rejected=""), name="model_rejected_says_why"
            ),
            models.CheckConstraint(condition=Q(pinned_at=None) | Q(state="active"), name="model_pinned_is_active"),
        ]
        indexes = [models.Index(fields=["field", "-id"], name="model_by_field")]

    def __str__(self) -> str:
        return f"{self.get_field_display()} {self.pk}"


class Training(PendingWork):
    """A field that people corrected, so that its model is trained anew; one row waits at most."""

    field = models.CharField(max_length=12, choices=Field.choices)

    objects = PendingQuerySet["Training"].as_manager()

    class Meta:
        constraints = [
            # One being worked on (its lease is held) may be asked for again, for it may have missed the newest correction.
            models.UniqueConstraint(
                fields=["field"],
                condition=Q(completed_at=None, parked_at=None, lease_token=None, attempts=0),
                name="training_waits_once",
            ),
        ]
        indexes = [due_index("training_due")]


class Refinement(PendingWork):
    """An item that was read by cheap means or by an older model, to be looked at again; what people touched stays."""

    class Why(models.TextChoices):
        CHEAP = "cheap", gettext_lazy("looked at again with the better model")
        PROMOTED = "promoted", gettext_lazy("looked at again with a newer model")
        ROLLED_BACK = "back", gettext_lazy("looked at again after the model was rolled back")
        ASKED = "asked", gettext_lazy("looked at again with what a model outside said")
        THEME = "theme", gettext_lazy("looked at again since it joined a theme")

    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="refinements")
    why = models.CharField(max_length=8, choices=Why.choices, default=Why.CHEAP)

    objects = PendingQuerySet["Refinement"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item"],
                condition=Q(completed_at=None, parked_at=None, lease_token=None, attempts=0),
                name="refinement_waits_once",
            ),
        ]
        indexes = [due_index("refinement_due")]


def mark_for_training(fields: Iterable[str], *, wait: int = WAIT_BEFORE_TRAINING) -> None:
    """These fields are to be trained in `wait` seconds, unless they wait already.

    Call it last in the transaction of the correction. As with changed days, a waiting row is shared until the correction
    is there to be read, so that no training takes the row and misses it.
    """
    wanted = sorted(set(fields))
    with connection.cursor() as cursor:
        while wanted:
            cursor.execute(
                "INSERT INTO triage_training (field, next_attempt_at)"
                " SELECT unnest(%s::text[]), statement_timestamp() + %s * interval '1 second' ON CONFLICT DO NOTHING",
                [wanted, wait],
            )
            cursor.execute(
                "SELECT field FROM triage_training WHERE field = ANY(%s) AND completed_at IS NULL AND parked_at IS NULL"
                " AND lease_token IS NULL AND attempts = 0 FOR SHARE",
                [wanted],
            )
            there = {field for (field,) in cursor.fetchall()}
            # One missing here was taken between the two statements: it is written anew.
            wanted = [field for field in wanted if field not in there]


def mark_for_refinement(items: Iterable[int], *, why: str = Refinement.Why.CHEAP) -> None:
    """These items are to be looked at again, each once, in this order."""
    Refinement.objects.bulk_create((Refinement(item_id=item, why=why) for item in items), ignore_conflicts=True)
