"""What a form asks: a definition as frozen data, read strictly from JSON, in one language or several."""

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError
from intake import show_if
from intake.connectors.base import SCALES
from intake.shapes import Check, error_at, flag, list_of, number, object_of, one_of, text
from intake.show_if import Answer, ShowIf

KINDS = ("scale", "text", "choice", "contact", "consent", "file", "context")
# What a question of kind contact may ask for, each at most once in a form.
CONTACTS: Mapping[str, str] = {"name": marked("Name"), "email": marked("E-mail address"), "phone": marked("Telephone")}
# Where the answer to a text goes; a text without such a place joins the context under its name.
PLACES = ("text", "title", "product", "product_version", "url")
# Names that the page itself uses.
RESERVED = ("token", "about", "homepage", *CONTACTS)

LONGEST_ANSWER = 20_000
MOST_QUESTIONS = 40

_NAME = re.compile(r"[a-z][a-z0-9_]{0,39}\Z")
_LANGUAGE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?\Z")


@dataclass(frozen=True)
class Option:
    """One answer to choose; without a label its value is shown."""

    value: str
    label: str = ""
    detail: str = ""


@dataclass(frozen=True)
class Question:
    """One question. `name` is what its answer is called for ever, whatever language it was asked in."""

    name: str
    kind: str
    label: str = ""
    help: str = ""
    required: bool = False
    # kind scale: which one, what its ends mean, and whether it is drawn as five faces
    scale: str = ""
    low_label: str = ""
    high_label: str = ""
    faces: bool = False
    # kinds scale (words for its steps) and choice
    options: tuple[Option, ...] = ()
    multiple: bool = False
    # kind text
    place: str = ""
    long: bool = False
    max_length: int = 0
    # kind contact
    asks: tuple[str, ...] = ()
    # asked only where this holds for the answers to earlier questions
    show_if: ShowIf | None = None

    @property
    def longest(self) -> int:
        return self.max_length or (LONGEST_ANSWER if self.long else 500)

    @property
    def steps(self) -> tuple[Option, ...]:
        """Every step of a scale, with its words where it has some."""
        low, high = SCALES[self.scale]
        words = {option.value: option for option in self.options}
        return tuple(words.get(str(step), Option(str(step))) for step in range(low, high + 1))


@dataclass(frozen=True)
class Definition:
    """A form's texts and questions, in `language`; `translations` {language: texts} say the same in others."""

    title: str
    questions: tuple[Question, ...]
    intro: str = ""
    description: str = ""
    language: str = "en"
    submit_label: str = ""
    time_label: str = ""
    privacy_url: str = ""
    translations: Mapping[str, Any] = field(default_factory=dict)

    @property
    def languages(self) -> tuple[str, ...]:
        return (self.language, *sorted(self.translations))

    def of_kind(self, kind: str) -> tuple[Question, ...]:
        return tuple(question for question in self.questions if question.kind == kind)

    def asked(self, answers: Mapping[str, Answer]) -> tuple[Question, ...]:
        """The questions that are asked of somebody who answered like this."""
        names = show_if.asked(((question.name, question.show_if) for question in self.questions), answers)
        return tuple(question for question in self.questions if question.name in names)

    def in_language(self, language: str) -> "Definition":
        """The same form in one of its languages; what a translation leaves out stays as it is."""
        texts = self.translations.get(language)
        if texts is None:
            return self
        said = texts.get("questions", {})
        questions = tuple(_translated(question, said.get(question.name, {})) for question in self.questions)
        own = {name: texts[name] for name in _DEFINITION_TEXTS if texts.get(name)}
        return replace(self, questions=questions, language=language, **own)


def read_definition(given: Any) -> Definition:
    """The definition that JSON stands for; `BadInput` names every place that is not right."""
    errors = _DEFINITION(given, "") or _sense(given)
    if errors:
        raise BadInput(gettext("Correct the places named in `errors`."), errors=tuple(errors))
    return from_json(given)


def from_json(given: Mapping[str, Any]) -> Definition:
    """A definition that was read strictly before it was stored."""
    told = {name: value for name, value in given.items() if value is not None}
    return Definition(**told | {"questions": tuple(_question(each) for each in told["questions"])})


def as_json(definition: Definition) -> dict[str, Any]:
    """What is stored: the members that say something."""
    told = asdict(definition)
    told["questions"] = [_brief(asdict(question) | _rule(question)) for question in definition.questions]
    return _brief(told)


def _rule(question: Question) -> dict[str, Any]:
    return {"show_if": show_if.as_json(question.show_if) if question.show_if else {}}


def _brief(told: dict[str, Any]) -> dict[str, Any]:
    brief = {name: value for name, value in told.items() if value not in ("", (), {}, False, 0)}
    if "options" in brief:
        brief["options"] = [_brief(option) for option in brief["options"]]
    if "asks" in brief:
        brief["asks"] = list(brief["asks"])
    return brief


def _question(given: Mapping[str, Any]) -> Question:
    told = {name: value for name, value in given.items() if value is not None}
    told["options"] = tuple(Option(**option) for option in told.get("options", ()))
    told["asks"] = tuple(told.get("asks", ()))
    told["show_if"] = show_if.from_json(told["show_if"]) if told.get("show_if") else None
    return Question(**told)


def _translated(question: Question, said: Mapping[str, Any]) -> Question:
    options = {option.value: option for option in question.options}
    for value, label in said.get("options", {}).items():
        if value in options or question.kind == "scale":
            options[value] = replace(options.get(value, Option(value)), label=label)
    own = {name: said[name] for name in _QUESTION_TEXTS if said.get(name)}
    return replace(question, options=tuple(options.values()), **own)


def _texts_by_value(given: Any, path: str) -> list[InputError]:
    if not isinstance(given, dict):
        return [InputError(path, gettext("Send an object of texts here."))]
    return [error for name, value in given.items() for error in text(200)(value, f"{path}.{str(name)[:60]}")]


def _translations(given: Any, path: str) -> list[InputError]:
    if not isinstance(given, dict) or len(given) > 40:
        return [InputError(path, gettext('Send an object of at most 40 languages here, as in {"de": {"title": "…"}}.'))]
    bad = [
        error_at(path, str(name)[:20], gettext("Write the language like de or pt-BR."))
        for name in given
        if not _LANGUAGE.match(name)
    ]
    return bad or [error for name, texts in given.items() for error in _TRANSLATION(texts, f"{path}.{name}")]


def _translated_questions(given: Any, path: str) -> list[InputError]:
    if not isinstance(given, dict):
        return [InputError(path, gettext("Send an object here, its members named as the questions are."))]
    return [error for name, texts in given.items() for error in _TRANSLATED_QUESTION(texts, f"{path}.{str(name)[:60]}")]


_DEFINITION_TEXTS: Mapping[str, Check] = {
    "title": text(160),
    "intro": text(1000),
    "description": text(300),
    "submit_label": text(40),
    "time_label": text(60),
}
_QUESTION_TEXTS: Mapping[str, Check] = {
    "label": text(300),
    "help": text(500),
    "low_label": text(60),
    "high_label": text(60),
}
_TRANSLATED_QUESTION = object_of({**_QUESTION_TEXTS, "options": _texts_by_value})
_TRANSLATION = object_of({**_DEFINITION_TEXTS, "questions": _translated_questions})
_OPTION = object_of({"value": text(60), "label": text(200), "detail": text(200)}, required=("value",))
_QUESTION = object_of(
    {
        **_QUESTION_TEXTS,
        "name": text(40, _NAME, "order_number"),
        "kind": one_of(KINDS),
        "required": flag,
        "scale": one_of(tuple(SCALES)),
        "faces": flag,
        "options": list_of(_OPTION, most=100),
        "multiple": flag,
        "place": one_of(PLACES),
        "long": flag,
        "max_length": number,
        "asks": list_of(one_of(tuple(CONTACTS)), most=len(CONTACTS)),
        "show_if": show_if.check,
    },
    required=("name", "kind"),
)
_DEFINITION = object_of(
    {
        **_DEFINITION_TEXTS,
        "language": text(12, _LANGUAGE, "en or pt-BR"),
        "privacy_url": text(500, re.compile(r"(https?://|/)\S*\Z"), "https://example.com/privacy"),
        "questions": list_of(_QUESTION, most=MOST_QUESTIONS),
        "translations": _translations,
    },
    required=("title", "questions"),
)


def _sense(given: Mapping[str, Any]) -> list[InputError]:
    """What no table can say: names that repeat, a scale question without a scale, a form nobody can say anything in."""
    errors: list[InputError] = []
    seen: dict[str, Mapping[str, Any]] = {}
    for place, question in enumerate(given["questions"]):
        path, name, kind = f"questions.{place}", question["name"], question["kind"]
        if name in seen or name in RESERVED:
            errors.append(
                error_at(path, "name", gettext('The name "%(name)s" is taken. Choose another.') % {"name": name})
            )
        if question.get("show_if"):
            errors += show_if.sense(question["show_if"], f"{path}.show_if", seen)
        seen[name] = question
        if kind != "context" and not question.get("label"):
            errors.append(error_at(path, "label", gettext("Write what is asked.")))
        if kind == "scale" and not question.get("scale"):
            errors.append(error_at(path, "scale", gettext("Use one of %(known)s.") % {"known": ", ".join(SCALES)}))
        if question.get("faces") and len(range(*SCALES.get(question.get("scale", ""), (0, 0)))) != 4:
            errors.append(error_at(path, "faces", gettext("Five faces need a scale of five steps.")))
        if kind == "choice" and not question.get("options"):
            errors.append(error_at(path, "options", gettext("Name at least one answer to choose.")))
        if kind == "contact" and not question.get("asks"):
            errors.append(error_at(path, "asks", gettext("Ask for one of %(known)s.") % {"known": ", ".join(CONTACTS)}))
        limit = question.get("max_length") or 1
        if not isinstance(limit, int) or not 1 <= limit <= LONGEST_ANSWER:
            errors.append(
                error_at(
                    path,
                    "max_length",
                    gettext("Write a whole number from 1 to %(longest_answer)s.") % {"longest_answer": LONGEST_ANSWER},
                )
            )
    errors += [
        InputError("questions", gettext("Ask only one question of kind %(kind)s.") % {"kind": kind})
        for kind in ("contact", "consent", "file")
        if sum(question["kind"] == kind for question in given["questions"]) > 1
    ]
    language = given.get("language") or "en"
    if language in (given.get("translations") or {}):
        errors.append(
            InputError(
                "language",
                gettext("The form speaks %(language)s already. Drop that translation first.") % {"language": language},
            )
        )
    speaking = [question for question in given["questions"] if _says_something(question)]
    if not speaking:
        errors.append(
            InputError("questions", gettext("Ask for a rating or a text: without one there is nothing to act on."))
        )
    elif all(question.get("show_if") for question in speaking):
        errors.append(
            InputError("questions", gettext("Ask one rating or text always: whoever is asked nothing can say nothing."))
        )
    return errors


def _says_something(question: Mapping[str, Any]) -> bool:
    return question["kind"] == "scale" or (question["kind"] == "text" and question.get("place") in ("text", "title"))
