"""Reports: the numbers of a question frozen with a hash, so that a year later they are the same digits."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext, ngettext

from feedback_portal import languages
from feedback_portal.accounts.permissions import Actor
from feedback_portal.marking import marked
from feedback_portal.refusals import BadInput, InputError, NotFound, Refused
from intake.cleaning import clean_line
from kpis import recording
from kpis.definitions import definitions
from kpis.models import Report, ReportRow
from kpis.questions import Question, in_order
from kpis.recording import DIMENSIONS, Reading
from triage.models import ChangedDay

LONGEST_TITLE = 160


class StillCounting(Refused):
    status = 409
    code = "still-counting"
    title = marked("Some days are being counted again")


@dataclass(frozen=True)
class Checked:
    """Whether a report's digits are those that were frozen, and whether counting anew as of then gives them too."""

    holds: bool
    differing: int
    compared: int


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


def repeated(report: Report, question: Question) -> Checked:
    """Count the whole numbers and weeks of a report again from items and events as of then.

    `question` is the report's own, asked again with its `as_of`. Splits are left out, for who has an item now is not who
    had it then.
    """
    stored = {(row.kpi, row.split, row.of): row for row in report.rows.filter(split__in=("", "week"))}
    differing = compared = 0
    for kpi in in_order():
        periods = [question.period, *question.period.weeks()]
        readings = recording.series(kpi, periods, at=question.at, as_of=question.as_of, slice=question.slice)
        keys = [(kpi.slug, "", ""), *((kpi.slug, "week", week.iso_week) for week in question.period.weeks())]
        for key, reading in zip(keys, readings, strict=True):
            row = stored.get(key)
            if row is None or row.definition_version != kpi.version:
                continue
            compared += 1
            figure = reading.figure
            told = (figure.value, figure.low, figure.high, figure.numerator, figure.denominator)
            differing += told != (row.value, row.low, row.high, row.numerator, row.denominator)
    return Checked(holds(report), differing, compared)


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
