"""Files of feedback taken in through pages: sent, looked at, mapped, watched, reported on, and taken back."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, cast

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.formats import number_format
from django.utils.text import slugify
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput
from intake import import_reports, importing
from intake.connectors.columns import FIELDS
from intake.connectors.previews import preview
from intake.models import Channel, Import

State = Import.State
SHOWN = 50
# A page that asks for more columns than anybody reads would ask for more fields than a form may have.
MOST_ASKED = 200
_ASKED = "asked-"
_COLUMN = "column-"
_VERBS = {
    "pause": (importing.pause, marked("It stops after the rows it is at. What is in stays.")),
    "resume": (importing.resume, marked("It goes on where it stopped.")),
    "cancel": (importing.cancel, marked("It is cancelled. What is in stays until you take it back.")),
    "undo": (importing.undo, marked("It is taken back; what somebody decided already stays.")),
}
_MOVES: Mapping[str, tuple[str, ...]] = {
    State.UPLOADED: ("cancel",),
    State.WAITING: ("pause", "cancel"),
    State.RUNNING: ("pause", "cancel"),
    State.PAUSED: ("resume", "cancel"),
    State.DONE: ("undo",),
    State.CANCELLED: ("undo",),
    State.REFUSED: ("undo",),
}
_FIGURES = (
    ("read", marked("Rows read")),
    ("created", marked("New")),
    ("updated", marked("Replaced by a later version")),
    ("duplicate", marked("Known already")),
    ("skipped", marked("Passed over")),
    ("failed", marked("Could not be read")),
)
_WORDS = {
    "pause": marked("Pause"),
    "resume": marked("Go on"),
    "cancel": marked("Cancel the import"),
    "undo": marked("Take it back"),
}


@set_up_page
def all_imports(request: HttpRequest) -> HttpResponse:
    """What was sent lately, and a form for the next file."""
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        try:
            return redirect("intake:import", _sent(request).public_id)
        except BadInput as refused:
            errors = {"__all__": [refused.message]}
    kinds = importing.file_connectors()
    context = {
        "runs": Import.objects.select_related("channel").order_by("-id")[:SHOWN],
        "channels": Channel.objects.enabled().filter(kind__in=[each.slug for each in kinds]).order_by("name"),
        "kinds": sorted(kinds, key=lambda each: each.name.lower()),
        "values": request.POST,
        "errors": errors,
    }
    return render(request, "intake/imports/all.html", context, status=422 if errors else 200)


def _sent(request: HttpRequest) -> Import:
    """The file that was sent, kept, through the channel that was named or a new one."""
    file = request.FILES.get("file")
    if file is None:
        raise BadInput(gettext("Choose a file to import."))
    path = Path(str(file.name))
    slug = request.POST.get("channel", "")
    if slug:
        channel = get_object_or_404(Channel, slug=slug)
    else:
        name = request.POST.get("name", "").strip()[:120] or path.stem[:120]
        fitting = importing.connector_for(path)
        kind = request.POST.get("kind") or (fitting.slug if fitting else "")
        if not kind:
            raise BadInput(
                gettext('The ending of "%(name)s" does not tell what the file is. Choose its kind.')
                % {"name": path.name[:80]}
            )
        channel = importing.channel_for(_free(slugify(name)[:50] or "import"), kind=kind, path=path)
        channel.name = name
    return importing.upload(channel, cast(BinaryIO, file), name=path.name, by=actor_of(request).user)


def _free(slug: str) -> str:
    taken = set(Channel.objects.filter(slug__startswith=slug).values_list("slug", flat=True))
    number = 1
    while (slug if number == 1 else f"{slug}-{number}") in taken:
        number += 1
    return slug if number == 1 else f"{slug}-{number}"


@set_up_page
def one(request: HttpRequest, number: str) -> HttpResponse:
    """One file: what its columns hold while that is to be checked, then how far it is and what came of it."""
    run = get_object_or_404(Import.objects.select_related("channel", "started_by"), public_id=number)
    if run.state == State.UPLOADED:
        return _mapping(request, run)
    if request.method == "POST":
        raise importing.NotNow(gettext("This import has begun already. Load the page again."))
    context = {
        "run": run,
        "moves": [(verb, gettext(_WORDS[verb])) for verb in _MOVES.get(run.state, ())],
        "figures": [
            (gettext(words), number_format(getattr(run, name), force_grouping=True)) for name, words in _FIGURES
        ],
        "is_moving": run.state in (State.WAITING, State.RUNNING, State.UNDOING),
        "has_report": run.notices.exists(),
    }
    return render(request, "intake/imports/one.html", context)


def _mapping(request: HttpRequest, run: Import) -> HttpResponse:
    """How the file would be read as it is told so far. Looking again changes nothing; beginning hands it to the workers."""
    connector = importing.connector_of(run.channel)
    told = _told(request.POST, connector.asks) if request.method == "POST" else dict(run.settings)
    shown = None
    if connector.is_general:
        with importing.file_of(run).open("rb") as file:
            guessed = preview(file, _joined(run.channel.settings, told))
            columns = guessed.columns[:MOST_ASKED]
            if request.method == "POST":
                # Only what differs from the guess is told, so that the preset goes on knowing the rest.
                said = {
                    column: field
                    for place, column in enumerate(columns)
                    if (field := request.POST.get(f"{_COLUMN}{place}", "")) in FIELDS
                    and field != guessed.mapping[column]
                }
                told = _joined(told, {"columns": said} if said else {})
            shown = preview(file, _joined(run.channel.settings, told))
    if request.method == "POST" and "begin" in request.POST:
        importing.begin(run, columns=told)
        return redirect("intake:import", run.public_id)
    known = {**run.channel.settings, **told}
    context = {
        "run": run,
        "kind": connector,
        "shown": shown,
        "columns": [
            {
                "name": f"{_COLUMN}{place}",
                "column": column,
                "field": shown.mapping[column],
                "sample": next((row[place] for row in shown.rows if row[place].strip()), ""),
            }
            for place, column in enumerate(shown.columns[:MOST_ASKED])
        ]
        if shown
        else [],
        "held": [(field, gettext(words)) for field, words in FIELDS.items()],
        "asked_fields": [
            {"asked": asked, "name": _ASKED + asked.name, "value": known.get(asked.name, asked.default), "errors": []}
            for asked in connector.asks
            if not asked.is_secret
        ],
    }
    return render(request, "intake/imports/mapping.html", context)


def _told(post: Mapping[str, str], asks: Any) -> dict[str, Any]:
    """What the page says of the file, beyond what its columns hold."""
    given = {asked: post.get(_ASKED + asked.name, "").strip()[:200] for asked in asks if not asked.is_secret}
    return {
        asked.name: value
        for asked, value in given.items()
        if value and (not asked.choices or value in {choice for choice, _ in asked.choices})
    }


def _joined(known: Mapping[str, Any], told: Mapping[str, Any]) -> dict[str, Any]:
    columns = {**known.get("columns", {}), **told.get("columns", {})}
    return {**known, **told, **({"columns": columns} if columns else {})}


@set_up_page
@require_POST
def move(request: HttpRequest, number: str, verb: str) -> HttpResponse:
    run = get_object_or_404(Import, public_id=number)
    if verb not in _VERBS:
        raise Http404
    act, sentence = _VERBS[verb]
    act(run)
    messages.success(request, gettext(sentence))
    return redirect("intake:import", run.public_id)


@login_required
@require_GET
def report(request: HttpRequest, number: str) -> StreamingHttpResponse:
    """The rows that were skipped, that failed, or of which something was left out, as a table that can be corrected and sent."""
    require_set_up(request)
    run = get_object_or_404(Import.objects.select_related("channel"), public_id=number)
    answer = StreamingHttpResponse(import_reports.lines(run), content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = f'attachment; filename="{run.channel.slug}-{str(run.public_id)[:8]}-errors.csv"'
    return answer
