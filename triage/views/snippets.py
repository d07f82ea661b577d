"""A team's own words: chosen for an item, and kept."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods
from django.views.decorators.vary import vary_on_headers

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import BadInput
from triage import decisions
from triage.desk import snippets as words


@login_required
@require_GET
@vary_on_headers("HX-Request")
def snippets(request: HttpRequest, reference: str) -> HttpResponse:
    """The snippets of its team, filled for this item: the sheet of the workbench, or a page to copy from."""
    actor = actor_of(request)
    found = decisions.find(reference, by=actor)
    context = {
        "item": {"reference": found.reference, "title": found.item.headline, "version": found.version},
        "query": request.GET.get("q", ""),
        "team": found.team,
        "snippets": words.filled(found, by=actor),
    }
    return render(request, "triage/snippets.html", context)


@login_required
@require_http_methods(["GET", "POST"])
def keep(request: HttpRequest) -> HttpResponse:
    """The snippets of one's teams: read, kept and deleted."""
    actor = actor_of(request)
    given = {name: request.POST.get(name, "") for name in ("team", "name", "text")}
    errors: list[str] = []
    if request.method == "POST":
        try:
            if request.POST.get("delete", "").isdecimal():
                words.delete(int(request.POST["delete"][:18]), by=actor)
                messages.success(request, gettext("Deleted the snippet."))
            else:
                kept = words.keep(given, by=actor)
                told = gettext("Kept “%(name)s”. Press ; beside an item of %(team)s to use it.")
                messages.success(request, told % {"name": kept.name, "team": kept.team})
            return redirect("triage:keep_snippets")
        except BadInput as refused:
            errors = [error.message for error in refused.errors] or [refused.message]
    context = {
        "teams": words.teams(by=actor),
        "slots": [(slot, gettext(meaning)) for slot, meaning in words.SLOTS.items()],
        "values": given,
        "errors": errors,
    }
    return render(request, "triage/keep_snippets.html", context, status=422 if errors else 200)
