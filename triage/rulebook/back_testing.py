"""An edited rule tried on what arrived already, before it decides anything: asked for on a page, worked out by a drain."""

import os
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.pending import Drained, GiveUp, drain_outside
from feedback_portal.refusals import BadInput, InputError
from triage import rulebook, rules
from triage.models import BackTest, Rule, Topic
from triage.routing import Router
from triage.rulebook import past_facts
from triage.rulebook.comparison import Comparison, Standing, Tally
from triage.rulebook.halves import in_two
from triage.rulebook.past_facts import Past
from triage.rulebook.past_filters import could_hold

USUAL: Final = 100_000
MOST: Final = 1_000_000
# Between two looks at whether it was cancelled; the page counts on.
PAGE: Final = 10_000
_KEPT = timedelta(days=30)


def ask(
    rule: Rule | None,
    *,
    name: str,
    definition: Any,
    by: Actor,
    at: datetime,
    position: int | None = None,
    items: int = USUAL,
) -> BackTest:
    """Have it worked out what this definition would have changed; what was asked about this rule before and still waits is
    given up for it. `BadInput` names the first place that is wrong."""
    rulebook.may_write(by)
    if type(items) is not int or not 1 <= items <= MOST:
        message = gettext("Try it on 1 to %(most)s items.") % {"most": MOST}
        raise BadInput(message, errors=(InputError("items", message),))
    checked = rulebook.checked(definition)
    if rule is not None:
        BackTest.objects.waiting().filter(rule=rule, cancelled_at=None).update(cancelled_at=at)
    if position is None:
        position = rule.position if rule else rulebook.LAST_PLACE
    return BackTest.objects.create(
        rule=rule,
        base_version=rule.version if rule else 0,
        name=name[:120],
        position=position,
        definition=checked,
        items=items,
        person=by.user,
        asked_at=at,
    )


def cancel(back_test: BackTest, *, by: Actor, at: datetime) -> None:
    rulebook.may_write(by)
    BackTest.objects.waiting().filter(pk=back_test.pk, cancelled_at=None).update(cancelled_at=at)


def work_pending() -> Drained:
    """Work off what was asked for, one at a time."""
    return drain_outside(BackTest.objects.select_related("rule"), _run, _record, batch=1)


def forget_old(*, at: datetime) -> int:
    """Delete what was tried long ago and never became a version; how many."""
    old = BackTest.objects.filter(asked_at__lt=at - _KEPT, versions=None)
    return old.delete()[0]


def compare(
    old: Standing | None,
    new: Standing | None,
    *,
    others: Sequence[Standing],
    items: int,
    at: datetime,
    tell: Callable[[int], bool] = lambda looked_at: True,
    page: int = 0,
    in_two_processes: bool = False,
) -> Comparison | None:
    """Two versions of one rule on the newest items. `tell` hears how many were looked at and says whether to go on; None when
    it said no. In two processes the other reads by a connection of its own, so only what is committed."""
    router = Router.load(at=at)

    def otherwise(past: Past) -> str:
        return router.place([], past.facts, past.clues).team.slug

    comparison = Comparison(old, new, others=others, teams=frozenset(router.teams), otherwise=otherwise)
    changed = [one.rule for one in (old, new) if one is not None]
    above = Topic.objects.all().above()
    below: dict[str, list[str]] = {}
    for slug, over in above.items():
        for one in over:
            below.setdefault(one, []).append(slug)
    reading = past_facts.Reading(
        fields=past_facts.fields_of([*changed, *(one.rule for one in others)]),
        above=above,
        only=could_hold(changed, below=below),
    )

    def counted(step: past_facts.Step) -> Tally:
        return comparison.tally(reading.rows(step), looked_at=step.count)

    steps = list(past_facts.steps(most=items, page=page or PAGE))
    for found in in_two(steps, counted) if in_two_processes else map(counted, steps):
        comparison.found.add(found)
        if not tell(comparison.found.looked_at):
            return None
    return comparison


def standing(rule: Rule, definition: Any = None, *, position: int | None = None) -> Standing:
    place = (rule.position if position is None else position, rule.pk or rulebook.LAST_PLACE)
    return Standing(rule.name, place, rules.parse(rule.definition if definition is None else definition))


def _run(back_test: BackTest) -> dict[str, Any] | None:
    if back_test.cancelled_at is not None:
        return None
    rule = back_test.rule
    try:
        others = [standing(one) for one in Rule.objects.in_order() if rule is None or one.pk != rule.pk]
        old = standing(rule) if rule is not None and rule.is_enabled and not rule.is_shadow else None
        edited = rule if rule is not None else Rule(name=back_test.name)
        new = standing(edited, back_test.definition, position=back_test.position)
    except BadInput as refused:
        raise GiveUp(gettext("A rule cannot be read any more: %(message)s") % {"message": refused.message}) from refused

    def tell(looked_at: int) -> bool:
        mine = BackTest.objects.filter(pk=back_test.pk, cancelled_at=None, lease_token=back_test.lease_token)
        return bool(mine.update(looked_at=looked_at))

    comparison = compare(
        old,
        new,
        others=others,
        items=back_test.items,
        at=back_test.asked_at,
        tell=tell,
        in_two_processes=back_test.items > PAGE and (os.cpu_count() or 1) > 1,
    )
    return comparison.told() if comparison is not None else None


def _record(back_test: BackTest, result: dict[str, Any] | None) -> None:
    if result is not None:
        BackTest.objects.filter(pk=back_test.pk).update(result=result)
