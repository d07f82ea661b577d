"""What people set beside the numbers: notes, limits, ranges and dashboards they keep; and pages that compare."""

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from feedback_portal.accounts.models import Role, Team
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.refusals import BadInput, NotAllowed
from kpis import annotations, digests, gaming, goals, pareto, phases, teams
from kpis.charts import draw
from kpis.dashboard import Card
from kpis.models import Annotation
from kpis.questions import kpi_called
from kpis.views import tables
from kpis.views.numbers import asked, shell

MOST = 100


@login_required
@require_http_methods(["GET", "POST"])
def all_annotations(request: HttpRequest) -> HttpResponse:
    actor, at, error = actor_of(request), timezone.now(), ""
    if not actor.may_steer:
        raise NotAllowed(gettext("Notes beside KPIs are for leads, managers and administrators."))
    mine = _teams(actor)
    if request.method == "POST":
        number = request.POST.get("withdraw", "")
        try:
            if number:
                annotations.withdraw(int(number) if number.isdecimal() and len(number) < 18 else 0, by=actor, at=at)
            else:
                team = next((team for team in mine if team.slug == request.POST.get("team")), None)
                annotations.write(
                    day=request.POST.get("day", ""), text=request.POST.get("text", ""), team=team, by=actor, at=at
                )
        except BadInput as refused:
            error = refused.message
        else:
            messages.success(
                request, gettext("It is taken off the charts.") if number else gettext("It stands on the charts.")
            )
            return redirect("kpis:annotations")
    rows = Annotation.objects.standing().visible_to(actor).select_related("team", "person")
    context = {
        "notes": rows.order_by("-day", "-pk")[:MOST],
        "teams": mine,
        "for_everybody": actor.sees_everything,
        "error": error,
        "values": request.POST,
        "me": actor.user,
    }
    return render(request, "kpis/annotations.html", context, status=422 if error else 200)


@login_required
@require_POST
def freeze_limits(request: HttpRequest, slug: str) -> HttpResponse:
    kpi, question = kpi_called(slug), asked(request)
    try:
        phases.begin(
            kpi,
            question.slice,
            period=question.period,
            reason=request.POST.get("reason", ""),
            by=question.actor,
            at=question.at,
        )
    except BadInput as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, gettext("The limits are frozen. They hold from the next week on."))
    return redirect(question.page_url(kpi))


@login_required
@require_POST
def set_goal(request: HttpRequest, slug: str) -> HttpResponse:
    kpi, question = kpi_called(slug), asked(request)
    year = request.POST.get("year", "")
    try:
        goals.set_range(
            kpi,
            team=question.team,
            year=int(year) if year.isdecimal() and len(year) == 4 else question.period.last.year,
            low=request.POST.get("low", ""),
            high=request.POST.get("high", ""),
            reason=request.POST.get("reason", ""),
            by=question.actor,
            at=question.at,
        )
    except BadInput as refused:
        messages.error(request, refused.message)
    else:
        messages.success(request, gettext("The range is set."))
    return redirect(question.page_url(kpi))


@login_required
@require_http_methods(["GET", "POST"])
def saved_dashboards(request: HttpRequest) -> HttpResponse:
    question, error = asked(request), ""
    if request.method == "POST":
        number = request.POST.get("forget", "")
        try:
            if number:
                digests.forget(int(number) if number.isdecimal() and len(number) < 18 else 0, by=question.actor)
            else:
                digests.keep(
                    name=request.POST.get("name", ""),
                    query=question.query(),
                    role=request.POST.get("role", ""),
                    mailed="mailed" in request.POST,
                    by=question.actor,
                )
        except BadInput as refused:
            error = refused.message
        else:
            messages.success(request, gettext("Forgotten.") if number else gettext("Kept."))
            return redirect("kpis:saved")
    context = shell(question, request.path) | {
        "saved": digests.seen_by(question.actor),
        "roles": Role.choices if question.actor.sees_everything else [],
        "error": error,
        "me": question.actor.user,
    }
    return render(request, "kpis/saved.html", context, status=422 if error else 200)


@login_required
@require_safe
def show_pareto(request: HttpRequest) -> HttpResponse:
    question = asked(request)
    by_value = request.GET.get("by") != "items"
    chart = pareto.chart(pareto.parts(question, by_value=by_value))
    about = (
        gettext(
            "A year's value of the companies with an open item in it, each counted once a theme; right, the cumulated share."
        )
        if by_value
        else gettext("Items of the period; right, the cumulated share.")
    )
    context = shell(question, request.path, by="" if by_value else "items") | {
        "card": Card(gettext("Themes, most at stake first"), about, draw(chart), chart.table()),
        "by_value": by_value,
        "other_url": f"?{question.query(by='items' if by_value else None)}",
    }
    return tables.page(request, "kpis/pareto.html", context, chart=context["card"])


@login_required
@require_safe
def show_teams(request: HttpRequest) -> HttpResponse:
    question = asked(request)
    found = teams.compare(question)
    about = gettext(
        "Observed by expected; inner limits 95%, outer 99.8%. The line at 1 is what the mix of work makes expect."
    )
    context = shell(question, request.path) | {
        "compared": found,
        "card": Card(gettext("Late decisions"), about, draw(found.chart), found.chart.table()),
        "detectors": gaming.detectors(question),
        "fewest": (teams.FEWEST_TICKETS, teams.FEWEST_EXPECTED),
    }
    return tables.page(request, "kpis/teams.html", context, chart=context["card"])


def _teams(actor: Actor) -> list[Team]:
    every = Team.objects.filter(is_active=True).order_by("name", "pk")
    return list(every if actor.sees_everything else every.filter(pk__in=actor.team_ids))
