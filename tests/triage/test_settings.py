"""Administrators set the portal up on pages; what is wrong is said in place, and secrets are shown once."""

import re
from io import StringIO
from typing import Any

import pytest
from django.contrib.auth import get_user
from django.core.management import call_command
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from feedback_portal.accounts.models import ApiKey, Role, Team, User
from intake import receiving
from intake.connectors.base import RawItem
from tests.makers import make_channel, make_person, make_team
from triage.models import Rule, Ticket, Topic

pytestmark = pytest.mark.django_db

HOSTILE = "<img src=x onerror=alert(1)>"
PAGES = (
    "settings",
    "topics",
    "teams",
    "deadlines",
    "new_calendar",
    "rules",
    "new_rule",
    "patterns",
    "people",
    "keys",
    "held",
    "parked",
)
LEAKS = {
    "version": 1,
    "when": {"field": "text", "op": "contains", "value": "leaks"},
    "then": [{"verb": "route", "team": "quality"}],
}


@pytest.fixture
def ines(client: Client) -> User:
    person = make_person("Ines", role=Role.ADMIN)
    client.force_login(person)
    return person


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


def save(client: Client, page: str, /, *args: Any, **fields: Any) -> None:
    answer = client.post(reverse(f"triage:{page}", args=args), fields)
    assert answer.status_code == 302, re.findall('class="error">([^<]*)', answer.content.decode())


def refused(client: Client, page: str, /, *args: Any, **fields: Any) -> str:
    answer = client.post(reverse(f"triage:{page}", args=args), fields)
    assert answer.status_code == 422
    return answer.content.decode()


class TestWhoMayOpenThem:
    ONE = (("topic", "leak"), ("team", "quality"), ("rule", 1), ("person", 1))
    ACTS = (("release", 1), ("new_link", 1), ("revoke_key", 1))

    @pytest.mark.parametrize("role", [Role.AGENT, Role.LEAD, Role.MANAGER])
    def test_only_administrators(self, client: Client, role: str) -> None:
        client.force_login(make_person("Tariq", role=role))

        for name in PAGES:
            assert client.get(reverse(f"triage:{name}")).status_code == 403, name
        for name, key in self.ONE:
            assert client.get(reverse(f"triage:{name}", args=[key])).status_code == 403, name
            assert client.post(reverse(f"triage:{name}", args=[key])).status_code == 403, name
        for name, key in self.ACTS:
            assert client.post(reverse(f"triage:{name}", args=[key])).status_code == 403, name
        for name in ("topics", "teams", "new_rule", "people", "keys"):
            assert client.post(reverse(f"triage:{name}"), {"name": "x"}).status_code == 403, name
        assert not Topic.objects.exists()
        assert not ApiKey.objects.exists()

    def test_nobody_without_signing_in(self, client: Client) -> None:
        for name in PAGES:
            assert client.get(reverse(f"triage:{name}")).status_code == 302, name

    def test_acts_are_posts(self, client: Client, ines: User) -> None:
        for name, key in self.ACTS:
            assert client.get(reverse(f"triage:{name}", args=[key])).status_code == 405, name

    def test_what_does_not_exist_is_404(self, client: Client, ines: User) -> None:
        for name, key in (("topic", "x"), ("team", "x"), ("rule", 10**30), ("person", 10**30)):
            assert client.get(reverse(f"triage:{name}", args=[key])).status_code == 404, name


def test_names_are_shown_and_never_run(client: Client, ines: User, quality: Team) -> None:
    Topic.objects.create(slug="x", name=HOSTILE, description=HOSTILE, keywords=[HOSTILE])
    Team.objects.filter(pk=quality.pk).update(name=HOSTILE)
    Rule.objects.create(name=HOSTILE, definition={"broken": HOSTILE})
    User.objects.create_user("x@example.com", name=HOSTILE)
    ApiKey.issue(HOSTILE, scopes=["admin"])
    make_channel(slug="x")

    for address in (
        *(reverse(f"triage:{name}") for name in PAGES),
        "/settings/topics/x/",
        "/settings/teams/quality/",
    ):
        answer = client.get(address)
        assert answer.status_code == 200, address
        assert HOSTILE not in answer.content.decode(), address


def test_a_topic_is_made_and_changed(client: Client, ines: User, quality: Team) -> None:
    save(
        client, "topics", slug="leak", name="Leak", keywords="drip,\n wet , ,drip", team="quality", description="Water"
    )

    topic = Topic.objects.get()
    assert (topic.name, topic.keywords, topic.team, topic.is_active) == ("Leak", ["drip", "wet"], quality, True)
    assert "drip, wet" in client.get("/settings/topics/leak/").content.decode()
    save(client, "topic", "leak", name="Leaks", keywords="", team="", parent="", description="")
    topic.refresh_from_db()
    assert (topic.name, topic.keywords, topic.team, topic.is_active) == ("Leaks", [], None, False)


def test_what_was_typed_is_kept_beside_what_is_wrong(client: Client, ines: User) -> None:
    page = refused(client, "topics", slug="Not A Slug", name="", description="Long story", parent="nowhere")

    assert "Write a short name" in page
    assert "Give it a name." in page
    assert "There is no such topic." in page
    assert "Long story" in page
    assert 'value="Not A Slug"' in page


def test_a_team_is_made_and_the_catch_all_moves(client: Client, ines: User, quality: Team) -> None:
    desk = Team.objects.filter(is_catch_all=True).first() or make_team("desk", is_catch_all=True)
    save(client, "teams", slug="logistics", name="Logistics", triage_hours="8", stage="")

    fields = {"name": "Logistics", "triage_hours": "4", "stage": "", "is_active": "on"}
    save(client, "team", "logistics", **fields, is_catch_all="on")

    desk.refresh_from_db()
    assert not desk.is_catch_all
    logistics = Team.objects.get(slug="logistics")
    assert (logistics.is_catch_all, logistics.triage_hours) == (True, 4)
    assert "Make another team the catch-all first" in refused(client, "team", "logistics", **fields)
    assert "whole number" in refused(client, "teams", slug="x", name="X", triage_hours="0")


def test_an_invited_person_signs_in_once_by_a_link_shown_once(client: Client, ines: User, quality: Team) -> None:
    answer = client.post(
        "/settings/people/", {"email": "Mina@Example.com", "name": "Mina", "role": "lead", "teams": ["quality"]}
    )
    page = answer.content.decode()
    link = re.search(r"http://\S+(/sign-in/[^/<]{40,}/)", page)
    assert link
    mina = User.objects.get(email="mina@example.com")
    assert (mina.role, list(mina.teams.all()), mina.has_usable_password()) == ("lead", [quality], False)
    assert link[1] not in client.get("/settings/people/").content.decode()

    hers = Client()
    assert hers.post(link[1]).status_code == 302
    assert get_user(hers) == mina  # type: ignore[arg-type]
    assert Client().post(link[1]).status_code == 404


def test_somebody_who_may_not_sign_in_is_out_at_once(client: Client, ines: User, quality: Team) -> None:
    mina = make_person("Mina", quality)
    hers = Client()
    hers.force_login(mina)
    assert hers.get("/triage/").status_code == 200

    save(client, "person", mina.pk, name="Mina", role="agent", teams=[])

    assert hers.get("/triage/").status_code == 302
    mina.refresh_from_db()
    assert list(mina.teams.all()) == []
    assert client.post(f"/settings/people/{mina.pk}/link/").status_code == 400


def test_a_lost_link_is_made_anew(client: Client, ines: User) -> None:
    mina = make_person("Mina")

    page = client.post(f"/settings/people/{mina.pk}/link/").content.decode()

    assert re.search(r"/sign-in/[^/<]{40,}/", page)


def test_the_last_administrator_stays(client: Client, ines: User) -> None:
    User.objects.filter(role=Role.ADMIN).exclude(pk=ines.pk).update(role=Role.AGENT)

    for change in ({"role": "agent", "is_active": "on"}, {"role": "admin"}):
        assert "Make another person administrator first" in refused(client, "person", ines.pk, name="Ines", **change)
    make_person("Mina", role=Role.ADMIN)
    save(client, "person", ines.pk, name="Ines", role="agent", is_active="on")


@pytest.mark.parametrize(
    "email", ["", "mina", "mina@", "@example.com", "a b@example.com", "a@b.c\r\nBcc: x@y.z", "x" * 300]
)
def test_only_an_address_is_an_address(client: Client, ines: User, email: str) -> None:
    refused(client, "people", email=email, name="Mina", role="agent")

    assert not User.objects.filter(name="Mina").exists()


def test_nobody_is_invited_twice(client: Client, ines: User) -> None:
    make_person("Mina")

    assert "There is one with this email already" in refused(
        client, "people", email="mina@example.com", name="Mina", role="agent"
    )


def test_a_key_is_shown_once_and_revoked(client: Client, ines: User, quality: Team) -> None:
    answer = client.post("/settings/keys/", {"name": "Shop", "scopes": ["tickets:read"], "team": "quality"})
    secret = re.search(r"fbp_[0-9a-f]{8}_[\w-]{43}", answer.content.decode())
    assert secret
    key = ApiKey.objects.get()
    assert (key.scopes, key.team, key.created_by) == (["tickets:read"], quality, ines)
    assert secret[0] not in client.get("/settings/keys/").content.decode()

    def call() -> int:
        return Client().get("/api/v1/tickets/", headers={"Authorization": f"Bearer {secret[0]}"}).status_code

    assert call() == 200
    save(client, "revoke_key", key.pk)
    assert call() == 401
    assert "Choose at least one" in refused(client, "keys", name="Shop")
    assert "Choose at least one" in refused(client, "keys", name="Shop", scopes=["root"])


def test_what_was_held_back_is_read_and_let_in(client: Client, ines: User) -> None:
    body = b'{"text": "<script>alert(1)</script> It leaks", "customer": {"email": "ana@customers.example"}}'
    held = receiving.receive(make_channel(), RawItem("1", body), at=timezone.now(), quarantine="too quick").submission
    call_command("drain", stdout=StringIO())
    assert not Ticket.objects.exists()
    page = client.get("/settings/held/").content.decode()
    assert held.reference in page
    assert "&lt;script&gt;alert(1)" in page

    save(client, "release", held.pk)
    call_command("drain", stdout=StringIO())

    assert Ticket.objects.get().item_id == held.pk
    assert client.get("/settings/held/").context["rows"] == []
    assert "let in already" in client.post(f"/settings/held/{held.pk}/release/", follow=True).content.decode()


@pytest.mark.parametrize("name", ["topics", "teams", "rules", "people", "keys", "channels"])
def test_a_page_asks_as_much_for_20_rows_as_for_2(client: Client, ines: User, name: str) -> None:
    def more(number: int) -> None:
        team = make_team(f"team-{number}")
        Topic.objects.create(slug=f"t-{number}", name="T", team=team)
        Rule.objects.create(name=f"R{number}", definition=LEAKS)
        make_person(f"Person{number}", team)
        ApiKey.issue("k", scopes=["admin"], team=team)
        make_channel(f"c-{number}")

    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert client.get(f"/settings/{name}/").status_code == 200
        return len(queries)

    for number in range(2):
        more(number)
    few = cost()
    for number in range(2, 20):
        more(number)
    assert cost() == few
