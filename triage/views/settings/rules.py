"""Settings: rules, each tried on the newest items before it is saved."""

import json
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from rest_framework.exceptions import ParseError

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import actor_of, set_up_page
from feedback_portal.api import strict_json
from feedback_portal.refusals import BadInput, InputError
from triage import organisation, rules
from triage.facts import FIELDS
from triage.models import Rule, Topic
from triage.organisation import Preview
from triage.views.settings.shell import given, show

MOST_SHOWN = 10
LONGEST = 20_000
_EXAMPLE = {
    "version": 1,
    "when": {"field": "text", "op": "contains", "value": "leak"},
    "then": [{"verb": "route", "team": "quality"}],
}


@set_up_page
def all_rules(request: HttpRequest) -> HttpResponse:
    """The rules in the order they are tried, and a form for a new one."""
    rows = [{"rule": rule, "sentence": _sentence(rule)} for rule in Rule.objects.order_by("position", "pk")]
    stored = {"name": "", "position": "100", "definition": _pretty(_EXAMPLE)}
    tried = _tried(request)

    def save() -> str:
        made = organisation.create_rule(_given(request), by=actor_of(request), at=timezone.now())
        return f"The rule {made.name} applies to everything that arrives from now on."

    return show(
        request,
        "rules",
        {"rows": rows, **_choices(tried)},
        stored=_kept(request, stored, tried),
        save=None if tried else save,
        to="triage:rules",
    )


@set_up_page
def rule(request: HttpRequest, number: int) -> HttpResponse:
    found = get_object_or_404(Rule, pk=number)
    stored = {
        "name": found.name,
        "position": found.position,
        "definition": _pretty(found.definition),
        "is_enabled": found.is_enabled,
    }
    tried = _tried(request)

    def save() -> str:
        version = request.POST.get("version", "")
        seen = int(version) if version.isdecimal() and len(version) < 10 else None
        values = _given(request) | {"is_enabled": "is_enabled" in request.POST}
        changed = organisation.change_rule(found, values, by=actor_of(request), at=timezone.now(), version=seen)
        return f"The rule {changed.name} is saved."

    context = {"rule": found, "sentence": _sentence(found), **_choices(tried)}
    return show(
        request, "rule", context, stored=_kept(request, stored, tried), save=None if tried else save, to="triage:rules"
    )


def _tried(request: HttpRequest) -> Preview | BadInput | None:
    """What a press on "Try it" found; None when it was not pressed."""
    if request.method != "POST" or "try" not in request.POST:
        return None
    try:
        return organisation.preview(_definition(request))
    except BadInput as refused:
        return refused


def _kept(request: HttpRequest, stored: dict[str, Any], tried: object) -> dict[str, Any]:
    """A trial keeps what was typed."""
    if tried is None:
        return stored
    return stored | given(request, "name", "position", "definition") | {"is_enabled": "is_enabled" in request.POST}


def _choices(tried: Preview | BadInput | None) -> dict[str, Any]:
    return {
        "preview": {"tried": tried.tried, "count": len(tried.matched), "items": tried.matched[:MOST_SHOWN]}
        if isinstance(tried, Preview)
        else None,
        "problem": tried if isinstance(tried, BadInput) else None,
        "fields": sorted(FIELDS),
        "teams": Team.objects.filter(is_active=True).order_by("slug").values_list("slug", flat=True),
        "topics": Topic.objects.filter(is_active=True).order_by("slug").values_list("slug", flat=True),
    }


def _given(request: HttpRequest) -> dict[str, Any]:
    return given(request, "name", "position") | {"definition": _definition(request)}


def _definition(request: HttpRequest) -> Any:
    try:
        return strict_json(request.POST.get("definition", "")[:LONGEST].encode())
    except (ParseError, UnicodeEncodeError) as error:
        message = f"This is no JSON: {error}"
        raise BadInput(message, errors=(InputError("definition", message),)) from None


def _sentence(rule: Rule) -> str:
    try:
        return str(rules.parse(rule.definition))
    except BadInput as refused:
        return f"This rule cannot be read: {refused.message}"


def _pretty(definition: Any) -> str:
    return json.dumps(definition, indent=2, ensure_ascii=False)
