"""Searches that people keep under a name, share, and are sent in the morning."""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Any, Final
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from django.conf import settings
from django.core import signing
from django.db import IntegrityError, transaction
from django.template.loader import render_to_string
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext

from feedback_portal.accounts.models import Team
from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import speaking
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound
from intake.cleaning import as_mail_line
from triage import inputs
from triage.finding import in_tab, matching, mentions_status, search
from triage.finding.counting import counts
from triage.models import Notification, SavedView, Subscription
from triage.models.saved_views import COLUMNS
from triage.models.tickets import QUEUE_ORDER

MOST: Final = 50
"""So many views one person keeps."""
MOST_SHOWN: Final = 12
"""So many stand in the rail."""
MOST_SENT: Final = 20
SEND_FROM: Final = 7
"""The hour of the reader's morning from which a digest is sent."""
_SALT = "triage.saved.unsubscribe"
_TABS = ("", "mine", "unclaimed", "all")


def shown(*, by: Actor, at: datetime) -> list[tuple[SavedView, int | None]]:
    """What stands in the rail, one's own first, each with how much it finds (None: that takes too long)."""
    views = sorted(
        SavedView.objects.visible_to(by).order_by("name", "pk")[: 2 * MOST_SHOWN],
        key=lambda view: (view.owner_id != (by.user.pk if by.user else 0), view.name.lower()),
    )[:MOST_SHOWN]
    found = []
    for view in views:
        try:
            found.append(in_tab(matching(search.parse(view.query), by, at=at), view.tab, by))
        except search.SearchError:  # a field that is gone since: it finds nothing, and says so when it is opened
            found.append(matching(search.EVERYTHING, by, at=at).none())
    return list(zip(views, counts(found), strict=True))


def find(number: int, *, by: Actor) -> SavedView:
    view = SavedView.objects.visible_to(by).select_related("owner", "team").filter(pk=number).first()
    if view is None:
        raise NotFound(gettext("There is no such view, or it is not shared with you."))
    return view


def save(view: SavedView | None, given: Mapping[str, Any], *, by: Actor) -> SavedView:
    """Keep a search under a name, or change how it is kept."""
    assert by.user is not None
    if view is not None:
        _own(view, by)
    elif SavedView.objects.filter(owner=by.user).count() >= MOST:
        raise BadInput(gettext("You keep %(most)s views already. Delete one of them first.") % {"most": MOST})
    values = inputs.read(given, _readers(by), required=("name",))
    if values.get("sharing") != SavedView.Sharing.TEAM:
        values["team"] = None
    elif values.get("team") is None:
        message = gettext("Choose the team that shares it.")
        raise BadInput(message, errors=(InputError("team", message),))
    row = view or SavedView(owner=by.user)
    for name, value in values.items():
        setattr(row, name, value)
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError:
        message = gettext("You have a view of this name. Choose another.")
        raise BadInput(message, errors=(InputError("name", message),)) from None
    return row


def delete(view: SavedView, *, by: Actor) -> None:
    _own(view, by)
    view.delete()


def subscribe(view: SavedView, every: str, *, by: Actor) -> None:
    """Be sent what it finds; nothing for `every` ends that."""
    assert by.user is not None
    if not every:
        Subscription.objects.filter(view=view, person=by.user).delete()
        return
    if every not in Subscription.Every.values:
        raise BadInput(gettext("Choose every morning or Mondays."), errors=(InputError("every", gettext("Unknown.")),))
    Subscription.objects.update_or_create(view=view, person=by.user, defaults={"every": every})


def unsubscribe(token: str, *, confirmed: bool) -> str:
    """The name of the view whose digest this link ends; it is ended only once that is confirmed."""
    try:
        number = int(signing.loads(token, salt=_SALT))
    except (signing.BadSignature, ValueError):
        raise NotFound(gettext("There is nothing here.")) from None
    row = Subscription.objects.select_related("view").filter(pk=number).first()
    if row is None:
        raise NotFound(gettext("This digest was ended already."))
    if confirmed:
        row.delete()
    return row.view.name


def send_due(*, at: datetime) -> int:
    """Write the digests whose morning it is; how many. Doing it twice writes nothing twice."""
    count = 0
    rows = Subscription.objects.filter(person__is_active=True).select_related("view", "person").order_by("pk")
    for row in rows.iterator():
        now = at.astimezone(_zone(row.person.time_zone))
        if now.hour < SEND_FROM or (row.sent_on is not None and row.sent_on >= _last_day(row, now.date())):
            continue
        if row.sent_on is None and row.every == Subscription.Every.WEEK and now.weekday() != 0:
            continue
        count += _send(row, now.date(), at=at)
    return count


def _last_day(row: Subscription, today: date) -> date:
    """The last day on which it was due."""
    return today if row.every == Subscription.Every.DAY else today - timedelta(days=today.weekday())


def _send(row: Subscription, today: date, *, at: datetime) -> int:
    by, view = Actor(user=row.person), row.view
    is_seen = SavedView.objects.visible_to(by).filter(pk=view.pk).exists()
    with transaction.atomic():
        if not Subscription.objects.filter(pk=row.pk, sent_on=row.sent_on).update(sent_on=today) or not is_seen:
            return 0
        with speaking(row.person.language, settings.LANGUAGE_CODE):
            Notification.objects.bulk_create([_digest(row, view, by, today, at=at)], ignore_conflicts=True)
    return 1


def _digest(row: Subscription, view: SavedView, by: Actor, today: date, *, at: datetime) -> Notification:
    try:
        query = search.parse(view.query)
        found = in_tab(matching(query, by, at=at), view.tab, by)
    except search.SearchError:
        query, found = search.EVERYTHING, matching(search.EVERYTHING, by, at=at).none()
    order = orders(view, ("-received_at", "-id") if mentions_status(query) else QUEUE_ORDER)
    tickets = found.select_related("item", "team").defer("item__text", "explanation").order_by(*order)[:MOST_SENT]
    (total,) = counts([found])
    base = settings.BASE_URL.rstrip("/")
    body = render_to_string(
        "mail/digest.txt",
        {
            "organisation": settings.ORGANISATION,
            "view": view.name,
            "total": "" if total is None else total if total < 1_000 else "999+",
            "tickets": [
                {"reference": ticket.reference, "title": as_mail_line(ticket.item.headline), "team": ticket.team.name}
                for ticket in tickets
            ],
            "url": f"{base}{address(view)}",
            "unsubscribe_url": base + reverse("triage:unsubscribe", args=[signing.dumps(row.pk, salt=_SALT)]),
        },
    )
    return Notification(
        kind=Notification.Kind.STAFF,
        once_key=f"view:{row.pk}:{today}",
        recipient=row.person.email,
        subject=f"{settings.ORGANISATION}: {view.name}"[:200],
        body=body,
    )


def address(view: SavedView) -> str:
    """Where it is opened."""
    told = {"q": view.query, "tab": view.tab, "view": str(view.pk)}
    return f"{reverse('triage:workbench')}?{urlencode({name: value for name, value in told.items() if value})}"


def orders(view: SavedView | None, otherwise: tuple[str, ...]) -> tuple[str, ...]:
    """The columns a list of this view is ordered by."""
    known = {
        SavedView.Order.URGENCY.value: QUEUE_ORDER,
        SavedView.Order.NEWEST.value: ("-received_at", "-id"),
        SavedView.Order.OLDEST.value: ("received_at", "id"),
    }
    return known.get(view.order, otherwise) if view else otherwise


def _own(view: SavedView, by: Actor) -> None:
    if not SavedView.objects.changeable_by(by).filter(pk=view.pk).exists():
        raise NotFound(gettext("This view is somebody else's. Keep the search under a name of your own."))


def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name or timezone.get_default_timezone_name())


def _readers(by: Actor) -> Mapping[str, inputs.Reader]:
    def team(given: Any) -> Team | None:
        if not given:
            return None
        found = Team.objects.filter(slug=given, is_active=True).first() if isinstance(given, str) else None
        if found is None or not by.may_see(found):
            raise ValueError(gettext("There is no such team, or you are not in it."))
        return found

    def query(given: Any) -> str:
        text = inputs.line(search.LONGEST_QUERY)(given)
        search.parse(text)
        return str(text)

    def columns(given: Any) -> Sequence[str]:
        return [name for name in inputs.lines(len(COLUMNS), 12)(given) if name in COLUMNS]

    return {
        "name": inputs.line(60, marked("Give it a name.")),
        "query": query,
        "tab": inputs.choice(_TABS),
        "colour": inputs.number(0, 6),
        "sharing": inputs.choice(SavedView.Sharing.values),
        "team": team,
        "order": inputs.choice(SavedView.Order.values),
        "columns": columns,
    }
