"""The pages of early warning: what left its limits, by value at stake, and one signal with its series and its verdict."""

from datetime import date
from typing import Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor, actor_of
from feedback_portal.api import after, cursor_of
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, NotFound
from intake.models import FeedbackItem
from kpis import recording
from kpis.charts import COUNT, WHOLE_PERCENT, LineChart, Point, draw, written
from kpis.charts.units import PERCENT, Unit
from kpis.dashboard import Card
from kpis.models import Signal
from kpis.periods import Period
from kpis.questions import kpi_called
from kpis.signals import deciding, detecting, series
from kpis.signals.names import basis_of, name_of
from kpis.signals.precision import precision
from kpis.signals.series import WEEK, Key
from kpis.statistics.surveillance import FEWEST_WEEKS
from kpis.views import tables
from kpis.views.numbers import first_tickets, item_row
from kpis.words import n_in_words, unit_of
from triage.models import Action, Ticket

MOST_OPEN = 100
PAGE = 50
_ORDER = ("-verdict_at", "-id")
_ITEMS_ORDER = ("-submission_id",)
_TOO_MANY = 10_000


@login_required
@require_GET
def all_signals(request: HttpRequest) -> HttpResponse:
    """Open ones with the most at stake first, then the ended, newest verdict first."""
    actor, at = actor_of(request), timezone.now()
    seen = Signal.objects.visible_to(actor).select_related("team", "owner", "action")
    ended = after(seen.exclude(verdict=""), order=_ORDER, cursor=request.GET.get("cursor", ""))
    rows = list(ended.order_by(*_ORDER)[: PAGE + 1])
    context = {
        "open": [_row(signal) for signal in seen.open().order_by("-value", "p", "-id")[:MOST_OPEN]],
        "ended": [_row(signal) for signal in rows[:PAGE]],
        "next_url": f"?{urlencode({'cursor': cursor_of(rows[PAGE - 1], order=_ORDER)})}" if len(rows) > PAGE else "",
        "is_first": not request.GET.get("cursor"),
        "precision": precision(by=actor),
        "week": detecting.last_complete_week(at=at, zone=recording.reporting_zone()),
        "needs_weeks": FEWEST_WEEKS,
        "rate": WHOLE_PERCENT.write(detecting.FALSE_DISCOVERIES),
    }
    return render(request, "kpis/signals.html", context)


@login_required
@require_GET
def signal(request: HttpRequest, reference: str) -> HttpResponse:
    actor = actor_of(request)
    found = deciding.find(reference, by=actor)
    return _page(request, found, actor)


@login_required
@require_POST
def act(request: HttpRequest, reference: str, verb: str) -> HttpResponse:
    """One verb of a signal; its page again, with what was wrong or what was done."""
    if verb not in deciding.VERBS:
        raise NotFound(gettext("There is no such form. Go back to the signal."))
    actor = actor_of(request)
    found = deciding.find(reference, by=actor)
    given = {name: value for name, value in request.POST.items() if name in deciding.ARGUMENTS}
    version = request.POST.get("version", "")
    try:
        done = deciding.decide(
            reference,
            verb,
            by=actor,
            at=timezone.now(),
            version=int(version) if version.isdecimal() and len(version) < 10 else None,
            **given,
        )
    except BadInput as refused:
        errors = [error.message for error in refused.errors] or [refused.message]
        return _page(request, found, actor, values=request.POST.dict(), errors=errors, status=422)
    messages.success(request, gettext(_DONE[verb]))
    return redirect("kpis:signal", done.reference)


@login_required
@require_GET
def signal_items(request: HttpRequest, reference: str) -> HttpResponse:
    """The items of a rise or a new voice, of the weeks that left the limits."""
    actor, at = actor_of(request), timezone.now()
    found = deciding.find(reference, by=actor)
    items = _items(found)
    visible = Ticket.objects.visible_to(actor).filter(item__in=items).values("item")
    rows = FeedbackItem.objects.filter(pk__in=visible).select_related("channel").defer("text", "context")
    page = list(
        after(rows, order=_ITEMS_ORDER, cursor=request.GET.get("cursor", "")).order_by(*_ITEMS_ORDER)[: PAGE + 1]
    )
    shown, tickets = page[:PAGE], first_tickets(page[:PAGE])
    more = f"?{urlencode({'cursor': cursor_of(shown[-1], order=_ITEMS_ORDER)})}" if len(page) > PAGE else ""
    context = {
        "signal": found,
        "name": name_of(found),
        "rows": [item_row(item, tickets.get(item.pk)) for item in shown],
        "count": len(items),
        "hidden": len(items) - visible.distinct().count(),
        "next_url": more,
        "as_of": at,
    }
    return render(request, "kpis/signal_items.html", context)


_DONE = {
    "own": marked("Saved. Whoever looks into it stands on its page."),
    "end": marked("It has its verdict. The same series stays quiet for four weeks."),
    "reopen": marked("It is open again."),
    "link": marked("Linked."),
}


def _page(
    request: HttpRequest,
    found: Signal,
    actor: Actor,
    *,
    values: dict[str, Any] | None = None,
    errors: list[str] | None = None,
    status: int = 200,
) -> HttpResponse:
    also = [Key.read(key) for key in found.also if not key.startswith(("voice:", "kpi:", "mix:"))]
    card = _card(found)
    context = {
        "signal": found,
        "name": name_of(found),
        "basis": basis_of(found),
        "row": _row(found),
        "card": card,
        "also": sorted(series.names(also).values()),
        "shares": _shares(found),
        "events": [_event(event) for event in found.events.select_related("person", "key").order_by("-id")[:60]],
        "verdicts": Signal.Verdict.choices,
        "people": User.objects.filter(is_active=True).order_by("name"),
        "actions": Action.objects.visible_to(actor).under_way().order_by("-id")[:50],
        "action_url": _action_url(found),
        "values": values or {},
        "errors": errors or [],
    }
    return tables.page(request, "kpis/signal.html", context, status=status, chart=card)


def _row(found: Signal) -> dict[str, Any]:
    """What a list says of a signal: the claim, the digits behind it, who has it."""
    newest = found.weeks[-1] if found.weeks else {}
    claim, digits = _told(found, newest)
    return {
        "signal": found,
        "url": reverse("kpis:signal", args=[found.reference]),
        "items_url": _items_url(found),
        "claim": claim,
        "digits": digits,
        "weeks": len(found.weeks),
    }


def _told(found: Signal, newest: dict[str, Any]) -> tuple[str, str]:
    slots = {
        "items": written(found.count),
        "customers": written(found.customers),
        "expected": written(found.expected, 1),
        "of_hundred": written(found.expected),
        "basis": basis_of(found),
        "n": n_in_words(found.count),
    }
    name = name_of(found)
    if found.kind == Signal.Kind.RISE:
        window = newest.get("window", 1)
        slots["times"] = gettext("none is usual")
        if found.expected:
            times = gettext("%(times)s times as many as usual")
            slots["times"] = times % {"times": written(found.count / found.expected, 1)}
        said = ngettext(
            "%(items)s items in a week where %(expected)s were to be expected: %(times)s.",
            "%(items)s items in %(weeks)s weeks where %(expected)s were to be expected: %(times)s.",
            window,
        )
        return name, said % (slots | {"weeks": written(window)})
    if found.kind == Signal.Kind.VOICE:
        return name, gettext("%(items)s items by %(customers)s customers, and no topic fits them.") % slots
    if found.kind == Signal.Kind.NUMBER:
        kpi = kpi_called(found.key.partition("|")[0].removeprefix("kpi:"))
        unit = unit_of(kpi, newest.get("value"), newest.get("upper"))
        is_above = (newest.get("value") or 0) > (newest.get("upper") or 0)
        said = (
            gettext("%(value)s, above the limit of %(limit)s.")
            if is_above
            else gettext("%(value)s, below the limit of %(limit)s.")
        )
        limit = unit.write(newest.get("upper") if is_above else newest.get("lower"))
        return name, said % {"value": unit.write(newest.get("value")), "limit": limit}
    return name, gettext("%(of_hundred)s of 100 speak by other ways than in %(basis)s, %(n)s.") % slots


def _card(found: Signal) -> Card | None:
    """The series as it was when it was last looked at, with its limits."""
    if not found.history:
        return None
    signalled = {each["week"] for each in found.weeks}
    unit: Unit = COUNT
    if found.kind == Signal.Kind.NUMBER:
        unit = unit_of(kpi_called(found.key.partition("|")[0].removeprefix("kpi:")), found.history[-1]["value"])
    points = tuple(
        Point(
            gettext("Week of %(day)s") % {"day": date_format(date.fromisoformat(each["week"]), "DAY_YEAR")},
            each["value"],
            each["lower"],
            each["upper"],
            short_label=date_format(date.fromisoformat(each["week"]), "DAY"),
            is_signal=each["week"] in signalled,
        )
        for each in found.history
    )
    claim, digits = _told(found, found.weeks[-1] if found.weeks else {})
    chart = LineChart(f"{claim}: {digits}", unit, points, names=(marked("Week"), marked("Items")))
    about = gettext("Limits are three standard deviations; diamonds left them.")
    if found.basis:
        about = f"{gettext('Held against %(basis)s.') % {'basis': basis_of(found)}} {about}"
    return Card(gettext("Week by week"), about, draw(chart), chart.table())


def _shares(found: Signal) -> list[tuple[str, str, str]]:
    """Of a mix, (value, share before, share now), largest first."""
    shares = found.weeks[-1].get("shares", {}) if found.weeks else {}
    rows = sorted(shares.items(), key=lambda each: (-each[1][1], each[0]))
    return [(value, PERCENT.write(before / 100), PERCENT.write(now / 100)) for value, (before, now) in rows]


def _event(event: Any) -> dict[str, Any]:
    data = event.data
    said = {
        "raised": gettext("raised it"),
        "again": gettext("saw it again in the week of %(week)s"),
        "owned": gettext("gave it to %(to)s") if data.get("to") else gettext("gave it to nobody"),
        "ended": gettext("ended it as %(verdict)s: %(reason)s") if data.get("verdict") else gettext("ended it"),
        "reopened": gettext("opened it again"),
        "linked": gettext("linked %(action)s"),
    }[event.type]
    slots = {"week": "", "to": "", "reason": "", "action": ""} | data
    if data.get("verdict"):
        slots["verdict"] = Signal.Verdict(data["verdict"]).label.lower()
    return {
        "actor": str(event.person or event.key or gettext("The portal")),
        "phrase": said % slots,
        "at": event.occurred_at,
    }


def _items_url(found: Signal) -> str:
    if found.kind in {Signal.Kind.RISE, Signal.Kind.VOICE}:
        return reverse("kpis:signal_items", args=[found.reference])
    if found.kind == Signal.Kind.NUMBER:
        kpi = kpi_called(found.key.partition("|")[0].removeprefix("kpi:"))
        last = found.last_week + WEEK
        query = {"from": found.last_week.isoformat(), "to": last.fromordinal(last.toordinal() - 1).isoformat()}
        if found.team:
            query["team"] = found.team.slug
        return f"{reverse('kpis:kpi', args=[kpi.slug])}?{urlencode(query)}"
    return ""


def _action_url(found: Signal) -> str:
    """The form of a new action, filled with what is known."""
    claim, digits = _told(found, found.weeks[-1] if found.weeks else {})
    given = {
        "title": name_of(found)[:160],
        "problem": f"{found.reference}: {claim}. {digits}",
        "signal": found.reference,
        "theme": found.theme.reference if found.theme else "",
        "team": found.team.slug if found.team else "",
        "stage": found.team.stage.slug if found.team and found.team.stage else "",
    }
    return f"/actions/new/?{urlencode({name: value for name, value in given.items() if value})}"


def _items(found: Signal) -> list[int]:
    """The items the count of the newest week stands for."""
    if found.kind not in {Signal.Kind.RISE, Signal.Kind.VOICE} or not found.weeks:
        raise NotFound(gettext("This signal is not about items of its own. Open its number instead."))
    newest = found.weeks[-1]
    key = Key.read(f"theme:{found.key.partition(':')[2]}" if found.kind == Signal.Kind.VOICE else found.key)
    week = date.fromisoformat(newest["week"])
    weeks = series.weeks_until(week, number=newest["window"])
    zone = recording.reporting_zone()
    until = Period(week, week + WEEK, zone).ends_at
    found_items = series.members([key], weeks, zone=zone, at=max(found.seen_at, until))
    return [item.item for item in found_items if key.holds(item)][:_TOO_MANY]
