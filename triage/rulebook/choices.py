"""What can be chosen while a rule is written: fields in groups, questions in words, and the values that are known."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Self

from django.utils.translation import gettext

from feedback_portal.accounts.models import Team, User
from feedback_portal.languages import language_name
from feedback_portal.marking import marked
from intake.connectors.base import SCALES
from intake.models import Account, Channel
from triage.models import Analysis, Pattern, Topic
from triage.rules.drafts import UNKNOWN, Node, kind_of
from triage.rules.facts import CONTEXT, ENTITY, WEEKDAYS
from triage.taggers import language

Choice = tuple[str, str]
"""A value and how it is called."""

GROUPS: Final[Sequence[tuple[str, Sequence[Choice]]]] = (
    (marked("What was said"), (("text", marked("Text")), ("title", marked("Title")), ("language", marked("Language")), ("sentiment", marked("Mood")), ("urgency", marked("Urgency")))),
    (marked("What it is about"), (
        ("topic", marked("Topic")), ("theme", marked("Theme")), ("product", marked("Product")), ("product_version", marked("Version")), (ENTITY, marked("Found by the pattern …")),
        ("spam", marked("Looks like spam")),
    )),
    (marked("How it came"), (
        ("channel", marked("Channel")), ("connector", marked("Kind of channel")), ("country", marked("Country")), ("place", marked("Place")),
        ("received_hour", marked("Hour it arrived (0 to 23)")), ("received_weekday", marked("Day it arrived")), (CONTEXT, marked("Detail that came with it …")),
    )),
    (marked("Who said it"), (
        ("rating", marked("Rating")), ("rating_scale", marked("Scale of the rating")), ("customer_segment", marked("Customer's segment")),
        ("customer_value", marked("Customer's value")), ("customer_account", marked("Customer's account")),
    )),
)  # fmt: skip

QUESTIONS: Final[Mapping[str, str]] = {
    "mentions": marked("mentions one of (any form of a word)"),
    "contains": marked("contains exactly"),
    "matches": marked("matches the pattern (RE2)"),
    "is": marked("is"),
    "is_not": marked("is not"),
    "in": marked("is one of"),
    "lt": marked("is below"),
    "lte": marked("is at most"),
    "gt": marked("is above"),
    "gte": marked("is at least"),
    "between": marked("is between"),
    "exists": marked("is known"),
    UNKNOWN: marked("is not known"),
}
VERBS: Final[Mapping[str, str]] = {
    "route": marked("Route to"),
    "also": marked("Give a ticket of their own to"),
    "tag": marked("Tag"),
    "severity": marked("Set the severity to"),
    "assign": marked("Assign to"),
}
_SEVERITIES: Final = (
    ("1", marked("1, somebody may be harmed")),
    ("2", marked("2, high")),
    ("3", marked("3, normal")),
    ("4", marked("4, a wish")),
)
_URGENCIES: Final = (("0", marked("Low")), ("1", marked("Normal")), ("2", marked("High")), ("3", marked("Safety")))
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
                "language": sorted(((code, language_name(code)) for code in language.names()), key=lambda one: one[1]),
                "sentiment": [(value, str(label)) for value, label in Analysis.Sentiment.choices],
                "urgency": [(value, gettext(label)) for value, label in _URGENCIES],
                "topic": topics,
                "customer_segment": _same(segments[:_MOST]),
                "received_weekday": [(day, gettext(day.capitalize())) for day in WEEKDAYS],
                "rating_scale": _same(SCALES),
                ENTITY: _same(kinds[:_MOST]),
            },
            arguments={
                "route": teams,
                "also": teams,
                "tag": topics,
                "severity": [(value, gettext(label)) for value, label in _SEVERITIES],
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
