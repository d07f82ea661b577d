"""What is still open, by how long ago it came in."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.models import Q, QuerySet
from django.utils.translation import gettext

from feedback_portal.refusals import BadInput, InputError
from kpis import recording
from kpis.charts import written
from kpis.periods import Period, local_day
from kpis.questions import Question
from triage.models import Ticket


@dataclass(frozen=True)
class Band:
    """Tickets that came in at least `start` and less than `end` days before today; the last band has no end."""

    slug: str
    start: int
    end: int | None

    @property
    def name(self) -> str:
        if self.end is None:
            return gettext("Over %(days)s") % {"days": written(self.start - 1)}
        slots = {"low": written(self.start), "high": written(self.end - 1)}
        return (gettext("%(low)s to %(high)s") if self.start else gettext("%(low)s to %(high)s days")) % slots

    @property
    def title(self) -> str:
        if self.end is None:
            return gettext("Open tickets, over %(days)s days old") % {"days": written(self.start - 1)}
        slots = {"low": written(self.start), "high": written(self.end - 1)}
        return gettext("Open tickets, %(low)s to %(high)s days old") % slots

    @property
    def is_old(self) -> bool:
        return self.start > 60


BANDS = (
    Band("0-2", 0, 3),
    Band("3-7", 3, 8),
    Band("8-14", 8, 15),
    Band("15-30", 15, 31),
    Band("31-60", 31, 61),
    Band("61-90", 61, 91),
    Band("over-90", 91, None),
)


def open_tickets(question: Question) -> QuerySet[Ticket]:
    """The open tickets that the asker may see, under the filters other than the period: a backlog is of now."""
    tickets = Ticket.objects.visible_to(question.actor).open().filter(item__is_test=False)
    wanted = {"team": question.team, "item__channel": question.channel, "stage": question.stage}
    return tickets.filter(**{name: value for name, value in wanted.items() if value is not None})


def by_age(question: Question) -> dict[Band, int]:
    """How many lay in each band when the days were last counted; one statement."""
    today = local_day(question.at, question.period.zone)
    found = dict.fromkeys(BANDS, 0)
    for day, n in recording.open_tickets(question.slice):
        found[_band_of((today - day).days)] += n
    return found


def in_band(question: Question, band: Band) -> QuerySet[Ticket]:
    return open_tickets(question).filter(_within(band, question))


def band_called(slug: str) -> Band:
    for band in BANDS:
        if band.slug == slug:
            return band
    message = gettext("Write `band` as one of %(known)s.") % {"known": ", ".join(band.slug for band in BANDS)}
    raise BadInput(message, errors=(InputError("band", message),))


def _band_of(age: int) -> Band:
    """What an import dates into the future has just come in."""
    return next(band for band in BANDS if band.end is None or age < band.end)


def _within(band: Band, question: Question) -> Q:
    """By days of the calendar, as they are counted."""
    today = local_day(question.at, question.period.zone)

    def begins(age: int) -> datetime:
        day: date = today - timedelta(days=age)
        return Period(day, day + timedelta(days=1), question.period.zone).starts_at

    within = Q(received_at__lt=begins(band.start - 1)) if band.start else Q()
    return within if band.end is None else within & Q(received_at__gte=begins(band.end - 1))
