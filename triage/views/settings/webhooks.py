"""Settings: which systems are told of what happens, what they were told and what they answered. A secret is shown once, in the
answer that makes it."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.dateparse import parse_datetime
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor, actor_of, set_up_page
from feedback_portal.api import after, cursor_of
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound
from triage.connecting import subscribers
from triage.connecting.kinds import KINDS
from triage.models import Announcement, Subscriber
from triage.views.answering import done, errors_of
from triage.views.settings.shell import PLACES, given

PAGE = 50
_LOGS = (("ticket", marked("Tickets")), ("theme", marked("Themes")), ("action", marked("Actions")))
_ORDER = ("-id",)


@set_up_page
def webhooks(request: HttpRequest) -> HttpResponse:
    """Every subscriber, and a form for a new one."""
    values: dict[str, Any] = {"name": "", "url": "", "kinds": [], "team": "", "tells_persons": False}
    errors: dict[str, list[str]] = {}
    if request.method == "POST":
        values |= _given(request)
        try:
            made, secret = subscribers.create(values, by=actor_of(request), at=timezone.now())
        except BadInput as refused:
            errors = errors_of(refused)
        else:
            return _page(request, made, secret=secret)
    rows = list(Subscriber.objects.select_related("team").order_by("name", "pk"))
    context: dict[str, Any] = {
        "rows": [{"subscriber": row, **standing(row, at=timezone.now())} for row in rows],
        "values": values,
    }
    return render(
        request,
        "triage/settings/webhooks/all.html",
        context | _choices() | {"errors": errors},
        status=422 if errors else 200,
    )


@set_up_page
def webhook(request: HttpRequest, number: int) -> HttpResponse:
    """One subscriber: how it is doing, what it was told, and its settings."""
    actor = actor_of(request)
    found = subscribers.find(number, by=actor)
    if request.method == "POST":
        values = _given(request)
        version = request.POST.get("version", "")
        seen = int(version) if version.isdecimal() and len(version) < 10 else None
        try:
            changed = subscribers.change(found, values, by=actor, version=seen)
        except BadInput as refused:
            return _page(request, found, values=values, errors=errors_of(refused))
        return done(request, gettext("%(name)s is saved.") % {"name": changed.name}, "triage:webhook", changed.pk)
    return _page(request, found)


@set_up_page
def sent(request: HttpRequest, number: int, place: int) -> HttpResponse:
    """One announcement, and what came of each try."""
    found = subscribers.find(number, by=actor_of(request))
    row = get_object_or_404(Announcement, subscriber=found, pk=place if place < 2**63 else 0)
    context = {
        "subscriber": found,
        "row": row,
        "tries": row.tries.order_by("pk")[:100],
        **_state(row),
        "words": KINDS.get(row.kind, ""),
        "places": PLACES,
    }
    return render(request, "triage/settings/webhooks/sent.html", context)


@set_up_page
@require_POST
def act(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    actor = actor_of(request)
    found = subscribers.find(number, by=actor)
    if verb == "secret":
        secret = subscribers.renew_secret(found, by=actor, at=timezone.now())
        return _page(request, subscribers.find(number, by=actor), secret=secret)
    if verb not in _VERBS:
        raise NotFound(gettext("There is no such form. Go back to the webhook."))
    try:
        sentence = _VERBS[verb](request, found, actor, timezone.now())
    except BadInput as refused:
        return _page(request, found, errors=errors_of(refused))
    return done(request, sentence, "triage:webhooks") if verb == "delete" else _told(request, sentence, found)


def standing(subscriber: Subscriber, *, at: datetime) -> Mapping[str, str]:
    """How it is doing: how that looks, and in a word."""
    if subscriber.switched_off_at is not None:
        return {"look": "is-bad" if subscriber.off_reason else "", "state": marked("off")}
    if subscriber.paused_until is not None and subscriber.paused_until > at:
        return {"look": "is-warn", "state": marked("paused")}
    if subscriber.failures:
        return {"look": "is-warn", "state": marked("failing")}
    return {"look": "is-good", "state": marked("on")}


def _told(request: HttpRequest, sentence: str, found: Subscriber) -> HttpResponse:
    return done(request, sentence, "triage:webhook", found.pk)


def _page(
    request: HttpRequest,
    found: Subscriber,
    *,
    secret: str = "",
    values: Mapping[str, Any] | None = None,
    errors: Mapping[str, list[str]] | None = None,
) -> HttpResponse:
    stored = {name: getattr(found, name) for name in ("name", "url", "kinds", "tells_persons")}
    stored["team"] = found.team.slug if found.team else ""
    failed = request.GET.get("only") == "failed"
    rows = Announcement.objects.filter(subscriber=found)
    rows = rows.parked() if failed else rows
    here = list(after(rows, order=_ORDER, cursor=request.GET.get("after", "")).order_by(*_ORDER)[: PAGE + 1])
    at = timezone.now()
    context: dict[str, Any] = {
        "subscriber": found,
        **standing(found, at=at),
        "secret": secret,
        "secrets": sorted(found.dated_secrets, reverse=True),
        "rows": [{"row": row, **_state(row)} for row in here[:PAGE]],
        "only_failed": failed,
        "next": cursor_of(here[PAGE - 1], order=_ORDER) if len(here) > PAGE else "",
        "since": timezone.localtime(at - timedelta(days=1)).strftime("%Y-%m-%dT%H:%M"),
        "values": stored | dict(values or {}),
        "errors": dict(errors or {}),
    }
    return render(request, "triage/settings/webhooks/one.html", context | _choices(), status=422 if errors else 200)


def _state(row: Announcement) -> Mapping[str, str]:
    if row.parked_at is not None:
        return {"look": "is-bad", "state": marked("given up")}
    if row.completed_at is not None:
        return {"look": "is-good", "state": marked("told")}
    return {
        "look": "is-warn" if row.failures else "",
        "state": marked("failing") if row.failures else marked("waiting"),
    }


def _given(request: HttpRequest) -> dict[str, Any]:
    return given(request, "name", "url", "team", flags=("tells_persons",)) | {"kinds": request.POST.getlist("kinds")}


def _choices() -> dict[str, Any]:
    known = [
        (name, [(kind, words) for kind, words in KINDS.items() if kind.startswith(f"{log}.")]) for log, name in _LOGS
    ]
    return {
        "kinds": [(name, each) for name, each in known if each],
        "teams": Team.objects.filter(is_active=True).order_by("name"),
        "places": PLACES,
    }


def _again(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    typed = request.POST.get("since", "")
    try:
        since = parse_datetime(typed)
    except ValueError:
        since = None
    if since is None:
        message = gettext("Write a day and a time, as in 2026-03-04 12:00.")
        raise BadInput(message, errors=(InputError("since", message),))
    if timezone.is_naive(since):
        since = timezone.make_aware(since)
    again = subscribers.tell_again(found, by=by, since=since, at=at)
    said = gettext("%(parked)s that had failed and %(missed)s that it was never told are on the way.")
    return said % {"parked": again.parked, "missed": again.missed}


def _test(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    subscribers.test(found, by=by, at=at)
    return gettext("A test is on its way. Reload this page to see what was answered.")


def _resend(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    typed = request.POST.get("number", "")
    row = subscribers.send_again(found, int(typed) if typed.isdecimal() and len(typed) < 19 else 0, by=by)
    return gettext("%(public_id)s is on its way again.") % {"public_id": row.public_id}


def _off(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    subscribers.switch_off(found, by=by)
    return gettext("%(name)s is told nothing more.") % {"name": found.name}


def _on(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    subscribers.switch_on(found, by=by)
    return gettext("%(name)s is told again from now on. What it missed can be sent below.") % {"name": found.name}


def _old_secrets(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    subscribers.drop_old_secrets(found, by=by)
    return gettext("Only the newest secret signs from now on.")


def _delete(request: HttpRequest, found: Subscriber, by: Actor, at: datetime) -> str:
    subscribers.delete(found, by=by)
    return gettext("%(name)s is deleted, with what it was told.") % {"name": found.name}


_VERBS: Mapping[str, Callable[[HttpRequest, Subscriber, Actor, datetime], str]] = {
    "test": _test,
    "old-secrets": _old_secrets,
    "again": _again,
    "resend": _resend,
    "off": _off,
    "on": _on,
    "delete": _delete,
}
