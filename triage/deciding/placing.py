"""Where a ticket belongs, who has it, and what it is about: the first decisions on it, and those that correct them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError
from triage import inputs, proposals, track_record
from triage.deadlines import Deadlines, topics_of
from triage.journal import NotNow, move, touch
from triage.lifecycle import Status, Verb, WhyNot, WhyRouted
from triage.models import Event, Tagging, Ticket, Topic
from triage.routing.workload import Crew


def accept(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take the suggestion: it stays with this team and keeps its suggested tags."""
    if ticket.status != Status.NEW:
        raise NotNow(f"{ticket.reference} was decided already. Route it if it should go elsewhere.")
    kept = _standing(ticket)
    said = triaged(ticket, kept=True)
    said["answers"] += proposals.tags(track_record.named(kept, at=at), kept=True)
    said["topics"] = sorted(each.topic.slug for each in kept)
    move(ticket, Verb.ROUTE, [(Event.Type.TRIAGED, said)], by=by, at=at)


def dismiss(ticket: Ticket, *, by: Actor, at: datetime, because: str = "") -> None:
    """Not this: the proposal is not shown again on this ticket, and was not kept. `because` is one of `WhyNot`, or nothing.
    A ticket that was put out of the way as spam comes back to its place."""
    if because and because not in WhyNot.values:
        known = ", ".join(WhyNot.values)
        raise BadInput(f"Choose a reason: {known}.", errors=(InputError("because", "Unknown reason."),))
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


def route(ticket: Ticket, *, by: Actor, at: datetime, team: str, because: str = "", note: str = "") -> None:
    """Give it to a team; its stage becomes the team's, and nobody there has it yet. `because` is one of `WhyRouted`, from
    which the portal learns where such items belong."""
    if because and because not in WhyRouted.values:
        known = ", ".join(WhyRouted.values)
        raise BadInput(f"Choose a reason: {known}.", errors=(InputError("because", "Unknown reason."),))
    target = Team.objects.filter(slug=team, is_active=True).select_related("stage").first()
    if target is None:
        raise BadInput(
            "There is no such team. Choose one from the list.", errors=(InputError("team", "Unknown team."),)
        )
    if target.pk != ticket.team_id and Ticket.objects.filter(item=ticket.item_id, team=target).exists():
        raise BadInput(
            f"{target.name} has a ticket for this item already. Resolve yours, or note there what is missing."
        )
    before = ticket.team.slug
    events = []
    if ticket.triaged_at is None:
        events.append((Event.Type.TRIAGED, triaged(ticket, kept=target.pk == ticket.team_id, team=target.slug)))
    if target.pk != ticket.team_id:
        said = {"because": because, "reason": f"{WhyRouted(because).label}."} if because else {}
        events.append((Event.Type.ROUTED, {"team": target.slug, "from": before, "by": "person", **said}))
    if not events:
        raise NotNow(f"{ticket.reference} is with {target.name} already. Choose another team.")
    if note:
        events.append((Event.Type.NOTED, {"text": inputs.written(note, "note")}))
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
        raise BadInput(message, errors=(InputError("assignee", message),))
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
        raise BadInput("A severity is a number from 1 to 4.", errors=(InputError("value", "Write 1, 2, 3 or 4."),))
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


def triaged(ticket: Ticket, *, kept: bool, team: str = "", is_spam: bool = False) -> dict[str, Any]:
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


def _give(ticket: Ticket, person: User | None, by: Actor, at: datetime, **said: str) -> None:
    told = {"to": person.email if person else None, **said}
    events: list[tuple[str, dict[str, Any]]] = [(Event.Type.ASSIGNED, told)]
    if person is None or ticket.status not in {Status.NEW, Status.OPEN}:
        touch(ticket, events, assignee=person, by=by, at=at)
        return
    # Who takes it has looked at it and keeps it here, which is a decision.
    if ticket.triaged_at is None:
        events.insert(0, (Event.Type.TRIAGED, triaged(ticket, kept=True)))
    move(ticket, Verb.CLAIM, events, assignee=person, by=by, at=at)


def _standing(ticket: Ticket) -> list[Tagging]:
    """The tags of its item, surest first."""
    rows = Tagging.objects.standing().filter(item=ticket.item_id).select_related("topic")
    return list(rows.order_by("-confidence", "pk"))


def _topic(slug: str) -> Topic:
    topic = Topic.objects.filter(slug=slug, is_active=True).first()
    if topic is None:
        raise BadInput(
            "There is no such topic. Choose one from the list.", errors=(InputError("topic", "Unknown topic."),)
        )
    return topic
