"""How much there was that feedback can be set against: counts by kind, product, site and day, the later one winning."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection, transaction

from feedback_portal.marking import marked
from intake.cleaning import clean_line
from intake.relations import Verdict

# Kinds that pages and files name by themselves; any other short name is a kind too.
KINDS = {"units_shipped": marked("Units shipped"), "orders": marked("Orders"), "visits": marked("Visits")}
MOST = 2**62


@dataclass(frozen=True)
class Count:
    kind: str
    day: date
    count: int
    product: str = ""
    site: str = ""
    # The source's own time of this count; one without is as new as its arrival.
    changed_at: datetime | None = None


_Key = tuple[str, str, str, date]


def take_counts(counts: Sequence[Count]) -> list[Verdict]:
    """A verdict for each, in their order, in one transaction; of several for one day the later one counts."""
    if not counts:
        return []
    keys = [_key(each) for each in counts]
    with transaction.atomic():
        known = _locked(set(keys))
        latest: dict[_Key, Count] = {}
        verdicts = []
        for key, each in zip(keys, counts, strict=True):
            value, changed_at = known.get(key, (None, None))
            if changed_at is not None and each.changed_at is not None and each.changed_at < changed_at:
                verdicts.append(Verdict("skipped", reason="A later count for this day is known."))
                continue
            verdicts.append(Verdict("created" if value is None else "updated" if value != each.count else "unchanged"))
            known[key] = (each.count, each.changed_at or changed_at)
            latest[key] = each
        _written(latest)
    return verdicts


def _key(said: Count) -> _Key:
    product, site = clean_line(said.product, longest=120), clean_line(said.site, longest=120)
    return clean_line(said.kind, longest=40).lower(), product, site, said.day


def _locked(keys: set[_Key]) -> dict[_Key, tuple[int | None, datetime | None]]:
    """The counts as they stand, which nobody else changes until we are done."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT kind, product, site, day, count, changed_at FROM intake_exposure"
            " WHERE (kind, product, site, day) IN (SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[]))"
            " ORDER BY kind, product, site, day FOR UPDATE",
            _columns(sorted(keys)),
        )
        return {(kind, product, site, day): (count, at) for kind, product, site, day, count, at in cursor.fetchall()}


def _written(latest: dict[_Key, Count]) -> None:
    rows = sorted(latest.items(), key=lambda row: row[0])
    if not rows:
        return
    with connection.cursor() as cursor:
        # Two writers may meet at a new day; the later of them by its source's time counts, as ever.
        cursor.execute(
            "INSERT INTO intake_exposure (kind, product, site, day, count, changed_at)"
            " SELECT * FROM unnest(%s::text[], %s::text[], %s::text[], %s::date[], %s::bigint[], %s::timestamptz[])"
            " ON CONFLICT (kind, product, site, day) DO UPDATE SET count = excluded.count,"
            " changed_at = coalesce(excluded.changed_at, intake_exposure.changed_at)"
            " WHERE intake_exposure.changed_at IS NULL OR excluded.changed_at IS NULL"
            " OR excluded.changed_at >= intake_exposure.changed_at",
            [
                *_columns([key for key, _ in rows]),
                [each.count for _, each in rows],
                [each.changed_at for _, each in rows],
            ],
        )


def _columns(keys: Sequence[_Key]) -> list[list[object]]:
    return [list(column) for column in zip(*keys, strict=True)]
