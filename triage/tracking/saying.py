"""What the private page says: a headline, five steps, what we did, and the log, each told by events and in the reader's language."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext, pgettext

from feedback_portal.accounts.models import User
from feedback_portal.marking import marked
from intake.models import Submission
from triage.improving import changes
from triage.lifecycle import DONE, Resolution, Status
from triage.models import Action, Event, Ticket
from triage.tracking import SHOWN, Journey, words

_OUTCOMES: Mapping[str, tuple[str, str]] = {
    Resolution.SHIPPED: (
        marked("We changed something because of what you told us."),
        marked("It is done, and you can read below what it was."),
    ),
    Resolution.ANSWERED: (
        marked("You have our answer."),
        marked("If it does not help you, write below and we look at it again."),
    ),
    Resolution.DECLINED: (
        marked("We decided not to change this."),
        marked("You can read the reason below, and tell us what we missed."),
    ),
    Resolution.NOT_REPRODUCIBLE: (
        marked("We looked for the fault and could not find it."),
        marked("If it is still there, tell us below when and how it shows."),
    ),
    Resolution.DUPLICATE: (
        marked("Others told us the same."),
        marked("We treat it together with theirs, and you hear what comes of it."),
    ),
    Resolution.SPAM: (
        marked("We closed this message."),
        marked("If we were wrong, write below and a person looks at it again."),
    ),
}


def page(found: Journey) -> dict[str, Any]:
    """The context of `tracking.html`, apart from the addresses of its forms."""
    headline, lead = _headline(found)
    item = found.item
    return {
        "reference": found.submission.reference,
        "sent_at": found.submission.received_at,
        "headline": headline,
        "lead": lead,
        "steps": _steps(found),
        "said": {
            "text": item.text or item.headline,
            "title": item.title if item.text else "",
            "language": item.declared_language,
        }
        if item
        else None,
        "did": _did(found),
        "others": [
            {"title": change.title, "text": change.numbers, "url": "/changes/"} for change in changes.published(most=3)
        ],
        "log": [entry for event in reversed(found.events) if (entry := _told(event, found))]
        or [_received(found.submission)],
    }


def _headline(found: Journey) -> tuple[str, str]:
    ticket = found.deciding
    if ticket is None:
        return (
            gettext("We received your feedback."),
            gettext("A person at our side reads it. Keep this page: it shows what happens next."),
        )
    team = ticket.team.name
    if over := [part.team.name for part in found.parts if part.status in DONE]:
        if len(over) == len(found.parts):
            return gettext("Everybody who worked on it is done."), gettext(
                "You read below what came of it at %(teams)s."
            ) % {"teams": _listed(over)}
        if ticket.status != Status.WAITING:
            still = _listed([part.team.name for part in found.parts if part.is_open])
            return gettext("%(teams)s still works on it.") % {"teams": still}, gettext(
                "%(teams)s is done already. You hear from us when all are."
            ) % {"teams": _listed(over)}
    if ticket.status in DONE:
        return _outcome(ticket.resolution)
    if found.voice is not None and found.voice.duplicate_of is not None:
        return _outcome(Resolution.DUPLICATE)
    if ticket.status == Status.WAITING:
        return gettext("We have a question for you."), gettext(
            "You find it below. Your answer goes straight to the person who asked."
        )
    if _action(found) is not None:
        return gettext("We are changing something because of it."), gettext(
            "%(team)s works on it, and you read here when it is done."
        ) % {"team": team}
    if ticket.status == Status.NEW and found.last(Event.Type.REOPENED) is None:
        return gettext("We received your feedback."), gettext("It is with %(team)s, where a person reads it next.") % {
            "team": team
        }
    if found.last(Event.Type.REOPENED) is not None and found.last(
        Event.Type.REOPENED, Event.Type.RESOLVED
    ) == found.last(Event.Type.REOPENED):
        return gettext("We took it up again."), gettext("%(team)s looks at it once more.") % {"team": team}
    return gettext("%(team)s is looking into it.") % {"team": team}, gettext(
        "You do not need to do anything. You can add something below."
    )


def _outcome(resolution: str) -> tuple[str, str]:
    headline, lead = _OUTCOMES.get(resolution, (marked("It has an outcome."), ""))
    return gettext(headline), gettext(lead)


def _steps(found: Journey) -> list[dict[str, Any]]:
    """Five steps, each done by an event and by nothing else; the first that is not done is where it stands now.

    A change under way is not done before its outcome is: the dot stays there until then.
    """
    ticket = found.deciding
    person = Event.Source.PERSON
    read = next((event for event in found.events if event.source == person and event.type in _READ), None)
    triaged = found.first(Event.Type.TRIAGED, Event.Type.MERGED)
    started = found.first(Event.Type.WORK_STARTED, Event.Type.ACTION_LINKED)
    over = ticket is not None and ticket.status in DONE
    action = _action(found)
    due = ""
    if action and action.due_at and not over:
        due = gettext("Expected %(day)s") % {"day": date_format(action.due_at, "LONG_DAY")}
    steps = [
        (gettext("Received"), _moment(found.submission.received_at), True),
        (
            (gettext("Read by %(person)s") % {"person": _first_name(read.person)})
            if read
            else gettext("Read by a person"),
            _moment_of(read),
            read is not None,
        ),
        (
            gettext("With %(teams)s")
            % {"teams": _listed([part.team.name for part in found.parts] or [ticket.team.name])}
            if ticket
            else gettext("With the right team"),
            _moment_of(triaged),
            triaged is not None,
        ),
        (
            gettext("Change under way") if action else gettext("Worked on"),
            due or _moment_of(started),
            over,
        ),
        (
            gettext("Done, and you know"),
            _moment(ended) if over and (ended := _ended(found, ticket)) else _how_we_tell(found),
            over,
        ),
    ]
    reached = next((place for place, (_, _, done) in enumerate(steps) if not done), len(steps))
    return [
        {"name": name, "detail": detail, "state": "done" if done else "now" if place == reached else "todo"}
        for place, (name, detail, done) in enumerate(steps)
    ]


def _ended(found: Journey, ticket: Ticket | None) -> datetime | None:
    """When the last team was done."""
    ends = [part.resolved_at for part in (*found.parts, ticket) if part is not None and part.resolved_at is not None]
    return max(ends, default=None)


_READ = frozenset(
    {
        Event.Type.TRIAGED,
        Event.Type.MERGED,
        Event.Type.REPLY,
        Event.Type.ROUTED,
        Event.Type.RESOLVED,
        Event.Type.WORK_STARTED,
    }
)


def _did(found: Journey) -> dict[str, Any] | None:
    """What we did, in the words of whoever did it; nothing where nobody has written anything yet."""
    ticket = found.deciding
    if ticket is None:
        return None
    if found.parts and all(part.status in DONE for part in found.parts):
        told = [f"{part.team.name}: {part.resolution_reason}" for part in found.parts if part.resolution_reason]
        return {"heading": gettext("We did"), "paragraphs": told, "who": None} if told else None
    resolved = found.last(Event.Type.RESOLVED) if ticket == found.voice else None
    if ticket.status in DONE and ticket.resolution_reason:
        heading = gettext("We decided") if ticket.resolution == Resolution.DECLINED else gettext("We did")
        who = _face(resolved.person, ticket) if resolved and resolved.person else None
        return {"heading": heading, "paragraphs": _paragraphs(ticket.resolution_reason), "who": who}
    reply = found.last(Event.Type.REPLY)
    if reply is None:
        return None
    who = _face(reply.person, ticket) if reply.person else None
    return {"heading": gettext("We wrote"), "paragraphs": _paragraphs(str(reply.data.get("text", ""))), "who": who}


def _told(event: Event, found: Journey) -> dict[str, Any] | None:
    """One entry of the log; None for what customers do not see."""
    if event.type not in SHOWN:
        return None
    title = _TITLES[event.type](event)
    done = next((part for part in found.parts if part.pk == event.ticket_id), None)
    if done is not None and event.type == Event.Type.RESOLVED:
        title = gettext("%(team)s is done with its part") % {"team": done.team.name}
    return {"at": event.occurred_at, "title": title, "text": words(event).get("text", "")} if title else None


def _triaged(event: Event) -> str:
    return (
        (gettext("%(person)s read your message") % {"person": _first_name(event.person)})
        if event.person
        else gettext("Your message reached its team")
    )


def _routed(event: Event) -> str:
    # Where the portal itself laid it first is said by the step; a person who sends it on is news.
    return (
        (gettext("%(person)s sent it to the team that can act") % {"person": _first_name(event.person)})
        if event.person
        else ""
    )


def _scored(event: Event) -> str:
    value = event.data.get("value")
    if event.data.get("kind") == "still_fixed":
        return gettext("You said that it stayed fixed") if value else gettext("You said that it did not stay fixed")
    return gettext("You rated how we handled it: %(value)s of 5") % {"value": value}


_TITLES: Mapping[str, Callable[[Event], str]] = {
    Event.Type.RECEIVED: lambda event: gettext("We received your feedback"),
    Event.Type.REPLY: lambda event: gettext("%(person)s wrote to you") % {"person": _first_name(event.person)},
    Event.Type.TRIAGED: _triaged,
    Event.Type.ROUTED: _routed,
    Event.Type.SPLIT: lambda event: gettext("Another team works on it as well"),
    Event.Type.MERGED: lambda event: gettext("Others told us the same, so it is treated as one problem"),
    Event.Type.UNMERGED: lambda event: gettext("It is treated by itself again"),
    Event.Type.WAITING: lambda event: gettext("We wait for your answer"),
    Event.Type.CUSTOMER_REPLIED: lambda event: gettext("You added something"),
    Event.Type.ACTION_LINKED: lambda event: gettext("It became part of a planned change"),
    Event.Type.WORK_STARTED: lambda event: gettext("Work on the change began"),
    Event.Type.RESOLVED: lambda event: _outcome(str(event.data.get("resolution")))[0].rstrip("."),
    Event.Type.REOPENED: lambda event: gettext("We took it up again"),
    Event.Type.CUSTOMER_TOLD: lambda event: gettext("We wrote to you about the outcome"),
    Event.Type.SCORE: _scored,
}


def _received(submission: Submission) -> dict[str, Any]:
    return {"at": submission.received_at, "title": gettext("We received your feedback"), "text": ""}


def _action(found: Journey) -> Action | None:
    """The change under way that answers it: linked now, not withdrawn."""
    numbers = [ticket.pk for ticket in (found.voice, found.deciding) if ticket is not None]
    links = Action.objects.filter(
        links__ticket__in=numbers, links__unlinked_at=None, withdrawn_at=None, shipped_at=None
    )
    return links.order_by("pk").first() if numbers else None


def _how_we_tell(found: Journey) -> str:
    item = found.item
    writes = item is not None and item.may_contact and item.customer is not None and not item.customer.opted_out_at
    return gettext("We write to you") if writes else gettext("You see it on this page")


def _first_name(person: User | None) -> str:
    return person.name.split()[0] if person is not None and person.name.split() else gettext("A person")


def _face(person: User, ticket: Ticket) -> dict[str, Any]:
    return {"name": str(person), "initials": person.initials, "colour": person.colour, "team": ticket.team.name}


def _listed(names: Sequence[str]) -> str:
    if len(names) < 2:
        return "".join(names)
    # Between the names of a list, but not before the last.
    comma = pgettext("list", ", ")
    return gettext("%(names)s and %(last)s") % {"names": comma.join(names[:-1]), "last": names[-1]}


def _paragraphs(text: str) -> list[str]:
    return [part.strip() for part in text.split("\n\n") if part.strip()]


def _moment(at: datetime) -> str:
    return date_format(timezone.localtime(at), "MOMENT")


def _moment_of(event: Event | None) -> str:
    return _moment(event.occurred_at) if event else ""
