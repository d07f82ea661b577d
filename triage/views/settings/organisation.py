"""Settings: the start page, topics and teams."""

from typing import Any

from django.contrib.auth.decorators import login_required
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.translation import gettext
from django.views.decorators.http import require_GET

from feedback_portal.accounts.models import Stage, Team, WorkCalendar
from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from triage import organisation
from triage.lifecycle import OPEN
from triage.models import Topic
from triage.views.settings.shell import PLACES, given, show

_TOPIC = ("name", "description", "keywords", "parent", "team")
_TEAM = ("name", "stage", "triage_hours", "capacity", "calendar")


@login_required
@require_GET
def start(request: HttpRequest) -> HttpResponse:
    require_set_up(request)
    return render(request, "triage/settings/start.html", {"places": PLACES})


@set_up_page
def topics(request: HttpRequest) -> HttpResponse:
    """All topics, and a form for a new one."""
    by = actor_of(request)
    context = {"topics": _topics(), "choices": _topics(), "teams": _teams()}
    empty = dict.fromkeys(("slug", *_TOPIC), "")

    def save() -> str:
        return gettext("The topic %(name)s is there.") % {
            "name": organisation.create_topic(given(request, "slug", *_TOPIC), by=by).name
        }

    return show(request, "topics", context, stored=empty, save=save, to="triage:topics")


@set_up_page
def topic(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Topic.objects.select_related("parent", "team"), slug=slug)
    by = actor_of(request)
    stored = {
        "name": found.name,
        "description": found.description,
        "keywords": ", ".join(found.keywords),
        "parent": found.parent.slug if found.parent else "",
        "team": found.team.slug if found.team else "",
        "is_active": found.is_active,
    }
    context = {"topic": found, "choices": _topics().exclude(pk=found.pk), "teams": _teams()}

    def save() -> str:
        changed = organisation.change_topic(found, given(request, *_TOPIC, flags=("is_active",)), by=by)
        return gettext("%(name)s is saved.") % {"name": changed.name}

    return show(request, "topic", context, stored=stored, save=save, to="triage:topics")


@set_up_page
def teams(request: HttpRequest) -> HttpResponse:
    """All teams, and a form for a new one."""
    by = actor_of(request)
    counted = Team.objects.select_related("stage").annotate(
        people_count=Count("memberships", distinct=True),
        open_count=Count("tickets", filter=Q(tickets__status__in=sorted(OPEN)), distinct=True),
    )
    context = {"teams": counted.order_by("-is_active", "name")} | _team_choices()
    empty = dict.fromkeys(("slug", *_TEAM), "") | {"triage_hours": "24", "capacity": "0"}

    def save() -> str:
        return gettext("The team %(name)s is there.") % {
            "name": organisation.create_team(given(request, "slug", *_TEAM), by=by).name
        }

    return show(request, "teams", context, stored=empty, save=save, to="triage:teams")


@set_up_page
def team(request: HttpRequest, slug: str) -> HttpResponse:
    found = get_object_or_404(Team.objects.select_related("stage", "calendar"), slug=slug)
    by = actor_of(request)
    stored = {
        "name": found.name,
        "stage": found.stage.slug if found.stage else "",
        "triage_hours": found.triage_hours,
        "capacity": found.capacity,
        "calendar": found.calendar.slug if found.calendar else "",
        "is_active": found.is_active,
        "is_catch_all": found.is_catch_all,
    }
    context = {"team": found, "people": found.people.order_by("name")} | _team_choices()

    def save() -> str:
        flags = ("is_active", "is_catch_all")
        changed = organisation.change_team(found, given(request, *_TEAM, flags=flags), by=by)
        return gettext("%(name)s is saved.") % {"name": changed.name}

    return show(request, "team", context, stored=stored, save=save, to="triage:teams")


def _topics() -> QuerySet[Topic]:
    return Topic.objects.select_related("parent", "team").order_by("-is_active", "name")


def _teams() -> QuerySet[Team]:
    return Team.objects.filter(is_active=True).order_by("name")


def _team_choices() -> dict[str, Any]:
    return {
        "stages": Stage.objects.order_by("position", "slug"),
        "calendars": WorkCalendar.objects.order_by("name"),
    }
