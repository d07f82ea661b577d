"""Settings: how soon teams decide, and when they work."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext, ngettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.calendars import WEEKDAYS
from feedback_portal.accounts.models import Team, WorkCalendar
from feedback_portal.accounts.permissions import actor_of, set_up_page
from feedback_portal.marking import marked
from triage import working_hours
from triage.models import Target, Topic
from triage.views.answering import done
from triage.views.settings.shell import given, show

_DAYS = (
    marked("Monday"),
    marked("Tuesday"),
    marked("Wednesday"),
    marked("Thursday"),
    marked("Friday"),
    marked("Saturday"),
    marked("Sunday"),
)
_USUAL = dict.fromkeys(WEEKDAYS[:5], "08:00-17:00")
SEVERITIES = ((2, marked("High")), (3, marked("Normal")), (4, marked("A wish")))


@set_up_page
def deadlines(request: HttpRequest) -> HttpResponse:
    """Targets and calendars, and a form for another target."""
    context = {
        "targets": Target.objects.select_related("team", "topic").order_by("topic__name", "team__name", "severity"),
        "calendars": WorkCalendar.objects.prefetch_related("teams").order_by("name"),
        "everybody": Team.objects.filter(is_active=True).select_related("calendar").order_by("name"),
        "topics": Topic.objects.filter(is_active=True).order_by("name"),
        "severities": SEVERITIES,
    }

    def save() -> str:
        sent = given(request, "team", "topic", "severity", "hours")
        hours = working_hours.set_target(sent, by=actor_of(request)).hours
        said = ngettext("%(hours)s hour is the target now.", "%(hours)s hours are the target now.", hours)
        return said % {"hours": hours}

    empty = dict.fromkeys(("team", "topic", "severity", "hours"), "")
    return show(request, "deadlines", context, stored=empty, save=save, to="triage:deadlines")


@set_up_page
@require_POST
def delete_target(request: HttpRequest, number: int) -> HttpResponse:
    working_hours.delete_target(get_object_or_404(Target, pk=number), by=actor_of(request))
    return done(
        request,
        gettext("The target is gone; what has no closer one falls back to its team's hours."),
        "triage:deadlines",
    )


@set_up_page
def new_calendar(request: HttpRequest) -> HttpResponse:
    def save() -> str:
        made = working_hours.create_calendar(_sent(request, "slug"), by=actor_of(request))
        return gettext("The calendar %(name)s is there.") % {"name": made.name}

    stored = {"slug": "", "name": "", "time_zone": "", "holidays": ""} | _USUAL
    context = {"calendar": None, "days": _days(request, stored)}
    return show(request, "calendar", context, stored=stored, save=save, to="triage:deadlines")


@set_up_page
def calendar(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(WorkCalendar, slug=slug)

    def save() -> str:
        changed = working_hours.change_calendar(found, _sent(request), by=actor_of(request))
        return gettext("%(name)s is saved.") % {"name": changed.name}

    stored = {
        "name": found.name,
        "time_zone": found.time_zone,
        "holidays": "\n".join(day.isoformat() for day in found.holidays),
    } | working_hours.written_hours(found)
    context = {"calendar": found, "days": _days(request, stored)}
    return show(request, "calendar", context, stored=stored, save=save, to="triage:deadlines")


@set_up_page
@require_POST
def delete_calendar(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(WorkCalendar, slug=slug)
    working_hours.delete_calendar(found, by=actor_of(request))
    return done(request, gettext("The calendar %(name)s is gone.") % {"name": found.name}, "triage:deadlines")


def _sent(request: HttpRequest, *more: str) -> dict[str, object]:
    hours = {day: request.POST.get(day, "") for day in WEEKDAYS}
    return given(request, "name", "time_zone", "holidays", *more) | {"hours": hours}


def _days(request: HttpRequest, stored: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": day, "label": gettext(label), "value": request.POST.get(day, stored.get(day, ""))}
        for day, label in zip(WEEKDAYS, _DAYS, strict=True)
    ]
