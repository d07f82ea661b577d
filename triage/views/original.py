"""The sealed original of an item, opened by POST, since opening it is written down."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.views.decorators.http import require_POST

from feedback_portal.accounts.permissions import actor_of
from triage import originals


@login_required
@require_POST
def original(request: HttpRequest, reference: str) -> HttpResponse:
    ticket, words = originals.open_original(reference, by=actor_of(request), at=timezone.now())
    response = render(request, "triage/original.html", {"reference": ticket.reference, "original": words})
    # Neither the browser nor anything between keeps a copy.
    response["Cache-Control"] = "no-store"
    return response
