"""Who is here and how much they carry: whom a ticket can be given to, and who gets it when they are away."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from functools import cached_property
from typing import Self

from django.db.models import Count
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.models import Absence, Membership, Role, Team, User
from feedback_portal.languages import in_a_line
from feedback_portal.marking import marked, worded
from triage.models import Ticket

# A stand-in may be away too and have one of their own; so far the chain is followed.
MOST_STAND_INS = 3


@dataclass(frozen=True)
class Person:
    """Somebody who can be given work, as they are on one day."""

    pk: int
    name: str
    email: str
    sees_everything: bool = False
    is_away: bool = False
    back_on: date | None = None
    stand_in: int | None = None
    open_tickets: int | None = None
    """None where nobody counted."""

    @property
    def detail(self) -> str:
        """How much they carry and whether they are here, as in "12 open, away until Monday 3 August"."""
        told = [] if self.open_tickets is None else [_open(self.open_tickets)]
        return in_a_line(*told, self.away if self.is_away else "")

    @property
    def away(self) -> str:
        if not self.back_on:
            return gettext("away until further notice")
        return gettext("away until %(weekday)s %(day)s") % {
            "weekday": date_format(self.back_on, "l"),
            "day": date_format(self.back_on, "LONG_DAY"),
        }

    @property
    def away_kept(self) -> str:
        """The same, to be stored."""
        return worded("away until %(day)s", day=self.back_on) if self.back_on else worded("away until further notice")


@dataclass(frozen=True)
class Given:
    """Who gets a ticket (None: the team as a whole), and why it is not who was named, if it is not: a stored sentence."""

    person: Person | None
    reason: str = ""


@dataclass(frozen=True)
class Crew:
    """Everybody who may sign in and the teams they work for, read once; whatever is asked of it is a pure function."""

    people: Mapping[int, Person]
    members: Mapping[int, Sequence[int]]
    leads: Mapping[int, Sequence[int]] = field(default_factory=dict)

    @classmethod
    def load(cls, *, at: datetime, teams: Iterable[int] | None = None) -> Self:
        """As it stands at `at`; with `teams`, the open tickets of the members of these are counted as well."""
        today = _day(at)
        absent: dict[int, Absence] = {}
        # Two absences that overlap: the one that ends later says when they are back.
        for absence in Absence.objects.on(today).order_by("person", "-last_day", "-pk"):
            absent.setdefault(absence.person_id, absence)
        people = {}
        for pk, name, email, role in User.objects.filter(is_active=True).values_list("pk", "name", "email", "role"):
            away = absent.get(pk)
            people[pk] = Person(
                pk,
                name or email,
                email,
                sees_everything=role in {Role.MANAGER, Role.ADMIN},
                is_away=away is not None,
                back_on=away.last_day + timedelta(days=1) if away and away.last_day else None,
                stand_in=away.stand_in_id if away else None,
            )
        members, leads = defaultdict(list), defaultdict(list)
        rows = Membership.objects.filter(user__is_active=True).order_by("user__name", "user")
        for team, user, is_lead, role in rows.values_list("team", "user", "is_lead", "user__role"):
            members[team].append(user)
            if is_lead or role == Role.LEAD:
                leads[team].append(user)
        crew = cls(people, dict(members), dict(leads))
        return crew if teams is None else crew._counted([user for team in teams for user in members[team]])

    def _counted(self, wanted: Sequence[int]) -> Self:
        rows = Ticket.objects.open().filter(assignee__in=wanted).order_by()
        carried = dict(rows.values_list("assignee").annotate(n=Count("pk")))
        counted = {pk: replace(self.people[pk], open_tickets=carried.get(pk, 0)) for pk in wanted}
        return replace(self, people={**self.people, **counted})

    def of(self, team: int) -> list[Person]:
        """The members of a team, by name."""
        return [self.people[pk] for pk in self.members.get(team, ())]

    def find(self, email: str) -> Person | None:
        return self._by_email.get(email.strip().lower())

    @cached_property
    def _by_email(self) -> Mapping[str, Person]:
        return {person.email: person for person in self.people.values()}

    def may_have(self, person: Person, team: int) -> bool:
        """A ticket is given to somebody who can see it, and to nobody else."""
        return person.sees_everything or person.pk in self.members.get(team, ())

    def instead_of(self, person: Person, team: int) -> Given:
        """The person, if they are here; else their stand-in, or theirs; else the team."""
        asked, seen = person, {person.pk}
        for _ in range(MOST_STAND_INS + 1):
            if not person.is_away:
                told = marked("%(name)s is %(away)s, so %(stand_in)s stands in.")
                slots = {"name": asked.name, "away": asked.away_kept, "stand_in": person.name}
                return Given(person, "" if person is asked else worded(told, **slots))
            following = self.people.get(person.stand_in) if person.stand_in is not None else None
            if following is None or following.pk in seen or not self.may_have(following, team):
                break
            seen.add(following.pk)
            person = following
        nobody = marked("%(name)s is %(away)s and nobody stands in, so it waits for the team.")
        return Given(None, worded(nobody, name=asked.name, away=asked.away_kept))

    def when_nobody_is_here(self, team: int) -> Given:
        """Whom a team's ticket goes to when everybody who does its work is away: its lead, or who stands in for them.

        A team that is there, and one that has no people at all, takes it as a team.
        """
        leads = self.leads.get(team, ())
        workers = [person for person in self.of(team) if person.pk not in leads] or self.of(team)
        if not workers or not all(person.is_away for person in workers):
            return Given(None)
        for pk in leads:
            given = self.instead_of(self.people[pk], team)
            if given.person is not None:
                told = worded("Everybody else in the team is away, so %(name)s gets it.", name=given.person.name)
                return Given(given.person, told)
        return Given(None, worded("Nobody in this team is here, and nobody stands in for its lead."))

    def least_loaded(self, team: int) -> Given:
        """The member who is here and carries least, with the reason; nobody where nobody is here."""
        here = [person for person in self.of(team) if not person.is_away]
        if not here:
            return Given(None, gettext("Nobody in this team is here."))
        best = min(here, key=lambda person: (person.open_tickets or 0, person.name, person.pk))
        if len(here) == 1:
            return Given(best, gettext("%(name)s is the only one who is here.") % {"name": best.name})
        told = ngettext(
            "%(name)s has the fewest open tickets of the %(count)s who is here.",
            "%(name)s has the fewest open tickets of the %(count)s who are here.",
            len(here),
        )
        return Given(best, told % {"name": best.name, "count": len(here)})

    def told(self, team: Team, *, open_tickets: int) -> str:
        """How a team stands, as in "40 open for 3 people, more than they can carry"."""
        here = [person for person in self.of(team.pk) if not person.is_away]
        away = len(self.of(team.pk)) - len(here)
        if not here and not away:
            return _open(open_tickets)
        if not here:
            return in_a_line(_open(open_tickets), gettext("nobody here"))
        carried = ngettext("%(open)s open for %(count)s person", "%(open)s open for %(count)s people", len(here))
        told = [carried % {"open": open_tickets, "count": len(here)}]
        if away:
            told.append(ngettext("%(count)s away", "%(count)s away", away) % {"count": away})
        if team.capacity and open_tickets > team.capacity * len(here):
            told.append(ngettext("more than one can carry", "more than they can carry", len(here)))
        return in_a_line(*told)


def _open(count: int) -> str:
    return ngettext("%(count)s open", "%(count)s open", count) % {"count": count}


def open_by_team(teams: Iterable[int]) -> dict[int, int]:
    """How many open tickets each of these teams has."""
    rows = Ticket.objects.open().filter(team__in=teams).order_by()
    return dict(rows.values_list("team").annotate(n=Count("pk")))


def _day(at: datetime) -> date:
    return timezone.localtime(at, timezone.get_default_timezone()).date()
