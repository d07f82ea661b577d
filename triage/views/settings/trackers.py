"""Settings: which projects of trackers are connected, in which words they speak, and how they are doing."""

from collections.abc import Callable, Mapping
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.permissions import Actor, actor_of, set_up_page
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, NotFound
from triage.connecting import projects
from triage.connecting.trackers import trackers
from triage.connecting.trackers.base import Standing, Tracker
from triage.models import LinkedIssue, TrackerProject
from triage.views.answering import done, errors_of
from triage.views.settings.shell import PLACES

_ASKED = "asks."
_STATUS = "status."
_MEANS = {
    Standing.OPEN: marked("To do"),
    Standing.DOING: marked("Being worked on"),
    Standing.DONE: marked("Done"),
    Standing.DROPPED: marked("Not done, and not going to be"),
}


@set_up_page
def all_trackers(request: HttpRequest) -> HttpResponse:
    rows = TrackerProject.objects.order_by("name", "pk")
    context = {
        "rows": [{"project": row, "tracker": _tracker(row)} for row in rows],
        "kinds": trackers.all(),
        "places": PLACES,
    }
    return render(request, "triage/settings/trackers/all.html", context)


@set_up_page
def new_tracker(request: HttpRequest, kind: str) -> HttpResponse:
    if kind not in trackers:
        raise NotFound(gettext("There is no such kind of tracker. Choose one of the list."))
    tracker = trackers.get(kind)

    def save() -> HttpResponse:
        made = projects.create(kind, _given(request, tracker), by=actor_of(request), at=timezone.now())
        return done(
            request,
            gettext("%(name)s is connected. Enter its address there as a webhook.") % {"name": made.name},
            "triage:tracker",
            made.pk,
        )

    stored = {"name": "", "when_done": TrackerProject.WhenDone.NOTE, "shares_notes": False}
    stored |= {f"{_STATUS}{each}": word for each, word in tracker.statuses.items()}
    stored |= {f"{_ASKED}{each.name}": each.default for each in tracker.asks}
    return _form(request, "add", tracker, {}, stored=stored, save=save)


@set_up_page
def tracker(request: HttpRequest, number: int) -> HttpResponse:
    actor = actor_of(request)
    found = projects.find(number, by=actor)
    kind = _tracker(found)
    if kind is None:
        raise NotFound(gettext("This portal knows no tracker of the kind %(kind)s any more.") % {"kind": found.kind})

    def save() -> HttpResponse:
        typed = request.POST.get("version", "")
        version = int(typed) if typed.isdecimal() and len(typed) < 10 else None
        changed = projects.change(projects.find(number, by=actor), _given(request, kind), by=actor, version=version)
        return done(request, gettext("%(name)s is saved.") % {"name": changed.name}, "triage:tracker", changed.pk)

    stored: dict[str, Any] = {name: getattr(found, name) for name in ("name", "when_done", "shares_notes")}
    stored |= {f"{_STATUS}{each}": word for each, word in projects.words(found, kind).items()}
    stored |= {f"{_ASKED}{name}": value for name, value in found.settings.items()}
    context = {
        "project": found,
        "address": projects.address(found),
        "linked": LinkedIssue.objects.standing().filter(project=found)[:1000].count(),
        "kept": frozenset(found.secrets),
        "now": timezone.now(),
    }
    return _form(request, "one", kind, context, stored=stored, save=save)


@set_up_page
@require_POST
def act(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    actor = actor_of(request)
    found = projects.find(number, by=actor)
    if verb not in _VERBS:
        raise NotFound(gettext("There is no such form. Go back to the tracker."))
    sentence = _VERBS[verb](found, actor)
    return done(request, sentence, "triage:trackers") if verb == "delete" else _back(request, sentence, found)


def _back(request: HttpRequest, sentence: str, found: TrackerProject) -> HttpResponse:
    return done(request, sentence, "triage:tracker", found.pk)


def _form(
    request: HttpRequest,
    template: str,
    tracker: Tracker,
    context: Mapping[str, Any],
    *,
    stored: Mapping[str, Any],
    save: Callable[[], HttpResponse],
) -> HttpResponse:
    """As it is stored for GET; for POST saved, or as it was typed with what is wrong. A secret is never shown again."""
    errors: dict[str, list[str]] = {}
    values = dict(stored)
    if request.method == "POST":
        try:
            return save()
        except BadInput as refused:
            errors = errors_of(refused)
            values |= request.POST.dict() | {"shares_notes": "shares_notes" in request.POST}
    kept = context.get("kept", frozenset())
    fields = [
        {
            "asked": asked,
            "name": _ASKED + asked.name,
            "value": "" if asked.is_secret else values.get(_ASKED + asked.name, ""),
            "is_kept": asked.name in kept,
            "errors": errors.get(asked.name, []),
        }
        for asked in tracker.asks
    ]
    words = [
        {"name": _STATUS + each, "label": gettext(_MEANS[each]), "value": values.get(_STATUS + each, "")}
        for each in Standing
    ]
    shown = {
        **context,
        "tracker": tracker,
        "fields": fields,
        "words": words,
        "choices": TrackerProject.WhenDone.choices,
        "values": values,
        "errors": errors,
        "places": PLACES,
    }
    return render(request, f"triage/settings/trackers/{template}.html", shown, status=422 if errors else 200)


def _given(request: HttpRequest, tracker: Tracker) -> dict[str, Any]:
    post = request.POST
    return {
        "name": post.get("name", ""),
        "when_done": post.get("when_done", ""),
        "shares_notes": "shares_notes" in post,
        "asked": {each.name: post.get(_ASKED + each.name, "") for each in tracker.asks},
        "statuses": {each.value: post.get(_STATUS + each, "") for each in Standing},
    }


def _tracker(project: TrackerProject) -> Tracker | None:
    return trackers.get(project.kind) if project.kind in trackers else None


def _off(found: TrackerProject, by: Actor) -> str:
    projects.switch(found, is_enabled=False, by=by)
    return gettext("Nothing is carried to %(name)s and back any more.") % {"name": found.name}


def _on(found: TrackerProject, by: Actor) -> str:
    projects.switch(found, is_enabled=True, by=by)
    return gettext("%(name)s is looked at again.") % {"name": found.name}


def _look(found: TrackerProject, by: Actor) -> str:
    projects.look_now(found, by=by)
    return gettext("%(name)s and its issues are looked at now.") % {"name": found.name}


def _delete(found: TrackerProject, by: Actor) -> str:
    projects.delete(found, by=by)
    return gettext("%(name)s is no longer connected. Its issues stay as they are there.") % {"name": found.name}


_VERBS: Mapping[str, Callable[[TrackerProject, Actor], str]] = {
    "off": _off,
    "on": _on,
    "look": _look,
    "delete": _delete,
}
