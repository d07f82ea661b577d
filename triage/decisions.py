"""The verbs: what may be decided about a ticket, by a person, a rule or a program, through the same functions.

Each decision is one transaction: a compare-and-set on the ticket's version, which also locks it before anything else of its
item is touched, the events that say what was done, what follows of it, and the message to the customer where one is due.
A stale click gets `StaleTicket` with the ticket as it is now.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import ticket_number
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_text
from triage import duplicates, lifecycle, merging, notifications, proposals, siblings, track_record
from triage.deadlines import Deadlines, topics_of
from triage.journal import NotNow, Said, StaleTicket, move, stale, summary, take_back, touch
from triage.lifecycle import Resolution, Status, Verb, WhyNot, WhyRouted
from triage.models import Event, NotTheSame, Tagging, Ticket, Topic
from triage.siblings import split
from triage.workload import Crew

__all__ = ["VERBS", "NotNow", "StaleTicket", "decide", "find", "summary"]

LONGEST_SNOOZE = timedelta(days=366)
LONGEST_NOTE = 10_000
# A customer who gives this or less was not helped.
BAD_RATING = 2


def decide(
    reference: str, verb: str, *, by: Actor, at: datetime, version: int | None = None, **arguments: Any
) -> Ticket:
    """Do `verb` on the ticket with this reference, as a form or a program names them; the ticket as it then is.

    Raises `NotFound` for what `by` may not see, `BadInput` for arguments, `StaleTicket` and `NotNow`.
    """
    function = VERBS.get(verb)
    if function is None:
        raise BadInput(
            f'There is no verb "{verb[:40]}". Use one of {", ".join(VERBS)}.', errors=(_wrong("verb", "Unknown verb."),)
        )
    ticket = _own(reference, by) if verb == "undo" else find(reference, by=by)
    if version is not None and version != ticket.version:
        raise stale(ticket)
    try:
        with transaction.atomic():
            function(ticket, by=by, at=at, **arguments)
    except TypeError as error:
        if "argument" not in str(error):
            raise
        raise BadInput(f'The verb "{verb}" takes other arguments: {error}.') from None
    ticket.refresh_from_db()
    return ticket


def decide_many(references: Sequence[str], verb: str, *, by: Actor, at: datetime, **arguments: Any) -> tuple[int, int]:
    """The same decision on each ticket; how many were decided, and how many could not be (any more). Wrong arguments
    are refused before anything is decided, by the first ticket they are tried on."""
    done = skipped = 0
    for reference in dict.fromkeys(references):
        try:
            decide(reference, verb, by=by, at=at, **arguments)
        except BadInput:
            if not done:
                raise
            skipped += 1
        except Refused:
            skipped += 1
        else:
            done += 1
    return done, skipped


def find(reference: str, *, by: Actor) -> Ticket:
    """The ticket of this reference, if it exists for this actor."""
    number = ticket_number(reference)
    rows = Ticket.objects.visible_to(by).select_related("team", "stage", "assignee", "item__channel", "item__customer")
    ticket = rows.filter(pk=number).first() if number else None
    if ticket is None:
        raise NotFound("There is no such ticket, or it belongs to a team you are not in. Its team can tell you more.")
    return ticket


def dismiss(ticket: Ticket, *, by: Actor, at: datetime, because: str = "") -> None:
    """Not this: the proposal is not shown again on this ticket, and was not kept. `because` is one of `WhyNot`, or nothing.
    A ticket that was put out of the way as spam comes back to its place."""
    if because and because not in WhyNot.values:
        known = ", ".join(WhyNot.values)
        raise BadInput(f"Choose a reason: {known}.", errors=(_wrong("because", "Unknown reason."),))
    if ticket.status != Status.NEW or ticket.explanation.get("dismissed"):
        raise NotNow(f"There is no proposal on {ticket.reference} (any more).")
    said = {name: ticket.explanation.get(name) for name in ("by", "rule", "topic")}
    if because:
        said |= {"because": because, "reason": f"{WhyNot(because).label}."}
    answers = proposals.turned_down(ticket, track_record.named(_standing(ticket), at=at), because=because)
    events = [(Event.Type.DISMISSED, said | {"answers": answers})]
    # What is no spam stands where its severity puts it; out of the way was only for spam.
    rank = ticket.severity - 1 if ticket.explanation.get("by") == "spam" else ticket.rank
    touch(ticket, events, by=by, at=at, rank=rank, explanation=ticket.explanation | {"dismissed": True})


def accept(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take the suggestion: it stays with this team and keeps its suggested tags."""
    if ticket.status != Status.NEW:
        raise NotNow(f"{ticket.reference} was decided already. Route it if it should go elsewhere.")
    kept = _standing(ticket)
    said = _triage(ticket, kept=True)
    said["answers"] += proposals.tags(track_record.named(kept, at=at), kept=True)
    said["topics"] = sorted(each.topic.slug for each in kept)
    move(ticket, Verb.ROUTE, [(Event.Type.TRIAGED, said)], by=by, at=at)


def route(ticket: Ticket, *, by: Actor, at: datetime, team: str, because: str = "", note: str = "") -> None:
    """Give it to a team; its stage becomes the team's, and nobody there has it yet. `because` is one of `WhyRouted`, from
    which the portal learns where such items belong."""
    if because and because not in WhyRouted.values:
        known = ", ".join(WhyRouted.values)
        raise BadInput(f"Choose a reason: {known}.", errors=(_wrong("because", "Unknown reason."),))
    target = Team.objects.filter(slug=team, is_active=True).select_related("stage").first()
    if target is None:
        raise BadInput("There is no such team. Choose one from the list.", errors=(_wrong("team", "Unknown team."),))
    if target.pk != ticket.team_id and Ticket.objects.filter(item=ticket.item_id, team=target).exists():
        raise BadInput(
            f"{target.name} has a ticket for this item already. Resolve yours, or note there what is missing."
        )
    before = ticket.team.slug
    events = []
    if ticket.triaged_at is None:
        events.append((Event.Type.TRIAGED, _triage(ticket, kept=target.pk == ticket.team_id, team=target.slug)))
    if target.pk != ticket.team_id:
        said = {"because": because, "reason": f"{WhyRouted(because).label}."} if because else {}
        events.append((Event.Type.ROUTED, {"team": target.slug, "from": before, "by": "person", **said}))
    if not events:
        raise NotNow(f"{ticket.reference} is with {target.name} already. Choose another team.")
    if note:
        events.append((Event.Type.NOTED, {"text": _prose(note, "note")}))
    reason = f"{by.name} sent it to {target.name}."
    move(
        ticket,
        Verb.ROUTE,
        events,
        by=by,
        at=at,
        team=target,
        stage=target.stage,
        assignee=None if target.pk != ticket.team_id else ticket.assignee,
        explanation=ticket.explanation | {"by": "person", "reason": reason},
    )


def assign(ticket: Ticket, *, by: Actor, at: datetime, assignee: str = "") -> None:
    """Give it to a person of the team, by e-mail; to nobody when empty. Instead of somebody who is away their stand-in gets
    it, or else the team, and the event says so."""
    if not assignee:
        _give(ticket, None, by, at)
        return
    crew = Crew.load(at=at)
    person = crew.find(assignee)
    if person is None or not crew.may_have(person, ticket.team_id):
        message = f"Nobody with this address works for {ticket.team.name}. Choose one of its members."
        raise BadInput(message, errors=(_wrong("assignee", message),))
    given = crew.instead_of(person, ticket.team_id)
    said = {"instead_of": person.email, "reason": given.reason} if given.reason else {}
    _give(ticket, User.objects.get(pk=given.person.pk) if given.person else None, by, at, **said)


def claim(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take it oneself; a second claim by the same person lets it go."""
    if by.user is None:
        raise BadInput("Only a person can claim a ticket. Use `assign` with an address.")
    _give(ticket, None if ticket.assignee_id == by.user.pk else by.user, by, at)


def tag(ticket: Ticket, *, by: Actor, at: datetime, topic: str) -> None:
    """Put a topic on the item; one that somebody took off comes back."""
    node = _topic(topic)
    answers = proposals.tags((each for each in _standing(ticket) if each.topic_id == node.pk), kept=True)
    touch(ticket, [(Event.Type.TAGGED, {"topic": node.slug, "answers": answers})], by=by, at=at)
    if not _put(ticket, node, by):
        raise NotNow(f'It is tagged "{node.name}" already.')


def untag(ticket: Ticket, *, by: Actor, at: datetime, topic: str) -> None:
    """Take a topic off; no tagger will put it back."""
    node = _topic(topic)
    answers = proposals.tags((each for each in _standing(ticket) if each.topic_id == node.pk), kept=False)
    touch(ticket, [(Event.Type.UNTAGGED, {"topic": node.slug, "answers": answers})], by=by, at=at)
    if not Tagging.objects.standing().filter(item=ticket.item_id, topic=node).update(removed_at=at):
        raise NotNow(f'It is not tagged "{node.name}".')


def tags(ticket: Ticket, *, by: Actor, at: datetime, topics: Sequence[str], were: Sequence[str] | None = None) -> None:
    """Set the item's topics to exactly these, as one decision. None at all says that no topic fits, which is learned from too.
    With `were`, the topics that the decider saw there, only what they put on or took off is done: a colleague's stay."""
    there = _standing(ticket)
    standing = {each.topic.slug for each in there}
    wanted = {_topic(slug).slug for slug in topics}
    if were is not None:
        there = [each for each in there if each.topic.slug in were]
        wanted = (wanted - set(were)) | (standing - (set(were) - wanted))
    events: list[tuple[str, dict[str, Any]]] = []
    events += [(Event.Type.TAGGED, {"topic": slug}) for slug in sorted(wanted - standing)]
    events += [(Event.Type.UNTAGGED, {"topic": slug}) for slug in sorted(standing - wanted)]
    if not (events or wanted or _fits_nothing(ticket)):
        events = [(Event.Type.UNTAGGED, {"topic": ""})]
    if not events:
        raise NotNow("The tags are like this already.")
    # Whoever sets the tags has looked at each of them: those they left were kept.
    answers = [proposals.tags([each], kept=each.topic.slug in wanted) for each in there]
    events[0][1]["answers"] = [answer for given in answers for answer in given]
    touch(ticket, events, by=by, at=at)
    for slug in wanted - standing:
        _put(ticket, _topic(slug), by)
    Tagging.objects.standing().filter(item=ticket.item_id, topic__slug__in=standing - wanted).update(removed_at=at)


def severity(ticket: Ticket, *, by: Actor, at: datetime, value: int | str) -> None:
    """1 somebody may be harmed … 4 a wish."""
    number = int(value) if str(value).isdecimal() and len(str(value)) == 1 else 0
    if not 1 <= number <= 4:
        raise BadInput("A severity is a number from 1 to 4.", errors=(_wrong("value", "Write 1, 2, 3 or 4."),))
    due = Deadlines.load().due(ticket.received_at, team=ticket.team, topics=topics_of(ticket.item_id), severity=number)
    is_first = number != ticket.severity and not ticket.explanation.get("severity_by")
    answers = [proposals.of_severity(ticket).answered(kept=False)] if is_first else []
    touch(
        ticket,
        [(Event.Type.SEVERITY, {"value": number, "from": ticket.severity, "answers": answers})],
        explanation=ticket.explanation | {"severity_by": "person"},
        severity=number,
        rank=number - 1,
        due_at=due.at if ticket.triaged_at is None else ticket.due_at,
        by=by,
        at=at,
    )


def note(ticket: Ticket, *, by: Actor, at: datetime, text: str) -> None:
    """Write down something for colleagues; customers never see it."""
    touch(ticket, [(Event.Type.NOTED, {"text": _prose(text, "text")})], by=by, at=at)


def reply(ticket: Ticket, *, by: Actor, at: datetime, text: str, wait: bool | str = False) -> None:
    """Write to the customer, on the private page and by mail; with `wait` it rests until they answer."""
    said = {"text": _prose(text, "text")}
    if wait and lifecycle.can_move(ticket.status, Verb.ASK):
        move(ticket, Verb.ASK, [(Event.Type.REPLY, said), (Event.Type.WAITING, {})], by=by, at=at)
    else:
        touch(ticket, [(Event.Type.REPLY, said)], by=by, at=at)
    notifications.write_reply(ticket, text=said["text"], by=by)


def snooze(ticket: Ticket, *, by: Actor, at: datetime, until: datetime | str) -> None:
    """Out of the queue until a time. No clock stops."""
    moment = _moment(until, "until")
    if not at < moment <= at + LONGEST_SNOOZE:
        message = "Choose a time between now and a year from now."
        raise BadInput(message, errors=(_wrong("until", message),))
    move(ticket, Verb.SNOOZE, [(Event.Type.SNOOZED, {"until": moment.isoformat()})], snoozed_until=moment, by=by, at=at)


def wake(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Back into the queue: to decide if nobody has yet, else open."""
    move(ticket, Verb.WAKE, [(Event.Type.WOKE, {})], status=_awake(ticket), by=by, at=at)


def resolve(
    ticket: Ticket, *, by: Actor, at: datetime, resolution: str, reason: str = "", tell: bool | str = True
) -> None:
    """End the work with an outcome; the customer is told unless `tell` is off."""
    if resolution not in Resolution.values or resolution == Resolution.DUPLICATE:
        known = ", ".join(value for value in Resolution.values if value != Resolution.DUPLICATE)
        raise BadInput(
            f"Choose an outcome: {known}. To mark a duplicate, merge it.",
            errors=(_wrong("resolution", "Unknown outcome."),),
        )
    siblings.hold(ticket)
    why = clean_text(reason, longest=LONGEST_NOTE)
    is_told = bool(tell) and tell != "off" and resolution != Resolution.SPAM
    if resolution in lifecycle.NEEDS_REASON and not why:
        message = "Write a reason that the customer can read."
        raise BadInput(message, errors=(_wrong("reason", message),))
    said: dict[str, Any] = {"resolution": resolution, "reason": why} | ({} if is_told else {"tell": False})
    events = [(Event.Type.RESOLVED, said)]
    if ticket.triaged_at is None:
        actionable = resolution != Resolution.SPAM
        told = _triage(ticket, kept=True, is_spam=not actionable)
        events.insert(0, (Event.Type.TRIAGED, told | {"actionable": actionable}))
    move(ticket, Verb.RESOLVE, events, resolution=resolution, resolution_reason=why, resolved_at=at, by=by, at=at)
    notifications.write_outcomes(ticket, siblings.outcomes(ticket, silent=not is_told))
    if is_told:
        notifications.write_to_merged(ticket)


def reopen(ticket: Ticket, *, by: Actor, at: datetime, reason: str = "") -> None:
    """Take the work up again."""
    said = {"reason": clean_text(reason, longest=LONGEST_NOTE)} if reason else {}
    _free(ticket, [(Event.Type.REOPENED, said)], **_UNRESOLVED, by=by, at=at)


def close(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Put a resolved ticket away."""
    move(ticket, Verb.CLOSE, [(Event.Type.CLOSED, {})], by=by, at=at)


def merge(ticket: Ticket, *, by: Actor, at: datetime, original: str) -> None:
    """Mark it a duplicate. It stays a voice: its customer is answered with the original's outcome, and nothing is moved."""
    merging.hold()
    first = merging.original_of(find(original, by=by))
    if first.pk == ticket.pk:
        raise BadInput(
            "A ticket cannot be its own duplicate. Choose another original.",
            errors=(_wrong("original", "Same ticket."),),
        )
    if first.item_id == ticket.item_id:
        raise BadInput(
            "Both are work on the same item, so neither is a duplicate of the other. Resolve this one instead.",
            errors=(_wrong("original", "Same item."),),
        )
    is_machine = by.user is None and by.key is None
    if is_machine and duplicates.told_apart(ticket.item_id, [first.item_id]):
        raise NotNow(f"A person said that {ticket.reference} and {first.reference} are not the same.")
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
        raise NotNow(f"{ticket.reference} is no duplicate.")
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
    found = find(other, by=by)
    if found.item_id == ticket.item_id:
        raise BadInput(
            "These are tickets of one and the same item.", errors=(_wrong("other", "Name a ticket of another item."),)
        )
    proposed = proposals.of_duplicate(ticket.item_id, found.item_id)
    answers = [proposed.answered(kept=False)] if proposed else []
    said = {"by": "duplicate", "from": found.reference, "item": found.item_id, "answers": answers}
    touch(ticket, [(Event.Type.DISMISSED, said)], by=by, at=at)
    duplicates.tell_apart(ticket.item_id, found.item_id, because=NotTheSame.Because.DISMISSED, by=by, at=at)


def hear(ticket: Ticket, *, at: datetime, text: str) -> None:
    """The customer answered on their page: what they say opens what was waiting, resting or done."""
    events = [(Event.Type.CUSTOMER_REPLIED, {"text": _prose(text, "text")})]
    _take_from_customer(ticket, events, "The customer answered.", at=at, opens=True)


def rate(ticket: Ticket, *, at: datetime, value: int) -> None:
    """The customer says on their page how it was handled, 1 badly to 5 very well; a bad answer opens it again."""
    if not 1 <= value <= 5:
        raise BadInput("Choose a number from 1 to 5.", errors=(_wrong("value", "Choose a number from 1 to 5."),))
    if ticket.status not in lifecycle.DONE:
        raise NotNow("There is no outcome to rate yet. Write what you want to add instead.")
    events = [(Event.Type.SCORE, {"kind": "handling", "value": value})]
    _take_from_customer(ticket, events, "The customer was not helped.", at=at, opens=value <= BAD_RATING)


def undo(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take back one's own last decision on this ticket, and the message it wrote if that has not gone out."""
    merging.hold()
    version = take_back(ticket, by=by, at=at)
    merging.lead_anew(ticket)
    for taken in ticket.events.filter(version=version, type__in=[Event.Type.UNMERGED, Event.Type.DISMISSED]):
        if "item" in taken.data:
            duplicates.take_back(ticket.item_id, taken.data["item"], at=taken.occurred_at)
    siblings.take_back(ticket, list(ticket.events.filter(version=version, type=Event.Type.SPLIT)))
    notifications.withdraw(ticket, version=version)


def wake_due(*, at: datetime) -> int:
    """Wake what was snoozed until now; how many."""
    count = 0
    for ticket in Ticket.objects.filter(status=Status.SNOOZED, snoozed_until__lte=at).order_by("snoozed_until")[:500]:
        try:
            with transaction.atomic():
                wake(ticket, by=Actor(), at=at)
        except Refused:
            continue  # somebody decided in this very moment, which is as good as waking
        count += 1
    return count


VERBS: Mapping[str, Callable[..., None]] = {
    function.__name__: function
    for function in (
        accept, dismiss, route, split, assign, claim, tag, untag, tags, severity, note, reply, snooze, wake,
        resolve, reopen, close, merge, unmerge, not_same, undo,
    )
}  # fmt: skip
"""What people and programs may do by name."""

_UNRESOLVED: Mapping[str, Any] = {
    "resolution": "",
    "resolution_reason": "",
    "resolved_at": None,
    "merged_into": None,
    "duplicate_of": None,
    "snoozed_until": None,
}


def _put(ticket: Ticket, topic: Topic, by: Actor) -> bool:
    """Whether a person's tag was put on; False when one is there already."""
    mine = {"source": "person", "person": by.user, "made_by": by.name[:80]}
    row, made = Tagging.objects.get_or_create(item_id=ticket.item_id, topic=topic, defaults=mine)
    if made:
        return True
    if row.removed_at is None and row.source == "person":
        return False
    Tagging.objects.filter(pk=row.pk).update(removed_at=None, confidence=1.0, **mine)
    return True


def _fits_nothing(ticket: Ticket) -> bool:
    """Whether the last word of a person on the topics of its item, which has none, was that none fits."""
    said = Event.objects.filter(item=ticket.item_id, type__in=[Event.Type.TAGGED, Event.Type.UNTAGGED])
    return said.filter(undone_by=None).exclude(person=None).exists()


def _take_from_customer(ticket: Ticket, said: Said, reason: str, *, at: datetime, opens: bool) -> None:
    by, source = Actor(), Event.Source.CUSTOMER
    done = ticket.status in lifecycle.DONE
    verb = Verb.REOPEN if done else Verb.HEAR
    if not opens or not lifecycle.can_move(ticket.status, verb):
        touch(ticket, said, source=source, by=by, at=at)
        return
    if not done:
        move(ticket, verb, said, source=source, status=_awake(ticket), **_UNRESOLVED, by=by, at=at)
        return
    events = [*said, (Event.Type.REOPENED, {"reason": reason})]
    _free(ticket, events, source=source, status=_awake(ticket), **_UNRESOLVED, by=by, at=at)


def _free(ticket: Ticket, events: Said, **changes: Any) -> None:
    """Open what was done; a duplicate becomes a voice of its own, with what had been merged into it."""
    was_merged = ticket.merged_into_id is not None
    if was_merged:
        merging.hold()
    move(ticket, Verb.REOPEN, events, **changes)
    if was_merged:
        merging.lead_anew(ticket)


def _own(reference: str, by: Actor) -> Ticket:
    """The ticket whose last decision was this person's, even if that decision took it out of their sight."""
    number = ticket_number(reference)
    rows = Ticket.objects.select_related("team", "stage", "assignee", "item__channel", "item__customer")
    ticket = rows.filter(pk=number).first() if number and by.user else None
    if ticket is not None and ticket.events.filter(version=ticket.version, person=by.user).exists():
        return ticket
    return find(reference, by=by)


def _give(ticket: Ticket, person: User | None, by: Actor, at: datetime, **said: str) -> None:
    told = {"to": person.email if person else None, **said}
    events: list[tuple[str, dict[str, Any]]] = [(Event.Type.ASSIGNED, told)]
    if person is None or ticket.status not in {Status.NEW, Status.OPEN}:
        touch(ticket, events, assignee=person, by=by, at=at)
        return
    # Who takes it has looked at it and keeps it here, which is a decision.
    if ticket.triaged_at is None:
        events.insert(0, (Event.Type.TRIAGED, _triage(ticket, kept=True)))
    move(ticket, Verb.CLAIM, events, assignee=person, by=by, at=at)


def _standing(ticket: Ticket) -> list[Tagging]:
    """The tags of its item, surest first."""
    rows = Tagging.objects.standing().filter(item=ticket.item_id).select_related("topic")
    return list(rows.order_by("-confidence", "pk"))


def _triage(ticket: Ticket, *, kept: bool, team: str = "", is_spam: bool = False) -> dict[str, Any]:
    """What the first decision says, whether it stays where the portal had put it, and what was answered to each proposal."""
    proposed = ticket.explanation.get("by", "")
    return {
        "team": team or ticket.team.slug,
        "kept": kept,
        "answers": proposals.first_decision(ticket, team=team or ticket.team.slug, is_spam=is_spam),
        "proposed_by": proposed,
        "rule": ticket.explanation.get("rule"),
        "topic": ticket.explanation.get("topic"),
        "actionable": True,
    }


def _awake(ticket: Ticket) -> str:
    return Status.NEW if ticket.triaged_at is None else Status.OPEN


def _topic(slug: str) -> Topic:
    topic = Topic.objects.filter(slug=slug, is_active=True).first()
    if topic is None:
        raise BadInput("There is no such topic. Choose one from the list.", errors=(_wrong("topic", "Unknown topic."),))
    return topic


def _prose(text: str, name: str) -> str:
    clean = clean_text(text if isinstance(text, str) else "", longest=LONGEST_NOTE)
    if not clean:
        raise BadInput("Write something first.", errors=(_wrong(name, "Write something first."),))
    return clean


def _moment(given: datetime | str, name: str) -> datetime:
    if isinstance(given, datetime):
        return given
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is not None:
            return moment
    except (TypeError, ValueError):
        pass
    message = "Write the time with its zone, as in 2026-03-31T18:00:00Z."
    raise BadInput(message, errors=(_wrong(name, message),))


def _wrong(path: str, message: str) -> InputError:
    return InputError(path, message)
