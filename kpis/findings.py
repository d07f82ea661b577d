"""What changed, in a few sentences: each a verdict, the claim, the digits behind it and where to look."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Literal

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.translation import gettext

from feedback_portal.languages import said
from kpis.charts import written
from kpis.definitions.base import Kpi
from kpis.figures import Change
from kpis.models import Signal
from kpis.questions import Question
from kpis.recording import Reading
from kpis.signals.names import name_of
from kpis.trends import Trend
from kpis.words import VERDICTS, moved_in_words, n_in_words, plainly
from triage.models import Action, Verdict

_MOST: Final = 3

FindingKind = Literal["signal", "worse", "better", "changed", "noise", "unknown", "worked"]


@dataclass(frozen=True)
class Headline:
    """A KPI over the period, over the one before, and over its last weeks."""

    now: Reading
    before: Reading
    change: Change
    weeks: Sequence[Reading]

    @property
    def kpi(self) -> Kpi:
        return self.now.kpi


@dataclass(frozen=True)
class Finding:
    """One sentence of what changed: its verdict, the claim, the digits behind it and where to look."""

    kind: FindingKind
    label: str
    claim: str
    digits: str
    url: str
    opens: str


def findings(headlines: Sequence[Headline], flow: Trend, question: Question) -> tuple[Finding, ...]:
    """At most three, what left its limits first, and always one "no change" when there is one."""
    loud = [*_raised(question), *_judged(question)]
    loud += [
        _signal(reading, flow, question) for reading in flow.signals if reading is _newest_finished(flow, question)
    ]
    for kind in ("worse", "better", "changed"):
        loud += [_moved(each, question) for each in headlines if each.change.verdict == kind]
    quiet = [_moved(each, question) for each in headlines if each.change.verdict == "noise"][:1]
    if not loud and not quiet:
        return (
            Finding(
                "unknown",
                gettext("Too early"),
                gettext("There is too little to compare with yet."),
                gettext("Two periods with enough items in each are needed before a change can be told from chance."),
                reverse("kpis:kpi", args=[headlines[0].kpi.slug]),
                gettext("How this is judged"),
            ),
        )
    return tuple(loud[: _MOST - len(quiet)] + quiet)


def _raised(question: Question) -> list[Finding]:
    """The open early warning with the most at stake."""
    seen = Signal.objects.open().visible_to(question.actor).filter(kind__in=(Signal.Kind.RISE, Signal.Kind.VOICE))
    if question.team is not None:
        seen = seen.filter(team=question.team)
    signal = seen.order_by("-value", "p", "-id").first()
    if signal is None:
        return []
    weeks = len(signal.weeks)
    slots = {
        "name": name_of(signal),
        "weeks": written(weeks),
        "items": written(signal.count),
        "expected": written(signal.expected, 1),
        "customers": written(signal.customers),
    }
    if signal.kind == Signal.Kind.VOICE:
        claim = gettext("%(name)s: a new voice.")
        digits = gettext("%(items)s items, and no topic fits, by %(customers)s customers.")
    else:
        claim = gettext("%(name)s: more than usual.")
        if weeks > 1:
            claim = gettext("%(name)s: more than usual, seen in %(weeks)s weeks.")
        digits = gettext("%(items)s items where %(expected)s were to be expected, by %(customers)s customers.")
    return [
        Finding(
            "signal",
            gettext("Signal"),
            claim % slots,
            digits % slots,
            reverse("kpis:signal", args=[signal.reference]),
            gettext("See %(reference)s") % {"reference": signal.reference},
        )
    ]


def _judged(question: Question) -> list[Finding]:
    """The newest action whose effect is clear, judged since the period began; what worked and came back is no good news any more."""
    verdicts = Verdict.objects.filter(
        action__in=Action.objects.visible_to(question.actor),
        outcome__in=(Action.Outcome.WORKED, Action.Outcome.WORSE),
        judged_at__gte=question.period.starts_at,
    )
    verdicts = verdicts.exclude(
        outcome=Action.Outcome.WORKED,
        action__reopened_at__isnull=False,
        action__step__in=(Action.Step.PLAN, Action.Step.DO),
    )
    if question.team is not None:
        verdicts = verdicts.filter(action__team=question.team)
    newest = verdicts.select_related("action").order_by("-action__effective_from", "-action_id").first()
    if newest is None:
        return []
    worked = newest.outcome == Action.Outcome.WORKED
    return [
        Finding(
            "worked" if worked else "worse",
            gettext("Worked") if worked else gettext("Worse"),
            f"{newest.action.title}.",
            said(newest.sentence),
            reverse("triage:action", args=[newest.action.reference]),
            gettext("See %(reference)s") % {"reference": newest.action.reference},
        )
    ]


def _newest_finished(flow: Trend, question: Question) -> Reading | None:
    return next((each for each in reversed(flow.readings) if each.period.is_over(question.at)), None)


def _signal(reading: Reading, flow: Trend, question: Question) -> Finding:
    kpi, limits = reading.kpi, flow.limits
    place = flow.readings.index(reading)
    assert limits is not None
    n, upper, lower = reading.figure.numerator, limits.upper[place] or 0, limits.lower[place] or 0
    claim, limit = (
        (gettext("%(name)s went above the limit last week."), upper)
        if n > upper
        else (gettext("%(name)s went below the limit last week."), lower)
    )
    slots = {
        "items": written(n),
        "day": date_format(reading.period.first, "LONG_DAY"),
        "limit": written(limit),
    }
    return Finding(
        "signal",
        gettext("Signal"),
        claim % {"name": kpi.name},
        gettext("%(items)s items in the week of %(day)s; the limit is %(limit)s.") % slots,
        question.items_url(kpi, "numerator", period=reading.period),
        gettext("See %(items)s items") % slots,
    )


def _moved(headline: Headline, question: Question) -> Finding:
    kpi, change = headline.kpi, headline.change
    slots = {
        "name": kpi.name,
        "was": plainly(kpi, headline.before.figure),
        "now": plainly(kpi, headline.now.figure),
        "told": moved_in_words(kpi, change, headline.now.figure),
        "against": question.against_words,
        "n": n_in_words(headline.now.figure.denominator),
    }
    # Periods of unlike age or length are not set side by side in digits.
    is_alone = kpi.ripens or change.ratio is not None or headline.before.figure.value is None
    if change.verdict == "noise":
        claim = (
            gettext("%(name)s is %(now)s, a change within noise.")
            if is_alone
            else gettext("%(name)s went from %(was)s to %(now)s, which is noise.")
        )
        digits = gettext("%(told)s, %(n)s: chance alone moves it as far.")
    else:
        claim = gettext("%(name)s is %(now)s.") if is_alone else gettext("%(name)s went from %(was)s to %(now)s.")
        digits = gettext("%(told)s against %(against)s, %(n)s.")
    verdict: FindingKind = change.verdict
    label = gettext(VERDICTS[verdict])
    return Finding(verdict, label, claim % slots, digits % slots, question.page_url(kpi), gettext("How this is judged"))
