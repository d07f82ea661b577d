"""Improvements: what is changed because of feedback, in Plan-Do-Check-Act, and the tickets each one answers.

As in `decisions`, every verb is one transaction: a compare-and-set on the action's version, an event on each ticket it touches,
and the days of those tickets marked as changed.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_text
from triage import decisions, inputs, journal
from triage.lifecycle import DONE, Resolution
from triage.models import Action, ActionLink, Event, Ticket
from triage.models.events import mark_changed
from triage.models.tickets import TicketQuerySet

Step = Action.Step
STEPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Step.PLAN: frozenset({Step.DO}),
        Step.DO: frozenset({Step.PLAN}),
        # Whatever the check says, the wheel turns: keep it (act), or go back and change it (do).
        Step.CHECK: frozenset({Step.ACT, Step.DO}),
        Step.ACT: frozenset({Step.CHECK, Step.PLAN}),
    }
)
"""Where an action may be moved from each step; from Do to Check leads only shipping it."""

LONGEST_TEXT = 10_000


class StaleAction(Refused):
    """Somebody changed it meanwhile; `extra["current"]` is the action as it stands."""

    status = 409
    code = "stale-action"
    title = "Somebody was quicker"


class NotThisStep(Refused):
    status = 409
    code = "not-this-step"
    title = "The action cannot take that step now"


def find(reference: str, *, by: Actor) -> Action:
    """The action of this reference, if it exists for this actor."""
    number = action_number(reference)
    rows = Action.objects.visible_to(by).select_related("team", "stage", "owner")
    action = rows.filter(pk=number).first() if number else None
    if action is None:
        raise NotFound("There is no such action, or it belongs to a team you are not in. Its team can tell you more.")
    return action


def create(*, by: Actor, at: datetime, title: str, team: str, **details: Any) -> Action:
    """A new action of a team, in its first step. `details` as in `change`."""
    values = inputs.read({"title": title, "team": team} | details, _readers(by))
    return Action.objects.create(created_at=at, **values)


def change(action: Action, *, by: Actor, version: int | None = None, **details: Any) -> Action:
    """Change title, problem, kind, team (slug), stage (slug or ""), owner (e-mail or ""), due_at (date or None)."""
    return _set(action, version, **inputs.read(details, _readers(by)))


def link(action: Action, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Say that this action answers this ticket."""
    if action.withdrawn_at is not None:
        raise NotThisStep(f"{action.reference} was withdrawn. Choose an action that is under way, or create one.")
    try:
        with transaction.atomic():
            ActionLink.objects.create(action=action, ticket=ticket, person=by.user, linked_at=at)
            journal.touch(ticket, [(Event.Type.ACTION_LINKED, {"action": action.reference})], by=by, at=at)
    except IntegrityError:
        raise NotThisStep(f"{ticket.reference} is linked to {action.reference} already.") from None


def answer(
    reference: str, *, by: Actor, at: datetime, version: int | None = None, action: str = "", title: str = ""
) -> Ticket:
    """Link a ticket to an action from the ticket's side: to a known one, or with a `title` to a new plan of its team."""
    ticket = decisions.find(reference, by=by)
    if version is not None and version != ticket.version:
        raise journal.stale(ticket)
    with transaction.atomic():
        if action:
            number = action_number(action)
            found = Action.objects.visible_to(by).filter(pk=number).first() if number else None
            if found is None:
                message = "There is no such action. Write its code, as in A-118, or plan a new one."
                raise BadInput(message, errors=(InputError("action", message),))
        else:
            found = create(by=by, at=at, title=title, team=ticket.team.slug)
        link(found, ticket, by=by, at=at)
    ticket.refresh_from_db()
    return ticket


def unlink(action: Action, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take the link off; the row stays, for what was counted last month still counts it."""
    with transaction.atomic():
        standing = ActionLink.objects.filter(action=action, ticket=ticket, unlinked_at=None)
        if not standing.update(unlinked_at=at):
            raise NotThisStep(f"{ticket.reference} is not linked to {action.reference}.")
        journal.touch(ticket, [(Event.Type.ACTION_UNLINKED, {"action": action.reference})], by=by, at=at)


def move(action: Action, *, by: Actor, at: datetime, step: str, version: int | None = None) -> Action:
    """Take the next step, or one back. Beginning to do is when work on its tickets starts."""
    if step not in STEPS[action.step]:
        usual = ", ".join(sorted(Step(each).label for each in STEPS[action.step]))
        raise NotThisStep(f"From {Step(action.step).label} it can go to {usual}. To reach Check, ship it.")
    if action.withdrawn_at is not None:
        raise NotThisStep(f"{action.reference} was withdrawn, so it takes no more steps.")
    with transaction.atomic():
        moved = _set(action, version, step=step)
        if step == Step.DO:
            _tell_tickets(action, Event.Type.WORK_STARTED, by=by, at=at)
    return moved


def ship(
    action: Action, *, by: Actor, at: datetime, public_text: str, resolve: bool = True, version: int | None = None
) -> Action:
    """It is in the world, on to Check. Its open tickets end as shipped with `public_text`, which their customers read.
    The first time counts: what is changed again after a check keeps the day it first shipped."""
    if action.step not in {Step.PLAN, Step.DO} or action.withdrawn_at is not None:
        raise NotThisStep(f"{action.reference} has shipped or was withdrawn already.")
    text = clean_text(public_text, longest=LONGEST_TEXT)
    if not text:
        message = "Write what was changed, in words customers can read."
        raise BadInput(message, errors=(InputError("public_text", message),))
    with transaction.atomic():
        shipped = _set(action, version, step=Step.CHECK, shipped_at=action.shipped_at or at, public_text=text)
        tickets = list(linked(action))
        mark_changed(ticket.received_at for ticket in tickets)
    if resolve:
        _resolve(tickets, text, by=by, at=at)
    return shipped


def withdraw(action: Action, *, by: Actor, at: datetime, version: int | None = None) -> Action:
    """It will not be done, or not be kept; its tickets are open questions again."""
    if action.withdrawn_at is not None:
        raise NotThisStep(f"{action.reference} was withdrawn already.")
    with transaction.atomic():
        withdrawn = _set(action, version, withdrawn_at=at)
        mark_changed(linked(action).values_list("received_at", flat=True))
    return withdrawn


def linked(action: Action) -> TicketQuerySet:
    """The tickets it answers now."""
    return Ticket.objects.filter(action_links__action=action, action_links__unlinked_at=None).order_by("pk")


def summary(action: Action) -> dict[str, Any]:
    """An action in a few names, for programs; its team, stage and owner must be loaded."""
    return {
        "reference": action.reference,
        "version": action.version,
        "title": action.title,
        "problem": action.problem,
        "kind": action.kind,
        "step": action.step,
        "team": action.team.slug,
        "stage": action.stage.slug if action.stage else None,
        "owner": action.owner.email if action.owner else None,
        "due_at": action.due_at.isoformat() if action.due_at else None,
        "public_text": action.public_text,
        "created_at": action.created_at,
        "shipped_at": action.shipped_at,
        "withdrawn_at": action.withdrawn_at,
    }


def _set(action: Action, version: int | None, **changes: Any) -> Action:
    seen = action.version if version is None else version
    if not Action.objects.filter(pk=action.pk, version=seen).update(version=F("version") + 1, **changes):
        current = Action.objects.select_related("team", "stage", "owner").get(pk=action.pk)
        raise StaleAction(
            f"Somebody changed {action.reference} while you looked. Look at it as it is now, and decide again.",
            extra={"current": summary(current)},
        )
    return Action.objects.select_related("team", "stage", "owner").get(pk=action.pk)


def _tell_tickets(action: Action, kind: Event.Type, *, by: Actor, at: datetime) -> None:
    tickets = list(linked(action))
    source = Event.Source.PERSON if by.user or by.key else Event.Source.SYSTEM
    Event.objects.bulk_create(
        Event(
            item_id=ticket.item_id,
            ticket=ticket,
            type=kind,
            source=source,
            person=by.user,
            key=by.key,
            data={"action": action.reference},
            occurred_at=at,
        )
        for ticket in tickets
    )
    mark_changed(ticket.received_at for ticket in tickets)


def _resolve(tickets: Sequence[Ticket], text: str, *, by: Actor, at: datetime) -> None:
    """Each in a transaction of its own: one that somebody decides in this moment does not hold up the others."""
    for ticket in tickets:
        if ticket.status in DONE or not by.may_see(ticket.team_id):
            continue
        try:
            decisions.decide(ticket.reference, "resolve", by=by, at=at, resolution=Resolution.SHIPPED, reason=text)
        except Refused:
            continue


def _readers(by: Actor) -> Mapping[str, inputs.Reader]:
    def team(given: Any) -> Team:
        found = Team.objects.filter(slug=given, is_active=True).first() if isinstance(given, str) else None
        if found is None or not by.may_see(found):
            raise ValueError("There is no such team, or you are not in it.")
        return found

    return _FIELDS | {"team": team}


def _stage(given: Any) -> Stage | None:
    if not given:
        return None
    stage = Stage.objects.filter(slug=given).first() if isinstance(given, str) else None
    if stage is None:
        raise ValueError("There is no such stage.")
    return stage


def _owner(given: Any) -> User | None:
    if not given:
        return None
    person = (
        User.objects.filter(email=given.strip().lower(), is_active=True).first() if isinstance(given, str) else None
    )
    if person is None:
        raise ValueError("Nobody here has this address.")
    return person


def _due(given: Any) -> date | None:
    if not given or isinstance(given, date):
        return given or None
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise ValueError("Write the day as 2026-03-31.") from None


_FIELDS: dict[str, inputs.Reader] = {
    "title": inputs.line(160, "Say in a few words what will be changed."),
    "problem": inputs.prose(LONGEST_TEXT),
    "kind": inputs.choice(Action.Kind.values),
    "stage": _stage,
    "owner": _owner,
    "due_at": _due,
}
