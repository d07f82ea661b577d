"""Themes in the order of their priority, from the rows of the last months, and what people say about fit, effort and weights."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import connection, transaction
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.refusals import NotAllowed
from triage import inputs, themes
from triage.models import Estimate, Theme, Weights
from triage.themes.priority import PARTS, Ranked, Standing, ranked

LOOKS_BACK: Final = timedelta(days=90)
RECENT: Final = timedelta(days=28)
MOST_RANKED: Final = 300

_STANDINGS = """
WITH said AS (
    SELECT member.theme_id, item.submission_id, item.customer_id, account.value,
        least(item.submitted_at, item.received_at) AS said_at
    FROM triage_thememember AS member
    JOIN intake_feedbackitem AS item ON item.submission_id = member.item_id
    LEFT JOIN triage_wording AS wording ON wording.item_id = member.item_id
    LEFT JOIN intake_customer AS customer ON customer.id = item.customer_id
    LEFT JOIN intake_account AS account ON account.id = customer.account_id
    WHERE member.theme_id = ANY(%(themes)s) AND item.received_at >= %(since)s AND item.received_at <= %(at)s
        AND least(item.submitted_at, item.received_at) >= %(since)s AND NOT item.is_test AND wording.copy_of_id IS NULL
), valued AS (
    SELECT theme_id, avg(ln(1 + value)) AS log_value FROM (SELECT DISTINCT theme_id, customer_id, value FROM said WHERE value IS NOT NULL) known
    GROUP BY theme_id
), severe AS (
    SELECT said.theme_id, avg(5 - ticket.severity) AS severity FROM said JOIN triage_ticket AS ticket ON ticket.item_id = said.submission_id
    GROUP BY said.theme_id
)
SELECT said.theme_id, count(DISTINCT coalesce(said.customer_id, -said.submission_id)), max(severe.severity), max(valued.log_value),
    count(*) FILTER (WHERE said.said_at >= %(recent)s),
    count(*) FILTER (WHERE said.said_at >= %(earlier)s AND said.said_at < %(recent)s)
FROM said LEFT JOIN valued USING (theme_id) LEFT JOIN severe USING (theme_id)
GROUP BY said.theme_id
"""


def rank(found: Sequence[Theme], *, at: datetime) -> list[Ranked]:
    """These themes by priority, as of now; at most `MOST_RANKED` of them."""
    keys = [theme.pk for theme in found[:MOST_RANKED]]
    estimates = {each.theme_id: each for each in Estimate.objects.filter(theme__in=keys)}
    seen: dict[int, tuple[Any, ...]] = {}
    with connection.cursor() as cursor:
        cursor.execute(
            _STANDINGS,
            {"themes": keys, "since": at - LOOKS_BACK, "recent": at - RECENT, "earlier": at - 2 * RECENT, "at": at},
        )
        for theme, *told in cursor.fetchall():
            seen[theme] = tuple(told)
    standings = []
    for key in keys:
        voices, severity, log_value, recent, earlier = seen.get(key, (0, None, None, 0, 0))
        estimate = estimates.get(key)
        standings.append(
            Standing(
                key=key,
                voices=voices,
                severity=float(severity or 1),
                log_value=float(log_value) if log_value is not None else None,
                recent=recent,
                earlier=earlier,
                fit=estimate.fit if estimate else 3,
                effort=estimate.effort if estimate else 3,
            )
        )
    return ranked(standings, weights())


def weights() -> dict[str, float]:
    row = Weights.objects.first() or Weights()
    return {name: getattr(row, name) / 10 for name in PARTS}


def weigh(*, by: Actor, at: datetime, **given: Any) -> None:
    """How much each part weighs, in tenths from 0 to 30; for the whole organisation."""
    if not by.may_steer or by.user is None:
        raise NotAllowed(gettext("Leads, managers and administrators set what a priority is made of. Ask one of them."))
    values = inputs.read(given, {name: inputs.number(0, 30) for name in PARTS})
    Weights.objects.update_or_create(only=True, defaults=values | {"person": by.user, "changed_at": at})


def estimate(reference: str, *, by: Actor, at: datetime, fit: str | int, effort: str | int) -> None:
    """How well a fix fits the strategy and how much it takes, each from 1 (little) to 5."""
    theme = themes.find(reference, by=by)
    values = inputs.read({"fit": fit, "effort": effort}, {name: inputs.number(1, 5) for name in ("fit", "effort")})
    with transaction.atomic():
        Estimate.objects.update_or_create(theme=theme, defaults=values | {"person": by.user, "changed_at": at})
