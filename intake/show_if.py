"""When a question is asked: conditions on the answers before it, decided by the server and by `show_if.js` in one way."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import InputError
from intake.connectors.base import SCALES
from intake.shapes import list_of, object_of, one_of, text

OPERATORS: Mapping[str, str] = {
    "is": marked("is"),
    "is_not": marked("is not"),
    "at_most": marked("is at most"),
    "at_least": marked("is at least"),
    "is_answered": marked("is answered"),
}
# What can be asked about the answer to a question of each kind; nothing about a fact, which nobody answers.
ALLOWED: Mapping[str, tuple[str, ...]] = {
    "scale": ("is", "is_not", "at_most", "at_least", "is_answered"),
    "choice": ("is", "is_not", "is_answered"),
    "text": ("is_answered",),
    "contact": ("is_answered",),
    "consent": ("is_answered",),
    "file": ("is_answered",),
    "context": (),
}
MOST_CONDITIONS = 5

# What was answered, as a page sends it: nothing, one text, or several.
Answer = Sequence[str]


@dataclass(frozen=True)
class Condition:
    """One thing said about the answer to an earlier question."""

    question: str
    op: str
    value: str = ""

    def holds(self, answer: Answer) -> bool:
        """A question that was not answered meets no condition, "is not" included: nothing is known about it yet."""
        said = [each for each in answer if each.strip()]
        return bool(said) and _HOLDS[self.op](said, self.value)


@dataclass(frozen=True)
class ShowIf:
    """All of these conditions, or any of them."""

    conditions: tuple[Condition, ...]
    any: bool = False

    def holds(self, answers: Mapping[str, Answer]) -> bool:
        held = (condition.holds(answers.get(condition.question, ())) for condition in self.conditions)
        return any(held) if self.any else all(held)


def asked(rules: Iterable[tuple[str, ShowIf | None]], answers: Mapping[str, Answer]) -> frozenset[str]:
    """The names that are asked, in the order of the form; what is not asked has no answer that a later one could see."""
    seen: dict[str, Answer] = {}
    for name, show_if in rules:
        if show_if is None or show_if.holds(seen):
            seen[name] = answers.get(name, ())
    return frozenset(seen)


def from_json(given: Mapping[str, Any]) -> ShowIf:
    """`{"question", "op", "value"}`, or a list of such under `all` or `any`; read strictly before it was stored."""
    listed = given.get("any") or given.get("all") or [given]
    told = [{name: value for name, value in each.items() if value is not None} for each in listed]
    return ShowIf(tuple(Condition(**each) for each in told), any=bool(given.get("any")))


def as_json(show_if: ShowIf) -> dict[str, Any]:
    conditions = [_brief(condition) for condition in show_if.conditions]
    if len(conditions) == 1:
        return conditions[0]
    return {"any" if show_if.any else "all": conditions}


def check(given: Any, path: str) -> list[InputError]:
    """The shape of a rule; whether it makes sense where it stands, `sense` says."""
    if isinstance(given, dict) and ("all" in given or "any" in given):
        errors = object_of({"all": _CONDITIONS, "any": _CONDITIONS})(given, path)
        if not errors and len([name for name in ("all", "any") if given.get(name)]) != 1:
            errors = [InputError(path, gettext("Name one list of conditions, either under all or under any."))]
        return errors
    return _CONDITION(given, path)


def sense(given: Mapping[str, Any], path: str, earlier: Mapping[str, Mapping[str, Any]]) -> list[InputError]:
    """What is wrong with a rule of this shape behind these questions {name: question}."""
    return [
        error
        for condition in from_json(given).conditions
        if (error := _senseless(condition, path, earlier.get(condition.question))) is not None
    ]


def _senseless(condition: Condition, path: str, question: Mapping[str, Any] | None) -> InputError | None:
    if question is None:
        return InputError(
            path,
            gettext('The question "%(question)s" does not stand above this one. Choose one that does.')
            % {"question": condition.question},
        )
    label = question.get("label") or condition.question
    if condition.op not in ALLOWED[question["kind"]]:
        known = ", ".join(gettext(OPERATORS[op]) for op in ALLOWED[question["kind"]])
        if known:
            sentence = gettext("“%(label)s” cannot be compared like this. Use: %(known)s.")
        else:
            sentence = gettext("“%(label)s” is answered by nobody. Choose another question.")
        return InputError(path, sentence % {"label": label, "known": known})
    if condition.op != "is_answered" and condition.value not in values_of(question):
        return InputError(path, gettext("Choose one of the answers to “%(label)s”.") % {"label": label})
    return None


def values_of(question: Mapping[str, Any]) -> list[str]:
    """The answers that can be named in a condition."""
    if question["kind"] == "choice":
        return [option["value"] for option in question.get("options", ())]
    low, high = SCALES.get(question.get("scale", ""), (0, -1))
    return [str(step) for step in range(low, high + 1)]


def _brief(condition: Condition) -> dict[str, str]:
    told = {"question": condition.question, "op": condition.op}
    return told | ({"value": condition.value} if condition.value else {})


def _number(text: str) -> int | None:
    """What `show_if.js` takes for a number too: whole ones, as the steps of scales are."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 4 else None


def _compared(said: Answer, value: str, holds: Callable[[int, int], bool]) -> bool:
    left, right = _number(said[-1]), _number(value)
    return left is not None and right is not None and holds(left, right)


_HOLDS: Mapping[str, Callable[[Answer, str], bool]] = {
    "is": lambda said, value: value in said,
    "is_not": lambda said, value: value not in said,
    "at_most": lambda said, value: _compared(said, value, lambda left, right: left <= right),
    "at_least": lambda said, value: _compared(said, value, lambda left, right: left >= right),
    "is_answered": lambda said, value: True,
}
_CONDITION = object_of(
    {"question": text(40), "op": one_of(tuple(OPERATORS)), "value": text(60)}, required=("question", "op")
)
_CONDITIONS = list_of(_CONDITION, most=MOST_CONDITIONS)
