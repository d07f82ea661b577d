"""KPI pages: the dashboard, one KPI with its definition, and exactly the items behind a number."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_safe

from feedback_portal.accounts.permissions import actor_of, require_set_up
from feedback_portal.api import after, cursor_of
from feedback_portal.marking import marked
from feedback_portal.refusals import NotAllowed
from intake.models import FeedbackItem
from kpis import annotations, audit_results, backlog, exporting, goals, model_page, phases, recording, versions
from kpis.charts import draw, written
from kpis.dashboard import backlog_url, compared, dashboard
from kpis.definitions.base import Kpi
from kpis.periods import Period, weeks_around
from kpis.questions import Question, ask, in_order, kpi_called, side_asked
from kpis.recording import Dimension, Reading
from kpis.trends import trend
from kpis.views import tables
from kpis.views.tables import csv_file
from kpis.words import BY_GROUP, GROUPS, between, change_in_words, interval_in_words, plainly, unit_of, value_in_words
from triage import track_record
from triage.models import Ticket

ITEMS_A_PAGE = 50
TREND_WEEKS = 13
_BY_ARRIVAL = ("-received_at", "-submission_id")
_TICKETS_BY_ARRIVAL = ("-received_at", "-id")


@login_required
@require_safe
def show_dashboard(request: HttpRequest) -> HttpResponse:
    question = asked(request)
    board = dashboard(question)
    context = shell(question, reverse("kpis:dashboard")) | {"board": board}
    if board is None:
        return render(request, "kpis/dashboard.html", context)
    charts = {name: getattr(board, name) for name in ("flow", "steps", "resolution", "ages", "effects")}
    return tables.page(request, "kpis/dashboard.html", context, **charts)


@login_required
@require_safe
def show_kpi(request: HttpRequest, slug: str) -> HttpResponse:
    kpi, question = kpi_called(slug), asked(request)
    at, slice, period = question.at, question.slice, question.period
    weeks = weeks_around(period, at=at, fewest=TREND_WEEKS)
    now, before, *readings = recording.series(kpi, [period, question.before, *weeks], at=at, slice=slice)
    if (other := question.other_team) is not None:
        before = recording.read(kpi, period, at=at, slice=replace(slice, team=other.pk))
    span = replace(period, first=weeks[0].first, end=weeks[-1].end)
    shown = trend(
        readings,
        at=at,
        opens=lambda each: question.items_url(kpi, "denominator", period=each.period),
        notes=[*annotations.between(span, by=question.actor), *_version_notes(kpi, span)],
    )
    goal = goals.of(kpi, team=question.team, year=period.last.year)
    began = recording.first_day()
    change = compared(now, began=began, at=at, before=before) if began else None
    value, suffix = value_in_words(kpi, now.figure)
    return render(
        request,
        "kpis/kpi.html",
        shell(question, question.page_url(kpi).partition("?")[0])
        | {
            "kpi": kpi,
            "reading": now,
            "value": value,
            "suffix": suffix,
            "interval": interval_in_words(kpi, now.figure),
            "change": change_in_words(kpi, change, now.figure) if change else None,
            "sides": _sides(question, now),
            "card": {
                "title": gettext("%(name)s, weekly") % {"name": kpi.name},
                "about": _about(kpi, has_limits=shown.limits is not None),
                "picture": draw(shown.chart),
                "table": shown.chart.table(),
            },
            "export_url": _joined(reverse("kpis:series", args=[kpi.slug]), question.query()),
            "goal": goal,
            "goal_verdict": goals.verdict(goal, now.figure) if goal else "",
            "may_set_goals": question.actor.sees_everything,
            "phase": phases.newest(kpi, slice),
            "may_freeze": shown.limits is not None,
            "year": period.last.year,
            "splits": [_split(question, kpi, by) for by in ("team", "channel", "stage")],
        },
    )


@login_required
@require_safe
def list_items(request: HttpRequest, slug: str) -> HttpResponse:
    """The items of one side of a number: as many as the number says, when it is asked for as of the same moment."""
    kpi, question = kpi_called(slug), asked(request, looks_back=True)
    side = side_asked(request.GET.dict(), kpi)
    items = recording.items_behind(kpi, question.period, side, as_of=question.as_of, slice=question.slice)
    count = items.count()
    page = items.select_related("channel").defer("text", "context")
    found, next_url = _page(request, page, order=_BY_ARRIVAL)
    tickets = first_tickets(found)
    return render(
        request,
        "kpis/items.html",
        shell(question, request.path, side=side, as_of=request.GET.get("as_of"))
        | {
            "title": f"{kpi.name}: {kpi.called(side)}",
            "back": (question.page_url(kpi), kpi.name),
            "counted": _items(count),
            "export_url": _joined(f"{request.path}export/", request.GET.urlencode()),
            "rows": [item_row(item, tickets.get(item.pk)) for item in found],
            "next_url": next_url,
        },
    )


@login_required
@require_safe
def export_items(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The same items as a CSV file, whatever their number."""
    kpi, question = kpi_called(slug), asked(request, looks_back=True)
    side = side_asked(request.GET.dict(), kpi)
    items = recording.items_behind(kpi, question.period, side, as_of=question.as_of, slice=question.slice)
    name = f"{kpi.slug}-{side}-{question.period.first}-{question.period.last}.csv"
    return csv_file(exporting.lines(items), name)


@login_required
@require_safe
def export_series(request: HttpRequest, slug: str) -> StreamingHttpResponse:
    """The weeks of a KPI's chart: numerators, denominators, intervals."""
    kpi, question = kpi_called(slug), asked(request)
    weeks = weeks_around(question.period, at=question.at, fewest=TREND_WEEKS)
    readings = recording.series(kpi, weeks, at=question.at, slice=question.slice)
    rows = [["week", "value", "low", "high", "numerator", "denominator", "unit", "definition_version"]]
    for reading in readings:
        figure = reading.figure
        numbers = (figure.value, figure.low, figure.high, figure.numerator, figure.denominator)
        rows.append(
            [
                reading.period.first.isoformat(),
                *("" if each is None else str(each) for each in numbers),
                kpi.unit,
                str(kpi.version),
            ]
        )
    lines = (",".join(row).encode() + b"\r\n" for row in rows)
    return csv_file(lines, f"{kpi.slug}-weekly-{weeks[0].first}-{weeks[-1].last}.csv")


@login_required
@require_safe
def list_backlog(request: HttpRequest) -> HttpResponse:
    """The open tickets of one band of the backlog, or all of them."""
    question, slug = asked(request), request.GET.get("band", "").strip()
    band = backlog.band_called(slug) if slug else None
    tickets = backlog.in_band(question, band) if band else backlog.open_tickets(question)
    page = tickets.select_related("item__channel", "team").defer("item__text", "item__context", "explanation")
    found, next_url = _page(request, page, order=_TICKETS_BY_ARRIVAL)
    count = tickets.count()
    return render(
        request,
        "kpis/items.html",
        shell(question, backlog_url(question).partition("?")[0], band=slug)
        | {
            "title": band.title if band else gettext("Open tickets"),
            "back": (_joined(reverse("kpis:dashboard"), question.query()), gettext("KPIs")),
            "is_of_now": True,
            "counted": ngettext("%(count)s ticket", "%(count)s tickets", count) % {"count": written(count)},
            "rows": [item_row(ticket.item, ticket) for ticket in found],
            "next_url": next_url,
        },
    )


@login_required
@require_safe
def show_models(request: HttpRequest) -> HttpResponse:
    """What the learned models are worth; they are chosen by triage's own buttons."""
    require_set_up(request)
    return render(request, "kpis/models.html", model_page.page(at=timezone.now()))


@login_required
@require_safe
def show_audits(request: HttpRequest) -> HttpResponse:
    """How often suggestions are kept, and what the weekly audits found."""
    actor, at = actor_of(request), timezone.now()
    if not actor.may_steer:
        raise NotAllowed(
            gettext(
                "Leads, managers and administrators see what audits found. Ask one of them, or label items yourself."
            )
        )
    found = {"results": audit_results.results(by=actor, at=at), "records": track_record.records(at=at)}
    return render(request, "kpis/audits.html", found)


def asked(request: HttpRequest, *, looks_back: bool = False) -> Question:
    return ask(request.GET.dict(), actor=actor_of(request), at=timezone.now(), looks_back=looks_back)


@dataclass(frozen=True)
class _Filter:
    """One filter as it stands above a page; `removed` is the address without it, `removes` what that link says."""

    name: str
    value: str
    removes: str
    removed: str = ""


_REMOVES: Mapping[str, str] = {
    "team": marked("Take away the team filter"),
    "channel": marked("Take away the channel filter"),
    "stage": marked("Take away the stage filter"),
}
_NO_GROUP: Mapping[str, str] = {
    "team": marked("There is no team yet. An administrator adds one in the settings."),
    "channel": marked("There is no channel yet. An administrator adds one in the settings."),
    "stage": marked("There is no stage yet. An administrator adds one in the settings."),
}


def shell(question: Question, path: str, **kept: str | None) -> dict[str, Any]:
    """What every KPI page says about itself: its filters, how to change them, and what it is true of."""
    period, asked = question.period, question.asked

    def without(*names: str) -> str:
        return _joined(path, question.query(**kept, **dict.fromkeys(names)))

    days = _Filter(
        gettext("Period"),
        between(date_format(period.first, "DAY"), date_format(period.last, "DAY_YEAR")),
        gettext("Take away the period filter"),
        without("from", "to") if {"from", "to"} & set(asked) else "",
    )
    filters = [days]
    for name, chosen in (("team", question.team), ("channel", question.channel), ("stage", question.stage)):
        removable = name in asked and (name != "team" or question.actor.sees_everything or len(question.teams) > 1)
        value = chosen.name if chosen else gettext("All")
        filters.append(
            _Filter(gettext(GROUPS[name]), value, gettext(_REMOVES[name]), without(name) if removable else "")
        )
    versions = sorted({kpi.version for kpi in in_order()})
    return {
        "question": question,
        "period": period,
        "filters": filters,
        "filter_path": path,
        "kept": {name: value for name, value in kept.items() if value},
        "as_of": question.as_of,
        "zone": period.zone.key,
        "versions": ", ".join(f"v{version}" for version in versions),
        "kpis": [(kpi, question.page_url(kpi)) for kpi in in_order()],
        "dashboard_url": _joined(reverse("kpis:dashboard"), question.query()),
    }


def _version_notes(kpi: Kpi, span: Period) -> list[annotations.Note]:
    """A line where the definition changed, for what stands before it was said to be something else."""
    href = reverse("kpis:versions", args=[kpi.slug])
    return [
        annotations.Note(day, gettext("Definition %(version)s begins") % {"version": version}, href)
        for day, version in versions.breaks(kpi, span)
    ]


def _sides(question: Question, reading: Reading) -> list[tuple[str, str, str]]:
    """(words, number in words, address of its list): one line where both sides are the same items."""
    kpi, figure = reading.kpi, reading.figure
    sides = [(kpi.denominator, figure.denominator, question.items_url(kpi, "denominator"))]
    if kpi.numerator != kpi.denominator:
        sides.insert(0, (kpi.numerator, figure.numerator, question.items_url(kpi, "numerator")))
    return [(words, _items(n), url if n else "") for words, n, url in sides]


@dataclass(frozen=True)
class _Group:
    name: str
    url: str
    value: str
    interval: str
    n: str
    items_url: str


@dataclass(frozen=True)
class _Split:
    name: str
    title: str
    empty: str
    groups: Sequence[_Group]


def _split(question: Question, kpi: Kpi, by: Dimension) -> _Split:
    among = question.among(by)
    readings = recording.split(
        kpi, question.period, by, [each.pk for each in among], at=question.at, slice=question.slice
    )
    unit = unit_of(kpi, *(reading.figure.value for reading in readings.values()))
    return _Split(
        gettext(GROUPS[by]),
        gettext(BY_GROUP[by]),
        gettext(_NO_GROUP[by]),
        [
            _Group(
                each.name,
                question.page_url(kpi, **{by: each.slug}),
                unit.write(figure.value) if figure.value is not None else plainly(kpi, figure),
                interval_in_words(kpi, figure, unit=unit, with_n=False),
                written(figure.denominator),
                question.items_url(kpi, "denominator", period=None, **{by: each.slug}) if figure.denominator else "",
            )
            for each in among
            for figure in (readings[each.pk].figure,)
        ],
    )


def _about(kpi: Kpi, *, has_limits: bool) -> str:
    if has_limits:
        return gettext(
            "By week of arrival. Weeks within the limits differ by chance; diamonds are outside, the hollow week still runs."
        )
    if kpi.ripens:
        return gettext(
            "By week of arrival, with 95% intervals. Newer weeks have had less time, so no limits are drawn."
        )
    return gettext("By week of arrival, with 95% intervals. Limits are drawn from eight finished weeks on.")


@dataclass(frozen=True)
class _Row:
    reference: str
    url: str
    headline: str
    received_at: datetime
    channel: str
    team: str
    rating: str
    status: str


def item_row(item: FeedbackItem, ticket: Ticket | None) -> _Row:
    reference = ticket.reference if ticket else item.reference
    rating = f"{item.rating_value.normalize():f} ({item.rating_scale})" if item.rating_value is not None else ""
    return _Row(
        reference,
        f"/triage/?item={reference}" if ticket else "",
        item.headline,
        item.received_at,
        item.channel.name,
        ticket.team.name if ticket else "",
        rating,
        ticket.get_status_display() if ticket else "",
    )


def first_tickets(items: Sequence[FeedbackItem]) -> dict[int, Ticket]:
    """The ticket by which each item is counted."""
    tickets = Ticket.objects.filter(item__in=items).select_related("team").defer("explanation").order_by("-pk")
    return {ticket.item_id: ticket for ticket in tickets}


def _items(count: int) -> str:
    return ngettext("%(count)s item", "%(count)s items", count) % {"count": written(count)}


def _page(request: HttpRequest, rows: Any, *, order: tuple[str, ...]) -> tuple[list[Any], str]:
    """The rows behind the address' cursor, and the address of those behind them."""
    query = request.GET.dict()
    found = list(after(rows, order=order, cursor=query.get("cursor", "")).order_by(*order)[: ITEMS_A_PAGE + 1])
    if len(found) <= ITEMS_A_PAGE:
        return found, ""
    shown = found[:ITEMS_A_PAGE]
    following: Mapping[str, str] = query | {"cursor": cursor_of(shown[-1], order=order)}
    parameters = request.GET.copy()
    for name, value in following.items():
        parameters[name] = value
    return shown, f"{request.path}?{parameters.urlencode()}"


def _joined(path: str, query: str) -> str:
    return f"{path}?{query}" if query else path
