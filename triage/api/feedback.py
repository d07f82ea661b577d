"""What was said, for programs that may read tickets: reading stands beside the sending that intake offers."""

import uuid
from typing import Any

from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.accounts.permissions import Actor
from feedback_portal.api import caller, page
from feedback_portal.refusals import NotFound
from intake import api as intake_api
from intake import relation_api
from intake.models import Customer, FeedbackItem
from triage import finding
from triage.api.shapes import PAGING, PROBLEMS, QUERY, customer_told, item_told, listed
from triage.finding import search
from triage.models import Ticket

ORDER = ("-received_at", "-submission_id")
_SENT: dict[str, Any] = {
    "id": serializers.UUIDField(),
    "reference": serializers.CharField(),
    "channel": serializers.CharField(),
    "external_id": serializers.CharField(),
    "title": serializers.CharField(),
    "excerpt": serializers.CharField(),
    "rating": serializers.DictField(allow_null=True),
    "customer": serializers.DictField(allow_null=True),
    "product": serializers.CharField(),
    "product_version": serializers.CharField(),
    "submitted_at": serializers.DateTimeField(),
    "received_at": serializers.DateTimeField(),
}

_FULL = inline_serializer(
    "SaidInFull",
    {
        **_SENT,
        "text": serializers.CharField(),
        "language": serializers.CharField(),
        "url": serializers.CharField(),
        "context": serializers.DictField(),
        "status": serializers.CharField(),
        "tickets": serializers.ListField(child=serializers.DictField()),
    },
)
_CUSTOMER: dict[str, Any] = {
    "id": serializers.IntegerField(),
    "external_id": serializers.CharField(allow_null=True),
    "name": serializers.CharField(),
    "email": serializers.CharField(),
    "language": serializers.CharField(),
    "account": serializers.DictField(allow_null=True),
    "opted_out_at": serializers.DateTimeField(allow_null=True),
}


class FeedbackView(intake_api.FeedbackView):
    """Send one item, or read those whose tickets the key may see."""

    scopes = {**intake_api.FeedbackView.scopes, "GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="feedback_list", parameters=[QUERY, *PAGING], responses={200: listed("Said", _SENT), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        actor = caller(request)
        query = search.parse(request.query_params.get("q", ""))
        tickets = Ticket.objects.visible_to(actor).filter(
            finding.condition(query, finding.asker_of(actor.user, timezone.now())), item=OuterRef("pk")
        )
        rows = _items().filter(Exists(tickets)).defer("text", "context", "submission__payload", "submission__headers")
        return page(request, rows, order=ORDER, show=item_told)


class FeedbackItemView(APIView):
    """One item in full, with where it stands."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(operation_id="feedback_read", responses={200: _FULL, **PROBLEMS})
    def get(self, request: Request, public_id: uuid.UUID) -> Response:
        tickets = _tickets_of(public_id, caller(request))
        if not tickets:
            raise NotFound("There is no such feedback, or this key may not see it.")
        item = _items().get(pk=tickets[0].item_id)
        told = item_told(item) | {
            "text": item.text,
            "language": item.declared_language,
            "url": item.url,
            "context": item.context,
            "status": tickets[0].status,
            "tickets": [
                {"reference": ticket.reference, "team": ticket.team.slug, "status": ticket.status} for ticket in tickets
            ],
        }
        return Response(told)


class CustomersView(relation_api.CustomersView):
    """Tell of one customer, or read those who gave feedback that the key may see."""

    scopes = {**relation_api.CustomersView.scopes, "GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="customers_list", parameters=PAGING, responses={200: listed("CustomerRow", _CUSTOMER), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        return page(request, _customers(caller(request)), order=("id",), show=customer_told)


class CustomerView(APIView):
    """One customer."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="customers_read", responses={200: inline_serializer("CustomerKnown", _CUSTOMER), **PROBLEMS}
    )
    def get(self, request: Request, number: int) -> Response:
        found = _customers(caller(request)).filter(pk=number).first() if number < 2**63 else None
        if found is None:
            raise NotFound("There is no such customer, or this key may not see them.")
        return Response(customer_told(found))


def _items() -> QuerySet[FeedbackItem]:
    return FeedbackItem.objects.select_related("submission", "channel", "customer").defer("submission__payload")


def _tickets_of(public_id: uuid.UUID, actor: Actor) -> list[Ticket]:
    seen = Ticket.objects.visible_to(actor).filter(item__submission__public_id=public_id)
    return list(seen.select_related("team").order_by("pk"))


def _customers(actor: Actor) -> QuerySet[Customer]:
    customers = Customer.objects.select_related("account").filter(erased_at=None)
    if actor.sees_everything:
        return customers
    return customers.filter(Exists(Ticket.objects.visible_to(actor).filter(item__customer=OuterRef("pk"))))
