"""Patterns for programs: read by whoever reads tickets, changed by whoever sets the portal up."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import NotFound
from triage import patterns
from triage.api.shapes import PAGING, PROBLEMS, listed, time_told, version_in
from triage.models import Pattern

_PATTERN: dict[str, Any] = {
    "id": serializers.IntegerField(read_only=True),
    "name": serializers.CharField(),
    "kind": serializers.SlugField(help_text="What it finds, as in batch, order or product."),
    "expression": serializers.CharField(required=False, help_text="RE2, without regard to case; or give `aliases`."),
    "aliases": serializers.ListField(child=serializers.CharField(), required=False),
    "product": serializers.CharField(required=False, help_text="What naming it says of the product."),
    "position": serializers.IntegerField(required=False),
    "is_enabled": serializers.BooleanField(required=False),
    "version": serializers.IntegerField(required=False, help_text="What you saw; a pattern changed since answers 409."),
    "changed_at": serializers.DateTimeField(read_only=True),
}
PATTERN = inline_serializer("Pattern", _PATTERN)
TRIAL = inline_serializer(
    "PatternTrial",
    {
        "expression": serializers.CharField(required=False),
        "aliases": serializers.ListField(child=serializers.CharField(), required=False),
    },
)
_FOUND = inline_serializer(
    "PatternFound", {"item": serializers.CharField(), "said": serializers.ListField(child=serializers.CharField())}
)
TRIED = inline_serializer(
    "PatternTried", {"tried": serializers.IntegerField(), "found": serializers.ListField(child=_FOUND)}
)
_SCOPES = {"GET": Scope.TICKETS_READ, "POST": Scope.ADMIN, "PATCH": Scope.ADMIN}


class PatternsView(APIView):
    """The patterns in the order they are tried, and new ones."""

    scopes = _SCOPES

    @extend_schema(
        operation_id="patterns_list", parameters=PAGING, responses={200: listed("PatternRow", _PATTERN), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        return page(request, Pattern.objects.all(), order=("position", "id"), show=pattern_told)

    @extend_schema(operation_id="patterns_create", request=PATTERN, responses={201: PATTERN, **PROBLEMS})
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        return remembering(request, lambda: (201, pattern_told(patterns.create(request.data, by=by, at=at))))


class PatternView(APIView):
    """One pattern."""

    scopes = _SCOPES

    @extend_schema(operation_id="patterns_read", responses={200: PATTERN, **PROBLEMS})
    def get(self, request: Request, number: int) -> Response:
        return Response(pattern_told(_one(number)))

    @extend_schema(operation_id="patterns_change", request=PATTERN, responses={200: PATTERN, **PROBLEMS})
    def patch(self, request: Request, number: int) -> Response:
        version, given = version_in(request.data)
        changed = patterns.change(_one(number), given, by=caller(request), at=timezone.now(), version=version)
        return Response(pattern_told(changed))


class PatternPreviewView(APIView):
    """What a pattern finds in the newest items, without saving it."""

    scopes = {"POST": Scope.ADMIN}

    @extend_schema(operation_id="patterns_preview", request=TRIAL, responses={200: TRIED, **PROBLEMS})
    def post(self, request: Request) -> Response:
        found = patterns.preview(request.data)
        hits = [{"item": hit.item.reference, "said": list(hit.said)} for hit in found.hits]
        return Response({"tried": found.tried, "found": hits})


def pattern_told(pattern: Pattern) -> dict[str, Any]:
    return {
        "id": pattern.pk,
        "name": pattern.name,
        "kind": pattern.kind,
        "expression": pattern.expression,
        "aliases": pattern.aliases,
        "product": pattern.product,
        "position": pattern.position,
        "is_enabled": pattern.is_enabled,
        "version": pattern.version,
        "changed_at": time_told(pattern.changed_at),
    }


def _one(number: int) -> Pattern:
    found = Pattern.objects.filter(pk=number if number < 2**63 else 0).first()
    if found is None:
        raise NotFound("There is nothing here, or this key may not see it.")
    return found
