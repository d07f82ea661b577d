"""What matters most: themes by the value at stake, and whether one is really before the next."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

from django.db import connection
from django.urls import reverse
from django.utils.translation import gettext, ngettext

from feedback_portal.codes import theme_code
from feedback_portal.marking import marked
from kpis import statistics
from kpis.charts import WHOLE_PERCENT, Bar, BarChart, written
from kpis.questions import Question

SHOWN: Final = 8

# Of each company with an open item the value counts once for each theme.
_THEMES = """
WITH voices AS (
    SELECT member.theme_id, item.submission_id, account.id AS account_id, account.value,
        EXISTS (SELECT FROM triage_ticket AS t WHERE t.item_id = item.submission_id AND t.status NOT IN ('resolved', 'closed')) AS is_open
    FROM triage_thememember AS member
    JOIN intake_feedbackitem AS item ON item.submission_id = member.item_id
    LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id
    LEFT JOIN intake_account AS account ON account.id = customer.account_id
    JOIN LATERAL (SELECT team_id, stage_id FROM triage_ticket WHERE item_id = item.submission_id ORDER BY id LIMIT 1) AS ticket ON true
    WHERE item.received_at >= %(starts)s AND item.received_at < %(ends)s AND NOT item.is_test AND member.theme_id IS NOT NULL
        AND (%(team)s::bigint IS NULL OR ticket.team_id = %(team)s)
        AND (%(channel)s::bigint IS NULL OR item.channel_id = %(channel)s)
        AND (%(stage)s::bigint IS NULL OR ticket.stage_id = %(stage)s)
        AND EXISTS (SELECT FROM triage_ticket AS t WHERE t.item_id = item.submission_id AND t.resolution <> 'spam')
), worth AS (
    SELECT theme_id, sum(value) AS value
    FROM (SELECT DISTINCT theme_id, account_id, value FROM voices WHERE is_open AND value IS NOT NULL) AS once
    GROUP BY theme_id
)
SELECT theme.id, theme.name, count(*), coalesce(max(worth.value), 0)
FROM voices JOIN triage_theme AS theme ON theme.id = voices.theme_id LEFT JOIN worth ON worth.theme_id = voices.theme_id
GROUP BY theme.id, theme.name ORDER BY 4 DESC, 3 DESC, 1 LIMIT 500
"""


@dataclass(frozen=True)
class Part:
    theme: int
    name: str
    items: int
    value: Decimal


def parts(question: Question, *, by_value: bool = True) -> list[Part]:
    """The themes of what came in, most at stake (or most items) first; one statement."""
    period, slice = question.period, question.slice
    with connection.cursor() as cursor:
        cursor.execute(_THEMES, {"starts": period.starts_at, "ends": period.ends_at, **vars(slice)})
        found = [Part(*row) for row in cursor.fetchall()]
    if not by_value or not any(part.value for part in found):
        found.sort(key=lambda part: (-part.items, part.theme))
    return found


def chart(found: Sequence[Part]) -> BarChart:
    """The first themes with their cumulated share, and all others last. Neighbours whose items differ by chance are tied."""
    by_value = any(part.value for part in found)
    amounts = [float(part.value if by_value else part.items) for part in found]
    total, items = sum(amounts), sum(part.items for part in found)
    bars, reached = [], 0.0
    for place, part in enumerate(found[:SHOWN]):
        reached += amounts[place]
        tied = place > 0 and _is_tied(found[place - 1].items, part.items, items)
        bars.append(
            Bar(
                part.name,
                amounts[place],
                written(amounts[place]),
                note=_note(reached / total, tied=tied) if total else "",
                href=reverse("triage:theme", args=[theme_code(part.theme)]),
            )
        )
    if rest := sum(amounts[SHOWN:]):
        count = len(found) - SHOWN
        others = ngettext("%(count)s other theme", "%(count)s other themes", count) % {"count": written(count)}
        bars.append(Bar(others, rest, written(rest), note=WHOLE_PERCENT.write(1), tone="rest"))
    first = ", ".join(part.name for part in found[:3])
    noun = marked("Value at stake") if by_value else marked("Items")
    said = (
        gettext("Value at stake by theme; first %(themes)s.")
        if by_value
        else gettext("Items by theme; first %(themes)s.")
    )
    sentence = said % {"themes": first} if found else gettext("No theme has items in this period.")
    return BarChart(sentence, tuple(bars), (marked("Theme"), noun, marked("Cumulated")))


def _note(share: float, *, tied: bool) -> str:
    told = WHOLE_PERCENT.write(share)
    return gettext("%(share)s, tied") % {"share": told} if tied else told


def _is_tied(one: int, other: int, n: int) -> bool:
    """Whether the difference of their shares is noise."""
    if n == 0:
        return True
    moved = statistics.newcombe_difference(one, n, other, n)
    return moved["low"] is None or moved["high"] is None or moved["low"] <= 0 <= moved["high"]
