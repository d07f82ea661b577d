"""When teams work and how soon they decide, as administrators set it: calendars and targets."""

from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext

from feedback_portal.accounts.calendars import WEEKDAYS, WorkingTime, read_holidays, write_hours
from feedback_portal.accounts.models import Team, WorkCalendar
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed
from triage import inputs
from triage.models import Target, Topic

MOST_TARGETS = 500


def create_calendar(given: Any, *, by: Actor) -> WorkCalendar:
    """`hours` by weekday as `accounts.calendars` stores them, or as people write them: `{"mon": "08:00-12:00, 13:00-17:00"}`."""
    _may(by)
    values = inputs.read(given, _CALENDAR | {"slug": inputs.slug}, required=("slug", "name", "time_zone", "hours"))
    try:
        with transaction.atomic():
            return WorkCalendar.objects.create(**_checked(values))
    except IntegrityError:
        raise _wrong("slug", gettext("There is a calendar with this short name already. Choose another.")) from None


def change_calendar(calendar: WorkCalendar, given: Any, *, by: Actor) -> WorkCalendar:
    """What is due already stays due when it was; the new hours count for what comes from now on."""
    _may(by)
    values = inputs.read(given, _CALENDAR)
    whole = {"time_zone": calendar.time_zone, "hours": calendar.hours, "holidays": calendar.holidays} | values
    WorkCalendar.objects.filter(pk=calendar.pk).update(**_checked(whole))
    calendar.refresh_from_db()
    return calendar


def delete_calendar(calendar: WorkCalendar, *, by: Actor) -> None:
    _may(by)
    if calendar.teams.exists():
        raise BadInput(
            gettext("%(name)s is used by a team. Give that team another calendar first.") % {"name": calendar.name}
        )
    calendar.delete()


def set_target(given: Any, *, by: Actor) -> Target:
    """The hours for a team, a topic, a severity or any two or three of them; a target for the same is replaced."""
    _may(by)
    values = inputs.read(given, _TARGET, required=("hours",))
    names = {name: values.get(name) for name in ("team", "topic", "severity")}
    if not any(names.values()):
        raise _wrong("team", gettext("Say what the target is for: choose a team, a topic or a severity."))
    if Target.objects.count() >= MOST_TARGETS and not Target.objects.filter(**names).exists():
        raise BadInput(
            gettext("There are %(most_targets)s targets already. Take one away first.") % {"most_targets": MOST_TARGETS}
        )
    target, _ = Target.objects.update_or_create(**names, defaults={"hours": values["hours"]})
    return target


def delete_target(target: Target, *, by: Actor) -> None:
    _may(by)
    target.delete()


def written_hours(calendar: WorkCalendar) -> dict[str, str]:
    """The spans of each weekday as people write them: "08:00-12:00, 13:00-17:00"."""
    return {day: ", ".join("-".join(span) for span in calendar.hours.get(day, [])) for day in WEEKDAYS}


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may set working hours and targets. Ask one of them."))


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    """The same values, their hours as they are stored, with what is wrong named by its field."""
    holidays = sorted(values.get("holidays", []))
    for field, zone, hours in (
        ("time_zone", values["time_zone"], {"mon": [["08:00", "09:00"]]}),
        ("hours", "UTC", values["hours"]),
    ):
        try:
            working = WorkingTime.read(zone=zone, hours=hours)
        except ValueError as wrong:
            raise _wrong(field, str(wrong)) from None
    return values | {"hours": write_hours(working), "holidays": holidays}


def _hours(given: Any) -> Any:
    """Spans written by people become lists; lists are taken as they are, and checked by whoever reads them."""
    if not isinstance(given, dict) or len(given) > len(WEEKDAYS):
        raise ValueError(gettext("Give the hours by weekday."))
    return {day: _spans(spans) if isinstance(spans, str) else spans for day, spans in given.items()}


def _spans(written: str) -> list[list[str]]:
    parts = [part for part in written[:200].replace("\u2013", "-").split(",") if part.strip()]
    return [[time.strip().zfill(5) for time in part.split("-")] for part in parts]


def _holidays(given: Any) -> Any:
    return read_holidays(given.replace(",", " ").split() if isinstance(given, str) else given)


def _named(model: type[Model], if_unknown: str) -> inputs.Reader:
    def reader(given: Any) -> Model | None:
        if not given:
            return None
        rows = model._default_manager.filter(slug=given, is_active=True) if isinstance(given, str) else None
        found = rows.first() if rows is not None else None
        if found is None:
            raise ValueError(gettext(if_unknown))
        return found

    return reader


def _severity(given: Any) -> int | None:
    return None if given in (None, "") else int(inputs.number(2, 4)(given))


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))


_CALENDAR: dict[str, inputs.Reader] = {
    "name": inputs.line(80, marked("Give it a name.")),
    "time_zone": inputs.line(64, marked("Write a time zone like Europe/Berlin.")),
    "hours": _hours,
    "holidays": _holidays,
}
_TARGET: dict[str, inputs.Reader] = {
    "team": _named(Team, marked("There is no such team. Choose one from the list.")),
    "topic": _named(Topic, marked("There is no such topic. Choose one from the list.")),
    "severity": _severity,
    "hours": inputs.number(1, 8760),
}
