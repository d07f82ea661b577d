"""When the first decision on a ticket is due: the closest target, counted in the working time of its team."""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple, Self

from feedback_portal.accounts.calendars import WorkingTime
from feedback_portal.accounts.models import Team, WorkCalendar
from triage.models import Target, Topic

SAFETY: Final = 1
SAFETY_HOURS: Final = 1
"""Where somebody may be harmed, every hour counts, whoever sleeps."""


class Due(NamedTuple):
    """When, and by which target, as the end of a sentence: "8 working hours of Quality"."""

    at: datetime
    reason: str


class _Key(NamedTuple):
    team: int | None
    topic: str | None
    severity: int | None


@dataclass(frozen=True)
class Deadlines:
    """A snapshot of targets and calendars, read once for many tickets.

    Of the targets that fit, one that names the topic is closer than one that names the team, and that closer than one
    that names the severity; of two topics with a target, the one with fewer hours counts. Where none fits, the team's
    own hours do.
    """

    targets: Mapping[_Key, int]
    calendars: Mapping[int, WorkingTime]

    @classmethod
    def load(cls) -> Self:
        rows: Iterable[tuple[int | None, str | None, int | None, int]] = Target.objects.values_list(
            "team_id", "topic__slug", "severity", "hours"
        )
        return cls(
            targets={_Key(team, topic, severity): hours for team, topic, severity, hours in rows},
            calendars={calendar.pk: calendar.working_time for calendar in WorkCalendar.objects.all()},
        )

    def due(self, received_at: datetime, *, team: Team, topics: Collection[str], severity: int) -> Due:
        """When a ticket of this team with these topics (their slugs) is due, counted from its arrival."""
        if severity == SAFETY:
            return Due(received_at + timedelta(hours=SAFETY_HOURS), "1 hour, since somebody may be harmed")
        hours = self._hours(team, topics, severity)
        working = self.calendars.get(team.calendar_id) if team.calendar_id else None
        if working is None:
            return Due(received_at + timedelta(hours=hours), f"{hours} {_hours(hours)}")
        return Due(
            working.after(received_at, timedelta(hours=hours)), f"{hours} working {_hours(hours)} of {team.name}"
        )

    def _hours(self, team: Team, topics: Collection[str], severity: int) -> int:
        if self.targets:
            for named in (topics, (None,)):
                for who, how in ((team.pk, severity), (team.pk, None), (None, severity), (None, None)):
                    fitting = [self.targets[key] for topic in named if (key := _Key(who, topic, how)) in self.targets]
                    if fitting:
                        return min(fitting)
        return team.triage_hours


def topics_of(item: int) -> frozenset[str]:
    """The slugs of the topics that stand on an item."""
    return frozenset(
        Topic.objects.filter(taggings__item=item, taggings__removed_at=None).values_list("slug", flat=True)
    )


def _hours(number: int) -> str:
    return "hour" if number == 1 else "hours"
