"""A rule as SQL that is true of every item it could hold for, so that the rest need not be read.

It may let in too many and never leaves out one: what SQL cannot answer exactly as `triage.rules.conditions` does is let in.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import count
from typing import Any, Final

from triage.rules import All, AnyOf, Node, Rule
from triage.rules.conditions import Condition, as_phrase
from triage.rules.facts import as_number, folded, index_key
from triage.rules.literals import literal_of


@dataclass(frozen=True)
class Filter:
    """A condition over the names that `triage.rulebook.past_facts` gives its tables, and the values it refers to."""

    sql: str
    params: Mapping[str, Any] = field(default_factory=dict)


def could_hold(some: Sequence[Rule], *, below: Mapping[str, Sequence[str]]) -> Filter | None:
    """True of every item for which at least one of the rules holds; None if nothing can be left out. `below` are the topics
    below each."""
    params: dict[str, Any] = {}
    names = (f"value_{number}" for number in count())

    def write(node: Node) -> str:
        if isinstance(node, All):
            parts = [part for part in map(write, node.parts) if part]
            return f"({' AND '.join(parts)})" if parts else ""
        if isinstance(node, AnyOf):
            parts = [write(part) for part in node.parts]
            return f"({' OR '.join(parts)})" if all(parts) else ""
        return leaf(node) if isinstance(node, Condition) else ""

    def value(given: object) -> str:
        name = next(names)
        params[name] = given
        return f"%({name})s"

    def leaf(condition: Condition) -> str:
        name, op = condition.field, condition.op
        values = condition.value if isinstance(condition.value, tuple) else (condition.value,)
        if op in ("is", "in") and name == "topic":
            # Slugs are small ASCII letters, so each is its own key.
            keys = sorted({slug for key in map(index_key, values) for slug in (key, *below.get(key, ()))})
            return _TAGGED.format(value(keys))
        if op in ("is", "in") and name in _WORDS:
            keys = [index_key(one) for one in values]
            return f"(lower(btrim({_WORDS[name]})) = ANY({value(keys)}) OR {_WORDS[name]} ~ {value(_FOREIGN)})"
        if op in _ORDERS and name in _NUMBERS:
            return f"{_NUMBERS[name]}::float8 {_ORDERS[op]} {value(as_number(values[0]))}"
        if op == "between" and name in _NUMBERS:
            low, high = (value(as_number(one)) for one in values)
            return f"{_NUMBERS[name]}::float8 BETWEEN {low} AND {high}"
        if op in ("is", "in") and name in _NUMBERS:
            return f"{_NUMBERS[name]}::float8 = ANY({value([as_number(one) for one in values])})"
        if name in _PROSE:
            needles = [_needle(op, str(one)) for one in values]
            if needles and all(needles):
                here = _PROSE[name]
                found = value([f"%{needle}%" for needle in needles])
                # Bytes are compared, which is exact for ASCII and many times as quick as ILIKE; other texts are let in.
                return f'(lower({here} COLLATE "C") LIKE ANY({found}) OR octet_length({here}) <> char_length({here}))'
        return ""

    parts = [write(rule.when) for rule in some]
    return Filter(" OR ".join(parts), params) if parts and all(parts) else None


def _needle(op: str, said: str) -> str:
    """Letters that stand, whatever their case, in every ASCII text of which this is true."""
    if op == "contains":
        # Runs of spaces are one space there, so words are looked for one by one; the longest is the rarest.
        found = max(folded(said).split(), key=len, default="")
    elif op == "mentions":
        # A stem may differ from its words in its last letter ("batteri" of "battery").
        found = max((stem[:-1] for stem in as_phrase(said)), key=len, default="")
    else:
        found = literal_of(said) if op == "matches" else ""
    return found if len(found) >= _SHORTEST and found.isascii() and found.isalnum() else ""


_SHORTEST: Final = 2
_TAGGED: Final = "tagged.topics && ARRAY(SELECT id FROM triage_topic WHERE slug = ANY({}::varchar[]))"
_FOREIGN: Final = r"[^ -~]"  # what is compared without accents and case is left to Python
_WORDS: Final[Mapping[str, str]] = {
    "channel": "channel.slug",
    "connector": "channel.kind",
    "language": "analysis.language",
    "sentiment": "analysis.sentiment",
    "product": "item.product",
    "product_version": "item.product_version",
    "rating_scale": "item.rating_scale",
    "customer_segment": "account.segment",
}
_NUMBERS: Final[Mapping[str, str]] = {
    "urgency": "analysis.urgency",
    "rating": "item.rating_value",
    "customer_value": "account.value",
}
_PROSE: Final[Mapping[str, str]] = {"title": "item.title", "text": "item.text"}
_ORDERS: Final[Mapping[str, str]] = {"lt": "<", "lte": "<=", "gt": ">", "gte": ">="}
