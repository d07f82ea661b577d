"""What can be chosen while a rule is written: fields in groups, questions in words, and the values that are known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from feedback_portal.accounts.models import Team, User
from intake.connectors.base import SCALES
from intake.models import Account, Channel
from triage.models import Analysis, Pattern, Topic
from triage.rules.drafts import UNKNOWN, Node, kind_of
from triage.rules.facts import CONTEXT, ENTITY, WEEKDAYS
from triage.taggers import language

Choice = tuple[str, str]
"""A value and how it is called."""

GROUPS: Final[Sequence[tuple[str, Sequence[Choice]]]] = (
    ("What was said", (("text", "Text"), ("title", "Title"), ("language", "Language"), ("sentiment", "Mood"), ("urgency", "Urgency"))),
    ("What it is about", (
        ("topic", "Topic"), ("theme", "Theme"), ("product", "Product"), ("product_version", "Version"), (ENTITY, "Found by the pattern …"),
        ("spam", "Looks like spam"),
    )),
    ("How it came", (
        ("channel", "Channel"), ("connector", "Kind of channel"), ("country", "Country"), ("place", "Place"),
        ("received_hour", "Hour it arrived (0 to 23)"), ("received_weekday", "Day it arrived"), (CONTEXT, "Detail that came with it …"),
    )),
    ("Who said it", (
        ("rating", "Rating"), ("rating_scale", "Scale of the rating"), ("customer_segment", "Customer's segment"),
        ("customer_value", "Customer's value"), ("customer_account", "Customer's account"),
    )),
)  # fmt: skip

QUESTIONS: Final[Mapping[str, str]] = {
    "mentions": "mentions one of (any form of a word)",
    "contains": "contains exactly",
    "matches": "matches the pattern (RE2)",
    "is": "is",
    "is_not": "is not",
    "in": "is one of",
    "lt": "is below",
    "lte": "is at most",
    "gt": "is above",
    "gte": "is at least",
    "between": "is between",
    "exists": "is known",
    UNKNOWN: "is not known",
}
VERBS: Final[Mapping[str, str]] = {
    "route": "Route to",
    "also": "Give a ticket of their own to",
    "tag": "Tag",
    "severity": "Set the severity to",
    "assign": "Assign to",
}
_SEVERITIES: Final = (("1", "1, somebody may be harmed"), ("2", "2, high"), ("3", "3, normal"), ("4", "4, a wish"))
_URGENCIES: Final = (("0", "Low"), ("1", "Normal"), ("2", "High"), ("3", "Safety"))
_MOST: Final = 500


@dataclass(frozen=True)
class Choices:
    """The known values by field, and the arguments by verb."""

    values: Mapping[str, Sequence[Choice]]
    arguments: Mapping[str, Sequence[Choice]]

    @classmethod
    def load(cls) -> Self:
        teams = list(Team.objects.filter(is_active=True).order_by("name").values_list("slug", "name")[:_MOST])
        topics = list(Topic.objects.filter(is_active=True).order_by("name").values_list("slug", "name")[:_MOST])
        channels = list(Channel.objects.order_by("name").values_list("slug", "name", "kind")[:_MOST])
        segments = Account.objects.exclude(segment="").order_by("segment").values_list("segment", flat=True).distinct()
        kinds = Pattern.objects.order_by("kind").values_list("kind", flat=True).distinct()
        people = User.objects.filter(is_active=True).order_by("name").values_list("email", "name")[:_MOST]
        return cls(
            values={
                "channel": [(slug, name) for slug, name, _ in channels],
                "connector": _same(sorted({kind for _, _, kind in channels})),
                "language": sorted(language.names().items(), key=lambda one: one[1]),
                "sentiment": [(value, str(label)) for value, label in Analysis.Sentiment.choices],
                "urgency": _URGENCIES,
                "topic": topics,
                "customer_segment": _same(segments[:_MOST]),
                "received_weekday": [(day, day.capitalize()) for day in WEEKDAYS],
                "rating_scale": _same(SCALES),
                ENTITY: _same(kinds[:_MOST]),
            },
            arguments={
                "route": teams,
                "also": teams,
                "tag": topics,
                "severity": _SEVERITIES,
                "assign": [(email, f"{name} ({email})") for email, name in people],
            },
        )

    def known(self, node: Node) -> Sequence[Choice]:
        """The values to choose from for this condition, those it has already among them; empty where anything may be typed."""
        known = self.values.get(node.field, ()) if node.field != ENTITY else ()
        missing = [value for value in node.values if value and value not in {one for one, _ in known}] if known else []
        return [*known, *_same(missing)]


def widget(node: Node, known: Sequence[Choice]) -> str:
    """How the value is asked for: "none", "flag", "one", "many", "pair", "number", "lines", "line"."""
    if node.op in ("exists", UNKNOWN):
        return "none"
    if kind_of(node) == "flag":
        return "flag"
    if node.op == "between":
        return "pair"
    if known and node.op in ("is", "is_not"):
        return "one"
    if known and node.op == "in":
        return "many"
    if node.op in ("in", "mentions"):
        return "lines"
    return "number" if kind_of(node) == "number" or node.op in ("lt", "lte", "gt", "gte") else "line"


def _same(values: Iterable[str]) -> list[Choice]:
    return [(value, value) for value in values]
