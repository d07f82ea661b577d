"""The series that are watched: how often something was said each week, by what it is about, at which stage, of which product."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final, Self
from zoneinfo import ZoneInfo

from django.db import connection

from feedback_portal.accounts.models import Stage
from intake.exposures import KINDS
from kpis.periods import Period
from kpis.signals.names import EVERYTHING
from triage.models import Theme, Topic

WEEK: Final = timedelta(weeks=1)
MOST_SERIES: Final = 2_000
_MOST_MEMBERS: Final = 100_000

# By the customer's clock, so that last month's reviews that came in today are no surge of today; a copy of what somebody
# said before is not counted, so that one form letter is one voice; spam and tests are no voices.
_ITEMS = """
    FROM intake_feedbackitem AS item
    JOIN LATERAL (
        SELECT stage_id, team_id FROM triage_ticket WHERE item_id = item.submission_id ORDER BY id LIMIT 1
    ) AS ticket ON true
    LEFT JOIN triage_thememember AS member ON member.item_id = item.submission_id
    LEFT JOIN triage_wording AS wording ON wording.item_id = item.submission_id
    {joins}
    WHERE item.received_at >= %(since)s AND item.submitted_at >= %(since)s AND item.received_at <= %(at)s
        AND least(item.submitted_at, item.received_at) < %(until)s
        AND NOT item.is_test AND wording.copy_of_id IS NULL
        AND EXISTS (SELECT FROM triage_ticket AS any_ticket WHERE any_ticket.item_id = item.submission_id
            AND any_ticket.resolution <> 'spam')
"""
_WEEK_OF = "date_trunc('week', least(item.submitted_at, item.received_at) AT TIME ZONE %(zone)s)::date"
_COUNTS = (
    f"SELECT {_WEEK_OF} AS week, member.theme_id AS theme, NULL::bigint AS topic, ticket.stage_id AS stage,"
    " nullif(item.product, '') AS product, grouping(member.theme_id), 1, grouping(ticket.stage_id), grouping(nullif(item.product, '')),"
    " count(*)"
    + _ITEMS.format(joins="")
    + " GROUP BY GROUPING SETS ((1), (1, 2), (1, 2, 5), (1, 2, 4), (1, 4), (1, 5))"
)
_TOPIC_COUNTS = (
    f"SELECT {_WEEK_OF} AS week, NULL::bigint AS theme, tagging.topic_id AS topic, NULL::bigint AS stage,"
    " nullif(item.product, '') AS product, 1, 0, 1, grouping(nullif(item.product, '')), count(DISTINCT item.submission_id)"
    + _ITEMS.format(
        joins="JOIN triage_tagging AS tagging ON tagging.item_id = item.submission_id AND tagging.removed_at IS NULL"
    )
    + " GROUP BY GROUPING SETS ((1, 3), (1, 3, 5))"
)
_MEMBERS = (
    f"SELECT item.submission_id, {_WEEK_OF}, item.customer_id, customer.account_id, account.value, ticket.team_id, member.theme_id,"
    " ticket.stage_id, item.product, ARRAY(SELECT topic_id FROM triage_tagging WHERE item_id = item.submission_id AND removed_at IS NULL),"
    " EXISTS (SELECT FROM triage_ticket AS open_ticket WHERE open_ticket.item_id = item.submission_id"
    "     AND open_ticket.status NOT IN ('resolved', 'closed'))"
    + _ITEMS.format(
        joins="LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id"
        " LEFT JOIN intake_account AS account ON account.id = customer.account_id"
    )
    + " AND (member.theme_id = ANY(%(themes)s) OR ticket.stage_id = ANY(%(stages)s) OR item.product = ANY(%(products)s)"
    " OR EXISTS (SELECT FROM triage_tagging WHERE item_id = item.submission_id"
    " AND removed_at IS NULL AND topic_id = ANY(%(topics)s)))"
    " ORDER BY item.submission_id DESC LIMIT %(most)s"
)


@dataclass(frozen=True, order=True)
class Key:
    """What a series is about; all parts empty is everything."""

    theme: int = 0
    topic: int = 0
    stage: int = 0
    product: str = ""

    def __str__(self) -> str:
        return "|".join(f"{name}:{value}" for name, value in vars(self).items() if value) or "everything"

    @classmethod
    def read(cls, text: str) -> Self:
        """The key of that text; the product comes last, for it may hold any character."""
        numbered, _, product = text.partition("product:")
        parts = dict(part.split(":", 1) for part in numbered.split("|") if ":" in part)
        theme, topic, stage = (int(parts.get(name, 0)) for name in ("theme", "topic", "stage"))
        return cls(theme, topic, stage, product)

    def holds(self, member: "Member") -> bool:
        return (
            self.theme in {0, member.theme}
            and (not self.topic or self.topic in member.topics)
            and self.stage in {0, member.stage}
            and self.product in {"", member.product}
        )


@dataclass(frozen=True)
class Member:
    """One item of a series."""

    item: int
    week: date
    customer: int | None
    account: int | None
    value: Decimal | None
    team: int
    theme: int | None
    stage: int | None
    product: str
    topics: Sequence[int]
    is_open: bool


@dataclass(frozen=True)
class Weekly:
    """Counts of every series over these weeks (Mondays, oldest first)."""

    weeks: tuple[date, ...]
    counts: Mapping[Key, Sequence[int]]

    @property
    def totals(self) -> Sequence[int]:
        return self.counts.get(Key(), [0] * len(self.weeks))


def weeks_until(last: date, *, number: int) -> tuple[date, ...]:
    """So many Mondays up to and including `last`."""
    return tuple(last - back * WEEK for back in range(number - 1, -1, -1))


def weekly(weeks: Sequence[date], *, zone: ZoneInfo, at: datetime) -> Weekly:
    """Two statements for all series; of very many those with the most items."""
    places = {week: place for place, week in enumerate(weeks)}
    counts: defaultdict[Key, list[int]] = defaultdict(lambda: [0] * len(weeks))
    with connection.cursor() as cursor:
        for statement in (_COUNTS, _TOPIC_COUNTS):
            cursor.execute(statement, _span(weeks, zone=zone, at=at))
            for week, theme, topic, stage, product, *left_out, count in cursor.fetchall():
                parts = (theme, topic, stage, product)
                # An empty part that was grouped by is an item that has none: it is in no series of its own.
                if week in places and all(
                    value is not None or left for value, left in zip(parts, left_out, strict=True)
                ):
                    counts[Key(theme or 0, topic or 0, stage or 0, product or "")][places[week]] += count
    largest = sorted(counts, key=lambda key: (key != Key(), -sum(counts[key]), key))[:MOST_SERIES]
    return Weekly(tuple(weeks), {key: counts[key] for key in largest})


def exposures(weeks: Sequence[date], *, products: Iterable[str]) -> dict[str, tuple[str, list[int]]]:
    """By product ("" is the organisation), the kind of exposure and its weekly counts, where every week is known."""
    wanted = sorted({"", *products})
    places = {week: place for place, week in enumerate(weeks)}
    counts: defaultdict[tuple[str, str], list[int]] = defaultdict(lambda: [0] * len(weeks))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, product, date_trunc('week', day)::date, sum(count) FROM intake_exposure"
            " WHERE day >= %s AND day < %s AND product = ANY(%s) GROUP BY 1, 2, 3",
            [weeks[0], weeks[-1] + WEEK, wanted],
        )
        for kind, product, week, count in cursor.fetchall():
            counts[product, kind][places[week]] += int(count)
    liked = {kind: place for place, kind in enumerate(KINDS)}
    found: dict[str, tuple[str, list[int]]] = {}
    for product, kind in sorted(counts, key=lambda each: (each[0], liked.get(each[1], len(liked)), each[1])):
        if all(counts[product, kind]):
            found.setdefault(product, (kind, counts[product, kind]))
    return found


def members(keys: Iterable[Key], weeks: Sequence[date], *, zone: ZoneInfo, at: datetime) -> list[Member]:
    """The items of any of these series in these weeks, newest first; one statement, bounded."""
    keys = list(keys)
    asked = _span(weeks, zone=zone, at=at) | {
        "themes": [key.theme for key in keys if key.theme],
        "topics": [key.topic for key in keys if key.topic],
        "stages": [key.stage for key in keys if key.stage],
        "products": [key.product for key in keys if key.product],
        "most": _MOST_MEMBERS,
    }
    with connection.cursor() as cursor:
        cursor.execute(_MEMBERS, asked)
        return [Member(*row) for row in cursor.fetchall()]


def names(keys: Iterable[Key]) -> dict[Key, str]:
    """What each series is called: the theme or topic first, then the product, then the stage."""
    keys = list(keys)
    themes = dict(Theme.objects.filter(pk__in={key.theme for key in keys}).values_list("pk", "name"))
    topics = dict(Topic.objects.filter(pk__in={key.topic for key in keys}).values_list("pk", "name"))
    stages = dict(Stage.objects.filter(pk__in={key.stage for key in keys}).values_list("pk", "name"))
    told = {}
    for key in keys:
        parts = (themes.get(key.theme), topics.get(key.topic), key.product, stages.get(key.stage))
        told[key] = ", ".join(part for part in parts if part) or EVERYTHING
    return told


def usual_delay(*, at: datetime) -> timedelta:
    """Within which nearly all (19 in 20) of what is said reaches us; what takes over two weeks is an import of history."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY received_at - submitted_at) FROM intake_feedbackitem"
            " WHERE received_at > %(since)s AND received_at <= %(at)s AND NOT is_test"
            " AND received_at - submitted_at BETWEEN interval '0' AND interval '14 days'",
            {"since": at - 8 * WEEK, "at": at},
        )
        found: timedelta | None = cursor.fetchone()[0]
    return found or timedelta()


def _span(weeks: Sequence[date], *, zone: ZoneInfo, at: datetime) -> dict[str, Any]:
    span = Period(weeks[0], weeks[-1] + WEEK, zone)
    return {"zone": zone.key, "since": span.starts_at, "until": span.ends_at, "at": at}
