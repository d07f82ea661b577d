"""KPIs for programs: which there are, what one comes to, and exactly the items behind it."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, page
from feedback_portal.refusals import BadInput, InputError
from intake.models import FeedbackItem
from kpis import recording, versions
from kpis.definitions.base import Kpi
from kpis.models import DefinitionVersion
from kpis.questions import SIDES, Question, ask, in_order, kpi_called, side_asked
from kpis.recording import DIMENSIONS, Dimension

GROUPS = (*DIMENSIONS, "week")

_FILTERS = [
    OpenApiParameter("from", str, description="The first day, as in 2026-01-01. 13 weeks before `to` when left out."),
    OpenApiParameter("to", str, description="The last day, included. Today when left out."),
    OpenApiParameter("team", str, description="Only this team's items. A key of a team always asks about its own."),
    OpenApiParameter("channel", str, description="Only items of this channel."),
    OpenApiParameter("stage", str, description="Only items at this production stage."),
    OpenApiParameter("as_of", str, description="As it was known at this time, or at the end of this day."),
]
_INTERVAL = inline_serializer(
    "KpiInterval",
    {
        "low": serializers.FloatField(allow_null=True),
        "high": serializers.FloatField(allow_null=True),
        "confidence": serializers.FloatField(),
    },
)
_READING: dict[str, Any] = {
    "kpi": serializers.CharField(),
    "definition_version": serializers.IntegerField(),
    "unit": serializers.CharField(),
    "from": serializers.DateField(),
    "to": serializers.DateField(),
    "as_of": serializers.DateTimeField(),
    "value": serializers.FloatField(allow_null=True, help_text="Null where it is not defined; `note` then says why."),
    "interval": _INTERVAL,
    "numerator": serializers.IntegerField(),
    "denominator": serializers.IntegerField(),
    "n": serializers.IntegerField(),
    "note": serializers.CharField(),
}
READING = inline_serializer(
    "KpiReading",
    {
        **_READING,
        "groups": inline_serializer(
            "KpiGroup", {"group": serializers.CharField(), **_READING}, many=True, required=False
        ),
    },
)
DEFINITION = inline_serializer(
    "KpiDefinition",
    {
        "slug": serializers.CharField(),
        "name": serializers.CharField(),
        "definition": serializers.CharField(),
        "definition_version": serializers.IntegerField(),
        "valid_from": serializers.DateTimeField(allow_null=True, help_text="Since when this version counts."),
        "unit": serializers.CharField(),
        "better": serializers.ChoiceField(["higher", "lower", "neither"]),
        "numerator": serializers.CharField(),
        "denominator": serializers.CharField(),
    },
    many=True,
)
DEFINITIONS = inline_serializer(
    "KpiDefinitions", {"results": DEFINITION, "next": serializers.CharField(allow_null=True)}
)
ITEM = inline_serializer(
    "KpiItem",
    {
        "id": serializers.UUIDField(),
        "reference": serializers.CharField(),
        "received_at": serializers.DateTimeField(),
        "channel": serializers.CharField(),
        "title": serializers.CharField(),
    },
    many=True,
)
ITEMS = inline_serializer("KpiItems", {"results": ITEM, "next": serializers.CharField(allow_null=True)})


class KpisView(APIView):
    """Every KPI with its definition."""

    scopes = {"GET": Scope.KPIS_READ}

    @extend_schema(operation_id="v1_kpis_list", responses={200: DEFINITIONS})
    def get(self, request: Request) -> Response:
        since = versions.since()
        return Response({"results": [_defined(kpi, since.get(kpi.slug)) for kpi in in_order()], "next": None})


class KpiView(APIView):
    """One KPI over a period, whole and by group."""

    scopes = {"GET": Scope.KPIS_READ}

    @extend_schema(
        parameters=[*_FILTERS, OpenApiParameter("group_by", str, enum=GROUPS, description="A value for each of them.")],
        responses={200: READING},
    )
    def get(self, request: Request, slug: str) -> Response:
        kpi, question = kpi_called(slug), _asked(request)
        by = _group_asked(request)
        told = recording.read(
            kpi, question.period, at=question.at, as_of=question.as_of, slice=question.slice
        ).as_dict()
        if by is not None:
            told["groups"] = [{"group": name} | each.as_dict() for name, each in _groups(kpi, question, by)]
        return Response(told)


class KpiItemsView(APIView):
    """Exactly the items counted on one side of the value."""

    scopes = {"GET": Scope.KPIS_READ}

    @extend_schema(
        parameters=[
            *_FILTERS,
            OpenApiParameter("side", str, enum=SIDES),
            OpenApiParameter("cursor", str),
            OpenApiParameter("limit", int),
        ],
        responses={200: ITEMS},
    )
    def get(self, request: Request, slug: str) -> Response:
        kpi, question = kpi_called(slug), _asked(request)
        side = side_asked(request.query_params.dict(), kpi)
        items = recording.items_behind(kpi, question.period, side, as_of=question.as_of, slice=question.slice)
        rows = items.select_related("submission", "channel").defer("text", "context", "submission__payload")
        return page(request, rows, order=("-received_at", "-submission_id"), show=_shown)


def _asked(request: Request) -> Question:
    return ask(request.query_params.dict(), actor=caller(request), at=timezone.now(), looks_back=True)


def _group_asked(request: Request) -> str | None:
    text = str(request.query_params.get("group_by", "")).strip()
    if not text or text in GROUPS:
        return text or None
    message = f"Write `group_by` as one of {', '.join(GROUPS)}."
    raise BadInput(message, errors=(InputError("group_by", message),))


def _groups(kpi: Kpi, question: Question, by: str) -> list[tuple[str, recording.Reading]]:
    at, as_of, slice = question.at, question.as_of, question.slice
    if by == "week":
        readings = recording.series(kpi, question.period.weeks(), at=at, as_of=as_of, slice=slice)
        return [(each.period.iso_week, each) for each in readings]
    dimension: Dimension = next(name for name in DIMENSIONS if name == by)
    among = question.among(dimension)
    found = recording.split(
        kpi, question.period, dimension, [each.pk for each in among], at=at, as_of=as_of, slice=slice
    )
    return [(each.slug, found[each.pk]) for each in among]


def _defined(kpi: Kpi, row: DefinitionVersion | None) -> dict[str, Any]:
    return {
        "slug": kpi.slug,
        "name": kpi.name,
        "definition": kpi.definition,
        "definition_version": kpi.version,
        "valid_from": row.valid_from if row else None,
        "unit": kpi.unit,
        "better": kpi.better,
        "numerator": kpi.numerator,
        "denominator": kpi.denominator,
    }


def _shown(item: FeedbackItem) -> dict[str, Any]:
    return {
        "id": str(item.submission.public_id),
        "reference": item.reference,
        "received_at": item.received_at.isoformat(),
        "channel": item.channel.slug,
        "title": item.headline,
    }
