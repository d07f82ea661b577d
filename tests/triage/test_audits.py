"""The weekly audit: what is drawn, who labels it blind, what two agree on, and when it teaches."""

import re
import threading
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Role, Team, User
from feedback_portal.refusals import BadInput, NotAllowed, NotFound, Refused
from tests.makers import AT, actor, make_item, make_person, make_team, make_ticket
from triage.decisions import decide
from triage.learning import audits
from triage.learning.audit_drawing import allot, draw, last_week
from triage.learning.audits import Said
from triage.learning.corrections import corrections
from triage.models import Analysis, Audit, AuditAnswer, AuditedItem, Event, Tagging, Ticket, Topic, Training

pytestmark = pytest.mark.django_db

MONDAY = date(2026, 3, 2)  # of the week in which AT lies
NEXT = AT + timedelta(days=7)
LATER = NEXT + timedelta(days=8)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture
def logistics(db: None) -> Team:
    return make_team("logistics")


@pytest.fixture
def leak(db: None) -> Topic:
    Topic.objects.create(slug="box", name="Box")
    return Topic.objects.create(slug="leak", name="Leak")


@pytest.fixture
def two(quality: Team, logistics: Team) -> list[User]:
    return [make_person(name, quality, logistics) for name in ("Tariq", "Mina")]


@pytest.fixture
def lena(db: None) -> User:
    return make_person("Lena", role=Role.MANAGER)


def placed(team: Team, *, by: str = "rule", text: str = "The lid cracked", tags: Any = (), at: Any = AT) -> Ticket:
    """A ticket as the pipeline leaves it, with its event and the model's tags."""
    ticket = make_ticket(text, team=team, at=at)
    source = {"rule": "rule", "catch_all": "system"}.get(by, "model")
    Event.objects.create(
        item=ticket.item,
        ticket=ticket,
        type="routed",
        source=source,
        data={"by": by, "team": team.slug},
        occurred_at=at,
    )
    for slug in tags:
        topic = Topic.objects.get(slug=slug)
        Tagging.objects.create(item=ticket.item, topic=topic, source="model", confidence=0.8)
    return ticket


def drawn(*, size: int = 50, seed: int = 7) -> Audit:
    audit = draw(MONDAY, seed=seed, size=size, at=NEXT)
    assert audit is not None
    return audit


def say(
    audited: AuditedItem, person: User, *topics: str, team: str | None = "quality", sentiment: str = "neg"
) -> AuditedItem:
    return audits.answer(audited.pk, Said(topics, team, sentiment), by=actor(person), at=NEXT)


class TestWhatIsDrawn:
    def test_last_weeks_items_and_no_others(self, quality: Team) -> None:
        week = [placed(quality, at=AT - timedelta(days=2, hours=11)), placed(quality, at=AT + timedelta(days=4))]
        for days in (-4, 5):
            placed(quality, at=AT + timedelta(days=days))
        make_item(at=AT)  # nobody placed it yet
        stars = placed(quality)  # nothing to read
        type(stars.item).objects.filter(pk=stars.item_id).update(text="", rating_scale="csat5", rating_value=3)
        test = placed(quality)
        type(test.item).objects.filter(pk=test.item_id).update(is_test=True)
        gone = placed(quality)
        type(gone.item.submission).objects.filter(pk=gone.item_id).update(gone_at=AT)

        assert {each.item_id for each in drawn().items.all()} == {ticket.item_id for ticket in week}
        assert Audit.objects.get().sentiments == {"en": {"neg": 2}}
        assert last_week(NEXT) == MONDAY

    def test_the_same_seed_draws_the_same_and_another_seed_others(self, quality: Team) -> None:
        for _ in range(40):
            placed(quality)

        def sample(seed: int) -> list[int]:
            audit = drawn(size=10, seed=seed)
            found = list(audit.items.order_by("pk").values_list("item", flat=True))
            audit.delete()
            return found

        assert sample(7) == sample(7)
        assert sample(7) != sample(8)
        assert len(set(sample(7))) == 10
        assert sample(7) != sorted(sample(7))

    def test_rare_ways_of_placing_are_seen_and_counted_for_what_they_stand_for(self, quality: Team) -> None:
        for by, count in (("rule", 36), ("model", 9), ("catch_all", 1)):
            for _ in range(count):
                placed(quality, by=by)

        audit = drawn(size=10)

        assert audit.strata == {
            "rule": {"arrived": 36, "drawn": 6},
            "model": {"arrived": 9, "drawn": 3},
            "catch_all": {"arrived": 1, "drawn": 1},
        }
        assert Counter(audit.items.values_list("stratum", flat=True)) == {"rule": 6, "model": 3, "catch_all": 1}

    def test_never_more_than_there_is_nor_than_is_asked_for(self) -> None:
        assert allot({"a": 3, "b": 1}, 50) == {"a": 3, "b": 1}
        assert sum(allot({"a": 1000, "b": 70, "c": 4}, 50).values()) == 50
        assert allot({}, 50) == {}

    def test_what_the_portal_had_said_is_kept_whatever_people_make_of_it(
        self, quality: Team, two: list[User], leak: Topic
    ) -> None:
        ticket = placed(quality, tags=["leak", "box"])
        decide(ticket.reference, "tag", by=actor(two[0]), at=AT, topic="leak")
        decide(ticket.reference, "untag", by=actor(two[0]), at=AT, topic="box")
        decide(ticket.reference, "route", by=actor(two[0]), at=AT, team="logistics")

        assert drawn().items.get().machine == {"team": "quality", "topics": ["box", "leak"], "sentiment": "neg"}

    def test_a_week_is_drawn_once_and_an_empty_one_not_at_all(self, quality: Team) -> None:
        assert draw(MONDAY, seed=1, size=50, at=NEXT) is None
        placed(quality)
        assert draw(MONDAY, seed=1, size=0, at=NEXT) is None
        first = drawn(seed=1)

        assert drawn(seed=2) == first
        assert Audit.objects.get().seed == 1


class TestWhatPeopleSay:
    @pytest.fixture
    def audited(self, quality: Team, leak: Topic) -> AuditedItem:
        placed(quality, tags=["leak"])
        return drawn().items.get()

    def test_two_who_agree_make_a_label(self, audited: AuditedItem, two: list[User]) -> None:
        assert say(audited, two[0], "box", "leak").state == "open"
        done = say(audited, two[1], "leak", "box")

        assert (done.state, done.label) == (
            "agreed",
            {"topics": ["box", "leak"], "team": "quality", "sentiment": "neg"},
        )

    @pytest.mark.parametrize("second", [{"topics": ["leak"], "team": "logistics"}, {"topics": [], "team": "quality"}])
    def test_two_who_differ_wait_for_a_third(
        self, audited: AuditedItem, two: list[User], lena: User, second: dict[str, Any]
    ) -> None:
        say(audited, two[0], "leak")
        assert say(audited, two[1], *second["topics"], team=second["team"]).state == "disputed"
        with pytest.raises(NotAllowed):
            say(audited, make_person("Ada", make_team("quality"), make_team("logistics")), "leak")
        assert audits.next_to_settle(actor(lena)) == audited

        done = say(audited, lena, "box", team="logistics", sentiment="")

        assert (done.state, done.label) == ("settled", {"topics": ["box"], "team": "logistics"})
        assert audits.next_to_settle(actor(lena)) is None

    def test_another_sound_alone_is_no_dispute_but_no_label_either(self, audited: AuditedItem, two: list[User]) -> None:
        say(audited, two[0], "leak", sentiment="neg")

        assert say(audited, two[1], "leak", sentiment="neu").label == {"topics": ["leak"], "team": "quality"}

    def test_nobody_answers_twice_nor_settles_their_own(
        self, audited: AuditedItem, two: list[User], lena: User
    ) -> None:
        say(audited, lena, "leak")
        with pytest.raises(Refused, match="already"):
            say(audited, lena, "leak")
        say(audited, two[1], "box")

        assert audits.next_to_settle(actor(lena)) is None
        with pytest.raises(Refused, match="already"):
            say(audited, lena, "leak")

    def test_whoever_is_of_one_team_is_not_asked_for_it(
        self, audited: AuditedItem, two: list[User], quality: Team
    ) -> None:
        only = make_person("Ines", quality)
        assert not audits.asks_team(actor(only))

        say(audited, only, "leak", team="quality")
        done = say(audited, two[0], "leak", team="logistics")

        assert AuditAnswer.objects.get(person=only).team is None
        assert (done.state, done.label) == ("agreed", {"topics": ["leak"], "sentiment": "neg"})

    def test_other_teams_items_do_not_exist(self, audited: AuditedItem) -> None:
        omar = make_person("Omar", make_team("marketing"))

        assert audits.next_to_label(actor(omar)) is None
        with pytest.raises(NotFound):
            say(audited, omar, "leak")
        with pytest.raises(NotFound):
            audits.skip(audited.pk, reason="unclear", by=actor(omar), at=NEXT)

    @pytest.mark.parametrize(
        ("said", "path"),
        [(Said(["nowhere"], "quality"), "topic"), (Said([], "nowhere"), "team"), (Said([], None), "team"),
         (Said([], "quality", "angry"), "sentiment")],
    )  # fmt: skip
    def test_what_is_not_in_the_lists_is_refused(
        self, audited: AuditedItem, two: list[User], said: Said, path: str
    ) -> None:
        with pytest.raises(BadInput) as refused:
            audits.answer(audited.pk, said, by=actor(two[0]), at=NEXT)

        assert [error.path for error in refused.value.errors] == [path]
        assert not audited.answers.exists()

    def test_what_three_cannot_tell_is_given_up(self, audited: AuditedItem, two: list[User], lena: User) -> None:
        knows = make_person("Ada", role=Role.MANAGER)
        audits.skip(audited.pk, reason="known", by=actor(knows), at=NEXT)
        for person in (*two, lena):
            assert audits.next_to_label(actor(person)) == audited
            audits.skip(audited.pk, reason="unclear", by=actor(person), at=NEXT)
            assert audits.next_to_label(actor(person)) is None

        audited.refresh_from_db()
        assert audited.state == "unusable"

    def test_begun_pairs_come_first_and_what_one_decided_oneself_last(
        self, quality: Team, two: list[User], leak: Topic
    ) -> None:
        tickets = [placed(quality) for _ in range(3)]
        items = {each.item_id: each for each in drawn().items.all()}
        own, begun, fresh = (items[ticket.item_id] for ticket in tickets)
        decide(tickets[0].reference, "claim", by=actor(two[0]), at=AT)
        say(begun, two[1], "leak")

        seen = []
        while (audited := audits.next_to_label(actor(two[0]))) is not None:
            seen.append(audited)
            say(audited, two[0], "leak")

        assert seen == [begun, fresh, own]
        assert audits.progress(actor(two[0])) == audits.Progress(answered=3, waiting=0, to_settle=0)

    @pytest.mark.parametrize(
        ("fields", "constraint"),
        [({"seat": None}, "audit_answered_or_skipped"), ({"seat": 1, "skipped": "unclear"}, "audit_answered_or_skipped"),
         ({"seat": 4}, "audit_answered_or_skipped")],
    )  # fmt: skip
    def test_the_database_refuses_half_an_answer(
        self, audited: AuditedItem, lena: User, fields: Any, constraint: str
    ) -> None:
        with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
            AuditAnswer.objects.create(audited=audited, person=lena, answered_at=NEXT, **fields)


@pytest.mark.django_db(transaction=True)
def test_of_three_who_answer_at_once_two_are_heard() -> None:
    quality = make_team("quality")
    Topic.objects.create(slug="leak", name="Leak")
    placed(quality)
    audited = drawn().items.get()
    people = [make_person(name, role=Role.MANAGER) for name in ("Lena", "Ada", "Mina")]
    outcomes: list[str] = []
    together = threading.Barrier(3)

    def label(person: User) -> None:
        together.wait()
        try:
            say(audited, person, "leak")
            outcomes.append("heard")
        except Refused as refused:
            outcomes.append(refused.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=label, args=[person]) for person in people]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["heard", "heard", "not-now"]
    assert sorted(audited.answers.values_list("seat", flat=True)) == [1, 2]
    audited.refresh_from_db()
    assert audited.state == "agreed"


class TestWhatItTeaches:
    @pytest.fixture
    def labelled(self, quality: Team, two: list[User], leak: Topic) -> Ticket:
        """One item that two people call a leak for logistics, though somebody had tagged it otherwise at work."""
        ticket = placed(quality, tags=["box"])
        decide(ticket.reference, "tag", by=actor(two[0]), at=AT, topic="box")
        audited = drawn().items.get()
        for person in two:
            say(audited, person, "leak", team="logistics")
        return ticket

    def labels(self) -> dict[str, list[str]]:
        return {field: [each.label for each in corrections(field)] for field in ("topic", "team")}

    def test_nothing_until_it_is_closed_and_then_more_than_any_correction(self, labelled: Ticket) -> None:
        assert self.labels() == {"topic": ["box"], "team": []}
        assert audits.close_due(at=NEXT + timedelta(days=6)) == 0
        assert self.labels() == {"topic": ["box"], "team": []}
        Training.objects.all().delete()

        assert audits.close_due(at=LATER) == 1

        assert self.labels() == {"topic": ["leak"], "team": ["logistics"]}
        assert sorted(Training.objects.values_list("field", flat=True)) == ["sentiment", "team", "topic"]
        event = Event.objects.get(type="audited")
        assert (event.item_id, event.ticket, event.data["audit"]) == (labelled.item_id, None, "2026-W10")
        assert audits.close_due(at=LATER) == 0

    def test_of_several_topics_only_the_team_is_learned(self, quality: Team, two: list[User], leak: Topic) -> None:
        placed(quality)
        audited = drawn().items.get()
        for person in two:
            say(audited, person, "box", "leak")
        audits.close_due(at=LATER)

        assert self.labels() == {"topic": [], "team": ["quality"]}

    def test_that_no_topic_fits_is_learned_too(self, quality: Team, two: list[User], leak: Topic) -> None:
        placed(quality, tags=["leak"])
        audited = drawn().items.get()
        for person in two:
            say(audited, person)
        audits.close_due(at=LATER)

        assert self.labels()["topic"] == [""]

    def test_who_does_not_answer_is_not_waited_for_and_answers_no_more(
        self, quality: Team, two: list[User], leak: Topic
    ) -> None:
        placed(quality)
        audited = drawn().items.get()

        assert audits.close_due(at=NEXT + timedelta(days=20)) == 0
        assert audits.close_due(at=NEXT + timedelta(days=22)) == 1
        assert audits.next_to_label(actor(two[0])) is None
        with pytest.raises(Refused, match="closed"):
            say(audited, two[0], "leak")
        assert not Event.objects.filter(type="audited").exists()


class TestThePage:
    @pytest.fixture
    def desk(self, lena: User) -> Client:
        client = Client()
        client.force_login(lena)
        return client

    def page(self, desk: Client, address: str = "/audits/") -> str:
        html = desk.get(address).content.decode()
        return re.sub(r'name="csrfmiddlewaretoken" value="[^"]+"', "", html)

    def test_it_holds_nothing_of_what_the_portal_said(
        self, desk: Client, quality: Team, logistics: Team, leak: Topic, two: list[User]
    ) -> None:
        """Whatever the portal and the first person said, the page is the same to the letter."""
        ticket = placed(quality, tags=["leak"])
        audited = drawn().items.get()
        before = self.page(desk)
        assert "The lid cracked" in before
        assert ticket.reference not in before

        AuditedItem.objects.update(
            machine={"team": "logistics", "topics": ["box"], "sentiment": "pos"}, stratum="model"
        )
        Tagging.objects.update(topic=Topic.objects.get(slug="box"))
        Analysis.objects.update(sentiment="pos", urgency=3, evidence={"urgency": []})
        Ticket.objects.update(team=logistics, severity=1, explanation={"by": "model", "reason": "Zebra"})
        say(audited, two[0], "leak", team="logistics", sentiment="pos")

        rail = re.compile(r"<nav class=.rail.*?</nav>", re.S)
        assert rail.sub("", self.page(desk)) == rail.sub("", before)

    def test_customers_words_are_text(self, desk: Client, quality: Team) -> None:
        placed(quality, text="<script>alert(1)</script>")
        drawn()

        assert "<script>alert" not in self.page(desk)
        assert "&lt;script&gt;alert" in self.page(desk)

    def test_answering_leads_to_the_next_and_mistakes_back_to_the_item(
        self, desk: Client, quality: Team, leak: Topic
    ) -> None:
        placed(quality, text="One of two")
        placed(quality, text="Two of two")
        first = (
            audits.next_to_label(actor(User.objects.get(email="lena@example.com"))) or drawn().items.order_by("pk")[0]
        )

        wrong = desk.post(f"/audits/{first.pk}/", {"topic": ["leak"], "team": ""})
        right = desk.post(
            f"/audits/{first.pk}/", {"topic": ["leak"], "team": "quality", "sentiment": "neg"}, follow=True
        )

        assert wrong.status_code == 422
        html = wrong.content.decode()
        assert first.item.text in html
        assert re.search(r'value="leak" checked', html)
        assert "Choose the team that should have it." in html
        assert first.item.text not in right.content.decode()
        assert "You have labelled <b>1</b>, <b>1</b> waits for you." in right.content.decode()

    def test_a_lead_sees_what_two_said_and_not_who(
        self, desk: Client, quality: Team, leak: Topic, two: list[User]
    ) -> None:
        placed(quality)
        audited = drawn().items.get()
        say(audited, two[0], "leak")
        say(audited, two[1], "box", team="logistics")

        html = self.page(desk, "/audits/settle/")
        assert "One said: <b>Leak</b>, for <b>Quality</b>." in html
        assert "The other said: <b>Box</b>, for <b>Logistics</b>." in html
        assert "Tariq" not in html
        desk.post(f"/audits/{audited.pk}/", {"settling": "1", "topic": ["leak"], "team": "quality"})
        audited.refresh_from_db()
        assert (audited.state, audited.label) == ("settled", {"topics": ["leak"], "team": "quality"})

    def test_skipping_takes_a_reason_of_the_list(self, desk: Client, quality: Team) -> None:
        placed(quality)
        audited = drawn().items.get()

        assert desk.post(f"/audits/{audited.pk}/", {"skip": "bored"}).status_code in {400, 422}
        assert desk.post(f"/audits/{audited.pk}/", {"skip": "language"}).status_code == 302
        assert audited.answers.get().skipped == "language"

    def test_it_costs_as_many_statements_for_two_items_as_for_twenty(
        self, desk: Client, quality: Team, leak: Topic
    ) -> None:
        def cost(size: int) -> int:
            Audit.objects.all().delete()
            drawn(size=size)
            with CaptureQueriesContext(connection) as spent:
                desk.get("/audits/")
            return len(spent)

        for _ in range(20):
            placed(quality)

        assert cost(2) == cost(20)
