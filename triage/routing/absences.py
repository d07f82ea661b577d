"""When somebody is away and who stands in: told by themselves, by their lead, or by whoever sees every team."""

from datetime import date
from typing import Any

from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from feedback_portal.accounts.models import Absence, Membership, Role, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotFound
from triage import inputs

MOST_SHOWN = 200


def people_of(by: Actor) -> QuerySet[User]:
    """Whose absence this person may set: their own, a lead's the people of their teams, everybody's for who sees every team."""
    everybody = User.objects.filter(is_active=True).order_by("name", "pk")
    if by.user is None:
        return everybody.none()
    if by.sees_everything:
        return everybody
    led = Membership.objects.filter(user=by.user).filter(Q(is_lead=True) | Q(user__role=Role.LEAD)).values("team")
    return everybody.filter(Q(pk=by.user.pk) | Q(memberships__team__in=led)).distinct()


def colleagues_of(by: Actor) -> QuerySet[User]:
    """Who may stand in for any of these: people who share a team with them, and who sees every team."""
    teams = Membership.objects.filter(user__in=people_of(by).order_by().values("pk")).values("team")
    wide = Q(role__in=[Role.MANAGER, Role.ADMIN])
    rows = User.objects.filter(wide | Q(memberships__team__in=teams), is_active=True)
    return rows.distinct().order_by("name", "pk")


def absences_of(by: Actor, *, today: date) -> list[Absence]:
    """Those that are not over, soonest first."""
    rows = Absence.objects.not_over(today).filter(person__in=people_of(by).order_by().values("pk"))
    return list(rows.select_related("person", "stand_in").order_by("first_day", "pk")[:MOST_SHOWN])


def enter(given: Any, *, by: Actor, today: date) -> Absence:
    """Somebody is away from one day to another, both included; without a last day, until further notice."""
    values = inputs.read(given, {"person": str, "first_day": _day, "last_day": _day, "stand_in": str})
    person = _among(people_of(by), values.get("person") or (by.user.email if by.user else ""))
    if person is None:
        raise _wrong("person", gettext("Choose one of the people on the list."))
    first, last = values.get("first_day") or today, values.get("last_day")
    if last is not None and last < first:
        raise _wrong("last_day", gettext("The last day away comes before the first. Correct one of them."))
    if last is not None and last < today:
        raise _wrong("last_day", gettext("This is over already. Choose a day that is still to come."))
    stand_in = None
    if values.get("stand_in"):
        stand_in = _among(colleagues_of(by), values["stand_in"])
        if stand_in is None or stand_in.pk == person.pk:
            raise _wrong("stand_in", gettext("Choose a colleague who shares a team with them."))
    return Absence.objects.create(person=person, first_day=first, last_day=last, stand_in=stand_in, set_by=by.user)


def remove(number: int, *, by: Actor) -> Absence:
    """They are here after all."""
    rows = Absence.objects.select_related("person").filter(person__in=people_of(by).order_by().values("pk"))
    absence = rows.filter(pk=number).first()
    if absence is None:
        raise NotFound(gettext("There is no such absence, or it is not yours to change."))
    Absence.objects.filter(pk=absence.pk).delete()
    return absence


def _among(people: QuerySet[User], email: str) -> User | None:
    return people.filter(email=email.strip().lower()).first()


def _day(given: Any) -> date | None:
    if not given:
        return None
    try:
        return date.fromisoformat(str(given))
    except ValueError:
        raise ValueError(gettext("Choose a day.")) from None


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
