"""Every address of the URL conf, with objects of the running portal in its places, and people of every role to open them.

What a demo has no object for, `furnishing.py` makes.
"""

import http.cookiejar
import os
import sys
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

ROLES = ("admin", "manager", "lead", "agent", "nobody")
"""In this order: what an administrator sees is looked at whole, what others see where it is another page."""
MOST = 3
"""So many objects stand for all of their kind, where kinds of objects look different."""


@dataclass
class Place:
    """One route of the URL conf and what became of it: its addresses, or why it is no page."""

    route: str
    addresses: list[str] = field(default_factory=list)
    roles: dict[str, int] = field(default_factory=dict)
    kind: str = ""

    @property
    def is_page(self) -> bool:
        return self.kind == "page"


def connect() -> None:
    """Django with the database of the portal that PORTAL_STATE_DIR names."""
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "1"  # rows are read between clicks, and Playwright runs a loop of its own
    django.setup()


def places(visitors: "dict[str, Visitor]", wanted: Iterable[str]) -> list[Place]:
    """What became of these routes, each asked for by every role."""
    words = {piece: found for piece, found in _words().items() if found}
    return [_asked(Place(route, _filled(route, words)), visitors) for route in wanted]


def routes(resolver: Any = None, before: str = "") -> Iterator[str]:
    from django.urls import URLPattern, URLResolver, get_resolver

    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if route.startswith(("admin/", "api/docs/")):
            continue  # pages that come with Django and Swagger
        if isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        elif isinstance(pattern, URLPattern):
            yield route


def _filled(route: str, words: dict[str, list[str]]) -> list[str]:
    """A word stands for everything from the first `<` of its piece on."""
    found = [route]
    for piece in sorted(words, key=len, reverse=True):
        if f"/{piece}" in f"/{found[0]}":
            before = piece[: piece.index("<")]
            found = [one.replace(piece, before + word) for one in found for word in words[piece]]
    return [f"/{one}" for one in found if "<" not in one]


def _asked(place: Place, visitors: "dict[str, Visitor]") -> Place:
    if place.route.startswith("api/v1/"):
        place.kind = "for programs"
        return place
    if not place.addresses:
        place.kind = "no object of this kind"
        return place
    for role, visitor in visitors.items():
        status, kind, led = visitor.ask(place.addresses[0])
        place.roles[role] = status
        if status == 200 and not led and kind.startswith("text/html"):
            place.kind = "page"
        elif not place.kind and not (led.startswith("/sign-in/") or (role == "nobody" and status == 404)):
            place.kind = _why(status, kind, led)
    return place


def _why(status: int, kind: str, led: str) -> str:
    """Why an answer is no page."""
    if status == 405:
        return "answers a POST alone"
    if status == 200:
        return f"leads to {led}" if led else f"no page but {kind.partition(';')[0]}"
    return f"answers {status}"


class Visitor:
    """A browser without a screen, signed in as this person or as nobody."""

    def __init__(self, base: str, person: Any = None) -> None:
        self.base, self.person = base, person
        self.jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self.jar))
        if person:
            from django.utils import timezone

            from feedback_portal.accounts.models import SignInLink

            link = f"{base}/sign-in/{SignInLink.issue(person, at=timezone.now())}/"
            self._opener.open(link).read()
            token = next(cookie.value for cookie in self.jar if "csrf" in cookie.name)
            data = urllib.parse.urlencode({"csrfmiddlewaretoken": token}).encode()
            self._opener.open(urllib.request.Request(link, data, {"Referer": link})).read()  # noqa: S310 (our own portal)

    @property
    def cookies(self) -> list[dict[str, str]]:
        """As Playwright takes them."""
        return [{"name": each.name, "value": each.value or "", "url": self.base} for each in self.jar]

    def ask(self, address: str) -> tuple[int, str, str]:
        """The status, the kind of content, and where it led when that was somewhere else."""
        url = self.base + address
        try:
            with self._opener.open(url, timeout=60) as answer:
                led = "" if answer.url == url else answer.url.removeprefix(self.base)
                kind = answer.headers.get("Content-Type", "")
                if kind.startswith("text/html") and not answer.read(400).lstrip().lower().startswith(
                    b"<!doctype html>"
                ):
                    kind = "a piece of one"
                return answer.status, kind, led
        except urllib.error.HTTPError as refused:
            return refused.code, refused.headers.get("Content-Type", ""), ""


def visitors() -> dict[str, Visitor]:
    """Somebody of each role, with a team where the role has one."""
    from django.conf import settings
    from django.db.models import Count

    from feedback_portal.accounts.models import User

    found: dict[str, Visitor] = {}
    for role in ROLES:
        people = User.objects.filter(role=role, is_active=True).annotate(teams_of=Count("teams"))
        person = people.order_by("-teams_of", "pk").first()
        if person or role == "nobody":
            found[role] = Visitor(settings.BASE_URL, person)
    return found


def _words() -> dict[str, list[str]]:
    """For each piece of a route, the words of real objects that may stand there; the longest piece in a route is filled first."""
    from django.conf import settings
    from django.core import signing

    from feedback_portal.accounts import models as accounts
    from intake import models as intake
    from intake import receiving
    from kpis import models as kpis
    from kpis.definitions import definitions
    from triage import models as triage
    from triage.connecting.trackers import trackers
    from triage.desk.saved import _SALT
    from triage.views.workbench import FORMS

    admin = accounts.User.objects.filter(role="admin").first()
    tickets = triage.Ticket.objects.order_by("-pk").select_related("item__submission__channel")
    ticket = tickets.undecided().order_by("rank", "due_at", "pk").first() or tickets.first()
    mailed = tickets.filter(item__submission__channel__kind__icontains="mail").first()
    sent = intake.Submission.objects.filter(channel__kind="web_form").order_by("-pk").first()
    form = intake.Form.objects.filter(state="published").order_by("-pk").first()
    announced = triage.Announcement.objects.order_by("-pk").first()

    def one(rows: Any, name: str = "pk") -> list[str]:
        return [str(getattr(row, name)) for row in rows[:1]]

    def each(rows: Any, *by: str, name: str = "reference") -> list[str]:
        """One for every kind there is, by these fields."""
        found: dict[Any, Any] = {}
        for row in rows[:400]:
            found.setdefault(tuple(getattr(row, field) for field in by), row)
        return [str(getattr(row, name)) for row in list(found.values())[:MOST]]

    words: dict[str, list[str]] = {
        "sign-in/<str:token>": ["a-link-of-a-mail"],
        "f/<slug:slug>": one(intake.Form.objects.filter(pk=form.pk if form else 0), "slug"),
        "f/<slug:slug>/thanks/<str:token>": (
            [f"{sent.channel.slug}/thanks/{receiving.tracking_token(sent)}"] if sent else []
        ),
        "k/<slug:slug>": one(intake.Place.objects.order_by("pk"), "slug"),
        "t/<str:token>": [
            receiving.tracking_token(row.item.submission) for row in _one_of_each(tickets, "status", "resolution")
        ],
        "unsubscribe/<str:token>": [signing.dumps(row.pk, salt=_SALT) for row in triage.Subscription.objects.all()[:1]],
        "triage/<str:reference>": [ticket.reference] if ticket else [],
        "triage/<str:reference>/mail": [f"{mailed.reference}/mail"] if mailed else [],
        "triage/<str:reference>/<str:verb>": [f"{ticket.reference}/{verb}" for verb in FORMS] if ticket else [],
        "triage/bulk/<int:number>": one(triage.BulkAct.objects.order_by("-pk")),
        "triage/saved/<int:number>": one(triage.SavedView.objects.order_by("-pk")),
        "triage/files/<uuid:public_id>": one(intake.Attachment.objects.all(), "public_id"),
        "notices/<int:number>": one(triage.Notice.objects.filter(person=admin)),
        "actions/<str:reference>": each(triage.Action.objects.order_by("-pk"), "step"),
        "themes/<str:reference>": each(triage.Theme.objects.order_by("-size", "pk"), "state"),
        "signals/<str:reference>": each(kpis.Signal.objects.order_by("-raised_at", "-pk"), "kind"),
        "effects/<str:reference>": each(triage.Action.objects.filter(finding__isnull=False).order_by("-pk"), "step")[
            :1
        ],
        "stages/<slug:slug>": one(accounts.Stage.objects.order_by("position"), "slug"),
        "weeks/<slug:slug>": one(accounts.Team.objects.filter(tickets__isnull=False).order_by("slug"), "slug"),
        "teams/<slug:slug>": one(accounts.Team.objects.filter(tickets__isnull=False).order_by("slug"), "slug"),
        "topics/<slug:slug>": one(triage.Topic.objects.order_by("-taggings"), "slug"),
        "calendars/<slug:slug>": one(accounts.WorkCalendar.objects.all(), "slug"),
        "deadlines/<int:number>": one(triage.Target.objects.all()),
        "absences/<int:number>": one(accounts.Absence.objects.all()),
        "board/<int:number>": one(triage.BoardPost.objects.order_by("pk")),
        "audits/<int:number>": one(triage.AuditedItem.objects.all()),
        "rules/<int:number>": one(triage.Rule.objects.filter(versions__isnull=False).order_by("pk")),
        "versions/<int:version>": ["1"],
        "back-tests/<int:number>": one(triage.BackTest.objects.order_by("-pk")),
        "proposals/<int:number>": one(triage.RuleProposal.objects.all()),
        "reevaluation/<int:number>": one(triage.Reevaluation.objects.all()),
        "patterns/<int:number>": one(triage.Pattern.objects.order_by("pk")),
        "models/<int:number>": one(triage.ModelVersion.objects.all()),
        "train/<slug:field>": ["topic"],
        "outside/<slug:tagger>": ["topics"],
        "people/<int:number>": one(accounts.User.objects.filter(role="agent").order_by("pk")),
        "keys/<int:number>": one(accounts.ApiKey.objects.all()),
        "trackers/<int:number>": each(triage.TrackerProject.objects.order_by("pk"), "kind", name="pk"),
        "trackers/new/<slug:kind>": [tracker.slug for tracker in trackers.all()],
        "webhooks/<int:number>": [str(announced.subscriber_id)] if announced else one(triage.Subscriber.objects.all()),
        "sent/<int:place>": [str(announced.pk)] if announced else [],
        "channel-kinds/<slug:kind>": ["rest_api", "imap_mailbox", "zendesk"],
        "channels/<slug:slug>": each(intake.Channel.objects.order_by("pk"), "kind", name="slug"),
        "polls/<slug:slug>": one(intake.Channel.objects.filter(poll__isnull=False), "slug"),
        "calls/<int:number>": one(intake.Delivery.objects.all()),
        "places/<slug:slug>": one(intake.Place.objects.order_by("pk"), "slug"),
        "forms/<slug:slug>": one(intake.Form.objects.filter(pk=form.pk if form else 0), "slug"),
        "versions/<int:number>": ["1"],
        "customers/<int:number>": one(intake.Customer.objects.filter(items__isnull=False).order_by("pk")),
        "customers/files/<int:number>": one(intake.RelationFile.objects.order_by("-pk")),
        "imports/<uuid:number>": one(intake.Import.objects.order_by("-pk"), "public_id"),
        "sessions/<int:number>": one(intake.Session.objects.order_by("-pk")),
        "mail/<str:name>": [path.name for path in sorted(Path(settings.MAIL_DIR).glob("*.eml"))[-1:]],
        "kpis/people/<int:number>": one(accounts.User.objects.filter(role="agent").order_by("pk")),
        "definitions/<slug:slug>": ["csat"],
        "reports/<str:code>": one(kpis.Report.objects.order_by("-pk"), "code"),
        "kpis/<slug:slug>/items": ["csat/items"],
        "kpis/<slug:slug>": [kpi.slug for kpi in definitions.all()],
        "<slug:verb>": ["ship"],
        "<str:key>": ["no-key"],
    }
    return words


def _one_of_each(rows: Any, *by: str) -> list[Any]:
    found: dict[Any, Any] = {}
    for row in rows[:400]:
        found.setdefault(tuple(getattr(row, field) for field in by), row)
    return list(found.values())[:MOST]
