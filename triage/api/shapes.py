"""How the schema describes what this API takes and gives, and how its answers are put into words."""

from datetime import datetime
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError
from intake.models import Account, Customer, FeedbackItem
from triage.models import Event, Ticket

PROBLEM = inline_serializer(
    "Refusal",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(),
        "errors": serializers.ListField(child=serializers.DictField(), required=False),
    },
)
PROBLEMS = dict.fromkeys((400, 401, 403, 404, 409, 422), PROBLEM)
QUERY = OpenApiParameter("q", OpenApiTypes.STR, description="A search, as in `is:untriaged tag:leak value:>5000`.")
PAGING = [
    OpenApiParameter("cursor", OpenApiTypes.STR, description="`next` of the page before."),
    OpenApiParameter("limit", OpenApiTypes.INT, description="At most 200; 50 if left out."),
]
TICKET: dict[str, Any] = {
    "reference": serializers.CharField(),
    "version": serializers.IntegerField(),
    "status": serializers.CharField(),
    "resolution": serializers.CharField(allow_null=True),
    "resolution_reason": serializers.CharField(),
    "team": serializers.CharField(),
    "stage": serializers.CharField(allow_null=True),
    "assignee": serializers.EmailField(allow_null=True),
    "severity": serializers.IntegerField(),
    "due_at": serializers.DateTimeField(),
    "received_at": serializers.DateTimeField(),
    "triaged_at": serializers.DateTimeField(allow_null=True),
    "resolved_at": serializers.DateTimeField(allow_null=True),
    "snoozed_until": serializers.DateTimeField(allow_null=True),
    "duplicate_of": serializers.CharField(allow_null=True),
    "feedback": serializers.DictField(),
}

EVENT: dict[str, Any] = {
    "type": serializers.CharField(),
    "source": serializers.CharField(),
    "by": serializers.CharField(),
    "data": serializers.DictField(),
    "occurred_at": serializers.DateTimeField(),
    "recorded_at": serializers.DateTimeField(),
}


def listed(name: str, fields: dict[str, Any]) -> serializers.Serializer[Any]:
    """One page of a list, for the schema."""
    inside = inline_serializer(name, fields, many=True)
    return inline_serializer(f"{name}Page", {"results": inside, "next": serializers.CharField(allow_null=True)})


def ticket_told(ticket: Ticket) -> dict[str, Any]:
    """A ticket with the beginning of what was said; its team, stage, assignee and item must be loaded."""
    item = ticket.item
    return {
        "reference": ticket.reference,
        "version": ticket.version,
        "status": ticket.status,
        "resolution": ticket.resolution or None,
        "resolution_reason": ticket.resolution_reason,
        "team": ticket.team.slug,
        "stage": ticket.stage.slug if ticket.stage else None,
        "assignee": ticket.assignee.email if ticket.assignee else None,
        "severity": ticket.severity,
        "due_at": time_told(ticket.due_at),
        "received_at": time_told(ticket.received_at),
        "triaged_at": time_told(ticket.triaged_at),
        "resolved_at": time_told(ticket.resolved_at),
        "snoozed_until": time_told(ticket.snoozed_until),
        "duplicate_of": ticket.duplicate_of.reference if ticket.duplicate_of else None,
        "feedback": {
            "id": str(item.submission.public_id),
            "reference": item.reference,
            "title": item.title,
            "excerpt": item.excerpt,
        },
    }


def item_told(item: FeedbackItem) -> dict[str, Any]:
    """What was said, without its body; its submission, channel and customer must be loaded."""
    return {
        "id": str(item.submission.public_id),
        "reference": item.reference,
        "channel": item.channel.slug,
        "external_id": item.submission.external_id,
        "title": item.title,
        "excerpt": item.excerpt,
        "rating": {"scale": item.rating_scale, "value": float(item.rating_value)}
        if item.rating_value is not None
        else None,
        "customer": {"id": item.customer.pk, "external_id": item.customer.external_id, "name": item.customer.name}
        if item.customer
        else None,
        "product": item.product,
        "product_version": item.product_version,
        "submitted_at": time_told(item.submitted_at),
        "received_at": time_told(item.received_at),
    }


def customer_told(customer: Customer) -> dict[str, Any]:
    account: Account | None = customer.account
    return {
        "id": customer.pk,
        "external_id": customer.external_id,
        "name": customer.name,
        "email": customer.email,
        "language": customer.language,
        "account": {
            "external_id": account.external_id,
            "name": account.name,
            "segment": account.segment,
            "value": float(account.value) if account.value is not None else None,
            "currency": account.currency,
        }
        if account
        else None,
        "opted_out_at": time_told(customer.opted_out_at),
    }


def event_told(event: Event) -> dict[str, Any]:
    """One thing decided or done; its person and key must be loaded."""
    by = Actor(user=event.person, key=event.key).name if event.person or event.key else event.source
    data = {name: value for name, value in event.data.items() if name != "before"}
    return {
        "type": event.type,
        "source": event.source,
        "by": by,
        "data": data,
        "occurred_at": time_told(event.occurred_at),
        "recorded_at": time_told(event.recorded_at),
    }


def time_told(at: datetime | None) -> str | None:
    """RFC 3339 in UTC."""
    return at.isoformat().replace("+00:00", "Z") if at else None


def version_in(given: Any) -> tuple[int | None, dict[str, Any]]:
    """The version a program saw, and the rest of what it sent."""
    if not isinstance(given, dict):
        raise BadInput("Send an object with named fields.")
    version = given.get("version")
    if version is not None and (type(version) is not int or not 0 < version < 2**31):
        message = "Send the number you read."
        raise BadInput(message, errors=(InputError("version", message),))
    return version, {name: value for name, value in given.items() if name != "version"}
