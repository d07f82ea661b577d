"""The verdicts on actions for eyes: one as a chart of its weeks, all of them under one another."""

from collections.abc import Sequence
from datetime import date, datetime
from itertools import pairwise
from typing import Any, Final

from django.urls import reverse
from django.utils.formats import date_format
from django.utils.http import urlencode
from django.utils.translation import gettext, ngettext

from feedback_portal.accounts.permissions import Actor
from feedback_portal.languages import said
from feedback_portal.marking import marked
from kpis.charts import PERCENT, Annotation, Effect, ForestChart, LineChart, Point, Unit, draw, written
from kpis.charts.forests import VERDICTS
from kpis.statistics import poisson_ci, wilson
from triage.models import Action, Verdict

MOST = 100
_PER_THOUSAND: Final = Unit(factor=1000, decimals=1)
_CHANGE: Final = Unit(suffix="%", factor=100)


def shown(action: Action, finding: Verdict) -> dict[str, Any]:
    """The context of `_effect.html`."""
    weeks = finding.data.get("weeks", [])
    context: dict[str, Any] = {
        "action": action,
        "finding": finding,
        "word": gettext(VERDICTS[finding.outcome]) if finding.outcome else gettext("Too early to say"),
    }
    if len(weeks) > 1:
        chart = _weekly(action, finding, weeks)
        context |= {"picture": draw(chart), "table": chart.table()}
        context["sides"] = [
            (_counted(count, side), items_url(action, side=side) if count else "")
            for side in ("before", "after")
            for count in (sum(count for _, count, _, on in weeks if on == side),)
        ]
    return context


def items_url(action: Action, **asked: str) -> str:
    return f"{reverse('kpis:effect_items', args=[action.reference])}?{urlencode(asked)}"


def forest(*, by: Actor, since: datetime | None = None) -> ForestChart:
    """All verdicts this actor may see, newest first, as changes from no change."""
    rows = Verdict.objects.filter(action__in=Action.objects.visible_to(by)).exclude(outcome="")
    if since is not None:
        rows = rows.filter(judged_at__gte=since)
    found = rows.select_related("action").order_by("-action__effective_from", "-action_id")[:MOST]
    effects = tuple(_effect(each) for each in found)
    counted = {word: sum(each.verdict == outcome for each in effects) for outcome, word in VERDICTS.items()}
    told = ", ".join(f"{written(number)} {gettext(word).lower()}" for word, number in counted.items())
    sentence = ngettext(
        "Verdicts on %(count)s action: %(told)s.", "Verdicts on %(count)s actions: %(told)s.", len(effects)
    )
    return ForestChart(sentence % {"count": written(len(effects)), "told": told}, effects, _CHANGE)


def waiting(*, by: Actor) -> list[Verdict]:
    """What is checked and has too few weeks for a verdict, that which has shipped last first; each says when the first can come."""
    actions = Action.objects.visible_to(by).filter(step=Action.Step.CHECK, withdrawn_at=None)
    found = Verdict.objects.filter(action__in=actions, outcome="").select_related("action")
    return list(found.order_by("-action__effective_from", "-action_id")[:MOST])


def _counted(count: int, side: str) -> str:
    """How many items lie on one side of the effect."""
    if not count:
        return gettext("none before") if side == "before" else gettext("none after")
    said = (
        ngettext("%(count)s item before", "%(count)s items before", count)
        if side == "before"
        else ngettext("%(count)s item after", "%(count)s items after", count)
    )
    return said % {"count": written(count)}


def _effect(finding: Verdict) -> Effect:
    """On one scale: the relative change of what the action should move."""
    estimate, low, high = (_relative(finding, value) for value in (finding.estimate, finding.low, finding.high))
    action = finding.action
    return Effect(
        name=f"{action.reference} {action.title}",
        about=gettext("effective from %(day)s") % {"day": date_format(action.effective_from, "DAY_YEAR")}
        if action.effective_from
        else "",
        change=estimate,
        low=low,
        high=high,
        verdict=finding.outcome,  # type: ignore[arg-type]  # its choices are the same
        href=reverse("triage:action", args=[action.reference]),
    )


def _relative(finding: Verdict, value: float | None) -> float:
    if value is None:
        return 0.0
    if finding.unit == "ratio":
        return min(value - 1, 9.99)
    before = [(count, size) for _, count, size, side in finding.data.get("weeks", []) if side == "before"]
    share = sum(count for count, _ in before) / max(sum(size for _, size in before), 1)
    # An interval of a difference reaches below zero where its share does not.
    return min(max(value / share, -1.0), 9.99) if share else 0.0


def _weekly(action: Action, finding: Verdict, weeks: Sequence[Sequence[Any]]) -> LineChart:
    as_rate = finding.data.get("measure") == "rate"
    points = tuple(_point(action, *week, as_rate=as_rate, per=finding.data.get("per", "")) for week in weeks)
    turn = next((place for place, (one, two) in enumerate(pairwise(weeks)) if one[3] != two[3]), None)
    notes = (Annotation(turn + 0.5, gettext("Took effect")),) if turn is not None else ()
    return LineChart(
        sentence=said(finding.sentence),
        unit=_PER_THOUSAND if as_rate else PERCENT,
        points=points,
        band="interval",
        annotations=notes,
        end_note=gettext("per 1,000 %(per)s") % {"per": gettext(finding.data["per"])}
        if finding.data.get("per") and as_rate
        else "",
        names=(marked("Week from"), marked("Rate") if as_rate else marked("Share")),
    )


def _point(action: Action, first: str, count: int, size: float, side: str, *, as_rate: bool, per: str) -> Point:
    day = date.fromisoformat(first)
    if as_rate:
        told = poisson_ci(count)
        low, high = ((told["low"] or 0) / size, (told["high"] or 0) / size)
    else:
        share = wilson(min(count, int(size)), int(size))
        low, high = share["low"] or 0.0, share["high"] or 0.0
    return Point(
        label=date_format(day, "DAY_YEAR"),
        short_label=date_format(day, "DAY"),
        value=count / size,
        lower=low,
        upper=high,
        note=f"{count} of {size:,.0f} {per or 'items'}, {side}",
        href=items_url(action, week=first),
    )
