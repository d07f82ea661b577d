"""The verbs: what may be decided about a ticket, by a person, a rule or a program, through the same functions.

Each decision is one transaction: a compare-and-set on the ticket's version, which also locks it before anything else of its
item is touched, the events that say what was done, what follows of it, and the message to the customer where one is due.
A stale click gets `StaleTicket` with the ticket as it is now.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_number
from feedback_portal.refusals import BadInput, InputError
from triage.deciding.course import (
    close,
    hear,
    merge,
    not_same,
    note,
    rate,
    reopen,
    reply,
    resolve,
    stayed_fixed,
    unmerge,
)
from triage.deciding.placing import accept, assign, claim, dismiss, route, severity, tag, tags, untag
from triage.deciding.snoozing import snooze, wake, wake_due
from triage.deciding.undoing import WITHIN, redo, undo
from triage.journal import NotNow, StaleTicket, stale, summary
from triage.models import Ticket
from triage.siblings import split

__all__ = [
    "VERBS", "NotNow", "StaleTicket",
    "accept", "assign", "claim", "close", "decide", "dismiss", "find", "hear", "merge", "not_same", "note", "rate", "reopen", "reply", "resolve", "route", "severity", "snooze", "split", "stayed_fixed", "summary", "tag", "tags", "undo", "unmerge", "untag", "wake", "wake_due",
]  # fmt: skip


def decide(
    reference: str, verb: str, *, by: Actor, at: datetime, version: int | None = None, **arguments: Any
) -> Ticket:
    """Do `verb` on the ticket with this reference, as a form or a program names them; the ticket as it then is.

    Raises `NotFound` for what `by` may not see, `BadInput` for arguments, `StaleTicket` and `NotNow`.
    """
    function = VERBS.get(verb)
    if function is None:
        raise BadInput(
            gettext('There is no verb "%(verb)s". Use one of %(known)s.')
            % {"verb": verb[:40], "known": ", ".join(VERBS)},
            errors=(InputError("verb", gettext("Unknown verb.")),),
        )
    ticket = _own(reference, by, at) if verb in {"undo", "redo"} else find(reference, by=by)
    if version is not None and version != ticket.version:
        raise stale(ticket)
    try:
        with transaction.atomic():
            function(ticket, by=by, at=at, **arguments)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise BadInput(
            gettext('The verb "%(verb)s" takes other arguments: %(error)s.') % {"verb": verb, "error": error}
        ) from None
    ticket.refresh_from_db()
    return ticket


def find(reference: str, *, by: Actor) -> Ticket:
    """The ticket of this reference, if it exists for this actor; `NotFound` else."""
    return Ticket.objects.called(reference, by=by)


VERBS: Mapping[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        accept, dismiss, route, split, assign, claim, tag, untag, tags, severity, note, reply, snooze, wake,
        resolve, reopen, close, merge, unmerge, not_same, undo, redo,
    )
}  # fmt: skip
"""What people and programs may do by name."""


def _own(reference: str, by: Actor, at: datetime) -> Ticket:
    """A ticket on which this person decided within a day, even if that decision took it out of their sight."""
    number = ticket_number(reference)
    rows = Ticket.objects.for_deciding()
    ticket = rows.filter(pk=number).first() if number and by.user else None
    if ticket is not None and ticket.events.filter(occurred_at__gt=at - WITHIN, person=by.user).exists():
        return ticket
    return find(reference, by=by)
