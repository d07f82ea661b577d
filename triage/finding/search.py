"""What people type into the search box, read into a query that can be shown, edited and run.

`is:untriaged team:quality,none value:>5000 -tag:praise (lid or "seal leak")`: terms join with and, commas mean or inside
a field. This module reads and writes the text; which rows a query means is said elsewhere.
"""

import difflib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final, TypeAlias

from django.utils.translation import gettext

from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError
from triage.finding.search_fields import ALIASES, CONTEXT, ENTITY, FIELDS, SearchField

LONGEST_QUERY: Final = 256
DEEPEST: Final = 10


class SearchError(BadInput):
    """The text is no query; `suggestion` is the whole text as it was probably meant, to be offered as a link."""

    code = "bad-search"
    title = marked("The search cannot be understood")

    def __init__(self, message: str, *, suggestion: str = "") -> None:
        super().__init__(
            message, errors=(InputError("q", message),), extra={"suggestion": suggestion} if suggestion else {}
        )
        self.suggestion = suggestion


@dataclass(frozen=True)
class Length:
    """A length of time as it was written: 90m, 2h, 7d, 4w."""

    amount: int
    unit: str

    @property
    def delta(self) -> timedelta:
        return self.amount * timedelta(**{_UNITS[self.unit]: 1})

    def __str__(self) -> str:
        return f"{self.amount}{self.unit}"


Bound: TypeAlias = str | Decimal | date | Length


@dataclass(frozen=True)
class Is:
    """The field is this; words such as `none` or `me` are plain strings, quoted or not."""

    value: Bound

    def __str__(self) -> str:
        return _shown(self.value)


@dataclass(frozen=True)
class Compared:
    """The field is `<`, `<=`, `>` or `>=` this. A length compared with a day means its age: `<7d` is younger than a week."""

    op: str
    value: Decimal | date | Length

    def __str__(self) -> str:
        return f"{self.op}{_shown(self.value)}"


@dataclass(frozen=True)
class Between:
    """The field is in this range, both ends included."""

    low: Decimal | date
    high: Decimal | date

    def __str__(self) -> str:
        return f"{_shown(self.low)}..{_shown(self.high)}"


Value: TypeAlias = Is | Compared | Between


@dataclass(frozen=True)
class Term:
    """Words to be found in title or text: one word in any of its forms, or exactly these words in this order."""

    text: str
    exact: bool = False

    def __str__(self) -> str:
        return f'"{self.text}"' if self.exact else self.text


@dataclass(frozen=True)
class Where:
    """A field and the values of which one must be true of it."""

    field: str
    values: tuple[Value, ...]

    def __str__(self) -> str:
        return f"{self.field}:{','.join(map(str, self.values))}"


@dataclass(frozen=True)
class Not:
    part: "Query"

    def __str__(self) -> str:
        return f"-({self.part})" if isinstance(self.part, And | Or) else f"-{self.part}"


@dataclass(frozen=True)
class And:
    """Every part; without parts, everything."""

    parts: tuple["Query", ...]

    def __str__(self) -> str:
        return " ".join(f"({part})" if isinstance(part, Or) else str(part) for part in self.parts)


@dataclass(frozen=True)
class Or:
    parts: tuple["Query", ...]

    def __str__(self) -> str:
        return " or ".join(map(str, self.parts))


Query: TypeAlias = Term | Where | Not | And | Or
EVERYTHING: Final = And(())


@dataclass(frozen=True)
class Chip:
    """One part of a query as the page shows it, and the text of the query when its remove button is pressed."""

    text: str
    without: str


def parse(text: str) -> Query:
    """The query this text stands for; the empty text finds everything."""
    if len(text) > LONGEST_QUERY:
        raise SearchError(
            gettext("A search may have %(longest_query)s characters. Leave something out.")
            % {"longest_query": LONGEST_QUERY}
        )
    if _UNREADABLE.search(text):
        raise SearchError(gettext("The search contains characters that cannot be read. Type it again."))
    return _Reader(text).query()


def dump(query: Query) -> str:
    """The text of a query, in its shortest writing: `parse(dump(query)) == query`."""
    return str(query)


def chips(query: Query) -> tuple[Chip, ...]:
    """The parts that must all be true, one chip each."""
    parts = query.parts if isinstance(query, And) else (query,)
    return tuple(
        Chip(str(part), dump(_joined(And, [*parts[:index], *parts[index + 1 :]]))) for index, part in enumerate(parts)
    )


# --- reading ----------------------------------------------------------------------------------------------------------

_UNREADABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ud800-\udfff]")
_TOKEN = re.compile(
    r"""\s* (?: (?P<open>\() | (?P<close>\))
    | (?P<or>or) (?=[\s()"]|$)
    | (?P<dash>-+) (?=[\s)]|$)
    | (?P<minus>-)
    | (?P<field>(?:context|entity)\.[\w.-]+|[a-z][a-z_]*): (?P<values>(?:"[^"]*"|[^\s"()])*)
    | "(?P<exact>[^"]*)"
    | (?P<word>[^\s"()]+) )""",
    re.IGNORECASE | re.VERBOSE,
)
_VALUE = re.compile(r'"([^"]*)"|([^\s"(),]+)')
_BARE = re.compile(r'[^\s"(),]+')
_COMPARED = re.compile(r"([<>]=?)(.+)")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,6})?", re.ASCII)
_LENGTH = re.compile(r"(\d{1,4})([mhdw])", re.ASCII)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_CODE = re.compile(r"[A-Z]{1,3}-?[0-9A-Z-]{1,20}", re.ASCII)
# The ends of the calendar have no day before or after them, nor a midnight in every zone; nothing arrived there.
_FIRST_DAY, _LAST_DAY = date(1900, 1, 1), date(8999, 12, 31)
_UNITS: Mapping[str, str] = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_EXAMPLES: Mapping[str, str] = {"number": ">3", "length": "<2h", "day": "2026-11-01..2026-11-21", "code": "A-118"}


class _Reader:
    """The tokens of a text, read by one method for each level of the grammar."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.tokens = [token for token in self._tokens() if token["dash"] is None]
        self.at = 0
        self.depth = 0

    def query(self) -> Query:
        read = self._any()
        if not self._is_done():
            place = self.tokens[self.at].end()
            raise SearchError(
                gettext('The bracket at place %(place)s closes nothing. Remove it, or add "(" before.')
                % {"place": place}
            )
        return read

    def _tokens(self) -> Iterator[re.Match[str]]:
        end = len(self.text.rstrip())
        at = 0
        while at < end:
            token = _TOKEN.match(self.text, at)
            if token is None:  # the one thing that is no token is a quotation mark without its partner
                raise SearchError(
                    gettext("A quotation mark is not closed. Add one at the end."), suggestion=f'{self.text}"'
                )
            yield token
            at = token.end()

    def _next(self, *kinds: str) -> re.Match[str] | None:
        """The next token, if it is one of these, and step over it."""
        token = self._ahead(*kinds)
        if token:
            self.at += 1
        return token

    def _ahead(self, *kinds: str) -> re.Match[str] | None:
        if self.at < len(self.tokens) and any(self.tokens[self.at][kind] is not None for kind in kinds):
            return self.tokens[self.at]
        return None

    def _is_done(self) -> bool:
        return self.at >= len(self.tokens)

    def _any(self) -> Query:
        alternatives = [self._all()]
        while self._next("or"):
            alternatives.append(self._all())
        # An "or" with nothing on one side, as while typing, changes nothing.
        return _joined(Or, [part for part in alternatives if part != EVERYTHING])

    def _all(self) -> Query:
        parts = []
        while not self._is_done() and not self._ahead("or", "close"):
            parts.append(self._part())
        return _joined(And, parts)

    def _part(self) -> Query:
        if self._next("minus"):
            # Nothing to be without, as while typing.
            return EVERYTHING if self._ahead("or", "close") or self._is_done() else _negated(self._part())
        if self._next("open"):
            return self._group()
        token = self.tokens[self.at]
        self.at += 1
        if token["field"] is not None:
            return self._where(token)
        if token["exact"] is not None:
            text = " ".join(token["exact"].split())
            return Term(text, exact=True) if text else EVERYTHING
        return Term(token["word"] or "")

    def _group(self) -> Query:
        self.depth += 1
        if self.depth > DEEPEST:
            raise SearchError(
                gettext("Brackets may be nested %(deepest)s deep. Take some away.") % {"deepest": DEEPEST}
            )
        inside = self._any()
        if not self._next("close"):
            raise SearchError(gettext('A bracket is not closed. Add ")" at the end.'), suggestion=f"{self.text})")
        self.depth -= 1
        return inside

    def _where(self, token: re.Match[str]) -> Query:
        name = self._field(token)
        values = []
        at = token.start("values")
        for piece in _pieces(token["values"]):
            values.append(_value(name, piece, self._corrected(at + piece.start(), at + piece.end())))
        if not values:
            field = FIELDS.get(name)
            example = _EXAMPLES.get(field.kind) if field else "H4-2231"
            example = example or next(iter(field.choices if field else ()), "") or "quality"
            raise SearchError(
                gettext('Give a value after "%(name)s:", as in %(name)s:%(example)s.')
                % {"name": name, "example": example}
            )
        return Where(name, tuple(dict.fromkeys(values)))

    def _field(self, token: re.Match[str]) -> str:
        typed = token["field"]
        if typed.lower().startswith(CONTEXT):
            return CONTEXT + typed[len(CONTEXT) :]
        if typed.lower().startswith(ENTITY):
            return typed.lower()
        name = ALIASES.get(typed.lower(), typed.lower())
        if name not in FIELDS:
            near = difflib.get_close_matches(name, [*FIELDS, *ALIASES], n=1)
            unknown = gettext('There is no field "%(name)s".') % {"name": typed}
            meant = gettext('Did you mean "%(near)s:"?') % {"near": near[0]} if near else ""
            quote = gettext("To find the words themselves, put them in quotation marks.")
            raise SearchError(
                " ".join(filter(None, (unknown, meant, quote))),
                suggestion=self._corrected(*token.span("field"))(near[0]) if near else "",
            )
        return name

    def _corrected(self, start: int, end: int) -> Callable[[str], str]:
        return lambda better: self.text[:start] + better + self.text[end:]


def _joined(kind: type[And] | type[Or], parts: Sequence[Query]) -> Query:
    """The parts in one level: groups of the same kind are taken apart, one part stands for itself."""
    flat: list[Query] = []
    for part in parts:
        flat.extend(part.parts if isinstance(part, kind) else (part,))
    return flat[0] if len(flat) == 1 else kind(tuple(flat)) if flat else EVERYTHING


def _negated(part: Query) -> Query:
    if part == EVERYTHING:  # nothing was typed to be without
        return part
    return part.part if isinstance(part, Not) else Not(part)


def _pieces(values: str) -> Iterator[re.Match[str]]:
    """The values between commas; a comma with nothing beside it, as while typing, is passed over."""
    at = 0
    while at < len(values):
        piece = _VALUE.match(values, at)
        if piece:
            yield piece
            at = piece.end()
            if at < len(values) and values[at] != ",":
                raise SearchError(gettext("Put a comma between two values, as in team:quality,none."))
        at += 1


def _value(name: str, piece: re.Match[str], corrected: Callable[[str], str]) -> Value:
    """What one value means for this field."""
    field = FIELDS.get(name, SearchField("name", "", ("none",)))
    quoted, bare = piece.groups()
    text = " ".join((bare if quoted is None else quoted).split())
    if text.lower() in field.choices:
        return Is(text.lower())
    if field.kind == "name" and text:
        return Is(text)
    if field.kind == "choice":
        near = difflib.get_close_matches(text.lower(), field.choices, n=1, cutoff=0.5)
        meant = (
            gettext('Did you mean "%(near)s"?') % {"near": near[0]}
            if near
            else gettext("Use one of %(known)s.") % {"known": ", ".join(field.choices)}
        )
        suggestion = corrected(near[0]) if near else ""
        raise SearchError(
            gettext('"%(name)s:" does not know "%(text)s". %(meant)s') % {"name": name, "text": text, "meant": meant},
            suggestion=suggestion,
        )
    value = _amount(field.kind, text)
    if value is None:
        ways = gettext(" or ").join(f"{name}:{way}" for way in (_EXAMPLES[field.kind], *field.choices))
        raise SearchError(
            gettext('"%(name)s:" cannot read "%(text)s". Write %(ways)s.') % {"name": name, "text": text, "ways": ways}
        )
    return value


def _amount(kind: str, text: str) -> Value | None:
    if kind == "code":
        return Is(text.upper()) if _CODE.fullmatch(text.upper()) else None
    compared = _COMPARED.fullmatch(text)
    if compared:
        bound = _bound(kind, compared[2])
        if bound is None and kind == "day":
            bound = _bound("length", compared[2])
        return None if bound is None else Compared(compared[1], bound)
    if kind == "length":  # exactly two hours left is nothing anybody means
        return None
    low_text, dots, high_text = text.partition("..")
    low = _bound(kind, low_text)
    if low is None or isinstance(low, Length):
        return None
    if not dots:
        return Is(low)
    high = _bound(kind, high_text)
    if high is None or isinstance(high, Length):
        return None
    if high < low:  # type: ignore[operator]
        low, high = high, low
    return Between(low, high)


def _bound(kind: str, text: str) -> Decimal | date | Length | None:
    if kind == "number" and _NUMBER.fullmatch(text):
        return Decimal(text)
    if kind == "length" and (length := _LENGTH.fullmatch(text)):
        return Length(int(length[1]), length[2])
    if kind == "day" and _DAY.fullmatch(text):
        try:
            day = date.fromisoformat(text)
        except ValueError:
            return None
        return day if _FIRST_DAY <= day <= _LAST_DAY else None
    return None


def _shown(value: Bound) -> str:
    if isinstance(value, str):
        return value if _BARE.fullmatch(value) else f'"{value}"'
    return f"{value:f}" if isinstance(value, Decimal) else str(value)
