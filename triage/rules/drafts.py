"""A rule while it is written in a browser: a tree of fields that may still be empty or wrong, read from a plain form.

Every node has a number that says where it stands ("0", "0.1", "0.1.0"), and its fields are named after it, as in
`field-0.1`; so a page without a script sends the whole tree with each press of a button, and gets it back changed.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from triage import rules
from triage.rules.conditions import OPS, ORDERS
from triage.rules.facts import CONTEXT, ENTITY, FIELDS

GROUPS: Final = ("all", "any", "not")
PREFIXES: Final = (CONTEXT, ENTITY)
MOST_NODES: Final = 80
UNKNOWN: Final = "unknown"
"""`exists: false`, which is a question of its own on the page."""


class Form(Protocol):
    """What is needed of a posted form."""

    def get(self, key: str, default: str = ...) -> str | None: ...
    def getlist(self, key: str) -> list[str]: ...


@dataclass(frozen=True)
class Node:
    """One condition (`kind` is "condition") or one group of them, as it was typed. `name` is what follows a prefix."""

    kind: str = "condition"
    field: str = "text"
    name: str = ""
    op: str = "mentions"
    values: tuple[str, ...] = ()
    parts: tuple["Node", ...] = ()


@dataclass(frozen=True)
class DraftAct:
    verb: str = "route"
    argument: str = ""


@dataclass(frozen=True)
class Draft:
    """A whole rule as it was typed."""

    when: Node = field(default_factory=lambda: Node(kind="all", parts=(Node(),)))
    then: tuple[DraftAct, ...] = (DraftAct(),)

    def definition(self) -> dict[str, Any]:
        """The JSON this draft stands for; whether it is right is for `rules.parse` to say."""
        acts = [{"verb": act.verb, rules.VERBS.get(act.verb, "team"): _argument(act)} for act in self.then]
        return {"version": rules.VERSION, "when": _json(self.when), "then": acts}


def read(form: Form) -> Draft:
    """The draft that a form holds; what is missing is as in a new one."""
    if form.get("kind-0") is None:
        return Draft()
    left = [MOST_NODES]

    def node(number: str, depth: int) -> Node | None:
        kind = form.get(f"kind-{number}")
        if kind is None or left[0] <= 0 or depth > rules.DEEPEST + 1:
            return None
        left[0] -= 1
        if kind not in GROUPS:
            return Node(
                field=form.get(f"field-{number}", "") or "text",
                name=form.get(f"name-{number}", "") or "",
                op=form.get(f"op-{number}", "") or "",
                values=tuple(form.getlist(f"value-{number}")),
            )
        parts = []
        for place in range(rules.MOST_CONDITIONS + 1):
            part = node(f"{number}.{place}", depth + 1)
            if part is None:
                break
            parts.append(part)
        return Node(kind=kind, parts=tuple(parts))

    acts = []
    for place in range(rules.MOST_ACTS + 1):
        verb = form.get(f"verb-{place}")
        if verb is None:
            break
        acts.append(DraftAct(verb, (form.get(f"argument-{place}", "") or "").strip()))
    return Draft(node("0", 1) or Draft().when, tuple(acts))


def of(definition: Mapping[str, Any]) -> Draft:
    """A stored rule as a draft; its root becomes a group, so that conditions can be added to it."""
    rule = rules.parse(definition)
    root = _node(rules.dump(rule)["when"])
    if root.kind == "condition":
        root = Node(kind="all", parts=(root,))
    return Draft(root, tuple(DraftAct(act.verb, str(act.argument)) for act in rule.then))


def changed(draft: Draft, act: str) -> Draft:
    """The draft after a press on a button: `add 0`, `group 0`, `remove 0.1`, `add_act`, `remove_act 1`; others change nothing.

    The question and the value of a condition whose field was changed are those of the new field.
    """
    verb, _, where = act.partition(" ")
    if verb == "add":
        return replace(draft, when=_at(draft.when, where, lambda node: replace(node, parts=(*node.parts, Node()))))
    if verb == "group":
        inner = Node(kind="any", parts=(Node(), Node()))
        return replace(draft, when=_at(draft.when, where, lambda node: replace(node, parts=(*node.parts, inner))))
    if verb == "remove" and "." in where:
        above, _, place = where.rpartition(".")
        return replace(
            draft, when=_at(draft.when, above, lambda node: replace(node, parts=_without(node.parts, place)))
        )
    if verb == "add_act" and len(draft.then) < rules.MOST_ACTS:
        taken = {one.verb for one in draft.then}
        free = next((one for one in rules.VERBS if one not in taken), "tag")
        return replace(draft, then=(*draft.then, DraftAct(free)))
    if verb == "remove_act":
        return replace(draft, then=_without(draft.then, where))
    return draft


def settled(draft: Draft) -> Draft:
    """The same with a question that the field of each condition allows."""
    return replace(draft, when=_settle(draft.when))


def questions(node: Node) -> tuple[str, ...]:
    """What may be asked of the field of this condition, as the page offers it."""
    found = OPS[kind_of(node)]
    return (*found, UNKNOWN) if "exists" in found else found


def kind_of(node: Node) -> str:
    return {CONTEXT: "anything", ENTITY: "found"}.get(node.field) or FIELDS.get(node.field, "word")


def walk(node: Node, *, number: str = "0", path: str = "when") -> Iterator[tuple[str, str, Node]]:
    """Every node with its number and its path in the JSON, where `rules.parse` says what is wrong with it."""
    yield number, path, node
    for place, part in enumerate(node.parts):
        below = f"{path}.not" if _is_single_not(node) else f"{path}.{_group(node)}.{place}"
        yield from walk(part, number=f"{number}.{place}", path=below)


def _group(node: Node) -> str:
    return "not.any" if node.kind == "not" else node.kind


def _is_single_not(node: Node) -> bool:
    return node.kind == "not" and len(node.parts) == 1


def _json(node: Node) -> dict[str, Any]:
    if node.kind == "not":
        parts = [_json(part) for part in node.parts]
        return {"not": parts[0] if len(parts) == 1 else {"any": parts}}
    if node.kind in GROUPS:
        return {node.kind: [_json(part) for part in node.parts]}
    name = node.field + node.name.strip() if node.field in PREFIXES else node.field
    op = "exists" if node.op == UNKNOWN else node.op
    return {"field": name, "op": op, "value": _value(node, kind_of(node))}


def _value(node: Node, kind: str) -> Any:
    given = [value.strip() for value in node.values if value.strip()]
    if node.op in ("exists", UNKNOWN):
        return node.op == "exists"
    if kind == "flag":
        return given[:1] != ["no"]
    if node.op in ("in", "mentions"):
        lines = [line.strip() for value in given for line in value.split("\n") if line.strip()]
        return [_scalar(line, kind) for line in lines]
    if node.op == "between":
        return [_scalar(value, "number") for value in given]
    return _scalar(given[0] if given else "", "number" if node.op in ORDERS else kind)


def _scalar(text: str, kind: str) -> Any:
    """A number where the field wants one and the text is one; a wrong text stays, so that it can be named."""
    if kind != "number":
        return text
    try:
        number = float(text.replace(",", "."))
    except ValueError:
        return text
    return int(number) if number.is_integer() and abs(number) < 1e15 else number


def _argument(act: DraftAct) -> Any:
    return int(act.argument) if act.verb == "severity" and act.argument in ("1", "2", "3", "4") else act.argument


def _node(when: Mapping[str, Any]) -> Node:
    for kind in ("all", "any"):
        if kind in when:
            return Node(kind=kind, parts=tuple(_node(part) for part in when[kind]))
    if "not" in when:
        inside = when["not"]
        parts = inside["any"] if "any" in inside and len(inside["any"]) > 1 else [inside]
        return Node(kind="not", parts=tuple(_node(part) for part in parts))
    name, op, value = str(when["field"]), str(when["op"]), when["value"]
    prefix = next((one for one in PREFIXES if name.startswith(one)), "")
    if op == "exists":
        return Node(field=prefix or name, name=name.removeprefix(prefix), op=op if value else UNKNOWN)
    values = value if isinstance(value, list) else [value]
    if FIELDS.get(name) == "flag":
        values = ["yes" if value else "no"]
    texts = tuple(_typed(one) for one in values)
    return Node(field=prefix or name, name=name.removeprefix(prefix) if prefix else "", op=op, values=texts)


def _typed(value: object) -> str:
    return "true" if value is True else "false" if value is False else str(value)


def _settle(node: Node) -> Node:
    if node.kind in GROUPS:
        return replace(node, parts=tuple(map(_settle, node.parts)))
    if node.field not in FIELDS and node.field not in PREFIXES:
        node = replace(node, field="text")
    allowed = questions(node)
    return node if node.op in allowed else replace(node, op=allowed[0], values=())


def _at(node: Node, number: str, change: Callable[[Node], Node]) -> Node:
    """The tree with the group of this number changed; a number that leads nowhere, or to a condition, changes nothing."""

    def walk_to(here: Node, steps: Sequence[str]) -> Node:
        if here.kind not in GROUPS:
            return here
        if not steps:
            return change(here)
        place = steps[0]
        if not place.isdecimal() or len(place) > 3 or int(place) >= len(here.parts):
            return here
        index = int(place)
        parts = (*here.parts[:index], walk_to(here.parts[index], steps[1:]), *here.parts[index + 1 :])
        return replace(here, parts=parts)

    first, *rest = number.split(".")
    return walk_to(node, rest) if first == "0" else node


def _without(parts: Sequence[Any], place: str) -> tuple[Any, ...]:
    if not place.isdecimal() or len(place) > 3:
        return tuple(parts)
    return tuple(part for index, part in enumerate(parts) if index != int(place))
