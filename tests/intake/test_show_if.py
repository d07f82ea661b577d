"""Questions that are asked only after certain answers: read strictly, decided in order, and never half asked."""

from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.http import QueryDict
from django.utils.datastructures import MultiValueDict
from hypothesis import given
from hypothesis import strategies as st

from feedback_portal.refusals import BadInput
from intake import show_if
from intake.forms import AnswersForm
from intake.questions import Definition, as_json, from_json, read_definition
from intake.show_if import Condition, ShowIf
from tests.intake.pictures import png

HOW = {"name": "how", "kind": "scale", "label": "How was it?", "scale": "nps"}
WHY = {"name": "why", "kind": "choice", "label": "Why?", "options": [{"value": "leak"}, {"value": "noise"}]}
TEXT = {"name": "text", "kind": "text", "label": "What happened?", "place": "text"}
LOW = {"question": "how", "op": "at_most", "value": "6"}
LEAK = {"question": "why", "op": "is", "value": "leak"}


def form_of(*questions: dict[str, Any]) -> Definition:
    return read_definition({"title": "T", "questions": list(questions)})


@pytest.mark.parametrize(
    ("op", "value", "answer", "held"),
    [
        ("is", "6", ["6"], True),
        ("is", "6", ["06"], False),
        ("is", "leak", ["noise", "leak"], True),
        ("is", "leak", ["noise"], False),
        ("is", "leak", [], False),
        ("is_not", "leak", ["noise"], True),
        ("is_not", "leak", ["noise", "leak"], False),
        ("is_not", "leak", [], False),
        ("is_not", "leak", [""], False),
        ("at_most", "6", ["6"], True),
        ("at_most", "6", ["10"], False),
        ("at_most", "6", ["0"], True),
        ("at_most", "6", ["nonsense"], False),
        ("at_most", "6", ["٣"], False),
        ("at_most", "6", ["1" * 5000], False),
        ("at_most", "6", [], False),
        ("at_least", "9", ["10"], True),
        ("at_least", "9", ["8"], False),
        ("at_least", "9", [" "], False),
        ("is_answered", "", ["x"], True),
        ("is_answered", "", [" ", ""], False),
        ("is_answered", "", [], False),
    ],
)
def test_a_condition_holds_or_does_not(op: str, value: str, answer: list[str], held: bool) -> None:
    assert Condition("how", op, value).holds(answer) is held


@pytest.mark.parametrize(
    ("rule", "held"),
    [
        (LOW, True),
        (LEAK, False),
        ({"all": [LOW, LEAK]}, False),
        ({"any": [LOW, LEAK]}, True),
        ({"any": [LEAK]}, False),
        ({"all": [LOW]}, True),
    ],
)
def test_all_or_any_of_them(rule: dict[str, Any], held: bool) -> None:
    assert show_if.from_json(rule).holds({"how": ["3"], "why": ["noise"]}) is held


@pytest.mark.parametrize("rule", [LOW, {"any": [LOW, LEAK]}, {"all": [LOW, LEAK]}])
def test_a_rule_is_kept_as_it_was_read(rule: dict[str, Any]) -> None:
    told = {"title": "T", "language": "en", "questions": [HOW, WHY, TEXT, TEXT | {"name": "more", "show_if": rule}]}

    definition = read_definition(told)

    assert as_json(definition) == told
    assert from_json(as_json(definition)) == definition


@pytest.mark.parametrize(
    ("rule", "path"),
    [
        ({}, "questions.2.show_if.question"),
        ("how", "questions.2.show_if"),
        ([LOW], "questions.2.show_if"),
        (LOW | {"op": "contains"}, "questions.2.show_if.op"),
        (LOW | {"value": "11"}, "questions.2.show_if"),
        (LOW | {"value": ""}, "questions.2.show_if"),
        (LOW | {"value": 5}, "questions.2.show_if.value"),
        (LOW | {"question": "more"}, "questions.2.show_if"),
        (LOW | {"question": "later"}, "questions.2.show_if"),
        (LOW | {"question": "nothing"}, "questions.2.show_if"),
        (LEAK | {"value": "smell"}, "questions.2.show_if"),
        (LEAK | {"op": "at_most"}, "questions.2.show_if"),
        ({"question": "how", "op": "is_answered", "because": "x"}, "questions.2.show_if.because"),
        ({"all": []}, "questions.2.show_if"),
        ({"all": [LOW], "any": [LEAK]}, "questions.2.show_if"),
        ({"all": [LOW] * 6}, "questions.2.show_if.all"),
        ({"all": [{"any": [LOW]}]}, "questions.2.show_if.all.0.any"),
    ],
)
def test_a_rule_that_makes_no_sense_is_named_by_its_place(rule: Any, path: str) -> None:
    later = {"name": "later", "kind": "scale", "label": "And now?", "scale": "nps"}
    with pytest.raises(BadInput) as refused:
        form_of(HOW, WHY, TEXT | {"name": "more", "show_if": rule}, later)

    assert path in [error.path for error in refused.value.errors]


def test_a_fact_of_a_link_is_answered_by_nobody() -> None:
    with pytest.raises(BadInput, match="Correct"):
        form_of(
            HOW, {"name": "order", "kind": "context"}, TEXT | {"show_if": {"question": "order", "op": "is_answered"}}
        )


def test_a_form_asks_everybody_something() -> None:
    with pytest.raises(BadInput) as refused:
        form_of(WHY, TEXT | {"show_if": LEAK})

    assert [error.path for error in refused.value.errors] == ["questions"]


class TestAnswers:
    DEFINITION = form_of(
        HOW,
        WHY | {"show_if": LOW, "required": True},
        TEXT | {"show_if": LEAK, "required": True},
        {"name": "photo", "kind": "file", "label": "A photo", "show_if": LEAK},
        {"name": "reach", "kind": "contact", "label": "?", "asks": ["email"], "show_if": {"question": "text", "op": "is_answered"}},
    )  # fmt: skip

    def sent(self, query: str, **files: Any) -> AnswersForm:
        uploads: Any = MultiValueDict({name: [file] for name, file in files.items()})
        return AnswersForm(self.DEFINITION, QueryDict(query), uploads)

    @pytest.mark.parametrize(
        ("query", "answers"),
        [
            ("how=9", {"how": 9}),
            ("how=9&why=leak&text=It+drips&email=ana@example.com", {"how": 9}),
            ("how=9&why=nonsense&email=nonsense", {"how": 9}),
            ("how=3&why=noise", {"how": 3, "why": ["noise"]}),
            ("how=3&why=noise&text=It+drips", {"how": 3, "why": ["noise"]}),
            (
                "how=3&why=leak&text=It+drips&email=ana@example.com",
                {"how": 3, "why": ["leak"], "text": "It drips", "reach": {"email": "ana@example.com"}},
            ),
        ],
    )
    def test_what_is_not_asked_is_neither_required_nor_kept(self, query: str, answers: dict[str, Any]) -> None:
        form = self.sent(query)

        assert form.is_valid(), form.errors
        assert form.answers() == answers

    @pytest.mark.parametrize(("query", "wrong"), [("how=3", {"why"}), ("how=3&why=leak", {"text"}), ("", {"how"})])
    def test_what_is_asked_is_required(self, query: str, wrong: set[str]) -> None:
        assert set(self.sent(query).errors) == wrong

    def test_a_file_that_was_not_asked_for_is_dropped(self) -> None:
        photo = SimpleUploadedFile("a.png", png())
        kept = self.sent("how=3&why=leak&text=It+drips", photo=photo)
        assert kept.is_valid()
        assert [file.name for file in kept.sent_files()] == ["a.png"]

        dropped = self.sent("how=9", photo=SimpleUploadedFile("a.exe", b"MZ"))
        assert dropped.is_valid(), dropped.errors
        assert dropped.sent_files() == []

    def test_nothing_that_was_written_is_lost_when_the_page_comes_back(self) -> None:
        drawn = {each["name"]: each for each in self.sent("how=nonsense&why=leak&text=It+drips").drawn()}

        assert drawn["text"]["value"] == "It drips"
        assert drawn["text"]["errors"] == []
        assert drawn["how"]["errors"]

    def test_without_a_script_the_page_says_when_a_question_is_meant(self) -> None:
        said = [each["only_if"] for each in self.sent("").drawn()]

        assert said[:3] == ["", "Only if “How was it?” is at most “6”.", "Only if “Why?” is “leak”."]


NAMES = ("a", "b", "c", "d", "e")
ANSWERS = st.dictionaries(st.sampled_from(NAMES), st.lists(st.sampled_from(["1", "2", "3", ""]), max_size=2))


@st.composite
def rules(draw: st.DrawFn) -> list[tuple[str, ShowIf | None]]:
    found: list[tuple[str, ShowIf | None]] = [(NAMES[0], None)]
    for place, name in enumerate(NAMES[1:], start=1):
        condition = st.builds(
            Condition,
            st.sampled_from(NAMES[:place]),
            st.sampled_from(tuple(show_if.OPERATORS)),
            st.sampled_from(["1", "2", "3"]),
        )
        conditions = st.lists(condition, min_size=1, max_size=3).map(tuple)
        found.append((name, draw(st.none() | st.builds(ShowIf, conditions, st.booleans()))))
    return found


@given(rules(), ANSWERS, st.data())
def test_an_answer_to_what_is_not_asked_changes_nothing(
    form: list[tuple[str, ShowIf | None]], answers: dict[str, list[str]], data: st.DataObject
) -> None:
    asked = show_if.asked(form, answers)
    others = {name: data.draw(st.lists(st.sampled_from(["1", "2", "3"]))) for name in NAMES if name not in asked}

    assert show_if.asked(form, answers | others) == asked


@given(rules(), ANSWERS, st.data())
def test_a_later_answer_changes_nothing_above_it(
    form: list[tuple[str, ShowIf | None]], answers: dict[str, list[str]], data: st.DataObject
) -> None:
    place = data.draw(st.integers(0, len(NAMES) - 1))
    changed = answers | {name: data.draw(st.lists(st.sampled_from(["1", "2"]))) for name in NAMES[place:]}
    above = set(NAMES[: place + 1])

    assert show_if.asked(form, answers) & above == show_if.asked(form, changed) & above


@given(rules(), ANSWERS)
def test_nothing_but_a_rule_that_fails_hides_a_question(
    form: list[tuple[str, ShowIf | None]], answers: dict[str, list[str]]
) -> None:
    asked = show_if.asked(form, answers)
    seen = {name: answer for name, answer in answers.items() if name in asked}

    assert asked == {name for name, rule in form if rule is None or rule.holds(seen)}
