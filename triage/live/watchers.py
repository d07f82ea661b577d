"""Who may watch: from the cookie of a page to the person, their session and what they see; asked again while they watch."""

from collections.abc import Collection
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user
from django.contrib.sessions.models import Session
from django.http import HttpRequest
from django.http.cookie import parse_cookie
from django.utils import timezone

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor
from triage.live.bulletins import Sight


@dataclass(frozen=True)
class Watcher:
    person: int
    session: str
    sight: Sight


def watcher_of(cookies: str) -> Watcher | None:
    """The signed-in person behind a Cookie header, by the same session as every page; None for anybody else."""
    key = parse_cookie(cookies).get(settings.SESSION_COOKIE_NAME, "")
    if not key:
        return None
    request: Any = HttpRequest()
    request.session = import_module(settings.SESSION_ENGINE).SessionStore(key)
    user = get_user(request)
    if not isinstance(user, User) or request.session.session_key is None:
        return None
    return Watcher(user.pk, request.session.session_key, _sight(Actor(user=user)))


def rights_of(people: Collection[int]) -> dict[int, Sight]:
    """What each of these sees by now; who may not sign in any more is missing."""
    users = User.objects.filter(pk__in=people, is_active=True).prefetch_related("memberships")
    found = {}
    for user in users:
        teams = frozenset(membership.team_id for membership in user.memberships.all())
        found[user.pk] = Sight(Actor(user=user).sees_everything, teams)
    return found


def sessions_alive(keys: Collection[str]) -> set[str]:
    rows = Session.objects.filter(session_key__in=keys, expire_date__gt=timezone.now())
    return set(rows.values_list("session_key", flat=True))


def _sight(actor: Actor) -> Sight:
    return Sight(actor.sees_everything, actor.team_ids)
