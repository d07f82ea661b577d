from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triage.blend import Example, fit
from triage.taggers import Taxonomy, Text, Topic, taggers
from triage.taggers.topics import LEAST_CONFIDENCE, MOST_SUGGESTIONS, rank

SHOP = Taxonomy(
    (
        Topic(
            "seal-leak",
            "Seal leak",
            "Water comes out where it should not.",
            ("leak", "drips", "wet counter"),
            "quality",
        ),
        Topic("broken-lid", "Broken lid", "The lid or its hinge breaks.", ("lid", "hinge"), "quality"),
        Topic(
            "late-delivery", "Late delivery", "The parcel came late or not at all.", ("late", "tracking"), "logistics"
        ),
        Topic("invoice", "Invoice", "Wrong or missing invoices.", ("invoice", "vat"), "billing"),
        Topic("returns", "Returns and refunds", "Sending things back.", ("refund", "return"), "service"),
        Topic("manual", "Manual", "Instructions that are missing or unclear.", ("manual", "instructions"), "design"),
    )
)


def best(text: str, title: str = "", taxonomy: Taxonomy = SHOP) -> str | None:
    [suggestions] = taggers.get("topics").tag([Text(1, title=title, text=text)], taxonomy)
    return str(suggestions[0].value) if suggestions and suggestions[0].confidence >= 0.5 else None


@pytest.mark.parametrize(
    ("text", "topic"),
    [
        ("The new kettle is leaking all over the kitchen.", "seal-leak"),
        ("It dripped on the wet counter again", "seal-leak"),
        ("The lid snapped off at the hinge.", "broken-lid"),
        ("My parcel is late and the tracking shows nothing", "late-delivery"),
        ("I would like my money back", "returns"),
        ("Bitte erstatten Sie mir den Betrag", "returns"),
        ("Il me manque la facture", "invoice"),
        ("La tapa gotea", "seal-leak"),
        ("Good morning to everybody", None),
        ("", None),
    ],
)
def test_a_topic_is_found_by_its_words_their_forms_and_what_else_customers_say(text: str, topic: str | None) -> None:
    assert best(text) == topic


def test_the_title_counts_as_well_as_the_text() -> None:
    assert best("It happened again today.", title="Leak") == "seal-leak"


def test_a_text_about_two_things_is_given_both() -> None:
    [suggestions] = taggers.get("topics").tag([Text(1, text="The lid broke and I want a refund for the lid")], SHOP)
    assert {suggestion.value for suggestion in suggestions[:2]} == {"broken-lid", "returns"}


def test_the_evidence_is_the_wording_in_the_text() -> None:
    text = "Sadly the Hinge of the lid broke."
    [[first, *_]] = taggers.get("topics").tag([Text(1, title="Lid!", text=text)], SHOP)
    assert first.value == "broken-lid"
    parts = {"title": "Lid!", "text": text}
    wordings = [parts[each.span.part][each.span.start : each.span.end] for each in first.evidence if each.span]
    assert "Hinge" in wordings
    assert "Lid" in wordings
    assert first.reason.startswith("The text speaks of Broken lid: ")
    assert [each.weight for each in first.evidence] == sorted([each.weight for each in first.evidence], reverse=True)


def test_a_word_of_the_branch_decides_between_branches() -> None:
    taxonomy = Taxonomy(
        (
            Topic("flight/late", "Late flight", keywords=("gate", "delay"), parent="flight"),
            Topic("flight/food", "Service on board", keywords=("meal", "service"), parent="flight"),
            Topic("card/lost", "Lost card", keywords=("card", "pin"), parent="card"),
            Topic("card/help", "Service for cards", keywords=("counter", "service"), parent="card"),
        )
    )
    assert rank(Text(1, text="No service at the gate"), taxonomy)[0][0] == "flight/late"
    assert rank(Text(1, text="service, gate, meal"), taxonomy)[0][0].startswith("flight/")
    ordered = [slug for slug, _ in rank(Text(1, text="My pin and the service"), taxonomy)]
    assert ordered.index("card/help") < ordered.index("flight/food")


def test_a_taxonomy_without_topics_suggests_nothing() -> None:
    assert taggers.get("topics").tag([Text(1, text="leak")], Taxonomy()) == [[]]
    assert rank(Text(1, text="leak"), Taxonomy()) == []


def test_topics_of_the_same_slug_are_refused() -> None:
    with pytest.raises(ValueError, match="same slug"):
        Taxonomy((Topic("a", "A"), Topic("a", "B")))


@settings(deadline=None)
@given(st.lists(st.text(st.sampled_from("leak lid late refund invoice .!"), max_size=60), max_size=4))
def test_suggestions_come_surest_first_and_do_not_depend_on_the_batch(texts: list[str]) -> None:
    topics = taggers.get("topics")
    batch = [Text(number, text=text) for number, text in enumerate(texts)]
    answers = topics.tag(batch, SHOP)
    assert answers == [topics.tag([text], SHOP)[0] for text in batch]
    for suggestions in answers:
        sure = [suggestion.confidence for suggestion in suggestions]
        assert sure == sorted(sure, reverse=True)
        assert len(sure) <= MOST_SUGGESTIONS
        assert all(LEAST_CONFIDENCE <= each < 1 for each in sure)


def test_what_people_corrected_is_learned_and_says_what_it_rests_on() -> None:
    said = {
        "seal-leak": "my worktop is soaked",
        "broken-lid": "its bonnet popped away",
        "manual": "no leaflet in the box",
    }
    whens = ["today", "again", "since monday", "as before", "in may", "once more"]
    examples = [Example(f"\n{text} {when}", label) for label, text in said.items() for when in whens]
    learned = replace(SHOP, learned={"topic": fit(examples, SHOP)})
    assert best("Sadly the bonnet popped", taxonomy=SHOP) is None
    [[first, *others]] = taggers.get("topics").tag([Text(1, text="Sadly the bonnet popped")], learned)
    assert first.value == "broken-lid"
    assert '"bonnet' in first.reason
    assert first.grounds["decision"] in {"auto", "suggest", "abstain"}
    assert set(first.grounds["parts"]) == {"zero_shot", "labels_words"}
    assert first.confidence + sum(other.confidence for other in others) <= 1
    assert taggers.get("topics").tag([Text(1)], learned) == [[]]


def test_a_text_is_placed_by_its_meaning_where_it_is_encoded() -> None:
    axes = np.eye(len(SHOP.topics), dtype=np.float32)
    vectors = {
        saying: axis
        for topic, axis in zip(SHOP.topics, axes, strict=True)
        for saying in (topic.name, topic.description, *topic.keywords)
    }
    encoded = replace(SHOP, vectors=vectors)
    text = Text(1, text="It is not what I hoped for when I opened it", vector=axes[3])
    [[first, *_]] = taggers.get("topics").tag([text], encoded)
    assert first.value == SHOP.topics[3].slug
    assert first.grounds["why_not"]
    assert taggers.get("topics").tag([replace(text, vector=None)], encoded) == [[]]
