"""The improvements acted out: planned with what they should move, shipped, told, and judged by what was said afterwards."""

import itertools
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from django.db import transaction

from feedback_portal.accounts.permissions import Actor
from kpis import effects
from kpis.demo import organisation
from kpis.demo.changes import CHANGES, Change, Remark
from kpis.verdicts import FEWEST_WEEKS
from triage.improving import changes, checking, improvements, plans, telling
from triage.models import Action, TellingPart, Ticket

Turn = Callable[[datetime], None]
Plan = Callable[[datetime, Turn], None]
_BY_EYE: Final = "Closed on the complaints of the last weeks: too few say anything of it for a verdict."
_LINK_BACK: Final = timedelta(weeks=3)
_STILL_LINKED: Final = timedelta(weeks=6)
_MINUTE: Final = timedelta(minutes=1)
_WEEK: Final = timedelta(weeks=1)


class Improving:
    """Keeps the actions at hand. `by_theme` are the tickets of each theme; `told` and `asked` are given the items whose customers
    were written to."""

    def __init__(
        self,
        *,
        now: datetime,
        actors: Mapping[str, Actor],
        system: Actor,
        by_theme: Mapping[str, Sequence[Ticket]],
        told: Callable[[Iterable[int], datetime], None],
        asked: Callable[[Iterable[int], datetime, Change], None],
    ) -> None:
        self._now, self._actors, self._system = now, actors, system
        self._by_theme, self._told, self._asked = by_theme, told, asked
        self._actions: dict[str, Action] = {}

    def __len__(self) -> int:
        return len(self._actions)

    def begin(self, plan: Plan) -> None:
        """Everything that will be done, each at its time."""
        for change in CHANGES:
            for at, act in self._turns(change):
                plan(at, act)

    def called(self, title: str) -> Action:
        """As it stands now."""
        return improvements.find(self._actions[title].reference, by=self._system)

    def answer(self, ticket: Ticket, theme: str, *, by: Actor, at: datetime) -> None:
        """Linked to what is being done about its theme, or was done lately."""
        for change in CHANGES:
            action = self._actions.get(change.title)
            if action is None or theme not in change.answers or action.withdrawn_at is not None:
                continue
            if action.shipped_at is None or action.shipped_at > at - _STILL_LINKED:
                improvements.link(action, ticket, by=by, at=at)
                return

    def _turns(self, change: Change) -> Iterable[tuple[datetime, Turn]]:
        def ago(weeks: float) -> datetime:
            # At ten in the morning, since people do such things at their desks.
            return (self._now - timedelta(weeks=weeks)).replace(hour=10, minute=4)

        by = self._actors[change.owner]
        yield ago(change.planned), lambda at: self._plan(change, by, at, due=ago(change.due))
        if change.begun is not None:
            yield ago(change.begun), lambda at: self._begin(change, by, at)
        if change.shipped is not None:
            yield ago(change.shipped), lambda at: self._ship(change, by, at)
            yield ago(change.shipped) + telling.ASK_AFTER, lambda at: self._ask(change, at)
            # The portal looks every hour; here on the day on which eight weeks are over, and whenever somebody decides.
            weeks_over = FEWEST_WEEKS * _WEEK + timedelta(days=change.hope.get("lag_days", 0) + 1)
            yield ago(change.shipped) + weeks_over, _look
        if change.checked is not None:
            yield ago(change.checked), lambda at: self._check(change, by, at)
        if change.redone is not None:
            yield ago(change.redone), lambda at: self._redo(change, by, at)
        if change.withdrawn is not None:
            yield ago(change.withdrawn), lambda at: self._withdraw(change, by, at)
        for remark in change.remarks:
            yield ago(remark.weeks), partial(self._remark, change, by, remark)

    def _plan(self, change: Change, by: Actor, at: datetime, *, due: datetime) -> None:
        """A new improvement, and what was said about it lately becomes part of it."""
        action = improvements.create(
            by=self._system,
            at=at,
            title=change.title,
            problem=change.problem,
            kind=change.kind,
            team=change.team,
            stage=change.stage,
            owner=change.owner,
            due_at=due.date(),
            **change.record,
        )
        if change.hope:
            plans.expect(action, by=by, at=at + _MINUTE, **change.hope)
        for step in change.steps:
            plans.add_step(action, by=by, at=at + 2 * _MINUTE, text=step, owner=change.owner)
        self._actions[change.title] = action
        for ticket in itertools.chain.from_iterable(self._by_theme[theme] for theme in change.answers):
            if ticket.triaged_at is not None and ticket.received_at > at - _LINK_BACK:
                with transaction.atomic():
                    improvements.link(action, ticket, by=by, at=at)

    def _begin(self, change: Change, by: Actor, at: datetime) -> None:
        action = self.called(change.title)
        if action.needs_approval:
            plans.approve(action, by=self._actors[organisation.ADA.email], at=at - 20 * _MINUTE)
        self._turn(change, improvements.move, by=by, at=at, step="do")
        self._tick(change, by, at, most=1)

    def _ship(self, change: Change, by: Actor, at: datetime) -> None:
        self._tick(change, by, at - 10 * _MINUTE, most=len(change.steps))
        action = self._turn(change, telling.ship, by=by, at=at, public_text=change.public_text)
        telling.tell_at_once(action)
        # Shipping resolves what it answers, behind the tickets that are held elsewhere.
        self._told(improvements.linked(action).values_list("item", flat=True), at)

    def _ask(self, change: Change, at: datetime) -> None:
        """Four weeks later the portal asks whether it stayed fixed."""
        telling.ask_again(at=at)
        action = self.called(change.title)
        telling.tell_at_once(action)
        parts = TellingPart.objects.filter(telling__action=action, asks=True).values_list("tickets", flat=True)
        items = Ticket.objects.filter(pk__in=list(itertools.chain.from_iterable(parts))).order_by("pk")
        self._asked(list(items.values_list("item", flat=True)), at, change)

    def _check(self, change: Change, by: Actor, at: datetime) -> None:
        """Closed on the verdict of that day, and published where it worked."""
        _look(at - 4 * _MINUTE)
        if self.called(change.title).step != Action.Step.CHECK:
            return  # its theme came back before, and it is worked on again
        closed = self._turn(change, checking.close, by=by, at=at, standard=change.standard, exception=_BY_EYE)
        if change.public_title and closed.verdict == Action.Outcome.WORKED:
            self._turn(change, changes.publish, by=by, at=at + 5 * _MINUTE, title=change.public_title)

    def _redo(self, change: Change, by: Actor, at: datetime) -> None:
        _look(at - 4 * _MINUTE)
        action = self.called(change.title)
        if action.step == Action.Step.CHECK and action.verdict != Action.Outcome.WORKED:
            self._turn(change, improvements.move, by=by, at=at, step="do")

    def _withdraw(self, change: Change, by: Actor, at: datetime) -> None:
        self._turn(change, improvements.withdraw, by=by, at=at)

    def _remark(self, change: Change, by: Actor, remark: Remark, at: datetime) -> None:
        action = self.called(change.title)
        if remark.where in {"", action.verdict}:
            plans.comment(action, by=by, at=at, text=remark.text)

    def _tick(self, change: Change, by: Actor, at: datetime, *, most: int) -> None:
        action = self._actions[change.title]
        for step in action.steps.filter(done_at=None).order_by("pk")[:most]:
            plans.tick_step(action, by=by, at=at, step=step.pk)

    def _turn(self, change: Change, verb: Callable[..., Action], **given: Any) -> Action:
        action = self._actions[change.title] = verb(self.called(change.title), **given)
        return action


def _look(at: datetime) -> None:
    effects.judge(at=at)
