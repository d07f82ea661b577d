"""Phases of a chart: limits come from a baseline that a person froze, with a reason, or else from the weeks shown."""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotAllowed
from intake.cleaning import clean_line
from kpis import recording
from kpis.definitions.base import Kpi
from kpis.facts import Slice
from kpis.figures import Limits
from kpis.models import Phase
from kpis.periods import Period, whole_weeks
from kpis.recording import Reading

BASELINE_WEEKS = 25
FEWEST = 8


def limits(readings: Sequence[Reading], *, at: datetime, settled: int | None = None) -> Limits:
    """The limits of these weeks, from the frozen baseline of the phase each lies in where there is one.

    Otherwise the first `settled` of the weeks set them, or all. Weeks before the first phase keep to limits of their own.
    """
    kpi, slice = readings[0].kpi, readings[0].slice
    standing = _standing(kpi.slug, kpi.version, slice)
    if not standing:
        figures = [reading.figure for reading in readings]
        return kpi.limits(figures, settled=settled)
    lower: list[float | None] = []
    upper: list[float | None] = []
    outside: set[int] = set()
    centre: float | None = None
    for phase, first, end in _spans(readings, standing):
        part = [reading.figure for reading in readings[first:end]]
        baseline = (
            [kpi.figure(week["parts"], as_of=datetime.fromisoformat(week["as_of"])) for week in phase.baseline]
            if phase
            else []
        )
        told = kpi.limits([*baseline, *part], settled=len(baseline) or None)
        lower += told.lower[len(baseline) :]
        upper += told.upper[len(baseline) :]
        outside |= {first + place - len(baseline) for place in told.outside if place >= len(baseline)}
        centre = told.centre
    return Limits(centre, lower, upper, frozenset(outside))


def breaks(readings: Sequence[Reading]) -> list[Phase]:
    """The phases that begin within these weeks, for the lines a chart draws."""
    kpi = readings[0].kpi
    standing = _standing(kpi.slug, kpi.version, readings[0].slice)
    return [phase for phase in standing if readings[0].period.first < phase.first_week <= readings[-1].period.first]


def newest(kpi: Kpi, slice: Slice) -> Phase | None:
    """The phase that holds from now on, if a person has set one."""
    standing = _standing(kpi.slug, kpi.version, slice)
    return standing[-1] if standing else None


def begin(kpi: Kpi, slice: Slice, *, period: Period, reason: str, by: Actor, at: datetime) -> Phase:
    """Freeze the limits of the last 25 finished weeks up to the end of `period`; they hold from the week after."""
    if by.user is None or not by.may_steer:
        raise NotAllowed(gettext("Only leads, managers and administrators set limits. Ask one of them."))
    why = clean_line(reason, longest=300)
    if not why:
        message = gettext("Say why the limits are set anew, as in: new carton since week 34.")
        raise BadInput(message, errors=(InputError("reason", message),))
    weeks = [
        week
        for week in whole_weeks(period, at=at, most=BASELINE_WEEKS)
        if (began := recording.first_day()) and week.first >= began
    ]
    readings = recording.series(kpi, weeks, at=at, slice=slice) if weeks else []
    known = [reading for reading in readings if reading.figure.value is not None]
    if len(known) < FEWEST:
        message = gettext("Limits need at least %(fewest)s finished weeks with a value; there are %(known)s so far.")
        raise BadInput(message % {"fewest": FEWEST, "known": len(known)})
    with transaction.atomic():
        return Phase.objects.create(
            kpi=kpi.slug,
            definition_version=kpi.version,
            team_id=slice.team,
            channel_id=slice.channel,
            stage_id=slice.stage,
            first_week=weeks[-1].end,
            baseline=[
                {
                    "week": each.period.first.isoformat(),
                    "as_of": each.as_of.isoformat(),
                    "parts": dict(each.figure.parts),
                }
                for each in known
            ],
            reason=why,
            person=by.user,
            set_at=at,
        )


def _standing(kpi: str, version: int, slice: Slice) -> list[Phase]:
    """The phases of a series from old to new; of several from one week the newest said."""
    rows = (
        Phase.objects.filter(
            kpi=kpi, definition_version=version, team=slice.team, channel=slice.channel, stage=slice.stage
        )
        .select_related("person")
        .order_by("first_week", "pk")
    )
    return list({phase.first_week: phase for phase in rows}.values())


def _spans(readings: Sequence[Reading], standing: Sequence[Phase]) -> list[tuple[Phase | None, int, int]]:
    """(phase, first place, end place) of the weeks, in order."""
    spans: list[tuple[Phase | None, int, int]] = []
    for place, reading in enumerate(readings):
        phase = next((each for each in reversed(standing) if each.first_week <= reading.period.first), None)
        if spans and spans[-1][0] is phase:
            spans[-1] = (phase, spans[-1][1], place + 1)
        else:
            spans.append((phase, place, place + 1))
    return spans
