"""Pages on which teams decide: themes in the order of their priority, the decision about one, and the team's week."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.refusals import BadInput
from triage import themes
from triage.desk import bulk
from triage.models import Action, Theme, ThemeDecision
from triage.themes import answering, ranking, week
from triage.themes.priority import PARTS
from triage.views.answering import done, errors_of
from triage.views.themes import said_by

SHOWN = 100


@login_required
@require_http_methods(["GET", "POST"])
def priority(request: HttpRequest) -> HttpResponse:
    """The ranking with its sums; a POST sets the weights."""
    actor, at = actor_of(request), timezone.now()
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        try:
            ranking.weigh(by=actor, at=at, **{name: request.POST.get(name, "") for name in PARTS})
        except BadInput as refused:
            errors = errors_of(refused)
        else:
            return done(request, gettext("The order is made with these weights now."), "triage:priority")
    living = Theme.objects.living().visible_to(actor).filter(size__gt=0).select_related("topic__team")
    team = request.GET.get("team", "")[:40]
    if team:
        living = living.filter(topic__team__slug=team)
    found = {theme.pk: theme for theme in living.order_by("-size", "-pk")[: ranking.MOST_RANKED]}
    due = set(answering.awaiting(Theme.objects.filter(pk__in=found), at=at).values_list("pk", flat=True))
    context = {
        "rows": [
            {"theme": found[each.standing.key], "ranked": each, "is_due": each.standing.key in due}
            for each in ranking.rank(list(found.values()), at=at)[:SHOWN]
        ],
        "weights": [(name, request.POST.get(name) or round(weight * 10)) for name, weight in ranking.weights().items()],
        "may_weigh": actor.may_steer,
        "teams": _teams(actor),
        "team": team,
        "errors": errors,
    }
    return render(request, "triage/priority.html", context, status=422 if errors else 200)


@login_required
@require_POST
def estimate(request: HttpRequest, reference: str) -> HttpResponse:
    ranking.estimate(
        reference,
        by=actor_of(request),
        at=timezone.now(),
        fit=request.POST.get("fit", ""),
        effort=request.POST.get("effort", ""),
    )
    return done(request, gettext("Saved. The order is made with it now."), "triage:priority")


@login_required
@require_http_methods(["GET", "POST"])
def decision(request: HttpRequest, reference: str) -> HttpResponse:
    """Act, decline or wait: one decision about one theme, and those before it."""
    actor, at = actor_of(request), timezone.now()
    theme = themes.find(reference, by=actor)
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        given: dict[str, Any] = {
            name: request.POST.get(name, "")
            for name in ("choice", "reason", "until_customers", "until_day", "action", "title", "team")
        }
        try:
            made = answering.decide(reference, by=actor, at=at, **given)
        except BadInput as refused:
            errors = errors_of(refused)
        else:
            waiting = answering.open_tickets(theme, by=actor)
            if made.choice == ThemeDecision.Choice.DECLINE and "decline_open" in request.POST and waiting.exists():
                label = gettext("Decline %(theme)s") % {"theme": theme.reference}
                bulk.start(waiting, "resolve", label=label, by=actor, at=at, resolution="declined", reason=made.reason)
            return done(request, gettext("It is decided."), "triage:theme", theme.reference)
    context = {
        "theme": theme,
        "said_by": said_by(theme),
        "decisions": theme.decisions.select_related("person", "key").order_by("-pk")[:20],
        "choices": ThemeDecision.Choice.choices,
        "actions": Action.objects.visible_to(actor).under_way().select_related("team").order_by("-id")[:50],
        "teams": _teams(actor),
        "values": {"choice": "act"} | request.POST.dict(),
        "errors": errors,
    }
    return render(request, "triage/theme_decision.html", context, status=422 if errors else 200)


@login_required
@require_http_methods(["GET", "POST"])
def team_week(request: HttpRequest, slug: str) -> HttpResponse:
    actor, at = actor_of(request), timezone.now()
    team = week.find(slug, by=actor)
    monday = week.monday(request.GET.get("week", ""), at=at)
    if request.method == "POST":
        version = request.POST.get("version", "")
        week.write(
            team,
            monday,
            by=actor,
            at=at,
            text=request.POST.get("text", ""),
            version=int(version) if version.isdecimal() and len(version) < 10 else 0,
        )
        return redirect(f"{request.path}?week={monday.isoformat()}")
    context = week.page(team, monday, by=actor, at=at) | {"teams": _teams(actor)}
    return render(request, "triage/week.html", context)


@login_required
@require_GET
def own_week(request: HttpRequest) -> HttpResponse:
    """The week of the reader's first team."""
    team = _teams(actor_of(request)).first()
    return redirect("triage:week", team.slug) if team else redirect("triage:actions")


def _teams(actor: Actor) -> Any:
    teams = Team.objects.filter(is_active=True).order_by("name")
    return teams if actor.sees_everything else teams.filter(pk__in=actor.team_ids)
