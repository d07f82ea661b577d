"""Settings: all rules in the order they are tried, how each came to be, and what the portal proposes to change."""

import difflib
import json
from collections.abc import Iterator
from typing import Any

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext
from django.views.decorators.http import require_GET, require_POST

from feedback_portal.accounts.permissions import actor_of, require_set_up
from feedback_portal.marking import marked
from feedback_portal.refusals import NotFound
from triage import rulebook
from triage.models import Rule, RuleProposal, RuleVersion
from triage.rulebook import proposals as rule_proposals
from triage.views.answering import done
from triage.views.settings.back_tests import back_test_shown
from triage.views.settings.rule_editor import mode_of, sentence_of
from triage.views.settings.shell import PLACES

MOST_VERSIONS = 200
_SWITCHES = {
    "live": ({"is_enabled": True, "is_shadow": False}, marked("%(name)s decides from now on.")),
    "shadow": (
        {"is_enabled": True, "is_shadow": True},
        marked("%(name)s is only watched from now on, and decides nothing."),
    ),
    "off": ({"is_enabled": False, "is_shadow": False}, marked("%(name)s is switched off.")),
}


@login_required
@require_GET
def all_rules(request: HttpRequest) -> HttpResponse:
    require_set_up(request)
    ordered = list(Rule.objects.order_by("position", "pk"))
    rows = [
        {
            "rule": rule,
            "sentence": sentence_of(rule.definition),
            "mode": mode_of(rule),
            "is_first": place == 0,
            "is_last": place == len(ordered) - 1,
        }
        for place, rule in enumerate(ordered)
    ]
    proposals = [
        {"proposal": one, "sentence": sentence_of(one.definition) if one.definition else "", "effect": one.effect}
        for one in RuleProposal.objects.filter(status="open")
        .select_related("topic", "rule")
        .order_by("-found_at", "-pk")[:20]
    ]
    context = {"rows": rows, "proposals": proposals, "places": PLACES}
    return render(request, "triage/settings/rules/all.html", context)


@login_required
@require_POST
def act(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    """Move a rule up or down, or make it live, watched or off."""
    require_set_up(request)
    rule = get_object_or_404(Rule, pk=number)
    by, at = actor_of(request), timezone.now()
    if verb in ("up", "down"):
        moved = rulebook.move_rule(rule, up=verb == "up", by=by, at=at)
        said = (
            gettext("%(name)s is there already.")
            if not moved
            else gettext("%(name)s is tried earlier now.")
            if verb == "up"
            else gettext("%(name)s is tried later now.")
        )
        return done(request, said % {"name": rule.name}, "triage:rules")
    if verb not in _SWITCHES:
        raise NotFound(gettext("There is no such page. Go back to the rules."))
    values, told = _SWITCHES[verb]
    version = request.POST.get("version", "")
    seen = int(version) if version.isdecimal() and len(version) < 10 else None
    rulebook.change_rule(rule, values, by=by, at=at, version=seen)
    return done(request, gettext(told) % {"name": rule.name}, "triage:rules")


@login_required
@require_GET
def versions(request: HttpRequest, number: int) -> HttpResponse:
    require_set_up(request)
    rule = get_object_or_404(Rule, pk=number)
    found = list(rule.versions.select_related("changed_by").order_by("-number")[: MOST_VERSIONS + 1])
    rows = [
        {
            "version": one,
            "mode": _mode(one),
            "changes": _changes(earlier, one),
            "is_current": one.number == rule.version,
        }
        for one, earlier in zip(found[:MOST_VERSIONS], [*found[1:], None], strict=False)
    ]
    return render(request, "triage/settings/rules/versions.html", {"rule": rule, "rows": rows, "places": PLACES})


@login_required
@require_GET
def version(request: HttpRequest, number: int, version: int) -> HttpResponse:
    """One version: its sentence, what changed against the one before line by line, and the back-test it was saved with."""
    require_set_up(request)
    rule = get_object_or_404(Rule, pk=number)
    found = get_object_or_404(rule.versions.select_related("changed_by", "back_test"), number=version)
    earlier = rule.versions.filter(number__lt=version).order_by("-number").first()
    context = {
        "rule": rule,
        "version": found,
        "sentence": sentence_of(found.definition),
        "changes": _changes(earlier, found),
        "lines": list(_diff(earlier.definition if earlier else None, found.definition)),
        "is_current": found.number == rule.version,
        "places": PLACES,
        **(back_test_shown(found.back_test) if found.back_test else {}),
    }
    return render(request, "triage/settings/rules/version.html", context)


@login_required
@require_POST
def restore(request: HttpRequest, number: int, version: int) -> HttpResponse:
    require_set_up(request)
    rule = get_object_or_404(Rule, pk=number)
    rulebook.restore_version(rule, version, by=actor_of(request), at=timezone.now())
    return done(
        request,
        gettext("%(name)s says again what it said in version %(version)s.") % {"name": rule.name, "version": version},
        "triage:rule",
        rule.pk,
    )


@login_required
@require_POST
def decide(request: HttpRequest, number: int, verb: str) -> HttpResponse:
    """Take a proposal of the portal, or turn it down with a reason."""
    require_set_up(request)
    proposal = get_object_or_404(RuleProposal.objects.select_related("rule", "topic"), pk=number)
    by, at = actor_of(request), timezone.now()
    if verb == "accept":
        return done(request, rule_proposals.accept(proposal, by=by, at=at), "triage:rules")
    if verb == "dismiss":
        rule_proposals.dismiss(proposal, reason=request.POST.get("reason", ""), by=by, at=at)
        return done(request, gettext("It is turned down, and is not proposed again."), "triage:rules")
    raise NotFound(gettext("There is no such page. Go back to the rules."))


def _mode(version: RuleVersion) -> str:
    return "off" if not version.is_enabled else "shadow" if version.is_shadow else "live"


def _changes(before: RuleVersion | None, after: RuleVersion) -> list[str]:
    """What this version changed, as short words."""
    if before is None:
        return [gettext("written")]
    found = []
    if before.name != after.name:
        found.append(gettext("renamed from %(name)s") % {"name": before.name})
    if before.definition != after.definition:
        found.append(gettext("says something else"))
    if before.position != after.position:
        found.append(gettext("moved"))
    if _mode(before) != _mode(after):
        modes = {"live": gettext("decides"), "shadow": gettext("only watched"), "off": gettext("switched off")}
        found.append(modes[_mode(after)])
    return found or [gettext("saved as it was")]


def _diff(before: Any, after: Any) -> Iterator[tuple[str, str]]:
    """The lines of both definitions, each with what became of it: "same", "gone" or "new"."""
    old, new = (
        json.dumps(one, indent=2, ensure_ascii=False).splitlines() if one is not None else [] for one in (before, after)
    )
    kinds = {" ": "same", "-": "gone", "+": "new"}
    for line in difflib.ndiff(old, new):
        if line[0] in kinds:
            yield kinds[line[0]], line[2:]
