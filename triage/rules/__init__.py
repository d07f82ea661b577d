"""Rules as data: when these conditions hold, do that.

A rule is JSON, `{"version": 1, "when": …, "then": […]}`. It is checked when the objects are made, so a rule that exists
can be matched with any item without an error, and matching is a pure function of the rule and the facts.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, TypeVar

from django.utils.translation import gettext, ngettext

from feedback_portal.marking import marked
from triage.rules.conditions import Condition, Outcome, RuleError, check_text, instead, quoted
from triage.rules.facts import Facts

__all__ = [
    "Act", "All", "AnyOf", "Condition", "Facts", "Match", "Node", "Not", "Outcome", "Rule", "RuleError",
    "conditions", "dump", "explain", "match", "parse",
]  # fmt: skip

VERSION: Final = 1
DEEPEST: Final = 5
MOST_CONDITIONS: Final = 50
MOST_ACTS: Final = 10

VERBS: Final[Mapping[str, str]] = {
    "route": "team", "also": "team", "tag": "topic", "severity": "value", "assign": "person",
}  # fmt: skip
"""What a rule may do, and the one argument each verb takes. `route` says whose it is; `also` makes a ticket for another team
beside that, as often as there are teams."""
REPEATABLE: Final = frozenset({"also", "tag"})
"""What one rule may do several times, each time with another argument."""

T = TypeVar("T")


@dataclass(frozen=True)
class All:
    """Every part holds."""

    parts: tuple["Node", ...]

    def __post_init__(self) -> None:
        _check_group(self.parts)

    def holds(self, facts: Facts) -> bool:
        return all(part.holds(facts) for part in self.parts)

    def __str__(self) -> str:
        return gettext(" and ").join(map(_bracketed, self.parts))


@dataclass(frozen=True)
class AnyOf:
    """At least one part holds."""

    parts: tuple["Node", ...]

    def __post_init__(self) -> None:
        _check_group(self.parts)

    def holds(self, facts: Facts) -> bool:
        return any(part.holds(facts) for part in self.parts)

    def __str__(self) -> str:
        return gettext(" or ").join(map(_bracketed, self.parts))


@dataclass(frozen=True)
class Not:
    """The part does not hold."""

    part: "Node"

    def holds(self, facts: Facts) -> bool:
        return not self.part.holds(facts)

    def __str__(self) -> str:
        return gettext("not (%(part)s)") % {"part": self.part}


Node: TypeAlias = Condition | All | AnyOf | Not


@dataclass(frozen=True)
class Act:
    """One verb with its one argument, as `VERBS` names it."""

    verb: str
    argument: str | int

    def __post_init__(self) -> None:
        if self.verb not in VERBS:
            raise RuleError(
                "verb",
                gettext('A rule cannot "%(verb)s". %(instead)s')
                % {"verb": str(self.verb)[:80], "instead": instead(self.verb, VERBS)},
            )
        if self.verb != "severity":
            check_text(self.argument, VERBS[self.verb])
        elif type(self.argument) is not int or not 1 <= self.argument <= 4:
            raise RuleError("value", gettext("A severity is a whole number from 1 to 4."))

    def __str__(self) -> str:
        return gettext(_ACTS[self.verb]) % {"what": quoted(self.argument)}


@dataclass(frozen=True)
class Rule:
    """When this holds, do that."""

    when: Node
    then: tuple[Act, ...]

    def __post_init__(self) -> None:
        if not 1 <= len(self.then) <= MOST_ACTS:
            raise RuleError(
                "then", gettext("A rule does at least one thing and at most %(most_acts)s.") % {"most_acts": MOST_ACTS}
            )
        once = [str(act) if act.verb in REPEATABLE else act.verb for act in self.then]
        if len(set(once)) < len(once):
            raise RuleError(
                "then",
                gettext(
                    "A rule may route, assign and set the severity once, and name each tag and each other team once."
                ),
            )
        if _depth(self.when) > DEEPEST:
            raise RuleError("when", _too_deep())
        if sum(1 for _ in conditions(self)) > MOST_CONDITIONS:
            raise RuleError("when", _too_many())

    def act(self, verb: str) -> Act | None:
        """The first thing this rule does with that verb."""
        return next((act for act in self.then if act.verb == verb), None)

    def __str__(self) -> str:
        return gettext("When %(when)s: %(then)s.") % {"when": self.when, "then": ", ".join(map(str, self.then))}


@dataclass(frozen=True)
class Match:
    """One rule looked at for one item, with every condition answered, needed for the result or not."""

    rule: Rule
    holds: bool
    outcomes: tuple[Outcome, ...]


def parse(data: object) -> Rule:
    """The rule this JSON stands for, or `RuleError` naming the first place that is wrong."""
    given = _object(data, ("version", "when", "then"), "")
    if type(given["version"]) is not int or given["version"] != VERSION:
        raise RuleError(
            "version",
            gettext("Only rules of version %(version)s are understood. Write this rule anew in that version.")
            % {"version": VERSION},
        )
    when = _node(given["when"], "when", DEEPEST)
    acts = [_act(act, f"then.{index}") for index, act in enumerate(_list(given["then"], "then", MOST_ACTS))]
    return Rule(when, tuple(acts))


def dump(rule: Rule) -> dict[str, Any]:
    """The JSON of a rule: `parse(dump(rule)) == rule`."""
    acts = [{"verb": act.verb, VERBS[act.verb]: act.argument} for act in rule.then]
    return {"version": VERSION, "when": _dump_node(rule.when), "then": acts}


def match(rule: Rule, facts: Facts) -> Match:
    return Match(rule, rule.when.holds(facts), tuple(condition.outcome(facts) for condition in conditions(rule)))


def explain(result: Match) -> tuple[str, ...]:
    """Why the rule applied or did not, as sentences: the verdict first, then one for each condition."""
    held, conditions = sum(outcome.holds for outcome in result.outcomes), len(result.outcomes)
    verdict = (
        ngettext(
            "This rule applies: %(held)s of its %(conditions)s conditions holds.",
            "This rule applies: %(held)s of its %(conditions)s conditions hold.",
            held,
        )
        if result.holds
        else ngettext(
            "This rule does not apply: %(held)s of its %(conditions)s conditions holds.",
            "This rule does not apply: %(held)s of its %(conditions)s conditions hold.",
            held,
        )
    )
    return (verdict % {"held": held, "conditions": conditions}, *map(str, result.outcomes))


def conditions(rule: Rule) -> Iterator[Condition]:
    """The conditions of a rule in reading order, those inside groups included."""
    return _leaves(rule.when)


# --- conditions in groups ---------------------------------------------------------------------------------------------

_ACTS: Mapping[str, str] = {
    "route": marked("route to %(what)s"), "also": marked("a ticket for %(what)s"), "tag": marked("tag %(what)s"),
    "severity": marked("set severity %(what)s"), "assign": marked("assign to %(what)s"),
}  # fmt: skip


def _too_deep() -> str:
    return gettext("Conditions may be nested %(deepest)s deep. Split this into two rules.") % {"deepest": DEEPEST}


def _too_many() -> str:
    return gettext("A rule may have %(most)s conditions. Split this into two rules.") % {"most": MOST_CONDITIONS}


def _check_group(parts: Sequence[Node]) -> None:
    if not parts:
        raise RuleError("", gettext("Give at least one condition: a group without one would decide about every item."))
    if len(parts) > MOST_CONDITIONS:
        raise RuleError("", _too_many())


def _leaves(node: Node) -> Iterator[Condition]:
    if isinstance(node, Condition):
        yield node
    else:
        for part in _parts(node):
            yield from _leaves(part)


def _depth(node: Node) -> int:
    return 1 if isinstance(node, Condition) else 1 + max(map(_depth, _parts(node)))


def _parts(node: All | AnyOf | Not) -> tuple[Node, ...]:
    return (node.part,) if isinstance(node, Not) else node.parts


def _bracketed(node: Node) -> str:
    return f"({node})" if isinstance(node, All | AnyOf) else str(node)


# --- JSON -------------------------------------------------------------------------------------------------------------


def _node(data: object, path: str, levels: int) -> Node:
    if levels == 0:
        raise RuleError(path, _too_deep())
    if not isinstance(data, dict):
        raise RuleError(
            path,
            gettext('Give a condition {"field", "op", "value"} or a group {"all": […]}, {"any": […]} or {"not": …}.'),
        )
    group = next((key for key in ("all", "any", "not") if key in data), None)
    if group is None:
        given = _object(data, ("field", "op", "value"), path)
        value = tuple(given["value"]) if isinstance(given["value"], list) else given["value"]
        return _build(path, lambda: Condition(given["field"], given["op"], value))
    path, inside = f"{path}.{group}", _object(data, (group,), path)[group]
    if group == "not":
        return Not(_node(inside, path, levels - 1))
    nodes = [
        _node(part, f"{path}.{index}", levels - 1) for index, part in enumerate(_list(inside, path, MOST_CONDITIONS))
    ]
    return _build(path, lambda: All(tuple(nodes)) if group == "all" else AnyOf(tuple(nodes)))


def _act(data: object, path: str) -> Act:
    if not isinstance(data, dict) or not isinstance(data.get("verb"), str):
        raise RuleError(path, gettext('Give what to do, as in {"verb": "route", "team": "quality"}.'))
    verb = data["verb"]
    given = _object(data, ("verb", VERBS[verb]), path) if verb in VERBS else {}
    return _build(path, lambda: Act(verb, given.get(VERBS.get(verb, ""), "")))


def _build(path: str, build: Callable[[], T]) -> T:
    try:
        return build()
    except RuleError as error:
        raise error.inside(path) from None


def _object(data: object, keys: tuple[str, ...], path: str) -> dict[str, Any]:
    """The data as an object with exactly these keys."""
    if not isinstance(data, dict):
        raise RuleError(path, gettext("Give an object with %(keys)s.") % {"keys": quoted(keys)})
    for key in data:
        if key not in keys:
            raise RuleError(
                f"{path}.{key}".strip(".")[:200],
                gettext('"%(key)s" does not belong here. %(instead)s')
                % {"key": str(key)[:80], "instead": instead(key, keys)},
            )
    for key in keys:
        if key not in data:
            raise RuleError(
                f"{path}.{key}".strip("."),
                gettext('"%(key)s" is missing. Give %(keys)s.') % {"key": key, "keys": quoted(keys)},
            )
    return data


def _list(data: object, path: str, most: int) -> list[Any]:
    if not isinstance(data, list):
        raise RuleError(path, gettext("Give a list."))
    if len(data) > most:
        raise RuleError(path, gettext("Give at most %(most)s here. Split this into two rules.") % {"most": most})
    return data


def _dump_node(node: Node) -> dict[str, Any]:
    if isinstance(node, Condition):
        return {
            "field": node.field,
            "op": node.op,
            "value": list(node.value) if isinstance(node.value, tuple) else node.value,
        }
    if isinstance(node, Not):
        return {"not": _dump_node(node.part)}
    return {"all" if isinstance(node, All) else "any": [_dump_node(part) for part in node.parts]}
