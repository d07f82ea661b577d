"""Improvements for programs: found, planned, changed and turned by the same verbs as on their pages."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.accounts.permissions import Actor
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import BadInput, InputError
from triage import decisions, inputs
from triage.api.shapes import PAGING, PROBLEMS, listed, time_told, version_in
from triage.improving import improvements
from triage.models import Action

_ACTION: dict[str, Any] = {
    "reference": serializers.CharField(read_only=True),
    "version": serializers.IntegerField(required=False, help_text="What you saw; an action changed since answers 409."),
    "title": serializers.CharField(),
    "problem": serializers.CharField(required=False),
    "kind": serializers.ChoiceField(choices=Action.Kind.values, required=False),
    "team": serializers.SlugField(),
    "stage": serializers.SlugField(required=False, allow_null=True),
    "owner": serializers.EmailField(required=False, allow_null=True),
    "due_at": serializers.DateField(required=False, allow_null=True),
    "step": serializers.ChoiceField(choices=Action.Step.values, read_only=True),
    "public_text": serializers.CharField(read_only=True),
    "created_at": serializers.DateTimeField(read_only=True),
    "shipped_at": serializers.DateTimeField(read_only=True, allow_null=True),
    "withdrawn_at": serializers.DateTimeField(read_only=True, allow_null=True),
}
ACTION = inline_serializer("Action", _ACTION)
FULL = inline_serializer(
    "ActionInFull", {**_ACTION, "tickets": serializers.ListField(child=serializers.CharField(), read_only=True)}
)
VERB = inline_serializer(
    "ActionVerb",
    {
        "verb": serializers.ChoiceField(choices=["move", "ship", "withdraw", "link", "unlink"]),
        "version": serializers.IntegerField(required=False),
        "step": serializers.CharField(required=False, help_text="move"),
        "public_text": serializers.CharField(required=False, help_text="ship: what customers read"),
        "resolve": serializers.BooleanField(required=False, help_text="ship: close the tickets it answers"),
        "ticket": serializers.CharField(required=False, help_text="link, unlink"),
    },
)


class ActionsView(APIView):
    """The actions of the teams the key may see, newest first, and new ones."""

    scopes = {"GET": Scope.TICKETS_READ, "POST": Scope.TICKETS_WRITE}

    @extend_schema(
        operation_id="actions_list", parameters=PAGING, responses={200: listed("ActionRow", _ACTION), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        rows = Action.objects.visible_to(caller(request)).select_related("team", "stage", "owner")
        return page(request, rows, order=("-id",), show=told)

    @extend_schema(operation_id="actions_create", request=ACTION, responses={201: FULL, **PROBLEMS})
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        _, given = version_in(request.data)

        def effect() -> tuple[int, Any]:
            made = improvements.create(by=by, at=at, **({"title": "", "team": ""} | given))
            return 201, _told(made, by)

        return remembering(request, effect)


class ActionView(APIView):
    """One action and the tickets it answers."""

    scopes = {"GET": Scope.TICKETS_READ, "PATCH": Scope.TICKETS_WRITE}

    @extend_schema(operation_id="actions_read", responses={200: FULL, **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        by = caller(request)
        return Response(_told(improvements.find(reference, by=by), by))

    @extend_schema(operation_id="actions_change", request=ACTION, responses={200: FULL, **PROBLEMS})
    def patch(self, request: Request, reference: str) -> Response:
        by = caller(request)
        version, given = version_in(request.data)
        changed = improvements.change(improvements.find(reference, by=by), by=by, version=version, **given)
        return Response(_told(changed, by))


class ActionDecisionsView(APIView):
    """Turn the wheel of one action, or say which tickets it answers."""

    scopes = {"POST": Scope.TICKETS_WRITE}

    @extend_schema(operation_id="actions_decide", request=VERB, responses={200: FULL, **PROBLEMS})
    def post(self, request: Request, reference: str) -> Response:
        by, at = caller(request), timezone.now()
        version, given = version_in(request.data)
        verb = given.pop("verb", None)
        if verb not in _VERBS:
            message = f"Use one of {', '.join(_VERBS)}."
            raise BadInput(message, errors=(InputError("verb", message),))
        readers, needed, do = _VERBS[verb]
        values = inputs.read(given, readers, required=needed)

        def effect() -> tuple[int, Any]:
            do(improvements.find(reference, by=by), by, at, version, values)
            return 200, _told(improvements.find(reference, by=by), by)

        return remembering(request, effect)


def _told(action: Action, by: Actor) -> dict[str, Any]:
    tickets = improvements.linked(action).visible_to(by)[:200]
    return told(action) | {"tickets": [ticket.reference for ticket in tickets]}


def told(action: Action) -> dict[str, Any]:
    summed = improvements.summary(action)
    return {name: time_told(value) if isinstance(value, datetime) else value for name, value in summed.items()}


Do = Callable[[Action, Actor, datetime, int | None, Mapping[str, Any]], object]
_TICKET = {"ticket": inputs.line(40, "Name a ticket, as in F-20493.")}
_VERBS: Mapping[str, tuple[Mapping[str, inputs.Reader], tuple[str, ...], Do]] = {
    "move": (
        {"step": inputs.choice(Action.Step.values)},
        ("step",),
        lambda action, by, at, version, given: improvements.move(action, by=by, at=at, version=version, **given),
    ),
    "ship": (
        {"public_text": inputs.prose(improvements.LONGEST_TEXT), "resolve": inputs.flag},
        ("public_text",),
        lambda action, by, at, version, given: improvements.ship(action, by=by, at=at, version=version, **given),
    ),
    "withdraw": (
        {},
        (),
        lambda action, by, at, version, given: improvements.withdraw(action, by=by, at=at, version=version),
    ),
    "link": (
        _TICKET,
        ("ticket",),
        lambda action, by, at, version, given: improvements.link(
            action, decisions.find(given["ticket"], by=by), by=by, at=at
        ),
    ),
    "unlink": (
        _TICKET,
        ("ticket",),
        lambda action, by, at, version, given: improvements.unlink(
            action, decisions.find(given["ticket"], by=by), by=by, at=at
        ),
    ),
}
