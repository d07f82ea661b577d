"""A back-test says what routing itself would have done, with fewer items looked at."""

import os
import random
import threading
from datetime import timedelta
from typing import Any

import pytest
from django.db import connection, connections
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import Role
from feedback_portal.refusals import BadInput, NotAllowed
from intake.models import Account, Customer, FeedbackItem
from tests.makers import AT, actor, make_channel, make_customer, make_item, make_person, make_team, make_ticket
from triage import rulebook
from triage.models import Analysis, BackTest, Rule, Tagging, Ticket, Topic
from triage.routing import Router, facts_of
from triage.rulebook import back_testing, past_facts
from triage.rulebook.comparison import Tally
from triage.rulebook.halves import in_two
from triage.rulebook.past_filters import could_hold
from triage.rules import parse

pytestmark = pytest.mark.django_db

WORDS = ["leak", "Leaked", "lid", "drips", "cracked", "é leak", "batteries", "battery", "invoice"]


def when(field: str, op: str, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


def rule(*conditions: dict[str, Any], group: str = "all", team: str = "quality") -> dict[str, Any]:
    return {"version": 1, "when": {group: list(conditions)}, "then": [{"verb": "route", "team": team}]}


@pytest.fixture
def world() -> list[FeedbackItem]:
    """Sixty items of every sort, on tickets, half of them decided by people."""
    chance = random.Random(7)
    teams = [make_team(slug) for slug in ("quality", "logistics", "service")]
    hardware = Topic.objects.create(slug="hardware", name="Hardware", team=teams[0])
    leaks = Topic.objects.create(slug="leaks", name="Leaks", parent=hardware, team=teams[1])
    account = Account.objects.create(external_id="zendesk:7", name="Brandt Studio", segment="Büro", value=5000)
    works = Customer.objects.create(external_id="works", account=account)
    items = []
    for number in range(60):
        item = make_item(
            " ".join(chance.choices(WORDS, k=4)),
            at=AT + timedelta(minutes=number // 2),
            title=chance.choice(["", "Ça fuit", "Lid"]),
            channel=make_channel(chance.choice(["web", "app-store"])),
            customer=chance.choice([None, works, make_customer()]),
            product=chance.choice(["", "Kettle", "KETTLE", "Küche"]),
            rating_scale="csat5",
            rating_value=chance.randint(1, 5),
            context={"batch": "H4", "country": "SE"} if number % 3 else {},
        )
        Analysis.objects.create(
            item=item,
            language=chance.choice(["en", "und"]),
            sentiment=chance.choice(["neg", "pos"]),
            urgency=chance.choice([0, 1, 2]),
            versions={"spam": 1} if number % 5 else {},
            evidence={"spam": [{"kind": "spam", "value": "spam", "confidence": 0.9}]} if number % 10 == 1 else {},
        )
        if number % 2:
            topic = chance.choice([hardware, leaks])
            Tagging.objects.create(item=item, topic=topic, source="model", confidence=chance.random())
        make_ticket(item=item, team=chance.choice(teams), triaged_at=AT if number % 2 else None)
        items.append(item)
    return items


CHANGES = [
    (rule(when("text", "mentions", ["leak"])), rule(when("text", "mentions", ["leak", "drips"]))),
    (rule(when("text", "contains", "lid")), rule(when("text", "contains", "lid"), team="logistics")),
    (None, rule(when("rating", "lte", 2), when("channel", "is", "Web"))),
    (rule(when("topic", "is", "hardware")), rule(when("topic", "is", "leaks"))),
    (rule(when("product", "in", ["kettle", "kuche"])), rule(when("customer_value", "between", [1, 9000]), team="service")),
    (None, rule(when("text", "matches", "batter(y|ies)"), when("customer_segment", "is", "buro"), group="any")),
    (rule({"not": when("text", "mentions", "leak")}), rule(when("context.batch", "exists", False))),
    (None, rule(when("text", "mentions", "battery"), when("spam", "is", False))),
    (rule(when("customer_account", "is", "brandt studio")), rule(when("language", "exists", False), when("country", "is", "se"))),
]  # fmt: skip


@pytest.mark.parametrize("change", range(len(CHANGES)))
def test_it_tells_what_routing_every_item_by_both_sets_of_rules_tells(world: list[FeedbackItem], change: int) -> None:
    before, after = CHANGES[change]
    first = Rule.objects.create(
        name="First", position=5, definition=rule(when("text", "contains", "invoice"), team="service")
    )
    last = Rule.objects.create(
        name="Last", position=50, definition=rule(when("sentiment", "is", "pos"), team="logistics")
    )
    mine = Rule.objects.create(name="Mine", position=20, definition=before or after)
    others = [back_testing.standing(one) for one in (first, last)]

    comparison = back_testing.compare(
        back_testing.standing(mine) if before else None,
        back_testing.standing(mine, after),
        others=others,
        items=1000,
        at=AT,
    )

    assert comparison is not None
    told = comparison.told()
    old = _everywhere(world, mine, before)
    new = _everywhere(world, mine, after)
    expected: dict[tuple[str, str], int] = {}
    for item in world:
        if old[item.pk] != new[item.pk]:
            pair = (old[item.pk], new[item.pk])
            expected[pair] = expected.get(pair, 0) + 1
    assert {(move["from"], move["to"]): move["count"] for move in told["moves"]} == expected
    assert told["looked_at"] == len(world)
    decided = {
        ticket.item_id: ticket.team.slug for ticket in Ticket.objects.exclude(triaged_at=None).select_related("team")
    }
    moved = [item.pk for item in world if old[item.pk] != new[item.pk]]
    assert told["decided"] == sum(pk in decided for pk in moved)
    assert told["right_before"] == sum(decided.get(pk) == old[pk] for pk in moved)
    assert told["right_after"] == sum(decided.get(pk) == new[pk] for pk in moved)


def _everywhere(world: list[FeedbackItem], mine: Rule, definition: Any) -> dict[int, str]:
    """Where the router itself puts every item with this rule so, or without it."""
    Rule.objects.filter(pk=mine.pk).update(is_enabled=definition is not None, definition=definition or mine.definition)
    router = Router.load(at=AT)
    found = {}
    for past in (
        past
        for page in past_facts.pages(most=1000, fields=_EVERY, above=Topic.objects.all().above())
        for past in page.rows
    ):
        found[past.item] = router.route(past.facts, past.clues).team.slug
    assert found.keys() == {item.pk for item in world}
    return found


_EVERY = {
    "channel", "connector", "language", "sentiment", "urgency", "topic", "product", "product_version", "rating", "rating_scale",
    "title", "text", "customer_segment", "customer_value", "customer_account", "country", "place", "spam", "context.batch",
    "received_hour", "received_weekday", "entity.order", "theme",
}  # fmt: skip


def test_what_is_read_of_an_item_is_what_rules_met_when_it_arrived(world: list[FeedbackItem]) -> None:
    items = FeedbackItem.objects.select_related("channel", "customer__account", "analysis").in_bulk()
    topics: dict[int, set[str]] = {}
    for pk, slug in Tagging.objects.values_list("item_id", "topic__slug"):
        topics.setdefault(pk, set()).add(slug)
    read = [past for page in past_facts.pages(most=1000, fields=_EVERY, above={}, page=7) for past in page.rows]

    assert [past.item for past in read] == [
        item.pk for item in sorted(world, key=lambda one: (one.received_at, one.pk), reverse=True)
    ]
    for past in read:
        item = items[past.item]
        assert past.facts == facts_of(item, item.analysis, topics=frozenset(topics.get(item.pk, ()))), past.item


def test_the_filter_leaves_out_items_and_never_one_that_holds(world: list[FeedbackItem]) -> None:
    above = Topic.objects.all().above()
    everything = [past for page in past_facts.pages(most=99, fields=_EVERY, above=above) for past in page.rows]
    left_out = 0
    for definition in [one for pair in CHANGES for one in pair if one]:
        one = parse(definition)
        only = could_hold([one], below={"hardware": ["leaks"]})
        found = {
            past.item for page in past_facts.pages(most=99, fields=_EVERY, above=above, only=only) for past in page.rows
        }
        assert {past.item for past in everything if one.when.holds(past.facts)} <= found, definition
        left_out += len(everything) - len(found)
    assert left_out > 100


def test_rules_before_and_after_it_are_named() -> None:
    make_ticket("the lid leaks"), make_ticket("the lid broke"), make_ticket("it leaks")
    make_team("logistics")
    first = Rule.objects.create(name="First", position=5, definition=rule(when("text", "contains", "lid")))
    last = Rule.objects.create(name="Last", position=50, definition=rule(when("text", "contains", "leaks")))
    others = [back_testing.standing(one) for one in (first, last)]
    new = Rule(name="New", position=20)
    leaks, lids = (
        rule(when("text", "contains", "leaks"), team="logistics"),
        rule(when("text", "contains", "lid"), team="logistics"),
    )

    found = back_testing.compare(None, back_testing.standing(new, leaks), others=others, items=10, at=AT)
    never = back_testing.compare(None, back_testing.standing(new, lids), others=others, items=10, at=AT)

    assert found is not None
    assert found.told()["earlier"] == [{"rule": "First", "count": 1}]
    assert found.told()["took"] == [{"rule": "Last", "count": 1}]
    assert never is not None
    assert never.told()["never_reached"]


class TestAJob:
    def test_it_is_worked_out_by_the_drain_and_kept_with_the_version_it_was_made_for(self) -> None:
        ada = actor(make_person("Ada", role=Role.ADMIN))
        make_team("quality")
        make_team("service")
        make_ticket("it leaks")
        made = rulebook.create_rule(
            {"name": "Leaks", "definition": rule(when("text", "mentions", "leak"))}, by=ada, at=AT
        )
        edit = rule(when("text", "mentions", "leak"), team="service")

        asked = back_testing.ask(made, name="Leaks", definition=edit, by=ada, at=AT)
        assert back_testing.work_pending().done == 1

        asked.refresh_from_db()
        assert asked.looked_at == 1
        assert asked.result is not None
        assert [(move["from"], move["to"]) for move in asked.result["moves"]] == [("quality", "service")]
        changed = rulebook.change_rule(made, {"definition": edit}, by=ada, at=AT)
        assert changed.versions.get(number=2).back_test == asked
        assert changed.versions.get(number=1).back_test is None

    def test_a_new_one_gives_up_what_was_asked_before_and_a_cancelled_one_has_no_result(self) -> None:
        ada = actor(make_person("Ada", role=Role.ADMIN))
        make_team("quality")
        made = rulebook.create_rule(
            {"name": "Leaks", "definition": rule(when("text", "mentions", "leak"))}, by=ada, at=AT
        )
        first = back_testing.ask(made, name="", definition=made.definition, by=ada, at=AT)
        second = back_testing.ask(made, name="", definition=made.definition, by=ada, at=AT)
        back_testing.cancel(second, by=ada, at=AT)

        back_testing.work_pending()

        for one in (first, second):
            one.refresh_from_db()
            assert one.is_over
            assert one.result is None

    def test_it_stops_between_two_pages_when_it_is_cancelled(self, world: list[FeedbackItem], monkeypatch: Any) -> None:
        monkeypatch.setattr(back_testing, "PAGE", 10)
        seen: list[int] = []

        def tell(looked_at: int) -> bool:
            seen.append(looked_at)
            return len(seen) < 3

        new = back_testing.standing(Rule(name="New", position=1), rule(when("rating", "exists", True)))
        assert back_testing.compare(None, new, others=[], items=1000, at=AT, tell=tell) is None
        assert seen == [10, 20, 30]

    def test_wrong_input_is_refused_and_only_administrators_ask(self) -> None:
        ada, tariq = actor(make_person("Ada", role=Role.ADMIN)), actor(make_person("Tariq"))
        make_team("quality")
        good = rule(when("text", "mentions", "leak"))
        with pytest.raises(NotAllowed):
            back_testing.ask(None, name="", definition=good, by=tariq, at=AT)
        for items in (0, 10_000_000, "many", True):
            with pytest.raises(BadInput):
                back_testing.ask(None, name="", definition=good, by=ada, at=AT, items=items)  # type: ignore[arg-type]
        with pytest.raises(BadInput, match="no team"):
            back_testing.ask(
                None, name="", definition=rule(when("text", "mentions", "leak"), team="gone"), by=ada, at=AT
            )
        assert not BackTest.objects.exists()

    def test_more_items_ask_no_more_queries_but_by_pages(self, world: list[FeedbackItem]) -> None:
        new = back_testing.standing(Rule(name="New", position=1), rule(when("rating", "exists", True)))
        counts = []
        for items in (2, 40):
            with CaptureQueriesContext(
                connection,
            ) as asked:
                back_testing.compare(None, new, others=[], items=items, at=AT)
            counts.append(len(asked))
        assert counts[0] == counts[1]


class TestOrderAndVersions:
    @pytest.fixture
    def ada(self) -> Any:
        make_team("quality")
        return actor(make_person("Ada", role=Role.ADMIN))

    def test_rules_change_places_also_when_they_share_one(self, ada: Any) -> None:
        made = [
            Rule.objects.create(name=name, position=100, definition=rule(when("rating", "is", 1))) for name in "abc"
        ]

        assert rulebook.move_rule(made[2], up=True, by=ada, at=AT)
        assert not rulebook.move_rule(made[0], up=True, by=ada, at=AT)

        assert [one.name for one in Rule.objects.order_by("position", "pk")] == ["a", "c", "b"]
        assert {one.name: one.version for one in Rule.objects.all()} == {"a": 1, "b": 1, "c": 2}
        assert made[2].versions.count() == 2

    def test_every_change_is_a_version_and_any_can_be_brought_back(self, ada: Any) -> None:
        one, two = rule(when("rating", "is", 1)), rule(when("rating", "is", 2))
        made = rulebook.create_rule({"name": "R", "definition": one}, by=ada, at=AT)
        rulebook.change_rule(made, {"definition": two, "is_shadow": True}, by=ada, at=AT)

        back = rulebook.restore_version(made, 1, by=ada, at=AT)

        assert back.definition == one
        assert back.is_shadow
        kept = list(made.versions.order_by("number").values_list("number", "definition", "is_shadow", "changed_by"))
        assert kept == [(1, one, False, ada.user.pk), (2, two, True, ada.user.pk), (3, one, True, ada.user.pk)]

    def test_a_rule_from_before_versions_were_kept_begins_its_history_with_its_first_change(self, ada: Any) -> None:
        made = Rule.objects.create(name="Old", version=7, definition=rule(when("rating", "is", 1)))

        rulebook.change_rule(made, {"name": "New"}, by=ada, at=AT)

        assert list(made.versions.order_by("number").values_list("number", "name")) == [(7, "Old"), (8, "New")]


@pytest.mark.django_db(transaction=True)
def test_of_two_edits_of_one_version_at_once_one_is_refused() -> None:
    make_team("quality")
    ada = actor(make_person("Ada", role=Role.ADMIN))
    made = rulebook.create_rule({"name": "R", "definition": rule(when("rating", "is", 1))}, by=ada, at=AT)
    gate, outcomes = threading.Barrier(4), []

    def edit(number: int) -> None:
        try:
            gate.wait()
            rulebook.change_rule(
                Rule.objects.get(pk=made.pk),
                {"definition": rule(when("rating", "is", number))},
                by=ada,
                at=AT,
                version=1,
            )
            outcomes.append("saved")
        except rulebook.StaleRule:
            outcomes.append("stale")
        finally:
            connections.close_all()

    threads = [threading.Thread(target=edit, args=(number,)) for number in range(2, 6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(outcomes) == ["saved", "stale", "stale", "stale"]
    assert [one.number for one in made.versions.order_by("number")] == [1, 2]


@pytest.mark.django_db(transaction=True)
def test_rules_moved_by_several_at_once_keep_one_order() -> None:
    make_team("quality")
    ada = actor(make_person("Ada", role=Role.ADMIN))
    made = [
        rulebook.create_rule({"name": f"R{n}", "definition": rule(when("rating", "is", n))}, by=ada, at=AT)
        for n in range(1, 6)
    ]
    gate, finished = threading.Barrier(4), []

    def shove(number: int) -> None:
        try:
            gate.wait()
            for _ in range(3):
                rulebook.move_rule(Rule.objects.get(pk=made[number].pk), up=bool(number % 2), by=ada, at=AT)
            finished.append(number)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=shove, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert sorted(finished) == [0, 1, 2, 3]
    places = list(Rule.objects.values_list("position", flat=True))
    assert len(set(places)) == 5


@pytest.mark.django_db(transaction=True)
def test_two_processes_tell_what_one_does_also_when_the_other_dies(world: list[FeedbackItem]) -> None:
    before, after = CHANGES[0]
    mine = Rule.objects.create(name="Mine", position=20, definition=before or after)
    told: list[int] = []

    def compared(*, in_two: bool) -> dict[str, Any]:
        found = back_testing.compare(
            back_testing.standing(mine) if before else None,
            back_testing.standing(mine, after),
            others=[],
            items=1000,
            at=AT,
            page=7,
            in_two_processes=in_two,
            tell=lambda looked_at: not told.append(looked_at),  # type: ignore[func-returns-value]
        )
        assert found is not None
        return found.told()

    alone = compared(in_two=False)
    assert compared(in_two=True) == alone
    assert told[: len(told) // 2] == told[len(told) // 2 :]

    me = os.getpid()

    def dies(piece: int) -> Tally:
        if os.getpid() != me and piece == 5:
            os._exit(3)
        return Tally(looked_at=piece)

    assert [each.looked_at for each in in_two(range(9), dies)] == list(range(9))
    assert Rule.objects.count() == 1
