"""Issues of trackers beside a ticket or an action: what stands there, and linking, making and letting go."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import BadInput, NotFound
from triage import decisions
from triage.connecting import issues
from triage.improving import improvements
from triage.models import TrackerProject
from triage.views.answering import done, errors_of


@login_required
@require_http_methods(["GET", "POST"])
def of_ticket(request: HttpRequest, reference: str) -> HttpResponse:
    found = decisions.find(reference, by=actor_of(request))
    return _page(request, found, "triage:ticket_issues", title=found.item.headline, text=found.item.text[:2000])


@login_required
@require_http_methods(["GET", "POST"])
def of_action(request: HttpRequest, reference: str) -> HttpResponse:
    found = improvements.find(reference, by=actor_of(request))
    return _page(request, found, "triage:action_issues", title=found.title, text=found.problem)


def _page(request: HttpRequest, about: issues.About, here: str, *, title: str, text: str) -> HttpResponse:
    errors: dict[str, list[str]] = {}
    values: dict[str, Any] = {"project": "", "issue": "", "title": title, "text": text}
    if request.method == "POST":
        try:
            return done(request, _act(request, about), here, about.reference)
        except BadInput as refused:
            errors = errors_of(refused)
            values |= request.POST.dict()
    context = {
        "about": about,
        "is_ticket": here == "triage:ticket_issues",
        "issues": issues.of(about),
        "projects": list(TrackerProject.objects.filter(is_enabled=True).order_by("name", "pk")),
        "values": values,
        "errors": errors,
    }
    return render(request, "triage/issues.html", context, status=422 if errors else 200)


def _act(request: HttpRequest, about: issues.About) -> str:
    verb, by, at = request.POST.get("verb", ""), actor_of(request), timezone.now()
    given = {name: request.POST[name] for name in ("project", "issue", "title", "text") if name in request.POST}
    if verb == "link":
        made = issues.link(about, given, by=by, at=at)
        linked = gettext("The issue %(key)s is linked. What stands there is here in a moment.")
        return linked % {"key": made.key}
    if verb == "create":
        made = issues.create(about, given, by=by, at=at)
        created = gettext("The issue is made in %(project)s. Reload this page to see its number.")
        return created % {"project": made.project}
    if verb == "unlink":
        typed = request.POST.get("number", "")
        issues.unlink(about, int(typed) if typed.isdecimal() and len(typed) < 19 else 0, at=at)
        return gettext("The issue is let go. It stays as it is there.")
    raise NotFound(gettext("There is no such form. Go back to the issues."))
