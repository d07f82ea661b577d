"""Saved views: kept from the search box, changed, shared and sent; and what completes a search while it is typed."""

from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext, gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_http_methods

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.refusals import BadInput
from triage.desk import saved
from triage.finding.completing import completions
from triage.models import SavedView, Subscription
from triage.models.saved_views import COLUMNS
from triage.views.queue import TABS

_COLUMN_WORDS = {
    "excerpt": gettext_lazy("First words"),
    "suggestion": gettext_lazy("Team or proposal"),
    "tags": gettext_lazy("Tags"),
    "language": gettext_lazy("Language"),
    "assignee": gettext_lazy("Who has it"),
    "due": gettext_lazy("Time left"),
}
_COLOURS = (
    gettext_lazy("Grey"),
    gettext_lazy("Blue"),
    gettext_lazy("Vermilion"),
    gettext_lazy("Green"),
    gettext_lazy("Amber"),
    gettext_lazy("Pink"),
    gettext_lazy("Sky"),
)


@login_required
@require_http_methods(["GET", "POST"])
def saved_views(request: HttpRequest) -> HttpResponse:
    """All views one may see, and the form that keeps another."""
    actor = actor_of(request)
    if request.method == "POST":
        return _save(request, None, actor)
    values = {"query": request.GET.get("query", ""), "tab": request.GET.get("tab", "")}
    return _page(request, None, actor, values=values)


@login_required
@require_http_methods(["GET", "POST"])
def saved_view(request: HttpRequest, number: int) -> HttpResponse:
    actor = actor_of(request)
    view = saved.find(number, by=actor)
    if request.method == "GET":
        return _page(request, view, actor, values=_values(view))
    verb = request.POST.get("verb", "")
    if verb == "delete":
        saved.delete(view, by=actor)
        messages.success(request, gettext("Deleted the view %(name)s.") % {"name": view.name})
        return redirect("triage:saved_views")
    if verb == "subscribe":
        every = request.POST.get("every", "")
        saved.subscribe(view, every, by=actor)
        told = gettext("You are sent what it finds.") if every else gettext("You are not sent this any more.")
        messages.success(request, told)
        return redirect("triage:saved_view", number=view.pk)
    return _save(request, view, actor)


@login_required
@require_GET
def complete(request: HttpRequest) -> HttpResponse:
    """What may stand next in the search box."""
    tab = request.GET.get("tab", "")
    found = completions(request.GET.get("q", ""), tab=tab or "all", by=actor_of(request), at=timezone.now())
    return render(request, "triage/_completions.html", {"completions": found})


# Mail programs press this button too (RFC 8058), without a page before it; the token is all the right it takes.
@csrf_exempt
@require_http_methods(["GET", "POST"])
def unsubscribe(request: HttpRequest, token: str) -> HttpResponse:
    """Where the link in a digest leads: it asks once, for programs follow links too; a POST ends the digest."""
    is_over = request.method == "POST"
    name = saved.unsubscribe(token, confirmed=is_over)
    return render(request, "triage/unsubscribe.html", {"name": name, "is_over": is_over})


def _save(request: HttpRequest, view: SavedView | None, actor: Actor) -> HttpResponse:
    given: dict[str, Any] = {
        name: request.POST.get(name, "") for name in ("name", "query", "tab", "colour", "sharing", "team", "order")
    }
    given["columns"] = request.POST.getlist("columns")
    try:
        kept = saved.save(view, given, by=actor)
    except BadInput as refused:
        errors = {error.path: error.message for error in refused.errors} or {"name": refused.message}
        return _page(request, view, actor, values=given, errors=errors, status=422)
    messages.success(request, gettext("Kept as %(name)s. It stands in the rail.") % {"name": kept.name})
    return redirect(saved.address(kept))


def _page(
    request: HttpRequest,
    view: SavedView | None,
    actor: Actor,
    *,
    values: dict[str, Any],
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    teams = Team.objects.filter(is_active=True).order_by("name")
    sent = Subscription.objects.filter(view=view, person=actor.user).first() if view else None
    context = {
        "view": view,
        "is_mine": view is None or SavedView.objects.changeable_by(actor).filter(pk=view.pk).exists(),
        "url": saved.address(view) if view else "",
        "views": [
            {"view": each, "url": saved.address(each)}
            for each in SavedView.objects.visible_to(actor).select_related("owner", "team").order_by("name", "pk")[:200]
        ]
        if view is None
        else [],
        "values": values,
        "errors": errors or {},
        "sharings": SavedView.Sharing.choices,
        "orders": SavedView.Order.choices,
        "tabs": [(name if name != "all" else "", label) for name, label in TABS],
        "colours": list(enumerate(_COLOURS)),
        "columns": [(name, _COLUMN_WORDS[name]) for name in COLUMNS],
        "teams": teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids),
        "every": sent.every if sent else "",
        "rhythms": Subscription.Every.choices,
    }
    return render(request, "triage/saved_view.html", context, status=status)


def _values(view: SavedView) -> dict[str, Any]:
    return {
        "name": view.name,
        "query": view.query,
        "tab": view.tab,
        "colour": view.colour,
        "sharing": view.sharing,
        "team": view.team.slug if view.team else "",
        "order": view.order,
        "columns": view.columns,
    }
