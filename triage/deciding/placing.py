"""Where a ticket belongs, who has it, and what it is about: the first decisions on it, and those that correct them."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.utils.translation import gettext

from feedback_portal.accounts.models import User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError
from triage import proposals, track_record
from triage.deciding import plans
from triage.journal import NotNow, settle, touch
from triage.lifecycle import Status, WhyNot
from triage.models import Event, Tagging, Ticket
from triage.routing.workload import Crew
from triage.telling import notices


def accept(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take the suggestion: it stays with this team and keeps its suggested tags."""
    settle(plans.accept([ticket], by=by, at=at), by=by, at=at)


def dismiss(ticket: Ticket, *, by: Actor, at: datetime, because: str = "") -> None:
    """Not this: the proposal is not shown again on this ticket, and was not kept. `because` is one of `WhyNot`, or nothing.
    A ticket that was put out of the way as spam comes back to its place."""
    if because and because not in WhyNot.values:
        known = ", ".join(WhyNot.values)
        raise BadInput(
            gettext("Choose a reason: %(known)s.") % {"known": known},
            errors=(InputError("because", gettext("Unknown reason.")),),
        )
    if ticket.status != Status.NEW or ticket.explanation.get("dismissed"):
        raise NotNow(gettext("There is no proposal on %(reference)s (any more).") % {"reference": ticket.reference})
    said = {name: ticket.explanation.get(name) for name in ("by", "rule", "topic")}
    if because:
        said |= {"because": because, "reason": f"{WhyNot(because).label}."}
    answers = proposals.turned_down(
        ticket, track_record.named(_standing(ticket), poor=track_record.not_worth_proposing(at=at)), because=because
    )
    events = [(Event.Type.DISMISSED, said | {"answers": answers})]
    # What is no spam stands where its severity puts it; out of the way was only for spam.
    rank = ticket.severity - 1 if ticket.explanation.get("by") == "spam" else ticket.rank
    touch(ticket, events, by=by, at=at, rank=rank, explanation=ticket.explanation | {"dismissed": True})


def route(ticket: Ticket, *, by: Actor, at: datetime, team: str, because: str = "", note: str = "") -> None:
    """Give it to a team; its stage becomes the team's, and nobody there has it yet. `because` is one of `WhyRouted`, from
    which the portal learns where such items belong."""
    settle(plans.route([ticket], by=by, at=at, team=team, because=because, note=note), by=by, at=at)
    notices.tell_mentioned(ticket, note, by=by, at=at)


def assign(ticket: Ticket, *, by: Actor, at: datetime, assignee: str = "") -> None:
    """Give it to a person of the team, by e-mail; to nobody when empty. Instead of somebody who is away their stand-in gets
    it, or else the team, and the event says so."""
    if not assignee:
        _give(ticket, None, by, at)
        return
    crew = Crew.load(at=at)
    person = crew.find(assignee)
    if person is None or not crew.may_have(person, ticket.team_id):
        message = gettext("Nobody with this address works for %(name)s. Choose one of its members.") % {
            "name": ticket.team.name
        }
        raise BadInput(message, errors=(InputError("assignee", message),))
    given = crew.instead_of(person, ticket.team_id)
    said = {"instead_of": person.email, "reason": given.reason} if given.reason else {}
    _give(ticket, User.objects.get(pk=given.person.pk) if given.person else None, by, at, **said)


def claim(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Take it oneself; a second claim by the same person lets it go."""
    if by.user is not None and ticket.assignee_id == by.user.pk:
        _give(ticket, None, by, at)
    else:
        settle(plans.claim([ticket], by=by, at=at), by=by, at=at)


def tag(ticket: Ticket, *, by: Actor, at: datetime, topic: str) -> None:
    """Put a topic on the item; one that somebody took off comes back."""
    settle(plans.tag([ticket], by=by, at=at, topic=topic), by=by, at=at)
    plans.put_on([ticket.item_id], plans.topic_of(topic), by=by)


def untag(ticket: Ticket, *, by: Actor, at: datetime, topic: str) -> None:
    """Take a topic off; no tagger will put it back."""
    node = plans.topic_of(topic)
    answers = proposals.tags((each for each in _standing(ticket) if each.topic_id == node.pk), kept=False)
    touch(ticket, [(Event.Type.UNTAGGED, {"topic": node.slug, "answers": answers})], by=by, at=at)
    if not Tagging.objects.standing().filter(item=ticket.item_id, topic=node).update(removed_at=at):
        raise NotNow(gettext('It is not tagged "%(name)s".') % {"name": node.name})


def tags(ticket: Ticket, *, by: Actor, at: datetime, topics: Sequence[str], were: Sequence[str] | None = None) -> None:
    """Set the item's topics to exactly these, as one decision. None at all says that no topic fits, which is learned from too.
    With `were`, the topics that the decider saw there, only what they put on or took off is done: a colleague's stay."""
    there = _standing(ticket)
    standing = {each.topic.slug for each in there}
    wanted = {plans.topic_of(slug).slug for slug in topics}
    if were is not None:
        there = [each for each in there if each.topic.slug in were]
        wanted = (wanted - set(were)) | (standing - (set(were) - wanted))
    events: list[tuple[str, dict[str, Any]]] = []
    events += [(Event.Type.TAGGED, {"topic": slug}) for slug in sorted(wanted - standing)]
    events += [(Event.Type.UNTAGGED, {"topic": slug}) for slug in sorted(standing - wanted)]
    if not (events or wanted or _fits_nothing(ticket)):
        events = [(Event.Type.UNTAGGED, {"topic": ""})]
    if not events:
        raise NotNow(gettext("The tags are like this already."))
    # Whoever sets the tags has looked at each of them: those they left were kept.
    answers = [proposals.tags([each], kept=each.topic.slug in wanted) for each in there]
    events[0][1]["answers"] = [answer for given in answers for answer in given]
    touch(ticket, events, by=by, at=at)
    for slug in wanted - standing:
        plans.put_on([ticket.item_id], plans.topic_of(slug), by=by)
    Tagging.objects.standing().filter(item=ticket.item_id, topic__slug__in=standing - wanted).update(removed_at=at)


def severity(ticket: Ticket, *, by: Actor, at: datetime, value: int | str) -> None:
    """1 somebody may be harmed … 4 a wish."""
    settle(plans.severity([ticket], by=by, at=at, value=value), by=by, at=at)


def _fits_nothing(ticket: Ticket) -> bool:
    """Whether the last word of a person on the topics of its item, which has none, was that none fits."""
    said = Event.objects.filter(item=ticket.item_id, type__in=[Event.Type.TAGGED, Event.Type.UNTAGGED])
    return said.filter(undone_by=None).exclude(person=None).exists()


def _give(ticket: Ticket, person: User | None, by: Actor, at: datetime, **said: str) -> None:
    told = {"to": person.email if person else None, **said}
    settle([plans.giving(ticket, {"assignee": person}, told, at=at)], by=by, at=at)
    if person is not None:
        notices.tell_assigned(ticket, person, by=by, at=at)


def _standing(ticket: Ticket) -> list[Tagging]:
    """The tags of its item, surest first."""
    return plans.standing([ticket])[ticket.item_id]
