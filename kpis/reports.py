"""Reports: the numbers of a question frozen with a hash, so that a year later they are the same digits."""

import hashlib
import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import parse_qsl
from zoneinfo import ZoneInfo

from django.db import transaction
from django.utils.translation import gettext, ngettext

from feedback_portal import languages
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_line
from intake.models import FeedbackItem
from kpis import recording
from kpis.definitions import definitions
from kpis.definitions.base import Kpi
from kpis.figures import Figure, Parts
from kpis.models import Report, ReportRow
from kpis.questions import Question, ask, in_order
from kpis.recording import DIMENSIONS, Reading
from triage.models import ChangedDay, Event

LONGEST_TITLE = 160
MOST_DAYS_AGAIN: Final = 400
"""What is longer is not counted again on a page: it reads every item of the period."""


class StillCounting(Refused):
    status = 409
    code = "still-counting"
    title = marked("Some days are being counted again")


@dataclass(frozen=True)
class Difference:
    """A number of a report that comes to something else when it is counted again."""

    row: ReportRow
    anew: Figure


@dataclass(frozen=True)
class Checked:
    """Whether a report's digits are those that were frozen, and whether counting anew as of then gives them too.

    `erased` items of the period were erased since, and `rewritten` ones changed at their source: what those said before is
    kept nowhere, which is the one thing that can make a difference.
    """

    holds: bool
    compared: int
    differences: Sequence[Difference]
    erased: int
    rewritten: int

    @property
    def differing(self) -> int:
        return len(self.differences)


@transaction.atomic
def freeze(question: Question, *, title: str, by: Actor, at: datetime) -> Report:
    """Every KPI of the question: whole, week by week, and by team, channel and stage. Asking twice in the same moment gives
    the same report. Raises StillCounting while a day of the period waits to be counted again."""
    if by.user is None:
        raise BadInput(gettext("A report is frozen by a person. Sign in and freeze it from the page."))
    named = clean_line(title, longest=LONGEST_TITLE)
    if not named:
        message = gettext("Give the report a name, as in: Quality, third quarter.")
        raise BadInput(message, errors=(InputError("title", message),))
    period = question.period
    waiting = ChangedDay.objects.filter(
        day__gte=period.first, day__lt=period.end, completed_at=None, parked_at=None
    ).count()
    if waiting:
        message = ngettext(
            "%(count)s day of it is being counted again. Wait a minute and freeze the report then.",
            "%(count)s days of it are being counted again. Wait a minute and freeze the report then.",
            waiting,
        )
        raise StillCounting(message % {"count": waiting})
    # What is hashed is the same whoever freezes it; `note_of` says it in the language of its reader.
    with languages.speaking(languages.PROGRAMS):
        rows = list(_rows(question))
    head = _head(period.first, period.last, period.zone.key, question.as_of, question.query())
    sha256 = _digest(head, rows)
    year, week, _ = period.last.isocalendar()
    report, made = Report.objects.get_or_create(
        code=f"R-{year}-{week:02}-{sha256[:8]}",
        defaults={
            "title": named,
            "query": question.query(),
            "team": question.team,
            "first_day": period.first,
            "last_day": period.last,
            "zone": period.zone.key,
            "as_of": question.as_of,
            "sha256": sha256,
            "person": by.user,
        },
    )
    if made:
        ReportRow.objects.bulk_create(
            [ReportRow(report=report, position=place, **row) for place, row in enumerate(rows)]
        )
    return report


def find(code: str, *, by: Actor) -> Report:
    report = Report.objects.visible_to(by).select_related("team", "person").filter(code=code).first()
    if report is None or not by.may_steer:
        raise NotFound(gettext("There is no report of this number, or it is of a team you are not in."))
    return report


def holds(report: Report) -> bool:
    """Whether every stored digit is the one that was frozen."""
    rows = [{name: getattr(row, name) for name in _COLUMNS} for row in report.rows.order_by("position")]
    head = _head(report.first_day, report.last_day, report.zone, report.as_of, report.query)
    return _digest(head, rows) == report.sha256


def repeated(report: Report, *, by: Actor, at: datetime) -> Checked:
    """Count a report again from the items and events as of then: whole, by week, and by team, channel and stage.

    Rows of a definition that was replaced since are left out. Raises BadInput for more than `MOST_DAYS_AGAIN` days.
    """
    question = _asked_again(report, by=by, at=at)
    stored: defaultdict[str, dict[tuple[str, str], ReportRow]] = defaultdict(dict)
    for row in report.rows.order_by("position"):
        stored[row.kpi][row.split, row.of] = row
    compared, differences = 0, []
    for kpi in in_order():
        rows = stored[kpi.slug]
        if not rows or any(row.definition_version != kpi.version for row in rows.values()):
            continue
        anew = _counted_again(kpi, question)
        for key, row in rows.items():
            compared += 1
            figure = kpi.figure(anew.get(key, {}), as_of=question.as_of)
            if _digits(figure) != _digits(row):
                differences.append(Difference(row, figure))
    items = FeedbackItem.objects.filter(
        received_at__gte=question.period.starts_at, received_at__lt=question.period.ends_at
    )
    changed = Event.objects.filter(item__in=items.values("pk"), type=Event.Type.CHANGED, recorded_at__gt=report.as_of)
    return Checked(
        holds(report),
        compared,
        differences,
        erased=items.filter(submission__gone_at__gt=report.as_of).count(),
        rewritten=changed.values("item").distinct().count(),
    )


def may_be_repeated(report: Report) -> bool:
    return (report.last_day - report.first_day).days < MOST_DAYS_AGAIN


def _asked_again(report: Report, *, by: Actor, at: datetime) -> Question:
    """The question of a report as of then, in the days of its own time zone."""
    if not may_be_repeated(report):
        message = gettext("This report is about more than %(days)s days, which is too many to count again here.")
        raise BadInput(message % {"days": MOST_DAYS_AGAIN})
    asked = dict(parse_qsl(report.query)) | {
        "from": report.first_day.isoformat(),
        "to": report.last_day.isoformat(),
        "as_of": report.as_of.isoformat(),
    }
    if report.team is not None:
        asked["team"] = report.team.slug
    question = ask(asked, actor=by, at=at, looks_back=True)
    return replace(question, period=replace(question.period, zone=ZoneInfo(report.zone)))


def _counted_again(kpi: Kpi, question: Question) -> Mapping[tuple[str, str], Parts]:
    """The sums of a report's rows, by split and name."""
    period, as_of, slice = question.period, question.as_of, question.slice
    found: defaultdict[tuple[str, str], Counter[str]] = defaultdict(Counter)
    if kpi.adds_up:
        whole = recording.counted_by_day(kpi, period.days(), at=as_of, slice=slice)
        names_of_weeks = {day.first: week.iso_week for week in period.weeks() for day in week.days()}
        for place, parts in whole.items():
            found["week", names_of_weeks[place.day]].update(parts)
    else:
        whole = kpi.count(recording.voices(kpi, period, as_of, slice), as_of=as_of)
        for week in period.weeks():
            for parts in kpi.count(recording.voices(kpi, week, as_of, slice), as_of=as_of).values():
                found["week", week.iso_week].update(parts)
    names = {by: {each.pk: each.slug for each in question.among(by)} for by in DIMENSIONS}
    for place, parts in whole.items():
        found["", ""].update(parts)
        for by in DIMENSIONS:
            if (slug := names[by].get(getattr(place, by))) is not None:
                found[by, slug].update(parts)
    return found


def _digits(told: Figure | ReportRow) -> tuple[float | None, float | None, float | None, int, int]:
    return told.value, told.low, told.high, told.numerator, told.denominator


_COLUMNS = (
    "kpi", "definition_version", "split", "of", "value", "low", "high", "numerator", "denominator", "note", "parts",
)  # fmt: skip


def _rows(question: Question) -> Iterator[dict[str, Any]]:
    kpis, at = in_order(), question.at
    weeks = question.period.weeks()
    readings = recording.together(
        {kpi: [question.period, *weeks] for kpi in kpis}, at=at, as_of=question.as_of, slice=question.slice
    )
    for kpi in kpis:
        whole, *by_week = readings[kpi.slug]
        yield _row(whole, "", "")
        for week, reading in zip(weeks, by_week, strict=True):
            yield _row(reading, "week", week.iso_week)
        for by in DIMENSIONS:
            among = question.among(by)
            found = recording.split(
                kpi,
                question.period,
                by,
                [each.pk for each in among],
                at=at,
                as_of=question.as_of,
                slice=question.slice,
            )
            for each in among:
                yield _row(found[each.pk], by, each.slug)


def _row(reading: Reading, split: str, of: str) -> dict[str, Any]:
    figure = reading.figure
    return {
        "kpi": reading.kpi.slug,
        "definition_version": reading.kpi.version,
        "split": split,
        "of": of,
        "value": _float(figure.value),
        "low": _float(figure.low),
        "high": _float(figure.high),
        "numerator": figure.numerator,
        "denominator": figure.denominator,
        "note": figure.note[:200],
        "parts": dict(sorted(figure.parts.items())),
    }


def _float(number: float | None) -> float | None:
    # As the column gives it back: a count that is whole would hash otherwise as 12 than as 12.0.
    return None if number is None else float(number)


def _head(first: Any, last: Any, zone: str, as_of: datetime, query: str) -> dict[str, str]:
    return {
        "from": first.isoformat(),
        "to": last.isoformat(),
        "zone": zone,
        "as_of": as_of.astimezone(UTC).isoformat(),
        "query": query,
    }


def _digest(head: dict[str, str], rows: Iterable[dict[str, Any]]) -> str:
    """SHA-256 over the head and every row as canonical JSON, a line each."""
    digest = hashlib.sha256(_line(head))
    for row in rows:
        digest.update(_line(row))
    return digest.hexdigest()


def _line(part: dict[str, Any]) -> bytes:
    return json.dumps(part, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode() + b"\n"


def note_of(report: Report, row: ReportRow) -> str:
    """Why there is no number, said now from what was frozen; as it was frozen where the KPI was defined anew since."""
    if not row.note or row.kpi not in definitions:
        return row.note
    kpi = definitions.get(row.kpi)
    return kpi.figure(row.parts, as_of=report.as_of).note if kpi.version == row.definition_version else row.note


def shown(report: Report) -> list[tuple[str, Sequence[ReportRow]]]:
    """The rows in groups as a page shows them: (name of the KPI, its rows)."""
    groups: dict[str, list[ReportRow]] = {}
    for row in report.rows.order_by("position"):
        groups.setdefault(row.kpi, []).append(row)
    return [(definitions.get(slug).name if slug in definitions else slug, rows) for slug, rows in groups.items()]
