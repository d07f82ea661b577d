"""How often people keep what the portal proposes, for each kind of proposal at each confidence, over 90 days.

Counted from the answers in events (`triage.proposals` says who answers what by which decision):

- an answer of a person counts, one of a program or of the portal itself does not;
- what was taken back does not count;
- of several answers to one proposal about one item the last counts, if the earlier ones are at most `SETTLES` old:
  accepted and put right the next week is not kept.

Pages read a small table of sums by day, which a clock keeps up to date (`refresh`), so a record is up to an hour old.
Proposals that turned out worse than `WORTH_PROPOSING` are not shown as such; decisions about their items still answer
them, so a kind that gets better comes back.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, Sum
from django.utils.formats import number_format
from django.utils.translation import gettext

from feedback_portal.languages import in_a_line
from triage.models import Event, Tagging, TrackRecord
from triage.proposals import ABOUT, BANDS, MOST_TAGS, Kind, Proposal, band_words, of_tag

WINDOW = timedelta(days=90)
SETTLES = timedelta(days=14)
ENOUGH = 30
"""Below so many answers a record says nothing."""
WORTH_PROPOSING = 0.6
"""Kept less often than this, it is not proposed."""

Key = tuple[str, str, int | None]
"""Kind, what it is about, band."""

_ANSWERS = [
    Event.Type.TRIAGED,
    Event.Type.DISMISSED,
    Event.Type.TAGGED,
    Event.Type.UNTAGGED,
    Event.Type.SEVERITY,
    Event.Type.MERGED,
    Event.Type.UNMERGED,
]


@dataclass(frozen=True)
class Record:
    """Kept so many times of so many answers."""

    kept: int = 0
    n: int = 0

    @property
    def is_enough(self) -> bool:
        return self.n >= ENOUGH

    @property
    def is_worth_proposing(self) -> bool:
        return not self.is_enough or self.kept >= WORTH_PROPOSING * self.n

    @property
    def share(self) -> float | None:
        return self.kept / self.n if self.is_enough else None

    def __str__(self) -> str:
        if not self.is_enough:
            return gettext("New kind of suggestion")
        return gettext("Kept %(times)s times in 100") % {"times": round(100 * self.kept / self.n)}

    @property
    def sample(self) -> str:
        return f"n = {number_format(self.n, force_grouping=True)}" if self.is_enough else ""


@dataclass(frozen=True)
class Line:
    """One record with what it is of."""

    kind: Kind
    about: str
    band: int | None
    record: Record

    @property
    def name(self) -> str:
        return in_a_line(self.kind.label, self.about, band_words(self.band))


def record_of(proposal: Proposal, *, at: datetime) -> Record:
    """The record of proposals like this one."""
    rows = TrackRecord.objects.filter(
        kind=proposal.kind, about=proposal.about, band=proposal.band, day__gt=_first_day(at)
    )
    total = rows.aggregate(kept=Sum("kept"), answers=Sum("answers"))
    return Record(total["kept"] or 0, total["answers"] or 0)


def records(*, at: datetime) -> list[Line]:
    """Every record there is, by kind, then by what it is about, surest first."""
    rows = (
        TrackRecord.objects.filter(day__gt=_first_day(at), kind__in=Kind.values)
        .values_list("kind", "about", "band")
        .annotate(kept=Sum("kept"), answers=Sum("answers"))
    )
    found = [Line(Kind(kind), about, band, Record(kept, n)) for kind, about, band, kept, n in rows]
    return sorted(found, key=lambda line: (Kind.values.index(line.kind), line.about, -(line.band or 0)))


def not_worth_proposing(*, at: datetime) -> frozenset[Key]:
    """The kinds, each with its confidence, that are not shown as proposals."""
    rows = (
        TrackRecord.objects.filter(day__gt=_first_day(at))
        .values_list("kind", "about", "band")
        .annotate(kept=Sum("kept"), answers=Sum("answers"))
        .filter(answers__gte=ENOUGH, kept__lt=WORTH_PROPOSING * F("answers"))
    )
    return frozenset((kind, about, band) for kind, about, band, _, _ in rows)


def named(taggings: Sequence[Tagging], *, poor: frozenset[Key]) -> list[Tagging]:
    """The tags that a proposal names, of those that stand, surest first: without those that are `not_worth_proposing`."""
    proposed = ((tagging, of_tag(tagging)) for tagging in taggings)
    return [tagging for tagging, tag in proposed if tag is None or key_of(tag) not in poor][:MOST_TAGS]


def key_of(proposal: Proposal) -> Key:
    return proposal.kind.value, proposal.about, proposal.band


def refresh(*, at: datetime) -> int:
    """Count the days again whose answers may have changed, or all of them if there are none yet; how many rows that made."""
    recent = _day(at - SETTLES)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtext('triage_trackrecord'))")
        is_kept_up = TrackRecord.objects.filter(day__lt=recent).exists()
        since = recent if is_kept_up else _first_day(at)
        TrackRecord.objects.filter(day__gte=since).delete()
        TrackRecord.objects.filter(day__lte=_first_day(at)).delete()
        cursor.execute(_COUNT, dict(_PARAMETERS, since=since, at=at))
        return int(cursor.rowcount)


def _first_day(at: datetime) -> date:
    return _day(at - WINDOW)


def _day(at: datetime) -> date:
    return at.astimezone(UTC).date()


_COUNT = """
WITH answers AS (
    SELECT e.id, e.item_id, (e.occurred_at AT TIME ZONE 'UTC')::date AS day, given->>'kind' AS kind, given->>'of' AS subject,
        (given->>'sure')::float8 AS sure, (given->>'kept')::boolean AS kept
    FROM triage_event e CROSS JOIN LATERAL jsonb_array_elements(
        CASE WHEN jsonb_typeof(e.data->'answers') = 'array' THEN e.data->'answers' ELSE '[]' END) AS given
    WHERE e.type = ANY(%(types)s) AND e.person_id IS NOT NULL
        AND e.occurred_at >= %(since)s::timestamp AT TIME ZONE 'UTC' AND e.occurred_at <= %(at)s
        AND NOT EXISTS (SELECT FROM triage_event back WHERE back.undoes_id = e.id)
), last AS (
    SELECT DISTINCT ON (item_id, kind, subject) * FROM answers ORDER BY item_id, kind, subject, id DESC
)
INSERT INTO triage_trackrecord (day, kind, about, band, kept, answers)
SELECT day, kind, CASE WHEN kind = ANY(%(about)s) THEN subject ELSE '' END,
    (%(per_cent)s::int[])[width_bucket(sure, %(bands)s::float8[])], count(*) FILTER (WHERE kept), count(*)
FROM last GROUP BY 1, 2, 3, 4
"""

_PARAMETERS: Mapping[str, list[Any]] = {
    "types": [str(kind) for kind in _ANSWERS],
    "about": sorted(ABOUT),
    "bands": list(BANDS),
    "per_cent": [round(100 * low) for low in BANDS],
}
