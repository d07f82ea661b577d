"""Items that arrived already, as rules would have met them: read page by page in set-based queries, with only what is asked for.

A topic counts as the taggers gave it, also where a person took it off since, for that is what a rule would have seen. What
decides when no rule does (see `triage.routing`) and what people then decided comes along.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

from django.db import connection
from django.utils.timezone import get_default_timezone, localtime

from feedback_portal.accounts.models import Team
from feedback_portal.codes import theme_code
from triage import rules
from triage.models import Topic
from triage.routing import Clues, Foreseen
from triage.rulebook.past_filters import Filter
from triage.rules.facts import CONTEXT, ENTITY, WEEKDAYS, Facts

PAGE: Final = 5_000


@dataclass(frozen=True)
class Past:
    """One item: what rules may ask about it, what routing goes by when none of them routes, and the team people decided on
    (empty while they did not)."""

    item: int
    facts: Facts
    clues: Clues
    decided: str = ""


@dataclass
class Page:
    """So many of the newest items were looked at in this step, of which these passed the filter."""

    looked_at: int
    rows: list[Past] = field(default_factory=list)


def fields_of(some: Collection[rules.Rule]) -> frozenset[str]:
    """The fields that any of these rules asks about."""
    return frozenset(condition.field for rule in some for condition in rules.conditions(rule))


@dataclass(frozen=True)
class Step:
    """So many items one after the other, newest first: from `below` (None for the newest of all) down to `last`."""

    count: int
    below: tuple[datetime, int] | None
    last: tuple[datetime, int]


def steps(*, most: int, page: int = PAGE) -> Iterator[Step]:
    """The newest `most` items in steps of a page each; only their index is read."""
    below: tuple[datetime, int] | None = None
    left = most
    while left > 0:
        wanted = min(page, left)
        with connection.cursor() as cursor:
            limit = "WHERE (received_at, submission_id) < %(bound)s" if below is not None else ""
            cursor.execute(_EDGE.format(before=limit), {"bound": below, "wanted": wanted})
            found, last_at, last = cursor.fetchone()
        if not found:
            return
        yield Step(found, below, (last_at, last))
        below = (last_at, last)
        left -= found
        if found < wanted:
            return


class Reading:
    """How steps are read: `fields` are what will be asked, `above` the topics above each; `only` leaves out items that nobody needs
    to look at."""

    def __init__(
        self, *, fields: Collection[str], above: Mapping[str, Sequence[str]], only: Filter | None = None
    ) -> None:
        self._columns, self._only, self._reader = _columns(fields), only, _Reader(fields, above)

    def rows(self, step: Step) -> list[Past]:
        """The items of a step that were analysed and pass the filter."""
        limits = " AND (received_at, submission_id) < %(bound)s" if step.below is not None else ""
        bounds = {"bound": step.below, "last": step.last} | (dict(self._only.params) if self._only else {})
        with connection.cursor() as cursor:
            cursor.execute(_statement(self._columns, limits, self._only), bounds)
            names = [column[0] for column in cursor.description or ()]
            return [self._reader.past(dict(zip(names, row, strict=True))) for row in cursor]


def pages(
    *,
    most: int,
    fields: Collection[str],
    above: Mapping[str, Sequence[str]],
    only: Filter | None = None,
    page: int = PAGE,
) -> Iterator[Page]:
    """The newest `most` items, step by step; see `Reading`."""
    reading = Reading(fields=fields, above=above, only=only)
    for step in steps(most=most, page=page):
        yield Page(step.count, reading.rows(step))


def _columns(fields: Collection[str]) -> list[str]:
    wanted = {_COLUMN[name] for name in fields if name in _COLUMN}
    wanted |= (
        {"item.context"} if any(name.startswith(CONTEXT) or name in ("country", "place") for name in fields) else set()
    )
    wanted |= {_MENTIONS} if any(name.startswith(ENTITY) for name in fields) else set()
    return sorted(wanted)


def _statement(columns: Sequence[str], limits: str, only: Filter | None) -> str:
    return (
        f"SELECT {', '.join([*_ALWAYS, *columns])} FROM intake_feedbackitem AS item"
        " JOIN triage_analysis AS analysis ON analysis.item_id = item.submission_id"
        " JOIN intake_channel AS channel ON channel.id = item.channel_id"
        " LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id"
        " LEFT JOIN intake_account AS account ON account.id = customer.account_id"
        " LEFT JOIN LATERAL (SELECT array_agg(tagging.topic_id) AS topics, array_agg("
        "   CASE tagging.source WHEN 'model' THEN tagging.confidence ELSE (tagging.evidence->>'confidence')::float8 END"
        " ) AS sure FROM triage_tagging AS tagging"
        "   WHERE tagging.item_id = item.submission_id AND (tagging.source = 'model' OR tagging.evidence ? 'confidence')"
        " ) AS tagged ON true"
        " LEFT JOIN LATERAL (SELECT ticket.explanation->'model' AS model,"
        "   ticket.explanation->>'spam' AS looked_like_spam, ticket.team_id, ticket.triaged_at, ticket.resolution"
        "   FROM triage_ticket AS ticket"
        "   WHERE ticket.item_id = item.submission_id ORDER BY ticket.id LIMIT 1) AS ticket ON true"
        f" WHERE (item.received_at, item.submission_id) >= %(last)s{limits}"
        f"{f' AND ({only.sql})' if only else ''}"
        " ORDER BY item.received_at DESC, item.submission_id DESC"
    )


class _Reader:
    """Makes an item of a row. Topics and teams come by their keys, for a join for each row would cost as much as the rest."""

    def __init__(self, fields: Collection[str], above: Mapping[str, Sequence[str]]) -> None:
        self._above = above
        self._topics = dict(Topic.objects.values_list("pk", "slug"))
        self._teams = dict(Team.objects.values_list("pk", "slug"))
        self._zone = get_default_timezone() if {"received_hour", "received_weekday"} & set(fields) else None

    def past(self, row: dict[str, Any]) -> Past:
        slugs = [self._topics[key] for key in row["topics"] or ()]
        topics = sorted(zip(slugs, row["sure"] or (), strict=True), key=lambda pair: (-pair[1], pair[0]))
        seen = frozenset(slugs)
        context = _read(row.get("context"))
        arrived = localtime(row["received_at"], self._zone) if self._zone else None
        return Past(
            item=row["id"],
            clues=Clues(topics, _foreseen(_read(row["model"])), row["looked_like_spam"] or ""),
            decided=self._teams.get(row["decided"], ""),
            facts=Facts(
                **{name: _plain(row[name]) for name in _PLAIN if name in row},
                topics=seen.union(*(self._above.get(slug, ()) for slug in seen)),
                themes=frozenset({theme_code(row["theme"])} if row.get("theme") else ()),
                rating=row.get("rating"),
                urgency=row["urgency"],
                customer_value=row.get("customer_value"),
                customer_account=frozenset(row.get("customer_account") or ()) - {"", None},
                spam=row.get("spam"),
                country=str(context.get("country") or ""),
                place=str(context.get("place") or ""),
                received_hour=arrived.hour if arrived else None,
                received_weekday=WEEKDAYS[arrived.weekday()] if arrived else "",
                context=context,
                entities={kind: frozenset(values) for kind, values in _read(row.get("entities")).items()},
            ),
        )


def _foreseen(model: Mapping[str, Any]) -> Foreseen | None:
    """What the learned router said, as routing stored it."""
    if not model:
        return None
    return Foreseen(str(model.get("verdict")), [(str(slug), float(sure)) for slug, sure in model.get("teams", ())])


def _read(value: str | None) -> dict[str, Any]:
    """An object of the database's JSON, which comes as text."""
    found = json.loads(value) if value else None
    return found if isinstance(found, dict) else {}


def _plain(value: object) -> str:
    return "" if value is None else str(value)


_EDGE: Final = """
SELECT count(*), min(received_at), (array_agg(submission_id ORDER BY received_at, submission_id))[1] FROM (
    SELECT received_at, submission_id FROM intake_feedbackitem
    {before} ORDER BY received_at DESC, submission_id DESC LIMIT %(wanted)s
) AS newest
"""
_ALWAYS: Final = (
    "item.submission_id AS id",
    "item.received_at",
    "tagged.topics",
    "tagged.sure",
    "analysis.urgency",
    "ticket.model",
    "ticket.looked_like_spam",
    "CASE WHEN ticket.triaged_at IS NOT NULL AND ticket.resolution NOT IN ('spam', 'duplicate') THEN ticket.team_id END AS decided",
)
_COLUMN: Final[Mapping[str, str]] = {
    "channel": "channel.slug AS channel",
    "connector": "channel.kind AS connector",
    "language": "nullif(analysis.language, 'und') AS language",
    "sentiment": "analysis.sentiment",
    "theme": "(SELECT theme_id FROM triage_thememember WHERE item_id = item.submission_id) AS theme",
    "product": "item.product",
    "product_version": "item.product_version",
    "rating": "item.rating_value AS rating",
    "rating_scale": "item.rating_scale",
    "title": "item.title",
    "text": "item.text",
    "customer_segment": "account.segment AS customer_segment",
    "customer_value": "account.value AS customer_value",
    "customer_account": "ARRAY[account.name, account.external_id] AS customer_account",
    "spam": (
        "CASE WHEN analysis.versions ? 'spam' OR analysis.evidence ? 'spam' THEN EXISTS (SELECT 1 FROM jsonb_each("
        "analysis.evidence) AS said, jsonb_array_elements(said.value) AS each WHERE each->>'kind' = 'spam'"
        " AND each->>'value' = 'spam' AND (each->>'confidence')::float8 >= 0.5) END AS spam"
    ),
}
_MENTIONS: Final = (
    "(SELECT jsonb_object_agg(kind, found) FROM (SELECT kind, jsonb_agg(value) AS found FROM triage_mention"
    " WHERE item_id = item.submission_id GROUP BY kind) AS mentioned) AS entities"
)
_PLAIN: Final = (
    "channel", "connector", "language", "sentiment", "product", "product_version", "rating_scale", "title", "text",
    "customer_segment",
)  # fmt: skip
