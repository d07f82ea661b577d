"""How often people keep what the portal proposes, for programs."""

from datetime import datetime
from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from triage.api.shapes import PROBLEMS
from triage.lifecycle import Status
from triage.models import Ticket
from triage.proposals import Kind, placing
from triage.track_record import Record, record_of, records

_RECORD: dict[str, Any] = {
    "kept": serializers.IntegerField(help_text="Answers that kept it, over 90 days."),
    "n": serializers.IntegerField(help_text="All answers of people, over 90 days."),
    "share": serializers.FloatField(allow_null=True, help_text="kept / n; null below 30 answers."),
    "is_proposed": serializers.BooleanField(help_text="False where fewer than 60 in 100 were kept."),
}
SUGGESTED: dict[str, Any] = {
    "kind": serializers.ChoiceField(choices=Kind.choices),
    "team": serializers.CharField(),
    "confidence": serializers.FloatField(allow_null=True),
    "record": inline_serializer("RecordOfTicket", _RECORD),
}
_LINE: dict[str, Any] = {
    "kind": serializers.ChoiceField(choices=Kind.choices),
    "about": serializers.CharField(help_text="The rule, or the severity; empty for other kinds."),
    "band": serializers.IntegerField(allow_null=True, help_text="The per cent at which the band of confidence begins."),
    **_RECORD,
}


class RecordsView(APIView):
    """The record of every kind of suggestion at each confidence, over 90 days; up to an hour old."""

    scopes = {"GET": Scope.KPIS_READ}

    @extend_schema(
        operation_id="suggestion_records",
        responses={
            200: inline_serializer(
                "SuggestionRecords", {"results": inline_serializer("SuggestionRecord", _LINE, many=True)}
            ),
            **PROBLEMS,
        },
    )
    def get(self, request: Request) -> Response:
        found = records(at=timezone.now())
        return Response(
            {
                "results": [
                    {"kind": line.kind, "about": line.about, "band": line.band, **record_told(line.record)}
                    for line in found
                ]
            }
        )


def suggested(ticket: Ticket, *, at: datetime) -> dict[str, Any] | None:
    """What is proposed about the place of an undecided ticket; its team must be loaded."""
    is_open = ticket.status == Status.NEW and not ticket.explanation.get("dismissed")
    proposed = placing(ticket) if is_open else None
    if proposed is None:
        return None
    told = record_told(record_of(proposed, at=at))
    return {"kind": proposed.kind, "team": proposed.team, "confidence": proposed.sure, "record": told}


def record_told(record: Record) -> dict[str, Any]:
    return {
        "kept": record.kept,
        "n": record.n,
        "share": record.share,
        "is_proposed": record.is_worth_proposing,
    }
