"""Further pages of KPIs: how far feedback goes, who is not heard, and what each number means in which version."""

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext
from django.views.decorators.http import require_safe

from kpis import coverage, integration, versions
from kpis.charts import draw
from kpis.dashboard import Card
from kpis.questions import in_order, kpi_called
from kpis.views import tables
from kpis.views.numbers import asked, shell
from kpis.words import interval_in_words, plainly


@login_required
@require_safe
def show_integration(request: HttpRequest) -> HttpResponse:
    question = asked(request)
    steps = integration.steps(question)
    chart = integration.chart(steps)
    grid = integration.heat(question)
    about = gettext(
        "Each bar is of all items received, so a step may hold items that skipped the one before; right, the share."
    )
    context = shell(question, request.path) | {
        "steps": steps,
        "card": Card(gettext("From received to verified"), about, draw(chart), chart.table()),
        "grid": Card(gettext("By team"), gettext("Shares of what each team received."), draw(grid), grid.table()),
        "names": integration.names(),
        "tables": integration.groups(question),
    }
    return tables.page(request, "kpis/integration.html", context, chart=context["card"], grid=context["grid"])


@login_required
@require_safe
def show_coverage(request: HttpRequest) -> HttpResponse:
    question = asked(request)
    context = shell(question, request.path) | {
        "panels": coverage.panels(question),
        "reweighted": coverage.reweighted(question),
        "fewest": coverage.FEWEST,
    }
    return render(request, "kpis/coverage.html", context)


@login_required
@require_safe
def show_definitions(request: HttpRequest) -> HttpResponse:
    question, since = asked(request), versions.since()
    context = shell(question, request.path) | {
        "defined": [(kpi, question.page_url(kpi), since.get(kpi.slug)) for kpi in in_order()]
    }
    return render(request, "kpis/definitions.html", context)


@login_required
@require_safe
def show_versions(request: HttpRequest, slug: str) -> HttpResponse:
    """The versions of one definition beside one another, and what those that can be run come to over the same weeks."""
    kpi, question = kpi_called(slug), asked(request)
    overlap = versions.overlap(kpi, question.period, at=question.at, slice=question.slice)
    context = shell(question, request.path) | {
        "kpi": kpi,
        "kpi_url": question.page_url(kpi),
        "told": versions.side_by_side(kpi, by=question.actor),
        "newest_reports": versions.NEWEST_REPORTS,
        "columns": overlap.versions if overlap else [],
        "weeks": [
            (week, [(plainly(kpi, each.figure), interval_in_words(kpi, each.figure)) for each in readings])
            for week, readings in (overlap.weeks if overlap else ())
        ],
    }
    return render(request, "kpis/versions.html", context)
