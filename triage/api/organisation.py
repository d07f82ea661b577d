"""Topics and teams for programs: read by whoever reads tickets, changed by whoever sets the portal up."""

from typing import Any, TypeVar

from django.db.models import Model, QuerySet
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope, Team
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import NotFound
from triage import organisation
from triage.api.shapes import PAGING, PROBLEMS, listed
from triage.models import Topic

Row = TypeVar("Row", bound=Model)

_TOPIC: dict[str, Any] = {
    "slug": serializers.SlugField(help_text="Fixed once it is made."),
    "name": serializers.CharField(),
    "description": serializers.CharField(required=False),
    "keywords": serializers.ListField(child=serializers.CharField(), required=False),
    "parent": serializers.SlugField(required=False, allow_null=True),
    "team": serializers.SlugField(required=False, allow_null=True),
    "is_active": serializers.BooleanField(required=False),
}
_TEAM: dict[str, Any] = {
    "slug": serializers.SlugField(help_text="Fixed once it is made."),
    "name": serializers.CharField(),
    "stage": serializers.SlugField(required=False, allow_null=True),
    "triage_hours": serializers.IntegerField(required=False),
    "capacity": serializers.IntegerField(
        required=False, help_text="Open tickets one person can carry; 0: nobody has said."
    ),
    "calendar": serializers.SlugField(required=False, allow_null=True),
    "is_active": serializers.BooleanField(required=False),
    "is_catch_all": serializers.BooleanField(required=False),
}
TOPIC, TEAM = (inline_serializer(name, fields) for name, fields in (("Topic", _TOPIC), ("Team", _TEAM)))
_SCOPES = {"GET": Scope.TICKETS_READ, "POST": Scope.ADMIN, "PATCH": Scope.ADMIN}


class TopicsView(APIView):
    """The topics, and new ones."""

    scopes = _SCOPES

    @extend_schema(
        operation_id="topics_list", parameters=PAGING, responses={200: listed("TopicRow", _TOPIC), **PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        return page(request, _topics(), order=("slug",), show=topic_told)

    @extend_schema(operation_id="topics_create", request=TOPIC, responses={201: TOPIC, **PROBLEMS})
    def post(self, request: Request) -> Response:
        by = caller(request)
        return remembering(request, lambda: (201, topic_told(organisation.create_topic(request.data, by=by))))


class TopicView(APIView):
    """One topic."""

    scopes = _SCOPES

    @extend_schema(operation_id="topics_read", responses={200: TOPIC, **PROBLEMS})
    def get(self, request: Request, slug: str) -> Response:
        return Response(topic_told(_one(_topics(), slug=slug)))

    @extend_schema(operation_id="topics_change", request=TOPIC, responses={200: TOPIC, **PROBLEMS})
    def patch(self, request: Request, slug: str) -> Response:
        topic = organisation.change_topic(_one(_topics(), slug=slug), request.data, by=caller(request))
        return Response(topic_told(topic))


class TeamsView(APIView):
    """The teams, and new ones."""

    scopes = _SCOPES

    @extend_schema(operation_id="teams_list", parameters=PAGING, responses={200: listed("TeamRow", _TEAM), **PROBLEMS})
    def get(self, request: Request) -> Response:
        return page(request, _teams(), order=("slug",), show=team_told)

    @extend_schema(operation_id="teams_create", request=TEAM, responses={201: TEAM, **PROBLEMS})
    def post(self, request: Request) -> Response:
        by = caller(request)
        return remembering(request, lambda: (201, team_told(organisation.create_team(request.data, by=by))))


class TeamView(APIView):
    """One team."""

    scopes = _SCOPES

    @extend_schema(operation_id="teams_read", responses={200: TEAM, **PROBLEMS})
    def get(self, request: Request, slug: str) -> Response:
        return Response(team_told(_one(_teams(), slug=slug)))

    @extend_schema(operation_id="teams_change", request=TEAM, responses={200: TEAM, **PROBLEMS})
    def patch(self, request: Request, slug: str) -> Response:
        return Response(
            team_told(organisation.change_team(_one(_teams(), slug=slug), request.data, by=caller(request)))
        )


def topic_told(topic: Topic) -> dict[str, Any]:
    return {
        "slug": topic.slug,
        "name": topic.name,
        "description": topic.description,
        "keywords": topic.keywords,
        "parent": topic.parent.slug if topic.parent else None,
        "team": topic.team.slug if topic.team else None,
        "is_active": topic.is_active,
    }


def team_told(team: Team) -> dict[str, Any]:
    return {
        "slug": team.slug,
        "name": team.name,
        "stage": team.stage.slug if team.stage else None,
        "triage_hours": team.triage_hours,
        "capacity": team.capacity,
        "calendar": team.calendar.slug if team.calendar else None,
        "is_active": team.is_active,
        "is_catch_all": team.is_catch_all,
    }


def _topics() -> QuerySet[Topic]:
    return Topic.objects.select_related("parent", "team")


def _teams() -> QuerySet[Team]:
    return Team.objects.select_related("stage", "calendar")


def _one(rows: QuerySet[Row], **named: Any) -> Row:
    found = rows.filter(**named).first()
    if found is None:
        raise NotFound("There is nothing here, or this key may not see it.")
    return found
