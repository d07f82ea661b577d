"""The one place that says who may see and do what."""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property, wraps
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext
from django.views.decorators.http import require_http_methods

from feedback_portal.accounts.models import ApiKey, Role, Scope, Team, User
from feedback_portal.refusals import NotAllowed


@dataclass(frozen=True)
class Actor:
    """Who acts: a person or a program, with the teams whose objects exist for them.

    Pages and API ask an actor, never a user or a key, so that both are held to one rule.
    """

    user: User | None = None
    key: ApiKey | None = None

    @property
    def sees_everything(self) -> bool:
        if self.key is not None:
            return self.key.team_id is None
        return self.user is not None and self.user.role in {Role.MANAGER, Role.ADMIN}

    @cached_property
    def team_ids(self) -> frozenset[int]:
        """The teams this actor belongs to, which is all they see unless `sees_everything`."""
        if self.key is not None:
            return frozenset({self.key.team_id} if self.key.team_id else ())
        if self.user is None:
            return frozenset()
        return frozenset(self.user.memberships.values_list("team_id", flat=True))

    @cached_property
    def led(self) -> frozenset[int]:
        """The people whose work this actor answers for: of every team where they are its lead, and everybody for who steers
        all teams. Oneself is not among them."""
        if self.user is None:
            return frozenset()
        people = User.objects.filter(is_active=True).exclude(pk=self.user.pk)
        if not self.sees_everything:
            mine = self.user.memberships.all()
            teams = mine if self.user.role == Role.LEAD else mine.filter(is_lead=True)
            people = people.filter(memberships__team__in=teams.values("team"))
        return frozenset(people.values_list("pk", flat=True))

    def answers_for(self, person: int) -> bool:
        return person in self.led

    def may_see(self, team: Team | int | None) -> bool:
        number = team.pk if isinstance(team, Team) else team
        return self.sees_everything or number in self.team_ids

    @property
    def may_steer(self) -> bool:
        """KPIs of every team, targets, reports."""
        if self.key is not None:
            return Scope.KPIS_READ in self.key.scopes
        return self.user is not None and self.user.role in {Role.LEAD, Role.MANAGER, Role.ADMIN}

    @property
    def may_set_up(self) -> bool:
        """Settings, parked work, keys, people."""
        if self.key is not None:
            return Scope.ADMIN in self.key.scopes
        return self.user is not None and self.user.role == Role.ADMIN

    @property
    def name(self) -> str:
        return str(self.user or self.key or "the portal")


def actor_of(request: HttpRequest) -> Actor:
    """The signed-in person's actor; made once a request."""
    known = getattr(request, "actor", None)
    if known is None:
        user = request.user
        known = Actor(user=user if isinstance(user, User) else None)
        request.actor = known  # type: ignore[attr-defined]
    assert isinstance(known, Actor)
    return known


def require_set_up(request: HttpRequest) -> None:
    if not actor_of(request).may_set_up:
        raise NotAllowed(
            gettext("Only administrators may open this page. Ask one of them to do it, or to change your role.")
        )


def set_up_page(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """A settings page: GET shows, POST saves; administrators only."""

    @login_required
    @require_http_methods(["GET", "POST"])
    @wraps(view)
    def page(request: HttpRequest, *args: Any, **named: Any) -> HttpResponse:
        require_set_up(request)
        return view(request, *args, **named)

    return page
