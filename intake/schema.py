"""What the API's description says of the bodies that `wire` and `api` check and answer."""

from typing import Any

from drf_spectacular.utils import inline_serializer
from rest_framework import serializers

_RATING = inline_serializer("Rating", {"scale": serializers.CharField(), "value": serializers.FloatField()})
_CUSTOMER = inline_serializer(
    "Sender",
    {
        "external_id": serializers.CharField(required=False),
        "email": serializers.EmailField(required=False),
        "name": serializers.CharField(required=False),
        "account": serializers.CharField(required=False),
        "may_contact": serializers.BooleanField(required=False),
    },
)
_ITEM: dict[str, Any] = {
    "channel": serializers.SlugField(),
    "external_id": serializers.CharField(required=False, help_text="Your own id; the same one twice is stored once."),
    "text": serializers.CharField(required=False),
    "title": serializers.CharField(required=False),
    "rating": _RATING,
    "customer": _CUSTOMER,
    "product": serializers.CharField(required=False),
    "product_version": serializers.CharField(required=False),
    "language": serializers.CharField(required=False),
    "submitted_at": serializers.DateTimeField(required=False),
    "url": serializers.URLField(required=False),
    "context": serializers.DictField(child=serializers.CharField(), required=False),
}
_ERROR: dict[str, Any] = {"path": serializers.CharField(), "message": serializers.CharField()}

FEEDBACK = inline_serializer("NewFeedback", _ITEM)
BULK = inline_serializer("FeedbackBulk", {"items": inline_serializer("BulkItem", _ITEM, many=True)})
RECEIVED = inline_serializer(
    "Received",
    {
        "id": serializers.UUIDField(),
        "reference": serializers.CharField(),
        "status": serializers.CharField(),
        "tracking_url": serializers.URLField(),
    },
)
VERDICTS = inline_serializer(
    "Verdicts",
    {
        "results": inline_serializer(
            "Verdict",
            {
                "index": serializers.IntegerField(),
                "status": serializers.ChoiceField(["created", "duplicate", "refused"]),
                "id": serializers.UUIDField(allow_null=True),
                "errors": inline_serializer("VerdictError", _ERROR, many=True),
            },
            many=True,
        )
    },
)

_CHANGES: dict[str, Any] = {
    "name": serializers.CharField(required=False),
    "settings": serializers.DictField(required=False),
    "is_enabled": serializers.BooleanField(required=False),
}
_CHANNEL = _CHANGES | {
    "slug": serializers.SlugField(),
    "kind": serializers.CharField(),
    "name": serializers.CharField(),
}
CHANNEL = inline_serializer("Channel", _CHANNEL)
CHANNEL_CHANGES = inline_serializer("ChannelChanges", _CHANGES)
CHANNELS = inline_serializer(
    "Channels",
    {
        "results": inline_serializer("ListedChannel", _CHANNEL, many=True),
        "next": serializers.CharField(allow_null=True),
    },
)

PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(),
        "errors": inline_serializer("InputError", _ERROR, many=True, required=False),
    },
)
PROBLEMS = dict.fromkeys((400, 401, 403, 404, 409, 411, 413, 415, 422, 429), PROBLEM)
