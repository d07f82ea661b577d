"""Drift: who speaks is not who used to speak, so every number that is not split by them moves for no other reason."""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping
from datetime import date, datetime
from typing import Final
from zoneinfo import ZoneInfo

from django.db import connection

from kpis import statistics
from kpis.models import Signal
from kpis.periods import Period
from kpis.signals.names import TWELVE_WEEKS, mix_in_words
from kpis.signals.raising import Found
from kpis.signals.series import WEEK, weeks_until

BASELINE: Final = 12
POINTS: Final = 10
"""A mix has moved where at least so many in a hundred are somebody else than before."""
FEWEST: Final = 50
_UNLIKELY: Final = 0.001
# Where each stands.
DIMENSIONS: Final[Mapping[str, str]] = {
    "channel": "channel.name",
    "language": "coalesce(nullif(analysis.language, ''), item.declared_language)",
    "segment": "account.segment",
}
_COUNTS = """
SELECT date_trunc('week', item.received_at AT TIME ZONE %(zone)s)::date AS week, {column}, count(*)
FROM intake_feedbackitem AS item
JOIN intake_channel AS channel ON channel.id = item.channel_id
LEFT JOIN triage_analysis AS analysis ON analysis.item_id = item.submission_id
LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id
LEFT JOIN intake_account AS account ON account.id = customer.account_id
WHERE item.received_at >= %(since)s AND item.received_at < %(until)s AND NOT item.is_test AND {column} <> ''
GROUP BY 1, 2
"""


def moved(week: date, *, zone: ZoneInfo, at: datetime) -> Iterator[Found]:
    """Of channels, languages and segments those whose mix of the week is not that of the 12 weeks before."""
    for slug in DIMENSIONS:
        now, before = shares(slug, week, zone=zone)
        if min(now.total(), before.total()) < FEWEST:
            continue
        shifts = {value: now[value] / now.total() - before[value] / before.total() for value in sorted({*now, *before})}
        distance = sum(abs(shift) for shift in shifts.values()) / 2
        # Each value against all others: the one that moved most decides, corrected for their number.
        least = min(
            statistics.chi_square_homogeneity([now[value], before[value]], [now.total(), before.total()])["p"] or 1.0
            for value in shifts
        )
        p = min(1.0, least * len(shifts))
        if 100 * distance < POINTS or p >= _UNLIKELY:
            continue
        value = max(shifts, key=lambda each: (abs(shifts[each]), each))
        told = {
            "week": week.isoformat(),
            "count": now.total(),
            "expected": round(100 * distance, 1),
            "p": p,
            "window": 1,
            "shares": {
                each: [round(100 * before[each] / before.total(), 1), round(100 * now[each] / now.total(), 1)]
                for each in shifts
            },
        }
        yield Found(
            Signal.Kind.MIX,
            f"mix:{slug}",
            [],
            mix_in_words(slug, value, before[value] / before.total(), now[value] / now.total()),
            told,
            now.total(),
            round(100 * distance, 1),
            p,
            basis=TWELVE_WEEKS,
        )


def shares(slug: str, week: date, *, zone: ZoneInfo) -> tuple[Counter[str], Counter[str]]:
    """How many of each value in this week, and in the weeks before together."""
    weeks = weeks_until(week, number=BASELINE + 1)
    span = Period(weeks[0], week + WEEK, zone)
    found: defaultdict[bool, Counter[str]] = defaultdict(Counter)
    with connection.cursor() as cursor:
        cursor.execute(
            _COUNTS.format(column=DIMENSIONS[slug]),
            {"zone": zone.key, "since": span.starts_at, "until": span.ends_at},
        )
        for each, value, count in cursor.fetchall():
            found[each == week][value] += count
    return found[True], found[False]
