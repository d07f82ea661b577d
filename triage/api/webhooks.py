"""Webhooks for programs: who is told of what, what was sent and what was answered. A secret is told once, when it is made."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, page
from feedback_portal.refusals import BadInput, InputError
from triage import inputs
from triage.api.shapes import PAGING, PROBLEMS, listed, time_told, version_in
from triage.connecting import subscribers
from triage.connecting.kinds import KINDS
from triage.models import Announcement, Subscriber

_WEBHOOK: dict[str, Any] = {
    "id": serializers.IntegerField(read_only=True),
    "name": serializers.CharField(),
    "url": serializers.CharField(help_text="Begins with https:// and leads to a public address."),
    "kinds": serializers.ListField(child=serializers.ChoiceField(choices=sorted(KINDS.items()))),
    "team": serializers.SlugField(required=False, allow_null=True, help_text="Told of this team's tickets only."),
    "tells_persons": serializers.BooleanField(
        required=False, help_text="Names, addresses and what people wrote go along."
    ),
    "version": serializers.IntegerField(required=False, help_text="What you saw; a webhook changed since answers 409."),
    "is_on": serializers.BooleanField(read_only=True),
    "off_reason": serializers.CharField(read_only=True),
    "failures_in_a_row": serializers.IntegerField(read_only=True),
    "paused_until": serializers.DateTimeField(read_only=True, allow_null=True),
    "last_success_at": serializers.DateTimeField(read_only=True, allow_null=True),
    "created_at": serializers.DateTimeField(read_only=True),
}
WEBHOOK = inline_serializer("Webhook", _WEBHOOK)
MADE = inline_serializer(
    "WebhookMade", {**_WEBHOOK, "secret": serializers.CharField(help_text="Told this once; it signs every call.")}
)
_TRY = inline_serializer(
    "WebhookTry",
    {
        "tried_at": serializers.DateTimeField(),
        "took_ms": serializers.IntegerField(),
        "status": serializers.IntegerField(allow_null=True),
        "answer": serializers.CharField(help_text="Its first bytes."),
        "trouble": serializers.CharField(),
    },
    many=True,
)
_ANNOUNCEMENT: dict[str, Any] = {
    "number": serializers.IntegerField(),
    "id": serializers.CharField(help_text="What `webhook-id` says."),
    "kind": serializers.CharField(),
    "state": serializers.ChoiceField(choices=["waiting", "told", "given up"]),
    "made_at": serializers.DateTimeField(),
    "next_try_at": serializers.DateTimeField(allow_null=True),
    "tries": _TRY,
}
VERB = inline_serializer(
    "WebhookVerb",
    {
        "verb": serializers.ChoiceField(choices=["test", "secret", "old_secrets", "again", "resend", "on", "off"]),
        "since": serializers.DateTimeField(required=False, help_text="again: within the last thirty days"),
        "number": serializers.IntegerField(required=False, help_text="resend"),
    },
)
DONE = inline_serializer(
    "WebhookDone",
    {
        "webhook": inline_serializer("WebhookThen", _WEBHOOK),
        "secret": serializers.CharField(required=False),
        "on_the_way": serializers.IntegerField(required=False),
    },
)
_SCOPES = dict.fromkeys(("GET", "POST", "PATCH", "DELETE"), Scope.ADMIN)


class WebhooksView(APIView):
    """Every webhook, and new ones."""

    scopes = _SCOPES

    @extend_schema(
        operation_id="webhooks_list", parameters=PAGING, responses={200: listed("WebhookRow", _WEBHOOK), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        return page(request, Subscriber.objects.select_related("team"), order=("id",), show=told)

    @extend_schema(operation_id="webhooks_create", request=WEBHOOK, responses={201: MADE, **PROBLEMS})
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        _, given = version_in(request.data)
        made, secret = subscribers.create(given, by=by, at=at)
        # Not remembered under an Idempotency-Key, for a kept answer would keep the secret in the clear.
        return Response(told(subscribers.find(made.pk, by=by)) | {"secret": secret}, status=201)


class WebhookView(APIView):
    """One webhook."""

    scopes = _SCOPES

    @extend_schema(operation_id="webhooks_read", responses={200: WEBHOOK, **PROBLEMS})
    def get(self, request: Request, number: int) -> Response:
        return Response(told(subscribers.find(number, by=caller(request))))

    @extend_schema(operation_id="webhooks_change", request=WEBHOOK, responses={200: WEBHOOK, **PROBLEMS})
    def patch(self, request: Request, number: int) -> Response:
        by = caller(request)
        version, given = version_in(request.data)
        return Response(told(subscribers.change(subscribers.find(number, by=by), given, by=by, version=version)))

    @extend_schema(operation_id="webhooks_delete", responses={204: None, **PROBLEMS})
    def delete(self, request: Request, number: int) -> Response:
        by = caller(request)
        subscribers.delete(subscribers.find(number, by=by), by=by)
        return Response(status=204)


class WebhookDecisionsView(APIView):
    """Try it, renew its secret, switch it, or send again what it missed."""

    scopes = _SCOPES

    @extend_schema(operation_id="webhooks_decide", request=VERB, responses={200: DONE, **PROBLEMS})
    def post(self, request: Request, number: int) -> Response:
        by, at = caller(request), timezone.now()
        found = subscribers.find(number, by=by)
        given = inputs.read(request.data, _VERB, required=("verb",))
        verb = given["verb"]
        needed = {"again": "since", "resend": "number"}.get(verb)
        if needed and needed not in given:
            raise BadInput("This verb needs more.", errors=(InputError(needed, "This field is required."),))
        body: dict[str, Any] = {}
        if verb == "test":
            subscribers.test(found, by=by, at=at)
            body["on_the_way"] = 1
        elif verb == "secret":
            body["secret"] = subscribers.renew_secret(found, by=by, at=at)
        elif verb == "old_secrets":
            subscribers.drop_old_secrets(found, by=by)
        elif verb == "again":
            again = subscribers.tell_again(found, by=by, since=given["since"], at=at)
            body["on_the_way"] = again.parked + again.missed
        elif verb == "resend":
            subscribers.send_again(found, given["number"], by=by)
            body["on_the_way"] = 1
        else:
            (subscribers.switch_on if verb == "on" else subscribers.switch_off)(found, by=by)
        return Response({"webhook": told(subscribers.find(number, by=by)), **body})


class AnnouncementsView(APIView):
    """What a webhook was told, newest first, and what came of each try."""

    scopes = _SCOPES

    @extend_schema(
        operation_id="webhooks_announcements",
        parameters=PAGING,
        responses={200: listed("WebhookAnnouncement", _ANNOUNCEMENT), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        found = subscribers.find(number, by=caller(request))
        rows = Announcement.objects.filter(subscriber=found).prefetch_related("tries")
        return page(request, rows, order=("-id",), show=_announced)


def told(subscriber: Subscriber) -> dict[str, Any]:
    """Without its secrets; its team must be loaded."""
    return {
        "id": subscriber.pk,
        "name": subscriber.name,
        "url": subscriber.url,
        "kinds": subscriber.kinds,
        "team": subscriber.team.slug if subscriber.team else None,
        "tells_persons": subscriber.tells_persons,
        "version": subscriber.version,
        "is_on": subscriber.switched_off_at is None,
        "off_reason": subscriber.off_reason,
        "failures_in_a_row": subscriber.failures,
        "paused_until": time_told(subscriber.paused_until),
        "last_success_at": time_told(subscriber.last_success_at),
        "created_at": time_told(subscriber.created_at),
    }


def _announced(row: Announcement) -> dict[str, Any]:
    waits = row.completed_at is None and row.parked_at is None
    return {
        "number": row.pk,
        "id": row.public_id,
        "kind": row.kind,
        "state": "waiting" if waits else "told" if row.parked_at is None else "given up",
        "made_at": time_told(row.made_at),
        "next_try_at": time_told(row.next_attempt_at) if waits else None,
        "tries": [
            {
                "tried_at": time_told(each.tried_at),
                "took_ms": each.took_ms,
                "status": each.status,
                "answer": each.answer,
                "trouble": each.trouble,
            }
            for each in sorted(row.tries.all(), key=lambda each: each.pk)
        ],
    }


def _since(given: Any) -> Any:
    try:
        found = serializers.DateTimeField().to_internal_value(given)
    except serializers.ValidationError:
        raise ValueError("Write a time as in 2026-03-04T12:00:00Z.") from None
    return found


_VERB: dict[str, inputs.Reader] = {
    "verb": inputs.choice(["test", "secret", "old_secrets", "again", "resend", "on", "off"]),
    "since": _since,
    "number": inputs.number(1, 2**63 - 1),
}
