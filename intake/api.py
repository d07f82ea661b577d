"""Feedback from programs, one by one and in bulk, and the channels it comes through."""

import json
import re
import uuid
from collections import defaultdict
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import page, remembering
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake import channels, receiving, schema
from intake.connectors import connectors
from intake.connectors.base import RawItem
from intake.models import Channel, Submission
from intake.shapes import Check, flag, object_of, one_of, text
from intake.wire import check_item

MOST_AT_ONCE = 1000


class FeedbackView(APIView):
    """Send one item."""

    scopes = {"POST": Scope.FEEDBACK_WRITE}

    @extend_schema(
        operation_id="feedback_send",
        request=schema.FEEDBACK,
        responses={200: schema.RECEIVED, 201: schema.RECEIVED, **schema.PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        given: Any = request.data
        errors = check_item(given)
        if errors:
            raise BadInput(_CORRECT, errors=tuple(errors))
        channel = _channel(given.get("channel"))
        at = timezone.now()

        def effect() -> tuple[int, dict[str, str]]:
            received = receiving.receive(channel, _raw(given), at=at)
            return 201 if received.is_new else 200, _told(received.submission)

        return remembering(request, effect)


class BulkView(APIView):
    """Send up to 1,000 items; each gets its own verdict, and a bad one never refuses the rest."""

    scopes = {"POST": Scope.FEEDBACK_WRITE}

    @extend_schema(
        operation_id="feedback_send_many", request=schema.BULK, responses={200: schema.VERDICTS, **schema.PROBLEMS}
    )
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

    @extend_schema(operation_id="channels_list", responses={200: schema.CHANNELS, **schema.PROBLEMS})
    def get(self, request: Request) -> Response:
        return page(request, Channel.objects.all(), order=("slug",), show=_channel_told)

    @extend_schema(
        operation_id="channels_create", request=schema.CHANNEL, responses={201: schema.CHANNEL, **schema.PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        values = _right(_NEW_CHANNEL, request.data)

        def effect() -> tuple[int, dict[str, Any]]:
            is_enabled = values.pop("is_enabled", True)
            made = channels.create(values.pop("kind"), **values)
            if not is_enabled:
                channels.switch(made, is_enabled=False)
            return 201, _channel_told(made)

        return remembering(request, effect)


class ChannelView(APIView):
    """One way in."""

    scopes = {"GET": Scope.ADMIN, "PATCH": Scope.ADMIN}

    @extend_schema(operation_id="channels_read", responses={200: schema.CHANNEL, **schema.PROBLEMS})
    def get(self, request: Request, slug: str) -> Response:
        return Response(_channel_told(_known(slug)))

    @extend_schema(
        operation_id="channels_change",
        request=schema.CHANNEL_CHANGES,
        responses={200: schema.CHANNEL, **schema.PROBLEMS},
    )
    def patch(self, request: Request, slug: str) -> Response:
        channel = _known(slug)
        values = _right(_CHANGED_CHANNEL, request.data)
        if "is_enabled" in values:
            channels.switch(channel, is_enabled=values.pop("is_enabled"))
        channels.change(channel, **values)
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


def _right(check: Check, given: Any) -> dict[str, Any]:
    errors = check(given, "")
    if errors:
        raise BadInput(_CORRECT, errors=tuple(errors))
    return {name: value for name, value in given.items() if value is not None}


def _settings(given: Any, path: str) -> list[InputError]:
    return [] if isinstance(given, dict) else [InputError(path, "Send an object here.")]


def _kind(given: Any, path: str) -> list[InputError]:
    return one_of([connector.slug for connector in connectors.all()])(given, path)


_CORRECT = "Correct the places named in `errors` and send it again."
_CHANGES: dict[str, Check] = {"name": text(120), "settings": _settings, "is_enabled": flag}
_CHANGED_CHANNEL = object_of(_CHANGES)
_NEW_CHANNEL = object_of(
    {**_CHANGES, "slug": text(60, re.compile(r"[-a-zA-Z0-9_]+\Z"), "support-api"), "kind": _kind},
    required=("slug", "name", "kind"),
)
