"""Looking again at the open tickets, for programs: what would move, a run, how far it is, and taking it back."""

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema, inline_serializer
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import caller, page, remembering
from feedback_portal.languages import said
from feedback_portal.refusals import BadInput, InputError, NotFound
from triage import reevaluating
from triage.api.shapes import PAGING, PROBLEMS, listed, time_told
from triage.models import Reevaluation

LONGEST_REASON = 300
_RUN: dict[str, Any] = {
    "id": serializers.IntegerField(),
    "because": serializers.CharField(),
    "asked_by": serializers.CharField(allow_null=True),
    "asked_at": serializers.DateTimeField(),
    "undone_at": serializers.DateTimeField(allow_null=True),
    "state": serializers.ChoiceField(["running", "done", "taken_back"]),
    "total": serializers.IntegerField(help_text="So many tickets are looked at."),
    "looked_at": serializers.IntegerField(),
    "moved": serializers.IntegerField(help_text="Those that went elsewhere, to somebody else, or changed in severity."),
    "put_back": serializers.IntegerField(),
    "parked": serializers.IntegerField(help_text="Batches that could not be worked off."),
}
_MOVE: dict[str, Any] = {
    "from": serializers.CharField(),
    "to": serializers.CharField(),
    "count": serializers.IntegerField(),
}
RUN = inline_serializer("Reevaluation", _RUN)
ASKED = inline_serializer(
    "ReevaluationAsked",
    {"because": serializers.CharField(required=False, help_text="The end of a sentence, as in “a rule was changed”.")},
)
WOULD_MOVE = inline_serializer(
    "ReevaluationPreview",
    {
        "looked_at": serializers.IntegerField(help_text="So many of the newest tickets were tried."),
        "untouched": serializers.IntegerField(help_text="So many are there that no person has touched."),
        "moves": inline_serializer("ReevaluationMove", _MOVE, many=True),
        "other": serializers.IntegerField(help_text="Those that would stay with their team, and change otherwise."),
    },
)


class ReevaluationsView(APIView):
    """The runs so far, newest first, and asking for another."""

    scopes = {"GET": Scope.ADMIN, "POST": Scope.ADMIN}

    @extend_schema(
        operation_id="reevaluations_list",
        parameters=PAGING,
        responses={200: listed("ReevaluationRow", _RUN), **PROBLEMS},
    )
    def get(self, request: Request) -> Response:
        answer = page(request, Reevaluation.objects.select_related("asked_by"), order=("-id",), show=lambda run: run)
        answer.data["results"] = _told(answer.data["results"])
        return answer

    @extend_schema(operation_id="reevaluations_start", request=ASKED, responses={202: RUN, **PROBLEMS})
    def post(self, request: Request) -> Response:
        because = _because(request.data)
        by, at = caller(request), timezone.now()
        return remembering(request, lambda: (202, _told([reevaluating.start(because=because, by=by, at=at)])[0]))


class ReevaluationPreviewView(APIView):
    """What a run would do with the newest tickets, without doing it."""

    scopes = {"GET": Scope.ADMIN}

    @extend_schema(operation_id="reevaluations_preview", responses={200: WOULD_MOVE, **PROBLEMS})
    def get(self, request: Request) -> Response:
        found = reevaluating.preview(at=timezone.now())
        moves = [{"from": here, "to": there, "count": count} for (here, there), count in found.moves.items()]
        return Response(
            {"looked_at": found.looked_at, "untouched": found.untouched, "moves": moves, "other": found.other}
        )


class ReevaluationView(APIView):
    """A run: how far it is, what it moved, and taking it back."""

    scopes = {"GET": Scope.ADMIN, "DELETE": Scope.ADMIN}

    @extend_schema(operation_id="reevaluations_read", responses={200: RUN, **PROBLEMS})
    def get(self, request: Request, number: int) -> Response:
        return Response(_told([_run(number)])[0])

    @extend_schema(operation_id="reevaluations_take_back", responses={200: RUN, **PROBLEMS})
    def delete(self, request: Request, number: int) -> Response:
        reevaluating.undo(_run(number), by=caller(request), at=timezone.now())
        return Response(_told([_run(number)])[0])


def _told(runs: list[Reevaluation]) -> list[dict[str, Any]]:
    far = reevaluating.progress(runs)
    return [
        {
            "id": run.pk,
            "because": said(run.because),
            "asked_by": str(run.asked_by) if run.asked_by else None,
            "asked_at": time_told(run.asked_at),
            "undone_at": time_told(run.undone_at),
            "state": "running" if not far[run.pk].is_over else "taken_back" if run.undone_at else "done",
            "total": far[run.pk].total,
            "looked_at": far[run.pk].looked_at,
            "moved": far[run.pk].moved,
            "put_back": far[run.pk].put_back,
            "parked": far[run.pk].parked,
        }
        for run in runs
    ]


def _because(given: Any) -> str:
    if not isinstance(given, dict) or not set(given) <= {"because"}:
        raise BadInput("Send an object with a reason in `because`, or an empty one.")
    because = given.get("because", "")
    if not isinstance(because, str) or len(because) > LONGEST_REASON:
        message = f"Send a text of at most {LONGEST_REASON} characters here."
        raise BadInput(message, errors=(InputError("because", message),))
    return because.strip()


def _run(number: int) -> Reevaluation:
    found = Reevaluation.objects.select_related("asked_by").filter(pk=number if number < 2**63 else 0).first()
    if found is None:
        raise NotFound("There is nothing here, or this key may not see it.")
    return found
