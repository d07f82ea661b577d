"""What happened beside the numbers: what people wrote on a day, and the days on which actions shipped."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

from django.urls import reverse
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from intake.cleaning import clean_line
from kpis import recording
from kpis.models import Annotation
from kpis.periods import Period, local_day
from triage.models import Action

MOST_SHOWN: Final = 6
LONGEST: Final = 160


@dataclass(frozen=True)
class Note:
    day: date
    text: str
    href: str = ""
    brief: str = ""


def between(period: Period, *, by: Actor) -> list[Note]:
    """The newest notes and shipped actions of these days that `by` may see, oldest first; a chart has room for a few."""
    written = Annotation.objects.standing().visible_to(by).filter(day__gte=period.first, day__lt=period.end)
    notes = [Note(day, text) for day, text in written.order_by("-day", "-pk").values_list("day", "text")[:MOST_SHOWN]]
    shipped = Action.objects.visible_to(by).filter(
        withdrawn_at=None, shipped_at__gte=period.starts_at, shipped_at__lt=period.ends_at
    )
    notes += [
        Note(
            action.effective_from or local_day(action.shipped_at, period.zone),
            f"{action.reference} {action.title}",
            reverse("triage:action", args=[action.reference]),
            action.reference,
        )
        for action in shipped.order_by("-shipped_at", "-pk")[:MOST_SHOWN]
        if action.shipped_at
    ]
    newest = sorted(notes, key=lambda note: (note.day, note.text), reverse=True)[:MOST_SHOWN]
    return sorted((note for note in newest if period.first <= note.day < period.end), key=lambda note: note.day)


def places(notes: Sequence[Note], weeks: Sequence[Period]) -> list[tuple[float, Note]]:
    """Where on an axis of weeks each note stands; those outside are left out."""
    found = []
    for note in notes:
        at = (note.day - weeks[0].first) / timedelta(weeks=1)
        if 0 <= at <= len(weeks) - 1:
            found.append((at, note))
    return found


def write(*, day: str, text: str, team: Team | None, by: Actor, at: datetime) -> Annotation:
    """One more note. A lead writes for a team of theirs; who steers all teams may write for everybody."""
    if by.user is None or not by.may_steer:
        raise NotAllowed(gettext("Only leads, managers and administrators annotate charts. Ask one of them."))
    if team is None and not by.sees_everything:
        raise _refused("team", gettext("Choose one of your teams. Notes for everybody are written by managers."))
    said = clean_line(text, longest=LONGEST)
    if not said:
        raise _refused("text", gettext("Say in a few words what happened."))
    try:
        on = date.fromisoformat(day)
    except ValueError:
        raise _refused("day", gettext("Write the day as year, month and day: 2026-03-31.")) from None
    if not date(2000, 1, 1) <= on <= local_day(at, recording.reporting_zone()) + timedelta(days=366):
        raise _refused("day", gettext("Choose a day since 2000 and at most a year from now."))
    return Annotation.objects.create(day=on, text=said, team=team, person=by.user)


def withdraw(number: int, *, by: Actor, at: datetime) -> None:
    """Take a note off the charts. Its writer may, and who steers all teams."""
    standing = Annotation.objects.standing().visible_to(by).filter(pk=number)
    if not by.sees_everything:
        standing = standing.filter(person=by.user)
    if not by.may_steer or not standing.update(withdrawn_at=at):
        raise NotFound(gettext("There is no such note, or somebody else wrote it. Ask them or a manager."))


def _refused(field: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(field, message),))
