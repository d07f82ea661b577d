"""What people do with themes always stands, and nobody sees in them what they may not see."""

import threading
from datetime import timedelta

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import ApiKey, Scope, Team, User
from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import BadInput, NotFound, Refused
from tests.makers import AT, actor, make_customer, make_person, make_team, make_ticket
from triage import finding, reevaluating, refining, themes
from triage.decisions import decide
from triage.finding import search
from triage.models import Action, Analysis, Refinement, Rule, Theme, ThemeEvent, ThemeMember, Ticket, Topic
from triage.routing.why import why
from triage.themes import gathering, grouping, life

pytestmark = pytest.mark.django_db

SEAL = [f"The seal of the lid leaks and water runs out, {n}" for n in range(10)]
PARCEL = [f"The parcel came days too late and the courier never rang, {n}" for n in range(10)]


@pytest.fixture(autouse=True)
def by_words_alone(settings: object) -> None:
    settings.ENCODER = False  # type: ignore[attr-defined]


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def tariq(quality: Team) -> User:
    return make_person("Tariq", quality)


def arrive(*texts: str, **fields: object) -> list[Ticket]:
    tickets = [make_ticket(text, **fields) for text in texts]  # type: ignore[arg-type]
    gathering.gather_later([ticket.item for ticket in tickets])
    gathering.gather_pending(at=AT)
    return tickets


@pytest.fixture
def seal(quality: Team) -> Theme:
    arrive(*SEAL)
    grouping.group(None, at=AT)
    return Theme.objects.get()


@pytest.fixture
def parcel(seal: Theme) -> Theme:
    arrive(*PARCEL)
    grouping.group(None, at=AT)
    return Theme.objects.exclude(pk=seal.pk).get()


def do(theme: Theme, verb: str, by: User, **arguments: object) -> Theme:
    return themes.decide(theme.reference, verb, by=actor(by), at=AT, **arguments)


def members(theme: Theme) -> set[int]:
    return set(theme.members.values_list("item", flat=True))


def regroup(times: int = 2) -> None:
    for _ in range(times):
        grouping.regroup(None, at=AT + timedelta(hours=1))


class TestPeople:
    def test_a_given_name_stands(self, seal: Theme, tariq: User) -> None:
        named = do(seal, "rename", tariq, name="Lid seal leaks")
        arrive(*[f"{text}, and again" for text in SEAL])
        regroup()

        named.refresh_from_db()
        assert named.name == "Lid seal leaks"
        assert named.size == 20
        assert ThemeEvent.objects.get(type="renamed").person == tariq

    def test_what_was_split_off_stays_apart(self, seal: Theme, tariq: User) -> None:
        chosen = list(Ticket.objects.filter(item__in=members(seal)).order_by("pk")[:4])
        other = do(seal, "split", tariq, items=[ticket.reference for ticket in chosen], name="Only these")
        regroup()

        assert members(other) >= {ticket.item_id for ticket in chosen}
        assert other.name == "Only these"
        assert {row.source for row in ThemeMember.objects.filter(item__in=[t.item_id for t in chosen])} == {"person"}
        seal.refresh_from_db()
        assert seal.size + Theme.objects.get(pk=other.pk).size == 10

    def test_what_was_joined_stays_together_and_the_old_number_leads_there(
        self, seal: Theme, parcel: Theme, tariq: User
    ) -> None:
        both = members(seal) | members(parcel)
        into = do(parcel, "join", tariq, into=seal.reference)
        regroup()
        (late,) = arrive("The parcel came days too late, the courier never rang, 99")

        assert into == seal
        assert members(seal) == both | {late.item_id}
        assert themes.find(parcel.reference, by=actor(tariq)) == seal
        assert Theme.objects.living().count() == 1

    def test_nobody_moves_in_a_frozen_theme(self, seal: Theme, tariq: User) -> None:
        (stranger,) = arrive("The grinder is loud")
        ThemeMember.objects.create(item=stranger.item, theme=seal)
        do(seal, "freeze", tariq)
        before = members(seal)
        regroup()
        assert members(seal) == before
        do(seal, "thaw", tariq)
        regroup()
        assert members(seal) == before - {stranger.item_id}

    def test_an_item_that_a_person_moved_stays_there(self, seal: Theme, parcel: Theme, tariq: User) -> None:
        moved, freed = Ticket.objects.filter(item__in=members(seal)).order_by("pk")[:2]
        do(seal, "move", tariq, items=[moved.reference], to=parcel.reference)
        do(seal, "move", tariq, items=[freed.reference])
        regroup()
        gathering.gather([moved.item, freed.item], at=AT)

        assert moved.item.theme_member.theme == parcel
        assert freed.item.theme_member.theme is None
        seal.refresh_from_db()
        parcel.refresh_from_db()
        assert (seal.size, parcel.size) == (8, 11)

    def test_an_action_answers_a_theme(self, seal: Theme, tariq: User) -> None:
        do(seal, "link", tariq, title="Re-seat the seal", team="quality")
        action = Action.objects.get()
        assert seal.action_links.get().action == action
        do(seal, "unlink", tariq, action=action.reference)
        assert not seal.action_links.filter(unlinked_at=None).exists()

    def test_a_stale_decision_is_refused_with_the_theme_as_it_is(self, seal: Theme, tariq: User) -> None:
        do(seal, "rename", tariq, name="One")
        with pytest.raises(themes.StaleTheme) as refused:
            do(seal, "rename", tariq, name="Two", version=seal.version)
        assert refused.value.extra["current"]["name"] == "One"

    def test_wrong_arguments_are_named(self, seal: Theme, tariq: User) -> None:
        for verb, arguments in (
            ("rename", {"name": "   "}),
            ("split", {"items": [], "name": "None"}),
            ("move", {"items": ["F-1"], "to": ""}),
            ("join", {"into": seal.reference}),
            ("dance", {}),
            ("rest", {"loudly": True}),
        ):
            with pytest.raises(BadInput):
                do(seal, verb, tariq, **arguments)

    def test_the_database_refuses_to_change_what_was_done(self, seal: Theme, tariq: User) -> None:
        do(seal, "freeze", tariq)
        with pytest.raises(IntegrityError, match="appended, never changed"), transaction.atomic():
            ThemeEvent.objects.update(data={})


class TestLife:
    def history(self, quality: Team, *, surge: int) -> None:
        """Six weeks of a parcel, a seal and two other things a day, then on the last day `surge` more seals."""
        for day in range(44):
            at = AT - timedelta(days=43 - day)
            for said in (SEAL[0], PARCEL[0], "The grinder is loud,", "The manual is thin,"):
                make_ticket(f"{said} on {day}", team=quality, at=at)
        for n in range(surge):
            make_ticket(f"{SEAL[0]} {'abcdefghijklmnopqrst'[n] * 40} today", team=quality, at=AT)
        parcel = Theme.objects.create(name="Parcel", state_at=AT)
        seal = Theme.objects.create(name="Seal", state_at=AT)
        for word, theme in (("seal", seal), ("parcel", parcel)):
            tickets = Ticket.objects.filter(item__text__contains=word)
            ThemeMember.objects.bulk_create(ThemeMember(item_id=each.item_id, theme=theme) for each in tickets)
        grouping.refresh([seal.pk, parcel.pk])

    def test_what_grows_beyond_chance_is_said_once(self, quality: Team) -> None:
        self.history(quality, surge=12)
        assert life.judge(at=AT) == 2

        seal, parcel = Theme.objects.get(name="Seal"), Theme.objects.get(name="Parcel")
        assert (seal.state, parcel.state) == ("growing", "steady")
        assert (seal.growth["count"], seal.growth["window"]) == (13, 1)
        assert life.judge(at=AT + timedelta(hours=1)) == 0
        assert ThemeEvent.objects.filter(type="grew").count() == 1
        life.judge(at=AT + timedelta(days=8))
        seal.refresh_from_db()
        assert seal.state == "steady"

    def test_chance_is_not_growth(self, quality: Team) -> None:
        self.history(quality, surge=1)
        life.judge(at=AT)
        assert not ThemeEvent.objects.filter(type="grew").exists()

    def test_what_rests_returns_when_it_grows(self, quality: Team, tariq: User) -> None:
        self.history(quality, surge=12)
        seal, parcel = Theme.objects.get(name="Seal"), Theme.objects.get(name="Parcel")
        for theme in (seal, parcel):
            do(theme, "rest", tariq)
        life.judge(at=AT)

        seal.refresh_from_db()
        parcel.refresh_from_db()
        assert (seal.state, seal.rested_at, parcel.state) == ("growing", None, "resting")

    def test_growth_after_a_fix_has_shipped_is_told_as_back(self, quality: Team, tariq: User) -> None:
        self.history(quality, surge=12)
        seal = Theme.objects.get(name="Seal")
        do(seal, "link", tariq, title="A thicker seal", team="quality")
        Action.objects.update(step="check", shipped_at=AT - timedelta(days=20))
        life.judge(at=AT)
        seal.refresh_from_db()
        assert seal.state == "regressed"
        assert ThemeEvent.objects.filter(type="regressed").exists()

    def test_without_a_baseline_nothing_is_said_to_grow(self, seal: Theme) -> None:
        assert not life.has_baseline(at=AT)
        life.judge(at=AT)
        seal.refresh_from_db()
        assert seal.state == "new"


class TestSight:
    def test_a_theme_exists_for_whose_team_something_in_it_is(self, seal: Theme, tariq: User) -> None:
        omar = make_person("Omar", make_team("marketing"))
        with pytest.raises(NotFound):
            themes.find(seal.reference, by=actor(omar))
        (theirs,) = arrive("Water runs out, the seal of the lid leaks", team=make_team("marketing"))
        assert theirs.item.theme_member.theme == seal

        client = Client()
        client.force_login(omar)
        page = client.get(f"/themes/{seal.reference}/").content.decode()
        assert theirs.reference in page
        assert Ticket.objects.filter(team__slug="quality").first().reference not in page  # type: ignore[union-attr]
        assert "10 of these are with teams you are not in" in page

    def test_the_list_asks_as_often_for_twenty_themes_as_for_two(self, quality: Team, tariq: User) -> None:
        client = Client()
        client.force_login(tariq)

        def asked(count: int) -> int:
            topic = Topic.objects.get_or_create(slug="lid", defaults={"name": "Lid", "team": quality})[0]
            for n in range(count):
                made = Theme.objects.create(name=f"T{n}", topic=topic, state_at=AT, size=9, last_at=AT)
                ThemeMember.objects.create(item=make_ticket(team=quality).item, theme=made)
            with CaptureQueriesContext(connection) as queries:
                assert client.get("/themes/").status_code == 200
            return len(queries)

        asked(1)
        assert asked(1) == asked(18)

    def test_words_of_customers_are_escaped(self, seal: Theme, tariq: User) -> None:
        Theme.objects.update(name="<script>alert(1)</script>", words=["<b>x</b>"])
        client = Client()
        client.force_login(tariq)
        for address in ("/themes/", f"/themes/{seal.reference}/"):
            page = client.get(address).content.decode()
            assert "<script>alert" not in page
            assert "<b>x" not in page

    def test_every_verb_of_the_page_works_without_script(self, seal: Theme, parcel: Theme, tariq: User) -> None:
        client = Client()
        client.force_login(tariq)
        tickets = [t.reference for t in Ticket.objects.filter(item__in=members(seal)).order_by("pk")]
        posts = [
            ("rename", {"name": "Seals"}), ("describe", {"description": "Water"}), ("freeze", {}), ("thaw", {}), ("rest", {}),
            ("wake", {}), ("move", {"item": tickets[:1], "to": parcel.reference}), ("split", {"item": tickets[1:3], "name": "Two"}),
            ("link", {"title": "Plan", "team": "quality"}), ("join", {"into": parcel.reference}),
        ]  # fmt: skip
        for verb, given in posts:
            answer = client.post(f"/themes/{seal.reference}/{verb}/", given)
            assert answer.status_code == 302, (verb, answer.content.decode()[:2000])
        assert client.post(f"/themes/{parcel.reference}/rename/", {"name": ""}).status_code == 422
        assert client.get(f"/themes/{seal.reference}/").url == f"/themes/{parcel.reference}/"  # type: ignore[attr-defined]

    def test_a_program_reads_and_decides_with_a_key(self, seal: Theme, parcel: Theme, quality: Team) -> None:
        _, key = ApiKey.issue("a key", scopes=[Scope.TICKETS_READ, Scope.TICKETS_WRITE])
        client = Client(headers={"authorization": f"Bearer {key}"})
        found = client.get("/api/v1/themes/?limit=1").json()
        assert [each["reference"] for each in found["results"]] == [parcel.reference]
        assert client.get("/api/v1/themes/?state=odd").status_code == 400
        address = f"/api/v1/themes/{seal.reference}/decisions/"
        renamed = client.post(
            address, {"verb": "rename", "name": "Seals", "version": 1}, content_type="application/json"
        )
        assert (renamed.status_code, renamed.json()["name"], len(renamed.json()["tickets"])) == (200, "Seals", 10)
        stale = client.post(address, {"verb": "freeze", "version": 1}, content_type="application/json")
        assert stale.status_code == 409
        wrong = client.post(address, {"verb": "rename", "title": 3, "odd": 1}, content_type="application/json")
        assert wrong.status_code == 400

    def test_search_finds_the_tickets_of_a_theme(self, seal: Theme, parcel: Theme, tariq: User) -> None:
        do(seal, "rename", tariq, name="Seals")
        do(parcel, "join", tariq, into=seal.reference)
        (alone,) = arrive("The grinder is loud")
        asker = finding.asker_of(tariq, AT)

        def found(text: str) -> int:
            return Ticket.objects.filter(finding.condition(search.parse(text), asker)).count()

        assert [
            found("theme:seals"),
            found(f"theme:{parcel.reference}"),
            found("theme:none"),
            found("-theme:none"),
        ] == [20, 20, 1, 20]
        assert alone.pk


@pytest.mark.django_db(transaction=True)
def test_two_themes_joined_into_each_other_at_once_end_as_one(quality: Team, tariq: User) -> None:
    one, two = (Theme.objects.create(name=name, state_at=AT) for name in ("One", "Two"))
    for theme in (one, two):
        ThemeMember.objects.create(item=make_ticket(team=quality, item_customer=make_customer()).item, theme=theme)
    outcomes: list[str] = []
    gate = threading.Barrier(2)

    def join(theme: Theme, into: Theme) -> None:
        try:
            gate.wait()
            do(theme, "join", tariq, into=into.reference)
            outcomes.append("done")
        except Refused:
            outcomes.append("refused")
        finally:
            connection.close()

    threads = [threading.Thread(target=join, args=pair) for pair in ((one, two), (two, one))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert Theme.objects.living().count() == 1
    assert ThemeMember.objects.filter(theme=Theme.objects.living().get()).count() == 2
    assert "done" in outcomes


class TestRulesThatNameThemes:
    """A rule may name a theme, which no item is in when it arrives."""

    @pytest.fixture
    def recall(self, seal: Theme) -> Rule:
        make_team("recall")
        return Rule.objects.create(
            name="Seals",
            definition={
                "version": 1,
                "when": {"field": "theme", "op": "is", "value": seal.reference},
                "then": [{"verb": "route", "team": "recall"}],
            },
        )

    def test_what_joins_a_theme_is_tried_by_them_unless_a_person_decided(
        self, seal: Theme, recall: Rule, tariq: User
    ) -> None:
        Refinement.objects.all().delete()
        new, decided = arrive("The seal leaks into the tank again", "Again the seal leaks into the tank")
        assert {new.item_id, decided.item_id} <= members(seal)
        decide(decided.reference, "accept", by=actor(tariq), at=AT)

        refining.refine_pending(at=AT)

        new.refresh_from_db()
        decided.refresh_from_db()
        assert (new.team.slug, decided.team.slug) == ("recall", "quality")
        told = new.events.filter(type="routed").latest("pk")
        assert told.data["reason"] == "looked at again since it joined a theme"
        assert told.source == "rule"

    def test_looking_again_at_open_tickets_and_the_reasons_shown_know_the_theme(
        self, seal: Theme, recall: Rule, tariq: User
    ) -> None:
        ticket = Ticket.objects.filter(item__in=members(seal), team__slug="quality").order_by("pk").first()
        assert ticket is not None
        ada = Actor(user=make_person("Ada", role="admin"))
        found = reevaluating.preview(at=AT)
        assert found.moves == {("Quality", "Recall"): len(members(seal))}
        reevaluating.start(by=ada, at=AT)
        reevaluating.reevaluate_pending(at=AT)
        ticket.refresh_from_db()
        assert ticket.team.slug == "recall"
        [(_, tried)] = why(ticket, ticket.item, Analysis.objects.get(item=ticket.item_id), [], by=ada, at=AT).rules
        assert tried.holds

    def test_where_no_rule_names_a_theme_nothing_is_looked_at_again(self, seal: Theme) -> None:
        Refinement.objects.all().delete()
        arrive("The seal leaks into the tank again")
        assert not Refinement.objects.exists()
