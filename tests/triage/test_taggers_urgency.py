import pytest

from triage import lexicon
from triage.taggers import Suggestion, Taxonomy, Text, taggers
from triage.taggers.urgency import KINDS


def urgency(text: str, title: str = "") -> Suggestion | None:
    [suggestions] = taggers.get("urgency").tag([Text(1, title=title, text=text)], Taxonomy())
    return suggestions[0] if suggestions else None


def level(text: str) -> int | None:
    found = urgency(text)
    return int(found.value) if found else None


@pytest.mark.parametrize(
    "text",
    [
        "The plug caught fire while we slept.",
        "There was smoke and a burning smell.",
        "I got an electric shock from the handle.",
        "My daughter burned her hand on it.",
        "He was choking on the small part.",
        "I had an allergic reaction.",
        "There is a smell of gas near the oven.",
        "I found a piece of metal in the soup",
        "It cut my hand, blood and stitches.",
        "the brakes failed on the hill",
        "Der Stecker hat Feuer gefangen.",
        "Es riecht nach Gas und raucht.",
        "Meine Tochter hat sich am Deckel verletzt.",
        "Gestern gab es einen Brand in der Küche, der Herd war neu.",
        "Ich habe einen Stromschlag bekommen",
        "L'appareil a pris feu cette nuit.",
        "Mon fils s'est blessé avec le couvercle.",
        "Ça sent le brûlé et il y a de la fumée.",
        "Hay olor a gas en la cocina.",
        "Mi hijo se quemó, fue una quemadura grave.",
        "Me dio una descarga eléctrica.",
        "FIRE!!!",
    ],
)
def test_danger_is_never_missed(text: str) -> None:
    assert level(text) == 3


@pytest.mark.parametrize(
    "text",
    [
        "There was no smoke and nothing happened.",
        "It does not smoke, it just hums.",
        "I watch films on my Fire TV.",
        "You should fire the manager.",
        "I was shocked by the price.",
        "My smoke detector arrived.",
        "I paid the hospital bill with this card.",
        "The machine swallowed my card.",
        "I like this brand, it is a nice gift.",
        "Es gab kein Feuer.",
        "Il n'y avait pas de fumée.",
        "No hubo humo.",
        "Elle a gardé son sang-froid.",
    ],
)
def test_words_that_only_look_like_danger_are_not_taken_for_it(text: str) -> None:
    assert level(text) != 3


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("I will speak to my lawyer.", "legal"),
        ("Mein Anwalt wird sich melden.", "legal"),
        ("I will tell the local news and a journalist", "press"),
        ("Please close my account, I am going elsewhere.", "leaving"),
        ("Ich kündige meinen Vertrag", "leaving"),
        ("Je veux résilier mon abonnement", "leaving"),
        ("Quiero darme de baja", "leaving"),
        ("The whole system is down for all users", "blocked"),
        ("Nichts geht mehr, kompletter Serverausfall", "blocked"),
    ],
)
def test_what_costs_a_customer_or_their_work_is_high(text: str, kind: str) -> None:
    found = urgency(text)
    assert found is not None
    assert found.value == 2
    assert KINDS[kind].says in found.reason


def test_a_weak_sign_alone_is_normal_and_two_are_high() -> None:
    assert level("This is the third time it broke.") is None
    assert level("Please answer immediately.") is None
    assert level("This is the third time it broke, please answer immediately.") == 2
    assert level("immediately immediately immediately") is None


@pytest.mark.parametrize(
    "text", ["No rush, but a bigger handle would be nice.", "Nur ein Vorschlag, keine Eile.", "Es solo una sugerencia"]
)
def test_who_is_in_no_hurry_can_wait(text: str) -> None:
    assert level(text) == 0


def test_danger_outweighs_politeness() -> None:
    assert level("No rush, just a suggestion: it caught fire.") == 3


@pytest.mark.parametrize("text", ["", "The lid is blue.", "Where is my invoice?", "12345"])
def test_everything_else_is_left_at_normal(text: str) -> None:
    assert urgency(text) is None


def test_the_wording_that_alarmed_is_shown() -> None:
    text = "Last night the kettle caught fire!"
    found = urgency(text, title="Smoke in the kitchen")
    assert found is not None
    places = [each.span for each in found.evidence if each.span]
    assert [
        (place.part, ("Smoke in the kitchen" if place.part == "title" else text)[place.start : place.end])
        for place in places
    ] == [
        ("title", "Smoke"),
        ("text", "caught fire"),
    ]
    assert found.reason == 'Somebody may be in danger: "smoke".'
    assert found.confidence > 0.7


def test_every_line_of_the_list_is_of_a_known_kind() -> None:
    for line in lexicon.lines("urgency.txt"):
        _, kind = line.partition(":")[0].split()
        assert kind in {*KINDS, "nothing"}
