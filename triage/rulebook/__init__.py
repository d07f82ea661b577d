"""The organisation's rules: written, put in order, kept by version, switched to shadow or live; changed here and nowhere else."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F, Max, Q
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound, Refused
from triage import inputs, rules
from triage.models import BackTest, Rule, RuleVersion, Topic

STEP = 10
"""Between the places of two rules, so that a program can put one between them."""
LAST_PLACE = 1_000_000


class StaleRule(Refused):
    status = 409
    code = "stale-rule"
    title = marked("Somebody was quicker")


def create_rule(given: Any, *, by: Actor, at: datetime, first: bool = False) -> Rule:
    """A rule as a form or a program names it; without a position it is tried last, or `first`."""
    may_write(by)
    values = inputs.read(given, _RULE, required=("name", "definition"))
    with transaction.atomic():
        if first:
            _all_held()
            Rule.objects.update(position=F("position") + STEP)
            values["position"] = 0
        elif "position" not in values:
            last = Rule.objects.aggregate(last=Max("position"))["last"] or 0
            values["position"] = min(last + STEP, LAST_PLACE)
        try:
            with transaction.atomic():
                rule = Rule.objects.create(**values, changed_by=by.user, changed_at=at)
        except IntegrityError:
            raise _taken() from None
        _remember(rule)
    return rule


def change_rule(rule: Rule, given: Any, *, by: Actor, at: datetime, version: int | None = None) -> Rule:
    """Change what is given, if the rule is still the version its editor saw; else `StaleRule`."""
    may_write(by)
    values = inputs.read(given, _RULE)
    seen = rule.version if version is None else version
    with transaction.atomic():
        _remember(Rule.objects.get(pk=rule.pk))
        try:
            with transaction.atomic():
                changed = Rule.objects.filter(pk=rule.pk, version=seen).update(
                    version=F("version") + 1, changed_by=by.user, changed_at=at, **values
                )
        except IntegrityError:
            raise _taken() from None
        if not changed:
            raise StaleRule(
                gettext("Somebody changed this rule while you looked. Look at it as it is now, and change it again.")
            )
        rule.refresh_from_db()
        _remember(rule)
    return rule


def move_rule(rule: Rule, *, up: bool, by: Actor, at: datetime) -> bool:
    """Change places with the rule before or after it; False where there is none. Only the moved one counts an edit."""
    may_write(by)
    with transaction.atomic():
        ordered = sorted(_all_held(), key=lambda one: (one.position, one.pk))
        index = next((index for index, one in enumerate(ordered) if one.pk == rule.pk), None)
        if index is None:
            raise NotFound(gettext("This rule is gone. Look at the list as it is now."))
        other = index - 1 if up else index + 1
        if not 0 <= other < len(ordered):
            return False
        places = [one.position for one in ordered]
        if len(set(places)) < len(places):  # rules in one place are tried by age, which no exchange would change
            places = [STEP * place for place in range(1, len(ordered) + 1)]
        moved = ordered[index]
        _remember(moved)
        ordered[index], ordered[other] = ordered[other], ordered[index]
        shifted = []
        for one, place in zip(ordered, places, strict=True):
            if one.position != place:
                one.position = place
                shifted.append(one)
        moved.version += 1
        moved.changed_by, moved.changed_at = by.user, at
        Rule.objects.bulk_update(shifted, ["position", "version", "changed_by", "changed_at"])
        _remember(moved)
    rule.refresh_from_db()
    return True


def restore_version(rule: Rule, number: int, *, by: Actor, at: datetime, version: int | None = None) -> Rule:
    """Bring back what an earlier version said and did, as a new version; its place in the order stays as it is."""
    earlier = rule.versions.filter(number=number).first()
    if earlier is None:
        raise NotFound(gettext("There is no such version of this rule."))
    values = {"name": earlier.name, "definition": earlier.definition}
    return change_rule(rule, values, by=by, at=at, version=version)


def _all_held() -> list[Rule]:
    """Every rule, locked until the transaction ends; always in one order, or two who move rules would wait for each other."""
    return list(Rule.objects.select_for_update().order_by("pk"))


def may_write(by: Actor) -> None:
    if not by.may_set_up:
        raise NotAllowed(gettext("Only administrators may change rules. Ask one of them."))


def checked(given: Any) -> dict[str, Any]:
    """A rule as its stored form; what it names must exist, since a rule that routes to nobody does nothing in silence."""
    rule = rules.parse(given)
    for place, act in enumerate(rule.then):
        known = _KNOWN.get(act.verb)
        if known is not None and not known.filter(**{_KEY[act.verb]: act.argument}).exists():
            argument = rules.VERBS[act.verb]
            raise rules.RuleError(
                f"then.{place}.{argument}",
                gettext(_UNKNOWN[argument]) % {"name": act.argument},
            )
    return rules.dump(rule)


def _remember(rule: Rule) -> None:
    """The rule as it stands, in its history, with the back-test that was made of exactly this."""
    foreseen = BackTest.objects.filter(
        Q(rule=rule) | Q(rule=None, name=rule.name), definition=rule.definition, result__isnull=False
    )
    RuleVersion.objects.bulk_create(
        [
            RuleVersion(
                rule=rule,
                number=rule.version,
                name=rule.name,
                position=rule.position,
                definition=rule.definition,
                is_enabled=rule.is_enabled,
                is_shadow=rule.is_shadow,
                changed_by=rule.changed_by,
                changed_at=rule.changed_at,
                back_test=foreseen.order_by("-pk").first(),
            )
        ],
        ignore_conflicts=True,
    )


def _taken() -> BadInput:
    message = gettext("There is a rule with this name already. Choose another.")
    return BadInput(message, errors=(InputError("name", message),))


_UNKNOWN: Mapping[str, str] = {
    "team": marked('There is no team "%(name)s".'),
    "topic": marked('There is no topic "%(name)s".'),
    "person": marked('There is no person "%(name)s".'),
}
_KNOWN: Mapping[str, Any] = {
    "route": Team.objects.filter(is_active=True),
    "also": Team.objects.filter(is_active=True),
    "tag": Topic.objects.filter(is_active=True),
    "assign": User.objects.filter(is_active=True),
}
_KEY = {"route": "slug", "also": "slug", "tag": "slug", "assign": "email__iexact"}

_RULE: Mapping[str, inputs.Reader] = {
    "name": inputs.line(120, marked("Give it a name.")),
    "position": inputs.number(0, LAST_PLACE),
    "definition": checked,
    "is_enabled": inputs.flag,
    "is_shadow": inputs.flag,
}
