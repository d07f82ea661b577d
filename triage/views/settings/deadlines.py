"""Settings: how soon teams decide, and when they work."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.views.decorators.http import require_POST

from feedback_portal.accounts.calendars import WEEKDAYS
from feedback_portal.accounts.models import Team, WorkCalendar
from feedback_portal.accounts.permissions import actor_of, set_up_page
from triage import working_hours
from triage.models import Target, Topic
from triage.views.answering import done
from triage.views.settings.shell import given, show

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_USUAL = dict.fromkeys(WEEKDAYS[:5], "08:00-17:00")
SEVERITIES = ((2, "High"), (3, "Normal"), (4, "A wish"))


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
        return f"{working_hours.set_target(sent, by=actor_of(request)).hours} hours are the target now."

    empty = dict.fromkeys(("team", "topic", "severity", "hours"), "")
    return show(request, "deadlines", context, stored=empty, save=save, to="triage:deadlines")


@set_up_page
@require_POST
def delete_target(request: HttpRequest, number: int) -> HttpResponse:
    working_hours.delete_target(get_object_or_404(Target, pk=number), by=actor_of(request))
    return done(
        request, "The target is gone; what has no closer one falls back to its team's hours.", "triage:deadlines"
    )


@set_up_page
def new_calendar(request: HttpRequest) -> HttpResponse:
    def save() -> str:
        return (
            f"The calendar {working_hours.create_calendar(_sent(request, 'slug'), by=actor_of(request)).name} is there."
        )

    stored = {"slug": "", "name": "", "time_zone": "", "holidays": ""} | _USUAL
    context = {"calendar": None, "days": _days(request, stored)}
    return show(request, "calendar", context, stored=stored, save=save, to="triage:deadlines")


@set_up_page
def calendar(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(WorkCalendar, slug=slug)

    def save() -> str:
        return f"{working_hours.change_calendar(found, _sent(request), by=actor_of(request)).name} is saved."

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
    return done(request, f"The calendar {found.name} is gone.", "triage:deadlines")


def _sent(request: HttpRequest, *more: str) -> dict[str, object]:
    hours = {day: request.POST.get(day, "") for day in WEEKDAYS}
    return given(request, "name", "time_zone", "holidays", *more) | {"hours": hours}


def _days(request: HttpRequest, stored: dict[str, str]) -> list[dict[str, str]]:
    return [
        {"name": day, "label": label, "value": request.POST.get(day, stored.get(day, ""))}
        for day, label in zip(WEEKDAYS, _DAYS, strict=True)
    ]
