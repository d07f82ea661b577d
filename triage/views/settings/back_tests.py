"""Settings: how far a back-test is, and what it found."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import actor_of, require_set_up
from intake.models import FeedbackItem
from triage.models import BackTest, Ticket
from triage.rulebook import back_testing
from triage.views.settings.shell import PLACES


@login_required
@require_GET
def back_test(request: HttpRequest, number: int) -> HttpResponse:
    """Asked again and again while it is worked out; a page of its own without a script."""
    require_set_up(request)
    found = get_object_or_404(BackTest.objects.select_related("rule", "person"), pk=number)
    template = "_back_test" if request.htmx else "back_test"  # type: ignore[attr-defined]
    response = render(
        request,
        f"triage/settings/rules/{template}.html",
        {**back_test_shown(found), "rule": found.rule, "places": PLACES},
    )
    response["Vary"] = "HX-Request"
    return response


@login_required
@require_POST
def cancel(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    found = get_object_or_404(BackTest.objects.select_related("rule"), pk=number)
    back_testing.cancel(found, by=actor_of(request), at=timezone.now())
    if request.htmx:  # type: ignore[attr-defined]
        found.refresh_from_db()
        return render(request, "triage/settings/rules/_back_test.html", {**back_test_shown(found), "rule": found.rule})
    return redirect(reverse("triage:back_test", args=[number]))


def back_test_shown(found: BackTest) -> dict[str, Any]:
    """A back-test as its fragment draws it, teams by their names and items by their tickets."""
    result = found.result
    shown: dict[str, Any] = {"back_test": found, "result": None}
    if result is None:
        return shown
    names = dict(Team.objects.values_list("slug", "name"))
    samples = {item for move in result["moves"] for item in move["items"]} | set(result["newly"] + result["no_longer"])
    tickets: dict[int, Ticket] = {}
    for ticket in Ticket.objects.filter(item__in=samples).select_related("item").defer("item__text").order_by("-pk"):
        tickets[ticket.item_id] = ticket

    def items(keys: list[int]) -> list[dict[str, str]]:
        return [_item(key, tickets.get(key)) for key in keys]

    moves = [
        {
            **move,
            "from_name": names.get(move["from"], move["from"]),
            "to_name": names.get(move["to"], move["to"]),
            "items": items(move["items"]),
        }
        for move in result["moves"]
    ]
    shown["result"] = {
        **result,
        "moves": moves,
        "newly": items(result["newly"]),
        "no_longer": items(result["no_longer"]),
    }
    return shown


def _item(key: int, ticket: Ticket | None) -> dict[str, str]:
    if ticket is None:
        return {"reference": FeedbackItem(pk=key).reference, "url": "", "headline": ""}
    url = reverse("triage:ticket", args=[ticket.reference])
    return {"reference": ticket.reference, "url": url, "headline": ticket.item.headline}
