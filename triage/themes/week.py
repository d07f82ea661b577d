"""A team's week on one page: what changed, which decisions are due, which promises are at risk, which effects came in, and its notes."""

from datetime import date, datetime, timedelta
from typing import Any, Final

from django.db.models import F, Q
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, NotFound, Refused
from triage import inputs
from triage.lifecycle import Status
from triage.models import Action, ActionEvent, Theme, ThemeDecision, Ticket, Verdict, WeeklyNote
from triage.themes import answering, ranking

DECISIONS_DUE: Final = 3
MOST: Final = 30
LONGEST_NOTE: Final = 20_000
_SOON: Final = timedelta(days=2)


class StaleNote(Refused):
    status = 409
    code = "stale-note"
    title = marked("Somebody wrote meanwhile")


def find(slug: str, *, by: Actor) -> Team:
    team = Team.objects.filter(slug=slug, is_active=True).first()
    if team is None or not by.may_see(team):
        raise NotFound(gettext("There is no such team, or you are not in it."))
    return team


def monday(given: str, *, at: datetime) -> date:
    """The Monday of the week a day lies in; of this week where none is given."""
    try:
        day = date.fromisoformat(given) if given else timezone.localtime(at, timezone.get_default_timezone()).date()
    except ValueError:
        raise BadInput(gettext("Write the week by one of its days, as in 2026-03-31.")) from None
    return day - timedelta(days=day.weekday())


def page(team: Team, week: date, *, by: Actor, at: datetime) -> dict[str, Any]:
    """Everything the page shows; what is due and at risk is as of now, whatever week is looked at."""
    zone = timezone.get_default_timezone()
    starts = datetime(week.year, week.month, week.day, tzinfo=zone)
    ends = starts + timedelta(days=7)
    today = timezone.localtime(at, zone).date()
    mine = Q(action__team=team) | Q(action__contributors=team)
    happened = ActionEvent.objects.filter(mine, occurred_at__gte=starts, occurred_at__lt=ends).exclude(
        type__in=[ActionEvent.Type.COMMENTED, ActionEvent.Type.STEPPED]
    )
    themes_of = Theme.objects.living().filter(topic__team=team, size__gt=0).select_related("topic")
    waiting = {
        theme.pk: theme
        for theme in answering.awaiting(themes_of, at=at).order_by("-size", "-pk")[: ranking.MOST_RANKED]
    }
    due = [(waiting[each.standing.key], each) for each in ranking.rank(list(waiting.values()), at=at)[:DECISIONS_DUE]]
    undecided = Ticket.objects.for_team(team).filter(status=Status.NEW)
    found = Verdict.objects.filter(mine).exclude(outcome="")
    return {
        "team": team,
        "week": week,
        "last_day": week + timedelta(days=6),
        "previous": week - timedelta(days=7),
        "following": week + timedelta(days=7) if ends <= at else None,
        "changed": list(happened.select_related("action", "person").distinct().order_by("-occurred_at", "-pk")[:MOST]),
        "decided": list(
            ThemeDecision.objects.filter(theme__topic__team=team, decided_at__gte=starts, decided_at__lt=ends)
            .select_related("theme", "person")
            .order_by("-pk")[:MOST]
        ),
        "due": due,
        "late": undecided.filter(due_at__lt=at)[:1000].count(),
        "soon": undecided.filter(due_at__gte=at, due_at__lt=at + _SOON)[:1000].count(),
        "overdue": list(
            Action.objects.overdue(today)
            .filter(Q(team=team) | Q(contributors=team))
            .distinct()
            .order_by("due_at")[:MOST]
        ),
        "effects": list(
            found.filter(
                action__events__type="judged",
                action__events__occurred_at__gte=starts,
                action__events__occurred_at__lt=ends,
            )
            .select_related("action")
            .distinct()
            .order_by("-action")[:MOST]
        ),
        "note": WeeklyNote.objects.filter(team=team, week=week).select_related("person").first(),
    }


def write(team: Team, week: date, *, by: Actor, at: datetime, text: str, version: int = 0) -> None:
    """The notes of a week, in place; `version` is what the writer saw, 0 for none. Who was quicker is not written over."""
    user: User | None = by.user
    values = {"text": inputs.prose(LONGEST_NOTE)(text), "person": user, "changed_at": at}
    if version:
        seen = WeeklyNote.objects.filter(team=team, week=week, version=version)
        is_kept = bool(seen.update(version=F("version") + 1, **values))
    else:
        _, is_kept = WeeklyNote.objects.get_or_create(team=team, week=week, defaults=values)
    if not is_kept:
        raise StaleNote(
            gettext("Somebody changed the notes while you wrote. Copy what you wrote, and reload the page.")
        )
