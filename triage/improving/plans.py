"""The inside of an action: what it should move, its steps, its approval, and what colleagues write about it."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any

from django.db import transaction
from django.utils.formats import date_format
from django.utils.translation import gettext

from feedback_portal.accounts.models import Role, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import theme_number
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotAllowed, NotFound
from intake.exposures import KINDS
from triage import inputs
from triage.improving import improvements
from triage.improving.improvements import NotThisStep, change_row, tell
from triage.models import Action, ActionEvent, ActionStep, Expectation, Theme, Topic

MOST_STEPS = 100


def expect(action: Action, *, by: Actor, at: datetime, version: int | None = None, **details: Any) -> Expectation:
    """Say what it should move: theme (code) or topic (slug), segment, product, measure, exposure, direction, by_percent, shape,
    lag_days, control (code of a theme). Once it has taken effect nothing of this may change any more: whoever chooses the
    question after seeing the answer finds what they look for."""
    began = action.effective_from if action.shipped_at is not None else None
    has_taken_effect = began is not None and began <= at.date()
    if (
        began is not None
        and has_taken_effect
        and Expectation.objects.filter(action=action).exclude(theme=None, topic=None).exists()
    ):
        raise NotThisStep(
            gettext(
                "%(reference)s takes effect since %(effective_from)s. What it should move was said before, and stays. To look at something else, plan another action."
            )
            % {"reference": action.reference, "effective_from": date_format(began, "LONG_DAY")}
        )
    values = inputs.read(details, _readers(by))
    theme, topic, control = values.get("theme"), values.get("topic"), values.get("control")
    if (theme is None) == (topic is None):
        raise _wrong("theme", gettext("Choose one theme or one topic that it should move."))
    if control is not None and control == theme:
        raise _wrong("control", gettext("Compare with another theme, one that the action does not touch."))
    if values.get("measure") == Expectation.Measure.RATE and not values.get("exposure"):
        raise _wrong("exposure", gettext("Choose what the rate is taken per: units shipped, orders or visits."))
    with transaction.atomic():
        change_row(action, version)
        found, _ = Expectation.objects.update_or_create(action=action, defaults=values)
        told = {"theme": theme.reference if theme else None, "topic": topic.slug if topic else None}
        tell(action, ActionEvent.Type.EXPECTED, told, by=by, at=at)
    return found


def approve(action: Action, *, by: Actor, at: datetime, version: int | None = None) -> Action:
    """A lead of its team, a manager or an administrator agrees to the plan as it is. Nobody approves what they own."""
    if by.user is None or by.user.role not in {Role.LEAD, Role.MANAGER, Role.ADMIN} or not by.may_see(action.team_id):
        raise NotAllowed(
            gettext("A lead of %(team)s, a manager or an administrator can approve it. Ask one of them.")
            % {"team": action.team}
        )
    if by.user.pk == action.owner_id:
        raise NotAllowed(gettext("Whoever owns an action does not approve it. Ask another lead."))
    if action.approved_at is not None:
        raise NotThisStep(gettext("%(reference)s was approved already.") % {"reference": action.reference})
    with transaction.atomic():
        done = change_row(action, version, approved_by=by.user, approved_at=at)
        tell(action, ActionEvent.Type.APPROVED, {}, by=by, at=at)
    return done


def comment(action: Action, *, by: Actor, at: datetime, text: str) -> None:
    """What colleagues should know; it stays."""
    clean = inputs.prose(improvements.LONGEST_TEXT)(text)
    if not clean:
        raise _wrong("text", gettext("Write something first."))
    tell(action, ActionEvent.Type.COMMENTED, {"text": clean}, by=by, at=at)


def add_step(
    action: Action, *, by: Actor, at: datetime, text: str, owner: str = "", due_at: str | date | None = None
) -> ActionStep:
    """One more thing to do; `owner` is an address, or nobody's yet."""
    _open(action)
    values = inputs.read({"text": text, "owner": owner, "due_at": due_at}, _STEP)
    with transaction.atomic():
        # The action's row is the lock under which its steps are counted.
        Action.objects.select_for_update().get(pk=action.pk)
        if action.steps.count() >= MOST_STEPS:
            raise NotThisStep(
                gettext("%(reference)s has %(most_steps)s steps. Plan a second action for the rest.")
                % {"reference": action.reference, "most_steps": MOST_STEPS}
            )
        step = ActionStep.objects.create(action=action, **values)
        tell(action, ActionEvent.Type.STEPPED, {"added": step.text}, by=by, at=at)
    return step


def tick_step(action: Action, *, by: Actor, at: datetime, step: int) -> None:
    """It is done; a second time, it is not."""
    with transaction.atomic():
        found = _step(action, step)
        found.done_at = None if found.done_at else at
        found.save(update_fields=["done_at"])
        tell(action, ActionEvent.Type.STEPPED, {"done" if found.done_at else "undone": found.text}, by=by, at=at)


def remove_step(action: Action, *, by: Actor, at: datetime, step: int) -> None:
    with transaction.atomic():
        found = _step(action, step)
        tell(action, ActionEvent.Type.STEPPED, {"removed": found.text}, by=by, at=at)
        found.delete()


def _step(action: Action, number: int) -> ActionStep:
    _open(action)
    found = ActionStep.objects.select_for_update().filter(action=action, pk=number).first()
    if found is None:
        raise NotFound(gettext("There is no such step (any more). Reload the action."))
    return found


def _open(action: Action) -> None:
    if action.withdrawn_at is not None or action.step == Action.Step.ACT:
        raise NotThisStep(
            gettext("%(reference)s is closed, so its steps stand. Reopen it to change them.")
            % {"reference": action.reference}
        )


def _readers(by: Actor) -> Mapping[str, inputs.Reader]:
    def theme(given: Any) -> Theme | None:
        if not given:
            return None
        number = theme_number(given) if isinstance(given, str) else None
        found = Theme.objects.living().visible_to(by).filter(pk=number).first() if number else None
        if found is None:
            raise ValueError(
                gettext("There is no such theme, or it was joined into another. Choose one from the list.")
            )
        return found

    return _EXPECTATION | {"theme": theme, "control": theme}


def _percent(given: Any) -> int | None:
    return inputs.number(1, 100)(given) if given not in (None, "") else None


def _exposure(given: Any) -> str:
    return inputs.slug(given) if given else ""


def _lag(given: Any) -> int:
    return inputs.number(0, 180)(given) if given not in (None, "") else 0


_EXPECTATION: dict[str, inputs.Reader] = {
    "topic": inputs.known(Topic.objects.filter(is_active=True), marked("There is no such topic.")),
    "segment": inputs.line(60),
    "product": inputs.line(120),
    "measure": inputs.choice(Expectation.Measure.values),
    "exposure": _exposure,
    "direction": inputs.choice(Expectation.Direction.values),
    "by_percent": _percent,
    "shape": inputs.choice(Expectation.Shape.values),
    "lag_days": _lag,
}
_STEP: dict[str, inputs.Reader] = {
    "text": inputs.line(300, marked("Say what is to be done.")),
    "owner": inputs.known(User.objects.filter(is_active=True), marked("Nobody here has this address."), by="email"),
    "due_at": improvements.as_day,
}
EXPOSURES = KINDS


def _wrong(path: str, message: str) -> BadInput:
    return BadInput(message, errors=(InputError(path, message),))
