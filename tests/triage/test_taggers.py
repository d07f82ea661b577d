from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.taggers import Pattern, Span, Tagger, Taxonomy, Text, Topic, taggers

TAXONOMY = Taxonomy(
    (Topic("leak", "Leak", "It leaks.", ("leak", "dripping tap")), Topic("praise", "Praise", "Thanks.", ("thanks",))),
    patterns=(Pattern("Code", "batch", expression=r"[a-z\W]\S"), Pattern("Fire", "site", aliases=("fire", "très no"))),
)

saying = st.text(max_size=200) | st.lists(
    st.sampled_from(
        [
            "not",
            "leak",
            "thanks",
            "fire",
            "lawyer",
            ".",
            "\n",
            "!",
            "très",
            "nicht",
            "no",
            "🔥",
            ":(",
            "e\u0301",
            "\x00",
            "\ud800",
            "\u202e",
        ]
    ),
    max_size=30,
).map(" ".join)
texts = st.builds(
    Text,
    item_id=st.just(1),
    title=saying,
    text=saying,
    declared_language=st.sampled_from(["", "en", "de", "EN-us", "xx", "\x00"]),
    rating_scale=st.sampled_from(["", "csat5", "nps", "stars5", "made-up"]),
    rating_value=st.none() | st.decimals(0, 9999, places=2) | st.just(Decimal("NaN")),
)


@pytest.mark.parametrize("tagger", taggers.all(), ids=lambda tagger: tagger.slug)
@settings(deadline=None)
@given(batch=st.lists(texts, max_size=3))
def test_no_text_breaks_a_tagger_and_every_place_lies_in_the_text(tagger: Tagger, batch: list[Text]) -> None:
    answers = tagger.tag(batch, TAXONOMY)
    assert len(answers) == len(batch)
    for text, suggestions in zip(batch, answers, strict=True):
        for suggestion in suggestions:
            assert suggestion.kind == tagger.kind or suggestion.kind.startswith(f"{tagger.kind}.")
            assert 0 <= suggestion.confidence <= 1
            assert suggestion.reason.endswith(".")
            for evidence in suggestion.evidence:
                if evidence.span:
                    part = text.title if evidence.span.part == "title" else text.text
                    assert 0 <= evidence.span.start < evidence.span.end <= len(part)


@pytest.mark.parametrize("tagger", taggers.all(), ids=lambda tagger: tagger.slug)
@pytest.mark.parametrize(
    "text",
    [
        "e" + "\u0301" * 70_000,
        "not " * 30_000,
        "leak" * 40_000,
        "🧑\u200d🚀" * 20_000,
        "?!" * 40_000,
        "\n" * 70_000,
        "but good " * 20_000,
    ],
)
def test_long_and_hostile_texts_are_answered(tagger: Tagger, text: str) -> None:
    assert len(tagger.tag([Text(1, title=text, text=text)], TAXONOMY)) == 1


def test_each_tagger_says_what_it_is() -> None:
    for tagger in taggers.all():
        assert tagger.slug
        assert tagger.version >= 1
        assert tagger.kind in {"language", "sentiment", "urgency", "topic", "entity", "spam", "personal_data"}


def test_a_place_is_told_within_its_part() -> None:
    text = Text(1, title="A leak!", text="A drip.")
    said = text.words.folded
    assert text.span(said.index("leak"), said.index("leak") + 1) == Span("title", 2, 6)
    assert text.span(said.index("drip"), said.index("drip") + 1) == Span("text", 2, 6)


def test_what_is_derived_from_a_taxonomy_is_derived_once() -> None:
    taxonomy = Taxonomy((Topic("a", "A"),))
    made: list[Taxonomy] = []

    def build(given: Taxonomy) -> int:
        made.append(given)
        return len(made)

    assert [taxonomy.derive(build), taxonomy.derive(build)] == [1, 1]
    assert made == [taxonomy]
