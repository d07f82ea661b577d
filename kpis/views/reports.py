"""Reports that stay as they were, and the nightly proof that what stands can be counted again."""

import csv
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_safe

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import NotAllowed, Refused
from kpis import reports
from kpis.charts.units import NOTHING, out_of, written
from kpis.definitions import definitions
from kpis.figures import Figure
from kpis.models import Proof, Report, ReportRow
from kpis.questions import ask
from kpis.views.numbers import shell
from kpis.views.tables import csv_file
from kpis.words import BY_GROUP, between, unit_of

PAGE = 50
MOST_DIFFERENCES = 200
_FIELDS = ("from", "to", "team", "channel", "stage")


@login_required
@require_http_methods(["GET", "POST"])
def all_reports(request: HttpRequest) -> HttpResponse:
    """The newest reports; POST freezes one of the filters sent."""
    actor, at = actor_of(request), timezone.now()
    asked = request.POST if request.method == "POST" else request.GET
    question = ask({name: asked.get(name, "") for name in _FIELDS}, actor=actor, at=at)
    error = ""
    if request.method == "POST":
        try:
            frozen = reports.freeze(question, title=request.POST.get("title", ""), by=actor, at=at)
        except (reports.StillCounting, Refused) as refused:
            error = refused.message
        else:
            return redirect("kpis:report", frozen.code)
    rows = Report.objects.visible_to(actor).select_related("team", "person").order_by("-as_of", "-id")[:PAGE]
    context = shell(question, request.path) | {
        "reports": rows,
        "error": error,
        "title": request.POST.get("title", ""),
        "hidden": {name: asked.get(name, "") for name in _FIELDS if asked.get(name)},
    }
    return render(request, "kpis/reports.html", context, status=422 if error else 200)


@login_required
@require_safe
def report(request: HttpRequest, code: str) -> HttpResponse:
    """The digits as they were frozen, and whether they still are; with `again`, beside what counting again as of then gives."""
    actor = actor_of(request)
    found = reports.find(code, by=actor)
    again = reports.repeated(found, by=actor, at=timezone.now()) if request.GET.get("again") else None
    groups = [
        {
            "name": name,
            "kpi": rows[0].kpi,
            "version": rows[0].definition_version,
            "is_newer": rows[0].kpi in definitions
            and definitions.get(rows[0].kpi).version != rows[0].definition_version,
            "definition": definitions.get(rows[0].kpi).definition if rows[0].kpi in definitions else "",
            "whole": _shown(found, rows[0]),
            "weeks": [_shown(found, row) for row in rows if row.split == "week"],
            "splits": [
                {"title": gettext(BY_GROUP[by]), "rows": shown}
                for by in ("team", "channel", "stage")
                if (shown := [_shown(found, row) for row in rows if row.split == by and row.denominator])
            ],
        }
        for name, rows in reports.shown(found)
    ]
    context = {
        "report": found,
        "groups": groups,
        "holds": again.holds if again else reports.holds(found),
        "may_count_again": reports.may_be_repeated(found),
        "again": again,
        "differences": [_difference(each) for each in again.differences[:MOST_DIFFERENCES]] if again else [],
    }
    return render(request, "kpis/report.html", context)


@login_required
@require_safe
def report_csv(request: HttpRequest, code: str) -> StreamingHttpResponse:
    found = reports.find(code, by=actor_of(request))
    return csv_file(_lines(found), f"{found.code}.csv")


@login_required
@require_safe
def proofs(request: HttpRequest) -> HttpResponse:
    if not actor_of(request).may_steer:
        raise NotAllowed(gettext("Proofs of the numbers are shown to leads, managers and administrators."))
    return render(request, "kpis/proofs.html", {"proofs": Proof.objects.order_by("-proved_at", "-pk")[:PAGE]})


def _shown(report: Report, row: ReportRow) -> dict[str, Any]:
    value, interval = _told(row.kpi, row)
    return {
        "of": row.of,
        "value": value,
        "interval": interval,
        "n": written(row.denominator),
        "note": reports.note_of(report, row),
    }


def _difference(found: reports.Difference) -> dict[str, Any]:
    row = found.row
    frozen, anew = (_told(row.kpi, each) for each in (row, found.anew))
    return {
        "kpi": definitions.get(row.kpi).name,
        "of": row.of or gettext("the whole period"),
        "frozen": frozen[0],
        "frozen_n": written(row.denominator),
        "anew": anew[0],
        "anew_n": written(found.anew.denominator),
    }


def _told(kpi: str, told: ReportRow | Figure) -> tuple[str, str]:
    """A number and its interval in words."""
    value = out_of(told.numerator, told.denominator) if told.denominator else NOTHING
    if kpi not in definitions or told.value is None:
        return value, ""
    unit = unit_of(definitions.get(kpi), told.value, told.low, told.high)
    return unit.write(told.value), between(unit.write(told.low), unit.write(told.high))


class _Echo:
    """What the csv module writes to, handed on."""

    def write(self, line: str) -> bytes:
        return line.encode()


def _lines(found: Report) -> Iterator[bytes]:
    names = ("kpi", "definition_version", "split", "of", "value", "low", "high", "numerator", "denominator", "note")
    writer = csv.writer(_Echo())
    yield writer.writerow(["report", "sha256", "as_of", *names])
    head = (found.code, found.sha256, found.as_of.isoformat())
    for row in found.rows.order_by("position").iterator(chunk_size=500):
        yield writer.writerow([*head, *(getattr(row, name) for name in names)])
