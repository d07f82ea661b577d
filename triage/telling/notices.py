"""What concerns a member of staff, written with the decision it is about; who is told of what, and where they read it.

A notice is written once under its key, in the transaction of what happened, and rings in the app unless its reader silenced the kind.
By mail they come together, in the reader's morning.
"""

import re
from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Final
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import transaction
from django.db.models import Q, QuerySet
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.models import Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import speaking
from feedback_portal.refusals import NotFound
from intake.cleaning import as_mail_line
from triage.models import Action, Notice, Notification, Preferences, Ticket

Kind = Notice.Kind
MAILED: Final = (Kind.MENTION.value, Kind.ESCALATION.value)
"""What comes by mail to whoever never chose."""
MOST_SHOWN: Final = 100
SEND_FROM: Final = 7
"""The hour of the reader's morning from which mail is sent."""
_MOST_CALLED = 20
_CALL = re.compile(r"(?<![\w@])@([\w.+-]+(?:@[\w.-]+\w)?)")
_OLDEST_MAILED = timedelta(days=3)
_AHEAD = timedelta(days=1)


def mentionable(team: Team | int) -> QuerySet[User]:
    """Who may be called in a note on a ticket of this team: everybody who sees it."""
    sees = Q(memberships__team=team) | Q(role__in=["manager", "admin"])
    return User.objects.filter(sees, is_active=True).distinct().order_by("name", "pk")


def handle(person: User) -> str:
    """How one is called: the part of the address before the @."""
    return person.email.partition("@")[0]


def tell_mentioned(ticket: Ticket, text: str, *, by: Actor, at: datetime) -> int:
    """Whoever is called in a note, as in "@mina", if they see the ticket; how many."""
    called = {found.lower().rstrip(".") for found in _CALL.findall(text)[:_MOST_CALLED]}
    if not called:
        return 0
    people = [
        person
        for person in mentionable(ticket.team_id)
        if {handle(person).lower(), person.email} & called and person != by.user
    ]
    return _write(Kind.MENTION, [(person.pk, ticket) for person in people], who=by.name, at=at)


def tell_assigned(ticket: Ticket, person: User, *, by: Actor, at: datetime) -> int:
    """Somebody else gave it to them."""
    return 0 if person == by.user else _write(Kind.ASSIGNED, [(person.pk, ticket)], who=by.name, at=at)


def tell_answered(ticket: Ticket, *, who: str, at: datetime) -> int:
    """The customer answered whoever has it."""
    return _write(Kind.REPLY, [(ticket.assignee_id, ticket)], who=who, at=at) if ticket.assignee_id else 0


def tell_late(told: Iterable[tuple[int, Ticket]], *, at: datetime) -> int:
    """These people answer for these tickets, whose time for the first decision is over."""
    rows = [
        Notice(
            person_id=person,
            kind=Kind.ESCALATION,
            ticket=ticket,
            once_key=f"escalation:{ticket.pk}:{ticket.due_at:%Y%m%dT%H%M%S}",
            happened_at=ticket.due_at,
        )
        for person, ticket in told
    ]
    return len(Notice.objects.bulk_create(rows, ignore_conflicts=True))


def tell_due(*, at: datetime) -> int:
    """Owners of actions that are due tomorrow, today, or were; once for each date."""
    today = timezone.localtime(at, timezone.get_default_timezone()).date()
    actions = Action.objects.filter(
        withdrawn_at=None, shipped_at=None, owner__is_active=True, due_at__lte=today + _AHEAD
    ).filter(due_at__gt=today - _OLDEST_MAILED)
    rows = [
        Notice(
            person=action.owner,
            kind=Kind.ACTION_DUE,
            action=action,
            once_key=f"action_due:{action.pk}:{action.due_at}",
            happened_at=at,
        )
        for action in actions.select_related("owner").order_by("pk")[:1_000]
        if action.owner is not None
    ]
    known = set(Notice.objects.filter(once_key__in=[row.once_key for row in rows]).values_list("person_id", "once_key"))
    fresh = [row for row in rows if (row.person_id, row.once_key) not in known]
    return len(Notice.objects.bulk_create(fresh, ignore_conflicts=True))


def of(person: User) -> QuerySet[Notice]:
    """What rings for them, newest first: without the kinds they silenced, and without tickets they may not see any more."""
    chosen = Preferences.objects.filter(person=person).first()
    rows = Notice.objects.filter(person=person).exclude(kind__in=chosen.silenced if chosen else ())
    by = Actor(user=person)
    if not by.sees_everything:
        rows = rows.filter(Q(ticket=None) | Q(ticket__team__in=by.team_ids))
        rows = rows.filter(Q(action=None) | Q(action__team__in=by.team_ids) | Q(action__owner=person))
    return rows.select_related("ticket__item", "action").defer("ticket__item__text", "ticket__explanation")


def read(number: int, *, person: User, at: datetime) -> Notice:
    """The notice, which has now been read."""
    notice = of(person).filter(pk=number).first()
    if notice is None:
        raise NotFound(gettext("There is no such notice, or what it was about is not with your teams any more."))
    Notice.objects.filter(pk=notice.pk, read_at=None).update(read_at=at)
    return notice


def read_all(*, person: User, at: datetime) -> int:
    return Notice.objects.filter(person=person).unread().update(read_at=at)


def sentence(notice: Notice) -> str:
    """What it says, in the language spoken now."""
    about = notice.ticket.reference if notice.ticket else notice.action.reference if notice.action else ""
    who = notice.who or gettext("Somebody")
    said = {
        Kind.MENTION: gettext("%(who)s mentioned you on %(about)s"),
        Kind.ASSIGNED: gettext("%(who)s gave %(about)s to you"),
        Kind.ESCALATION: gettext("Nobody decided about %(about)s in time"),
        Kind.REPLY: gettext("%(who)s answered on %(about)s"),
        Kind.ACTION_DUE: gettext("%(about)s is due"),
    }
    return said[Kind(notice.kind)] % {"who": who, "about": about}


def title(notice: Notice) -> str:
    return notice.ticket.item.headline if notice.ticket else notice.action.title if notice.action else ""


def mail_due(*, at: datetime) -> int:
    """Write the morning's mails: to each person whose morning it is, what they chose and have not read; how many mails. Doing it
    twice writes nothing twice."""
    waiting = Notice.objects.filter(mailed_at=None, read_at=None, happened_at__gt=at - _OLDEST_MAILED)
    people = User.objects.filter(pk__in=waiting.values("person"), is_active=True).select_related("preferences")
    count = 0
    for person in people.order_by("pk"):
        now = at.astimezone(ZoneInfo(person.time_zone or timezone.get_default_timezone_name()))
        if now.hour >= SEND_FROM:
            count += _mail(person, now.date(), at=at)
    return count


def _mail(person: User, today: date, *, at: datetime) -> int:
    chosen: Preferences | None = getattr(person, "preferences", None)
    kinds: Collection[str] = chosen.mailed if chosen else MAILED
    key = f"notices:{person.pk}:{today}"
    if Notification.objects.filter(once_key=key).exists():
        return 0
    rows = of(person).filter(mailed_at=None, read_at=None, kind__in=kinds, happened_at__gt=at - _OLDEST_MAILED)
    notices = list(rows.order_by("-happened_at", "-pk")[:MOST_SHOWN])
    if not notices:
        return 0
    with transaction.atomic(), speaking(person.language, settings.LANGUAGE_CODE):
        base = settings.BASE_URL.rstrip("/")
        together: dict[str, list[dict[str, str]]] = defaultdict(list)
        for notice in notices:
            together[str(Kind(notice.kind).label)].append(
                {"sentence": as_mail_line(sentence(notice)), "title": as_mail_line(title(notice))}
            )
        many = ngettext("One thing waits for you", "%(count)s things wait for you", len(notices))
        mail = Notification(
            kind=Notification.Kind.STAFF,
            once_key=key,
            recipient=person.email,
            subject=f"{settings.ORGANISATION}: {many % {'count': len(notices)}}"[:200],
            body=render_to_string(
                "mail/notices.txt",
                {
                    "organisation": settings.ORGANISATION,
                    "groups": list(together.items()),
                    "url": f"{base}/notices/",
                    "choose_url": f"{base}/triage/preferences/",
                },
            ),
        )
        Notification.objects.bulk_create([mail], ignore_conflicts=True)
        Notice.objects.filter(pk__in=[notice.pk for notice in notices]).update(mailed_at=at)
    return 1


def withdraw(ticket: Ticket, *, version: int) -> None:
    """What was told of a decision that is undone, and nobody has read."""
    Notice.objects.filter(ticket=ticket, once_key__endswith=f":{ticket.pk}:{version}").unread().delete()


def _write(kind: Kind, told: Sequence[tuple[int, Ticket]], *, who: str, at: datetime) -> int:
    rows = [
        Notice(
            person_id=person,
            kind=kind,
            ticket=ticket,
            who=who[:120],
            once_key=f"{kind}:{ticket.pk}:{ticket.version}",
            happened_at=at,
        )
        for person, ticket in told
    ]
    return len(Notice.objects.bulk_create(rows, ignore_conflicts=True)) if rows else 0
