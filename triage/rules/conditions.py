"""One condition of a rule: a question about one field of an item, true or false.

Whatever can be wrong with a condition is refused when it is made, never when it is asked.
"""

import dataclasses
import difflib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Final, TypeAlias

from django.utils.translation import gettext

from feedback_portal.languages import said
from feedback_portal.marking import marked, worded
from feedback_portal.refusals import BadInput, InputError
from triage.expressions import BadExpression, compiled
from triage.phrases import LONGEST_PHRASE
from triage.rules.facts import CONTEXT, ENTITY, FIELDS, WEEKDAYS, Facts, Said, as_number, folded, index_key
from triage.words import SENTENCE_ENDS, stem, words

MOST_CHOICES: Final = 200
LONGEST_VALUE: Final = 500

Scalar: TypeAlias = str | int | float | bool
Value: TypeAlias = Scalar | tuple[Scalar, ...]

ORDERS: Final = ("lt", "lte", "gt", "gte", "between")
OPS: Final[Mapping[str, tuple[str, ...]]] = {
    "word": ("is", "is_not", "in", "contains", "matches", "exists"),
    "words": ("is", "is_not", "in", "exists"),
    "found": ("is", "is_not", "in", "contains", "matches", "exists"),
    "number": ("is", "is_not", "in", *ORDERS, "exists"),
    "flag": ("is", "exists"),
    "prose": ("mentions", "contains", "matches", "exists"),
    "anything": ("is", "is_not", "in", "contains", "matches", *ORDERS, "exists"),
}
"""What may be asked of a field, by what the field holds."""


class RuleError(BadInput):
    """One place of a rule is wrong; `path` leads there, as in `when.all.0.value`."""

    code = "bad-rule"
    title = marked("The rule is not right")

    def __init__(self, path: str, message: str) -> None:
        super().__init__(message, errors=(InputError(path, message),))
        self.path = path

    def inside(self, path: str) -> "RuleError":
        return RuleError(f"{path}.{self.path}".strip("."), self.message)


@dataclass(frozen=True)
class Condition:
    """One field, one question, one value. What is not known answers only to `is_not` and to `exists: false`."""

    field: str
    op: str
    value: Value
    _asks: Callable[[object], bool] = dataclasses.field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        kind = _kind(self.field)
        if self.op not in OPS[kind]:
            raise RuleError(
                "op",
                gettext('"%(field)s" cannot be asked with "%(op)s". %(instead)s')
                % {"field": self.field, "op": self.op, "instead": instead(self.op, OPS[kind])},
            )
        _CHECKS[self.op](kind, self.value)
        if self.field == "received_weekday" and self.op in ("is", "is_not", "in"):
            _check_weekdays(self.value)
        object.__setattr__(self, "_asks", _QUESTIONS[self.op](self.value))

    def holds(self, facts: Facts) -> bool:
        if self.op == "contains":
            return self._asks(facts.folded(self.field))
        if self.op == "mentions":
            return self._asks(facts.said(self.field))
        return self._asks(facts.get(self.field))

    def outcome(self, facts: Facts) -> "Outcome":
        seen = None if FIELDS.get(self.field) == "prose" else facts.get(self.field)
        if isinstance(seen, frozenset):
            seen = tuple(sorted(seen))
        elif isinstance(seen, Decimal):
            seen = float(seen)
        elif seen is not None and not isinstance(seen, str | int | float | bool):
            seen = str(seen)
        return Outcome(self, self.holds(facts), seen[:LONGEST_VALUE] if isinstance(seen, str) else seen)

    def __str__(self) -> str:
        return said(self.kept())

    def kept(self) -> str:
        """The condition in words, to be stored and said to each reader in their language."""
        wording = _WORDING["exists" if self.value else "exists_not"] if self.op == "exists" else _WORDING[self.op]
        return worded(wording, field=_name(self.field), value=quoted(self.value, is_choice=self.op != "between"))


@dataclass(frozen=True)
class Outcome:
    """What one condition said of one item. `seen` leaves out prose: a stored reason must not outlive what it read."""

    condition: Condition
    holds: bool
    seen: Scalar | tuple[str, ...] | None

    def __str__(self) -> str:
        """The outcome as one sentence."""
        asked = str(self.condition)
        asked = f"{asked[0].upper()}{asked[1:]}"
        if self.holds:
            return gettext("%(asked)s: yes.") % {"asked": asked}
        if FIELDS.get(self.condition.field) == "prose":
            return gettext("%(asked)s: no.") % {"asked": asked}
        if self.seen is None:
            return gettext("%(asked)s: no, it is not known.") % {"asked": asked}
        return gettext("%(asked)s: no, it is %(seen)s.") % {"asked": asked, "seen": quoted(self.seen)}


def check_text(value: object, path: str) -> None:
    if not isinstance(value, str) or not value.strip():
        raise RuleError(path, gettext("Give a text that is not empty."))
    if len(value) > LONGEST_VALUE:
        raise RuleError(path, gettext("Give at most %(longest_value)s characters.") % {"longest_value": LONGEST_VALUE})
    if any(character < " " or "\ud800" <= character <= "\udfff" for character in value):
        raise RuleError(path, gettext("Leave out control characters and broken characters."))


def instead(given: object, known: Iterable[str]) -> str:
    """The end of a message about an unknown name: the nearest known one, or all of them."""
    choices = tuple(known)
    near = difflib.get_close_matches(str(given)[:80], choices, n=1)
    if near:
        return gettext('Did you mean "%(near)s"?') % {"near": near[0]}
    return gettext("Use %(known)s.") % {"known": quoted(choices, is_choice=True)}


def quoted(value: object, *, is_choice: bool = False) -> str:
    """A value as it stands in a sentence: "a", 7 or true; of several all, or with `is_choice` one of them."""
    if isinstance(value, tuple):
        shown, last = [quoted(one) for one in value], gettext(" or ") if is_choice else gettext(" and ")
        return last.join([", ".join(shown[:-1]), shown[-1]]) if len(shown) > 1 else "".join(shown)
    if isinstance(value, bool):
        return gettext("true") if value else gettext("false")
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return f'"{value}"' if isinstance(value, str) else str(value)


# --- what a value must look like -------------------------------------------------------------------------------------


def _kind(name: object) -> str:
    for prefix, kind in ((CONTEXT, "anything"), (ENTITY, "found")):
        if isinstance(name, str) and name.startswith(prefix):
            check_text(name.removeprefix(prefix), "field")
            return kind
    if not isinstance(name, str) or name not in FIELDS:
        known = [*FIELDS, "context.…", "entity.…"]
        raise RuleError(
            "field",
            gettext('There is no field "%(name)s". %(instead)s')
            % {"name": str(name)[:80], "instead": instead(name, known)},
        )
    return FIELDS[name]


def _check_scalar(kind: str, value: object) -> None:
    if kind == "flag":
        _check_flag(kind, value)
    elif kind == "number" or (kind == "anything" and not isinstance(value, str | bool)):
        _check_number(kind, value)
    elif kind != "anything" or not isinstance(value, bool):
        check_text(value, "value")


def _check_number(_kind: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) <= 1e15:
        raise RuleError("value", gettext("Give a number."))


def _check_choices(kind: str, value: object) -> None:
    if not isinstance(value, tuple) or not 1 <= len(value) <= MOST_CHOICES:
        raise RuleError(
            "value", gettext("Give a list of 1 to %(most_choices)s values.") % {"most_choices": MOST_CHOICES}
        )
    for choice in value:
        _check_scalar(kind, choice)


def _check_pair(kind: str, value: object) -> None:
    if not isinstance(value, tuple) or len(value) != 2:
        raise RuleError("value", gettext("Give the lowest and the highest number, as in [1, 5]."))
    for bound in value:
        _check_number(kind, bound)
    if value[0] > value[1]:
        raise RuleError("value", gettext("Give the lower number first."))


def _check_contained(_kind: str, value: object) -> None:
    check_text(value, "value")
    if not folded(str(value)):
        raise RuleError("value", gettext("Give at least one character that can be searched for."))


def _check_mentions(_kind: str, value: object) -> None:
    given = value if isinstance(value, tuple) else (value,)
    if not 1 <= len(given) <= MOST_CHOICES:
        raise RuleError(
            "value", gettext("Give a list of 1 to %(most_choices)s words or phrases.") % {"most_choices": MOST_CHOICES}
        )
    for phrase in given:
        check_text(phrase, "value")
        if not 1 <= len(as_phrase(str(phrase))) <= LONGEST_PHRASE:
            raise RuleError(
                "value",
                gettext("Give words that can be searched for, at most %(longest_phrase)s in a row.")
                % {"longest_phrase": LONGEST_PHRASE},
            )


def _check_pattern(_kind: str, value: object) -> None:
    check_text(value, "value")
    pattern_of(str(value))


def _check_weekdays(value: Value) -> None:
    for day in value if isinstance(value, tuple) else (value,):
        if index_key(day) not in WEEKDAYS:
            raise RuleError(
                "value", gettext("Give a day of the week. %(instead)s") % {"instead": instead(day, WEEKDAYS)}
            )


def _check_flag(_kind: str, value: object) -> None:
    if not isinstance(value, bool):
        raise RuleError("value", gettext("Give true or false."))


_CHECKS: Mapping[str, Callable[[str, object], None]] = {
    "is": _check_scalar,
    "is_not": _check_scalar,
    "in": _check_choices,
    "contains": _check_contained,
    "mentions": _check_mentions,
    "matches": _check_pattern,
    "lt": _check_number,
    "lte": _check_number,
    "gt": _check_number,
    "gte": _check_number,
    "between": _check_pair,
    "exists": _check_flag,
}


# --- how each question is answered ------------------------------------------------------------------------------------


def _is(value: Value) -> Callable[[object], bool]:
    return _in((value,) if not isinstance(value, tuple) else value)


def _is_not(value: Value) -> Callable[[object], bool]:
    is_value = _is(value)
    return lambda seen: not is_value(seen)


def _in(value: Value) -> Callable[[object], bool]:
    assert isinstance(value, tuple)
    wanted = frozenset(map(index_key, value))

    def asks(seen: object) -> bool:
        if isinstance(seen, frozenset):
            return any(index_key(one) in wanted for one in seen)
        return seen is not None and index_key(seen) in wanted

    return asks


def _contains(value: Value) -> Callable[[object], bool]:
    wanted = folded(str(value))
    return lambda seen: isinstance(seen, str) and wanted in seen


def _mentions(value: Value) -> Callable[[object], bool]:
    phrases = [as_phrase(str(one)) for one in (value if isinstance(value, tuple) else (value,))]
    single = frozenset(phrase[0] for phrase in phrases if len(phrase) == 1)
    several = [(phrase, frozenset(phrase)) for phrase in phrases if len(phrase) > 1]

    def asks(seen: object) -> bool:
        assert isinstance(seen, Said)
        if not single.isdisjoint(seen.kinds):
            return True
        return any(kinds <= seen.kinds and _in_a_row(phrase, seen.stems) for phrase, kinds in several)

    return asks


def _in_a_row(phrase: tuple[str, ...], stems: tuple[str, ...]) -> bool:
    first, length = phrase[0], len(phrase)
    return any(stem == first and stems[place : place + length] == phrase for place, stem in enumerate(stems))


def _matches(value: Value) -> Callable[[object], bool]:
    pattern, characters = pattern_of(str(value))

    def asks(seen: object) -> bool:
        if isinstance(seen, frozenset):
            return any(map(asks, seen))
        return seen is not None and pattern.search(_utf8(str(seen)[:characters])) is not None

    return asks


def _order(compare: Callable[[float, float], bool]) -> Callable[[Value], Callable[[object], bool]]:
    def question(value: Value) -> Callable[[object], bool]:
        bound = as_number(value)

        def asks(seen: object) -> bool:
            number = as_number(seen)
            return number is not None and bound is not None and compare(number, bound)

        return asks

    return question


def _between(value: Value) -> Callable[[object], bool]:
    assert isinstance(value, tuple)
    low, high = (as_number(bound) for bound in value)

    def asks(seen: object) -> bool:
        number = as_number(seen)
        return number is not None and low is not None and high is not None and low <= number <= high

    return asks


def _exists(value: Value) -> Callable[[object], bool]:
    return lambda seen: (seen is not None) is value


_QUESTIONS: Mapping[str, Callable[[Value], Callable[[object], bool]]] = {
    "is": _is,
    "is_not": _is_not,
    "in": _in,
    "contains": _contains,
    "mentions": _mentions,
    "matches": _matches,
    "lt": _order(lambda seen, bound: seen < bound),
    "lte": _order(lambda seen, bound: seen <= bound),
    "gt": _order(lambda seen, bound: seen > bound),
    "gte": _order(lambda seen, bound: seen >= bound),
    "between": _between,
    "exists": _exists,
}
_WORDING: Mapping[str, str] = {
    "is": marked("%(field)s is %(value)s"),
    "is_not": marked("%(field)s is not %(value)s"),
    "in": marked("%(field)s is %(value)s"),
    "contains": marked("%(field)s contains %(value)s"),
    "mentions": marked("%(field)s mentions %(value)s"),
    "matches": marked("%(field)s matches the pattern %(value)s"),
    "lt": marked("%(field)s is below %(value)s"),
    "lte": marked("%(field)s is at most %(value)s"),
    "gt": marked("%(field)s is above %(value)s"),
    "gte": marked("%(field)s is at least %(value)s"),
    "between": marked("%(field)s is between %(value)s"),
    "exists": marked("%(field)s is known"),
    "exists_not": marked("%(field)s is not known"),
}


def pattern_of(pattern: str) -> tuple[Any, int]:
    """The compiled pattern and how many characters of a text it may look at."""
    try:
        return compiled(pattern)
    except BadExpression as wrong:
        raise RuleError("value", str(wrong)) from None


def _utf8(text: str) -> bytes:
    return text.encode(errors="replace")


def _name(name: str) -> str:
    if name.startswith(CONTEXT):
        return worded('the context "%(name)s"', name=name.removeprefix(CONTEXT))
    if name.startswith(ENTITY):
        return worded('what was found as "%(name)s"', name=name.removeprefix(ENTITY))
    return worded(_NAMES[name])


def as_phrase(said: str) -> tuple[str, ...]:
    """The stems that `mentions` looks for in a row; empty if there is no word in it."""
    return tuple(stem(word) for word in words(said).folded if word not in SENTENCE_ENDS)


_NAMES: Mapping[str, str] = {
    "channel": marked("the channel"),
    "connector": marked("the connector"),
    "language": marked("the language"),
    "sentiment": marked("the sentiment"),
    "urgency": marked("the urgency"),
    "topic": marked("the topic"),
    "theme": marked("the theme"),
    "product": marked("the product"),
    "product_version": marked("the product version"),
    "rating": marked("the rating"),
    "rating_scale": marked("the rating scale"),
    "title": marked("the title"),
    "text": marked("the text"),
    "customer_segment": marked("the customer's segment"),
    "customer_value": marked("the customer's value"),
    "customer_account": marked("the customer's account"),
    "country": marked("the country"),
    "place": marked("the place"),
    "spam": marked("whether it is spam"),
    "received_hour": marked("the hour it arrived"),
    "received_weekday": marked("the day it arrived"),
}
