"""What a decision would do to each of many tickets: whatever must be read for it is read at once, and nothing is written.

A verb for one ticket is its plan for one, written down. A refusal stands where a ticket cannot take the decision; arguments that are
wrong for all of them are `BadInput`, for no ticket at all too.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, Final, TypeAlias

from django.db import connection
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, InputError, Refused
from triage import inputs, proposals, track_record
from triage.deadlines import Deadlines
from triage.journal import Deed, NotNow, moving
from triage.lifecycle import Status, Verb, WhyRouted
from triage.models import Event, Tagging, Ticket, Topic
from triage.models.tickets import among
from triage.routing.reasons import kept

LONGEST_SNOOZE: Final = timedelta(days=366)

Planned: TypeAlias = list[Deed | Refused]
"""In the order of the tickets, which must be loaded with their teams."""


def accept(tickets: Sequence[Ticket], *, by: Actor, at: datetime) -> Planned:
    """Keep them where they are, with their tags as proposed."""
    there, poor = standing(tickets), track_record.not_worth_proposing(at=at)

    def deed(ticket: Ticket) -> Deed:
        if ticket.status != Status.NEW:
            raise NotNow(
                gettext("%(reference)s was decided already. Route it if it should go elsewhere.")
                % {"reference": ticket.reference}
            )
        kept = there[ticket.item_id]
        said = triaged(ticket, kept=True)
        said["answers"] += proposals.tags(track_record.named(kept, poor=poor), kept=True)
        said["topics"] = sorted(each.topic.slug for each in kept)
        return moving(ticket, Verb.ROUTE, [(Event.Type.TRIAGED, said)], at=at)

    return _each(tickets, deed)


def route(
    tickets: Sequence[Ticket], *, by: Actor, at: datetime, team: str, because: str = "", note: str = ""
) -> Planned:
    if because and because not in WhyRouted.values:
        known = ", ".join(WhyRouted.values)
        raise BadInput(
            gettext("Choose a reason: %(known)s.") % {"known": known},
            errors=(InputError("because", gettext("Unknown reason.")),),
        )
    target = Team.objects.filter(slug=team, is_active=True).select_related("stage").first()
    if target is None:
        raise BadInput(
            gettext("There is no such team. Choose one from the list."),
            errors=(InputError("team", gettext("Unknown team.")),),
        )
    words = inputs.written(note, "note") if note else ""
    elsewhere = [ticket.item_id for ticket in tickets if ticket.team_id != target.pk]
    taken = set(Ticket.objects.filter(item__in=among(elsewhere), team=target).values_list("item", flat=True))
    why = kept("person", who=by.name, team=target.name)

    def deed(ticket: Ticket) -> Deed:
        stays = ticket.team_id == target.pk
        if not stays and ticket.item_id in taken:
            raise BadInput(
                gettext("%(name)s has a ticket for this item already. Resolve yours, or note there what is missing.")
                % {"name": target.name}
            )
        events = []
        if ticket.triaged_at is None:
            events.append((Event.Type.TRIAGED, triaged(ticket, kept=stays, team=target.slug)))
        if not stays:
            said = {"because": because, "reason": f"{WhyRouted(because).label}."} if because else {}
            events.append((Event.Type.ROUTED, {"team": target.slug, "from": ticket.team.slug, "by": "person", **said}))
        if not events:
            raise NotNow(
                gettext("%(reference)s is with %(name)s already. Choose another team.")
                % {"reference": ticket.reference, "name": target.name}
            )
        if words:
            events.append((Event.Type.NOTED, {"text": words}))
        return moving(
            ticket,
            Verb.ROUTE,
            events,
            at=at,
            team=target,
            stage=target.stage,
            assignee_id=ticket.assignee_id if stays else None,
            explanation=ticket.explanation | {"by": "person", **why},
        )

    return _each(tickets, deed)


def claim(tickets: Sequence[Ticket], *, by: Actor, at: datetime) -> Planned:
    """Take them oneself."""
    if by.user is None:
        raise BadInput(gettext("Only a person can claim a ticket. Use `assign` with an address."))
    person = by.user

    def deed(ticket: Ticket) -> Deed:
        if ticket.assignee_id == person.pk:
            raise NotNow(gettext("%(reference)s is yours already.") % {"reference": ticket.reference})
        return giving(ticket, {"assignee": person}, {"to": person.email}, at=at)

    return _each(tickets, deed)


def tag(tickets: Sequence[Ticket], *, by: Actor, at: datetime, topic: str) -> Planned:
    """Put a topic on their items; `put_on` then does it for those that were written."""
    node, there = topic_of(topic), standing(tickets)

    def deed(ticket: Ticket) -> Deed:
        same = [each for each in there[ticket.item_id] if each.topic_id == node.pk]
        if any(each.source == Tagging.Source.PERSON for each in same):
            raise NotNow(gettext('It is tagged "%(name)s" already.') % {"name": node.name})
        said = {"topic": node.slug, "answers": proposals.tags(same, kept=True)}
        return Deed(ticket, [(Event.Type.TAGGED, said)], {})

    return _each(tickets, deed)


def severity(tickets: Sequence[Ticket], *, by: Actor, at: datetime, value: int | str) -> Planned:
    number = int(value) if str(value).isdecimal() and len(str(value)) == 1 else 0
    if not 1 <= number <= 4:
        raise BadInput(
            gettext("A severity is a number from 1 to 4."),
            errors=(InputError("value", gettext("Write 1, 2, 3 or 4.")),),
        )
    deadlines, there = Deadlines.load(), standing(tickets)

    def deed(ticket: Ticket) -> Deed:
        topics = frozenset(each.topic.slug for each in there[ticket.item_id])
        due = deadlines.due(ticket.received_at, team=ticket.team, topics=topics, severity=number)
        is_first = number != ticket.severity and not ticket.explanation.get("severity_by")
        answers = [proposals.of_severity(ticket).answered(kept=False)] if is_first else []
        return Deed(
            ticket,
            [(Event.Type.SEVERITY, {"value": number, "from": ticket.severity, "answers": answers})],
            {
                "explanation": ticket.explanation | {"severity_by": "person"},
                "severity": number,
                "rank": number - 1,
                "due_at": due.at if ticket.triaged_at is None else ticket.due_at,
            },
        )

    return _each(tickets, deed)


def snooze(tickets: Sequence[Ticket], *, by: Actor, at: datetime, until: datetime | str, **awaited: Any) -> Planned:
    moment = _moment(until, "until")
    if not at < moment <= at + LONGEST_SNOOZE:
        message = gettext("Choose a time between now and a year from now.")
        raise BadInput(message, errors=(InputError("until", message),))
    events = [(Event.Type.SNOOZED, {"until": moment.isoformat(), **awaited})]
    return _each(tickets, lambda ticket: moving(ticket, Verb.SNOOZE, events, at=at, snoozed_until=moment))


PLANS: Mapping[str, Callable[..., Planned]] = {
    plan.__name__: plan for plan in (accept, route, claim, tag, severity, snooze)
}
"""The verbs that many tickets can take at once."""


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


def giving(ticket: Ticket, changes: Mapping[str, Any], said: Mapping[str, Any], *, at: datetime) -> Deed:
    """Give it to a person. Who takes it has looked at it and keeps it here, which is a decision; giving it to nobody is none."""
    events: list[tuple[str, dict[str, Any]]] = [(Event.Type.ASSIGNED, dict(said))]
    if changes["assignee"] is None or ticket.status not in {Status.NEW, Status.OPEN}:
        return Deed(ticket, events, changes)
    if ticket.triaged_at is None:
        events.insert(0, (Event.Type.TRIAGED, triaged(ticket, kept=True)))
    return moving(ticket, Verb.CLAIM, events, at=at, **changes)


def standing(tickets: Sequence[Ticket]) -> Mapping[int, list[Tagging]]:
    """The tags of each of their items, surest first."""
    found: defaultdict[int, list[Tagging]] = defaultdict(list)
    rows = (
        Tagging.objects.standing().filter(item__in=among(ticket.item_id for ticket in tickets)).select_related("topic")
    )
    for tagging in rows.defer("evidence").order_by("-confidence", "pk"):
        found[tagging.item_id].append(tagging)
    return found


def put_on(items: Sequence[int], topic: Topic, *, by: Actor) -> None:
    """A person's tag on each of these items; one that was taken off comes back."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO triage_tagging (item_id, topic_id, source, confidence, evidence, made_by, person_id)"
            " SELECT item, %s, 'person', 1.0, '{}', %s, %s FROM unnest(%s::bigint[]) AS w(item)"
            " ON CONFLICT (item_id, topic_id) DO UPDATE SET removed_at = NULL, confidence = 1.0, source = 'person',"
            " made_by = excluded.made_by, person_id = excluded.person_id",
            [topic.pk, by.name[:80], by.user.pk if by.user else None, list(items)],
        )


def topic_of(slug: str) -> Topic:
    topic = Topic.objects.filter(slug=slug, is_active=True).first()
    if topic is None:
        raise BadInput(
            gettext("There is no such topic. Choose one from the list."),
            errors=(InputError("topic", gettext("Unknown topic.")),),
        )
    return topic


def _each(tickets: Sequence[Ticket], deed: Callable[[Ticket], Deed]) -> Planned:
    def planned(ticket: Ticket) -> Deed | Refused:
        try:
            return deed(ticket)
        except Refused as refused:
            return refused

    return [planned(ticket) for ticket in tickets]


def _moment(given: datetime | str, name: str) -> datetime:
    if isinstance(given, datetime):
        return given
    try:
        moment = datetime.fromisoformat(given)
        if moment.tzinfo is not None:
            return moment
    except (TypeError, ValueError):
        pass
    message = gettext("Write the time with its zone, as in 2026-03-31T18:00:00Z.")
    raise BadInput(message, errors=(InputError(name, message),))
