"""What a customer said, normalised; never changed afterwards except by `privacy`."""

import uuid

from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from feedback_portal.codes import customer_code
from feedback_portal.pending import PendingQuerySet, PendingWork, due_index
from intake.models.channels import Channel
from intake.models.customers import Customer
from intake.models.submissions import Submission


class FeedbackItem(models.Model):
    """The immutable fact. It shares its primary key with its submission, so one-to-one is not a rule but a shape."""

    submission = models.OneToOneField(Submission, on_delete=models.PROTECT, primary_key=True, related_name="item")
    channel = models.ForeignKey(Channel, on_delete=models.PROTECT, related_name="items")
    # An index below begins with it, as one does with `follows`, which nearly no item has.
    customer = models.ForeignKey(Customer, on_delete=models.SET_NULL, null=True, db_index=False, related_name="items")
    title = models.CharField(max_length=300, blank=True, default="")
    text = models.TextField(blank=True, default="")
    # The beginning of the text on one line, for lists, which never read bodies.
    excerpt = models.CharField(max_length=160, blank=True, default="")
    declared_language = models.CharField(max_length=12, blank=True, default="")
    rating_scale = models.CharField(max_length=12, blank=True, default="")
    rating_value = models.DecimalField(max_digits=6, decimal_places=2, null=True, validators=[MinValueValidator(0)])
    product = models.CharField(max_length=120, blank=True, default="")
    product_version = models.CharField(max_length=60, blank=True, default="")
    url = models.URLField(max_length=1000, blank=True, default="")
    # As shown beside a public post; empty for whom we know as a customer.
    author = models.CharField(max_length=120, blank=True, default="", db_default="")
    # The sender's id of the conversation it belongs to, and the earlier item of it that this one answers.
    thread = models.CharField(max_length=255, blank=True, default="", db_default="")
    follows = models.ForeignKey(
        "self", on_delete=models.SET_NULL, null=True, db_index=False, related_name="followed_by"
    )
    is_private = models.BooleanField(default=False, db_default=False)
    context = models.JSONField(default=dict)
    may_contact = models.BooleanField(default=False)
    is_test = models.BooleanField(default=False)
    submitted_at = models.DateTimeField()
    received_at = models.DateTimeField()
    connector_version = models.PositiveSmallIntegerField(default=1)

    class Meta:
        constraints = [
            models.CheckConstraint(
                condition=Q(rating_scale="", rating_value=None) | (~Q(rating_scale="") & Q(rating_value__isnull=False)),
                name="feedback_rating_has_scale_and_value",
            ),
            models.CheckConstraint(
                condition=~Q(text="") | ~Q(title="") | Q(rating_value__isnull=False), name="feedback_says_something"
            ),
        ]
        indexes = [
            models.Index(fields=["received_at", "submission"], name="feedback_by_arrival"),
            models.Index(fields=["rating_scale", "received_at"], name="feedback_rated", condition=~Q(rating_scale="")),
            models.Index(fields=["customer", "-received_at"], name="feedback_by_customer"),
            models.Index(fields=["follows"], name="feedback_followed", condition=Q(follows__isnull=False)),
            models.Index(
                fields=["channel", "thread", "submission"], name="feedback_by_thread", condition=~Q(thread="")
            ),
        ]

    @property
    def reference(self) -> str:
        return customer_code(self.pk)

    @property
    def headline(self) -> str:
        """What stands in a list when the customer gave no title."""
        return self.title or self.excerpt or f"Rated {self.rating_value:.0f} ({self.rating_scale})"


class Arrival(PendingWork):
    """A new item that the floor above has not taken in yet; written in the transaction that made the item.

    Intake knows of no one above, so it leaves word here, and whoever understands items drains it.
    """

    item = models.OneToOneField(FeedbackItem, on_delete=models.CASCADE, related_name="arrival")

    objects = PendingQuerySet["Arrival"].as_manager()

    class Meta:
        indexes = [
            due_index("arrival_due"),
            models.Index(fields=["-parked_at"], name="arrival_parked", condition=Q(parked_at__isnull=False)),
        ]


class Attachment(models.Model):
    """A file under a random name on our storage: one a customer sent, or, without a submission, one that a row of the floor above
    holds. Whatever file has no row here is swept up."""

    submission = models.ForeignKey(Submission, on_delete=models.CASCADE, null=True, related_name="attachments")
    public_id = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=160)
    content_type = models.CharField(max_length=80)
    size = models.PositiveIntegerField()
    sha256 = models.BinaryField(max_length=32)
    stored_as = models.CharField(max_length=80, unique=True)
    created_at = models.DateTimeField(db_default=Now())
