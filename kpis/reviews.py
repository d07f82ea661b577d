"""The figures of one person's work: for them and their lead only, off unless the organisation wants them, each look logged.

There is no list of people and no ranking. Below 30 decided items there are no figures, and a review is what a lead writes in
their own words; the person may answer. The note for works councils in `docs/kpis.md` says the same.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext

from feedback_portal.accounts.models import Membership, Role, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, NotFound
from intake.cleaning import clean_line, clean_text
from kpis import statistics
from kpis.charts import WHOLE_PERCENT, written
from kpis.models import Look, Review
from kpis.periods import Period

FEWEST: Final = 30
LONGEST: Final = 4_000

_DECIDED = """
SELECT channel.name, ticket.severity, count(*), count(*) FILTER (WHERE event.occurred_at > ticket.due_at),
    count(*) FILTER (WHERE EXISTS (SELECT FROM triage_event AS back WHERE back.ticket_id = ticket.id AND back.type = 'reopened'))
FROM triage_event AS event
JOIN triage_ticket AS ticket ON ticket.id = event.ticket_id
JOIN intake_feedbackitem AS item ON item.submission_id = event.item_id
JOIN intake_channel AS channel ON channel.id = item.channel_id
WHERE event.type = 'triaged' AND event.source = 'person' AND event.person_id = %(person)s
    AND event.occurred_at >= %(since)s AND event.occurred_at < %(until)s AND NOT item.is_test
    AND NOT EXISTS (SELECT FROM triage_event AS undone WHERE undone.undoes_id = event.id)
GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2
"""


@dataclass(frozen=True)
class Sheet:
    """Volume and mix of what was decided; shares with Wilson's interval, or nothing where there is too little."""

    person: User
    decided: int
    mix: list[tuple[str, int, int]]
    late: tuple[float, float, float] | None
    back: tuple[float, float, float] | None

    @property
    def late_words(self) -> str:
        return _share_words(self.late)

    @property
    def back_words(self) -> str:
        return _share_words(self.back)

    @property
    def as_dict(self) -> dict[str, Any]:
        return {"decided": self.decided, "mix": self.mix, "late": self.late, "back": self.back}


def find(number: int, *, by: Actor) -> User:
    """The person, if `by` is them or leads a team of theirs; for everybody else there is no such page."""
    person = User.objects.filter(pk=number, is_active=True).first() if settings.PERSON_FIGURES else None
    if person is None or by.user is None or not (person == by.user or _leads(by.user, person)):
        raise NotFound(
            gettext(
                "There is no such page. Figures of one person's work are for them and their lead, where switched on."
            )
        )
    return person


def look(person: User, *, purpose: str, period: Period, by: Actor, at: datetime) -> Sheet:
    """The sheet. Somebody else's look needs a purpose, which is written down before anything is shown."""
    assert by.user is not None
    if person != by.user:
        why = clean_line(purpose, longest=200)
        if not why:
            raise _refused("purpose", gettext("Say what you look for. It is written down, and they can read it."))
        Look.objects.create(by=by.user, person=person, purpose=why, looked_at=at)
    with connection.cursor() as cursor:
        cursor.execute(_DECIDED, {"person": person.pk, "since": period.starts_at, "until": period.ends_at})
        rows = cursor.fetchall()
    decided = sum(n for _, _, n, _, _ in rows)
    if decided < FEWEST:
        return Sheet(person, decided, [], None, None)
    mix = [(channel, severity, n) for channel, severity, n, _, _ in rows]
    late, back = (sum(row[place] for row in rows) for place in (3, 4))
    return Sheet(person, decided, mix, _share(late, decided), _share(back, decided))


def judge(sheet: Sheet, *, judgement: str, period: Period, by: Actor, at: datetime) -> Review:
    """What a lead says in their own words, with the figures they saw; without words there is no review."""
    said = clean_text(judgement, longest=LONGEST).strip()
    if by.user is None or sheet.person == by.user:
        raise BadInput(gettext("A review is written by a lead. You can answer it."))
    if len(said) < 40:
        raise _refused(
            "judgement", gettext("Write at least a sentence or two of your own. Figures alone are no review.")
        )
    return Review.objects.create(
        person=sheet.person,
        by=by.user,
        first_day=period.first,
        last_day=period.last,
        figures=sheet.as_dict,
        judgement=said,
        written_at=at,
    )


@transaction.atomic
def answer(number: int, *, words: str, by: Actor, at: datetime) -> Review:
    """What the person says to it, once."""
    review = Review.objects.select_for_update().filter(pk=number, person=by.user, answer="").first()
    if review is None:
        raise NotFound(gettext("There is no review of yours that waits for an answer."))
    said = clean_text(words, longest=LONGEST).strip()
    if not said:
        raise _refused("answer", gettext("Write what you want to say to it."))
    review.answer, review.answered_at = said, at
    review.save(update_fields=["answer", "answered_at"])
    return review


def _share_words(share: tuple[float, float, float] | None) -> str:
    if share is None:
        return ""
    value, low, high = share
    slots = {
        "change": WHOLE_PERCENT.write(value),
        "low": written(100 * low),
        "high": WHOLE_PERCENT.write(high),
    }
    return gettext("%(change)s (%(low)s to %(high)s)") % slots


def _leads(leader: User, person: User) -> bool:
    """Whether they share a team and `leader` leads there."""
    shared = Membership.objects.filter(user=leader, team__people=person) if leader.role == Role.LEAD else None
    return shared is not None and shared.exists()


def _share(hits: int, n: int) -> tuple[float, float, float]:
    likely = statistics.wilson(hits, n)
    return (likely["estimate"] or 0.0, likely["low"] or 0.0, likely["high"] or 0.0)


def _refused(field: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(field, message),))
