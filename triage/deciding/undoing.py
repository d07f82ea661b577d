"""The way back: what was decided in the last day is taken back, or done again, step by step, as it was written down.

The newest act that stands is taken back first. Who wants an older one back is told which one stands in the way.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db import connection
from django.db.models import F
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.codes import action_number
from feedback_portal.marking import marked
from triage import duplicates, merging, notifications, siblings
from triage.deeds import sentence_of
from triage.journal import Deed, NotNow, Step, restore, stale, write
from triage.models import ActionLink, Event, NotTheSame, Ticket
from triage.telling import notices

WITHIN: Final = timedelta(hours=24)
MOST_SHOWN: Final = 100

_STANDING = {"version__isnull": False, "undone_by": None}
# What has left the portal, or has made another ticket, is done by its own verb once more.
_NOT_AGAIN = {
    Event.Type.REPLY: marked("A message is not sent again by itself. Write it again."),
    Event.Type.SPLIT: marked("Split it again, for the other team's ticket is gone."),
    Event.Type.UNMERGED: marked("Take the merge apart again."),
}


@dataclass(frozen=True)
class Act:
    """One decision on one ticket: the events that share the version it made, oldest first."""

    ticket: Ticket
    events: tuple[Event, ...]

    @property
    def first(self) -> Event:
        return self.events[0]

    @property
    def version(self) -> int:
        return self.first.version or 0


def undo(ticket: Ticket, *, by: Actor, at: datetime, act: int | None = None) -> None:
    """Take back the last decision on this ticket that stands, or the one that made its version `act`, with the message it
    wrote if that has not gone out. One's own, or as their lead anybody's, within a day; `NotNow` says what stands in the way."""
    merging.hold()
    taken = _to_take_back(ticket, act, by=by, at=at)
    if not restore([Step(ticket.pk, ticket.version, taken.version)], by=by, at=at):
        raise stale(ticket)
    restore_tags([(ticket.pk, taken.version)], at=at)
    _restore_links(taken, at)
    merging.lead_anew(ticket)
    for event in taken.events:
        if event.type in {Event.Type.UNMERGED, Event.Type.DISMISSED} and "item" in event.data:
            duplicates.take_back(ticket.item_id, event.data["item"], at=event.occurred_at)
    siblings.take_back(ticket, taken.events)
    notifications.withdraw(ticket, version=taken.version)
    notices.withdraw(ticket, version=taken.version)


def redo(ticket: Ticket, *, by: Actor, at: datetime) -> None:
    """Do again what was taken back last, if nothing was decided since."""
    last = ticket.events.filter(version=ticket.version, type=Event.Type.UNDONE).select_related("undoes", "person")
    undone = list(last.order_by("id"))
    if not undone or "before" not in undone[0].data:
        raise NotNow(gettext("There is nothing to do again here."))
    if not _is_answerable(undone[0], by=by):
        raise NotNow(
            gettext("%(deed)s. Only who took it back can do it again; decide anew instead.")
            % {"deed": sentence_of(undone[0])}
        )
    if undone[0].occurred_at < at - WITHIN:
        raise NotNow(gettext("This was taken back more than a day ago. Decide anew instead."))
    again = [event.undoes for event in undone if event.undoes is not None]
    for event in again:
        if event.type in _NOT_AGAIN:
            raise NotNow(gettext(_NOT_AGAIN[Event.Type(event.type)]))
    merging.hold()
    events = [
        (event.type, {name: value for name, value in event.data.items() if name != "before"} | {"again": True})
        for event in again
    ]
    if not write([Deed(ticket, events, undone[0].data["before"])], by=by, at=at):
        raise stale(ticket)
    merging.lead_anew(ticket)
    restore_tags([(ticket.pk, ticket.version)], at=at, back=False)
    for event in again:
        number = action_number(event.data.get("action") or "")
        if event.type == Event.Type.ACTION_LINKED and number:
            ActionLink.objects.get_or_create(
                action_id=number, ticket=ticket, unlinked_at=None, defaults={"person": by.user, "linked_at": at}
            )
        elif event.type == Event.Type.ACTION_UNLINKED and number:
            ActionLink.objects.filter(action=number, ticket=ticket, unlinked_at=None).update(unlinked_at=at)
        elif event.type == Event.Type.DISMISSED and "item" in event.data:
            because = NotTheSame.Because.DISMISSED
            duplicates.tell_apart(ticket.item_id, event.data["item"], because=because, by=by, at=at)


def acts(*, by: Actor, at: datetime, people: Sequence[int] | None = None) -> list[Act]:
    """What was decided within the day on single tickets, newest first: one's own acts, or with `people` theirs on the tickets of
    one's teams. Acts of a bulk stand with the bulk."""
    rows = Event.objects.filter(occurred_at__gt=at - WITHIN, version__isnull=False).exclude(type=Event.Type.UNDONE)
    rows = rows.exclude(data__has_key="bulk")
    if people is None:
        rows = rows.filter(person=by.user)
    else:
        rows = rows.filter(person__in=people)
        if not by.sees_everything:
            rows = rows.filter(ticket__team__in=by.team_ids)
    shown = rows.select_related("ticket__team", "ticket__item", "person", "key", "item__customer").defer("item__text")
    together: dict[tuple[int, int], list[Event]] = defaultdict(list)
    for event in shown.prefetch_related("undone_by").order_by("-occurred_at", "-id")[: 3 * MOST_SHOWN]:
        if event.ticket_id is not None:
            together[event.ticket_id, event.version or 0].append(event)
    found = []
    for events in list(together.values())[:MOST_SHOWN]:
        assert events[0].ticket is not None
        found.append(Act(events[0].ticket, tuple(sorted(events, key=lambda event: event.pk))))
    return found


def newest(*, by: Actor, at: datetime, undone: bool = False) -> Event | None:
    """One's own last decision on a single ticket that stands, or with `undone` what one took back last and nothing has followed."""
    rows = Event.objects.filter(person=by.user, occurred_at__gt=at - WITHIN, **_STANDING)
    rows = rows.exclude(data__has_key="bulk").select_related("ticket").order_by("-id")
    if undone:
        return rows.filter(type=Event.Type.UNDONE, version=F("ticket__version")).first()
    return rows.exclude(type=Event.Type.UNDONE).first()


def in_the_way(found: Sequence[Act]) -> dict[tuple[int, int], Event]:
    """By ticket and version of each act: the oldest decision since that stands, in one statement. Its person and key are loaded."""
    tickets = {act.ticket.pk for act in found}
    standing: dict[int, list[Event]] = defaultdict(list)
    rows = Event.objects.filter(ticket__in=tickets, **_STANDING).exclude(type=Event.Type.UNDONE)
    for event in rows.select_related("person", "key", "item__customer").order_by("version", "id"):
        standing[event.ticket_id or 0].append(event)
    ways = {}
    for act in found:
        later = next((one for one in standing[act.ticket.pk] if (one.version or 0) > act.version), None)
        if later is not None:
            ways[act.ticket.pk, act.version] = later
    return ways


def restore_tags(done: Sequence[tuple[int, int]], *, at: datetime, back: bool = True) -> None:
    """Take off what these acts (ticket, version) tagged, and put on what they took off; without `back`, do both again."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE triage_tagging g SET removed_at = CASE WHEN (e.type = %s) = %s THEN %s ELSE NULL END"
            " FROM unnest(%s::bigint[], %s::int[]) AS w(ticket, act)"
            " JOIN triage_event e ON e.ticket_id = w.ticket AND e.version = w.act AND e.type IN ('tagged', 'untagged')"
            " JOIN triage_topic topic ON topic.slug = e.data->>'topic'"
            " WHERE g.item_id = e.item_id AND g.topic_id = topic.id",
            ["tagged", back, at, [ticket for ticket, _ in done], [version for _, version in done]],
        )


def _to_take_back(ticket: Ticket, wanted: int | None, *, by: Actor, at: datetime) -> Act:
    rows = ticket.events.filter(**_STANDING).exclude(type=Event.Type.UNDONE).select_related("person", "key")
    standing = list(rows.filter(version__gte=wanted or 0).order_by("-version", "id")[:50])
    version = wanted or (standing[0].version if standing else None)
    events = tuple(event for event in standing if event.version == version)
    if not events or events[0].data.get("before") is None:
        raise NotNow(gettext("There is nothing to take back here."))
    later = [event for event in standing if (event.version or 0) > (version or 0)]
    if later:
        raise NotNow(
            gettext("%(deed)s since. Take that back first, or decide anew.") % {"deed": sentence_of(later[-1])}
        )
    if not _is_answerable(events[0], by=by):
        raise NotNow(
            gettext("%(deed)s since. Only one's own decisions can be taken back; decide anew instead.")
            % {"deed": sentence_of(events[0])}
        )
    if events[0].occurred_at < at - WITHIN:
        raise NotNow(gettext("This was decided more than a day ago. Decide anew instead of taking back."))
    is_said = any(event.type == Event.Type.REPLY for event in events)
    if is_said and events[0].occurred_at < at - notifications.SEND_DELAY:
        raise NotNow(
            gettext("Your words have gone out to the customer, so they cannot be taken back. Write to them again.")
        )
    return Act(ticket, events)


def _is_answerable(event: Event, *, by: Actor) -> bool:
    """Whether it is this person's own, or that of somebody whose team they lead."""
    if by.user is None or event.person_id is None:
        return False
    return event.person_id == by.user.pk or by.answers_for(event.person_id)


def _restore_links(act: Act, at: datetime) -> None:
    for event in act.events:
        rows = ActionLink.objects.filter(ticket=act.ticket, action=action_number(event.data.get("action") or ""))
        if event.type == Event.Type.ACTION_LINKED:
            rows.filter(unlinked_at=None).update(unlinked_at=at)
        elif event.type == Event.Type.ACTION_UNLINKED:
            rows.filter(pk__in=rows.order_by("-pk").values("pk")[:1]).update(unlinked_at=None)
