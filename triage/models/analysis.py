"""What the portal understood of an item, by which version of which tagger, and how sure it is."""

from typing import Self

from django.contrib.postgres.indexes import GinIndex
from django.contrib.postgres.search import SearchVectorField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import User
from intake.models import FeedbackItem
from triage.models.topics import Topic


class Analysis(models.Model):
    """What the taggers made of one item, topics apart. Derived, so it may be made again by newer versions."""

    class Sentiment(models.TextChoices):
        NEGATIVE = "neg", gettext_lazy("Negative")
        NEUTRAL = "neu", gettext_lazy("Neutral")
        POSITIVE = "pos", gettext_lazy("Positive")
        NONE = "none", gettext_lazy("Not clear")

    item = models.OneToOneField(FeedbackItem, on_delete=models.CASCADE, primary_key=True, related_name="analysis")
    language = models.CharField(max_length=12, default="und", db_default="und")
    sentiment = models.CharField(max_length=4, choices=Sentiment.choices, default="none", db_default="none")
    sentiment_score = models.FloatField(null=True)
    # 0 low, 1 normal, 2 high, 3 safety.
    urgency = models.PositiveSmallIntegerField(default=1, db_default=1)
    # Evidence of language, sentiment and urgency: {tagger: {"confidence", "reason", "evidence"}}.
    evidence = models.JSONField(default=dict)
    versions = models.JSONField(default=dict)
    # Taggers that broke on this item: {tagger: error}. The item goes on without them.
    failures = models.JSONField(default=dict)
    # Which vector is the item's: see `triage.understanding.embeddings`. None where there was no text, or it is gone.
    text_hash = models.BinaryField(null=True)

    analysed_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [models.CheckConstraint(condition=Q(urgency__lte=3), name="analysis_urgency_known")]
        # Who else has the same text, before its vector is forgotten.
        indexes = [models.Index(fields=["text_hash"], name="analysis_same_text", condition=Q(text_hash__isnull=False))]


class TaggingQuerySet(models.QuerySet["Tagging"]):
    def standing(self) -> Self:
        return self.filter(removed_at=None)


class Tagging(models.Model):
    """A topic's use on an item. A tag a person took off stays as a row, so that no tagger puts it back."""

    class Source(models.TextChoices):
        PERSON = "person", gettext_lazy("A person")
        RULE = "rule", gettext_lazy("A rule")
        MODEL = "model", gettext_lazy("The model")

    # Indexed by what holds a topic to once an item, which begins with it.
    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="taggings", db_index=False)
    topic = models.ForeignKey(Topic, on_delete=models.PROTECT, related_name="taggings")
    source = models.CharField(max_length=6, choices=Source.choices)
    confidence = models.FloatField(default=1.0)
    # {"reason": sentence, "spans": [[part, start, end], …]} as the tagger gave them.
    evidence = models.JSONField(default=dict)
    made_by = models.CharField(max_length=80, blank=True, default="")  # tagger and version, or the rule's name
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    removed_at = models.DateTimeField(null=True, blank=True)

    objects = TaggingQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "topic"], name="tagging_once_per_topic"),
            models.CheckConstraint(
                condition=Q(confidence__gte=0, confidence__lte=1), name="tagging_confidence_is_share"
            ),
        ]
        indexes = [models.Index(fields=["topic", "-item"], name="tagging_standing", condition=Q(removed_at=None))]


class SearchText(models.Model):
    """The text an item is found by: a side table filled in batches, so that no status change rewrites its index."""

    item = models.OneToOneField(FeedbackItem, on_delete=models.CASCADE, primary_key=True, related_name="search_text")
    document = SearchVectorField()

    class Meta:
        indexes = [GinIndex(fields=["document"], name="search_text_document", fastupdate=True)]
