"""Every address answers every role as the table says; an address that is not in the table fails the test."""

import io
from collections.abc import Iterator
from typing import Any

import pytest
from django.conf import settings as portal
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, Scope, Stage, WorkCalendar
from intake import importing, receiving, sessions
from intake.models import Channel, Form, Place
from kpis.models import Signal
from tests.makers import actor, make_customer, make_person, make_team, make_ticket
from triage.connecting import subscribers
from triage.models import (
    Action,
    BackTest,
    BulkAct,
    Notice,
    Pattern,
    Rule,
    RuleVersion,
    SavedView,
    Theme,
    ThemeMember,
    Topic,
    TrackerProject,
)

pytestmark = pytest.mark.django_db

ROLES = ("anonymous", "omar", "tariq", "lead", "manager", "admin")
"""Nobody; an agent of another team; an agent of the ticket's team; its lead; a manager; an administrator."""

OPEN = (200, 200, 200, 200, 200, 200)
STAFF = (302, 200, 200, 200, 200, 200)
TEAM = (302, 404, 200, 200, 200, 200)
HELD = (302, 404, 404, 200, 200, 200)
STEER = (302, 403, 403, 200, 200, 200)
SET_UP = (302, 403, 403, 403, 403, 200)
SET_UP_POST = (302, 403, 403, 403, 403, 405)
GONE = (404,) * 6
NEEDS_KEY = (401,) * 6

GET: dict[str, tuple[int, ...]] = {
    "healthz": OPEN,
    "readyz": OPEN,
    "metrics": OPEN,  # from this machine, as in this test; elsewhere with the token only
    "sign-in/": OPEN,
    "sign-in/<str:token>/": OPEN,
    "sign-out/": (405,) * 6,
    "own/": STAFF,
    "triage/": STAFF,
    "triage/next/": (302, 405, 405, 405, 405, 405),
    "triage/presence/": (302, 405, 405, 405, 405, 405),
    "triage/bulk/": (302, 405, 405, 405, 405, 405),
    "triage/bulk/<int:number>/": TEAM,  # of this world's bulk: who asked for it, and who answers for them
    "triage/bulk/<int:number>/<slug:verb>/": (302, 405, 405, 405, 405, 405),
    "triage/acts/": STAFF,
    "triage/complete/": STAFF,
    "triage/snippets/": STAFF,
    "triage/<str:reference>/snippets/": TEAM,
    "triage/preferences/": STAFF,
    "triage/palette/": STAFF,
    "notices/": STAFF,
    "notices/<int:number>/": (302, 404, 302, 404, 404, 404),  # this world's notice is Tariq's
    "triage/saved/": STAFF,
    "triage/saved/<int:number>/": TEAM,  # of this world's view: who keeps it, and with whom it is shared
    "unsubscribe/<str:token>/": GONE,  # a token of a digest only
    "triage/undo/": (302, 405, 405, 405, 405, 405),
    "triage/redo/": (302, 405, 405, 405, 405, 405),
    "triage/files/<uuid:public_id>/": (302, 404, 404, 404, 404, 404),
    "triage/<str:reference>/": (302, 404, 302, 302, 302, 302),
    "triage/<str:reference>/decide/": (302, 405, 405, 405, 405, 405),
    "triage/<str:reference>/undo/": (302, 405, 405, 405, 405, 405),
    "triage/<str:reference>/redo/": (302, 405, 405, 405, 405, 405),
    "triage/<str:reference>/mail/": (302, 404, 404, 404, 404, 404),  # this world's ticket did not come by mail
    "triage/<str:reference>/original/": (302, 405, 405, 405, 405, 405),
    "triage/<str:reference>/<str:verb>/": TEAM,
    "actions/": STAFF,
    "actions/new/": STAFF,
    "actions/<str:reference>/": TEAM,
    "actions/<str:reference>/record/": TEAM,
    "actions/<str:reference>/tell/": TEAM,
    "board/": GONE,  # closed unless somebody opens it
    "board/feed/": GONE,
    "board/<int:number>/": GONE,
    "board/<int:number>/me-too/": (405,) * 6,
    "themes/<str:reference>/board/": TEAM,
    "settings/board/": SET_UP,
    "changes/": OPEN,
    "changes/feed/": OPEN,
    "t/<str:token>/still-fixed/": (405,) * 6,
    "actions/<str:reference>/<slug:verb>/": (302, 405, 405, 405, 405, 405),
    "themes/": STAFF,
    "themes/priority/": STAFF,
    "themes/<str:reference>/": TEAM,
    "themes/<str:reference>/decision/": TEAM,
    "themes/<str:reference>/estimate/": (302, 405, 405, 405, 405, 405),
    "stages/": STAFF,
    "stages/<slug:slug>/gate/": STAFF,
    "weeks/": (302,) * 6,
    "weeks/<slug:slug>/": TEAM,
    "themes/<str:reference>/<slug:verb>/": (302, 405, 405, 405, 405, 405),
    "audits/": STAFF,
    "audits/settle/": STEER,
    "audits/<int:number>/": (302, 405, 405, 405, 405, 405),
    "t/<str:token>/": OPEN,
    "t/<str:token>/reply/": (405,) * 6,
    "t/<str:token>/rate/": (405,) * 6,
    "t/<str:token>/mail/": (405,) * 6,
    "t/<str:token>/delete/": (405,) * 6,
    "t/<str:token>/export/": OPEN,
    "settings/": SET_UP,
    "settings/topics/": SET_UP,
    "settings/topics/<slug:slug>/": SET_UP,
    "settings/teams/": SET_UP,
    "settings/teams/<slug:slug>/": SET_UP,
    "settings/deadlines/": SET_UP,
    "settings/deadlines/<int:number>/delete/": SET_UP_POST,
    "settings/calendars/": SET_UP,
    "settings/calendars/<slug:slug>/": SET_UP,
    "settings/calendars/<slug:slug>/delete/": SET_UP_POST,
    "settings/rules/": SET_UP,
    "settings/rules/new/": SET_UP,
    "settings/rules/<int:number>/": SET_UP,
    "settings/rules/<int:number>/<slug:verb>/": (302, 405, 405, 405, 405, 405),
    "settings/rules/<int:number>/versions/": SET_UP,
    "settings/rules/<int:number>/versions/<int:version>/": SET_UP,
    "settings/rules/<int:number>/versions/<int:version>/restore/": (302, 405, 405, 405, 405, 405),
    "settings/rules/back-tests/<int:number>/": SET_UP,
    "settings/rules/back-tests/<int:number>/cancel/": (302, 405, 405, 405, 405, 405),
    "settings/rules/proposals/<int:number>/<slug:verb>/": (302, 405, 405, 405, 405, 405),
    "settings/absences/": STAFF,
    "settings/absences/<int:number>/remove/": (302, 405, 405, 405, 405, 405),
    "settings/reevaluation/": SET_UP,
    "settings/reevaluation/<int:number>/undo/": (302, 405, 405, 405, 405, 405),
    "settings/patterns/": SET_UP,
    "settings/patterns/preview/": (302, 405, 405, 405, 405, 405),
    "settings/patterns/<int:number>/": SET_UP,
    "settings/models/": SET_UP,
    "settings/models/<int:number>/use/": (302, 405, 405, 405, 405, 405),
    "settings/models/<int:number>/pin/": (302, 405, 405, 405, 405, 405),
    "settings/models/train/<slug:field>/": (302, 405, 405, 405, 405, 405),
    "settings/models/outside/<slug:tagger>/": SET_UP,
    "settings/people/": SET_UP,
    "settings/people/<int:number>/": SET_UP,
    "settings/people/<int:number>/link/": (302, 405, 405, 405, 405, 405),
    "settings/keys/": SET_UP,
    "settings/keys/<int:number>/revoke/": (302, 405, 405, 405, 405, 405),
    "settings/customers/": SET_UP,
    "settings/customers/files/<int:number>/": (302, 403, 403, 403, 403, 404),  # this world sent none
    "settings/customers/files/<int:number>/cancel/": SET_UP_POST,
    "settings/customers/files/<int:number>/rows/": (302, 403, 403, 403, 403, 404),
    "settings/channels/": SET_UP,
    "settings/channel-kinds/<slug:kind>/": SET_UP,
    "settings/channels/<slug:slug>/": SET_UP,
    "settings/channels/<slug:slug>/switch/": SET_UP_POST,
    "settings/channels/<slug:slug>/address/": SET_UP_POST,
    "settings/channels/<slug:slug>/old-secrets/": SET_UP_POST,
    "settings/channels/<slug:slug>/calls/<int:number>/": SET_UP_POST,
    "settings/channels/<slug:slug>/passed-over/<int:number>/": SET_UP_POST,
    "imports/": SET_UP,
    "imports/<uuid:number>/": SET_UP,
    "imports/<uuid:number>/report/": SET_UP,
    "imports/<uuid:number>/<slug:verb>/": SET_UP_POST,
    "sessions/": STAFF,
    "sessions/<int:number>/": HELD,
    "sessions/<int:number>/notes/": HELD,
    "sessions/<int:number>/notes/new/": (405,) * 6,  # open to whoever has the token of its page
    "settings/channels/<slug:slug>/replay/": SET_UP,
    "settings/retention/": SET_UP,
    "settings/trackers/": SET_UP,
    "settings/trackers/new/<slug:kind>/": SET_UP,
    "settings/trackers/<int:number>/": SET_UP,
    "settings/trackers/<int:number>/<slug:verb>/": SET_UP_POST,
    "hooks/trackers/<str:key>/": (405,) * 6,
    "triage/<str:reference>/issues/": TEAM,
    "actions/<str:reference>/issues/": TEAM,
    "settings/webhooks/": SET_UP,
    "settings/webhooks/<int:number>/": SET_UP,
    "settings/webhooks/<int:number>/sent/<int:place>/": SET_UP,
    "settings/webhooks/<int:number>/<slug:verb>/": SET_UP_POST,
    "settings/data-requests/": SET_UP,
    "settings/customers/<int:number>/": SET_UP,
    "settings/customers/<int:number>/export/": (302, 405, 405, 405, 405, 405),
    "settings/customers/<int:number>/erase/": (302, 405, 405, 405, 405, 405),
    "settings/polls/": SET_UP,
    "settings/polls/<slug:slug>/": (302, 405, 405, 405, 405, 405),
    "settings/parked/": SET_UP,
    "settings/parked/replay/": (302, 405, 405, 405, 405, 405),
    "settings/held/": SET_UP,
    "settings/held/<int:number>/release/": (302, 405, 405, 405, 405, 405),
    "settings/forms/": SET_UP,
    "settings/forms/new/": SET_UP,
    "settings/forms/<slug:slug>/": SET_UP,
    "settings/forms/<slug:slug>/preview/": SET_UP,
    "settings/forms/<slug:slug>/sharing/": SET_UP,
    "settings/forms/<slug:slug>/versions/": SET_UP,
    "settings/forms/<slug:slug>/versions/<int:number>/": SET_UP,
    "dev/mail/": GONE,  # only in debug
    "dev/mail/<str:name>/": GONE,
    "": OPEN,
    "f/<slug:slug>/": OPEN,
    "f/<slug:slug>/thanks/<str:token>/": GONE,  # a token of this form only; this world's came by the API
    "f/<slug:slug>/thanks/<str:token>/proof/": (405,) * 6,
    "k/<slug:slug>/": OPEN,
    "k/<slug:slug>/leave/": (405,) * 6,
    "widget.js": OPEN,
    "offline.js": OPEN,
    "settings/places/": SET_UP,
    "settings/places/<slug:slug>/": SET_UP,
    "settings/places/<slug:slug>/poster/": SET_UP,
    "hooks/<str:key>/": GONE,  # a key is a channel's, and this world has no channel that is called
    "signals/": STAFF,
    "signals/<str:reference>/": TEAM,
    "signals/<str:reference>/items/": TEAM,
    "signals/<str:reference>/<slug:verb>/": (302, 405, 405, 405, 405, 405),
    "kpis/": STEER,
    "kpis/backlog/": STEER,
    "kpis/audit-results/": STEER,
    "kpis/annotations/": STEER,
    "kpis/saved/": STEER,
    "kpis/themes/": STEER,
    "kpis/teams/": STEER,
    "kpis/<slug:slug>/limits/": (302, 405, 405, 405, 405, 405),
    "kpis/<slug:slug>/range/": (302, 405, 405, 405, 405, 405),
    "kpis/people/<int:number>/": (302, 404, 404, 404, 404, 404),  # off unless switched on
    "kpis/integration/": STEER,
    "kpis/coverage/": STEER,
    "kpis/definitions/": STEER,
    "kpis/definitions/<slug:slug>/": STEER,
    "kpis/reports/": STEER,
    "kpis/reports/<str:code>/": (302, 404, 404, 404, 404, 404),  # this world has frozen none
    "kpis/reports/<str:code>/csv/": (302, 404, 404, 404, 404, 404),
    "kpis/proofs/": STEER,
    "kpis/<slug:slug>/items/export/": STEER,
    "kpis/<slug:slug>/weeks/": STEER,
    "kpis/effects/": STAFF,
    "kpis/effects/<str:reference>/items/": (302, 404, 404, 404, 404, 404),  # nothing was judged in this world
    "kpis/<slug:slug>/": STEER,
    "kpis/<slug:slug>/items/": STEER,
    "api/schema/": OPEN,
    "api/docs/": OPEN,
    "admin/": (302, 302, 302, 302, 302, 200),
} | dict.fromkeys(
    (
        "api/v1/feedback/",
        "api/v1/feedback/<uuid:public_id>/",
        "api/v1/customers/",
        "api/v1/customers/<int:number>/",
        "api/v1/customers/bulk/",
        "api/v1/exposures/",
        "api/v1/tickets/",
        "api/v1/tickets/<str:reference>/",
        "api/v1/tickets/<str:reference>/decisions/",
        "api/v1/tickets/<str:reference>/issues/",
        "api/v1/tickets/<str:reference>/issues/<int:number>/",
        "api/v1/suggestions/records/",
        "api/v1/actions/",
        "api/v1/actions/<str:reference>/",
        "api/v1/actions/<str:reference>/decisions/",
        "api/v1/actions/<str:reference>/issues/",
        "api/v1/actions/<str:reference>/issues/<int:number>/",
        "api/v1/themes/",
        "api/v1/themes/<str:reference>/",
        "api/v1/themes/<str:reference>/decisions/",
        "api/v1/topics/",
        "api/v1/topics/<slug:slug>/",
        "api/v1/teams/",
        "api/v1/teams/<slug:slug>/",
        "api/v1/rules/",
        "api/v1/rules/preview/",
        "api/v1/rules/<int:number>/",
        "api/v1/rules/<int:number>/versions/",
        "api/v1/rules/<int:number>/shadow/",
        "api/v1/reevaluations/",
        "api/v1/reevaluations/preview/",
        "api/v1/reevaluations/<int:number>/",
        "api/v1/rules/back-tests/",
        "api/v1/rules/back-tests/<int:number>/",
        "api/v1/webhooks/",
        "api/v1/webhooks/<int:number>/",
        "api/v1/webhooks/<int:number>/decisions/",
        "api/v1/webhooks/<int:number>/announcements/",
        "api/v1/patterns/",
        "api/v1/patterns/preview/",
        "api/v1/patterns/<int:number>/",
        "api/v1/feedback/bulk/",
        "api/v1/channels/",
        "api/v1/channels/<slug:slug>/",
        "api/v1/signals/",
        "api/v1/signals/<str:reference>/",
        "api/v1/signals/<str:reference>/decisions/",
        "api/v1/kpis/",
        "api/v1/kpis/<slug:slug>/",
        "api/v1/kpis/<slug:slug>/items/",
    ),
    NEEDS_KEY,
)


def routes(resolver: URLResolver | None = None, before: str = "") -> Iterator[str]:
    for pattern in (resolver or get_resolver()).url_patterns:
        route = before + str(pattern.pattern)
        if route.startswith("admin/"):
            yield "admin/"
        elif isinstance(pattern, URLResolver):
            yield from routes(pattern, route)
        elif isinstance(pattern, URLPattern):
            yield route


class World:
    """One team's ticket and action, and everybody who might look."""

    def __init__(self) -> None:
        quality, marketing = make_team("quality"), make_team("marketing")
        ana = make_customer()
        self.ticket = make_ticket(team=quality, at=timezone.now(), item_customer=ana)
        action = Action.objects.create(title="Re-seat the seal", team=quality)
        topic = Topic.objects.create(slug="leak", name="Leak")
        stage, _ = Stage.objects.get_or_create(slug="design", defaults={"name": "Design"})
        theme = Theme.objects.create(name="Leaks", topic=topic, state_at=timezone.now(), size=1)
        ThemeMember.objects.create(item=self.ticket.item, theme=theme)
        definition = {
            "version": 1,
            "when": {"field": "product", "op": "is", "value": "H4"},
            "then": [{"verb": "severity", "value": 2}],
        }
        rule = Rule.objects.create(name="H4", definition=definition)
        at = timezone.now()
        RuleVersion.objects.create(
            rule=rule,
            number=1,
            name="H4",
            position=100,
            definition=definition,
            is_enabled=True,
            is_shadow=False,
            changed_at=at,
        )
        tried = BackTest.objects.create(name="H4", position=1, definition=definition, items=1, asked_at=at)
        written = Pattern.objects.create(name="Plate", kind="batch", expression=r"H\d-\d{4}")
        feedback = Form.objects.get(slug="feedback")
        place = Place.objects.create(
            slug="lobby", name="Lobby", form=feedback, languages=["en", "de"], exit_code="2468"
        )
        key, _ = ApiKey.issue("a key", scopes=[Scope.KPIS_READ])
        people: dict[str, Any] = {
            "omar": make_person("Omar", marketing),
            "tariq": make_person("Tariq", quality),
            "lead": make_person("Mina", quality, role=Role.LEAD),
            "manager": make_person("Lena", role=Role.MANAGER),
            "admin": make_person("Ada", role=Role.ADMIN),
        }
        session = sessions.begin(
            kind="visit", title="Visit to the workshop", held_at=timezone.now(), by=people["admin"]
        )
        self.clients = {"anonymous": Client(raise_request_exception=False)}
        for name, person in people.items():
            self.clients[name] = Client(raise_request_exception=False)
            self.clients[name].force_login(person)
        signal = Signal.objects.create(
            key=f"theme:{theme.pk}",
            kind="rise",
            name="Leaks",
            team=quality,
            theme=theme,
            first_week=at.date(),
            last_week=at.date(),
            weeks=[{"week": at.date().isoformat(), "count": 6, "expected": 1.5, "p": 0.001, "window": 1}],
            raised_at=at,
            seen_at=at,
        )
        table = Channel.objects.create(slug="table", name="Table", kind="csv_file")
        run = importing.upload(table, io.BytesIO(b"text\nIt leaks\n"), name="said.csv")
        token = receiving.tracking_token(self.ticket.item.submission)
        hooked, _ = subscribers.create(
            {"name": "CRM", "url": "https://crm.example.com/hook", "kinds": ["ticket.routed"]},
            by=actor(people["admin"]),
            at=timezone.now(),
        )
        project = TrackerProject.objects.create(kind="github", name="Kettle")
        sent = subscribers.test(hooked, by=actor(people["admin"]), at=timezone.now())
        office = WorkCalendar.objects.create(
            slug="office", name="Office", time_zone="UTC", hours={"mon": [["09:00", "17:00"]]}
        )
        many = BulkAct.objects.create(person=people["tariq"], verb="accept", label="Accept what is proposed")
        kept = SavedView.objects.create(owner=people["tariq"], name="Ours", sharing="team", team=quality)
        told = Notice.objects.create(
            person=people["tariq"], kind="mention", ticket=self.ticket, once_key="mention:1:1", happened_at=at
        )
        self.words = {
            "notices/<int:number>": f"notices/{told.pk}",
            "saved/<int:number>": f"saved/{kept.pk}",
            "bulk/<int:number>": f"bulk/{many.pk}",
            "imports/<uuid:number>": f"imports/{run.public_id}",
            "<str:token>": token,
            "<str:key>": "no-key",
            "<slug:kind>": "rest_api",
            "<slug:field>": "topic",
            "<slug:tagger>": "topics",
            "<uuid:public_id>": str(self.ticket.item.submission.public_id),
            "<str:reference>": self.ticket.reference,
            "actions/<str:reference>": f"actions/{action.reference}",
            "signals/<str:reference>": f"signals/{signal.reference}",
            "effects/<str:reference>": f"effects/{action.reference}",
            "themes/<str:reference>": f"themes/{theme.reference}",
            "<str:verb>": "route",
            "<slug:verb>": "ship",
            "<str:name>": "a.eml",
            "<str:code>": "R-2026-01-0",
            "<int:number>": "1",
            "people/<int:number>": f"people/{people['tariq'].pk}",
            "keys/<int:number>": f"keys/{key.pk}",
            "rules/<int:number>": f"rules/{rule.pk}",
            "back-tests/<int:number>": f"back-tests/{tried.pk}",
            "proposals/<int:number>": "proposals/1",
            "<int:version>": "1",
            "patterns/<int:number>": f"patterns/{written.pk}",
            "webhooks/<int:number>": f"webhooks/{hooked.pk}",
            "trackers/<int:number>": f"trackers/{project.pk}",
            "trackers/new/<slug:kind>": "trackers/new/github",
            "<int:place>": str(sent.pk),
            "sessions/<int:number>": f"sessions/{session.pk}",
            "customers/<int:number>": f"customers/{ana.pk}",
            "topics/<slug:slug>": f"topics/{topic.slug}",
            "stages/<slug:slug>": f"stages/{stage.slug}",
            "weeks/<slug:slug>": f"weeks/{quality.slug}",
            "teams/<slug:slug>": f"teams/{quality.slug}",
            "channels/<slug:slug>": "channels/api",
            "polls/<slug:slug>": "polls/api",
            "calendars/<slug:slug>": f"calendars/{office.slug}",
            "kpis/<slug:slug>": "kpis/csat",
            "definitions/<slug:slug>": "definitions/csat",
            "f/<slug:slug>": "f/feedback",
            "k/<slug:slug>": f"k/{place.slug}",
            "places/<slug:slug>": f"places/{place.slug}",
            "settings/forms/<slug:slug>": "settings/forms/feedback",
        }

    def address(self, route: str) -> str:
        for pattern in sorted(self.words, key=len, reverse=True):
            route = route.replace(pattern, self.words[pattern])
        assert "<" not in route
        return f"/{route}"


def test_every_address_stands_in_the_table() -> None:
    assert set(routes()) == set(GET)


def test_every_address_answers_every_role_as_the_table_says() -> None:
    world = World()
    wrong = []
    for route, expected in GET.items():
        found = tuple(world.clients[role].get(world.address(route)).status_code for role in ROLES)
        if found != expected:
            wrong.append(f"{route}: {found}, expected {expected}")

    assert wrong == []


@pytest.mark.parametrize(
    "route", sorted(route for route in GET if not route.startswith(("api/", "admin/", "f/", "k/", "t/", "sign")))
)
def test_nothing_is_changed_by_somebody_who_may_not_see_it(route: str) -> None:
    """A POST by nobody, and by somebody of another team, is refused like the page itself."""
    world = World()
    address = world.address(route)

    anonymous = world.clients["anonymous"].post(address, {"verb": "accept", "reference": world.ticket.reference})
    omar = world.clients["omar"].post(address, {"verb": "accept", "reference": world.ticket.reference})

    assert anonymous.status_code in {302, 404, 405}
    if anonymous.status_code == 302:
        assert anonymous["Location"].startswith(portal.LOGIN_URL if portal.LOGIN_URL.startswith("/") else "/sign-in/")
    assert omar.status_code in {200, 302, 400, 403, 404, 405, 409, 422}
    world.ticket.refresh_from_db()
    assert (world.ticket.version, world.ticket.status) == (1, "new")
