"""Signals for programs: found, and decided on by the same verbs as on their pages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import BadInput, InputError
from kpis.models import Signal
from kpis.signals import deciding
from triage.api.shapes import PAGING, PROBLEMS, listed, version_in

_SIGNAL: dict[str, Any] = {
    "reference": serializers.CharField(),
    "version": serializers.IntegerField(),
    "kind": serializers.ChoiceField(choices=Signal.Kind.choices),
    "name": serializers.CharField(),
    "series": serializers.CharField(help_text="As in `theme:12|product:H4`."),
    "also": serializers.ListField(child=serializers.CharField(), help_text="Series that rose with the same items."),
    "team": serializers.CharField(allow_null=True),
    "owner": serializers.EmailField(allow_null=True),
    "action": serializers.CharField(allow_null=True),
    "theme": serializers.CharField(allow_null=True),
    "first_week": serializers.DateField(),
    "last_week": serializers.DateField(),
    "weeks": serializers.ListField(child=serializers.DictField()),
    "count": serializers.IntegerField(),
    "expected": serializers.FloatField(),
    "p": serializers.FloatField(help_text="The chance of so many where nothing changed, before correction."),
    "basis": serializers.CharField(),
    "customers": serializers.IntegerField(),
    "value": serializers.CharField(),
    "unknown_value": serializers.IntegerField(),
    "verdict": serializers.ChoiceField(choices=Signal.Verdict.choices, allow_null=True),
    "verdict_reason": serializers.CharField(),
    "verdict_at": serializers.DateTimeField(allow_null=True),
    "raised_at": serializers.DateTimeField(),
    "seen_at": serializers.DateTimeField(),
}
FULL = inline_serializer("Signal", _SIGNAL)
VERB = inline_serializer(
    "SignalVerb",
    {
        "verb": serializers.ChoiceField(choices=list(deciding.VERBS)),
        "version": serializers.IntegerField(
            required=False, help_text="What you saw; a signal changed since answers 409."
        ),
        "owner": serializers.CharField(required=False, help_text="own: an address, or empty for nobody"),
        "verdict": serializers.ChoiceField(choices=Signal.Verdict.choices, required=False, help_text="end"),
        "reason": serializers.CharField(required=False, help_text="end: what it was, in a sentence"),
        "action": serializers.CharField(required=False, help_text="end, link: as in A-118"),
    },
)
_STATE = OpenApiParameter("state", OpenApiTypes.STR, enum=["open", "ended"])


class SignalsView(APIView):
    """The signals of the teams the key may see, newest first."""

    scopes = {"GET": Scope.KPIS_READ}

    @extend_schema(
        operation_id="signals_list",
        parameters=[*PAGING, _STATE],
        responses={200: listed("SignalRow", _SIGNAL), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        rows = Signal.objects.visible_to(caller(request)).select_related("team", "owner", "theme", "action")
        state = request.query_params.get("state", "")
        if state not in {"", "open", "ended"}:
            message = "Write `state` as open or ended."
            raise BadInput(message, errors=(InputError("state", message),))
        if state:
            rows = rows.open() if state == "open" else rows.exclude(verdict="")
        return page(request, rows, order=("-id",), show=deciding.told)


class SignalView(APIView):
    """One signal."""

    scopes = {"GET": Scope.KPIS_READ}

    @extend_schema(operation_id="signals_read", responses={200: FULL, **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        return Response(deciding.told(deciding.find(reference, by=caller(request))))


class SignalDecisionsView(APIView):
    """Take it, end it with a verdict, link what is done about it: what a person may do, a program may do."""

    scopes = {"POST": Scope.TICKETS_WRITE}

    @extend_schema(operation_id="signals_decide", request=VERB, responses={200: FULL, **PROBLEMS})
    def post(self, request: Request, reference: str) -> Response:
        by, at = caller(request), timezone.now()
        version, given = version_in(request.data)
        verb = str(given.pop("verb", ""))

        def effect() -> tuple[int, Any]:
            return 200, deciding.told(deciding.decide(reference, verb, by=by, at=at, version=version, **given))

        return remembering(request, effect)
