"""New voices: something several customers say that fits no topic yet."""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from typing import Any, Final
from zoneinfo import ZoneInfo

from kpis.models import Signal
from kpis.signals import series
from kpis.signals.names import NO_TOPIC
from kpis.signals.raising import Found
from kpis.signals.series import WEEK, Key
from triage.models import Theme

FEWEST_ITEMS, FEWEST_CUSTOMERS = 5, 3
NEW_FOR: Final = timedelta(days=28)
_MOST: Final = 50


def heard(week: date, *, zone: ZoneInfo, at: datetime) -> Iterator[Found]:
    """Themes without a topic that began in the last four weeks and have enough items of enough customers; each only once."""
    young = Theme.objects.living().filter(
        topic=None, first_at__gte=at - NEW_FOR, size__gte=FEWEST_ITEMS, customers__gte=FEWEST_CUSTOMERS
    )
    known = set(Signal.objects.filter(kind=Signal.Kind.VOICE).exclude(verdict="").values_list("key", flat=True))
    themes = [theme for theme in young.order_by("-size", "pk")[:_MOST] if f"voice:{theme.pk}" not in known]
    if not themes:
        return
    weeks = series.weeks_until(week, number=NEW_FOR // WEEK + 1)
    items = series.members([Key(theme=theme.pk) for theme in themes], weeks, zone=zone, at=at)
    for theme in themes:
        mine = [item for item in items if item.theme == theme.pk]
        if len(mine) < FEWEST_ITEMS:
            continue
        teams = [item.team for item in mine]
        told: dict[str, Any] = {
            "week": week.isoformat(),
            "count": len(mine),
            "expected": 0,
            "p": None,
            "window": len(weeks),
        }
        yield Found(
            Signal.Kind.VOICE,
            f"voice:{theme.pk}",
            [str(Key(theme=theme.pk))],
            theme.name,
            told,
            len(mine),
            0.0,
            1.0,
            basis=NO_TOPIC,
            team=max(set(teams), key=lambda team: (teams.count(team), -team)),
            theme=theme.pk,
            customers=theme.customers,
        )
