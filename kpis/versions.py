"""Versions of definitions: from when on each counts, what it changed, and what both come to over the same weeks."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from difflib import SequenceMatcher
from typing import Any, Final, Literal
from zoneinfo import ZoneInfo

from django.db.models import Count
from django.utils import translation
from django.utils.translation import gettext

from feedback_portal.accounts.permissions import Actor
from kpis import recording
from kpis.definitions.base import Kpi
from kpis.facts import Slice
from kpis.models import DefinitionVersion, Report, ReportRow
from kpis.periods import Period, whole_weeks
from kpis.questions import in_order
from kpis.recording import Reading

OVERLAP_WEEKS: Final = 8
NEWEST_REPORTS: Final = 100
# Any will do, as long as it stays: only the shape of a statement is told by it.
_ANY_MOMENT: Final = datetime(2026, 1, 1, tzinfo=UTC)
_ANY_PERIOD: Final = Period(date(2025, 1, 6), date(2025, 1, 13), ZoneInfo("UTC"))

Kind = Literal["same", "gone", "new"]


@dataclass(frozen=True)
class Told:
    """One version in words. `pieces` are its sentences beside those of the version before.

    `is_reworded` says that the portal words it otherwise than was written down when it began, under the same number;
    `is_rewritten` that it counts by another statement, which may mean the same, as after an update.
    """

    row: DefinitionVersion
    pieces: Sequence[tuple[Kind, str]]
    is_current: bool
    is_reworded: bool
    is_rewritten: bool
    reports: int


@dataclass(frozen=True)
class Overlap:
    """The newest finished weeks, each by every version that can still be run, newest version first."""

    versions: Sequence[int]
    weeks: Sequence[tuple[Period, Sequence[Reading]]]


def note(*, at: datetime) -> int:
    """Write down each version this portal counts by and has not known before, as of now; how many those were."""
    known = set(DefinitionVersion.objects.values_list("kpi", "version"))
    fresh = [
        DefinitionVersion(valid_from=at, **_as_row(each))
        for kpi in in_order()
        for each in (*kpi.earlier, kpi)
        if (each.slug, each.version) not in known
    ]
    DefinitionVersion.objects.bulk_create(fresh, ignore_conflicts=True)
    return len(fresh)


def since() -> dict[str, DefinitionVersion]:
    """By KPI, the newest version that was written down."""
    return {row.kpi: row for row in DefinitionVersion.objects.order_by("kpi", "version")}


def side_by_side(kpi: Kpi, *, by: Actor) -> list[Told]:
    """The versions of one KPI, newest first, and how many of the newest reports that `by` may see were frozen by each."""
    rows = list(DefinitionVersion.objects.filter(kpi=kpi.slug).order_by("-version"))
    newest = Report.objects.visible_to(by).order_by("-as_of", "-id").values("pk")[:NEWEST_REPORTS]
    wholes = ReportRow.objects.filter(report__in=list(newest.values_list("pk", flat=True)), kpi=kpi.slug, split="")
    reports = dict(wholes.order_by().values_list("definition_version").annotate(n=Count("pk")))
    now = {each.version: _as_row(each) for each in (*kpi.earlier, kpi)}
    changed = {
        row.version: {name for name, value in now.get(row.version, {}).items() if getattr(row, name) != value}
        for row in rows
    }
    return [
        Told(
            row,
            differences(gettext(before.definition), gettext(row.definition))
            if before
            else [("same", gettext(row.definition))],
            row.version == kpi.version,
            bool(changed[row.version] - {"sql_sha256"}),
            "sql_sha256" in changed[row.version],
            reports.get(row.version, 0),
        )
        for row, before in zip(rows, [*rows[1:], None], strict=True)
    ]


def overlap(kpi: Kpi, period: Period, *, at: datetime, slice: Slice) -> Overlap | None:
    """What this version and those before it come to over the same finished weeks; None while there is only one."""
    if not kpi.earlier:
        return None
    versions = sorted((kpi, *kpi.earlier), key=lambda each: -each.version)
    weeks = whole_weeks(period, at=at, most=OVERLAP_WEEKS)
    # An earlier version is not measured any more: it is counted straight from the items.
    columns = [
        [
            Reading(each, week, slice, at, each.figure(_parts(each, week, at, slice), as_of=at))
            if each is not kpi
            else reading
            for week, reading in zip(weeks, recording.series(kpi, weeks, at=at, slice=slice), strict=True)
        ]
        for each in versions
    ]
    return Overlap([each.version for each in versions], list(zip(weeks, zip(*columns, strict=True), strict=True)))


def breaks(kpi: Kpi, period: Period) -> list[tuple[date, int]]:
    """The days of the period on which a later version began, and which."""
    rows = DefinitionVersion.objects.filter(
        kpi=kpi.slug, version__gt=1, valid_from__gte=period.starts_at, valid_from__lt=period.ends_at
    ).order_by("valid_from")
    return [(row.valid_from.astimezone(period.zone).date(), row.version) for row in rows]


def differences(before: str, now: str) -> list[tuple[Kind, str]]:
    """The words of both in reading order: which are gone, which are new, which stayed."""
    old, new = before.split(), now.split()
    pieces: list[tuple[Kind, str]] = []
    for what, a, b, c, d in SequenceMatcher(a=old, b=new, autojunk=False).get_opcodes():
        if what == "equal":
            pieces.append(("same", " ".join(new[c:d])))
            continue
        if a < b:
            pieces.append(("gone", " ".join(old[a:b])))
        if c < d:
            pieces.append(("new", " ".join(new[c:d])))
    return pieces


def _parts(kpi: Kpi, week: Period, at: datetime, slice: Slice) -> dict[str, int]:
    summed: dict[str, int] = {}
    for parts in kpi.count(recording.voices(kpi, week, at, slice), as_of=at).values():
        for name, n in parts.items():
            summed[name] = summed.get(name, 0) + n
    return summed


def _as_row(kpi: Kpi) -> dict[str, Any]:
    with translation.override("en"):
        words = {
            "name": kpi.name,
            "definition": kpi.definition,
            "numerator": kpi.numerator,
            "denominator": kpi.denominator,
            "unit": kpi.unit,
            "change": kpi.change_of_version,
        }
        said = {name: str(each) for name, each in words.items()}
    return {"kpi": kpi.slug, "version": kpi.version, "sql_sha256": _fingerprint(kpi)} | said


def _fingerprint(kpi: Kpi) -> str:
    digest = hashlib.sha256()
    for side in ("numerator", "denominator"):
        items = recording.items_behind(kpi, _ANY_PERIOD, side, as_of=_ANY_MOMENT)
        sql, params = items.values("pk").query.sql_with_params()
        # Values of a set come in any order.
        digest.update(f"{sql}\n{sorted(map(str, params))}\n".encode())
    return digest.hexdigest()
