"""Which kinds of personal data a text holds, without saying what they are."""

from triage.taggers.base import Span, Suggestion, Taxonomy, Text
from triage.taggers.personal_data import PersonalData


def told(text: Text) -> list[Suggestion]:
    (given,) = PersonalData().tag([text], Taxonomy())
    return given


def test_what_intake_masked_is_named_with_its_place() -> None:
    (one,) = told(Text(1, text="Write to [e-mail address]", context={"masked": "e-mail address"}))

    assert (one.value, one.evidence[0].span) == ("email", Span("text", 9, 25))
    assert "masked" in one.reason


def test_what_remains_is_found_and_never_repeated() -> None:
    (one,) = told(Text(1, text="Write to ana@example.com"))

    assert one.value == "email"
    assert one.evidence[0].span == Span("text", 9, 24)
    assert "ana" not in repr(one)


def test_masked_words_that_intake_did_not_note_say_nothing() -> None:
    assert told(Text(1, text="I see [card number] on my screen")) == []
    assert told(Text(1, text="All is well", context={"masked": "<b>anything</b>, my card number"})) == []


def test_an_order_number_is_no_personal_data() -> None:
    assert told(Text(1, text="Order 4711 and batch H4-2231 on 2026-03-04")) == []
