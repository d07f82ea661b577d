"""The way of feedback through the organisation, step by step, as a whole and for each team, stage, channel, product and segment."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Final

from django.db.models import F
from django.utils.translation import gettext, ngettext

from feedback_portal.marking import marked
from kpis import recording, statistics
from kpis.charts import WHOLE_PERCENT, Bar, BarChart, HeatMap, heatmaps, out_of, written
from kpis.definitions import definitions
from kpis.definitions.integrated import PARTS, STEPS, counted
from kpis.facts import within
from kpis.figures import Parts
from kpis.questions import Question
from kpis.recording import DIMENSIONS
from kpis.words import Grouped

LONGEST: Final = timedelta(days=92)
"""Products and segments are in no roll-up, so they are counted over the items themselves, and over so many days at most."""
MOST_GROUPS: Final = 20
_LIVE: Final = {"product": "product", "segment": "customer__account__segment"}


@dataclass(frozen=True)
class Step:
    """`n` of all received, and of those in the step before; each opens its list."""

    slug: str
    name: str
    n: int
    share: float | None
    of_before: float | None
    url: str


@dataclass(frozen=True)
class GroupRow:
    name: str
    received: int
    cells: Sequence[str]


@dataclass(frozen=True)
class GroupTable(Grouped):
    rows: Sequence[GroupRow]
    note: str = ""


def names() -> tuple[str, ...]:
    """What the steps are called."""
    return tuple(gettext(name) for name, _, _ in STEPS.values())


_TOO_LONG: Final = {
    "product": marked("Choose at most %(days)s days to see it by product."),
    "segment": marked("Choose at most %(days)s days to see it by segment."),
}


def steps(question: Question) -> list[Step]:
    kpi = definitions.get("integrated")
    parts = recording.read(
        kpi, question.period, at=question.at, as_of=question.as_of, slice=question.slice
    ).figure.parts
    received = parts.get("denominator", 0)
    told = [Step("denominator", gettext("Received"), received, None, None, question.items_url(kpi, "denominator"))]
    for slug, (name, _, _) in STEPS.items():
        n, before = parts.get(slug, 0), told[-1].n
        told.append(
            Step(
                slug,
                gettext(name),
                n,
                n / received if received else None,
                n / before if before else None,
                question.items_url(kpi, slug),
            )
        )
    return told


def chart(steps: Sequence[Step]) -> BarChart:
    first, *others = steps
    told = ", ".join(f"{written(step.n)} {step.name.lower()}" for step in others)
    return BarChart(
        gettext("Of %(total)s items received, %(steps)s.") % {"total": written(first.n), "steps": told},
        tuple(
            Bar(
                step.name,
                step.n,
                written(step.n),
                note=WHOLE_PERCENT.write(step.share) if step.share is not None else "",
                href=step.url if step.n else "",
            )
            for step in steps
        ),
        (marked("Step"), marked("Items"), marked("Of received")),
    )


def heat(question: Question) -> HeatMap:
    """The steps of each team that received anything; a cell opens its items."""
    kpi, among = definitions.get("integrated"), question.among("team")
    found = recording.split(
        kpi,
        question.period,
        "team",
        [each.pk for each in among],
        at=question.at,
        as_of=question.as_of,
        slice=question.slice,
    )
    rows = []
    for team in among:
        parts = found[team.pk].figure.parts
        if n := parts.get("denominator", 0):
            urls = [question.items_url(kpi, slug, team=team.slug) for slug in STEPS]
            rows.append((team.name, heatmaps.cells([parts.get(slug, 0) for slug in STEPS], n, urls)))
    sentence = ngettext(
        "How far feedback went, by team: %(count)s team received some.",
        "How far feedback went, by team: %(count)s teams received some.",
        len(rows),
    )
    return HeatMap(sentence % {"count": written(len(rows))}, names(), tuple(rows), gettext("Team"))


def groups(question: Question) -> list[GroupTable]:
    """The steps of each group: teams, channels and stages from the roll-ups, products and segments from the items."""
    kpi = definitions.get("integrated")
    told = []
    for by in DIMENSIONS:
        if by == "team":
            # Drawn as a grid, with its own table.
            continue
        among = question.among(by)
        found = recording.split(
            kpi,
            question.period,
            by,
            [each.pk for each in among],
            at=question.at,
            as_of=question.as_of,
            slice=question.slice,
        )
        told.append(GroupTable(by, [_row(each.name, found[each.pk].figure.parts) for each in among]))
    return [*told, *(_live(question, by) for by in _LIVE)]


def _live(question: Question, by: str) -> GroupTable:
    if question.period.duration > LONGEST:
        return GroupTable(by, [], gettext(_TOO_LONG[by]) % {"days": LONGEST.days})
    items = within(
        recording.voices(definitions.get("integrated"), question.period, question.as_of, question.slice), question.slice
    )
    largest = F("denominator").desc()
    rows = counted(items.order_by().values_list(F(_LIVE[by])), as_of=question.as_of).order_by(largest)[:MOST_GROUPS]
    return GroupTable(
        by, [_row(str(name or gettext("Not known")), dict(zip(PARTS, numbers, strict=True))) for name, *numbers in rows]
    )


def _row(name: str, parts: Parts) -> GroupRow:
    n = parts.get("denominator", 0)
    return GroupRow(name, n, [_cell(parts.get(slug, 0), n) for slug in STEPS])


def _cell(hits: int, n: int) -> str:
    """A share, or how many of how many where there are too few for one."""
    if n == 0:
        return ""
    if n < 10:
        return out_of(hits, n)
    likely = statistics.wilson(hits, n)
    return WHOLE_PERCENT.write(likely["estimate"])
