"""What people decided is searched for better rules and keywords; what is found in one half is measured in the other."""

import random

import pytest

from feedback_portal.accounts.models import Role
from tests.makers import AT, actor, make_item, make_person, make_team, make_ticket
from triage.models import Analysis, Rule, RuleProposal, Tagging, Topic
from triage.rulebook import proposals as rule_proposals
from triage.rules import mining
from triage.rules.mining import Example, better_bound, features, interval


def example(item: int, text: str, *, placed: str = "service", decided: str = "service", **more: object) -> Example:
    given = {name: frozenset(value) for name, value in more.items()}  # type: ignore[call-overload]
    return Example(item, frozenset(features(text)), given.pop("topics", frozenset()), placed, decided, **given)


def test_a_word_that_leads_people_elsewhere_becomes_a_rule_with_its_effect_on_the_other_half() -> None:
    examples = [example(n, "the drip tray broke", decided="quality") for n in range(40)]
    examples += [example(n, "how do I pay the invoice") for n in range(40, 80)]

    found = mining.new_rules(examples)

    assert [(one.team, one.effect.right, one.effect.decided, one.effect.fixes, one.effect.breaks) for one in found] == [
        ("quality", 20, 20, 20, 0)
    ]
    assert found[0].word in features("the drip tray broke")
    assert found[0].effect.moves == {("service", "quality"): 20}


def test_what_only_looks_right_in_one_half_is_not_proposed() -> None:
    examples = [example(n, "the drip tray broke", decided="quality" if n % 2 == 0 else "service") for n in range(60)]
    assert mining.new_rules(examples) == []


def test_noise_is_not_proposed() -> None:
    chance = random.Random(3)
    words = [f"word{n}x" for n in range(60)]
    examples = [
        example(n, " ".join(chance.choices(words, k=8)), decided=chance.choice(["service", "quality", "sales"]))
        for n in range(2_000)
    ]
    assert mining.new_rules(examples) == []


def test_a_topic_that_people_put_on_gets_the_word_for_it_and_one_they_take_off_loses_it() -> None:
    examples = [example(n, "it was soggy", added=["leaks"]) for n in range(40)]
    examples += [example(n, "a wet blanket", given=["leaks"], removed=["leaks"]) for n in range(40, 80)]
    examples += [example(n, "all is fine") for n in range(80, 100)]

    found = mining.keywords(examples, {"leaks": ["wet"]})

    assert {(one.word, one.is_addition) for one in found} == {("soggi", True), ("wet", False)}


def test_a_bound_moves_to_where_people_agree() -> None:
    pairs = [(n, float(n % 5 + 1), 1 if n % 5 + 1 <= 3 else -1) for n in range(100)]
    assert better_bound(pairs, holds=lambda seen, bound: seen <= bound, now=2.0) == (3.0, 10, 0)
    assert better_bound(pairs, holds=lambda seen, bound: seen <= bound, now=3.0) is None
    assert better_bound([], holds=lambda seen, bound: seen <= bound, now=3.0) is None


def test_the_interval_is_wilsons() -> None:
    low, high = interval(9, 10)
    assert (round(low, 4), round(high, 4)) == (0.5958, 0.9821)
    assert interval(0, 0) == (0.0, 1.0)


def test_silent_words_and_numbers_are_no_features() -> None:
    assert features("The 2231 is leaking, and it leaks.") == {"leak": "leaking"}


@pytest.mark.django_db
class TestFinding:
    @pytest.fixture
    def corrected(self) -> Topic:
        """Sixty items of which those that drip were sent to Quality by people."""
        quality, service = make_team("quality"), make_team("service")
        leaks = Topic.objects.create(slug="leaks", name="Leaks", team=service)
        for number in range(60):
            drips = number % 3 == 0 or number % 3 == 1
            item = make_item("The tray drips again" if drips else "Where is my invoice")
            Analysis.objects.create(item=item)
            Tagging.objects.create(item=item, topic=leaks, source="model", confidence=0.9)
            make_ticket(item=item, team=quality if drips else service, triaged_at=AT)
        return leaks

    def test_a_proposal_waits_for_a_person_and_is_taken_back_when_it_is_no_longer_true(self, corrected: Topic) -> None:
        ada = actor(make_person("Ada", role=Role.ADMIN))

        assert rule_proposals.find(at=AT) >= 1
        assert rule_proposals.find(at=AT) == RuleProposal.objects.count()
        assert not Rule.objects.exists()

        proposal = RuleProposal.objects.get(kind="rule", status="open")
        assert proposal.definition["then"] == [{"verb": "route", "team": "quality"}]
        assert (proposal.effect["breaks"], proposal.effect["right"]) == (0, proposal.effect["decided"])
        rule_proposals.accept(proposal, by=ada, at=AT)
        assert rule_proposals.find(at=AT) == 0
        assert Rule.objects.get().changed_by == ada.user

    def test_what_was_turned_down_is_not_proposed_again(self, corrected: Topic) -> None:
        ada = actor(make_person("Ada", role=Role.ADMIN))
        rule_proposals.find(at=AT)
        proposal = RuleProposal.objects.get(kind="rule")

        rule_proposals.dismiss(proposal, reason="They drip by design", by=ada, at=AT)
        rule_proposals.find(at=AT)

        proposal.refresh_from_db()
        assert proposal.status == "dismissed"
        assert not RuleProposal.objects.filter(status="open", says=proposal.says).exists()

    def test_a_few_decisions_propose_nothing(self, db: None) -> None:
        make_ticket("The tray drips", team=make_team("quality"), triaged_at=AT)
        assert rule_proposals.find(at=AT) == 0

    def test_a_number_in_a_rule_is_proposed_where_people_agree(self) -> None:
        quality, service = make_team("quality"), make_team("service", is_catch_all=False)
        definition = {
            "version": 1,
            "when": {
                "all": [
                    {"field": "rating", "op": "lte", "value": 1},
                    {"field": "text", "op": "mentions", "value": ["tray"]},
                ]
            },
            "then": [{"verb": "route", "team": "quality"}],
        }
        rule = Rule.objects.create(name="Trays", definition=definition)
        for number in range(60):
            rating = number % 5 + 1
            item = make_item("The tray", rating_scale="csat5", rating_value=rating)
            Analysis.objects.create(item=item)
            make_ticket(item=item, team=quality if rating <= 3 else service, triaged_at=AT)

        rule_proposals.find(at=AT)

        proposal = RuleProposal.objects.get(kind="threshold")
        assert proposal.rule == rule
        assert proposal.definition["when"]["all"][0]["value"] == 3
        rule_proposals.accept(proposal, by=actor(make_person("Ada", role=Role.ADMIN)), at=AT)
        rule.refresh_from_db()
        assert (rule.version, rule.definition["when"]["all"][0]["value"]) == (2, 3)
