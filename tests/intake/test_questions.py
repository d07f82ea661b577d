"""What a form may ask: read strictly, kept as it is, and every mistake named by its place."""

import json
from dataclasses import fields
from typing import Any

import pytest

from feedback_portal.refusals import BadInput
from intake import questions, surveys
from intake.questions import Definition, Option, Question, as_json, read_definition

TEXT = {"name": "text", "kind": "text", "label": "What happened?", "place": "text"}
WHOLE = {
    "title": "After a repair",
    "intro": "One question is enough.",
    "description": "How the repair went",
    "language": "en",
    "submit_label": "Send",
    "time_label": "About a minute",
    "privacy_url": "https://example.com/privacy",
    "questions": [
        {"name": "how", "kind": "scale", "label": "How was it?", "scale": "csat5", "faces": True, "required": True,
         "low_label": "Bad", "high_label": "Great", "options": [{"value": "1", "label": "Bad"}]},
        {**TEXT, "long": True, "max_length": 2000, "help": "As you like"},
        {"name": "topic", "kind": "choice", "label": "About?", "multiple": True,
         "options": [{"value": "leak", "label": "It leaks", "detail": "Water"}, {"value": "noise"}]},
        {"name": "photo", "kind": "file", "label": "A photo"},
        {"name": "reach", "kind": "contact", "label": "How to reach you?", "asks": ["name", "email", "phone"]},
        {"name": "agreed", "kind": "consent", "label": "You may write to me."},
        {"name": "order", "kind": "context"},
    ],
    "translations": {"de": {"title": "Nach der Reparatur", "questions": {"topic": {"options": {"leak": "Es tropft"}}}}},
}  # fmt: skip


def test_a_definition_is_kept_as_it_was_read() -> None:
    definition = read_definition(WHOLE)

    assert as_json(definition) == WHOLE
    assert read_definition(json.loads(json.dumps(as_json(definition)))) == definition


def test_the_first_form_is_one_that_could_be_read() -> None:
    assert read_definition(as_json(surveys.FIRST_FORM)) == surveys.FIRST_FORM


def test_every_part_of_a_question_can_be_written_down() -> None:
    """A new part of `Question` that the strict reading forgets would be lost without a word."""
    told = dict.fromkeys(each.name for each in fields(Question)) | {"name": "x", "kind": "scale"}

    assert not [error for error in questions._QUESTION(told, "") if "no such field" in error.message]


@pytest.mark.parametrize(
    ("change", "path"),
    [
        ({"title": ""}, "title"),
        ({"title": 5}, "title"),
        ({"colour": "red"}, "colour"),
        ({"language": "English"}, "language"),
        ({"privacy_url": "javascript:alert(1)"}, "privacy_url"),
        ({"questions": []}, "questions"),
        ({"questions": {}}, "questions"),
        ({"questions": [TEXT, TEXT]}, "questions.1.name"),
        ({"questions": [TEXT | {"name": "token"}]}, "questions.0.name"),
        ({"questions": [TEXT | {"name": "email"}]}, "questions.0.name"),
        ({"questions": [TEXT | {"name": "A b"}]}, "questions.0.name"),
        ({"questions": [TEXT | {"kind": "captcha"}]}, "questions.0.kind"),
        ({"questions": [TEXT | {"label": ""}]}, "questions.0.label"),
        ({"questions": [TEXT | {"place": "moon"}]}, "questions.0.place"),
        ({"questions": [TEXT | {"max_length": 1.5}]}, "questions.0.max_length"),
        ({"questions": [TEXT | {"max_length": 1e6}]}, "questions.0.max_length"),
        ({"questions": [TEXT | {"required": "yes"}]}, "questions.0.required"),
        ({"questions": [{"name": "q", "kind": "scale", "label": "?"}]}, "questions.0.scale"),
        ({"questions": [{"name": "q", "kind": "scale", "label": "?", "scale": "moons"}]}, "questions.0.scale"),
        ({"questions": [{"name": "q", "kind": "scale", "label": "?", "scale": "nps", "faces": True}]}, "questions.0.faces"),
        ({"questions": [TEXT, {"name": "q", "kind": "choice", "label": "?"}]}, "questions.1.options"),
        ({"questions": [TEXT, {"name": "q", "kind": "choice", "label": "?", "options": [{}]}]}, "questions.1.options.0.value"),
        ({"questions": [TEXT, {"name": "q", "kind": "contact", "label": "?"}]}, "questions.1.asks"),
        ({"questions": [TEXT, {"name": "q", "kind": "contact", "label": "?", "asks": ["fax"]}]}, "questions.1.asks.0"),
        ({"questions": [TEXT] + [{"name": f"f{n}", "kind": "file", "label": "?"} for n in (1, 2)]}, "questions"),
        ({"questions": [{"name": "order", "kind": "context"}]}, "questions"),
        ({"questions": [TEXT | {"place": "product"}]}, "questions"),
        ({"translations": {"Deutsch": {}}}, "translations.Deutsch"),
        ({"translations": {"de": {"title": 5}}}, "translations.de.title"),
        ({"translations": {"de": {"questions": {"text": {"kind": "scale"}}}}}, "translations.de.questions.text.kind"),
        ({"translations": {"de": {"questions": {"text": {"options": {"1": 1}}}}}}, "translations.de.questions.text.options.1"),
        ({"translations": []}, "translations"),
    ],
)  # fmt: skip
def test_a_mistake_is_named_by_its_place(change: dict[str, Any], path: str) -> None:
    with pytest.raises(BadInput) as refused:
        read_definition({"title": "T", "questions": [TEXT]} | change)

    assert [error.path for error in refused.value.errors] == [path]
    assert all(error.message.endswith((".", "}.")) or error.message.endswith('"}}.') for error in refused.value.errors)


@pytest.mark.parametrize("given", [None, [], "x", 5, {}])
def test_what_is_no_definition_is_refused(given: Any) -> None:
    with pytest.raises(BadInput):
        read_definition(given)


def test_a_language_says_what_it_can_and_leaves_the_rest() -> None:
    german = read_definition(WHOLE).in_language("de")

    assert (german.title, german.intro) == ("Nach der Reparatur", "One question is enough.")
    assert [option.label for option in german.questions[2].options] == ["Es tropft", ""]
    assert german.questions[2].options[0].detail == "Water"
    assert german.in_language("fr") is german


def test_a_translation_gives_words_to_steps_and_adds_no_answer() -> None:
    definition = Definition(
        title="T",
        questions=(
            Question("how", "scale", "How?", scale="csat5"),
            Question("what", "choice", "What?", options=(Option("a", "A"),)),
        ),
        translations={"de": {"questions": {"how": {"options": {"1": "Schlecht"}}, "what": {"options": {"b": "B"}}}}},
    )
    how, what = definition.in_language("de").questions

    assert [step.label for step in how.steps] == ["Schlecht", "", "", "", ""]
    assert [option.value for option in what.options] == ["a"]
