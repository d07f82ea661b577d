"""One decision on many rows: asked for in the queue, watched and taken back on a page of its own."""

from functools import partial
from typing import Any

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import number_format
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST
from django.views.decorators.vary import vary_on_headers

from feedback_portal.accounts.permissions import actor_of
from feedback_portal.languages import in_a_line
from feedback_portal.refusals import NotFound
from triage.desk import bulk as many
from triage.finding import in_tab, matching, search
from triage.forms import arguments_for_many
from triage.models import BulkAct
from triage.views.once import once
from triage.views.queue import Asked
from triage.views.runs import labels, run
from triage.views.workbench import answer_with_list


@login_required
@require_POST
@vary_on_headers("HX-Request")
def bulk(request: HttpRequest) -> HttpResponse:
    """Decide about the chosen rows, or with `all` about everything that matches the search they stand in."""
    actor, at, asked = actor_of(request), timezone.now(), Asked.of(request.POST)
    verb, arguments = arguments_for_many(request.POST, zone=timezone.get_current_timezone())
    if request.POST.get("all"):
        tickets = in_tab(matching(search.parse(asked.q), actor, at=at), asked.tab, actor)
        missing = 0
    else:
        references = set(request.POST.getlist("reference"))
        tickets = many.chosen(references, by=actor)
        missing = len(references) - tickets.count()
    query = asked.q if request.POST.get("all") else ""
    label = labels([(verb, arguments)])[0]
    start = partial(many.start, tickets, verb, label=label, query=query, by=actor, at=at, **arguments)
    act = once(request, start, of=BulkAct)
    how_far = many.progress([act])[act.pk]
    undo_url = reverse("triage:bulk_act", args=[act.pk, "undo"])
    sentence = many.sentence(act, how_far) if how_far.is_over else _begun(label, how_far.total)
    if missing:
        gone = ngettext("%(count)s not with your teams any more", "%(count)s not with your teams any more", missing)
        sentence = in_a_line(sentence, gone % {"count": missing})
    if not request.headers.get("HX-Request"):
        if how_far.skipped or not how_far.is_over:
            return redirect("triage:bulk_run", number=act.pk)
        messages.success(request, sentence, extra_tags=undo_url)
        return redirect(asked.url())
    shown = [act] if how_far.skipped or not how_far.is_over else []
    return answer_with_list(
        request, sentence, actor, at=at, undo_url=undo_url, runs=[run(each, at=at) for each in shown]
    )


@login_required
@require_GET
@vary_on_headers("HX-Request", "HX-Target")
def bulk_run(request: HttpRequest, number: int) -> HttpResponse:
    """How far it is, and what it left alone: the page, or the card in the queue that asks by itself."""
    actor, at = actor_of(request), timezone.now()
    act = many.find(number, by=actor)
    context: dict[str, Any] = {"run": run(act, at=at)}
    if request.headers.get("HX-Request"):
        return render(request, "triage/_bulk_run.html", context)
    skipped = many.skipped(act)
    seen = many.chosen([reference for reference, _ in skipped], by=actor).select_related("item").defer("item__text")
    titles = {ticket.reference: ticket.item.headline for ticket in seen}
    context["skipped"] = [
        {
            "reference": reference,
            "title": titles.get(reference, ""),
            "url": f"{reverse('triage:workbench')}?item={reference}" if reference in titles else "",
            "why": why,
        }
        for reference, why in skipped
    ]
    return render(request, "triage/bulk.html", context)


@login_required
@require_POST
@vary_on_headers("HX-Request")
def bulk_act(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    act = many.find(number, by=actor)
    do = {"pause": many.pause, "resume": many.resume, "undo": many.undo}.get(verb)
    if do is None:
        raise NotFound(gettext("There is no such button. Go back to the page and choose one that is there."))
    do(act, by=actor, at=at)
    act = many.find(number, by=actor)
    if request.headers.get("HX-Target") == "bulk-run":
        return render(request, "triage/_bulk_run.html", {"run": run(act, at=at)})
    if request.headers.get("HX-Request"):
        how_far = many.progress([act])[act.pk]
        sentence = many.sentence(act, how_far) if how_far.is_over else gettext("Putting them back")
        shown = [] if how_far.is_over else [run(act, at=at)]
        return answer_with_list(request, sentence, actor, at=at, undo_url="", runs=shown)
    return redirect("triage:bulk_run", number=act.pk)


def _begun(label: str, total: int) -> str:
    begun = ngettext(
        "%(label)s: %(count)s item, in the background", "%(label)s: %(count)s items, in the background", total
    )
    return begun % {"label": label, "count": number_format(total, force_grouping=True)}
