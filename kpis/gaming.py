"""Where a number may have been improved by other means than by doing better: questions to ask, not findings against anybody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from django.db import connection
from django.utils.translation import gettext

from kpis import statistics
from kpis.questions import Question

FEWEST: Final = 30
_ALPHA: Final = 0.01


@dataclass(frozen=True)
class Detector:
    """`share` of `n` with its interval, beside what it is held against; `is_found` where that is more than chance."""

    name: str
    question: str
    hits: int
    n: int
    share: float | None
    against: float
    is_found: bool


_SQL: Final = {
    # Of what was decided within two twelfths around the target: more before than after it than an even fall allows.
    "target": """
SELECT count(*) FILTER (WHERE triaged_at <= due_at), count(*) FROM triage_ticket
WHERE received_at >= %(since)s AND received_at < %(until)s AND triaged_at IS NOT NULL AND due_at > received_at
    AND abs(extract(epoch FROM triaged_at - due_at)) <= 0.08 * extract(epoch FROM due_at - received_at)
    AND (%(team)s::bigint IS NULL OR team_id = %(team)s)
""",
    "last_day": """
SELECT count(*) FILTER (WHERE occurred_at >= %(last_day)s), count(*) FROM triage_event JOIN triage_ticket AS t ON t.id = ticket_id
WHERE type = 'resolved' AND occurred_at >= %(since)s AND occurred_at < %(until)s AND (%(team)s::bigint IS NULL OR t.team_id = %(team)s)
""",
    "told_at_once": """
SELECT count(*) FILTER (WHERE EXISTS (SELECT FROM triage_event AS told WHERE told.ticket_id = e.ticket_id AND told.type = 'customer_told'
    AND told.source = 'rule' AND abs(extract(epoch FROM told.occurred_at - e.occurred_at)) < 60)), count(*)
FROM triage_event AS e JOIN triage_ticket AS t ON t.id = e.ticket_id
WHERE e.type = 'resolved' AND e.source = 'rule' AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
    AND (%(team)s::bigint IS NULL OR t.team_id = %(team)s)
""",
    "untagged": """
SELECT count(*) FILTER (WHERE e.type = 'untagged'), count(*) FROM triage_event AS e JOIN triage_ticket AS t ON t.id = e.ticket_id
WHERE e.type IN ('tagged', 'untagged') AND e.source = 'person' AND e.occurred_at >= %(since)s AND e.occurred_at < %(until)s
    AND (%(team)s::bigint IS NULL OR t.team_id = %(team)s)
""",
}


def detectors(question: Question) -> Sequence[Detector]:
    period = question.period
    last = min(period.ends_at, question.at)
    asked: dict[str, Any] = {
        "since": period.starts_at,
        "until": last,
        "last_day": last - timedelta(days=1),
        "team": question.team.pk if question.team else None,
    }
    days = max(1, period.day_count)
    found = {name: _counted(sql, asked) for name, sql in _SQL.items()}
    return (
        _judged(gettext("Just inside the target"), gettext("Are decisions made for the clock?"), found["target"], 0.5),
        _judged(
            gettext("Resolved on the last day"),
            gettext("Is work closed for the report?"),
            found["last_day"],
            min(1.0, 2 / days),
        ),
        _judged(
            gettext("Resolved and told by one rule within a minute"),
            gettext("Did anybody look?"),
            found["told_at_once"],
            0.5,
        ),
        _judged(gettext("Tags taken off"), gettext("Are items moved out of what is watched?"), found["untagged"], 0.3),
    )


def _counted(sql: str, asked: dict[str, Any]) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(sql, asked)
        hits, n = cursor.fetchone()
        return hits, n


def _judged(name: str, question: str, counted: tuple[int, int], against: float) -> Detector:
    hits, n = counted
    if n < FEWEST:
        return Detector(name, question, hits, n, None, against, False)
    low = statistics.wilson(hits, n, confidence=1 - 2 * _ALPHA)["low"] or 0.0
    return Detector(name, question, hits, n, hits / n, against, low > against)
