"""The dashboard: the headline numbers, and the charts that say why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime

from django.db.models import Q
from django.urls import reverse
from django.utils.safestring import SafeString
from django.utils.text import capfirst
from django.utils.translation import gettext, ngettext

from feedback_portal.marking import marked
from kpis import annotations, backlog, effect_page, recording
from kpis.charts import (
    WHOLE_PERCENT,
    Bar,
    BarChart,
    Chart,
    Curve,
    CurveChart,
    CurveMark,
    Sparkline,
    Table,
    draw,
    draw_sparkline,
    written,
)
from kpis.charts.units import HOURS, WHOLE_DAYS
from kpis.definitions import definitions
from kpis.definitions.base import FEW
from kpis.figures import NO_COMPARISON, Change
from kpis.findings import Finding, Headline, findings
from kpis.periods import local_day, weeks_around, whole_weeks
from kpis.questions import Question, in_order
from kpis.recording import Reading
from kpis.trends import Trend, trend
from kpis.words import (
    Told,
    between,
    change_in_words,
    interval_in_words,
    plainly,
    unit_of,
    value_in_words,
)
from triage.models import ChangedDay

SPARK_WEEKS = 13
CHART_WEEKS = 26


@dataclass(frozen=True)
class Tile:
    name: str
    url: str
    value: str
    suffix: str
    interval: str
    change: Told
    spark: SafeString


@dataclass(frozen=True)
class Card:
    """What `kpis/_chart.html` shows."""

    title: str
    about: str
    picture: SafeString
    table: Table
    href: str = ""
    opens: str = ""


@dataclass(frozen=True)
class StageRow:
    name: str
    url: str
    items: str
    items_url: str
    acted_on: float | None
    acted_words: str
    interval: str


@dataclass(frozen=True)
class Dashboard:
    tiles: tuple[Tile, ...]
    more: tuple[Tile, ...]
    """The numbers that are not headlines."""
    findings: tuple[Finding, ...]
    flow: Card
    steps: Card
    resolution: Card
    ages: Card
    effects: Card | None
    """What became of actions; None while none has a verdict."""
    stages: tuple[StageRow, ...]
    without_stage: int
    days_behind: int
    """Days of the period whose facts changed and that are still to be counted again."""


def dashboard(question: Question) -> Dashboard | None:
    """Everything on the page, or None while nothing has been measured at all."""
    began = recording.first_day()
    if began is None:
        return None
    headlines, flow_weeks = _read(question, began)
    received = headlines["items-received"].now
    span = replace(question.period, first=flow_weeks[0].period.first, end=flow_weeks[-1].period.end)
    flow = trend(
        flow_weeks,
        at=question.at,
        opens=lambda each: question.items_url(each.kpi, "numerator", period=each.period),
        notes=annotations.between(span, by=question.actor),
    )
    stages, at_a_stage = _stages(question)
    return Dashboard(
        tiles=tuple(_tile(each, question) for each in headlines.values() if each.kpi.is_headline),
        more=tuple(_tile(each, question) for each in headlines.values() if not each.kpi.is_headline),
        findings=findings([each for each in headlines.values() if each.kpi.is_headline], flow, question),
        flow=_flow_card(flow, received, question),
        steps=_steps_card({slug: headline.now for slug, headline in headlines.items()}, question),
        resolution=_resolution_card(headlines["time-to-resolution"], question),
        ages=_ages_card(question),
        effects=_effects_card(question),
        stages=stages,
        without_stage=received.figure.numerator - at_a_stage if question.stage is None else 0,
        days_behind=ChangedDay.objects.filter(
            Q(day__gte=question.period.first, day__lt=question.period.end), completed_at=None, parked_at=None
        ).count(),
    )


def _read(question: Question, began: date) -> tuple[dict[str, Headline], list[Reading]]:
    """Every KPI, and how much came in week by week."""
    period, at, other = question.period, question.at, question.other_team
    periods = [period, question.before, *whole_weeks(period, at=at, most=SPARK_WEEKS)]
    weeks = weeks_around(period, at=at, fewest=CHART_WEEKS)
    # The week in which the first item ever arrived is not a whole one, and before it there was no portal.
    lived = [week for week in weeks if week.first >= began] or list(weeks[-1:])
    asked = {kpi: periods + (lived if kpi.slug == "items-received" else []) for kpi in in_order()}
    readings = recording.together(asked, at=at, slice=question.slice)
    others: dict[str, list[Reading]] = {}
    if other is not None:
        others = recording.together(
            {kpi: [period] for kpi in in_order()}, at=at, slice=replace(question.slice, team=other.pk)
        )
    headlines = {}
    for slug, (now, earlier, *spark) in readings.items():
        before = others[slug][0] if others else earlier
        change = compared(now, began=began, at=at, before=before)
        headlines[slug] = Headline(now, before, change, spark[: len(periods) - 2])
    return headlines, readings["items-received"][len(periods) :]


def compared(now: Reading, *, began: date, at: datetime, before: Reading) -> Change:
    """The change against the period before, over the days that each was really watched.

    A KPI that ripens is compared with what the period before had come to at the same age, or every new period would look
    worse than the last. Ages are told in days, so what happened today is left out of both.
    """
    kpi, period, previous = now.kpi, now.period, before.period
    watched = (previous.end - max(previous.first, began)).days
    if watched < min(7, period.day_count):
        return NO_COMPARISON
    today = local_day(at, period.zone)
    figures = (
        kpi.figure_before(day, reading.figure.parts, as_of=at) if kpi.ripens else reading.figure
        for reading, day in ((now, today), (before, today - (period.first - previous.first)))
    )
    passed = (min(at, period.ends_at) - period.starts_at).total_seconds() / 86_400
    return kpi.change(*figures, days=(max(passed, 1 / 24), watched))


def _tile(headline: Headline, question: Question) -> Tile:
    kpi, figure = headline.kpi, headline.now.figure
    value, suffix = value_in_words(kpi, figure)
    return Tile(
        kpi.name,
        question.page_url(kpi),
        value,
        suffix,
        interval_in_words(kpi, figure),
        change_in_words(kpi, headline.change, figure),
        draw_sparkline(Sparkline(tuple(week.figure.value for week in headline.weeks))),
    )


def _flow_card(flow: Trend, received: Reading, question: Question) -> Card:
    n = received.figure.numerator
    if flow.limits is None:
        about = gettext("By week of arrival. Limits are drawn from eight finished weeks on.")
    else:
        about = gettext(
            "By week of arrival. Limits are as wide as these weeks vary; diamonds are outside. The week that still runs is left out."
        )
    return _card(
        gettext("Items received, weekly"),
        about,
        flow.chart,
        question.items_url(received.kpi, "numerator"),
        _items(n),
    )


def _steps_card(now: Mapping[str, Reading], question: Question) -> Card:
    received, triaged = now["items-received"], now["time-to-triage"]
    resolved, acted = now["time-to-resolution"], now["acted-on"]
    total = received.figure.numerator
    steps = (
        (marked("Received"), received, "numerator", total),
        (marked("Triaged"), triaged, "numerator", triaged.figure.numerator),
        (marked("Actionable"), acted, "denominator", acted.figure.denominator),
        (marked("Resolved"), resolved, "numerator", resolved.figure.numerator),
        (marked("Acted on"), acted, "numerator", acted.figure.numerator),
    )
    bars = tuple(
        Bar(
            gettext(name),
            n,
            written(n),
            note=WHOLE_PERCENT.write(n / total) if total and name != "Received" else "",
            href=question.items_url(reading.kpi, "numerator" if side == "numerator" else "denominator") if n else "",
        )
        for name, reading, side, n in steps
    )
    told = ", ".join(f"{written(n)} {gettext(name).lower()}" for name, _, _, n in steps if name != "Received")
    sentence = gettext("Of %(total)s items received, %(steps)s.") % {"total": written(total), "steps": told}
    return _card(
        gettext("From received to acted on"),
        gettext("Of the items that came in during the period; right, the share of them."),
        BarChart(sentence, bars, (marked("Step"), marked("Items"), marked("Of received"))),
        question.items_url(received.kpi, "numerator"),
        _items(total),
    )


def _resolution_card(headline: Headline, question: Question) -> Card:
    now, before = headline.now.figure, headline.before.figure
    kpi = headline.kpi
    ends = [curve["table"][-1]["time"] for curve in (now.curve, before.curve) if curve is not None and curve["table"]]
    unit = unit_of(kpi, *ends)
    per, axis = (1.0, HOURS) if unit is HOURS else (24.0, WHOLE_DAYS)
    curves = [
        Curve.of(name, curve, per=per, is_previous=is_previous)
        for name, curve, is_previous in (
            (gettext("This period"), now.curve, False),
            (capfirst(question.against_words), before.curve, True),
        )
        if curve is not None and curve["table"]
    ]
    marks = []
    for share, words, and_was, value, was in (
        (0.5, *_HALF, now.value, before.value),
        (0.9, *_NINETY, now.curve and now.curve["p90"], before.curve and before.curve["p90"]),
    ):
        if value is not None:
            slots = {"time": unit.write(value), "was": unit.write(was)}
            marks.append(CurveMark(value / per, share, gettext(words if was is None else and_was) % slots))
    sentence = f"{marks[0].text}." if marks else now.note or gettext("Fewer than half are resolved so far.")
    about = gettext("%(items)s items still open count as open (Kaplan and Meier, 95%% band); dashed, %(against)s.") % {
        "items": written(now.denominator - now.numerator),
        "against": question.against_words,
    }
    return _card(
        kpi.name,
        about,
        CurveChart(sentence, tuple(curves), tuple(marks), axis, horizon=_horizon(curves)),
        question.items_url(kpi, "denominator"),
        _items(now.denominator),
    )


_HALF = (marked("Half within %(time)s"), marked("Half within %(time)s, was %(was)s"))
_NINETY = (marked("90%% within %(time)s"), marked("90%% within %(time)s, was %(was)s"))


def _horizon(curves: Sequence[Curve]) -> float | None:
    """Where the picture may end: one item that stays open for a year must not squeeze all others into a corner."""
    ends = [(curve.first_time(0.9) or curve.steps[-1].time) * 1.3 for curve in curves if curve.steps]
    return max(ends) if ends and max(ends) > 0 else None


def _ages_card(question: Question) -> Card:
    ages = backlog.by_age(question)
    total = sum(ages.values())
    bars = tuple(
        Bar(
            band.name,
            n,
            written(n),
            href=backlog_url(question, band.slug) if n else "",
            tone="signal" if band.is_old else "plain",
        )
        for band, n in ages.items()
    )
    old = sum(n for band, n in ages.items() if band.is_old)
    slots = {"total": written(total), "old": written(old)}
    return _card(
        gettext("Age of the backlog"),
        gettext("Tickets open now, by days since they came in, whenever that was."),
        BarChart(
            gettext("%(total)s tickets are open now, %(old)s of them for more than 60 days.") % slots,
            bars,
            (marked("Age"), marked("Tickets"), ""),
        ),
        backlog_url(question) if total else "",
        gettext("%(total)s open") % slots,
    )


def _effects_card(question: Question) -> Card | None:
    chart = effect_page.forest(by=question.actor)
    if not chart.effects:
        return None
    about = gettext(
        "The change of what each action was to move, with its 95% interval; hollow where chance alone may be why."
    )
    return _card(gettext("Did the actions work?"), about, chart, reverse("kpis:effects"), gettext("All verdicts"))


def backlog_url(question: Question, band: str = "") -> str:
    query = question.query(**{"from": None, "to": None, "band": band})
    return f"{reverse('kpis:backlog')}?{query}" if query else reverse("kpis:backlog")


def _stages(question: Question) -> tuple[tuple[StageRow, ...], int]:
    """The rows, and how many items they hold together."""
    stages = question.among("stage")
    received, acted_on = definitions.get("items-received"), definitions.get("acted-on")
    keys = [stage.pk for stage in stages]
    items, acted = (
        recording.split(kpi, question.period, "stage", keys, at=question.at, slice=question.slice)
        for kpi in (received, acted_on)
    )
    rows = []
    for stage in stages:
        n, figure = items[stage.pk].figure.numerator, acted[stage.pk].figure
        low, high = figure.low, figure.high
        rows.append(
            StageRow(
                stage.name,
                question.page_url(acted_on, stage=stage.slug),
                written(n),
                question.items_url(received, "numerator", stage=stage.slug) if n else "",
                figure.value,
                WHOLE_PERCENT.write(figure.value / 100) if figure.value is not None else plainly(acted_on, figure),
                between(written(low), WHOLE_PERCENT.write(high / 100))
                if low is not None and high is not None and figure.denominator >= FEW
                else "",
            )
        )
    return tuple(rows), sum(reading.figure.numerator for reading in items.values())


def _items(n: int) -> str:
    return ngettext("%(count)s item", "%(count)s items", n) % {"count": written(n)}


def _card(title: str, about: str, chart: Chart, href: str, opens: str) -> Card:
    return Card(title, about, draw(chart), chart.table(), href, opens)
