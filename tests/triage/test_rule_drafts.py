"""A rule written in a plain form says what was typed, keeps it through every press, and names what is wrong where it stands."""

from typing import Any

import pytest
from django.http import QueryDict
from hypothesis import given, settings

from tests.triage.test_rules import asked, rule
from tests.triage.test_rules import facts as any_facts
from tests.triage.test_rules import rules as any_rule
from triage import rules
from triage.rules import drafts
from triage.rules.drafts import Draft, DraftAct, Node
from triage.rules.facts import Facts

NESTED = rule(
    {
        "all": [
            asked("text", "mentions", ["leak", "drips"]),
            {
                "any": [
                    asked("rating", "lte", 2),
                    asked("context.batch", "is", "H4"),
                    {"not": asked("topic", "is", "praise")},
                ]
            },
            asked("rating", "between", [1, 2]),
            asked("spam", "is", False),
            asked("language", "exists", False),
            asked("customer_value", "gt", 2500.5),
        ]
    },
    {"verb": "route", "team": "quality"},
    {"verb": "severity", "value": 2},
)


def form(draft: Draft, **more: str) -> QueryDict:
    """The draft as a browser sends it."""
    sent = QueryDict(mutable=True)
    for number, _, node in drafts.walk(draft.when):
        sent[f"kind-{number}"] = node.kind
        if node.kind == "condition":
            sent[f"field-{number}"], sent[f"name-{number}"], sent[f"op-{number}"] = node.field, node.name, node.op
            lines = ["\n".join(node.values)] if node.op in ("in", "mentions") else list(node.values)
            sent.setlist(f"value-{number}", lines)
    for place, act in enumerate(draft.then):
        sent[f"verb-{place}"], sent[f"argument-{place}"] = act.verb, act.argument
    sent.update(more)
    return sent


def test_a_stored_rule_goes_through_the_form_unchanged() -> None:
    draft = drafts.of(NESTED)

    assert drafts.settled(draft) == draft
    assert drafts.read(form(draft)).definition() == NESTED


@settings(deadline=None, max_examples=60)
@given(any_rule, any_facts)
def test_every_rule_means_the_same_after_the_form(one: rules.Rule, seen: Facts) -> None:
    again = rules.parse(drafts.read(form(drafts.of(rules.dump(one)))).definition())

    assert again.when.holds(seen) is one.when.holds(seen)
    assert again.then == one.then


@pytest.mark.parametrize(
    ("press", "conditions"),
    [
        ("add 0", 9),
        ("add 0.1", 9),
        ("group 0", 10),
        ("remove 0.0", 7),
        ("remove 0.1", 5),
        ("remove 0.1.2", 7),
        ("remove 0", 8),
        ("remove 7.7", 8),
        ("remove 0.99999999999999999999", 8),
        ("add 0.0", 8),
        ("look", 8),
        ("", 8),
    ],
)
def test_each_button_changes_the_tree_where_it_stands(press: str, conditions: int) -> None:
    changed = drafts.changed(drafts.of(NESTED), press)

    assert sum(node.kind == "condition" for _, _, node in drafts.walk(changed.when)) == conditions


def test_acts_are_added_and_removed() -> None:
    draft = drafts.changed(Draft(), "add_act")
    assert [act.verb for act in draft.then] == ["route", "also"]
    assert drafts.changed(draft, "remove_act 0").then == (DraftAct("also"),)


def test_a_question_that_the_new_field_does_not_know_is_replaced_with_its_first() -> None:
    typed = Draft(Node(kind="all", parts=(Node(field="rating", op="contains", values=("x",)), Node(field="no such"))))

    rating, unknown = drafts.settled(typed).when.parts

    assert (rating.op, rating.values) == ("is", ())
    assert unknown.field == "text"


def test_what_is_wrong_is_found_under_the_number_of_its_node() -> None:
    typed: dict[str, Any] = Draft(
        Node(
            kind="all",
            parts=(Node(values=("a",)), Node(kind="not", parts=(Node(field="rating", op="is", values=("x",)),))),
        )
    ).definition()
    paths = {path: number for number, path, _ in drafts.walk(drafts.of(NESTED).when)}

    with pytest.raises(rules.RuleError) as refused:
        rules.parse(typed)

    assert refused.value.path == "when.all.1.not.value"
    assert paths["when.all.1.any.2.not"] == "0.1.2.0"


def test_a_form_made_to_hurt_is_read_to_its_bounds() -> None:
    sent = QueryDict(mutable=True)
    number = "0"
    for _ in range(500):
        sent[f"kind-{number}"] = "all"
        number += ".0"
    for place in range(5_000):
        sent[f"kind-0.{place}"] = "condition"

    draft = drafts.read(sent)

    assert sum(1 for _ in drafts.walk(draft.when)) <= drafts.MOST_NODES
