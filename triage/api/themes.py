"""Themes for programs: found, and changed by the same verbs as on their pages."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.accounts.permissions import Actor
from feedback_portal.api import caller, page, remembering
from feedback_portal.refusals import BadInput, InputError
from triage import themes
from triage.api.shapes import PAGING, PROBLEMS, listed, time_told, version_in
from triage.models import Action, Theme, Ticket

_MOST_TICKETS = 200
_THEME: dict[str, Any] = {
    "reference": serializers.CharField(),
    "version": serializers.IntegerField(),
    "name": serializers.CharField(),
    "is_named": serializers.BooleanField(help_text="Whether a person gave the name."),
    "description": serializers.CharField(),
    "state": serializers.ChoiceField(choices=Theme.State.choices),
    "state_at": serializers.DateTimeField(),
    "grew_at": serializers.DateTimeField(allow_null=True),
    "is_frozen": serializers.BooleanField(),
    "topic": serializers.CharField(allow_null=True, help_text="Null for the new voices, which fit no topic."),
    "team": serializers.CharField(allow_null=True),
    "words": serializers.ListField(child=serializers.CharField()),
    "size": serializers.IntegerField(help_text="Of all members, also of those the key may not see."),
    "customers": serializers.IntegerField(),
    "first_at": serializers.DateTimeField(allow_null=True),
    "last_at": serializers.DateTimeField(allow_null=True),
}
FULL = inline_serializer(
    "ThemeInFull",
    {
        **_THEME,
        "tickets": serializers.ListField(child=serializers.CharField()),
        "actions": serializers.ListField(child=serializers.CharField()),
    },
)
VERB = inline_serializer(
    "ThemeVerb",
    {
        "verb": serializers.ChoiceField(choices=list(themes.VERBS)),
        "version": serializers.IntegerField(
            required=False, help_text="What you saw; a theme changed since answers 409."
        ),
        "name": serializers.CharField(required=False, help_text="rename, split"),
        "description": serializers.CharField(required=False, help_text="describe"),
        "items": serializers.ListField(
            child=serializers.CharField(), required=False, help_text="split, move: references of tickets"
        ),
        "into": serializers.CharField(required=False, help_text="join"),
        "to": serializers.CharField(required=False, help_text="move: a theme, or empty for none"),
        "action": serializers.CharField(required=False, help_text="link, unlink"),
        "title": serializers.CharField(required=False, help_text="link: of a new action"),
        "team": serializers.CharField(required=False, help_text="link: of a new action"),
    },
)
_STATE = OpenApiParameter("state", OpenApiTypes.STR, enum=list(Theme.State.values))
_ARGUMENTS = frozenset({"name", "description", "items", "into", "to", "action", "title", "team"})


class ThemesView(APIView):
    """The living themes of the teams the key may see, newest first."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(
        operation_id="themes_list",
        parameters=[*PAGING, _STATE],
        responses={200: listed("ThemeRow", _THEME), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        rows = Theme.objects.living().visible_to(caller(request)).filter(size__gt=0).select_related("topic__team")
        state = request.query_params.get("state", "")
        if state and state not in Theme.State.values:
            raise BadInput(f"Write `state` as one of {', '.join(Theme.State.values)}.")
        return page(request, rows.filter(state=state) if state else rows, order=("-id",), show=told)


class ThemeView(APIView):
    """One theme, the tickets in it that the key may see, and the actions that answer it. The number of a theme that was joined into
    another shows that one."""

    scopes = {"GET": Scope.TICKETS_READ}

    @extend_schema(operation_id="themes_read", responses={200: FULL, **PROBLEMS})
    def get(self, request: Request, reference: str) -> Response:
        by = caller(request)
        return Response(_told(themes.find(reference, by=by), by))


class ThemeDecisionsView(APIView):
    """Name, split, join, freeze, rest, move: what a person may do, a program may do."""

    scopes = {"POST": Scope.TICKETS_WRITE}

    @extend_schema(operation_id="themes_decide", request=VERB, responses={200: FULL, **PROBLEMS})
    def post(self, request: Request, reference: str) -> Response:
        by, at = caller(request), timezone.now()
        version, given = version_in(request.data)
        verb = given.pop("verb", None)
        if verb not in themes.VERBS:
            message = f"Use one of {', '.join(themes.VERBS)}."
            raise BadInput(message, errors=(InputError("verb", message),))
        unknown = [name for name in given if name not in _ARGUMENTS]
        if unknown:
            raise BadInput(
                "Correct what is marked.", errors=(InputError(str(unknown[0])[:80], "There is no such field."),)
            )

        def effect() -> tuple[int, Any]:
            return 200, _told(themes.decide(reference, verb, by=by, at=at, version=version, **given), by)

        return remembering(request, effect)


def _told(theme: Theme, by: Actor) -> dict[str, Any]:
    tickets = Ticket.objects.visible_to(by).filter(item__theme_member__theme=theme).order_by("-item", "pk")
    links = theme.action_links.filter(unlinked_at=None, action__in=Action.objects.visible_to(by)).select_related(
        "action"
    )
    return told(theme) | {
        "tickets": [ticket.reference for ticket in tickets.only("pk")[:_MOST_TICKETS]],
        "actions": [link.action.reference for link in links.order_by("pk")],
    }


def told(theme: Theme) -> dict[str, Any]:
    """A theme in a few names; its topic with its team must be loaded."""
    summed = themes.summary(theme)
    return {name: time_told(value) if isinstance(value, datetime) else value for name, value in summed.items()}
