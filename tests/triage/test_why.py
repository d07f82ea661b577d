"""Why a ticket is here and what would have changed it, to a reader and to a program."""

from datetime import timedelta
from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from feedback_portal.accounts.models import ApiKey, Scope, Team
from tests.makers import AT, actor, make_channel, make_item, make_person, make_team, make_ticket
from triage import rules
from triage.models import Analysis, Event, Rule, Tagging, Ticket, Topic
from triage.routing.why import Why, why, would_hold
from triage.rules.conditions import Condition
from triage.rules.facts import Facts
from triage.rules.places import places

pytestmark = pytest.mark.django_db

NOW = AT + timedelta(days=2)


def is_(field: str, value: str) -> dict[str, Any]:
    return {"field": field, "op": "is", "value": value}


def says(word: str) -> dict[str, Any]:
    return {"field": "text", "op": "contains", "value": word}


def make_rule(name: str, when: dict[str, Any], team: str, position: int = 1) -> Rule:
    definition = {"version": 1, "when": when, "then": [{"verb": "route", "team": team}]}
    return Rule.objects.create(name=name, position=position, definition=definition)


@pytest.fixture
def quality(db: None) -> Team:
    return make_team("quality")


@pytest.fixture(autouse=True)
def _teams(quality: Team) -> None:
    make_team("logistics")
    make_team("billing")
    if not Team.objects.filter(is_catch_all=True).exists():
        make_team("desk", is_catch_all=True)


def explain(ticket: Ticket, *, by: Any = None) -> Why:
    about = ticket.item
    taggings = list(Tagging.objects.standing().filter(item=about).select_related("topic").order_by("-confidence"))
    reader = actor(by or make_person("Lena", role="manager"))
    return why(ticket, about, Analysis.objects.get(item=about), taggings, by=reader, at=NOW)


def told(by: str, **more: Any) -> dict[str, Any]:
    return {"by": by, "rule": None, "topic": None, "reason": "Because.", "tried": 0, "held": []} | more


def make_tagging(ticket: Ticket, name: str, sure: float, team: Team | None = None) -> None:
    topic = Topic.objects.create(slug=name.lower(), name=name, team=team)
    evidence = {"reason": "It leaks.", "evidence": [{"says": "leaks", "weight": 1.0, "span": ["text", 3, 8]}]}
    Tagging.objects.create(item=ticket.item, topic=topic, source="model", confidence=sure, evidence=evidence)


@pytest.mark.parametrize(
    ("when", "missing"),
    [
        (says("box"), 0),
        (says("bill"), 1),
        ({"all": [says("box"), says("bill"), is_("channel", "mail")]}, 2),
        ({"any": [says("bill"), {"all": [says("box"), is_("channel", "mail")]}]}, 1),
        ({"not": says("box")}, 1),
        ({"not": {"any": [says("box"), says("wet")]}}, 2),
        ({"not": {"all": [says("box"), says("wet")]}}, 1),
        ({"all": [says("box"), {"not": says("wet")}]}, 1),
    ],
)
def test_how_many_conditions_kept_a_rule_from_holding(when: dict[str, Any], missing: int) -> None:
    rule = rules.parse({"version": 1, "when": when, "then": [{"verb": "severity", "value": 3}]})

    assert len(would_hold(rule.when, Facts(text="a wet box"))) == missing


@pytest.mark.parametrize(
    ("condition", "text", "found"),
    [
        (Condition("text", "contains", "DEFAUT"), "Un  défaut, deux Défauts", ["défaut", "Défaut"]),
        (Condition("text", "contains", "wet box"), "a wet\n box", ["wet\n box"]),
        (Condition("text", "contains", "strasse"), "Straße", ["Straße"]),
        (Condition("text", "mentions", "seal leaks"), "The seal leaked. Seals leak", ["seal leaked", "Seals leak"]),
        (Condition("text", "matches", "H[0-9]+"), "é H4 und h22", ["H4", "h22"]),
        (Condition("text", "matches", "x*"), "none", []),
        (Condition("channel", "is", "mail"), "mail", []),
    ],
)
def test_what_a_condition_found_is_underlined_where_it_stands(
    condition: Condition, text: str, found: list[str]
) -> None:
    assert [text[start:end] for _, start, end in places(condition, Facts(text=text, channel="mail"))] == found


class TestWhatWouldHaveChangedIt:
    def test_without_the_rule_that_decided(self, quality: Team) -> None:
        make_rule("Leaks", says("leaks"), "quality")
        ticket = make_ticket("It leaks", team=quality, explanation=told("rule", rule="Leaks"))
        make_tagging(ticket, "Boxes", 0.8, make_team("logistics"))

        changes = explain(ticket).changes

        assert changes[0] == (
            "Without the rule “Leaks” it would be with Logistics. Its topic “Boxes” belongs to Logistics."
        )

    def test_a_topic_that_was_just_sure_enough(self, quality: Team) -> None:
        ticket = make_ticket("It leaks", team=quality, explanation=told("topic", topic="leak"))
        make_tagging(ticket, "Leak", 0.72, quality)

        changes = explain(ticket).changes

        assert changes[0].startswith("Had “Leak” been less than 50% sure (it is 72%), ")

    def test_a_topic_that_was_nearly_sure_enough(self, quality: Team) -> None:
        ticket = make_ticket("It leaks", team=quality)
        make_tagging(ticket, "Leak", 0.43, quality)

        assert "Had “Leak” been at least 50% sure (it is 43%), Quality would have it." in explain(ticket).changes

    def test_the_nearest_rule_that_one_condition_kept_from_deciding(self, quality: Team) -> None:
        near = {"all": [says("leaks"), is_("channel", "mailbox")]}
        make_rule("Mail", near, "billing", 1)
        make_rule("Far", {"all": [says("bill"), is_("channel", "mailbox")]}, "logistics", 2)
        make_rule("Leaks", says("leaks"), "quality", 3)
        make_rule("Later", {"all": [says("leaks"), is_("channel", "mailbox")]}, "logistics", 4)
        ticket = make_ticket("It leaks", team=quality, explanation=told("rule", rule="Leaks"))

        misses = [change for change in explain(ticket).changes if "missed by one condition" in change]

        assert misses == [
            'The rule “Mail” missed by one condition (The channel is "mailbox": no, it is "support-api").'
            " Otherwise Billing would have it."
        ]

    def test_what_was_learned(self, quality: Team) -> None:
        model = {"verdict": "auto", "teams": [["quality", 0.8], ["billing", 0.15]], "words": [], "why_not": None}
        ticket = make_ticket("It leaks", team=quality, explanation=told("model", model=model))

        found = explain(ticket)

        assert found.changes[0].startswith("Had earlier items been less alike, ")
        assert found.runners_up == (("Billing", 0.15),)


def test_the_stored_reason_stays_and_todays_rules_stand_beside_it_with_their_date(quality: Team) -> None:
    ticket = make_ticket("It leaks", team=quality, explanation=told("rule", rule="Leaks", reason="The rule “Leaks”."))
    Event.objects.create(item=ticket.item, ticket=ticket, type="routed", source="rule", occurred_at=AT)
    make_rule("Leaks, again", says("leaks"), "billing")

    found = explain(ticket)

    assert (found.reason, found.routed_at, found.as_of) == ("The rule “Leaks”.", AT, NOW)
    assert found.today == "By today's rules it would be with Billing. The rule “Leaks, again” sends it to Billing."


def test_a_changed_rule_is_the_one_that_the_next_reader_sees(quality: Team) -> None:
    ticket = make_ticket("It leaks", team=quality, explanation=told("catch_all"))
    rule = make_rule("Leaks", says("drips"), "billing")
    assert "Billing" not in explain(ticket).today

    Rule.objects.filter(pk=rule.pk).update(definition={**rule.definition, "when": says("leaks")})

    assert explain(ticket).today.startswith("By today's rules it would be with Billing.")


def test_examples_are_shown_to_whoever_may_see_them_and_counted_for_the_others(quality: Team) -> None:
    mine, theirs = make_ticket("The seal leaks", team=quality), make_ticket("Bill leaks", team=make_team("billing"))
    near = [{"item": mine.item_id, "cosine": 0.81, "label": "quality"}, {"item": theirs.item_id, "cosine": 0.7}]
    model = {"verdict": "auto", "teams": [["quality", 0.8]], "neighbours": near}
    ticket = make_ticket("It leaks", team=quality, explanation=told("model", model=model))

    found = explain(ticket, by=make_person("Tariq", quality))

    assert [one.reference for one in found.neighbours] == [mine.reference]
    assert found.others == 1


def test_the_page_says_it_in_words_and_underlines_what_the_rule_found(quality: Team) -> None:
    rule = make_rule("Leaks", says("leaks"), "quality")
    held = [{"rule": "Leaks", "version": rule.version, "matched": True, "conditions": []}]
    ticket = make_ticket("It leaks & drips", team=quality, explanation=told("rule", rule="Leaks", held=held))
    client = Client()
    client.force_login(make_person("Tariq", quality))

    page = client.get(f"/triage/?item={ticket.reference}").content.decode()

    assert "<mark>leaks</mark>" in page
    assert "What would have changed it" in page
    assert "Without the rule “Leaks” it would be with" in page


def test_a_program_reads_the_same(quality: Team) -> None:
    make_rule("Leaks", says("leaks"), "quality")
    ticket = make_ticket("It leaks", team=quality, explanation=told("rule", rule="Leaks"))
    _, key = ApiKey.issue("k", scopes=[Scope.TICKETS_READ])

    answer = Client().get(f"/api/v1/tickets/{ticket.reference}/", HTTP_AUTHORIZATION=f"Bearer {key}").json()

    told_there = answer["explanation"]
    assert told_there["would_change"][0].startswith("Without the rule “Leaks”")
    assert told_there["rules"][0] | {"conditions": []} == {
        "rule": "Leaks", "version": 1, "matched": True, "conditions": [], "is_winner": True,
    }  # fmt: skip


def test_the_panel_asks_the_database_as_often_for_two_rules_as_for_twenty(quality: Team) -> None:
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            explain(ticket, by=lena)
        return len(asked)

    lena = make_person("Lena", role="manager")
    item = make_item("It leaks", channel=make_channel())
    ticket = make_ticket(team=quality, item=item)
    make_rule("One", says("leaks"), "quality")
    make_rule("Two", says("wet"), "billing")
    few = queries()
    for number in range(20):
        make_rule(f"More {number}", {"all": [says("leaks"), is_("channel", f"c{number}")]}, "billing")

    assert queries() == few
