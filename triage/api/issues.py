"""Issues of trackers for programs: what stands beside a ticket or an action, linked, made there and let go as on the pages."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, remembering
from feedback_portal.refusals import BadInput
from triage import decisions
from triage.api.shapes import PROBLEMS, time_told
from triage.connecting import issues
from triage.improving import improvements
from triage.models import LinkedIssue

_ISSUE: dict[str, Any] = {
    "id": serializers.IntegerField(help_text="The link, by which it is let go."),
    "project": serializers.IntegerField(),
    "project_name": serializers.CharField(),
    "key": serializers.CharField(help_text="Empty until the tracker has made it."),
    "title": serializers.CharField(),
    "status": serializers.CharField(help_text="The tracker's word."),
    "url": serializers.CharField(),
    "linked_at": serializers.DateTimeField(),
    "trouble": serializers.CharField(help_text="Why the two are not in step; empty where they are."),
}
ISSUE = inline_serializer("LinkedIssue", _ISSUE)
_ROWS = inline_serializer("LinkedIssueRow", _ISSUE, many=True)
LISTED = inline_serializer("LinkedIssues", {"results": _ROWS})
GIVEN = inline_serializer(
    "IssueToLink",
    {
        "project": serializers.IntegerField(),
        "issue": serializers.CharField(required=False, help_text="Its number, key or address: link this one."),
        "title": serializers.CharField(required=False, help_text="Have a new one made, under this title."),
        "text": serializers.CharField(required=False, help_text="What the new one says."),
    },
)
_SCOPES = {"GET": Scope.TICKETS_READ, "POST": Scope.TICKETS_WRITE, "DELETE": Scope.TICKETS_WRITE}


class TicketIssuesView(APIView):
    """The issues that stand beside a ticket (at most 20), and one more: one that exists, or a new one."""

    scopes = _SCOPES

    @extend_schema(operation_id="tickets_issues_list", responses={200: LISTED, **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        return _listed(decisions.find(reference, by=caller(request)))

    @extend_schema(operation_id="tickets_issues_link", request=GIVEN, responses={201: ISSUE, **PROBLEMS})
    def post(self, request: Request, reference: str) -> Response:
        return _added(request, decisions.find(reference, by=caller(request)))


class TicketIssueView(APIView):
    """One issue beside a ticket."""

    scopes = _SCOPES

    @extend_schema(operation_id="tickets_issues_unlink", responses={204: None, **PROBLEMS})
    def delete(self, request: Request, reference: str, number: int) -> Response:
        issues.unlink(decisions.find(reference, by=caller(request)), number, at=timezone.now())
        return Response(status=204)


class ActionIssuesView(APIView):
    """The same beside an action."""

    scopes = _SCOPES

    @extend_schema(operation_id="actions_issues_list", responses={200: LISTED, **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        return _listed(improvements.find(reference, by=caller(request)))

    @extend_schema(operation_id="actions_issues_link", request=GIVEN, responses={201: ISSUE, **PROBLEMS})
    def post(self, request: Request, reference: str) -> Response:
        return _added(request, improvements.find(reference, by=caller(request)))


class ActionIssueView(APIView):
    """One issue beside an action."""

    scopes = _SCOPES

    @extend_schema(operation_id="actions_issues_unlink", responses={204: None, **PROBLEMS})
    def delete(self, request: Request, reference: str, number: int) -> Response:
        issues.unlink(improvements.find(reference, by=caller(request)), number, at=timezone.now())
        return Response(status=204)


def _listed(about: issues.About) -> Response:
    return Response({"results": [told(issue) for issue in issues.of(about)]})


def _added(request: Request, about: issues.About) -> Response:
    by, at, given = caller(request), timezone.now(), request.data
    if not isinstance(given, dict):
        raise BadInput("Send an object with named fields.")
    add = issues.link if "issue" in given else issues.create
    return remembering(request, lambda: (201, told(add(about, given, by=by, at=at))))


def told(issue: LinkedIssue) -> dict[str, Any]:
    """Its project must be loaded."""
    return {
        "id": issue.pk,
        "project": issue.project_id,
        "project_name": issue.project.name,
        "key": issue.key,
        "title": issue.title,
        "status": issue.status,
        "url": issue.url,
        "linked_at": time_told(issue.linked_at),
        "trouble": issue.last_error,
    }
