"""The sealed words of an item, opened for one look by somebody who is answerable for it, and never without a trace."""

from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import NotAllowed, Refused
from intake import normalizing
from intake.cleaning import clean_line, clean_text
from intake.connectors.base import Ignored, Unreadable
from intake.models import Submission
from triage import decisions
from triage.models import Event, Ticket


class NotKept(Refused):
    status = 409
    code = "not-kept"
    title = marked("The original cannot be shown")


@dataclass(frozen=True)
class Original:
    """What was said, with the personal data that the item masks."""

    title: str
    text: str


def may_open(submission: Submission, *, by: Actor) -> bool:
    """Whether there is something sealed, and whether they are a lead or above; that the ticket is theirs to see is asked apart."""
    return by.user is not None and by.may_steer and submission.is_sealed and submission.raw_gone_at is None


def open_original(reference: str, *, by: Actor, at: datetime) -> tuple[Ticket, Original]:
    """The words, once it is written down who saw them and when."""
    ticket = decisions.find(reference, by=by)
    if by.user is None or not by.may_steer:
        raise NotAllowed(
            gettext("Only leads and above may open what is sealed. Ask yours, who can tell you what you need of it.")
        )
    submission = Submission.objects.select_related("channel").get(pk=ticket.item_id)
    if not may_open(submission, by=by):
        raise NotKept(
            gettext("Nothing is sealed here, or it was kept long enough and is gone. What is left stands on the item.")
        )
    try:
        draft = normalizing.read(submission)
    except (Unreadable, Ignored) as reason:
        raise NotKept(str(reason)) from None
    with transaction.atomic():
        Event.objects.create(
            item_id=ticket.item_id,
            ticket=ticket,
            type=Event.Type.NOTED,
            source=Event.Source.PERSON,
            person=by.user,
            data={"text": "Opened the original with the personal data in it."},
            occurred_at=at,
        )
    return ticket, Original(clean_line(draft.title, longest=300), clean_text(draft.text))
