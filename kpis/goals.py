"""Ranges that a KPI should lie in during a year. Never one threshold: that is met by whatever means."""

from datetime import datetime

from django.db.models import Q
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotAllowed
from intake.cleaning import clean_line
from kpis.definitions.base import Kpi
from kpis.figures import Figure
from kpis.models import Goal


def of(kpi: Kpi, *, team: Team | None, year: int) -> Goal | None:
    """The range of a team where it has one of its own, else that of all."""
    goals = Goal.objects.filter(Q(team=team) | Q(team=None), kpi=kpi.slug, year=year).select_related("person")
    return next(iter(sorted(goals, key=lambda goal: goal.team_id is None)), None)


def verdict(goal: Goal, figure: Figure) -> str:
    """Where the value lies, and whether chance alone could have put it there."""
    if figure.value is None:
        return gettext("There is no value to hold against it yet.")
    if goal.low <= figure.value <= goal.high:
        return gettext("Within the range.")
    below = figure.value < goal.low
    edge = figure.high if below else figure.low
    could_be = edge is not None and (edge >= goal.low if below else edge <= goal.high)
    if could_be:
        return (
            gettext("Below the range, though chance alone may be why.")
            if below
            else gettext("Above the range, though chance alone may be why.")
        )
    return gettext("Below the range by more than chance.") if below else gettext("Above the range by more than chance.")


def set_range(
    kpi: Kpi, *, team: Team | None, year: int, low: str, high: str, reason: str, by: Actor, at: datetime
) -> Goal:
    """One a year for a KPI and a team; saying it again replaces it."""
    if by.user is None or not by.sees_everything or not by.may_steer:
        raise NotAllowed(gettext("Ranges are set by managers and administrators. Ask one of them."))
    numbers = {}
    for name, text in (("low", low), ("high", high)):
        try:
            numbers[name] = float(text.replace(",", "."))
        except ValueError:
            raise _refused(name, gettext("Write a number, in the unit of the KPI.")) from None
        if not abs(numbers[name]) < 1e12:
            raise _refused(name, gettext("Write a number that can be reached."))
    if not numbers["low"] < numbers["high"]:
        raise _refused("high", gettext("A range ends above where it begins."))
    why = clean_line(reason, longest=300)
    if not why:
        raise _refused("reason", gettext("Say why this range, so that it can be argued about."))
    goal, _ = Goal.objects.update_or_create(
        kpi=kpi.slug, team=team, year=year, defaults={**numbers, "reason": why, "person": by.user, "set_at": at}
    )
    return goal


def _refused(field: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(field, message),))
