"""Erasing what a person said and who they were: the only code that changes a stored submission or its item."""

import secrets
from collections.abc import Sequence
from datetime import datetime

from django.db.models import Case, CharField, DateTimeField, Value, When
from django.db.models.functions import Cast, Coalesce, Concat

from feedback_portal.accounts.models import hashed
from intake import attachments
from intake.models import (
    Account,
    AccountIdentity,
    Arrival,
    Customer,
    Delivery,
    FeedbackItem,
    Identity,
    Ownership,
    Revision,
    Submission,
)

ERASED = "Deleted by the customer."


def erase(submission: Submission, *, at: datetime) -> None:
    """Words, files and identity go, inside the caller's transaction; the row that is counted stays, and so does the sender's
    own id for it with the hash of its bytes, so that the same thing arriving again is not taken in anew. The private link dies."""
    attachments.forget(submission.attachments.all())
    item = FeedbackItem.objects.filter(pk=submission.pk).first()
    if item is not None:
        _erase_sender(item, at=at)
        FeedbackItem.objects.filter(pk=item.pk).update(
            # What came without words stays without: whoever counts texts counts as many as before.
            title="",
            text=Case(When(text="", then=Value("")), default=Value(ERASED)),
            excerpt=ERASED,
            url="",
            author="",
            thread="",
            context={},
        )
        # What went wrong with it was often told in its own words.
        Arrival.objects.filter(item=item).update(last_error="")
    Revision.objects.filter(submission=submission).delete()
    erase_calls([submission.pk])
    Submission.objects.filter(pk=submission.pk).update(
        payload=b"",
        headers={},
        is_sealed=False,
        conflicting_payload=None,
        ignored_reason="",
        last_error="",
        # There is nothing left to try.
        parked_at=None,
        completed_at=Coalesce("completed_at", Value(at, output_field=DateTimeField())),
        tracking_hash=hashed(secrets.token_urlsafe(32)),
        gone_at=Coalesce("gone_at", Value(at, output_field=DateTimeField())),
    )


def anonymise(customers: Sequence[int], *, at: datetime) -> None:
    """Nameless rows stay, so that customers are still counted; nothing tells any more who they were, here or elsewhere."""
    Identity.objects.filter(customer__in=customers).delete()
    Ownership.objects.filter(customer__in=customers).delete()
    Customer.objects.filter(pk__in=customers).update(
        external_id=None, email="", name="", language="", account=None, erased_at=at
    )


def anonymise_companies(accounts: Sequence[int]) -> None:
    """What a company is worth and its segment stay, so that what was counted by them stays; its name goes, and its people leave."""
    AccountIdentity.objects.filter(account__in=accounts).delete()
    Ownership.objects.filter(account__in=accounts).delete()
    Customer.objects.filter(account__in=accounts).update(account=None)
    deleted = Concat(Value("deleted:"), Cast("pk", CharField()))
    Account.objects.filter(pk__in=accounts).update(external_id=deleted, name="", domain="", owner="")


def erase_calls(submissions: Sequence[int]) -> None:
    """The calls that told of them lose their words; that they came, and under which id, stays, so that no repeat is taken in."""
    Delivery.objects.filter(told_of__overlap=list(submissions)).update(
        body=b"", conflicting_body=None, headers={}, url="", last_error=""
    )


def _erase_sender(item: FeedbackItem, *, at: datetime) -> None:
    """Who said nothing else becomes a nameless row, so that customers are still counted; who did keeps their other items. Who
    is nameless already stays the one that said it all: somebody's answers are counted as one person's."""
    if item.customer_id is None or Customer.objects.filter(pk=item.customer_id, erased_at__isnull=False).exists():
        return
    if FeedbackItem.objects.filter(customer=item.customer_id).exclude(pk=item.pk).exists():
        FeedbackItem.objects.filter(pk=item.pk).update(customer=None)
        return
    anonymise([item.customer_id], at=at)
