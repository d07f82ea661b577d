"""What an item names, by the organisation's patterns."""

import pytest

from triage.taggers.base import Pattern, Span, Suggestion, Taxonomy, Text
from triage.taggers.entities import MOST_VALUES, Entities

HALDEN = (
    Pattern("Batch plate", "batch", expression=r"H\d-\d{4}", product="H4"),
    Pattern("Order number", "order", expression=r"\bHC[- ]?(\d{6})\b"),
    Pattern("H4", "product", aliases=("H4", "Halden Four"), product="Halden H4"),
    Pattern("Malmö", "site", aliases=("store in Malmö", "the corner shop")),
)


def found(text: str, *patterns: Pattern, **about: object) -> dict[tuple[str, object], Suggestion]:
    item = Text(1, text=text, **about)  # type: ignore[arg-type]
    (given,) = Entities().tag([item], Taxonomy(patterns=patterns or HALDEN))
    return {(one.kind, one.value): one for one in given}


def said(text: str, suggestion: Suggestion) -> list[str]:
    return [text[each.span.start : each.span.end] for each in suggestion.evidence if each.span]


def test_codes_are_found_at_their_place_whatever_their_case() -> None:
    text = "Plate says h4-2231, order HC 123456."

    named = found(text)

    assert {("entity.batch", "h4-2231"), ("entity.order", "123456")} <= set(named)
    assert said(text, named["entity.batch", "h4-2231"]) == ["h4-2231"]


def test_the_longest_wording_wins() -> None:
    named = found("My H4-2231 leaks")

    assert ("entity.product", "Halden H4") not in named
    assert ("entity.batch", "H4-2231") in named


def test_a_batch_says_which_product_it_is() -> None:
    assert ("entity.product", "H4") in found("It is from H4-2231")


def test_other_names_of_a_thing_stand_for_it() -> None:
    text = "Bought a halden four in the store in Malmo"

    named = found(text)

    assert said(text, named["entity.product", "Halden H4"]) == ["halden four"]
    assert said(text, named["entity.site", "Malmö"]) == ["store in Malmo"]


def test_the_same_value_twice_is_named_once_with_both_places() -> None:
    text = "H4-2231 leaks. Both are h4-2231!"

    assert said(text, found(text)["entity.batch", "H4-2231"]) == ["H4-2231", "h4-2231"]


def test_a_part_of_a_longer_number_is_not_found() -> None:
    assert not found("call 4711471147114711", Pattern("Order", "order", expression=r"4711\d\d"))
    assert found("order 471112.", Pattern("Order", "order", expression=r"4711\d\d"))


def test_what_came_with_the_item_is_certain_and_has_no_place() -> None:
    named = found("It leaks", product="H2", context={"batch": "H4-2231", "page": "/help"})

    assert set(named) == {("entity.product", "H2"), ("entity.batch", "H4-2231")}
    assert {one.confidence for one in named.values()} == {1.0}
    assert all(each.span is None for one in named.values() for each in one.evidence)


def test_places_in_the_title_are_places_in_the_title() -> None:
    (named,) = found("nothing here", title="About HC-123456").values()

    assert named.evidence[0].span == Span("title", 9, 15)


def test_nothing_stands_across_title_and_text() -> None:
    assert not found("56 is late", Pattern("Order", "order", expression=r"1234\s?56"), title="Order 1234")


def test_a_common_word_as_an_alias_is_doubted() -> None:
    (plain,) = found("the place is nice", Pattern("Place", "site", aliases=("place",))).values()
    (telling,) = found("the Kontor is nice", Pattern("Kontor", "site", aliases=("Kontor",))).values()

    assert plain.confidence < 0.7 < telling.confidence


def test_what_else_is_in_the_batch_changes_nothing() -> None:
    texts = [Text(number, text=text) for number, text in enumerate(["H4-2231", "the corner shop", "", "HC123456"])]
    together = Entities().tag(texts, Taxonomy(patterns=HALDEN))

    assert together == [Entities().tag([text], Taxonomy(patterns=HALDEN))[0] for text in texts]


@pytest.mark.parametrize(
    "text",
    ["H4-2231 " * 5_000, "a" * 65_000, "(?i)" * 999, "\ud800 H4-2231", "H4-2231\x00HC123456", "𝒽" * 100 + " H4-2231"],
)
def test_hostile_text_is_read_within_bounds(text: str) -> None:
    named = found(text)

    assert len(named) <= MOST_VALUES
    for one in named.values():
        assert all(each.span and text[each.span.start : each.span.end] == each.says for each in one.evidence)


def test_many_patterns_find_what_each_finds_alone() -> None:
    many = tuple(Pattern(f"Kind {number}", f"kind-{number}", expression=rf"K{number:03}-\d+") for number in range(150))
    text = "K007-12 and K149-3"

    assert {kind for kind, _ in found(text, *many)} == {"entity.kind-7", "entity.kind-149"}
