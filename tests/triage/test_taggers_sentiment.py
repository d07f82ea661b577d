from decimal import Decimal

import pytest

from triage.taggers import Suggestion, Taxonomy, Text, taggers
from triage.taggers.sentiment import rating_position


def sentiment(text: str = "", **more: object) -> Suggestion | None:
    [suggestions] = taggers.get("sentiment").tag([Text(1, text=text, **more)], Taxonomy())  # type: ignore[arg-type]
    return suggestions[0] if suggestions else None


def score(text: str) -> float:
    found = sentiment(text)
    return found.score or 0.0 if found else 0.0


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("Great kettle, we love it.", "pos"),
        ("The lid broke after two days. Very disappointed.", "neg"),
        ("The handle is comfortable but the lid leaks terribly.", "neg"),
        ("It was slow at first, but now it works perfectly!", "pos"),
        ("I am not happy with the service", "neg"),
        ("Nobody answered and I never got a reply", "neg"),
        ("Waste of money", "neg"),
        ("👍", "pos"),
        ("😡😡", "neg"),
        ("Danke, der Kundendienst war sehr freundlich und schnell.", "pos"),
        ("Die Lieferung kam zu spät und das Gerät ist defekt.", "neg"),
        ("Das gefällt mir überhaupt nicht.", "neg"),
        ("Ich bin leider gar nicht zufrieden mit der Qualität.", "neg"),
        ("Nie wieder! Die Verarbeitung ist eine Katastrophe.", "neg"),
        ("Très bon produit, je recommande.", "pos"),
        ("Je suis très déçue, l'appareil ne fonctionne plus.", "neg"),
        ("C'est nul, personne ne répond.", "neg"),
        ("Muy contenta con la compra, gracias.", "pos"),
        ("No lo recomiendo, llegó roto y nadie contesta.", "neg"),
        ("El servicio es pésimo, no funciona nada.", "neg"),
    ],
)
def test_a_text_sounds_as_it_was_meant(text: str, value: str) -> None:
    found = sentiment(text)
    assert found is not None
    assert found.value == value, found.reason
    assert (found.score or 0.0) * (1 if value == "pos" else -1) > 0


@pytest.mark.parametrize(
    "text", ["", "The parcel has two lids and a cable.", "Der Deckel hat eine Farbe.", "1234", "???"]
)
def test_where_nothing_is_told_nothing_is_suggested(text: str) -> None:
    assert sentiment(text) is None


def test_words_of_a_language_that_was_not_learned_are_not_guessed_at() -> None:
    assert sentiment("Tuote on terrible-merkkinen ja sen mukana tuli super-kaapeli, kiitos.") is None
    found = sentiment("Kahva irtosi heti, kun kaadoin siihen kuumaa vettä 😡")
    assert found is not None
    assert found.value == "neg"


def test_german_words_are_not_read_as_english_ones() -> None:
    assert sentiment("Die Art der Lieferung war die des Herstellers, fast wie in dem Text steht.") is None


@pytest.mark.parametrize(
    ("weaker", "stronger"),
    [
        ("It is good.", "It is really good."),
        ("It is slightly bad.", "It is bad."),
        ("It is bad.", "It is extremely bad."),
        ("It is terrible.", "It is TERRIBLE."),
        ("It is good.", "It is good, helpful and friendly."),
    ],
)
def test_what_strengthens_and_weakens_counts(weaker: str, stronger: str) -> None:
    assert 0 < abs(score(weaker)) < abs(score(stronger)) < 1


def test_a_negation_turns_only_what_it_reaches() -> None:
    assert score("not good") < 0 < score("good")
    assert score("We did not wait. Good.") > score("We did not wait good")
    assert -0.3 < score("not bad") < 0.3


def test_what_stands_after_a_but_outweighs_what_stands_before() -> None:
    assert score("slow but great") > score("slow, great") > score("great but slow")
    assert score("It is slow but. Great") == score("It is slow, but. Great.")


def test_a_text_in_capitals_only_is_not_louder_in_one_word() -> None:
    assert score("IT IS TERRIBLE") == score("it is terrible")


@pytest.mark.parametrize(
    ("scale", "value", "position"),
    [
        ("csat5", 1, -1.0),
        ("csat5", 3, 0.0),
        ("csat5", 5, 1.0),
        ("stars5", 4, 0.5),
        ("ces7", 7, 1.0),
        ("nps", 10, 1.0),
        ("nps", 8, 0.2),
        ("nps", 6, -0.4),
        ("nps", 0, -1.0),
        ("thumbs", 0, -1.0),
        ("csat5", 6, None),
        ("csat5", 0, None),
        ("made-up", 3, None),
        ("", 3, None),
        ("csat5", None, None),
        ("csat5", float("nan"), None),
        ("csat5", Decimal("NaN"), None),
        ("scale99999", 3, None),
    ],
)
def test_a_rating_is_placed_on_its_own_scale(scale: str, value: float | None, position: float | None) -> None:
    assert rating_position(Text(1, rating_scale=scale, rating_value=value)) == position


def test_the_rating_speaks_where_there_are_no_words_and_against_the_words() -> None:
    alone = sentiment(rating_scale="csat5", rating_value=Decimal(1))
    assert alone is not None
    assert (alone.value, alone.evidence[0].span) == ("neg", None)
    assert "the rating 1 (csat5)" in alone.reason
    agreed = sentiment("Great", rating_scale="csat5", rating_value=5)
    torn = sentiment("Great", rating_scale="csat5", rating_value=1)
    assert agreed is not None
    assert torn is not None
    assert agreed.confidence > torn.confidence


def test_the_evidence_is_the_wording_that_decided() -> None:
    text = "The colour is nice, but the lid is completely BROKEN and useless."
    found = sentiment(text)
    assert found is not None
    wordings = [text[each.span.start : each.span.end] for each in found.evidence if each.span]
    assert set(wordings[:2]) == {"BROKEN", "useless"}
    assert found.reason.startswith("It sounds negative: ")
