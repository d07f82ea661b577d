"""Models outside that may be asked, one a tagger: how each is reached, what it may cost, what it said and what it was spent."""

from typing import Self

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.accounts.models import User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from feedback_portal.sealing import seal_texts, unseal_texts
from intake.models import FeedbackItem

LONGEST_SECONDS = 60


class ProviderQuerySet(models.QuerySet["Provider"]):
    def enabled(self) -> Self:
        return self.filter(is_enabled=True)


class Provider(models.Model):
    """An OpenAI-compatible server that one tagger may ask; off until an administrator switches it on."""

    # The tagger's slug, and no choices: a new tagger that may ask needs no migration.
    tagger = models.CharField(max_length=40, unique=True)
    base_url = models.CharField(max_length=300)
    model = models.CharField(max_length=120)
    # Sealed; see `key`.
    sealed_key = models.BinaryField(default=b"", blank=True)
    seconds = models.PositiveSmallIntegerField(default=20)
    daily_requests = models.PositiveIntegerField(default=1_000)
    daily_tokens = models.PositiveIntegerField(default=1_000_000)
    # It is asked only where the portal's own suggestion is less sure than this.
    below = models.FloatField(default=0.8)
    is_enabled = models.BooleanField(default=False, db_default=False)
    # The circuit breaker: failures in a row, and until when nothing is asked.
    failures = models.PositiveIntegerField(default=0, db_default=0)
    rests_until = models.DateTimeField(null=True, blank=True)
    last_error = models.CharField(max_length=500, default="", db_default="", blank=True)
    last_answer_at = models.DateTimeField(null=True, blank=True)
    changed_by = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True, related_name="+")
    changed_at = models.DateTimeField(db_default=Now())

    objects = ProviderQuerySet.as_manager()

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(seconds__gte=1, seconds__lte=LONGEST_SECONDS), name="provider_answers_within_a_lease"
            ),
            models.CheckConstraint(condition=Q(below__gte=0, below__lte=1), name="provider_below_is_share"),
        ]

    def __str__(self) -> str:
        return f"{self.model} for {self.tagger}"

    @property
    def key(self) -> str:
        return unseal_texts(bytes(self.sealed_key)).get("key", "")

    @key.setter
    def key(self, text: str) -> None:
        self.sealed_key = seal_texts({"key": text} if text else {})


class Question(PendingWork):
    """An item that a provider is still to be asked about; what the portal itself made of it stands meanwhile, and after."""

    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="questions")
    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="questions")
    asked_at = models.DateTimeField(db_default=Now())

    objects = PendingQuerySet["Question"].as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["item", "provider"],
                condition=Q(completed_at=None, parked_at=None, lease_token=None, attempts=0),
                name="question_waits_once",
            ),
        ]
        indexes = [due_index("question_due")]


class ProviderAnswer(models.Model):
    """What a model said of a text, as far as it held: kept by the text's hash and the version of the prompt, so that the same is
    asked once, and forgotten with the last item that says it."""

    tagger = models.CharField(max_length=40)
    text_hash = models.BinaryField()
    model = models.CharField(max_length=120)
    prompt = models.CharField(max_length=20)
    # [{"label", "quotes"}], the likeliest first; empty when nothing it said held.
    named = models.JSONField(default=list)
    # How often such answers were right so far, when it was given.
    confidence = models.FloatField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["text_hash", "tagger", "model", "prompt"], name="provider_answer_once_per_prompt"
            ),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="provider_answer_confidence_is_share"
            ),
        ]


class ProviderDay(models.Model):
    """What one provider was asked on one day (in UTC): a request counts before it is sent, so that no budget is overdrawn."""

    provider = models.ForeignKey(Provider, on_delete=models.CASCADE, related_name="days")
    day = models.DateField()
    requests = models.PositiveIntegerField(default=0, db_default=0)
    tokens = models.PositiveBigIntegerField(default=0, db_default=0)
    answers = models.PositiveIntegerField(default=0, db_default=0)
    failures = models.PositiveIntegerField(default=0, db_default=0)
    # Labels and quotes that did not hold and were thrown away.
    dropped = models.PositiveIntegerField(default=0, db_default=0)

    class Meta:
        constraints = [models.UniqueConstraint(fields=["provider", "day"], name="provider_day_once")]
