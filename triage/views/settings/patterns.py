"""Settings: the patterns that find what items name, each shown at work on the newest items while it is written."""

from collections.abc import Mapping
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up, set_up_page
from feedback_portal.refusals import BadInput
from triage import patterns
from triage.models import Pattern
from triage.taggers.entities import KINDS
from triage.views.settings.shell import given, show

MOST_SHOWN = 12
_EMPTY = dict.fromkeys(patterns.FIELDS, "") | {"position": "100"}


@set_up_page
def all_patterns(request: HttpRequest) -> HttpResponse:
    """The patterns in the order they are tried, and a form for a new one."""
    rows = Pattern.objects.order_by("position", "pk")

    def save() -> str:
        made = patterns.create(given(request, *patterns.FIELDS), by=actor_of(request), at=timezone.now())
        return gettext("The pattern %(name)s is looked for in everything that arrives from now on.") % {
            "name": made.name
        }

    return show(
        request,
        "patterns",
        {"rows": rows, **_context(request)},
        stored=_kept(request, _EMPTY),
        save=None if "try" in request.POST else save,
        to="triage:patterns",
    )


@set_up_page
def pattern(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(Pattern, pk=number)
    stored = {name: getattr(found, name) for name in patterns.FIELDS}
    stored |= {"aliases": ", ".join(found.aliases), "is_enabled": found.is_enabled}

    def save() -> str:
        version = request.POST.get("version", "")
        seen = int(version) if version.isdecimal() and len(version) < 10 else None
        values = given(request, *patterns.FIELDS, flags=("is_enabled",))
        changed = patterns.change(found, values, by=actor_of(request), at=timezone.now(), version=seen)
        return gettext("The pattern %(name)s is saved.") % {"name": changed.name}

    return show(
        request,
        "pattern",
        {"pattern": found, **_context(request)},
        stored=_kept(request, stored),
        save=None if "try" in request.POST else save,
        to="triage:patterns",
    )


@login_required
@require_POST
def preview(request: HttpRequest) -> HttpResponse:
    """What the pattern that is being typed finds, for the place beside the form."""
    require_set_up(request)
    return render(request, "triage/settings/_pattern_preview.html", _tried(request))


def _context(request: HttpRequest) -> Mapping[str, Any]:
    tried = _tried(request) if "try" in request.POST else {}
    return {"kinds": [*KINDS, *_other_kinds()], **tried}


def _other_kinds() -> list[str]:
    found = Pattern.objects.exclude(kind__in=KINDS).order_by("kind").values_list("kind", flat=True).distinct()
    return list(found[: patterns.MOST_PATTERNS])


def _tried(request: HttpRequest) -> Mapping[str, Any]:
    typed = {name: value for name, value in given(request, "expression", "aliases").items() if value.strip()}
    if not typed:
        return {}
    try:
        found = patterns.preview(typed)
    except BadInput as refused:
        return {"problems": [error.message for error in refused.errors] or [refused.message]}
    return {"tried": found.tried, "count": len(found.hits), "hits": found.hits[:MOST_SHOWN]}


def _kept(request: HttpRequest, stored: Mapping[str, Any]) -> dict[str, Any]:
    """A trial keeps what was typed."""
    if "try" not in request.POST:
        return dict(stored)
    typed = given(request, *patterns.FIELDS)
    if "is_enabled" in stored:
        typed["is_enabled"] = "is_enabled" in request.POST
    return {**stored, **typed}
