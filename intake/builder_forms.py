"""What the builder's page sends: the definition as it was typed, and what each button does to it."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import QueryDict
from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError
from intake import show_if
from intake.cleaning import clean_text
from intake.connectors.base import SCALES
from intake.questions import CONTACTS, LONGEST_ANSWER, MOST_QUESTIONS, RESERVED

# A definition as JSON, whole or half done.
Told = dict[str, Any]

# What can be added, each with words that can be published as they are.
KINDS: Mapping[str, tuple[str, Told]] = {
    "nps": (marked("Recommendation (NPS)"), {"kind": "scale", "scale": "nps", "label": "How likely are you to recommend us?", "low_label": "Not at all likely", "high_label": "Very likely"}),
    "csat": (marked("Satisfaction (CSAT)"), {"kind": "scale", "scale": "csat5", "label": "How satisfied are you?", "low_label": "Not at all", "high_label": "Very"}),
    "ces": (marked("Effort (CES)"), {"kind": "scale", "scale": "ces7", "label": "We made it easy for you.", "low_label": "I disagree", "high_label": "I agree"}),
    "stars": (marked("Stars"), {"kind": "scale", "scale": "stars5", "label": "How many stars do you give?"}),
    "faces": (marked("Faces"), {"kind": "scale", "scale": "csat5", "faces": True, "label": "How was it?"}),
    "single": (marked("One of several answers"), {"kind": "choice", "label": "What is it about?", "options": [{"value": "first", "label": "First answer"}, {"value": "second", "label": "Second answer"}]}),
    "multiple": (marked("Several of several answers"), {"kind": "choice", "multiple": True, "label": "What is it about?", "options": [{"value": "first", "label": "First answer"}, {"value": "second", "label": "Second answer"}]}),
    "text": (marked("Text"), {"kind": "text", "label": "What happened?", "place": "text", "long": True}),
    "line": (marked("One line of text"), {"kind": "text", "label": "Order or serial number", "max_length": 120}),
    "file": (marked("Photos and documents"), {"kind": "file", "label": "A photo or a document"}),
    "contact": (marked("How to reach them"), {"kind": "contact", "label": "How can we reach you?", "asks": ["name", "email"]}),
    "consent": (marked("Consent"), {"kind": "consent", "label": "You may write to me about this."}),
    "fact": (marked("Fact of a link"), {"kind": "context"}),
}  # fmt: skip

# Scales of so many steps at most carry words on the page; what others were given elsewhere stays.
MOST_WORDED = 7


@dataclass(frozen=True)
class Words:
    """A text that every language of a form says in its own way."""

    name: str
    label: str
    most: int
    hint: str = ""
    long: bool = False


TEXTS = (
    Words("title", marked("Title"), 160),
    Words("intro", marked("Introduction"), 1000, marked("Stands below the title."), long=True),
    Words("description", marked("On the first page"), 300, marked("One sentence that says what the form is for.")),
    Words("submit_label", marked("Button"), 40, marked("Without words of your own it says Send.")),
    Words("time_label", marked("How long it takes"), 60, marked("As in: About a minute.")),
)
QUESTION_TEXTS = (
    Words("label", marked("Question"), 300),
    Words("help", marked("Help"), 500, marked("Stands below the question.")),
)
ENDS = (
    Words("low_label", marked("Words at its low end"), 60),
    Words("high_label", marked("Words at its high end"), 60),
)


def read(post: QueryDict, stored: Told, language: str) -> Told:
    """The definition as it was typed, with what the page does not show (other languages, details) as it is stored."""
    told: Told = {each.name: _text(post, each.name) for each in TEXTS}
    told |= {"language": _text(post, "language"), "privacy_url": _text(post, "privacy_url")}
    before = {question["name"]: question for question in stored["questions"]}
    count = min(_number(post.get("count", ""), 0), MOST_QUESTIONS + 1)
    told["questions"] = [_read_question(post, f"questions.{place}", before) for place in range(count)]
    told["translations"] = _read_translations(post, told, stored, language)
    return _brief(told) | {"questions": told["questions"]}


def act(told: Told, do: str, post: QueryDict) -> tuple[Told, str]:
    """What a button of the page does to a definition, and the name of the question to go on with."""
    verb, _, place = do.partition(" ")
    questions = list(told["questions"])
    number = _number(place, -1)
    if verb == "add":
        question = _added(post.get("new", ""), {each["name"] for each in questions}, _text(post, "fact"))
        return told | {"questions": [*questions, question]}, question["name"]
    if verb == "speak":
        return _speaking(told, post.get("new_language", "")), ""
    if verb == "silence":
        kept = {code: texts for code, texts in told.get("translations", {}).items() if code != place}
        return told | {"translations": kept}, ""
    if not 0 <= number < len(questions):
        return told, ""
    name = questions[number]["name"]
    to = number + {"up": -1, "down": 1}.get(verb, 0)
    if verb == "remove":
        del questions[number]
    elif 0 <= to < len(questions):
        questions[number], questions[to] = questions[to], questions[number]
    _keep_rules_below(told["questions"], questions)
    if verb == "remove":
        return _without(told, name) | {"questions": questions}, ""
    return told | {"questions": questions}, name


def _keep_rules_below(before: list[Told], after: list[Told]) -> None:
    """Refuse an order in which a rule would look at a question that does not stand above it any more."""
    labels = {question["name"]: question.get("label") or question["name"] for question in before}
    place_of = {question["name"]: place for place, question in enumerate(before)}
    above: set[str] = set()
    for question in after:
        rule = question.get("show_if")
        for condition in show_if.from_json(rule).conditions if rule else ():
            if condition.question in labels and condition.question not in above:
                other, own = labels[condition.question], labels[question["name"]]
                message = f"“{own}” is asked only after some answers to “{other}”, which must stay above it. Take that condition away first."
                raise BadInput(
                    message, errors=(InputError(f"questions.{place_of[question['name']]}.show_if", message),)
                )
        above.add(question["name"])


def steps_of(question: Told) -> range:
    low, high = SCALES.get(question.get("scale", ""), (0, -1))
    return range(low, high + 1)


def _read_question(post: QueryDict, path: str, before: Mapping[str, Told]) -> Told:
    was = post.get(f"{path}.was", "")
    kept = before.get(was, {})
    kind = _text(post, f"{path}.kind")
    told: Told = {
        "name": _text(post, f"{path}.name") if kind == "context" else was,
        "kind": kind,
        "label": _text(post, f"{path}.label"),
        "help": _text(post, f"{path}.help"),
        "required": f"{path}.required" in post,
        "show_if": _read_rule(post, f"{path}.show_if"),
    }
    always = {"name": told["name"], "kind": kind}
    if kind == "scale":
        scale, _, faces = post.get(f"{path}.look", "").partition(" ")
        told |= {"scale": scale, "faces": faces == "faces"}
        told |= {each.name: _text(post, f"{path}.{each.name}") for each in ENDS}
        told["options"] = _read_words(post, path, kept, steps_of(told))
    elif kind == "choice":
        told |= {"multiple": f"{path}.multiple" in post, "options": _read_options(post, path, kept)}
    elif kind == "text":
        longest = _text(post, f"{path}.max_length")
        told |= {"place": _text(post, f"{path}.place"), "long": f"{path}.long" in post}
        told["max_length"] = int(longest) if longest.isascii() and longest.isdecimal() and len(longest) < 9 else longest
    elif kind == "contact":
        told["asks"] = [name for name in CONTACTS if name in post.getlist(f"{path}.asks")]
    return _brief(told) | always


def _read_words(post: QueryDict, path: str, kept: Told, steps: range) -> list[Told]:
    """The words that steps of a scale were given."""
    if len(steps) > MOST_WORDED:
        return list(kept.get("options", ())) if kept.get("kind") == "scale" else []
    words = [(step, _text(post, f"{path}.options.{step}.label")) for step in steps]
    return [{"value": str(step), "label": word} for step, word in words if word]


def _read_options(post: QueryDict, path: str, kept: Told) -> list[Told]:
    """The answers whose line is not empty. An answer keeps its value for ever; a new one gets it from its first words."""
    before = {option["value"]: option for option in kept.get("options", ())}
    found: list[Told] = []
    for place in range(min(_number(post.get(f"{path}.options", ""), 0), 101)):
        label = _text(post, f"{path}.options.{place}.label")
        value = _text(post, f"{path}.options.{place}.key")
        if label:
            taken = {option["value"] for option in found} | set(before)
            value = value or _unused(re.sub(r"[^a-z0-9]+", "_", label.lower()).strip("_")[:30] or "answer", taken)
            detail = before.get(value, {}).get("detail", "")
            found.append(_brief({"value": value, "label": label if label != value else "", "detail": detail}))
    return found


def _read_rule(post: QueryDict, path: str) -> Told:
    conditions = []
    for place in range(show_if.MOST_CONDITIONS):
        question, op = _text(post, f"{path}.{place}.question"), _text(post, f"{path}.{place}.op")
        if question:
            of, _, value = post.get(f"{path}.{place}.value", "").partition(":")
            told = {"question": question, "op": op}
            conditions.append(told | ({"value": value} if op != "is_answered" and of == question else {}))
    if len(conditions) < 2:
        return conditions[0] if conditions else {}
    return {"any" if post.get(f"{path}.any") == "any" else "all": conditions}


def _read_translations(post: QueryDict, told: Told, stored: Told, language: str) -> Told:
    """Those of the language on the page as they were typed, the others as they are stored."""
    found: Told = dict(stored.get("translations", {}))
    if language not in found:
        return found
    path = f"translations.{language}"
    questions = {}
    for question in told["questions"]:
        inside = f"{path}.questions.{question['name']}"
        said: Told = {each.name: _text(post, f"{inside}.{each.name}") for each in (*QUESTION_TEXTS, *ENDS)}
        values = [str(step) for step in steps_of(question)]
        values = values or [option["value"] for option in question.get("options", ())]
        said["options"] = {value: word for value in values if (word := _text(post, f"{inside}.options.{value}"))}
        if len(steps_of(question)) > MOST_WORDED:
            said["options"] = found[language].get("questions", {}).get(question["name"], {}).get("options", {})
        questions[question["name"]] = _brief(said)
    texts: Told = {each.name: _text(post, f"{path}.{each.name}") for each in TEXTS}
    texts["questions"] = {name: said for name, said in questions.items() if said}
    return found | {language: _brief(texts)}


def _added(kind: str, taken: set[str], fact: str) -> Told:
    if kind not in KINDS:
        raise BadInput(gettext("Choose what to add."), errors=(InputError("new", gettext("Choose what to add.")),))
    name = re.sub(r"[^a-z0-9]+", "_", fact.lower()).strip("_0123456789")[:30] if kind == "fact" else kind
    return {"name": _unused(name or "fact", taken | set(RESERVED)), **KINDS[kind][1]}


def _speaking(told: Told, code: str) -> Told:
    others = told.get("translations", {})
    if not code or code in others or code == told.get("language"):
        message = gettext("Choose a language that the form does not speak yet.")
        raise BadInput(message, errors=(InputError("new_language", message),))
    return told | {"translations": others | {code: {}}}


def _without(told: Told, name: str) -> Told:
    """A definition in which nothing is said about a question that goes."""
    translations = {
        code: texts | {"questions": {key: said for key, said in texts.get("questions", {}).items() if key != name}}
        for code, texts in told.get("translations", {}).items()
    }
    return told | ({"translations": translations} if translations else {})


def _unused(name: str, taken: Iterable[str]) -> str:
    known, number, found = set(taken), 2, name
    while found in known:
        found, number = f"{name}_{number}", number + 1
    return found


def _text(post: QueryDict, name: str) -> str:
    return clean_text(post.get(name, ""), longest=LONGEST_ANSWER)


def _number(text: str, otherwise: int) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 5 else otherwise


def _brief(told: Told) -> Told:
    return {name: value for name, value in told.items() if value not in ("", [], {}, False)}
