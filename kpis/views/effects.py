"""Pages of verdicts: all of them under one another, and exactly the items that one counted."""

from datetime import date

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.refusals import NotFound
from kpis import effect_page, effects
from kpis.charts import draw
from kpis.dashboard import Card
from kpis.views import tables
from triage.improving import improvements
from triage.models import Ticket, Verdict

MOST_ITEMS = 500


@login_required
@require_safe
def show_effects(request: HttpRequest) -> HttpResponse:
    actor = actor_of(request)
    chart = effect_page.forest(by=actor)
    card = Card(gettext("Did it work?"), chart.sentence, draw(chart), chart.table())
    context = {"card": card, "has_any": bool(chart.effects), "waiting": effect_page.waiting(by=actor)}
    return tables.page(request, "kpis/effects.html", context, chart=card)


@login_required
@require_safe
def list_effect_items(request: HttpRequest, reference: str) -> HttpResponse:
    """The items of one side, or of one week, of a verdict; of those that belong to other teams, their number."""
    actor = actor_of(request)
    action = improvements.find(reference, by=actor)
    finding = Verdict.objects.filter(action=action).select_related("action__expectation").first()
    if finding is None:
        message = gettext("%(reference)s has no verdict yet, so nothing was counted.")
        raise NotFound(message % {"reference": action.reference})
    side, week = request.GET.get("side", ""), _day(request.GET.get("week", ""))
    items = effects.items_behind(
        action, finding, "before" if side == "before" else "after" if side == "after" else None, week
    )
    found = list(items.select_related("channel").defer("text", "context")[:MOST_ITEMS])
    tickets = {
        ticket.item_id: ticket
        for ticket in Ticket.objects.visible_to(actor)
        .filter(item__in=found)
        .select_related("team")
        .defer("explanation")
        .order_by("-pk")
    }
    context = {
        "action": action,
        "of": gettext("the week from %(day)s") % {"day": date_format(week, "LONG_DAY_YEAR")}
        if week
        else {"before": gettext("the weeks before"), "after": gettext("the weeks after")}.get(
            side, gettext("all weeks")
        ),
        "count": items.count(),
        "rows": [(item, tickets[item.pk]) for item in found if item.pk in tickets],
        "hidden": sum(item.pk not in tickets for item in found),
        "most": MOST_ITEMS,
    }
    return render(request, "kpis/effect_items.html", context)


def _day(given: str) -> date | None:
    try:
        return date.fromisoformat(given)
    except ValueError:
        return None
