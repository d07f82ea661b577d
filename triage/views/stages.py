"""Pages of production stages: the map of what is said where, and the list for the gate of the next batch or release."""

from datetime import date, timedelta

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import BadInput
from triage.improving import stages


@login_required
@require_GET
def stage_map(request: HttpRequest) -> HttpResponse:
    found = stages.draw(by=actor_of(request), at=timezone.now())
    return render(request, "triage/stages.html", {"map": found})


@login_required
@require_GET
def gate(request: HttpRequest, slug: str) -> HttpResponse:
    stage = stages.find(slug)
    given = request.GET.get("since", "")
    try:
        since = date.fromisoformat(given) if given else timezone.localdate() - timedelta(days=14)
    except ValueError:
        raise BadInput(gettext("Write the day of the last gate as 2026-03-31.")) from None
    tickets = stages.gate(stage, since=since, by=actor_of(request))
    return render(
        request, "triage/gate.html", {"stage": stage, "since": since, "tickets": tickets, "most": stages.MOST_LISTED}
    )
