"""How the organisation sets its portal up: topics, teams, rules, people and keys; changed here and nowhere else."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

from django.db import IntegrityError, transaction
from django.db.models import Model
from django.utils.translation import gettext

from feedback_portal.accounts.models import ApiKey, Membership, Role, Scope, SignInLink, Stage, Team, User, WorkCalendar
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed
from triage import inputs
from triage.models import Ticket, Topic

Row = TypeVar("Row", bound=Model)


def create_topic(given: Any, *, by: Actor) -> Topic:
    _may(by)
    values = inputs.read(given, _TOPIC | {"slug": inputs.slug}, required=("slug", "name"))
    return _created(Topic, values)


def change_topic(topic: Topic, given: Any, *, by: Actor) -> Topic:
    _may(by)
    values = inputs.read(given, _TOPIC)
    above = values.get("parent")
    while above is not None:
        if above.pk == topic.pk:
            raise _wrong("parent", gettext("A topic cannot be inside itself. Choose another one above it."))
        above = above.parent
    Topic.objects.filter(pk=topic.pk).update(**values)
    topic.refresh_from_db()
    return topic


def create_team(given: Any, *, by: Actor) -> Team:
    _may(by)
    values = inputs.read(given, _TEAM | {"slug": inputs.slug}, required=("slug", "name"))
    with transaction.atomic():
        _pass_catch_all(values)
        return _created(Team, values)


def change_team(team: Team, given: Any, *, by: Actor) -> Team:
    """A team with open work stays active, and the catch-all is given to another team, never to none."""
    _may(by)
    values = inputs.read(given, _TEAM)
    if team.is_catch_all and (values.get("is_catch_all") is False or values.get("is_active") is False):
        raise _wrong("is_catch_all", gettext("Every item needs an owner. Make another team the catch-all first."))
    if team.is_active and values.get("is_active") is False and Ticket.objects.open().for_team(team).exists():
        raise _wrong(
            "is_active", gettext("%(name)s has open tickets. Route them to other teams first.") % {"name": team.name}
        )
    with transaction.atomic():
        _pass_catch_all(values)
        Team.objects.filter(pk=team.pk).update(**values)
    team.refresh_from_db()
    return team


def invite(given: Any, *, by: Actor, at: datetime) -> tuple[User, str]:
    """A new person, and the token of a link that signs them in, once, within a day."""
    _may(by)
    values = inputs.read(given, _PERSON | {"email": _email}, required=("email", "name"))
    teams = values.pop("teams", [])
    with transaction.atomic():
        person = _created(User, values)
        person.set_unusable_password()
        person.save(update_fields=["password"])
        _join(person, teams)
        return person, SignInLink.issue(person, at=at)


def change_person(person: User, given: Any, *, by: Actor) -> User:
    """Name, role, teams, and whether they may sign in at all; at least one administrator stays."""
    _may(by)
    values = inputs.read(given, _PERSON)
    teams = values.pop("teams", None)
    with transaction.atomic():
        # Locked, so that two administrators cannot demote each other at once.
        admins = User.objects.select_for_update().filter(role=Role.ADMIN, is_active=True).order_by("pk")
        others = [admin for admin in admins if admin.pk != person.pk]
        stays = values.get("role", person.role) == Role.ADMIN and values.get("is_active", person.is_active)
        if not others and not stays:
            raise _wrong(
                "role",
                gettext("Somebody has to be able to set the portal up. Make another person administrator first."),
            )
        User.objects.filter(pk=person.pk).update(**values)
        if teams is not None:
            _join(person, teams)
    person.refresh_from_db()
    return person


def new_link(person: User, *, by: Actor, at: datetime) -> str:
    """The token of another link that signs this person in, for those who lost theirs."""
    _may(by)
    if not person.is_active:
        raise BadInput(gettext("%(person)s may not sign in. Let them in again first.") % {"person": person})
    return SignInLink.issue(person, at=at)


def issue_key(given: Any, *, by: Actor) -> tuple[ApiKey, str]:
    """A program's key: its row and, this once, the key itself."""
    _may(by)
    readers = {"name": inputs.line(120, marked("Say which program it is for.")), "scopes": _scopes, "team": _team}
    values = inputs.read(given, readers, required=("name", "scopes"))
    return ApiKey.issue(values["name"], scopes=values["scopes"], team=values.get("team"), created_by=by.user)


def revoke_key(key: ApiKey, *, by: Actor, at: datetime) -> None:
    _may(by)
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)


def _may(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may set the portal up. Ask one of them."))


_TAKEN = {
    "slug": marked("There is one with this slug already. Choose another."),
    "email": marked("There is one with this email already. Choose another."),
    "name": marked("There is one with this name already. Choose another."),
}


def _created(model: type[Row], values: Mapping[str, Any]) -> Row:
    try:
        with transaction.atomic():
            return model._default_manager.create(**values)
    except IntegrityError:
        path = next(name for name in _TAKEN if name in values)
        raise _wrong(path, gettext(_TAKEN[path])) from None


def _pass_catch_all(values: dict[str, Any]) -> None:
    """Exactly one team is the catch-all: it is taken from whoever had it."""
    if values.get("is_catch_all") is False:
        del values["is_catch_all"]
    elif values.get("is_catch_all"):
        values["is_active"] = True
        Team.objects.filter(is_catch_all=True).update(is_catch_all=False)


def _join(person: User, teams: Sequence[Team]) -> None:
    person.memberships.exclude(team__in=teams).delete()
    Membership.objects.bulk_create([Membership(user=person, team=team) for team in teams], ignore_conflicts=True)


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))


_team = inputs.known(Team.objects.filter(is_active=True), marked("There is no such team."))
_stage = inputs.known(Stage.objects.all(), marked("There is no such stage."))
_calendar = inputs.known(WorkCalendar.objects.all(), marked("There is no such calendar."))
_topic = inputs.known(Topic.objects.all(), marked("There is no such topic."))


def _teams(given: Any) -> list[Team]:
    slugs = given if isinstance(given, list) else []
    teams = [team for each in slugs if (team := _team(each)) is not None]
    if len(teams) != len(slugs) or not isinstance(given, list):
        raise ValueError(gettext("Give a list of teams."))
    return teams


def _email(given: Any) -> str:
    email = str(inputs.line(254, marked("Write their e-mail address."))(given)).lower()
    name, at, host = email.partition("@")
    if not (name and at and "." in host.strip(".")) or any(letter in email for letter in ' ,;<>"'):
        raise ValueError(gettext("Write an address like name@example.com."))
    return email


def _scopes(given: Any) -> list[str]:
    if not isinstance(given, list) or not given or not set(map(str, given)) <= set(Scope.values):
        raise ValueError(gettext("Choose at least one of %(known)s.") % {"known": ", ".join(Scope.values)})
    return sorted(set(map(str, given)))


_TOPIC: dict[str, inputs.Reader] = {
    "name": inputs.line(120, marked("Give it a name.")),
    "description": inputs.prose(2000),
    "keywords": inputs.lines(50, 80),
    "parent": _topic,
    "team": _team,
    "is_active": inputs.flag,
}
_TEAM: dict[str, inputs.Reader] = {
    "name": inputs.line(80, marked("Give it a name.")),
    "stage": _stage,
    "triage_hours": inputs.number(1, 8760),
    "capacity": inputs.number(0, 10_000),
    "calendar": _calendar,
    "is_active": inputs.flag,
    "is_catch_all": inputs.flag,
}
_PERSON: dict[str, inputs.Reader] = {
    "name": inputs.line(120, marked("Write their name.")),
    "role": inputs.choice(Role.values),
    "teams": _teams,
    "is_active": inputs.flag,
}
