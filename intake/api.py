"""Feedback from programs, one by one and in bulk, and the channels it comes through."""

import json
import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import page, remembering
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake import receiving
from intake.connectors import connectors
from intake.connectors.base import RawItem
from intake.models import Channel, Submission
from intake.wire import check_item

MOST_AT_ONCE = 1000


# How the schema describes what `intake.wire` checks.
RATING = inline_serializer("Rating", {"scale": serializers.CharField(), "value": serializers.FloatField()})
CUSTOMER = inline_serializer(
    "Customer",
    {
        "external_id": serializers.CharField(required=False),
        "email": serializers.EmailField(required=False),
        "name": serializers.CharField(required=False),
        "account": serializers.CharField(required=False),
        "may_contact": serializers.BooleanField(required=False),
    },
)
FEEDBACK: dict[str, Any] = {
    "channel": serializers.SlugField(),
    "external_id": serializers.CharField(required=False, help_text="Your own id; the same one twice is stored once."),
    "text": serializers.CharField(required=False),
    "title": serializers.CharField(required=False),
    "rating": RATING,
    "customer": CUSTOMER,
    "product": serializers.CharField(required=False),
    "product_version": serializers.CharField(required=False),
    "language": serializers.CharField(required=False),
    "submitted_at": serializers.DateTimeField(required=False),
    "url": serializers.URLField(required=False),
    "context": serializers.DictField(child=serializers.CharField(), required=False),
}
FEEDBACK_SHAPE = inline_serializer("Feedback", FEEDBACK)
BULK_SHAPE = inline_serializer("FeedbackBulk", {"items": inline_serializer("FeedbackItem", FEEDBACK, many=True)})
RECEIVED_SHAPE = inline_serializer(
    "Received",
    {
        "id": serializers.UUIDField(),
        "reference": serializers.CharField(),
        "status": serializers.CharField(),
        "tracking_url": serializers.URLField(),
    },
)
PROBLEM = inline_serializer(
    "Problem",
    {
        "type": serializers.CharField(),
        "title": serializers.CharField(),
        "status": serializers.IntegerField(),
        "detail": serializers.CharField(),
        "errors": serializers.ListField(child=serializers.DictField(), required=False),
    },
)
PROBLEMS = dict.fromkeys((400, 401, 403, 404, 409, 411, 413, 415, 422, 429), PROBLEM)


class FeedbackView(APIView):
    """Send one item."""

    scopes = {"POST": Scope.FEEDBACK_WRITE}

    @extend_schema(request=FEEDBACK_SHAPE, responses={200: RECEIVED_SHAPE, 201: RECEIVED_SHAPE, **PROBLEMS})
    def post(self, request: Request) -> Response:
        given: Any = request.data
        errors = check_item(given)
        if errors:
            raise BadInput("Correct the places named in `errors` and send it again.", errors=tuple(errors))
        channel = _channel(given.get("channel"))
        at = timezone.now()

        def effect() -> tuple[int, dict[str, str]]:
            received = receiving.receive(channel, _raw(given), at=at)
            return 201 if received.is_new else 200, _told(received.submission)

        return remembering(request, effect)


class BulkView(APIView):
    """Send up to 1,000 items; each gets its own verdict, and a bad one never refuses the rest."""

    scopes = {"POST": Scope.FEEDBACK_WRITE}

    @extend_schema(request=BULK_SHAPE, responses={200: serializers.DictField(), **PROBLEMS})
    def post(self, request: Request) -> Response:
        given = request.data.get("items") if isinstance(request.data, dict) else None
        if not isinstance(given, list) or set(request.data) != {"items"}:
            raise BadInput('Send an object {"items": […]}.', errors=(InputError("items", "Send a list here."),))
        if len(given) > MOST_AT_ONCE:
            message = f"Send at most {MOST_AT_ONCE} items at once."
            raise BadInput(message, errors=(InputError("items", message),))
        at = timezone.now()
        return remembering(request, lambda: (200, {"results": _take(given, at)}))


class ChannelsView(APIView):
    """The ways in, and new ones."""

    scopes = {"GET": Scope.ADMIN, "POST": Scope.ADMIN}

    @extend_schema(responses={200: serializers.DictField(), **PROBLEMS})
    def get(self, request: Request) -> Response:
        return page(request, Channel.objects.all(), order=("slug",), show=_channel_told)

    @extend_schema(request=serializers.DictField(), responses={201: serializers.DictField(), **PROBLEMS})
    def post(self, request: Request) -> Response:
        values = _channel_input(request.data, required=("slug", "name", "kind"))

        def effect() -> tuple[int, dict[str, Any]]:
            try:
                with transaction.atomic():
                    return 201, _channel_told(Channel.objects.create(**values))
            except IntegrityError:
                message = "There is a channel with this slug already. Choose another."
                raise BadInput(message, errors=(InputError("slug", message),)) from None

        return remembering(request, effect)


class ChannelView(APIView):
    """One way in."""

    scopes = {"GET": Scope.ADMIN, "PATCH": Scope.ADMIN}

    @extend_schema(responses={200: serializers.DictField(), **PROBLEMS})
    def get(self, request: Request, slug: str) -> Response:
        return Response(_channel_told(_known(slug)))

    @extend_schema(request=serializers.DictField(), responses={200: serializers.DictField(), **PROBLEMS})
    def patch(self, request: Request, slug: str) -> Response:
        channel = _known(slug)
        values = _channel_input(request.data, allowed=("name", "settings", "is_enabled"))
        Channel.objects.filter(pk=channel.pk).update(**values)
        return Response(_channel_told(_known(slug)))


def _take(given: list[Any], at: datetime) -> list[dict[str, Any]]:
    """Verdicts in the order of the items; what is good goes in set-based, by channel."""
    verdicts: list[dict[str, Any]] = [{} for _ in given]
    good: defaultdict[str, list[int]] = defaultdict(list)
    for index, item in enumerate(given):
        errors = check_item(item)
        if not errors and not item.get("channel"):
            errors = [InputError("channel", "Name the channel it comes through.")]
        if errors:
            verdicts[index] = _refused(index, errors)
        else:
            good[item["channel"]].append(index)
    for slug, indexes in good.items():
        try:
            received = receiving.receive_many(_channel(slug), [_raw(given[index]) for index in indexes], at=at)
        except Refused as refused:
            for index in indexes:
                verdicts[index] = _refused(index, list(refused.errors) or [InputError("channel", refused.message)])
            continue
        for index, each in zip(indexes, received, strict=True):
            status = "created" if each.is_new else "duplicate"
            verdicts[index] = {"index": index, "status": status, "id": str(each.submission.public_id), "errors": []}
    return verdicts


def _refused(index: int, errors: list[InputError]) -> dict[str, Any]:
    told = [{"path": error.path, "message": error.message} for error in errors]
    return {"index": index, "status": "refused", "id": None, "errors": told}


def _channel(slug: Any) -> Channel:
    channel = Channel.objects.filter(slug=slug, kind="rest_api").first() if slug else None
    if channel is None:
        message = "Name a channel of kind rest_api. An administrator sees them at /settings/channels/."
        raise BadInput(message, errors=(InputError("channel", message),))
    return channel


def _raw(item: dict[str, Any]) -> RawItem:
    """As it was said; without an id of the sender's, it is an item of its own."""
    external_id = item.get("external_id") or f"portal:{uuid.uuid4()}"
    return RawItem(external_id, json.dumps(item, ensure_ascii=False, sort_keys=True).encode())


def _told(submission: Submission) -> dict[str, str]:
    return {
        "id": str(submission.public_id),
        "reference": submission.reference,
        "status": "received",
        "tracking_url": receiving.tracking_url(submission),
    }


def _known(slug: str) -> Channel:
    channel = Channel.objects.filter(slug=slug).first()
    if channel is None:
        raise NotFound("There is no such channel.")
    return channel


def _channel_told(channel: Channel) -> dict[str, Any]:
    return {
        "slug": channel.slug,
        "name": channel.name,
        "kind": channel.kind,
        "settings": channel.settings,
        "is_enabled": channel.is_enabled,
    }


_CHANNEL_FIELDS: dict[str, tuple[type, str]] = {
    "slug": (str, "Write a short name of letters, digits and dashes."),
    "name": (str, "Write a name of at most 120 characters."),
    "kind": (str, "Name the kind of channel."),
    "settings": (dict, "Send an object here."),
    "is_enabled": (bool, "Send true or false here."),
}


def _channel_input(
    given: Any, *, required: tuple[str, ...] = (), allowed: tuple[str, ...] = tuple(_CHANNEL_FIELDS)
) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise BadInput("Send an object.")
    errors = [
        InputError(name, "There is no such field, or it cannot be changed.") for name in given if name not in allowed
    ]
    errors += [InputError(name, "This field is required.") for name in required if not given.get(name)]
    for name, value in given.items():
        kind, message = _CHANNEL_FIELDS.get(name, (object, ""))
        if not isinstance(value, kind) or (isinstance(value, str) and not 1 <= len(value) <= 120):
            errors.append(InputError(name, message))
    if not errors and "slug" in given and (len(given["slug"]) > 60 or not given["slug"].replace("-", "").isalnum()):
        errors.append(InputError("slug", _CHANNEL_FIELDS["slug"][1]))
    if not errors and "kind" in given and given["kind"] not in connectors:
        known = ", ".join(connector.slug for connector in connectors.all())
        errors.append(InputError("kind", f"Use one of {known}."))
    if errors:
        raise BadInput("Correct the places named in `errors` and send it again.", errors=tuple(errors))
    return dict(given)
