"""The life of themes: which are new, which grow beyond their forecast, which came back after a fix, which rest until they grow."""

from datetime import datetime, timedelta
from typing import Final

import numpy as np
from django.db import connection, transaction
from django.utils import timezone

from triage.alike import growth
from triage.improving import checking
from triage.models import Theme, ThemeAction, ThemeEvent

NEW_FOR: Final = timedelta(days=14)
GROWS_FOR: Final = timedelta(days=growth.COOL_DOWN)
MOST_JUDGED: Final = 5_000

# By the customer's clock, so that an export of last month's reviews is no surge of today; a copy of what somebody said before is
# not counted, so that one form letter is one voice.
_COUNTS = """
SELECT member.theme_id, (least(item.submitted_at, item.received_at) AT TIME ZONE %(zone)s)::date AS day, count(*)
FROM triage_thememember AS member
JOIN intake_feedbackitem AS item ON item.submission_id = member.item_id
LEFT JOIN triage_wording AS wording ON wording.item_id = member.item_id
WHERE member.theme_id = ANY(%(themes)s) AND item.received_at >= %(since)s AND item.submitted_at >= %(since)s
    AND wording.copy_of_id IS NULL AND NOT item.is_test
GROUP BY 1, 2
"""
_TOTALS = """
SELECT (least(item.submitted_at, item.received_at) AT TIME ZONE %(zone)s)::date AS day, count(*)
FROM intake_feedbackitem AS item
LEFT JOIN triage_wording AS wording ON wording.item_id = item.submission_id
WHERE item.received_at >= %(since)s AND item.submitted_at >= %(since)s AND item.received_at <= %(at)s
    AND wording.copy_of_id IS NULL AND NOT item.is_test
GROUP BY 1
"""


def has_baseline(*, at: datetime) -> bool:
    """Whether the portal has heard enough days to say what is usual."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT 1 FROM intake_feedbackitem WHERE received_at <= %s)",
            [at - timedelta(days=growth.NEEDS_DAYS - 1)],
        )
        return bool(cursor.fetchone()[0])


@transaction.atomic
def judge(*, at: datetime) -> int:
    """Say of every living theme in which part of its life it is; how many changed. Doing it twice changes nothing more."""
    themes = list(Theme.objects.living().filter(size__gt=0).order_by("-last_at", "-pk")[:MOST_JUDGED])
    found = _growth(themes, at=at) if themes and has_baseline(at=at) else {}
    shipped = _shipped([theme.pk for theme in themes])
    changed, events = [], []
    for theme in themes:
        told = found.get(theme.pk)
        before = theme.state
        is_news = told is not None and told.grows and (theme.grew_at is None or theme.grew_at <= at - GROWS_FOR)
        if is_news and told is not None:
            fixed_at = shipped.get(theme.pk)
            is_back = fixed_at is not None and fixed_at < at
            theme.grew_at, theme.rested_at = at, None
            theme.growth = {
                "window": told.window, "count": told.count, "expected": round(told.expected, 2), "p": told.p,
            }  # fmt: skip
            theme.state = Theme.State.REGRESSED if is_back else Theme.State.GROWING
            kind = ThemeEvent.Type.REGRESSED if is_back else ThemeEvent.Type.GREW
            events.append(ThemeEvent(theme=theme, type=kind, data=theme.growth, occurred_at=at))
        elif theme.state != Theme.State.RESTING:
            theme.state = _quiet_state(theme, at=at)
        if is_news or theme.state != before:
            theme.state_at = at if theme.state != before else theme.state_at
            changed.append(theme)
    Theme.objects.bulk_update(changed, ["state", "state_at", "grew_at", "rested_at", "growth"])
    ThemeEvent.objects.bulk_create(events)
    # Its action did not hold: it goes back to work, and its owner is told.
    checking.reopen_for([event.theme for event in events if event.type == ThemeEvent.Type.REGRESSED], at=at)
    return len(changed)


def daily(themes: list[int], *, days: int, at: datetime) -> dict[int, list[int]]:
    """Items a day of each theme, oldest first, ending with the day of `at`; copies are left out."""
    zone = timezone.get_default_timezone_name()
    today = timezone.localtime(at, timezone.get_default_timezone()).date()
    since = at - timedelta(days=days + 1)
    counts = {theme: [0] * days for theme in themes}
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, {"zone": zone, "themes": themes, "since": since})
        for theme, day, count in cursor.fetchall():
            place = days - 1 - (today - day).days
            if 0 <= place < days:
                counts[theme][place] = count
    return counts


def _growth(themes: list[Theme], *, at: datetime) -> dict[int, growth.Growth]:
    keys = [theme.pk for theme in themes]
    counts = daily(keys, days=growth.NEEDS_DAYS, at=at)
    zone = timezone.get_default_timezone_name()
    today = timezone.localtime(at, timezone.get_default_timezone()).date()
    totals = np.zeros(growth.NEEDS_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_TOTALS, {"zone": zone, "since": at - timedelta(days=growth.NEEDS_DAYS + 1), "at": at})
        for day, count in cursor.fetchall():
            place = growth.NEEDS_DAYS - 1 - (today - day).days
            if 0 <= place < growth.NEEDS_DAYS:
                totals[place] = count
    told = growth.growth([counts[key] for key in keys], totals) or []
    return dict(zip(keys, told, strict=True)) if told else {}


def _shipped(themes: list[int]) -> dict[int, datetime]:
    """When an action that answers the theme last shipped."""
    links = ThemeAction.objects.filter(theme__in=themes, unlinked_at=None, action__shipped_at__isnull=False)
    rows = links.filter(action__withdrawn_at=None).order_by("action__shipped_at")
    return {theme: at for theme, at in rows.values_list("theme", "action__shipped_at") if at}


def _quiet_state(theme: Theme, *, at: datetime) -> str:
    if theme.grew_at is not None and theme.grew_at > at - GROWS_FOR and theme.state in {"growing", "regressed"}:
        return theme.state
    if theme.first_at is not None and theme.first_at > at - NEW_FOR:
        return Theme.State.NEW
    return Theme.State.STEADY
