"""What a customer takes away from their private page: everything held about this one item that is theirs."""

from typing import Any

from django.utils.translation import gettext

from triage.models import Notification
from triage.tracking import SHOWN, Journey, words


def export(found: Journey) -> dict[str, Any]:
    """Everything we hold about this one item that is the customer's, in names a program can read."""
    item, customer = found.item, found.customer
    about: dict[str, Any] = {
        "reference": found.submission.reference,
        "received_at": found.submission.received_at,
        # A link may be passed on: what was sealed is given out only to whoever can say who they are.
        "original": gettext("It holds personal data and is kept sealed. Ask us for everything we hold about you.")
        if found.submission.is_sealed
        else bytes(found.submission.payload).decode("utf-8", "replace"),
    }
    if item is not None:
        about |= {
            "channel": item.channel.name,
            "submitted_at": item.submitted_at,
            "title": item.title,
            "text": item.text,
            "rating": {"scale": item.rating_scale, "value": item.rating_value} if item.rating_scale else None,
            "product": item.product,
            "product_version": item.product_version,
            "language": item.declared_language,
            "url": item.url,
            "context": item.context,
            "may_contact": item.may_contact,
            "files": [
                {"name": file.name, "size": file.size, "content_type": file.content_type}
                for file in found.submission.attachments.order_by("pk")
            ],
        }
    if customer is not None:
        about["customer"] = {
            "name": customer.name,
            "email": customer.email,
            "external_id": customer.external_id,
            "language": customer.language,
            "opted_out_at": customer.opted_out_at,
        }
    about["events"] = [
        {"at": event.occurred_at, "type": event.type} | words(event) for event in found.events if event.type in SHOWN
    ]
    mails = Notification.objects.filter(item=item).exclude(kind=Notification.Kind.STAFF).order_by("pk") if item else []
    about["mails"] = [
        {
            "kind": mail.kind,
            "to": mail.recipient,
            "subject": mail.subject,
            "body": mail.body,
            "sent_at": mail.completed_at,
        }
        for mail in mails
    ]
    return about
