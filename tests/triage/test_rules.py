import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.rules import (
    Act,
    All,
    AnyOf,
    Condition,
    Facts,
    Node,
    Not,
    Rule,
    RuleError,
    dump,
    explain,
    match,
    parse,
)
from triage.rules.conditions import LONGEST_VALUE, OPS, ORDERS
from triage.rules.facts import FIELDS
from triage.rules.literals import literal_of
from triage.rules.sets import RuleSet

LEAK = Facts(
    channel="app-store",
    connector="webhook",
    language="en",
    sentiment="neg",
    urgency=2,
    topics=frozenset({"seal-leak", "packaging"}),
    product="Kettle H4",
    product_version="2231",
    rating=Decimal("2.00"),
    rating_scale="csat5",
    title="Ça fuit",
    text="The lid cracked on day two and it LEAKED all over.",
    customer_segment="retail",
    customer_value=Decimal("5000.50"),
    customer_account=frozenset({"Brandt Studio", "zendesk:7"}),
    themes=frozenset({"T-9"}),
    spam=False,
    country="SE",
    place="lobby",
    received_hour=17,
    received_weekday="monday",
    context={"batch": "H4-2231", "orders": "7", "gift": True},
    entities={"order": frozenset({"A-17", "B-2"})},
)
NOTHING = Facts()


def rule(when: Any, *then: Any) -> dict[str, Any]:
    return {"version": 1, "when": when, "then": list(then) or [{"verb": "route", "team": "quality"}]}


def asked(field: str, op: Any, value: Any) -> dict[str, Any]:
    return {"field": field, "op": op, "value": value}


@pytest.mark.parametrize(
    ("field", "op", "value", "holds"),
    [
        ("channel", "is", "app-store", True),
        ("channel", "is", "App-Store", True),
        ("channel", "is", "web", False),
        ("channel", "is_not", "web", True),
        ("channel", "in", ["web", "app-store"], True),
        ("channel", "in", ["web"], False),
        ("channel", "exists", True, True),
        ("channel", "exists", False, False),
        ("product", "contains", "kettle", True),
        ("product", "matches", r"^kettle h\d$", True),
        ("topic", "is", "seal-leak", True),
        ("topic", "is_not", "seal-leak", False),
        ("topic", "in", ["praise", "packaging"], True),
        ("title", "contains", "ca fuit", True),
        ("text", "contains", "leaked  all", True),
        ("text", "contains", "dripped", False),
        ("text", "matches", r"crack\w*\b.*leak", True),
        ("text", "matches", r"^leak", False),
        ("text", "mentions", "leaks", True),
        ("text", "mentions", ["dripped", "lids crack"], True),
        ("text", "mentions", "eak", False),
        ("title", "mentions", ["ca fuit"], True),
        ("entity.order", "is", "a-17", True),
        ("entity.order", "in", ["B-1", "B-2"], True),
        ("entity.order", "contains", "a-1", True),
        ("entity.order", "matches", "^A-", True),
        ("entity.batch", "exists", False, True),
        ("theme", "is", "T-9", True),
        ("customer_account", "in", ["brandt studio", "x"], True),
        ("spam", "is", False, True),
        ("spam", "is", True, False),
        ("received_hour", "between", [8, 18], True),
        ("received_weekday", "in", ["Monday", "tuesday"], True),
        ("country", "is_not", "de", True),
        ("place", "is", "lobby", True),
        ("rating", "is", 2, True),
        ("rating", "in", [1, 2], True),
        ("rating", "lt", 2, False),
        ("rating", "lte", 2, True),
        ("rating", "gt", 1.5, True),
        ("rating", "gte", 3, False),
        ("rating", "between", [2, 3], True),
        ("rating", "between", [2.5, 3], False),
        ("customer_value", "gt", 4999, True),
        ("context.batch", "is", "h4-2231", True),
        ("context.batch", "contains", "2231", True),
        ("context.orders", "is", 7, True),
        ("context.orders", "gte", 7, True),
        ("context.orders", "lt", 7, False),
        ("context.batch", "gt", 1, False),
        ("context.gift", "is", True, True),
        ("context.gift", "is", False, False),
        ("context.colour", "exists", False, True),
    ],
)
def test_each_question_has_its_answer(field: str, op: str, value: Any, holds: bool) -> None:
    assert match(parse(rule(asked(field, op, value))), LEAK).holds is holds


@pytest.mark.parametrize("field", [*FIELDS, "context.batch", "entity.order"])
def test_what_is_not_known_answers_only_to_is_not_and_exists_false(field: str) -> None:
    kind = "found" if field == "entity.order" else FIELDS.get(field, "anything")
    values: dict[str, Any] = {"exists": False, "between": (1, 2)}
    plain: Any = {"number": 1, "flag": True}.get(kind, "monday")
    values["in"] = (plain,)
    for op in OPS[kind]:
        value = values.get(op, 1 if op in ORDERS else plain)
        assert Condition(field, op, value).holds(NOTHING) is (op in ("is_not", "exists")), op


@pytest.mark.parametrize(
    ("data", "path", "says"),
    [
        (None, "", "Give an object"),
        ([], "", "Give an object"),
        ({"version": 1, "when": {}}, "then", "missing"),
        ({**rule(asked("rating", "is", 1)), "extra": 1}, "extra", "does not belong"),
        ({**rule(asked("rating", "is", 1)), "version": 2}, "version", "version 1"),
        ({**rule(asked("rating", "is", 1)), "version": True}, "version", "version 1"),
        (rule(asked("chanel", "is", "x")), "when.field", 'Did you mean "channel"?'),
        (rule(asked("__class__", "is", "x")), "when.field", "no field"),
        (rule(asked("get", "exists", True)), "when.field", "no field"),
        (rule(asked("context.", "is", "x")), "when.field", "not empty"),
        (rule(asked("channel", "lt", 3)), "when.op", "cannot be asked"),
        (rule(asked("rating", "contains", "x")), "when.op", "cannot be asked"),
        (rule(asked("channel", ["is"], "x")), "when.op", "cannot be asked"),
        (rule(asked("channel", "is", 3)), "when.value", "text"),
        (rule(asked("channel", "is", " ")), "when.value", "not empty"),
        (rule(asked("channel", "is", "a\x00b")), "when.value", "control characters"),
        (rule(asked("channel", "is", "\ud800")), "when.value", "broken characters"),
        (rule(asked("channel", "is", "x" * (LONGEST_VALUE + 1))), "when.value", "at most"),
        (rule(asked("channel", "in", [])), "when.value", "1 to 200"),
        (rule(asked("channel", "in", "app")), "when.value", "1 to 200"),
        (rule(asked("channel", "in", ["app", 3])), "when.value", "text"),
        (rule(asked("rating", "is", "2")), "when.value", "number"),
        (rule(asked("rating", "is", True)), "when.value", "number"),
        (rule(asked("rating", "lt", float("nan"))), "when.value", "number"),
        (rule(asked("rating", "lt", 10**400)), "when.value", "number"),
        (rule(asked("rating", "between", [3, 1])), "when.value", "lower number first"),
        (rule(asked("rating", "between", [3])), "when.value", "lowest and the highest"),
        (rule(asked("text", "exists", "yes")), "when.value", "true or false"),
        (rule(asked("text", "contains", "\u0301")), "when.value", "searched"),
        (rule(asked("text", "mentions", "?!")), "when.value", "searched"),
        (rule(asked("text", "mentions", [])), "when.value", "1 to 200"),
        (rule(asked("text", "mentions", "a b c d e f g h i")), "when.value", "at most 8"),
        (rule(asked("spam", "is", "yes")), "when.value", "true or false"),
        (rule(asked("received_weekday", "is", "tusday")), "when.value", 'Did you mean "tuesday"?'),
        (rule(asked("entity.", "is", "x")), "when.field", "not empty"),
        (rule({"all": []}), "when.all", "at least one condition"),
        (rule({"all": asked("rating", "is", 1)}), "when.all", "list"),
        (rule({"all": [], "any": []}), "when.any", "does not belong"),
        (rule({"all": [asked("rating", "is", 1), {"any": [asked("text", "is", "x")]}]}), "when.all.1.any.0.op", "asked"),
        (rule({"all": [asked("rating", "is", 1)] * 51}), "when.all", "at most 50"),
        (rule({"not": {"not": {"not": {"not": {"not": asked("rating", "is", 1)}}}}}), "when.not.not.not.not.not", "deep"),
        (rule(asked("rating", "is", 1), {"verb": "delete"}), "then.0.verb", "cannot"),
        (rule(asked("rating", "is", 1), {"verb": "rout", "team": "x"}), "then.0.verb", 'Did you mean "route"?'),
        (rule(asked("rating", "is", 1), {"verb": "route"}), "then.0.team", "missing"),
        (rule(asked("rating", "is", 1), {"verb": "route", "team": 3}), "then.0.team", "text"),
        (rule(asked("rating", "is", 1), {"verb": "severity", "value": 5}), "then.0.value", "1 to 4"),
        (rule(asked("rating", "is", 1), {"verb": "severity", "value": True}), "then.0.value", "1 to 4"),
        (rule(asked("rating", "is", 1), *[{"verb": "route", "team": team} for team in "ab"]), "then", "once"),
        ({**rule(asked("rating", "is", 1)), "then": []}, "then", "at least one thing"),
    ],
)  # fmt: skip
def test_a_wrong_rule_is_refused_when_it_is_made_and_the_place_is_named(data: Any, path: str, says: str) -> None:
    with pytest.raises(RuleError) as refused:
        parse(data)
    assert refused.value.path == path
    assert says in refused.value.message
    assert refused.value.message.endswith((".", "?"))


@pytest.mark.parametrize(
    "pattern",
    [r"\1", "(?=a)b", "(?<!a)b", "(", "a**", "[a-", "x" * 501, ".{1000}{1000}", r"\p{L}{900}", "(?:.{0,100}a){9}"],
)
def test_a_pattern_that_re2_cannot_run_or_only_slowly_is_refused_with_the_reason(pattern: str) -> None:
    with pytest.raises(RuleError, match=r"pattern|at most 500") as refused:
        parse(rule(asked("text", "matches", pattern)))
    assert refused.value.path == "when.value"


def test_a_pattern_refused_by_re2_is_answered_with_the_construct() -> None:
    with pytest.raises(RuleError, match=r"\(\?="):
        Condition("text", "matches", "(?=a)b")


@pytest.mark.parametrize(
    "pattern", ["(a+)+$", "(.*)*x", "(x+x+)+y", "([a-z]+)*$", "(a|aa)+$", "(.*a){12}x", r"(\w+\s?)*$"]
)
def test_patterns_that_explode_elsewhere_are_answered(pattern: str) -> None:
    condition = Condition("text", "matches", pattern)
    for text in ("a" * 65_000, "ab" * 32_000, "word word, " * 6_000):
        condition.holds(Facts(text=text))


def test_a_large_pattern_looks_at_the_beginning_of_a_long_text_only_and_an_ordinary_one_at_all_of_it() -> None:
    far = Facts(text="1" * 30_000 + "leak")
    assert Condition("text", "matches", r"1leak$").holds(far)
    assert not Condition("text", "matches", "([0-9]{0,9}){0,40}leak$").holds(far)
    assert Condition("text", "matches", "([0-9]{0,9}){0,40}leak$").holds(Facts(text="1leak"))


def test_a_rule_nested_a_hundred_thousand_deep_is_refused_and_not_walked() -> None:
    node: dict[str, Any] = asked("rating", "is", 1)
    for _ in range(100_000):
        node = {"not": node}
    with pytest.raises(RuleError, match="deep"):
        parse(rule(node))


def test_objects_made_without_json_are_checked_the_same() -> None:
    leaf = Condition("rating", "is", 1)
    with pytest.raises(RuleError, match="50 conditions"):
        Rule(All((AnyOf((leaf,) * 26), AnyOf((leaf,) * 26))), (Act("tag", "x"),))
    with pytest.raises(RuleError, match="deep"):
        Rule(Not(Not(Not(Not(Not(leaf))))), (Act("tag", "x"),))


def test_hostile_text_meets_every_question_without_an_error() -> None:
    for text in ("\x00", "\ud800", "\u202e\u200b", "e" + "\u0301" * 9_000, "🧑‍🚀" * 5_000, "${jndi:x} %s {{7*7}}", ""):
        facts = Facts(channel=text, text=text, title=text, product=text, context={"k": text, "n": float("nan")})
        for field in ("text", "title"):
            Condition(field, "contains", "x").holds(facts)
            Condition(field, "matches", "x").holds(facts)
        for field in ("channel", "context.k", "context.n"):
            for op in ("is", "contains", "matches"):
                match(Rule(Condition(field, op, "x"), (Act("tag", "t"),)), facts)
        assert not Condition("context.n", "gte", 0).holds(facts)


def test_context_of_any_shape_is_looked_at_as_text() -> None:
    facts = Facts(context={"lines": [{"sku": "H4"}], "none": None})
    assert Condition("context.lines", "contains", "H4").holds(facts)
    assert not Condition("context.none", "exists", True).holds(facts)


def test_every_condition_is_answered_with_what_it_saw() -> None:
    result = match(
        parse(
            rule({"all": [asked("channel", "is", "web"), asked("rating", "lte", 2), asked("text", "contains", "lid")]})
        ),
        LEAK,
    )
    assert not result.holds
    assert [(outcome.holds, outcome.seen) for outcome in result.outcomes] == [
        (False, "app-store"),
        (True, 2),
        (True, None),
    ]


def test_the_customers_words_stay_out_of_the_reason() -> None:
    result = match(parse(rule({"any": [asked("text", "contains", "lid"), asked("title", "matches", "fuit")]})), LEAK)
    assert "cracked" not in repr(result)
    assert "Ça" not in repr(result)


def test_the_explanation_is_whole_sentences_with_the_verdict_first() -> None:
    when = {
        "all": [
            asked("channel", "in", ["web", "app-store"]),
            {
                "any": [
                    asked("rating", "gt", 3),
                    asked("context.colour", "is", "red"),
                    asked("text", "contains", "dripped"),
                ]
            },
            {"not": asked("topic", "is", "praise")},
        ]
    }
    assert explain(match(parse(rule(when)), LEAK)) == (
        "This rule does not apply: 1 of its 5 conditions holds.",
        'The channel is "web" or "app-store": yes.',
        "The rating is above 3: no, it is 2.",
        'The context "colour" is "red": no, it is not known.',
        'The text contains "dripped": no.',
        'The topic is "praise": no, it is "packaging" and "seal-leak".',
    )


def test_a_rule_reads_as_a_sentence() -> None:
    when = {
        "all": [
            asked("channel", "is", "web"),
            {"any": [asked("rating", "between", [1, 2]), asked("title", "exists", False)]},
        ]
    }
    acts = [{"verb": "route", "team": "quality"}, {"verb": "tag", "topic": "leak"}, {"verb": "severity", "value": 2}]
    assert str(parse(rule(when, *acts))) == (
        'When the channel is "web" and (the rating is between 1 and 2 or the title is not known): '
        'route to "quality", tag "leak", set severity 2.'
    )


# --- properties -------------------------------------------------------------------------------------------------------

words = st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1, max_size=12).filter(str.strip)
numbers = st.integers(-1000, 1000) | st.floats(-1e6, 1e6)


PATTERNS = [
    "le+a?k", r"\bH4\b", "^.{0,9}$", "crack(ed|s)", "(?:lid|cap)s? crack", "leak|drip", r"\Qleaked\E", "LEA{1,2}K", "(lid){0,1}c",
    "[[:alpha:]]eak", "x{,5}", "a{,5}leaked", r"\x6ceaked", "(?i:LEAKED)", "kelvin", "\u212aelvin", "straße",
]  # fmt: skip


@st.composite
def leaves(draw: st.DrawFn) -> Condition:
    field = draw(st.sampled_from([*FIELDS, "context.batch", "context.a.b", "entity.order"]))
    kind = "found" if field.startswith("entity.") else FIELDS.get(field, "anything")
    op = draw(st.sampled_from(OPS[kind]))
    scalar = numbers if kind == "number" else words | numbers if kind == "anything" else words
    if field == "received_weekday":
        scalar = st.sampled_from(["monday", "Sunday"])
    if op == "exists" or kind == "flag":
        value: Any = draw(st.booleans())
    elif op == "in":
        value = tuple(draw(st.lists(scalar, min_size=1, max_size=4)))
    elif op == "between":
        value = tuple(sorted(draw(st.tuples(numbers, numbers))))
    elif op in ORDERS:
        value = draw(numbers)
    elif op == "matches":
        value = draw(st.sampled_from(PATTERNS))
    elif op == "mentions":
        value = draw(st.sampled_from(["leak", ("lids cracked", "H4"), ("dripping",), "and leaking", "ca fuit"]))
    elif op == "contains":
        value = draw(st.sampled_from(["leak", "H4", "é", "lid cracked"]))
    else:
        value = draw(scalar)
    return Condition(field, op, value)


def _groups(inner: st.SearchStrategy[Node]) -> st.SearchStrategy[Node]:
    parts = st.lists(inner, min_size=1, max_size=3).map(tuple)
    return parts.map(All) | parts.map(AnyOf) | inner.map(Not)


nodes: st.SearchStrategy[Node] = st.deferred(
    lambda: leaves() | _groups(leaves() | _groups(leaves() | _groups(leaves())))
)
acts = st.sampled_from([Act("route", "quality"), Act("tag", "leak"), Act("severity", 1), Act("assign", "lena")])
rules = st.builds(Rule, nodes, st.lists(acts, min_size=1, max_size=4, unique_by=lambda act: act.verb).map(tuple))
TEXTS = [
    "The lid cracked and leaked", "Lids. Cracked", "LEAKAGE", "le\u0301ak h4", "\u212aelvin kelvin", "STRASSE strasse", "a" * 9 + "leaked",
]  # fmt: skip
some = st.sampled_from(["", "app-store", "web", "en", "H4", "neg", "leak"])
facts = st.builds(
    Facts,
    channel=some,
    connector=some,
    language=some,
    sentiment=some,
    topics=st.frozensets(some, max_size=2),
    product=some,
    rating=st.none() | numbers,
    title=st.sampled_from(["", "Ça fuit", "H4"]),
    text=st.text(max_size=40) | st.sampled_from(TEXTS),
    spam=st.none() | st.booleans(),
    received_weekday=st.sampled_from(["", "monday", "sunday"]),
    entities=st.dictionaries(st.just("order"), st.frozensets(st.sampled_from(["H4", "A leak", "7"])), max_size=1),
    context=st.dictionaries(st.sampled_from(["batch", "a.b"]), some | numbers | st.none(), max_size=2),
)


@settings(deadline=None)
@given(rules)
def test_parse_is_the_inverse_of_dump_also_through_json_text(one: Rule) -> None:
    assert parse(dump(one)) == one
    assert parse(json.loads(json.dumps(dump(one)))) == one


@settings(deadline=None)
@given(rules, facts)
def test_the_answers_of_the_conditions_add_up_to_the_verdict(one: Rule, seen: Facts) -> None:
    result = match(one, seen)
    answers = iter(result.outcomes)

    def verdict(node: Node) -> bool:
        if isinstance(node, Condition):
            return next(answers).holds
        if isinstance(node, Not):
            return not verdict(node.part)
        return (all if isinstance(node, All) else any)([verdict(part) for part in node.parts])

    assert verdict(one.when) is result.holds
    assert all(sentence.endswith(".") for sentence in explain(result))


GUARDS = st.sampled_from(["app-store", "web", "App-Store", "en", "leak"])
guarded: st.SearchStrategy[Node] = st.one_of(
    st.builds(Condition, st.sampled_from(["channel", "topic", "language"]), st.just("is"), GUARDS),
    st.builds(
        Condition,
        st.sampled_from(["channel", "topic"]),
        st.just("in"),
        st.lists(GUARDS, min_size=1, max_size=3).map(tuple),
    ),
)
mixed = st.builds(Rule, guarded | _groups(guarded | leaves()), st.just((Act("route", "quality"),)))


wordy: st.SearchStrategy[Node] = st.one_of(
    st.builds(Condition, st.sampled_from(["title", "text"]), st.just("matches"), st.sampled_from(PATTERNS)),
    st.builds(
        Condition,
        st.sampled_from(["title", "text", "product", "context.batch", "entity.order"]),
        st.just("contains"),
        st.sampled_from(["leak", "H4", "é", "lid cracked", "lid", "ak", "strasse", "a leak"]),
    ),
    st.builds(
        Condition,
        st.sampled_from(["title", "text"]),
        st.just("mentions"),
        st.sampled_from([("leaks",), ("lid cracked", "h4"), ("kelvins",), ("cracking and leaking",)]),
    ),
)
worded = st.builds(Rule, wordy | _groups(wordy | guarded), st.just((Act("route", "quality"),)))


@settings(deadline=None)
@given(st.lists(worded | mixed | rules, max_size=12), facts)
def test_a_rule_set_finds_what_trying_every_rule_would_find(many: list[Rule], seen: Facts) -> None:
    ruleset = RuleSet(many)
    expected = [(position, one) for position, one in enumerate(many) if match(one, seen).holds]
    assert list(ruleset.matching(seen)) == expected
    first = ruleset.first_match(seen)
    assert first == (match(expected[0][1], seen) if expected else None)
    assert [tried.rule for tried in ruleset.trace(seen)] == many


def test_the_first_rule_with_the_verb_wins() -> None:
    tagging = parse(rule(asked("channel", "is", "app-store"), {"verb": "tag", "topic": "leak"}))
    routing = parse(rule(asked("rating", "lte", 2)))
    later = parse(rule(asked("rating", "lte", 3), {"verb": "route", "team": "sales"}))
    found = RuleSet([tagging, routing, later]).first_match(LEAK, verb="route")
    assert found is not None
    assert found.rule is routing


def test_many_rules_for_different_words_find_what_trying_every_one_would_find() -> None:
    said = ["lid", "cracked", "leaked all", "day two", "ed all ov", "kettle", "drips", "xyz"]
    many = [
        Rule(Condition("text", op, f"{word}{tail}"), (Act("tag", "t"),))
        for op in ("contains", "mentions", "matches")
        for word in said
        for tail in ("", *(f" {letter}{letter}{letter}" for letter in "abcdefghijklmnopqrst"))
    ]

    found = [position for position, _ in RuleSet(many).matching(LEAK)]

    assert found == [position for position, one in enumerate(many) if match(one, LEAK).holds]
    assert len(found) == 5 + 4 + 5


def test_rules_for_other_words_are_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        Rule(Condition("text", op, f"word{n}x lid"), (Act("tag", "t"),))
        for n in range(100)
        for op in ("contains", "mentions", "matches")
    ]
    ruleset = RuleSet(many)
    evaluated = []
    monkeypatch.setattr(Condition, "holds", lambda self, facts: evaluated.append(self) or False)  # type: ignore[func-returns-value]
    assert list(ruleset.matching(Facts(text="The word77x lid came off"))) == []
    assert [one.value for one in evaluated] == ["word77x lid"] * 3


@pytest.mark.parametrize(
    ("pattern", "literal"),
    [
        ("leak(s|ed)?", "leak"), (r"\bdrip\w*", "drip"), ("(seal|gasket)", ""), ("a?bc", ""), ("(water)+ damage", "damage"),
        (r"\Qa.b\E", ""), ("[[:alpha:]]xyz", ""), ("straße", "stra"), ("(?i)LEAK", "leak"), ("cra.cked", "cked"), ("no", ""),
    ],
)  # fmt: skip
def test_the_letters_that_every_match_of_a_pattern_has(pattern: str, literal: str) -> None:
    assert literal_of(pattern) == literal


def test_a_topic_counts_with_the_topics_above_it() -> None:
    below = Facts(topics=frozenset({"seal-leak"})).with_above({"seal-leak": ("leaks", "hardware")})
    assert Condition("topic", "is", "hardware").holds(below)
    assert not Condition("topic", "is_not", "leaks").holds(below)
    assert Facts(topics=frozenset({"x"})).with_above({}).topics == {"x"}


def test_rules_for_other_values_are_not_evaluated(monkeypatch: pytest.MonkeyPatch) -> None:
    many = [
        Rule(All((Condition("text", "contains", "lid"), Condition("channel", "is", f"c{n}"))), (Act("tag", "t"),))
        for n in range(500)
    ]
    ruleset = RuleSet(many)
    evaluated = []
    monkeypatch.setattr(Condition, "holds", lambda self, facts: evaluated.append(self) or False)  # type: ignore[func-returns-value]
    assert ruleset.first_match(Facts(channel="c499", text="lid")) is None
    assert len(evaluated) == 1
