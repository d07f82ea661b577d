"""Searches kept under a name: shared, counted, ordered, sent; and what completes a search while it is typed."""

import re
from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.refusals import BadInput, NotFound
from tests.makers import actor, make_person, make_team, make_ticket
from triage.desk import saved
from triage.finding import counting
from triage.finding.completing import completions
from triage.models import Notification, SavedView, Subscription, Tagging, Ticket, Topic

pytestmark = pytest.mark.django_db

MONDAY = datetime(2026, 3, 2, 8, tzinfo=UTC)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


@pytest.fixture
def mina(quality: Team) -> User:
    return make_person("Mina", quality)


def desk_of(person: User) -> Client:
    client = Client()
    client.force_login(person)
    return client


def fresh(team: Team, text: str = "The lid cracked", **fields: object) -> Ticket:
    return make_ticket(text, team=team, at=timezone.now() - timedelta(hours=1), **fields)


def keep(by: User, **given: object) -> SavedView:
    return saved.save(None, {"name": "Lids", "query": "lid", **given}, by=actor(by))


def test_a_search_is_kept_from_the_queue_and_stands_in_the_rail_with_how_much_it_finds(
    quality: Team, tariq: User
) -> None:
    desk = desk_of(tariq)
    fresh(quality, severity=1)
    fresh(quality, severity=3)
    assert "/triage/saved/?query=severity%3A1" in desk.get("/triage/?q=severity:1").content.decode()

    given = {"name": "Danger", "query": "severity:1", "tab": "mine", "colour": "2", "sharing": "me", "order": "oldest"}
    page = desk.post("/triage/saved/", given, follow=True).content.decode()

    view = SavedView.objects.get()
    assert (view.owner, view.tab, view.order, view.columns) == (tariq, "mine", "oldest", [])
    assert f"view={view.pk}" in page
    assert "Oldest first" in page
    assert re.search(r'sq-2"></span><span class="name">Danger</span><span class="n">1</span>', page)


def test_order_and_columns_of_a_view_hold_in_its_list(quality: Team, tariq: User) -> None:
    view = keep(tariq, query="is:untriaged", order="oldest", columns=["tags"])
    urgent = fresh(quality, "Newer and urgent", rank=0)
    old = make_ticket("Older", team=quality, at=timezone.now() - timedelta(days=9))
    Tagging.objects.create(item=old.item, topic=Topic.objects.create(slug="lid", name="Lid of glass"), source="person")
    desk = desk_of(tariq)

    page = desk.get(saved.address(view)).content.decode()

    assert page.index(f"row-{old.reference}") < page.index(f"row-{urgent.reference}")
    assert "Lid of glass" in page
    rows = page[page.index('id="rows"') : page.index('id="item"')]
    assert "due-" not in rows
    assert "due-" in desk.get("/triage/?q=is:untriaged").content.decode()


def test_views_are_seen_by_those_they_are_shared_with_and_find_what_each_may_see(
    quality: Team, tariq: User, mina: User
) -> None:
    omar = make_person("Omar", make_team("marketing"))
    fresh(quality)
    mine, ours, all_of_us = (
        keep(tariq, name="Mine"),
        keep(tariq, name="Ours", sharing="team", team="quality"),
        keep(tariq, name="All", sharing="all", query="is:untriaged"),
    )

    def names(person: User) -> list[str]:
        return [view.name for view, _ in saved.shown(by=actor(person), at=timezone.now())]

    assert (names(tariq), names(mina), names(omar)) == (["All", "Mine", "Ours"], ["All", "Ours"], ["All"])
    assert dict(saved.shown(by=actor(omar), at=timezone.now())) == {all_of_us: 0}
    assert saved.shown(by=actor(mina), at=timezone.now())[0] == (all_of_us, 1)
    with pytest.raises(NotFound):
        saved.find(mine.pk, by=actor(mina))
    with pytest.raises(NotFound):
        saved.delete(ours, by=actor(mina))
    saved.save(
        ours, {"name": "Renamed", "query": "", "sharing": "me"}, by=actor(make_person("Lena", quality, role=Role.LEAD))
    )
    ours.refresh_from_db()
    assert (ours.name, ours.owner, ours.team) == ("Renamed", tariq, None)


@pytest.mark.parametrize(
    "wrong",
    [
        {"name": ""},
        {"query": "foo:bar"},
        {"sharing": "team"},
        {"sharing": "team", "team": "marketing"},
        {"colour": "9"},
        {"order": "random"},
        {"name": "Taken"},
    ],
)
def test_what_cannot_be_kept_is_refused_by_name(wrong: dict[str, object], tariq: User) -> None:
    make_team("marketing")
    keep(tariq, name="Taken")

    with pytest.raises(BadInput) as refused:
        keep(tariq, **wrong)
    assert refused.value.errors
    assert SavedView.objects.count() == 1


def test_a_rail_with_many_views_asks_no_more_often_than_with_few(quality: Team, tariq: User) -> None:
    desk = desk_of(tariq)

    def queries(count: int) -> int:
        for _ in range(count):
            keep(tariq, name=f"View {SavedView.objects.count()}")
        with CaptureQueriesContext(connection) as asked:
            desk.get("/triage/")
        return len(asked)

    assert queries(2) == queries(8)


def test_a_count_that_takes_too_long_is_left_out(quality: Team, tariq: User, monkeypatch: pytest.MonkeyPatch) -> None:
    keep(tariq, query="is:untriaged")
    slow = Ticket.objects.extra(where=["pg_sleep(1) IS NOT NULL"])
    fresh(quality)
    monkeypatch.setattr(counting, "PATIENCE_MS", 20)

    assert counting.counts([Ticket.objects.all(), slow]) == [None, None]
    assert counting.counts([Ticket.objects.all(), Ticket.objects.none()]) == [1, 0]


class TestDigest:
    def test_it_comes_once_a_morning_by_the_readers_clock_and_only_what_they_may_see(
        self, quality: Team, tariq: User
    ) -> None:
        view = keep(tariq, query="is:untriaged", sharing="all")
        tokyo = make_person("Omar", make_team("marketing"))
        User.objects.filter(pk=tokyo.pk).update(time_zone="Asia/Tokyo")
        make_ticket("The lid cracked", team=quality, at=MONDAY - timedelta(hours=9))
        for person in (tariq, tokyo):
            saved.subscribe(view, "day", by=actor(person))

        assert saved.send_due(at=MONDAY.replace(hour=1)) == 1, "it is morning in Tokyo only"
        assert saved.send_due(at=MONDAY) == 1
        assert saved.send_due(at=MONDAY.replace(hour=9)) == 0
        assert saved.send_due(at=MONDAY + timedelta(days=1)) == 2

        mails = {mail.recipient: mail.body for mail in Notification.objects.order_by("pk")[:2]}
        assert "The lid cracked" in mails["tariq@example.com"]
        assert "Nothing to do." in mails["omar@example.com"]

    def test_once_a_week_on_mondays_made_up_for_when_it_was_missed(self, tariq: User) -> None:
        view = keep(tariq)
        saved.subscribe(view, "week", by=actor(tariq))
        assert saved.send_due(at=MONDAY - timedelta(days=1)) == 0
        assert saved.send_due(at=MONDAY) == 1
        assert saved.send_due(at=MONDAY + timedelta(days=3)) == 0
        assert saved.send_due(at=MONDAY + timedelta(days=8)) == 1, "nobody worked that Monday"
        assert saved.send_due(at=MONDAY + timedelta(days=9)) == 0

    def test_a_view_that_is_not_shared_any_more_is_sent_to_nobody(self, quality: Team, tariq: User, mina: User) -> None:
        view = keep(tariq, sharing="team", team="quality")
        saved.subscribe(view, "day", by=actor(mina))
        SavedView.objects.filter(pk=view.pk).update(sharing="me", team=None)

        assert saved.send_due(at=MONDAY) == 0
        assert not Notification.objects.exists()

    def test_its_link_ends_it_after_asking(self, tariq: User, client: Client) -> None:
        saved.subscribe(keep(tariq), "day", by=actor(tariq))
        saved.send_due(at=MONDAY)
        found = re.search(r"/unsubscribe/\S+", Notification.objects.get().body)
        assert found

        assert "End the digest “Lids”?" in client.get(found[0]).content.decode()
        assert Subscription.objects.exists()
        assert "not sent" in client.post(found[0]).content.decode()
        assert not Subscription.objects.exists()
        assert client.get(found[0]).status_code == 404
        assert client.get(found[0][:-3] + "xx/").status_code == 404

    def test_each_reader_chooses_on_the_page_of_the_view(self, tariq: User, mina: User) -> None:
        view, desk = keep(tariq, sharing="all"), desk_of(mina)
        desk.post(f"/triage/saved/{view.pk}/", {"verb": "subscribe", "every": "week"})
        assert Subscription.objects.get().person == mina
        desk.post(f"/triage/saved/{view.pk}/", {"verb": "subscribe", "every": ""})
        assert not Subscription.objects.exists()
        assert desk.post(f"/triage/saved/{view.pk}/", {"verb": "delete"}).status_code == 404


class TestCompletion:
    def complete(self, text: str, by: User) -> list[tuple[str, int | None]]:
        found = completions(text, tab="all", by=actor(by), at=timezone.now())
        return [(each.text, each.count) for each in found]

    def test_fields_then_values_with_how_much_they_find(self, quality: Team, tariq: User) -> None:
        fresh(quality, severity=1)
        fresh(quality)
        lid = Topic.objects.create(slug="lid", name="Lid of glass")
        Topic.objects.create(slug="crust", name="Crust")
        Tagging.objects.create(item=fresh(quality).item, topic=lid, source="person")

        assert self.complete("se", tariq) == [("severity:", None), ("serial:", None), ("segment:", None)]
        assert self.complete("severity:3 -ta", tariq) == [("severity:3 -tag:", None)]
        assert self.complete("severity:3 tag:gl", tariq) == [("severity:3 tag:lid ", 1)]
        assert self.complete("team:q", tariq) == [("team:quality ", 3)]
        assert self.complete("is:none,unt", tariq) == [("is:none,untriaged ", None)]
        assert self.complete("foo:b", tariq) == []

    def test_teams_and_people_of_others_are_not_named(self, quality: Team, tariq: User) -> None:
        make_person("Omar", make_team("marketing"))

        assert self.complete("team:m", tariq) == []
        assert self.complete("assigned:om", tariq) == []
        page = desk_of(tariq).get("/triage/complete/?q=assigned:t").content.decode()
        assert 'data-text="assigned:tariq@example.com "' in page


def test_an_unknown_field_is_named_and_the_one_that_was_meant_is_a_link(tariq: User) -> None:
    page = desk_of(tariq).get("/triage/?q=sevrity:1").content.decode()

    assert "There is no field &quot;sevrity&quot;" in page
    assert "Search for severity:1" in page


def test_where_nothing_is_found_the_one_change_that_leads_to_most_is_offered(quality: Team, tariq: User) -> None:
    for _ in range(3):
        fresh(quality, severity=1)
    fresh(quality, severity=2)

    page = desk_of(tariq).get("/triage/?q=severity:1 team:quality tag:none mood:pos").content.decode()
    assert "Leave out mood:pos: 3 found" in page
    page = desk_of(make_person("Ada", role=Role.ADMIN)).get("/triage/?q=severity:1&tab=mine").content.decode()
    assert "Look in Everything: 3 found" in page
