"""What rules may ask about one item: its fields, and how their values are compared."""

import dataclasses
import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property
from typing import Final, NamedTuple

from triage.words import LONGEST_TEXT, fold, stems

FIELDS: Final[Mapping[str, str]] = {
    "channel": "word",
    "connector": "word",
    "language": "word",
    "sentiment": "word",
    "urgency": "number",
    "topic": "words",
    "theme": "words",
    "product": "word",
    "product_version": "word",
    "rating": "number",
    "rating_scale": "word",
    "title": "prose",
    "text": "prose",
    "customer_segment": "word",
    "customer_value": "number",
    "customer_account": "words",
    "country": "word",
    "place": "word",
    "spam": "flag",
    "received_hour": "number",
    "received_weekday": "word",
}
"""What each field holds. A topic counts with every topic above it, an account by its name and by its number."""

CONTEXT: Final = "context."
"""Before the name of anything else that came with the item, as in `context.batch`."""
ENTITY: Final = "entity."
"""Before the kind of what the item names or came with, as in `entity.order`; the patterns say which kinds there are."""

WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


@dataclass(frozen=True)
class Facts:
    """What is known of one item when rules look at it. Empty strings and None mean "not known".

    `received_hour` (0 to 23) and `received_weekday` are told in the organisation's time zone.
    """

    channel: str = ""
    connector: str = ""
    language: str = ""
    sentiment: str = ""
    urgency: int | None = None
    topics: frozenset[str] = frozenset()
    themes: frozenset[str] = frozenset()
    product: str = ""
    product_version: str = ""
    rating: Decimal | float | None = None
    rating_scale: str = ""
    title: str = ""
    text: str = ""
    customer_segment: str = ""
    customer_value: Decimal | float | None = None
    customer_account: frozenset[str] = frozenset()
    country: str = ""
    place: str = ""
    spam: bool | None = None
    received_hour: int | None = None
    received_weekday: str = ""
    context: Mapping[str, object] = dataclasses.field(default_factory=dict)
    entities: Mapping[str, frozenset[str]] = dataclasses.field(default_factory=dict)

    def get(self, name: str) -> object:
        if name.startswith(CONTEXT):
            value = self.context.get(name.removeprefix(CONTEXT))
        elif name.startswith(ENTITY):
            value = self.entities.get(name.removeprefix(ENTITY))
        else:
            value = getattr(self, _ATTRIBUTES.get(name, name))
        return None if value in ("", _NOTHING) else value

    def folded(self, name: str) -> str | None:
        """The field as `contains` compares it; several values stand on lines of their own."""
        if name in self._folded_prose:
            return self._folded_prose[name] or None
        value = self.get(name)
        if isinstance(value, frozenset):
            return "\n".join(folded(one) for one in sorted(value))
        return None if value is None else folded(str(value))

    def said(self, name: str) -> "Said":
        """The title or the text as `mentions` compares it, cut once however many rules ask."""
        return self._said_text if name == "text" else self._said_title

    def with_above(self, above: Mapping[str, Iterable[str]]) -> "Facts":
        """The same facts with every topic that stands above one of its own."""
        more = {one for topic in self.topics for one in above.get(topic, ())}
        return dataclasses.replace(self, topics=self.topics | more) if more - self.topics else self

    @cached_property
    def _folded_prose(self) -> Mapping[str, str]:
        """Title and text are long: folded once, however many rules ask."""
        return {"title": folded(self.title), "text": folded(self.text)}

    @cached_property
    def _said_title(self) -> "Said":
        return _said(self.title)

    @cached_property
    def _said_text(self) -> "Said":
        return _said(self.text)


class Said(NamedTuple):
    """The words of a text without their endings, in order and as a set."""

    stems: tuple[str, ...]
    kinds: frozenset[str]


def _said(text: str) -> Said:
    cut = stems(text)
    return Said(cut, frozenset(cut))


def folded(text: str) -> str:
    """Text as `contains` compares it: without case, accents and runs of spaces."""
    return " ".join(fold(text[:LONGEST_TEXT]).split())


def index_key(value: object) -> str:
    """How `is` and `in` compare: without regard to case and accents, and a 7 like a "7" (context arrives as text)."""
    number = None if isinstance(value, str) else as_number(value)
    if number is not None:
        return f"{int(number) if number.is_integer() else number}"
    return fold(str(value).strip())


def as_number(value: object) -> float | None:
    """The value as a finite number, if it is one or reads as one."""
    if value is None or isinstance(value, bool):
        return None
    try:
        number = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) else None


_NOTHING: Final[frozenset[str]] = frozenset()
_ATTRIBUTES: Final[Mapping[str, str]] = {"topic": "topics", "theme": "themes"}
