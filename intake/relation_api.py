"""Customers with their companies, and exposure counts, told by programs one by one or in bulk."""

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from feedback_portal.accounts.models import Scope
from feedback_portal.api import page, remembering
from feedback_portal.refusals import BadInput, InputError
from intake import relation_schema as schema
from intake.exposures import take_counts
from intake.models import Exposure
from intake.relation_shapes import check_count, check_customer, count_of, person_of
from intake.relations import Verdict, take_people

MOST_AT_ONCE = 1000
_ORDER = ("kind", "day", "product", "site")


class CustomersView(APIView):
    """Tell of one customer: made where nobody is known by these ids or this address, changed where somebody is."""

    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="customers_tell",
        request=schema.CUSTOMER,
        responses={200: schema.TOLD, 201: schema.TOLD, **schema.PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        given: Any = request.data
        errors = check_customer(given)
        if errors:
            raise BadInput("Correct the places named in `errors` and send it again.", errors=tuple(errors))
        person, at = person_of(given), timezone.now()

        def effect() -> tuple[int, dict[str, Any]]:
            [verdict] = take_people([person], at=at)
            return 201 if verdict.status == "created" else 200, _told(verdict)

        return remembering(request, effect)


class CustomersBulkView(APIView):
    """Tell of up to 1,000 customers; each gets its own verdict, and a bad one never refuses the rest."""

    scopes = {"POST": Scope.ADMIN}

    @extend_schema(
        operation_id="customers_tell_many",
        request=schema.CUSTOMERS,
        responses={200: schema.VERDICTS, **schema.PROBLEMS},
    )
    def post(self, request: Request) -> Response:
        def take(given: Sequence[Any], at: datetime) -> list[Verdict]:
            return take_people([person_of(each) for each in given], at=at)

        return _bulk(request, check_customer, take)


class ExposuresView(APIView):
    """How much there was by kind, product, site and day: told in bulk, and listed."""

    scopes = {"GET": Scope.KPIS_READ, "POST": Scope.ADMIN}

    @extend_schema(
        operation_id="exposures_list", parameters=schema.FILTERS, responses={200: schema.EXPOSURES, **schema.PROBLEMS}
    )
    def get(self, request: Request) -> Response:
        wanted: QuerySet[Exposure] = Exposure.objects.all()
        for name in ("kind", "product", "site"):
            if name in request.query_params:
                wanted = wanted.filter(**{name: request.query_params[name].replace("\x00", "")})
        return page(request, wanted, order=_ORDER, show=_shown)

    @extend_schema(
        operation_id="exposures_tell", request=schema.COUNTS, responses={200: schema.VERDICTS, **schema.PROBLEMS}
    )
    def post(self, request: Request) -> Response:
        return _bulk(request, check_count, lambda given, at: take_counts([count_of(each) for each in given]))


def _bulk(
    request: Request,
    check: Callable[[Any], list[InputError]],
    take: Callable[[Sequence[Any], datetime], list[Verdict]],
) -> Response:
    given = request.data.get("items") if isinstance(request.data, dict) else None
    if not isinstance(given, list) or set(request.data) != {"items"}:
        raise BadInput('Send an object {"items": […]}.', errors=(InputError("items", "Send a list here."),))
    if len(given) > MOST_AT_ONCE:
        message = f"Send at most {MOST_AT_ONCE} items at once."
        raise BadInput(message, errors=(InputError("items", message),))
    at = timezone.now()

    def effect() -> tuple[int, dict[str, Any]]:
        wrong = {index: errors for index, item in enumerate(given) if (errors := check(item))}
        found = iter(take([item for index, item in enumerate(given) if index not in wrong], at))
        results = [
            {"index": index, **(_refused(wrong[index]) if index in wrong else _told(next(found)) | {"errors": []})}
            for index in range(len(given))
        ]
        return 200, {"results": results}

    return remembering(request, effect)


def _told(verdict: Verdict) -> dict[str, Any]:
    return {"status": verdict.status, "id": verdict.pk, "reason": verdict.reason}


def _refused(errors: list[InputError]) -> dict[str, Any]:
    told = [{"path": error.path, "message": error.message} for error in errors]
    return {"status": "refused", "id": None, "reason": "", "errors": told}


def _shown(row: Exposure) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "product": row.product,
        "site": row.site,
        "day": row.day.isoformat(),
        "count": row.count,
        "updated_at": row.changed_at.isoformat() if row.changed_at else None,
    }
