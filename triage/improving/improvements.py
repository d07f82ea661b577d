"""Improvements: what is changed because of feedback, in Plan-Do-Check-Act, and the tickets each one answers.

As in `decisions`, every verb is one transaction: a compare-and-set on the action's version, an event of the action and one on
each ticket it touches, and the days of those tickets marked as changed.
"""

from collections.abc import Mapping
from datetime import date, datetime
from types import MappingProxyType
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.models import Stage, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_text
from triage import decisions, inputs, journal
from triage.models import Action, ActionEvent, ActionLink, Event, Ticket
from triage.models.events import mark_changed
from triage.models.tickets import TicketQuerySet

Step = Action.Step
STEPS: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        Step.PLAN: frozenset({Step.DO}),
        Step.DO: frozenset({Step.PLAN}),
        # Whatever the check says, the wheel turns: keep it (act), or go back and change it (do).
        Step.CHECK: frozenset({Step.DO}),
        Step.ACT: frozenset({Step.DO, Step.PLAN}),
    }
)
"""Where an action may be moved from each step; from Do to Check leads only shipping it, and to Act only `close`."""

LONGEST_TEXT = 10_000


class StaleAction(Refused):
    """Somebody changed it meanwhile; `extra["current"]` is the action as it stands."""

    status = 409
    code = "stale-action"
    title = marked("Somebody was quicker")


class NotThisStep(Refused):
    status = 409
    code = "not-this-step"
    title = marked("The action cannot take that step now")


def find(reference: str, *, by: Actor) -> Action:
    """The action of this reference, if it exists for this actor."""
    number = action_number(reference)
    rows = Action.objects.visible_to(by).select_related("team", "stage", "owner")
    action = rows.filter(pk=number).first() if number else None
    if action is None:
        raise NotFound(
            gettext("There is no such action, or it belongs to a team you are not in. Its team can tell you more.")
        )
    return action


def create(*, by: Actor, at: datetime, title: str, team: str, **details: Any) -> Action:
    """A new action of a team, in its first step. `details` as in `change`."""
    values = inputs.read({"title": title, "team": team} | details, _readers(by))
    contributors = values.pop("contributors", [])
    with transaction.atomic():
        made = Action.objects.create(created_at=at, **values)
        made.contributors.set(contributors)
        tell(made, ActionEvent.Type.PLANNED, {}, by=by, at=at)
    return made


def change(action: Action, *, by: Actor, at: datetime, version: int | None = None, **details: Any) -> Action:
    """Change title, problem, kind, team (slug), stage (slug or ""), owner (e-mail or ""), contributors (slugs), the days due_at,
    effective_from and check_at (dates or None), plan, causes, whys, root_cause, needs_approval."""
    values = inputs.read(details, _readers(by))
    contributors = values.pop("contributors", None)
    # Whoever approved it approved the plan that was there.
    said = {"plan", "problem", "root_cause"} & set(values)
    if action.approved_at is not None and any(getattr(action, name) != values[name] for name in said):
        values |= {"approved_by": None, "approved_at": None}
    with transaction.atomic():
        changed = change_row(action, version, **values)
        if contributors is not None:
            changed.contributors.set(contributors)
        tell(action, ActionEvent.Type.CHANGED, {"fields": sorted(details)}, by=by, at=at)
    return changed


def link(action: Action, ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Say that this action answers this ticket."""
    if action.withdrawn_at is not None:
        raise NotThisStep(
            gettext("%(reference)s was withdrawn. Choose an action that is under way, or create one.")
            % {"reference": action.reference}
        )
    try:
        with transaction.atomic():
            ActionLink.objects.create(action=action, ticket=ticket, person=by.user, linked_at=at)
            journal.touch(ticket, [(Event.Type.ACTION_LINKED, {"action": action.reference})], by=by, at=at)
    except IntegrityError:
        raise NotThisStep(
            gettext("%(reference)s is linked to %(reference2)s already.")
            % {"reference": ticket.reference, "reference2": action.reference}
        ) from None


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
                message = gettext("There is no such action. Write its code, as in A-118, or plan a new one.")
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
            raise NotThisStep(
                gettext("%(reference)s is not linked to %(reference2)s.")
                % {"reference": ticket.reference, "reference2": action.reference}
            )
        journal.touch(ticket, [(Event.Type.ACTION_UNLINKED, {"action": action.reference})], by=by, at=at)


def move(action: Action, *, by: Actor, at: datetime, step: str, version: int | None = None) -> Action:
    """Take the next step, or one back. Beginning to do is when work on its tickets starts."""
    if step not in STEPS[action.step]:
        usual = ", ".join(sorted(str(Step(each).label) for each in STEPS[action.step]))
        raise NotThisStep(
            gettext("From %(label)s it can go to %(usual)s. To reach Check, ship it; to reach Act, close it.")
            % {"label": Step(action.step).label, "usual": usual}
        )
    if action.withdrawn_at is not None:
        raise NotThisStep(
            gettext("%(reference)s was withdrawn, so it takes no more steps.") % {"reference": action.reference}
        )
    if step == Step.DO:
        approved(action)
    with transaction.atomic():
        moved = change_row(action, version, step=step)
        tell(action, ActionEvent.Type.MOVED, {"to": step, "from": action.step}, by=by, at=at)
        if step == Step.DO:
            _tell_tickets(action, Event.Type.WORK_STARTED, by=by, at=at)
    return moved


def ship(action: Action, *, by: Actor, at: datetime, public_text: str, version: int | None = None) -> Action:
    """It is in the world, on to Check, with what customers will read; `telling` tells them. The first time counts: what is changed
    again after a check keeps the day it first shipped."""
    if action.step not in {Step.PLAN, Step.DO} or action.withdrawn_at is not None:
        raise NotThisStep(
            gettext("%(reference)s has shipped or was withdrawn already.") % {"reference": action.reference}
        )
    approved(action)
    text = clean_text(public_text, longest=LONGEST_TEXT)
    if not text:
        message = gettext("Write what was changed, in words customers can read.")
        raise BadInput(message, errors=(InputError("public_text", message),))
    with transaction.atomic():
        shipped = change_row(
            action,
            version,
            step=Step.CHECK,
            shipped_at=action.shipped_at or at,
            effective_from=effective_from(action, at=at),
            public_text=text,
            # What is changed once more is judged once more.
            verdict="",
            exception="",
        )
        tell(action, ActionEvent.Type.SHIPPED, {}, by=by, at=at)
        mark_changed(linked(action).values_list("received_at", flat=True))
    return shipped


def withdraw(action: Action, *, by: Actor, at: datetime, version: int | None = None) -> Action:
    """It will not be done, or not be kept; its tickets are open questions again."""
    if action.withdrawn_at is not None:
        raise NotThisStep(gettext("%(reference)s was withdrawn already.") % {"reference": action.reference})
    with transaction.atomic():
        withdrawn = change_row(action, version, withdrawn_at=at, published_at=None)
        tell(action, ActionEvent.Type.WITHDRAWN, {}, by=by, at=at)
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
        **{
            name: day.isoformat() if (day := getattr(action, name)) else None
            for name in ("due_at", "effective_from", "check_at")
        },
        "plan": action.plan,
        "causes": action.causes,
        "whys": action.whys,
        "root_cause": action.root_cause,
        "needs_approval": action.needs_approval,
        "approved_at": action.approved_at,
        "verdict": action.verdict or None,
        "exception": action.exception,
        "standard": action.standard,
        "public_text": action.public_text,
        "created_at": action.created_at,
        "shipped_at": action.shipped_at,
        "withdrawn_at": action.withdrawn_at,
    }


def change_row(action: Action, version: int | None, **changes: Any) -> Action:
    """The compare-and-set: the action as it then is, or `StaleAction`."""
    seen = action.version if version is None else version
    if not Action.objects.filter(pk=action.pk, version=seen).update(version=F("version") + 1, **changes):
        current = Action.objects.select_related("team", "stage", "owner").get(pk=action.pk)
        raise StaleAction(
            gettext("Somebody changed %(reference)s while you looked. Look at it as it is now, and decide again.")
            % {"reference": action.reference},
            extra={"current": summary(current)},
        )
    return Action.objects.select_related("team", "stage", "owner").get(pk=action.pk)


def tell(action: Action, kind: ActionEvent.Type, data: Mapping[str, Any], *, by: Actor, at: datetime) -> None:
    """Write down what was done with it, in the transaction in which it is done."""
    ActionEvent.objects.create(action=action, type=kind, person=by.user, key=by.key, data=dict(data), occurred_at=at)


def approved(action: Action) -> None:
    """Refuse what needs an approval and has none."""
    if action.needs_approval and action.approved_at is None:
        raise NotThisStep(
            gettext("%(reference)s needs the approval of a lead first. Ask one of %(team)s to approve it.")
            % {"reference": action.reference, "team": action.team}
        )


def effective_from(action: Action, *, at: datetime) -> date:
    """The planned day, unless it ships later than that: an effect cannot come before its cause."""
    today = timezone.localtime(at, timezone.get_default_timezone()).date()
    return max(action.effective_from, today) if action.effective_from else today


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


def _readers(by: Actor) -> Mapping[str, inputs.Reader]:
    def team(given: Any) -> Team:
        found = Team.objects.filter(slug=given, is_active=True).first() if isinstance(given, str) else None
        if found is None or not by.may_see(found):
            raise ValueError(gettext("There is no such team, or you are not in it."))
        return found

    def contributors(given: Any) -> list[Team]:
        slugs = inputs.lines(30, 40)(given)
        found = list(Team.objects.filter(slug__in=slugs, is_active=True))
        if len(found) != len(slugs):
            raise ValueError(gettext("One of these teams does not exist."))
        return found

    return _FIELDS | {"team": team, "contributors": contributors}


BONES = ("machine", "method", "material", "people", "measurement", "environment")
"""The bones of the fishbone (Ishikawa 1968); a cause without one is just a cause."""


def _causes(given: Any) -> list[dict[str, str]]:
    """A list of {"bone", "text"}; a form sends one a line, as in "machine: the tool is worn"."""
    if isinstance(given, str):
        parts = [line.partition(":") for line in given.splitlines()]
        given = [
            {"bone": bone.strip().lower(), "text": text}
            if colon and bone.strip().lower() in BONES
            else {"bone": "", "text": bone + colon + text}
            for bone, colon, text in parts
        ]
    if not isinstance(given, list) or len(given) > 60 or not all(isinstance(each, Mapping) for each in given):
        raise ValueError(gettext("Write at most 60 causes, one a line."))
    causes = []
    for each in given:
        bone, text = each.get("bone", ""), inputs.line(300)(each.get("text", ""))
        if bone and bone not in BONES:
            raise ValueError(gettext("A cause hangs on one of %(known)s, or on none.") % {"known": ", ".join(BONES)})
        causes += [{"bone": bone, "text": text}] if text else []
    return causes


def _whys(given: Any) -> list[str]:
    """Up to ten answers in their order; one may be the same as another."""
    parts = given.splitlines() if isinstance(given, str) else given
    if not isinstance(parts, list) or len(parts) > 10:
        raise ValueError(gettext("Ask why ten times at most."))
    return [clean for part in parts if (clean := inputs.line(300)(part))]


def as_day(given: Any) -> date | None:
    if not given or isinstance(given, date):
        return given or None
    try:
        return date.fromisoformat(given)
    except (TypeError, ValueError):
        raise ValueError(gettext("Write the day as 2026-03-31.")) from None


_FIELDS: dict[str, inputs.Reader] = {
    "title": inputs.line(160, marked("Say in a few words what will be changed.")),
    "problem": inputs.prose(LONGEST_TEXT),
    "kind": inputs.choice(Action.Kind.values),
    "stage": inputs.known(Stage.objects.all(), marked("There is no such stage.")),
    "owner": inputs.known(User.objects.filter(is_active=True), marked("Nobody here has this address."), by="email"),
    "due_at": as_day,
    "effective_from": as_day,
    "check_at": as_day,
    "plan": inputs.prose(LONGEST_TEXT),
    "causes": _causes,
    "whys": _whys,
    "root_cause": inputs.prose(LONGEST_TEXT),
    "needs_approval": inputs.flag,
}
