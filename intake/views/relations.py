"""Settings: who the customers are, and the files that tell of them, of their companies and of exposure counts."""

from collections.abc import Iterator, Mapping
from typing import Any, BinaryIO, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import number_format
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from intake import import_reports, relation_files, relation_runs
from intake.connectors.relation_columns import FIELDS, IGNORE, PRESETS
from intake.models import Customer, RelationFile, RelationNotice
from intake.models.customers import id_of

State = RelationFile.State
SHOWN = 50
# A page that asks for more columns than anybody reads would ask for more fields than a form may have.
MOST_ASKED = 200
_COLUMN = "column-"
_AT_ONCE = 2000
_FIGURES = (
    ("read", marked("Rows read")),
    ("created", marked("New")),
    ("updated", marked("Changed")),
    ("unchanged", marked("Known already")),
    ("deleted", marked("Deleted")),
    ("skipped", marked("Passed over")),
    ("failed", marked("Could not be read")),
)


@set_up_page
def customers(request: HttpRequest) -> HttpResponse:
    """Customers by id, address or name; the files that were sent; and a form for the next one."""
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        try:
            return redirect("intake:relation_file", _sent(request).pk)
        except BadInput as refused:
            errors = {"file": [refused.message]}
    asked = request.GET.get("q", "").replace("\x00", "").strip()[:200]
    context = {
        "asked": asked,
        "found": list(_found(asked)[:SHOWN]) if asked else [],
        "runs": RelationFile.objects.order_by("-id")[:20],
        "presets": PRESETS.values(),
        "values": request.POST,
        "errors": errors,
    }
    return render(request, "intake/customers/all.html", context, status=422 if errors else 200)


def _sent(request: HttpRequest) -> RelationFile:
    file = request.FILES.get("file")
    if file is None:
        raise BadInput(gettext("Choose a file to take in."))
    by, told = actor_of(request).user, _told(request.POST)
    return relation_runs.upload(cast(BinaryIO, file), name=str(file.name), by=by, told=told)


def _found(asked: str) -> QuerySet[Customer]:
    """An id or an address is looked up as a whole, for each has its index; anything else is a part of the name."""
    rows = Customer.objects.select_related("account").prefetch_related("identities").order_by("pk")
    system, number = id_of(asked)
    known = Q(external_id=asked) | Q(identities__external_id=number) & (Q(identities__system=system) if system else Q())
    if "@" in asked:
        return rows.filter(known | Q(email__iexact=asked)).distinct()
    exact = rows.filter(known).distinct()
    return exact if exact.exists() else rows.filter(name__icontains=asked)


@set_up_page
def one_file(request: HttpRequest, number: int) -> HttpResponse:
    """One file: how it would be read while that is to be checked, then how far it is and what came of it."""
    run = get_object_or_404(RelationFile.objects.select_related("started_by"), pk=number)
    if run.state == State.UPLOADED:
        return _mapping(request, run)
    if request.method == "POST":
        raise relation_runs.NotNow(gettext("This file was begun already. Load the page again."))
    context = {
        "run": run,
        "percent": 100 if run.finished_at else min(99, 100 * run.read_bytes // max(run.size, 1)),
        "figures": [
            (gettext(words), number_format(getattr(run, name), force_grouping=True)) for name, words in _FIGURES
        ],
        "is_moving": run.state in (State.WAITING, State.RUNNING),
        "notices": run.notices.order_by("pk")[:20],
        "has_notices": run.notices.exists(),
    }
    return render(request, "intake/customers/file.html", context)


def _mapping(request: HttpRequest, run: RelationFile) -> HttpResponse:
    """Looking again changes nothing; beginning hands the file to the workers."""
    told = _told(request.POST) if request.method == "POST" else dict(run.settings)
    errors: dict[str, list[str]] = {}
    with relation_runs.file_of(run).open("rb") as file:
        guessed = relation_files.preview(file, settings=told)
        if request.method == "POST":
            said = {
                column: field
                for place, column in enumerate(guessed.columns[:MOST_ASKED])
                if (field := request.POST.get(f"{_COLUMN}{place}", "")) in (*FIELDS[guessed.preset.kind], IGNORE)
                and field != guessed.mapping.get(column, IGNORE)
            }
            told |= {"columns": said} if said else {}
        shown = relation_files.preview(file, settings=told)
    if request.method == "POST" and "begin" in request.POST:
        try:
            relation_runs.begin(run, told=told)
            return redirect("intake:relation_file", run.pk)
        except relation_runs.FileRefused as refused:
            errors = {"file": [refused.message]}
    context = {
        "run": run,
        "shown": shown,
        "columns": [
            {
                "name": f"{_COLUMN}{place}",
                "column": column,
                "field": shown.mapping.get(column, IGNORE),
                "sample": next((row[place] for row in shown.rows if row[place].strip()), ""),
            }
            for place, column in enumerate(shown.columns[:MOST_ASKED])
        ],
        "held": [
            *((field, gettext(words)) for field, words in FIELDS[shown.preset.kind].items()),
            (IGNORE, gettext("Nothing that is needed")),
        ],
        "presets": PRESETS.values(),
        "values": told,
        "errors": errors,
    }
    return render(request, "intake/customers/mapping.html", context, status=422 if errors else 200)


def _told(post: Mapping[str, str]) -> dict[str, Any]:
    """What the page says of a file, beyond what its columns hold."""
    given = {name: post.get(name, "").replace("\x00", "").strip()[:60] for name in ("preset", "system", "currency")}
    told: dict[str, Any] = {name: value for name, value in given.items() if value}
    if post.get("day_first") in ("yes", "no"):
        told["day_first"] = post["day_first"] == "yes"
    return told


@set_up_page
@require_POST
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    run = get_object_or_404(RelationFile, pk=number)
    relation_runs.cancel(run)
    messages.success(request, gettext("It is cancelled. What is in stays."))
    return redirect("intake:customers")


@login_required
@require_GET
def rows(request: HttpRequest, number: int) -> StreamingHttpResponse:
    """The rows that were passed over, that failed, or of which something was left out, as a table."""
    require_set_up(request)
    run = get_object_or_404(RelationFile, pk=number)
    answer = StreamingHttpResponse(_lines(run), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="customers-{run.pk}-rows.csv"'
    return answer


def _lines(run: RelationFile) -> Iterator[str]:
    yield "\ufeff" + import_reports.line(["row", "column", "reason"])
    last = 0
    while found := list(RelationNotice.objects.filter(run=run, pk__gt=last).order_by("pk")[:_AT_ONCE]):
        for notice in found:
            yield import_reports.line([str(notice.row), notice.column, notice.reason])
        last = found[-1].pk
