"""What an item is compared by, and what it was found to be like."""

from django.contrib.postgres.fields import ArrayField
from django.contrib.postgres.indexes import GinIndex
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy

from feedback_portal.accounts.models import ApiKey, User
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models import FeedbackItem
from triage.models.topics import Topic


class Wording(models.Model):
    """Derived from an item's words, so it goes with them; see `triage.alike` for what the bytes are."""

    item = models.OneToOneField(FeedbackItem, on_delete=models.CASCADE, primary_key=True, related_name="wording")
    minhash = models.BinaryField(default=b"")
    bands = ArrayField(models.BigIntegerField(), default=list)
    # The first item that said this, in nearly the same words.
    copy_of = models.ForeignKey(FeedbackItem, on_delete=models.SET_NULL, null=True, related_name="copies")
    bag = models.BinaryField(default=b"")
    heading = models.BinaryField(default=b"")
    # The surest topic when it was last grouped: themes are sought inside a topic.
    topic = models.ForeignKey(Topic, on_delete=models.SET_NULL, null=True, related_name="+", db_index=False)

    class Meta:
        indexes = [
            # Only the first of each group of copies is met, so a flood of one text stays one entry.
            GinIndex(fields=["bands"], name="wording_bands", condition=Q(copy_of=None)),
            models.Index(fields=["topic", "-item"], name="wording_by_topic"),
        ]


class Gathering(PendingWork):
    """An item that is still to be compared with the others; written in the transaction that took it in."""

    item = models.OneToOneField(FeedbackItem, on_delete=models.CASCADE, related_name="gathering")

    objects = PendingQuerySet["Gathering"].as_manager()

    class Meta:
        indexes = [due_index("gathering_due")]


class LikelyDuplicate(models.Model):
    """A suggestion that `item` says the same as the earlier `other`, with what a person can check it by."""

    class Kind(models.TextChoices):
        COPY = "copy", gettext_lazy("nearly the same words")
        ALIKE = "alike", gettext_lazy("the same in other words")

    item = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="likely_originals")
    other = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="likely_duplicates")
    kind = models.CharField(max_length=5, choices=Kind.choices)
    score = models.FloatField()
    # {"words": [shared words], "same": ["customer", "product", "batch" …], "apart": seconds, "identical": true or false}
    reason = models.JSONField(default=dict)
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["item", "other"], name="likely_duplicate_once_per_pair"),
            models.CheckConstraint(condition=Q(other__lt=F("item")), name="likely_duplicate_names_the_earlier"),
            models.CheckConstraint(condition=Q(score__gte=0, score__lte=1), name="likely_duplicate_score_is_share"),
        ]


class NotTheSame(models.Model):
    """Two items that a person told apart, by turning the suggestion down or by taking a merge apart. No machine suggests or merges
    the pair again."""

    class Because(models.TextChoices):
        DISMISSED = "dismissed", gettext_lazy("the suggestion was turned down")
        UNMERGED = "unmerged", gettext_lazy("the merge was taken apart")

    first = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="+", db_index=False)
    second = models.ForeignKey(FeedbackItem, on_delete=models.CASCADE, related_name="+")
    because = models.CharField(max_length=9, choices=Because.choices)
    person = models.ForeignKey(User, on_delete=models.SET_NULL, null=True, related_name="+")
    key = models.ForeignKey(ApiKey, on_delete=models.SET_NULL, null=True, related_name="+")
    said_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["first", "second"], name="not_the_same_once_per_pair"),
            models.CheckConstraint(condition=Q(first__lt=F("second")), name="not_the_same_in_order"),
        ]
