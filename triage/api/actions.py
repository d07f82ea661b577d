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
from triage.improving import checking, evidence, improvements, plans, telling
from triage.models import Action, Expectation

_ACTION: dict[str, Any] = {
    "reference": serializers.CharField(read_only=True),
    "version": serializers.IntegerField(required=False, help_text="What you saw; an action changed since answers 409."),
    "title": serializers.CharField(),
    "problem": serializers.CharField(required=False),
    "kind": serializers.ChoiceField(choices=Action.Kind.values, required=False),
    "team": serializers.SlugField(),
    "stage": serializers.SlugField(required=False, allow_null=True),
    "owner": serializers.EmailField(required=False, allow_null=True),
    "contributors": serializers.ListField(child=serializers.SlugField(), required=False),
    "due_at": serializers.DateField(required=False, allow_null=True),
    "effective_from": serializers.DateField(required=False, allow_null=True),
    "check_at": serializers.DateField(required=False, allow_null=True),
    "plan": serializers.CharField(required=False),
    "causes": serializers.ListField(child=serializers.DictField(child=serializers.CharField()), required=False),
    "whys": serializers.ListField(child=serializers.CharField(), required=False),
    "root_cause": serializers.CharField(required=False),
    "needs_approval": serializers.BooleanField(required=False),
    "approved_at": serializers.DateTimeField(read_only=True, allow_null=True),
    "verdict": serializers.ChoiceField(choices=Action.Outcome.values, read_only=True, allow_null=True),
    "exception": serializers.CharField(read_only=True),
    "standard": serializers.CharField(read_only=True),
    "step": serializers.ChoiceField(choices=Action.Step.values, read_only=True),
    "public_text": serializers.CharField(read_only=True),
    "created_at": serializers.DateTimeField(read_only=True),
    "shipped_at": serializers.DateTimeField(read_only=True, allow_null=True),
    "withdrawn_at": serializers.DateTimeField(read_only=True, allow_null=True),
}
ACTION = inline_serializer("Action", _ACTION)
_FILE: dict[str, Any] = {
    "name": serializers.CharField(),
    "size": serializers.IntegerField(help_text="In bytes."),
    "sha256": serializers.CharField(),
    "added_at": serializers.DateTimeField(),
}
FULL = inline_serializer(
    "ActionInFull",
    {
        **_ACTION,
        "tickets": serializers.ListField(child=serializers.CharField(), read_only=True),
        "files": inline_serializer("ActionFile", _FILE, many=True, read_only=True),
    },
)
VERB = inline_serializer(
    "ActionVerb",
    {
        "verb": serializers.ChoiceField(
            choices=["move", "ship", "close", "reopen", "approve", "withdraw", "expect", "comment", "link", "unlink"]
        ),
        "version": serializers.IntegerField(required=False),
        "step": serializers.CharField(required=False, help_text="move"),
        "public_text": serializers.CharField(required=False, help_text="ship: what customers read"),
        "resolve": serializers.BooleanField(
            required=False, help_text="ship: tell those it answers in these words, and close their tickets"
        ),
        "standard": serializers.CharField(required=False, help_text="close: what became the rule"),
        "exception": serializers.CharField(required=False, help_text="close: why without a verdict"),
        "because": serializers.CharField(required=False, help_text="reopen"),
        "text": serializers.CharField(required=False, help_text="comment"),
        "theme": serializers.CharField(required=False, help_text="expect: T-104, or a topic"),
        "topic": serializers.CharField(required=False, help_text="expect"),
        "segment": serializers.CharField(required=False, help_text="expect"),
        "product": serializers.CharField(required=False, help_text="expect"),
        "measure": serializers.ChoiceField(choices=Expectation.Measure.values, required=False, help_text="expect"),
        "exposure": serializers.CharField(required=False, help_text="expect: what a rate is taken per"),
        "direction": serializers.ChoiceField(choices=Expectation.Direction.values, required=False, help_text="expect"),
        "by_percent": serializers.IntegerField(required=False, help_text="expect"),
        "shape": serializers.ChoiceField(choices=Expectation.Shape.values, required=False, help_text="expect"),
        "lag_days": serializers.IntegerField(required=False, help_text="expect"),
        "control": serializers.CharField(required=False, help_text="expect: a theme it does not touch"),
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
        by, at = caller(request), timezone.now()
        version, given = version_in(request.data)
        changed = improvements.change(improvements.find(reference, by=by), by=by, at=at, version=version, **given)
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
    return told(action) | {
        "tickets": [ticket.reference for ticket in tickets],
        "files": [
            {
                "name": file.attachment.name,
                "size": file.attachment.size,
                "sha256": file.fingerprint,
                "added_at": time_told(file.added_at),
            }
            for file in evidence.of(action)
        ],
    }


def told(action: Action) -> dict[str, Any]:
    summed = improvements.summary(action)
    return {name: time_told(value) if isinstance(value, datetime) else value for name, value in summed.items()}


Do = Callable[[Action, Actor, datetime, int | None, Mapping[str, Any]], object]
_TICKET = {"ticket": inputs.line(40, "Name a ticket, as in F-20493.")}
# Read by the verb itself.
_AS_GIVEN: Mapping[str, inputs.Reader] = {
    name: lambda given: given
    for name in (
        "theme", "topic", "segment", "product", "measure", "exposure", "direction", "by_percent", "shape", "lag_days", "control",
    )
}  # fmt: skip
_VERBS: Mapping[str, tuple[Mapping[str, inputs.Reader], tuple[str, ...], Do]] = {
    "move": (
        {"step": inputs.choice(Action.Step.values)},
        ("step",),
        lambda action, by, at, version, given: improvements.move(action, by=by, at=at, version=version, **given),
    ),
    "ship": (
        {"public_text": inputs.prose(improvements.LONGEST_TEXT), "resolve": inputs.flag},
        ("public_text",),
        lambda action, by, at, version, given: telling.ship(action, by=by, at=at, version=version, **given),
    ),
    "close": (
        {"standard": inputs.prose(improvements.LONGEST_TEXT), "exception": inputs.prose(improvements.LONGEST_TEXT)},
        (),
        lambda action, by, at, version, given: checking.close(action, by=by, at=at, version=version, **given),
    ),
    "reopen": (
        {"because": inputs.line(1000, "Say why it is taken up again.")},
        ("because",),
        lambda action, by, at, version, given: checking.reopen(action, by=by, at=at, version=version, **given),
    ),
    "approve": (
        {},
        (),
        lambda action, by, at, version, given: plans.approve(action, by=by, at=at, version=version),
    ),
    "expect": (
        _AS_GIVEN,
        (),
        lambda action, by, at, version, given: plans.expect(action, by=by, at=at, version=version, **given),
    ),
    "comment": (
        {"text": inputs.prose(improvements.LONGEST_TEXT)},
        ("text",),
        lambda action, by, at, version, given: plans.comment(action, by=by, at=at, **given),
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
