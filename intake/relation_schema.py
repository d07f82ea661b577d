"""What the API's description says of customers, companies and counts."""

from typing import Any

from drf_spectacular.utils import OpenApiParameter, inline_serializer
from rest_framework import serializers

from intake.schema import PROBLEMS

__all__ = ["COUNTS", "CUSTOMER", "CUSTOMERS", "EXPOSURES", "FILTERS", "PROBLEMS", "TOLD", "VERDICTS"]


def _record(name: str) -> dict[str, Any]:
    return {
        "system": serializers.CharField(
            required=False, help_text="Whose number the external id is, as in hubspot; yours without one."
        ),
        "external_id": serializers.CharField(required=False),
        "identities": inline_serializer(
            f"{name}Identity",
            {"system": serializers.CharField(), "external_id": serializers.CharField()},
            many=True,
            required=False,
            help_text="Under which ids other systems know the same.",
        ),
        "name": serializers.CharField(required=False),
        "products": inline_serializer(
            f"{name}Product",
            {"product": serializers.CharField(), "since": serializers.DateField(required=False)},
            many=True,
            required=False,
        ),
        "updated_at": serializers.DateTimeField(
            required=False, help_text="When you last changed it; what is older fills gaps and replaces nothing."
        ),
        "merged": serializers.ListField(
            child=serializers.CharField(), required=False, help_text="Records of the same system merged into this one."
        ),
        "deleted": serializers.BooleanField(required=False),
    }


_ACCOUNT: dict[str, Any] = {
    **_record("Account"),
    "domain": serializers.CharField(required=False),
    "segment": serializers.CharField(required=False),
    "value": serializers.FloatField(required=False, help_text="What it is worth a year."),
    "currency": serializers.CharField(required=False),
    "lifecycle": serializers.CharField(required=False),
    "owner": serializers.CharField(required=False),
}
_CUSTOMER: dict[str, Any] = {
    **_record("Customer"),
    "email": serializers.EmailField(required=False),
    "other_emails": serializers.ListField(child=serializers.EmailField(), required=False),
    "language": serializers.CharField(required=False),
    "account": inline_serializer("CustomerAccount", _ACCOUNT, required=False),
    "for_privacy": serializers.BooleanField(
        required=False, help_text="They wished to be forgotten: nothing of them stays, whoever else knows them."
    ),
}
_COUNT: dict[str, Any] = {
    "kind": serializers.SlugField(help_text="units_shipped, orders, visits or a short name of your own."),
    "product": serializers.CharField(required=False),
    "site": serializers.CharField(required=False),
    "day": serializers.DateField(),
    "count": serializers.IntegerField(),
    "updated_at": serializers.DateTimeField(required=False),
}
_TOLD: dict[str, Any] = {
    "status": serializers.ChoiceField(["created", "updated", "unchanged", "deleted", "skipped"]),
    "id": serializers.IntegerField(allow_null=True),
    "reason": serializers.CharField(),
}

CUSTOMER = inline_serializer("CustomerTold", _CUSTOMER)
CUSTOMERS = inline_serializer("CustomersTold", {"items": inline_serializer("CustomerItem", _CUSTOMER, many=True)})
COUNTS = inline_serializer("CountsTold", {"items": inline_serializer("CountItem", _COUNT, many=True)})
TOLD = inline_serializer("RelationVerdict", _TOLD)
VERDICTS = inline_serializer(
    "RelationVerdicts",
    {
        "results": inline_serializer(
            "RelationItemVerdict",
            {
                **_TOLD,
                "index": serializers.IntegerField(),
                "status": serializers.ChoiceField(["created", "updated", "unchanged", "deleted", "skipped", "refused"]),
                "errors": inline_serializer(
                    "RelationError", {"path": serializers.CharField(), "message": serializers.CharField()}, many=True
                ),
            },
            many=True,
        )
    },
)
EXPOSURES = inline_serializer(
    "Exposures",
    {
        "results": inline_serializer("ExposureRow", _COUNT, many=True),
        "next": serializers.CharField(allow_null=True),
    },
)
FILTERS = [
    *(OpenApiParameter(name, str, description=f"Only those of this {name}.") for name in ("kind", "product", "site")),
    OpenApiParameter("cursor", str, description="`next` of the page before."),
    OpenApiParameter("limit", int, description="How many rows, up to 200."),
]
