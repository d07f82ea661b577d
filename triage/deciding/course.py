"""The course of a ticket from its first decision to its end: what is written about it, when it rests, how it ends and opens again."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError
from intake.cleaning import clean_text
from triage import duplicates, inputs, lifecycle, merging, notifications, proposals, siblings
from triage.deciding.plans import triaged
from triage.deciding.snoozing import awake
from triage.journal import NotNow, Said, move, touch
from triage.lifecycle import Resolution, Verb
from triage.models import Event, NotTheSame, Ticket
from triage.telling import notices

# A customer who gives this or less was not helped.
BAD_RATING = 2

_UNRESOLVED: Mapping[str, Any] = {
    "resolution": "",
    "resolution_reason": "",
    "resolved_at": None,
    "merged_into": None,
    "duplicate_of": None,
    "snoozed_until": None,
}


def note(ticket: Ticket, *, by: Actor, at: datetime, text: str) -> None:
    """Write down something for colleagues; customers never see it. Whoever is called in it, as in "@mina", is told."""
    words = inputs.written(text, "text")
    touch(ticket, [(Event.Type.NOTED, {"text": words})], by=by, at=at)
    notices.tell_mentioned(ticket, words, by=by, at=at)


def reply(ticket: Ticket, *, by: Actor, at: datetime, text: str, wait: bool | str = False) -> None:
    """Write to the customer, on the private page and by mail; with `wait` it rests until they answer."""
    said = {"text": inputs.written(text, "text")}
    if wait and lifecycle.can_move(ticket.status, Verb.ASK):
        move(ticket, Verb.ASK, [(Event.Type.REPLY, said), (Event.Type.WAITING, {})], by=by, at=at)
    else:
        touch(ticket, [(Event.Type.REPLY, said)], by=by, at=at)
    notifications.write_reply(ticket, text=said["text"], by=by)


def resolve(
    ticket: Ticket, *, by: Actor, at: datetime, resolution: str, reason: str = "", tell: bool | str = True
) -> None:
    """End the work with an outcome; the customer is told unless `tell` is off."""
    if resolution not in Resolution.values or resolution == Resolution.DUPLICATE:
        known = ", ".join(value for value in Resolution.values if value != Resolution.DUPLICATE)
        raise BadInput(
            gettext("Choose an outcome: %(known)s. To mark a duplicate, merge it.") % {"known": known},
            errors=(InputError("resolution", gettext("Unknown outcome.")),),
        )
    siblings.hold(ticket)
    why = clean_text(reason, longest=inputs.LONGEST_PROSE)
    is_told = bool(tell) and tell != "off" and resolution != Resolution.SPAM
    if resolution in lifecycle.NEEDS_REASON and not why:
        message = gettext("Write a reason that the customer can read.")
        raise BadInput(message, errors=(InputError("reason", message),))
    said: dict[str, Any] = {"resolution": resolution, "reason": why} | ({} if is_told else {"tell": False})
    events = [(Event.Type.RESOLVED, said)]
    if ticket.triaged_at is None:
        actionable = resolution != Resolution.SPAM
        told = triaged(ticket, kept=True, is_spam=not actionable)
        events.insert(0, (Event.Type.TRIAGED, told | {"actionable": actionable}))
    move(ticket, Verb.RESOLVE, events, resolution=resolution, resolution_reason=why, resolved_at=at, by=by, at=at)
    notifications.write_outcomes(ticket, siblings.outcomes(ticket, silent=not is_told))
    if is_told:
        notifications.write_to_merged(ticket)


def reopen(ticket: Ticket, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Take the work up again."""
    said = {"reason": clean_text(reason, longest=inputs.LONGEST_PROSE)} if reason else {}
    _free(ticket, [(Event.Type.REOPENED, said)], **_UNRESOLVED, by=by, at=at)


def close(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Put a resolved ticket away."""
    move(ticket, Verb.CLOSE, [(Event.Type.CLOSED, {})], by=by, at=at)


def merge(ticket: Ticket, *, by: Actor, at: datetime, original: str) -> None:
    """Mark it a duplicate. It stays a voice: its customer is answered with the original's outcome, and nothing is moved."""
    merging.hold()
    first = merging.original_of(Ticket.objects.called(original, by=by))
    if first.pk == ticket.pk:
        raise BadInput(
            gettext("A ticket cannot be its own duplicate. Choose another original."),
            errors=(InputError("original", gettext("Same ticket.")),),
        )
    if first.item_id == ticket.item_id:
        raise BadInput(
            gettext(
                "Both are work on the same item, so neither is a duplicate of the other. Resolve this one instead."
            ),
            errors=(InputError("original", gettext("Same item.")),),
        )
    is_machine = by.user is None and by.key is None
    if is_machine and duplicates.told_apart(ticket.item_id, [first.item_id]):
        raise NotNow(
            gettext("A person said that %(reference)s and %(reference2)s are not the same.")
            % {"reference": ticket.reference, "reference2": first.reference}
        )
    siblings.hold(ticket)
    proposed = proposals.of_duplicate(ticket.item_id, first.item_id)
    answers = [proposed.answered(kept=True)] if proposed else []
    events = [(Event.Type.MERGED, {"into": first.reference, "item": first.item_id, "answers": answers})]
    move(
        ticket,
        Verb.RESOLVE,
        events,
        by=by,
        at=at,
        resolution=Resolution.DUPLICATE,
        resolved_at=at,
        merged_into=first,
        duplicate_of=first,
        triaged_at=ticket.triaged_at or at,
    )
    merging.lead_anew(ticket)
    # Its own customer hears from the original; what other teams did about the rest of the item is told now if all are done.
    notifications.write_outcomes(ticket, siblings.outcomes(ticket))


def unmerge(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """A voice of its own again, as it was before the merge, with what had been merged into it; and no machine merges or suggests
    the two again."""
    if ticket.merged_into is None:
        raise NotNow(gettext("%(reference)s is no duplicate.") % {"reference": ticket.reference})
    merging.hold()
    first = ticket.merged_into
    proposed = proposals.of_duplicate(ticket.item_id, first.item_id)
    answers = [proposed.answered(kept=False)] if proposed else []
    events = [
        (Event.Type.UNMERGED, {"from": first.reference, "item": first.item_id, "answers": answers}),
        (Event.Type.REOPENED, {"reason": "No duplicate after all."}),
    ]
    restored = {**_UNRESOLVED, **merging.before_merge(ticket)}
    move(ticket, Verb.REOPEN, events, **restored, by=by, at=at)
    merging.lead_anew(ticket)
    duplicates.tell_apart(ticket.item_id, first.item_id, because=NotTheSame.Because.UNMERGED, by=by, at=at)


def not_same(ticket: Ticket, *, by: Actor, at: datetime, other: str) -> None:
    """Turn down the suggestion that these two say the same; it is not made again."""
    found = Ticket.objects.called(other, by=by)
    if found.item_id == ticket.item_id:
        raise BadInput(
            gettext("These are tickets of one and the same item."),
            errors=(InputError("other", gettext("Name a ticket of another item.")),),
        )
    proposed = proposals.of_duplicate(ticket.item_id, found.item_id)
    answers = [proposed.answered(kept=False)] if proposed else []
    said = {"by": "duplicate", "from": found.reference, "item": found.item_id, "answers": answers}
    touch(ticket, [(Event.Type.DISMISSED, said)], by=by, at=at)
    duplicates.tell_apart(ticket.item_id, found.item_id, because=NotTheSame.Because.DISMISSED, by=by, at=at)


def hear(ticket: Ticket, *, at: datetime, text: str) -> None:
    """The customer answered on their page: what they say opens what was waiting, resting or done."""
    events = [(Event.Type.CUSTOMER_REPLIED, {"text": inputs.written(text, "text")})]
    _take_from_customer(ticket, events, "The customer answered.", at=at, opens=True)
    customer = ticket.item.customer
    notices.tell_answered(ticket, who=customer.name if customer else "", at=at)


def rate(ticket: Ticket, *, at: datetime, value: int) -> None:
    """The customer says on their page how it was handled, 1 badly to 5 very well; a bad answer opens it again."""
    if not 1 <= value <= 5:
        raise BadInput(
            gettext("Choose a number from 1 to 5."),
            errors=(InputError("value", gettext("Choose a number from 1 to 5.")),),
        )
    if ticket.status not in lifecycle.DONE:
        raise NotNow(gettext("There is no outcome to rate yet. Write what you want to add instead."))
    events = [(Event.Type.SCORE, {"kind": "handling", "value": value})]
    _take_from_customer(ticket, events, "The customer was not helped.", at=at, opens=value <= BAD_RATING)


def stayed_fixed(ticket: Ticket, *, at: datetime, is_fixed: bool) -> None:
    """The customer says, weeks later, whether what was changed still holds for them; where it does not, it opens again."""
    events = [(Event.Type.SCORE, {"kind": "still_fixed", "value": int(is_fixed)})]
    _take_from_customer(ticket, events, "It did not stay fixed for the customer.", at=at, opens=not is_fixed)


def _take_from_customer(ticket: Ticket, said: Said, reason: str, *, at: datetime, opens: bool) -> None:
    by, source = Actor(), Event.Source.CUSTOMER
    done = ticket.status in lifecycle.DONE
    verb = Verb.REOPEN if done else Verb.HEAR
    if not opens or not lifecycle.can_move(ticket.status, verb):
        touch(ticket, said, source=source, by=by, at=at)
        return
    if not done:
        move(ticket, verb, said, source=source, status=awake(ticket), **_UNRESOLVED, by=by, at=at)
        return
    events = [*said, (Event.Type.REOPENED, {"reason": reason})]
    _free(ticket, events, source=source, status=awake(ticket), **_UNRESOLVED, by=by, at=at)


def _free(ticket: Ticket, events: Said, **changes: Any) -> None:
    """Open what was done; a duplicate becomes a voice of its own, with what had been merged into it."""
    was_merged = ticket.merged_into_id is not None
    if was_merged:
        merging.hold()
    move(ticket, Verb.REOPEN, events, **changes)
    if was_merged:
        merging.lead_anew(ticket)
