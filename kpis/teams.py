"""Teams beside what their mix of work makes expect: never a ranking, and nothing where there is too little to say.

What is observed are decisions that came late. What is expected is the sum of each ticket's chance of that, from all teams'
tickets of the 12 months before the period with the same channel, severity and language; teams and people are no part of it.
Where these chances do not fit what came in the period, nothing is compared. Limits are Garwood's; where teams differ by more than chance allows altogether, they are widened by what they
usually differ (Spiegelhalter 2005, Stat Med 24:1185-1202).
"""

import math
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean
from typing import Final

from django.db import connection
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.models import Team
from kpis import statistics
from kpis.charts import FunnelChart, Member, written
from kpis.questions import Question

FEWEST_EXPECTED: Final = 10
FEWEST_TICKETS: Final = 20
FEWEST_BEFORE: Final = 200
FITTING: Final = (0.8, 1.2)
"""Between which slopes of the calibration chances are said to fit."""
_YEAR: Final = timedelta(days=365)
# How many tickets of the whole a stratum's own rate is pulled by.
_WORTH: Final = 20
_WINSORISED: Final = 0.1

_LATE = """
SELECT ticket.team_id, item.channel_id, ticket.severity, coalesce(analysis.language, ''), count(*),
    count(*) FILTER (WHERE coalesce(ticket.triaged_at, %(at)s) > ticket.due_at)
FROM triage_ticket AS ticket
JOIN intake_feedbackitem AS item ON item.submission_id = ticket.item_id
LEFT JOIN triage_analysis AS analysis ON analysis.item_id = ticket.item_id
WHERE ticket.received_at >= %(since)s AND ticket.received_at < %(until)s AND NOT item.is_test AND ticket.resolution <> 'spam'
    AND (ticket.triaged_at IS NOT NULL OR ticket.due_at <= %(at)s)
GROUP BY 1, 2, 3, 4
"""


@dataclass(frozen=True)
class TeamRow:
    """`note` says why there is no number; `speed` and `loop` are read together, for either alone can be improved by harm."""

    name: str
    slug: str
    tickets: int
    observed: int | None
    expected: float | None
    ratio: float | None
    low: float | None
    high: float | None
    shrunk: float | None
    verdict: str
    note: str = ""
    is_outside: bool = False


@dataclass(frozen=True)
class Fit:
    """How well chances of the 12 months before foretold the period: their slope (1 fits), and how well they tell late
    tickets from others (0.5 not at all, 1 always). `before` is the number of tickets they are learned from."""

    before: int
    slope: float | None
    auc: float | None

    @property
    def is_known(self) -> bool:
        return self.before >= FEWEST_BEFORE

    @property
    def is_good(self) -> bool:
        return self.is_known and (self.slope is None or FITTING[0] <= self.slope <= FITTING[1])


@dataclass(frozen=True)
class Compared:
    rows: Sequence[TeamRow]
    strata: int
    dispersion: float
    """Mean square of the teams' winsorised z; above 1 they differ by more than chance."""
    chart: FunnelChart
    fit: Fit


def compare(question: Question) -> Compared:
    """Each team the asker may see; expectations are of all teams."""
    period, at = question.period, question.at
    # What a ticket was before the period has no part in how it went in it, so the period cannot be its own yardstick.
    year = _counted(period.starts_at - _YEAR, period.starts_at, at)
    mine = _counted(period.starts_at, period.ends_at, at)
    chance, strata = _chances(year)
    fit = _fit(year, mine, chance)
    found: dict[int, tuple[int, int, float]] = {}
    for team, stratum, n, late in mine:
        tickets, observed, expected = found.get(team, (0, 0, 0.0))
        found[team] = (tickets + n, observed + late, expected + n * chance(stratum))
    shown = {team: each for team, each in found.items() if each[0] >= FEWEST_TICKETS and each[2] >= FEWEST_EXPECTED}
    dispersion, between = _overdispersion([(observed, expected) for _, observed, expected in shown.values()])
    rows = [
        _row(team.name, team.slug, found.get(team.pk), between) if fit.is_good else _silent(team, found.get(team.pk))
        for team in question.teams
    ]
    rows = _hide_what_could_be_subtracted(rows, everything=question.actor.sees_everything)
    return Compared(rows, strata, dispersion, _chart(rows), fit)


def _counted(since: datetime, until: datetime, at: datetime) -> list[tuple[int, tuple[int, int, str], int, int]]:
    with connection.cursor() as cursor:
        cursor.execute(_LATE, {"since": since, "until": until, "at": at})
        return [
            (team, (channel, severity, language), n, late)
            for team, channel, severity, language, n, late in cursor.fetchall()
        ]


def _chances(
    year: Sequence[tuple[int, tuple[int, int, str], int, int]],
) -> tuple[Callable[[tuple[int, int, str]], float], int]:
    """The chance of being late of a ticket of each stratum, drawn towards that of all where there are few."""
    sizes: defaultdict[tuple[int, int, str], int] = defaultdict(int)
    lates: defaultdict[tuple[int, int, str], int] = defaultdict(int)
    for _, stratum, n, late in year:
        sizes[stratum] += n
        lates[stratum] += late
    everything = sum(lates.values()) / sum(sizes.values()) if sizes else 0.0

    def chance(stratum: tuple[int, int, str]) -> float:
        return (lates[stratum] + _WORTH * everything) / (sizes[stratum] + _WORTH)

    return chance, len(sizes)


def _fit(
    year: Sequence[tuple[int, tuple[int, int, str], int, int]],
    mine: Sequence[tuple[int, tuple[int, int, str], int, int]],
    chance: Callable[[tuple[int, int, str]], float],
) -> Fit:
    came: defaultdict[tuple[int, int, str], list[int]] = defaultdict(lambda: [0, 0])
    for _, stratum, n, late in mine:
        came[stratum][0] += n
        came[stratum][1] += late
    foretold = [statistics.Foretold(chance(stratum), n, late) for stratum, (n, late) in came.items()]
    slope = statistics.calibration(foretold)["slope"]
    return Fit(sum(n for _, _, n, _ in year), slope, statistics.area_under_curve(foretold))


def _silent(team: Team, counted: tuple[int, int, float] | None) -> TeamRow:
    tickets = counted[0] if counted else 0
    return TeamRow(
        team.name, team.slug, tickets, None, None, None, None, None, None, "", gettext("Nothing is compared.")
    )


def _overdispersion(teams: Sequence[tuple[int, float]]) -> tuple[float, float]:
    """The mean square of the winsorised z of the square roots, and the additive variance of the ratio between teams."""
    if len(teams) < 2:
        return 1.0, 0.0
    scores = sorted(2 * (math.sqrt(observed) - math.sqrt(expected)) for observed, expected in teams)
    cut = int(_WINSORISED * len(scores))
    low, high = scores[cut], scores[-1 - cut]
    phi = fmean(min(max(score, low), high) ** 2 for score in scores)
    if phi <= 1:
        return phi, 0.0
    weights = [expected for _, expected in teams]
    total = sum(weights)
    spread = total - sum(weight**2 for weight in weights) / total
    return phi, max(0.0, (len(teams) * phi - (len(teams) - 1)) / spread) if spread > 0 else 0.0


def _row(name: str, slug: str, counted: tuple[int, int, float] | None, between: float) -> TeamRow:
    tickets, observed, expected = counted or (0, 0, 0.0)
    if tickets < FEWEST_TICKETS or expected < FEWEST_EXPECTED:
        return TeamRow(name, slug, tickets, None, None, None, None, None, None, "", gettext("Too few to compare."))
    likely = statistics.standardised_ratio(observed, expected)
    ratio = observed / expected
    # The usual difference between teams is no signal of any one of them.
    error = math.sqrt(1 / expected + between)
    outside = (
        abs(ratio - 1) > 1.96 * error if between else not (likely["low"] or 0) <= 1 <= (likely["high"] or math.inf)
    )
    far = abs(ratio - 1) > 3.09 * error
    verdict = gettext("Within chance")
    if outside and far:
        verdict = gettext("More than expected, clearly") if ratio > 1 else gettext("Fewer than expected, clearly")
    elif outside:
        verdict = gettext("More than expected") if ratio > 1 else gettext("Fewer than expected")
    certainty = between / (between + 1 / expected) if between else 0.0
    return TeamRow(
        name,
        slug,
        tickets,
        observed,
        expected,
        ratio,
        likely["low"],
        likely["high"],
        1 + certainty * (ratio - 1),
        verdict,
        is_outside=outside,
    )


def _hide_what_could_be_subtracted(rows: Sequence[TeamRow], *, everything: bool) -> list[TeamRow]:
    """Where just one team is hidden, the total less all others would show it: the smallest of the others is hidden too."""
    hidden = [row for row in rows if row.observed is None and row.tickets]
    open_ones = [row for row in rows if row.observed is not None]
    if not everything or len(hidden) != 1 or not open_ones:
        return list(rows)
    smallest = min(open_ones, key=lambda row: (row.tickets, row.slug))
    return [
        TeamRow(
            row.name,
            row.slug,
            row.tickets,
            None,
            None,
            None,
            None,
            None,
            None,
            "",
            gettext("Hidden, or the one above could be worked out."),
        )
        if row is smallest
        else row
        for row in rows
    ]


def _chart(rows: Sequence[TeamRow]) -> FunnelChart:
    members = tuple(
        Member(row.name, row.observed, row.expected)
        for row in rows
        if row.observed is not None and row.expected is not None
    )
    outside = ", ".join(row.name for row in rows if row.is_outside)
    said = gettext("No team is outside what chance allows.")
    if outside:
        said = gettext("Outside chance: %(teams)s.") % {"teams": outside}
    of = ngettext("Late decisions of %(count)s team.", "Late decisions of %(count)s teams.", len(members))
    sentence = f"{of % {'count': written(len(members))}} {said}"
    return FunnelChart(sentence, members, gettext("Late decisions expected from the mix of work"))
