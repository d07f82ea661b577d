"""Labelling for the weekly audit: one item at a time, without what the portal or anybody else said of it."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.languages import in_a_line
from feedback_portal.refusals import BadInput, NotAllowed
from triage.learning import audits
from triage.learning.audits import Said
from triage.models import Analysis, AuditAnswer, AuditedItem, Topic

_NONE: dict[str, Any] = {"topics": (), "team": "", "sentiment": ""}


@login_required
@never_cache
@require_http_methods(["GET"])
def label(request: HttpRequest) -> HttpResponse:
    """The next item for this person."""
    actor = actor_of(request)
    return _page(request, audits.next_to_label(actor), actor)


@login_required
@never_cache
@require_http_methods(["GET"])
def settle(request: HttpRequest) -> HttpResponse:
    """The next item on which two people differ, for leads and managers who are neither."""
    actor = actor_of(request)
    if not actor.may_steer:
        raise NotAllowed(
            gettext("Leads and managers settle what two people see differently. Go on with your own items.")
        )
    return _page(request, audits.next_to_settle(actor), actor, is_settling=True)


@login_required
@require_POST
def answer(request: HttpRequest, number: int) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    is_settling = "settling" in request.POST
    back = redirect("triage:settle_audit" if is_settling else "triage:audits")
    if "skip" in request.POST:
        audits.skip(number, reason=request.POST["skip"], by=actor, at=at)
        return back
    given = Said(
        topics=request.POST.getlist("topic")[: audits.MOST_TOPICS + 1],
        team=request.POST.get("team"),
        sentiment=request.POST.get("sentiment", ""),
    )
    try:
        audits.answer(number, given, by=actor, at=at)
    except BadInput as refused:
        errors = {error.path: error.message for error in refused.errors}
        chosen = {"topics": given.topics, "team": given.team or "", "sentiment": given.sentiment}
        shown = audits.shown_to(number, by=actor)
        return _page(request, shown, actor, is_settling=is_settling, chosen=chosen, errors=errors, status=422)
    return back


def _page(
    request: HttpRequest,
    audited: AuditedItem | None,
    actor: Actor,
    *,
    is_settling: bool = False,
    chosen: dict[str, Any] = _NONE,
    errors: dict[str, str] | None = None,
    status: int = 200,
) -> HttpResponse:
    context: dict[str, Any] = {
        "progress": audits.progress(actor),
        "may_steer": actor.may_steer,
        "is_settling": is_settling,
        "errors": errors or {},
        "audited": None,
    }
    if audited is not None:
        context |= _item(audited, actor) | _choices(actor, chosen)
        context["said"] = _said(audited) if is_settling else []
    return render(request, "triage/audit.html", context, status=status)


def _item(audited: AuditedItem, actor: Actor) -> dict[str, Any]:
    """Only what the customer said, and when and where."""
    item = audited.item
    return {
        "audited": audited.pk,
        "week": str(audited.audit),
        "title": item.title,
        "text": item.text,
        "product": item.product,
        "channel": item.channel.name,
        "received_at": item.received_at,
        "rating": f"{item.rating_value.normalize():f}" if item.rating_value is not None else "",
        "rating_scale": item.rating_scale,
        "answer_url": reverse("triage:answer_audit", args=[audited.pk]),
    }


def _choices(actor: Actor, chosen: dict[str, Any]) -> dict[str, Any]:
    """In an order that is the same for every item, so that it gives nothing away."""
    topics = Topic.objects.filter(is_active=True).select_related("parent").order_by("name")
    teams = Team.objects.filter(is_active=True).order_by("name") if audits.asks_team(actor) else []
    return {
        "topics": [
            {
                "value": topic.slug,
                "label": topic.name,
                "hint": str(topic.parent or ""),
                "is_on": topic.slug in chosen["topics"],
            }
            for topic in topics
        ],
        "teams": [{"value": team.slug, "label": team.name, "is_on": team.slug == chosen["team"]} for team in teams],
        "sentiments": [
            {"value": value, "label": Analysis.Sentiment(value).label, "is_on": value == chosen["sentiment"]}
            for value in audits.SENTIMENTS
        ],
        "reasons": [{"value": value, "label": label} for value, label in AuditAnswer.Skipped.choices],
    }


def _said(audited: AuditedItem) -> list[dict[str, Any]]:
    """What the two said, without who it was."""
    topics = dict(Topic.objects.values_list("slug", "name"))
    teams = dict(Team.objects.values_list("slug", "name"))
    return [
        {
            "topics": in_a_line(*sorted(topics.get(slug, slug) for slug in each.topics)) or gettext("no topic"),
            "team": teams.get(each.team, each.team) if each.team else "",
        }
        for each in audited.answers.exclude(seat=None).order_by("seat")
    ]
