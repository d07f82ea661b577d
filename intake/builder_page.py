"""The builder's page drawn from a definition, whole or half done: every field is called by its place in it, so an error
finds its field."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import InputError
from intake import show_if
from intake.builder_forms import ENDS, KINDS, MOST_WORDED, QUESTION_TEXTS, TEXTS, Told, Words, steps_of
from intake.questions import CONTACTS, LONGEST_ANSWER

# How a scale is asked: which one, and whether as faces; a scale of stars is drawn as stars.
LOOKS: Mapping[str, str] = {
    "nps": marked("Recommendation, 0 to 10 (NPS)"),
    "csat5": marked("Satisfaction, 1 to 5 (CSAT)"),
    "csat5 faces": marked("Satisfaction, five faces (CSAT)"),
    "csat7": marked("Satisfaction, 1 to 7 (CSAT)"),
    "ces7": marked("Effort, 1 to 7 (CES)"),
    "ces5": marked("Effort, 1 to 5 (CES)"),
    "ces5 faces": marked("Effort, five faces (CES)"),
    "stars5": marked("Five stars"),
    "stars5 faces": marked("Five faces for stars"),
    "thumbs": marked("No or yes, 0 or 1"),
}
PLACES: Mapping[str, str] = {
    "text": marked("What they have to say; it is read, tagged and routed"),
    "title": marked("Its headline"),
    "product": marked("The product it is about"),
    "product_version": marked("The version of the product"),
    "url": marked("The page it is about"),
    "": marked("Something else, shown beside it"),
}
_PRIVACY = Words("privacy_url", marked("Address of your privacy notice"), 500, marked("Stands below the button."))
_LONGEST = Words("max_length", marked("Most characters"), 5, marked("At most %(most)s."))
_FACT = Words(
    "name", marked("Name of the fact"), 40, marked("As it is called in the links, such as order, product or batch.")
)


def drawn(told: Told, language: str, errors: Iterable[InputError] = ()) -> dict[str, Any]:
    """The page's fields, each with its words and what is wrong with them."""
    page = _Page(told, language, errors)
    questions = [page.question(place) for place in range(len(told["questions"]))]
    return {
        "texts": [page.text(words, told) for words in TEXTS],
        "privacy": page.field("privacy_url", _PRIVACY, told.get("privacy_url", "")),
        "language_errors": page.errors_of("language"),
        "has_more": page.is_wrong("description", "submit_label", "time_label", "privacy_url", "language"),
        "questions": questions,
        "kinds": [{"value": value, "label": gettext(label)} for value, (label, _) in KINDS.items()],
        "operators": [(op, gettext(words)) for op, words in show_if.OPERATORS.items()],
        "other": language,
        "problems": page.problems,
    }


class _Page:
    """The fields of one page, drawn from a definition that may be half done."""

    def __init__(self, told: Told, language: str, errors: Iterable[InputError]) -> None:
        self._told = told
        self._language = language
        self._errors: dict[str, list[str]] = {}
        self.problems: list[dict[str, str]] = []
        for error in errors:
            path = _place_of(error.path)
            self._errors.setdefault(path, []).append(error.message)
            self.problems.append({"path": path, "message": error.message, "where": self._where(path)})

    def errors_of(self, path: str) -> list[str]:
        return self._errors.get(path, [])

    def is_wrong(self, *paths: str) -> bool:
        """Whether something is wrong at one of these places, or inside it."""
        return any(f"{wrong}.".startswith(f"{path}.") for wrong in self._errors for path in paths)

    def field(self, name: str, words: Words, value: Any) -> Told:
        shown = {
            "label": gettext(words.label),
            "hint": gettext(words.hint) % {"most": number_format(LONGEST_ANSWER, force_grouping=True)},
            "most": words.most,
            "long": words.long,
        }
        return shown | {"name": name, "value": value, "errors": self._errors.get(name, [])}

    def text(self, words: Words, own: Told, path: str = "") -> Told:
        """A text of the form, or of the question at this path, beside what it is in the other language."""
        drawn = self.field(f"{path}.{words.name}".lstrip("."), words, own.get(words.name, ""))
        return drawn | self._beside(words, *(("questions", own["name"]) if path else ()), words.name)

    def _beside(self, words: Words, *keys: str) -> Told:
        if not self._language:
            return {}
        said: Any = self._told["translations"][self._language]
        for key in keys:
            said = said.get(key, {})
        return {"other": self.field(".".join(("translations", self._language, *keys)), words, said or "")}

    def question(self, place: int) -> Told:
        question, path = self._told["questions"][place], f"questions.{place}"
        kind = question["kind"]
        shown: Told = {
            "place": place, "number": place + 1, "path": path, "name": question["name"], "kind": kind,
            "title": question.get("label") or question["name"], "kind_label": _kind_label(question),
            "is_first": place == 0, "is_last": place == len(self._told["questions"]) - 1,
            "texts": [] if kind == "context" else [self.text(words, question, path) for words in QUESTION_TEXTS],
            "required": bool(question.get("required")), "errors": self.errors_of(path),
            "show_if": self._rule(question, path, self._told["questions"][:place]),
        }  # fmt: skip
        shown["is_wrong"] = self.is_wrong(path, f"translations.{self._language}.questions.{question['name']}")
        own = _KINDS_DRAWN.get(kind)
        return shown | (own(self, question, path) if own else {})

    def scale(self, question: Told, path: str) -> Told:
        words = {option["value"]: option for option in question.get("options", ())}
        steps = [str(step) for step in steps_of(question)]
        worded = [words.get(step, {"value": step}) for step in steps] if len(steps) <= MOST_WORDED else []
        look = _look(question)
        return {
            "looks": [
                {"value": value, "label": gettext(label), "is_chosen": value == look} for value, label in LOOKS.items()
            ],
            "look_errors": self.errors_of(f"{path}.scale") + self.errors_of(f"{path}.faces"),
            "ends": [self.text(words, question, path) for words in ENDS],
            "steps": [
                self._option(
                    question,
                    f"{path}.options.{step['value']}",
                    step,
                    gettext("Word for %(step)s") % {"step": step["value"]},
                )
                for step in worded
            ],
        }

    def choice(self, question: Told, path: str) -> Told:
        options = [each | {"label": each.get("label") or each["value"]} for each in question.get("options", ())]
        rows = [
            self._option(question, f"{path}.options.{place}", each, f"Answer {place + 1}")
            for place, each in enumerate([*options, {}])
        ]
        return {
            "options": rows,
            "multiple": bool(question.get("multiple")),
            "option_errors": self.errors_of(f"{path}.options"),
        }

    def words(self, question: Told, path: str) -> Told:
        place = question.get("place", "")
        return {
            "places": [{"value": each, "label": gettext(label), "is_chosen": each == place} for each, label in PLACES.items()],
            "long": bool(question.get("long")),
            "longest": self.field(f"{path}.max_length", _LONGEST, question.get("max_length", "")),
        }  # fmt: skip

    def contact(self, question: Told, path: str) -> Told:
        asks = question.get("asks", ())
        return {
            "asks": [
                {"value": each, "label": gettext(label), "is_chosen": each in asks} for each, label in CONTACTS.items()
            ],
            "ask_errors": self.errors_of(f"{path}.asks"),
        }

    def fact(self, question: Told, path: str) -> Told:
        return {"called": self.field(f"{path}.name", _FACT, question["name"])}

    def _option(self, question: Told, path: str, option: Told, called: str) -> Told:
        """One answer, or the word of one step; without a value it is the empty line at the end."""
        words, value = Words("label", called, 200), option.get("value", "")
        drawn = self.field(f"{path}.label", words, option.get("label", "")) | {"key": value}
        drawn["errors"] = [*drawn["errors"], *self.errors_of(f"{path}.value")]
        return drawn | (self._beside(words, "questions", question["name"], "options", value) if value else {})

    def _rule(self, question: Told, path: str, earlier: Sequence[Told]) -> Told:
        given = question.get("show_if") or {}
        listed = given.get("any") or given.get("all") or ([given] if given else [])
        answerable = [each for each in earlier if show_if.ALLOWED.get(each["kind"])]
        rows = [*listed, {}] if len(listed) < show_if.MOST_CONDITIONS else listed
        return {
            "is_given": bool(listed),
            "any": bool(given.get("any")),
            "can_be_given": bool(answerable or listed),
            "several": len(listed) > 1,
            "errors": self.errors_of(f"{path}.show_if"),
            "rows": [
                {
                    "path": f"{path}.show_if.{place}",
                    "number": place + 1,
                    "op": row.get("op", ""),
                    "questions": [
                        {
                            "name": each["name"],
                            "label": each.get("label") or each["name"],
                            "is_chosen": each["name"] == row.get("question"),
                            "values": [
                                {"value": value, "label": label, "is_chosen": value == row.get("value")}
                                for value, label in _labelled(each)
                            ],
                        }
                        for each in answerable
                    ],
                }
                for place, row in enumerate(rows)
            ],
        }

    def _where(self, path: str) -> str:
        """What a place is called, for the list above the page."""
        found = re.match(r"questions\.(\d+)", path)
        if found is None or int(found[1]) >= len(self._told["questions"]):
            return next((gettext(words.label) for words in (*TEXTS, _PRIVACY) if words.name == path), "")
        question = self._told["questions"][int(found[1])]
        return f"Question {int(found[1]) + 1}, {question.get('label') or question['name']}"


_KINDS_DRAWN: Mapping[str, Callable[[_Page, Told, str], Told]] = {
    "scale": _Page.scale,
    "choice": _Page.choice,
    "text": _Page.words,
    "contact": _Page.contact,
    "context": _Page.fact,
}


def _labelled(question: Told) -> list[tuple[str, str]]:
    """The answers that a condition can name, in the words that people choose them by."""
    labels = {option["value"]: option.get("label", "") for option in question.get("options", ())}
    if question["kind"] == "choice":
        return [(value, label or value) for value, label in labels.items()]
    steps = [str(step) for step in steps_of(question)]
    return [(step, f"{step}, {labels[step]}" if labels.get(step) else step) for step in steps]


def _look(question: Told) -> str:
    return f"{question.get('scale', '')}{' faces' if question.get('faces') else ''}"


def _kind_label(question: Told) -> str:
    kind = question["kind"]
    if kind == "scale":
        return gettext(LOOKS.get(_look(question), marked("Scale")))
    if kind == "choice":
        return gettext("Several answers") if question.get("multiple") else gettext("One answer")
    labels = {
        "text": gettext("Text"),
        "contact": gettext("How to reach them"),
        "consent": gettext("Consent"),
        "file": gettext("Photos and documents"),
    }
    return labels.get(kind, gettext("Fact of a link"))


def _place_of(path: str) -> str:
    """All that can be wrong with a rule is told at its question."""
    return re.sub(r"(\.show_if)\..*", r"\1", path)
