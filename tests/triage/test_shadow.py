"""Rules in shadow are tried on every new item, decide nothing, and are compared with what people decided."""

import pytest

from feedback_portal.accounts.models import Team
from intake.models import Arrival
from tests.makers import AT, make_item, make_team
from triage import pipeline
from triage.models import Rule, ShadowMatch, Ticket
from triage.rulebook import shadowing

pytestmark = pytest.mark.django_db


def arrive(*texts: str) -> list[Ticket]:
    """New items, taken in by the pipeline; their tickets."""
    items = [make_item(text) for text in texts]
    Arrival.objects.bulk_create(Arrival(item=item) for item in items)
    assert pipeline.understand_pending(at=AT).done == len(items)
    return list(Ticket.objects.filter(item__in=items).order_by("item"))


def rule(word: str, team: str, **fields: object) -> Rule:
    definition = {
        "version": 1,
        "when": {"field": "text", "op": "mentions", "value": [word]},
        "then": [{"verb": "route", "team": team}],
    }
    return Rule.objects.create(name=f"{word} {team}", definition=definition, **fields)


@pytest.fixture
def quality() -> Team:
    return make_team("quality")


def test_it_writes_down_where_it_would_have_placed_what_no_rule_before_it_decides(quality: Team) -> None:
    service = make_team("service")
    rule("lid", "service", position=5)
    shadow = rule("leak", "quality", position=10, is_shadow=True)

    lid, burn, leak = arrive("The lid leaks", "It burns", "It leaks")

    assert {ticket.team for ticket in (burn, leak)} == {burn.team}
    assert leak.explanation["rule"] is None
    rows = {row.item_id: (row.would, row.placed) for row in ShadowMatch.objects.select_related("would", "placed")}
    assert rows == {lid.item_id: (None, service), leak.item_id: (quality, leak.team)}
    assert shadowing.watched(shadow).decides == 1


def test_it_is_compared_with_what_people_decided(quality: Team) -> None:
    shadow = rule("leak", "quality", is_shadow=True)
    right, wrong, undecided, spam = arrive("one leak", "two leaks", "three leaks", "four leaks")
    Ticket.objects.filter(pk=right.pk).update(team=quality, triaged_at=AT)
    Ticket.objects.filter(pk=wrong.pk).update(triaged_at=AT)
    Ticket.objects.filter(pk=spam.pk).update(
        team=quality, triaged_at=AT, status="resolved", resolution="spam", resolved_at=AT
    )

    found = shadowing.watched(shadow)

    assert (found.held, found.decides, found.differs) == (4, 4, 4)
    assert (found.decided, found.rule_right, found.placing_right) == (2, 1, 1)
    assert undecided.team != quality


def test_without_rules_in_shadow_nothing_is_asked_or_written(quality: Team, django_assert_num_queries) -> None:  # type: ignore[no-untyped-def]
    rule("leak", "quality")
    with django_assert_num_queries(1):
        shadowing.Shadows.load()
    arrive("It leaks")
    assert not ShadowMatch.objects.exists()


def test_a_rule_in_shadow_that_cannot_be_read_holds_up_nothing(quality: Team) -> None:
    Rule.objects.create(name="Broken", definition={"broken": 1}, is_shadow=True)
    arrive("It leaks")


def test_only_the_newest_matches_are_kept(quality: Team, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shadowing, "KEPT", 2)
    rule("leak", "quality", is_shadow=True)
    tickets = arrive(*["It leaks"] * 5)

    assert shadowing.forget_old() == 3
    assert sorted(ShadowMatch.objects.values_list("item", flat=True)) == [ticket.item_id for ticket in tickets[-2:]]
