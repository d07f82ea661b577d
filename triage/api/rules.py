"""Rules for programs: read by whoever reads tickets; written, tried and watched by whoever sets the portal up."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import BadInput, InputError, NotFound
from triage import rulebook
from triage.api.shapes import PAGING, PROBLEMS, listed, time_told, version_in
from triage.models import BackTest, Rule, RuleVersion
from triage.rulebook import back_testing, shadowing
from triage.rulebook.preview import preview

_RULE: dict[str, Any] = {
    "id": serializers.IntegerField(read_only=True),
    "name": serializers.CharField(),
    "position": serializers.IntegerField(required=False, help_text="Tried from the smallest; the last if left out."),
    "definition": serializers.JSONField(help_text='{"version": 1, "when": …, "then": […]}'),
    "version": serializers.IntegerField(required=False, help_text="What you saw; a rule changed since answers 409."),
    "is_enabled": serializers.BooleanField(required=False),
    "is_shadow": serializers.BooleanField(required=False, help_text="Watched on new items, deciding nothing."),
    "changed_at": serializers.DateTimeField(read_only=True),
}
_VERSION: dict[str, Any] = {
    "number": serializers.IntegerField(),
    "name": serializers.CharField(),
    "position": serializers.IntegerField(),
    "definition": serializers.JSONField(),
    "is_enabled": serializers.BooleanField(),
    "is_shadow": serializers.BooleanField(),
    "changed_by": serializers.CharField(allow_null=True),
    "changed_at": serializers.DateTimeField(),
    "back_test": serializers.IntegerField(allow_null=True),
}
_BACK_TEST: dict[str, Any] = {
    "id": serializers.IntegerField(),
    "rule": serializers.IntegerField(allow_null=True),
    "name": serializers.CharField(),
    "definition": serializers.JSONField(),
    "items": serializers.IntegerField(),
    "looked_at": serializers.IntegerField(),
    "state": serializers.ChoiceField(["waiting", "done", "cancelled", "failed"]),
    "reason": serializers.CharField(),
    "result": serializers.JSONField(
        allow_null=True, help_text="Who would move from where to where, and whether people agreed."
    ),
}
_ASKED: dict[str, Any] = {
    "rule": serializers.IntegerField(required=False, help_text="The rule to be changed; a new one if left out."),
    "name": serializers.CharField(required=False),
    "definition": serializers.JSONField(),
    "position": serializers.IntegerField(required=False),
    "items": serializers.IntegerField(required=False, help_text="On so many of the newest items; 100,000 if left out."),
}
_WATCHED = ("held", "decides", "differs", "decided", "rule_right", "placing_right")
_SHADOW: dict[str, Any] = {name: serializers.IntegerField() for name in ("version", *_WATCHED)}
# Named apart, for a serializer made of a mapping takes it over.
_MAY_ASK = tuple(_ASKED)
RULE, BACK_TEST, ASKED, SHADOW = (
    inline_serializer(name, fields)
    for name, fields in (("Rule", _RULE), ("BackTest", _BACK_TEST), ("BackTestAsked", _ASKED), ("RuleShadow", _SHADOW))
)
TRIAL = inline_serializer("RuleTrial", {"definition": serializers.JSONField()})
TRIED = inline_serializer(
    "RuleTried", {"tried": serializers.IntegerField(), "matched": serializers.ListField(child=serializers.CharField())}
)
_SCOPES = {"GET": Scope.TICKETS_READ, "POST": Scope.ADMIN, "PATCH": Scope.ADMIN}


class RulesView(APIView):
    """The rules in the order they are tried, and new ones."""

    scopes = _SCOPES

    @extend_schema(operation_id="rules_list", parameters=PAGING, responses={200: listed("RuleRow", _RULE), **PROBLEMS})
    def get(self, request: Request) -> Response:
        return page(request, Rule.objects.all(), order=("position", "id"), show=rule_told)

    @extend_schema(operation_id="rules_create", request=RULE, responses={201: RULE, **PROBLEMS})
    def post(self, request: Request) -> Response:
        by, at = caller(request), timezone.now()
        return remembering(request, lambda: (201, rule_told(rulebook.create_rule(request.data, by=by, at=at))))


class RuleView(APIView):
    """One rule."""

    scopes = _SCOPES

    @extend_schema(operation_id="rules_read", responses={200: RULE, **PROBLEMS})
    def get(self, request: Request, number: int) -> Response:
        return Response(rule_told(_rule(number)))

    @extend_schema(operation_id="rules_change", request=RULE, responses={200: RULE, **PROBLEMS})
    def patch(self, request: Request, number: int) -> Response:
        version, given = version_in(request.data)
        rule = rulebook.change_rule(_rule(number), given, by=caller(request), at=timezone.now(), version=version)
        return Response(rule_told(rule))


class RuleVersionsView(APIView):
    """How a rule stood before, newest version first."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="rules_versions",
        parameters=PAGING,
        responses={200: listed("RuleVersionRow", _VERSION), **PROBLEMS},
    )
    def get(self, request: Request, number: int) -> Response:
        return page(
            request, _rule(number).versions.select_related("changed_by"), order=("-number", "-id"), show=version_told
        )


class RuleShadowView(APIView):
    """What a rule in shadow would have done so far, as it stands now, and how people decided."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(operation_id="rules_shadow", responses={200: SHADOW, **PROBLEMS})
    def get(self, request: Request, number: int) -> Response:
        rule = _rule(number)
        found = shadowing.watched(rule)
        return Response({"version": rule.version} | {name: getattr(found, name) for name in _WATCHED})


class RulePreviewView(APIView):
    """What a rule would have done with the newest items, without doing it."""

    scopes = {"POST": Scope.ADMIN}

    @extend_schema(operation_id="rules_preview", request=TRIAL, responses={200: TRIED, **PROBLEMS})
    def post(self, request: Request) -> Response:
        given = request.data.get("definition") if isinstance(request.data, dict) else None
        found = preview(given, show=0)
        return Response({"tried": found.tried, "matched": list(found.matched)})


class BackTestsView(APIView):
    """Have it worked out what an edit of a rule would have changed about what arrived already; it is read when it is done."""

    scopes = {"POST": Scope.ADMIN}

    @extend_schema(operation_id="rules_back_test", request=ASKED, responses={202: BACK_TEST, **PROBLEMS})
    def post(self, request: Request) -> Response:
        given = request.data
        if not isinstance(given, dict) or not set(given) <= set(_MAY_ASK):
            raise BadInput(f"Send an object with {', '.join(_MAY_ASK)}; only the definition is needed.")
        rule = _rule(_number(given, "rule")) if given.get("rule") is not None else None
        name = given.get("name", rule.name if rule else "")
        if not isinstance(name, str):
            raise _wrong("name", "Send a text here.")
        position = _number(given, "position") if given.get("position") is not None else None
        if position is not None and not 0 <= position <= rulebook.LAST_PLACE:
            raise _wrong("position", f"Send a number from 0 to {rulebook.LAST_PLACE}.")
        asked = back_testing.ask(
            rule,
            name=name,
            definition=given.get("definition"),
            position=position,
            items=given.get("items", back_testing.USUAL),
            by=caller(request),
            at=timezone.now(),
        )
        return Response(back_test_told(asked), status=202)


class BackTestView(APIView):
    """A back-test: how far it is, and what it found."""

    scopes = {"GET": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(operation_id="rules_back_test_read", responses={200: BACK_TEST, **PROBLEMS})
    def get(self, request: Request, number: int) -> Response:
        return Response(back_test_told(_back_test(number)))

    @extend_schema(operation_id="rules_back_test_cancel", responses={200: BACK_TEST, **PROBLEMS})
    def delete(self, request: Request, number: int) -> Response:
        back_testing.cancel(_back_test(number), by=caller(request), at=timezone.now())
        return Response(back_test_told(_back_test(number)))


def rule_told(rule: Rule) -> dict[str, Any]:
    return {
        "id": rule.pk,
        "name": rule.name,
        "position": rule.position,
        "definition": rule.definition,
        "version": rule.version,
        "is_enabled": rule.is_enabled,
        "is_shadow": rule.is_shadow,
        "changed_at": time_told(rule.changed_at),
    }


def version_told(version: RuleVersion) -> dict[str, Any]:
    return {
        "number": version.number,
        "name": version.name,
        "position": version.position,
        "definition": version.definition,
        "is_enabled": version.is_enabled,
        "is_shadow": version.is_shadow,
        "changed_by": str(version.changed_by) if version.changed_by else None,
        "changed_at": time_told(version.changed_at),
        "back_test": version.back_test_id,
    }


def back_test_told(found: BackTest) -> dict[str, Any]:
    return {
        "id": found.pk,
        "rule": found.rule_id,
        "name": found.name,
        "definition": found.definition,
        "items": found.items,
        "looked_at": found.looked_at,
        "state": _state(found),
        "reason": found.last_error if found.parked_at else "",
        "result": found.result,
    }


def _state(found: BackTest) -> str:
    if found.result is not None:
        return "done"
    if found.parked_at is not None:
        return "failed"
    return "cancelled" if found.is_over else "waiting"


def _number(given: dict[str, Any], name: str) -> int:
    value = given.get(name)
    if type(value) is not int or not 0 <= value < 2**63:
        raise _wrong(name, "Send a whole number.")
    return value


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))


def _rule(number: int) -> Rule:
    found = Rule.objects.filter(pk=number if number < 2**63 else 0).first()
    if found is None:
        raise NotFound("There is nothing here, or this key may not see it.")
    return found


def _back_test(number: int) -> BackTest:
    found = BackTest.objects.filter(pk=number if number < 2**63 else 0).first()
    if found is None:
        raise NotFound("There is nothing here, or this key may not see it.")
    return found
