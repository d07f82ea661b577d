"""New items are taken in by batches: understood, placed with a reason, findable, and never lost on the way."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.postgres.search import SearchQuery
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from feedback_portal.accounts.models import Role, Stage, Team
from feedback_portal.accounts.permissions import Actor
from intake.models import Account, Arrival, FeedbackItem
from tests.makers import make_channel, make_customer, make_item, make_person, make_team
from triage import decisions, finding, pipeline
from triage.finding import search
from triage.models import (
    Analysis,
    ChangedDay,
    Event,
    Mention,
    Notification,
    Pattern,
    Rule,
    SearchText,
    Tagging,
    Ticket,
    Topic,
)
from triage.routing import OUT_OF_THE_WAY
from triage.rules import parse
from triage.taggers import taggers
from triage.taggers.base import Suggestion

pytestmark = pytest.mark.django_db

AT = datetime(2026, 3, 4, 12, tzinfo=UTC)


@pytest.fixture
def quality() -> Team:
    return make_team("quality", stage=Stage.objects.get(slug="quality"))


def arrive(text: str, **fields: object) -> int:
    item = make_item(text, **fields)
    Arrival.objects.create(item=item)
    return item.pk


def take_in() -> dict[str, int]:
    return pipeline.understand_pending(at=AT).as_dict()


def rule(name: str, when: dict[str, object], *then: dict[str, object], position: int = 10) -> Rule:
    definition = {"version": 1, "when": when, "then": list(then)}
    parse(definition)
    return Rule.objects.create(name=name, position=position, definition=definition)


def test_an_item_is_understood_placed_and_findable(quality: Team) -> None:
    Topic.objects.create(slug="leak", name="Leak", keywords=["leak", "leaks", "puddle"], team=quality)
    number = arrive("The machine leaks, there is a puddle under it every morning")

    assert take_in() == {"done": 1, "retried": 0, "parked": 0}

    ticket = Ticket.objects.get(item=number)
    assert (ticket.team, ticket.stage, ticket.status) == (quality, quality.stage, "new")
    assert ticket.due_at == ticket.received_at + timedelta(hours=24)
    assert ticket.explanation["by"] == "topic"
    tagging = Tagging.objects.get(item=number)
    assert (tagging.topic.slug, tagging.source) == ("leak", "model")
    assert tagging.evidence["evidence"][0]["span"]
    assert list(Event.objects.order_by("id").values_list("type", "source")) == [
        ("received", "customer"),
        ("routed", "model"),
    ]
    assert SearchText.objects.filter(document=SearchQuery("puddle", config="simple")).exists()
    assert Analysis.objects.get().versions.keys() == {tagger.slug for tagger in taggers.all()}
    assert ChangedDay.objects.exists()


def test_what_an_item_names_is_kept_routed_by_and_found(quality: Team) -> None:
    Pattern.objects.create(name="Plate", kind="batch", expression=r"H\d-\d{4}", product="H4")
    rule("Bad batch", {"field": "entity.batch", "op": "is", "value": "h4-2231"}, {"verb": "route", "team": "quality"})
    told = arrive("The plate says H4-2231", product="H4 Duo")
    came_with = arrive("It leaks", context={"batch": "H4-2231"})
    neither = arrive("All is well")
    take_in()

    assert list(Mention.objects.filter(item=told).order_by("kind", "key").values_list("kind", "value")) == [
        ("batch", "H4-2231"),
        ("product", "H4"),
        ("product", "H4 Duo"),
    ]
    assert FeedbackItem.objects.get(pk=told).product == "H4 Duo"
    assert set(Ticket.objects.filter(team=quality).values_list("item", flat=True)) == {told, came_with}
    assert find("batch:h4-2231") == {told, came_with}
    assert find("entity.batch:none") == find("batch:none") == {neither}
    assert find("product:H4") == set()  # what was given stands, whatever the text names


def test_what_is_probably_spam_is_marked_and_behind_until_somebody_says_it_is_none() -> None:
    number = arrive("WIN a FREE cruise! Text WIN to 87654 now, only £1.50 per msg. Reply STOP to opt out")
    danger = arrive(
        "FREE offer, WIN a cruise! Text WIN to 87654, £1.50 per msg. There is smoke and fire, somebody is hurt"
    )
    take_in()
    ticket = Ticket.objects.get(item=number)

    assert (ticket.rank, ticket.status, ticket.explanation["by"]) == (OUT_OF_THE_WAY, "new", "spam")
    assert find("is:spam") == {number}
    assert Ticket.objects.get(item=danger).rank == 0

    decisions.decide(ticket.reference, "dismiss", by=Actor(user=make_person("Ada", role=Role.ADMIN)), at=AT)

    ticket.refresh_from_db()
    assert ticket.rank == ticket.severity - 1
    assert find("is:spam") == set()


def find(query: str) -> set[int]:
    meant = finding.condition(search.parse(query), finding.asker_of(None, AT))
    return set(Ticket.objects.filter(meant).values_list("item", flat=True))


def test_what_nobody_knows_goes_to_the_catch_all() -> None:
    arrive("Bleu, rouge, vert")
    take_in()

    ticket = Ticket.objects.get()
    assert ticket.team.is_catch_all
    assert ticket.explanation["by"] == "catch_all"


def test_a_rule_decides_before_the_topic_and_says_why(quality: Team) -> None:
    logistics = make_team("logistics")
    Topic.objects.create(slug="leak", name="Leak", keywords=["leak"], team=quality)
    rule(
        "Later", {"field": "text", "op": "contains", "value": "leak"}, {"verb": "route", "team": "quality"}, position=20
    )
    rule(
        "Big customers first",
        {
            "all": [
                {"field": "customer_value", "op": "gt", "value": 1000},
                {"field": "channel", "op": "is", "value": "support-api"},
            ]
        },
        {"verb": "route", "team": "logistics"},
        {"verb": "tag", "topic": "leak"},
        {"verb": "severity", "value": 2},
    )
    account = Account.objects.create(external_id="acme", value=5000)
    arrive("A leak", customer=make_customer(account=account))

    take_in()

    ticket = Ticket.objects.get()
    assert (ticket.team, ticket.severity) == (logistics, 2)
    assert (ticket.explanation["by"], ticket.explanation["rule"]) == ("rule", "Big customers first")
    first, second = ticket.explanation["held"]
    assert [condition["held"] for condition in first["conditions"]] == [True, True]
    assert second["rule"] == "Later"
    assert Tagging.objects.get().source == "rule"
    assert Event.objects.get(type="routed").source == "rule"


def test_a_rule_that_names_a_team_that_is_gone_is_passed_over(quality: Team) -> None:
    rule("To nowhere", {"field": "text", "op": "contains", "value": "leak"}, {"verb": "route", "team": "gone"})
    arrive("A leak")
    take_in()

    assert Ticket.objects.get().team.is_catch_all


def test_a_rule_may_give_it_to_a_person(quality: Team) -> None:
    tariq = make_person("Tariq", quality)
    rule(
        "His",
        {"field": "text", "op": "contains", "value": "leak"},
        {"verb": "route", "team": "quality"},
        {"verb": "assign", "person": tariq.email},
    )
    arrive("A leak")
    take_in()

    assert Ticket.objects.get().assignee == tariq


def test_danger_is_first_in_line_within_the_hour() -> None:
    arrive("There was smoke and fire, my son burned his hand")
    take_in()

    ticket = Ticket.objects.get()
    assert (ticket.rank, ticket.severity) == (0, 1)
    assert ticket.due_at == ticket.received_at + timedelta(hours=1)


def test_a_tagger_that_breaks_on_one_text_is_recorded_there_and_nowhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    class Fragile:
        slug, version, kind = "fragile", 3, "glass"

        def tag(self, batch, taxonomy):  # type: ignore[no-untyped-def]
            if any("hammer" in text.text for text in batch):
                raise RuntimeError("shattered")
            return [[Suggestion("glass", "whole", 0.9, "Nothing broke it.")] for _ in batch]

    monkeypatch.setitem(taggers._plugins, "fragile", Fragile())
    broken = arrive("A hammer")
    for number in range(5):
        arrive(f"A feather {number}")

    assert take_in()["done"] == 6

    assert Analysis.objects.get(item=broken).failures == {"fragile": "RuntimeError: shattered"}
    assert Analysis.objects.filter(failures={}).count() == 5
    assert Analysis.objects.exclude(item=broken).first().evidence["fragile"][0]["value"] == "whole"


def test_a_tagger_that_answers_for_too_few_texts_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    class Lazy:
        slug, version, kind = "lazy", 1, "sloth"

        def tag(self, batch, taxonomy):  # type: ignore[no-untyped-def]
            return []

    monkeypatch.setitem(taggers._plugins, "lazy", Lazy())
    arrive("One")
    take_in()

    assert "0 answers" in Analysis.objects.get().failures["lazy"]


def test_a_batch_takes_as_many_statements_as_one_item() -> None:
    def cost(count: int) -> int:
        for number in range(count):
            arrive(f"Number {number} of {count}")
        with CaptureQueriesContext(connection) as captured:
            take_in()
        return len(captured)

    cost(1)
    assert cost(2) == cost(60)


class TestReceipts:
    def test_a_receipt_is_written_with_the_ticket_and_holds_nothing_they_typed(self) -> None:
        arrive("Buy cheap watches at evil.example", at=timezone.now(), customer=make_customer("Ana"), title="Buy now")
        take_in()

        receipt = Notification.objects.get()
        assert (receipt.kind, receipt.recipient) == ("receipt", "ana@customers.example")
        assert "/t/" in receipt.body
        for typed in ("evil.example", "Buy", "Ana"):
            assert typed not in receipt.body + receipt.subject

    def test_nobody_gets_many(self) -> None:
        ana = make_customer("Ana")
        for _ in range(5):
            arrive("Again", at=timezone.now(), customer=ana)
        take_in()
        arrive("And again", at=timezone.now(), customer=ana)
        take_in()

        assert Notification.objects.count() == 1

    @pytest.mark.parametrize("why", ["no consent", "opted out", "old", "nobody", "ourselves"])
    def test_who_did_not_ask_gets_none(self, why: str, settings) -> None:  # type: ignore[no-untyped-def]
        ana = make_customer("Ana")
        if why == "opted out":
            type(ana).objects.update(opted_out_at=timezone.now())
            ana.refresh_from_db()
        if why == "ourselves":
            settings.DEFAULT_FROM_EMAIL = f"Feedback <{ana.email}>"
        at = AT - timedelta(days=3) if why == "old" else AT
        arrive("Hello", at=at, customer=None if why == "nobody" else ana, may_contact=why != "no consent")
        take_in()

        assert Ticket.objects.exists()
        assert not Notification.objects.exists()


def test_channels_are_known_to_rules_by_slug_and_kind() -> None:
    make_team("shop")
    rule("Shop", {"field": "connector", "op": "is", "value": "rest_api"}, {"verb": "route", "team": "shop"})
    arrive("Hello", channel=make_channel("kiosk"))
    take_in()

    assert Ticket.objects.get().team.slug == "shop"
