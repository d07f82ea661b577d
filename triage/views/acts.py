"""What was decided in the last day, by oneself and by the people one answers for, each with its way back."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.languages import in_a_line
from feedback_portal.marking import marked
from triage import deeds
from triage.deciding import undoing
from triage.deciding.undoing import Act
from triage.desk import bulk
from triage.journal import NotNow
from triage.models import Event
from triage.views.bulk import bulk_act
from triage.views.runs import runs
from triage.views.workbench import take_back


@login_required
@require_GET
def acts(request: HttpRequest) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    of_team = request.GET.get("of") == "team" and bool(actor.led)
    found = undoing.acts(by=actor, at=at, people=sorted(actor.led) if of_team else None)
    ways = undoing.in_the_way(found)
    many = [
        each
        for each in bulk.recent(by=actor, at=at)
        if (each.person_id in actor.led if of_team else each.person_id == (actor.user.pk if actor.user else 0))
    ]
    names = deeds.names_in([*(event for act in found for event in act.events), *ways.values()])
    shown = [
        _shown(act, ways.get((act.ticket.pk, act.version)), names, is_seen=actor.may_see(act.ticket.team_id))
        for act in found
    ]
    context = {"acts": shown, "runs": runs(many, at=at), "of_team": of_team, "leads": bool(actor.led)}
    return render(request, "triage/acts.html", context)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def undo_last(request: HttpRequest) -> HttpResponse:
    """Take back one's own newest decision that stands, on one ticket or on many."""
    actor, at = actor_of(request), timezone.now()
    act, many = undoing.newest(by=actor, at=at), bulk.newest(by=actor, at=at)
    if many is not None and (act is None or act.occurred_at < many.asked_at):
        return bulk_act(request, number=many.pk, verb="undo")
    if act is None or act.ticket is None:
        raise NotNow(gettext("You decided nothing in the last day that could be taken back."))
    return take_back(request, act.ticket.reference, "undo", marked("Took back what you did with %(reference)s"))


@login_required
@require_POST
@vary_on_headers("HX-Request")
def redo_last(request: HttpRequest) -> HttpResponse:
    """Do again what one took back last."""
    actor, at = actor_of(request), timezone.now()
    undone = undoing.newest(by=actor, at=at, undone=True)
    if undone is None or undone.ticket is None:
        raise NotNow(gettext("You took nothing back in the last day that could be done again."))
    return take_back(request, undone.ticket.reference, "redo", marked("Did it again with %(reference)s"))


def _shown(act: Act, way: Event | None, names: Mapping[tuple[str, str], str], *, is_seen: bool) -> dict[str, Any]:
    told = [deeds.told(event, names) for event in act.events]
    is_undone = any(hasattr(event, "undone_by") for event in act.events)
    return {
        "reference": act.ticket.reference,
        "title": act.ticket.item.headline,
        "url": f"{reverse('triage:workbench')}?item={act.ticket.reference}" if is_seen else "",
        "sentence": in_a_line(*told),
        "at": act.first.occurred_at,
        "version": act.version,
        "is_undone": is_undone,
        # What was taken back last on its item, and nothing has followed.
        "can_redo": is_undone and act.first.undone_by.version == act.ticket.version,
        "in_the_way": ""
        if is_undone or way is None
        else gettext("%(deed)s since. Take that back first.") % {"deed": deeds.told(way, names)},
    }
