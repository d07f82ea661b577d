"""For random filters: is each number as long as its list, and what plain SQL says? With seconds beside one roll-up query.

    .venv/bin/python manage.py load_synthetic --items 100000 --days 180 --seed 1
    .venv/bin/python bench/same_numbers.py [--filters 200] [--proof]

The portal need not run, its database must (`manage.py up`). Each filter is a random period, team, channel and stage, alone or
together. With `--stir 200` so many tickets each are merged, reopened, called spam, decided late (recorded now, dated back) and
erased before that, through the portal's own verbs; a report frozen before is asked again afterwards. Plain SQL is written out below for four numbers and shares nothing with the code that counts: items received,
satisfied answers, items triaged and items acted on. With `--proof` the last 35 days are also counted again twice and
compared row by row.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from random import Random
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

_FROM = """
SELECT {counts} FROM intake_feedbackitem AS item
JOIN LATERAL (SELECT team_id, stage_id FROM triage_ticket WHERE item_id = item.submission_id ORDER BY id LIMIT 1) AS ticket ON true
WHERE item.received_at >= %(starts)s AND item.received_at < %(ends)s AND item.received_at <= %(at)s AND NOT item.is_test
    AND EXISTS (SELECT FROM triage_ticket AS t WHERE t.item_id = item.submission_id AND NOT (t.resolution = 'spam' AND t.resolved_at <= %(at)s))
    AND (%(team)s::bigint IS NULL OR ticket.team_id = %(team)s) AND (%(channel)s::bigint IS NULL OR item.channel_id = %(channel)s)
    AND (%(stage)s::bigint IS NULL OR ticket.stage_id = %(stage)s)
"""
_EVENT = (
    "EXISTS (SELECT FROM triage_event AS e WHERE e.item_id = item.submission_id AND e.type IN ({types}) AND e.occurred_at <= %(at)s"
    " AND e.recorded_at <= %(at)s{more} AND NOT EXISTS (SELECT FROM triage_event AS u WHERE u.undoes_id = e.id AND u.recorded_at <= %(at)s))"
)
_TRIAGED = _EVENT.format(types="'triaged', 'merged'", more="")
_ACTIONABLE = (
    _EVENT.format(types="'triaged'", more=" AND NOT e.data @> '{{\"actionable\": false}}'")
    .replace("{{", "{")
    .replace("}}", "}")
    + " AND EXISTS (SELECT FROM triage_ticket AS own WHERE own.item_id = item.submission_id"
    " AND NOT (own.resolution = 'duplicate' AND own.resolved_at <= %(at)s))"
)
_ACTED = (
    "EXISTS (SELECT FROM triage_actionlink AS link JOIN triage_action AS act ON act.id = link.action_id"
    " JOIN triage_ticket AS linked ON linked.id = link.ticket_id WHERE linked.item_id = item.submission_id AND link.linked_at <= %(at)s"
    " AND (link.unlinked_at IS NULL OR link.unlinked_at > %(at)s) AND act.shipped_at <= %(at)s"
    " AND (act.withdrawn_at IS NULL OR act.withdrawn_at > %(at)s))"
)
# By KPI: what is counted above and below, in SQL.
PLAIN = {
    "items-received": ("count(*)", "count(*)"),
    "csat": (
        "count(*) FILTER (WHERE item.rating_scale = 'csat5' AND item.rating_value >= 4)",
        "count(*) FILTER (WHERE item.rating_scale = 'csat5')",
    ),
    "time-to-triage": (f"count(*) FILTER (WHERE {_TRIAGED})", "count(*)"),
    "acted-on": (
        f"count(*) FILTER (WHERE {_ACTIONABLE} AND {_ACTED})",
        f"count(*) FILTER (WHERE {_ACTIONABLE})",
    ),
}


@dataclass
class Told:
    filters: int = 0
    nonempty: int = 0
    wrong: list[dict[str, Any]] = field(default_factory=list)
    read: list[float] = field(default_factory=list)
    listed: list[float] = field(default_factory=list)
    plain: list[float] = field(default_factory=list)


def compare(filters: int, *, within: Any, at: datetime, seed: str) -> Told:
    """So many random filters inside the period `within`; each of the four numbers three ways."""
    from feedback_portal.accounts.models import Stage, Team
    from intake.models import Channel
    from kpis.facts import Slice
    from kpis.periods import Period

    chance, told = Random(seed), Told()
    known = [list(model.objects.order_by("pk").values_list("pk", flat=True)) for model in (Team, Channel, Stage)]
    for _ in range(filters):
        first = within.first + timedelta(days=chance.randrange(within.day_count))
        days = chance.randint(1, (within.end - first).days)
        period = Period(first, first + timedelta(days=days), within.zone)
        # Four of five filters are left open, or hardly any item would be left.
        slice = Slice(*(chance.choice(keys) if keys and chance.random() < 1 / 5 else None for keys in known))
        told.filters += 1
        seen = 0
        for slug in PLAIN:
            number, lists, raw = _three_ways(told, slug, period, slice, at)
            seen += number[1]
            if not number == lists == raw:
                told.wrong.append(
                    {"kpi": slug, **period.query, **vars(slice), "number": number, "list": lists, "sql": raw}
                )
        told.nonempty += seen > 0
    return told


def _three_ways(
    told: Told, slug: str, period: Any, slice: Any, at: datetime
) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Above and below: as read from what was measured, as long as the lists are, and by plain SQL."""
    from kpis import recording
    from kpis.definitions import definitions

    kpi = definitions.get(slug)
    began = time.perf_counter()
    figure = recording.read(kpi, period, at=at, slice=slice).figure
    read = time.perf_counter()
    above, below = (
        recording.items_behind(kpi, period, side, as_of=at, slice=slice).count()
        for side in ("numerator", "denominator")
    )
    listed = time.perf_counter()
    raw = _plainly(slug, period, slice, at)
    told.read.append(read - began)
    told.listed.append(listed - read)
    told.plain.append(time.perf_counter() - listed)
    return (figure.numerator, figure.denominator), (above, below), raw


def _plainly(slug: str, period: Any, slice: Any, at: datetime) -> tuple[int, int]:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(
            _FROM.format(counts=", ".join(PLAIN[slug])),
            {"starts": period.starts_at, "ends": period.ends_at, "at": at, **vars(slice)},
        )
        above, below = cursor.fetchone()
        return above, below


def stir(most: int, *, seed: str) -> tuple[dict[str, int], Any]:
    """What happened to how many, and the report that was frozen before any of it."""
    from django.db import transaction
    from django.utils import timezone

    from feedback_portal.accounts.models import User
    from feedback_portal.accounts.permissions import Actor
    from feedback_portal.refusals import Refused
    from intake import privacy
    from kpis import reports
    from kpis.questions import ask
    from triage import decisions
    from triage.models import Event, Ticket
    from triage.models.events import mark_changed

    lena, _ = User.objects.get_or_create(email="bench@localhost", defaults={"name": "Bench", "role": "manager"})
    by, chance, did = Actor(user=lena), Random(seed), dict.fromkeys(("merged", "reopened", "spam", "late", "erased"), 0)
    _count_all()
    frozen = reports.freeze(ask({}, actor=by, at=timezone.now()), title="Before", by=by, at=timezone.now())
    done = list(Ticket.objects.filter(status="resolved").exclude(resolution="duplicate").values_list("pk", flat=True))
    still = list(Ticket.objects.open().values_list("pk", flat=True))
    chance.shuffle(done)
    chance.shuffle(still)
    opened = Ticket.objects.in_bulk(still[: 4 * most + 1])
    rows = list(opened.values())
    original = rows.pop().reference
    tasks = [("merged", ticket, "merge", {"original": original}) for ticket in rows[:most]]
    tasks += [("spam", ticket, "resolve", {"resolution": "spam"}) for ticket in rows[most : 2 * most]]
    tasks += [("reopened", ticket, "reopen", {}) for ticket in Ticket.objects.filter(pk__in=done[:most])]
    for name, ticket, verb, given in tasks:
        try:
            decisions.decide(ticket.reference, verb, by=by, at=timezone.now(), **given)
        except Refused:
            continue
        did[name] += 1
    for ticket in rows[2 * most : 3 * most]:
        moment = ticket.received_at + timedelta(hours=chance.randint(1, 48))
        if moment < timezone.now():
            with transaction.atomic():
                Event.objects.create(
                    item_id=ticket.item_id, ticket=ticket, type="triaged", source="system", occurred_at=moment,
                    recorded_at=timezone.now(),
                )  # fmt: skip
                mark_changed([ticket.received_at])
            did["late"] += 1
    for ticket in Ticket.objects.filter(pk__in=done[most : 2 * most]).select_related("item__submission"):
        with transaction.atomic():
            privacy.erase(ticket.item.submission, at=timezone.now())
            mark_changed([ticket.received_at])
        did["erased"] += 1
    _count_all()
    return did, frozen


def again(report: Any) -> dict[str, Any]:
    """Whether a frozen report is still what was frozen, and what counting anew as of then gives."""
    from django.utils import timezone

    from feedback_portal.accounts.permissions import Actor
    from kpis import reports

    checked = reports.repeated(report, by=Actor(user=report.person), at=timezone.now())
    return {
        "digits hold": checked.holds,
        "counted again": checked.compared,
        "differing": checked.differing,
        "of": sorted({each.row.kpi for each in checked.differences}),
        "erased since": checked.erased,
    }


def _count_all() -> None:
    from django.utils import timezone

    from kpis import recording
    from triage.models import ChangedDay

    while ChangedDay.objects.filter(completed_at=None, parked_at=None).exists():
        recording.recount_changed_days(at=timezone.now())


def twice(*, at: datetime, days: int = 35) -> dict[str, int]:
    """The last days counted twice more: how many rows stand, and how many are not the same both times."""
    from kpis import recording
    from kpis.models import Measurement
    from kpis.periods import local_day

    today, found = local_day(at, recording.reporting_zone()), []
    each = [today - timedelta(days=back) for back in range(days)]
    columns = ("kpi", "definition_version", "day", "days", "team", "channel", "stage")
    for _ in range(2):
        recording.recount(*each, at=at)
        rows = Measurement.objects.filter(day__in=each).values_list(*columns, "parts")
        found.append({row[:-1]: row[-1] for row in rows})
    first, second = found
    return {"rows": len(second), "differing": sum(first.get(key) != second.get(key) for key in first.keys() | second)}


def rebuilt(*, at: datetime, rounds: int = 5) -> dict[str, float]:
    """Milliseconds to count one day and twenty days again, turn by turn with plain SQL of the four numbers of that one day."""
    from kpis import recording
    from kpis.facts import EVERYTHING
    from kpis.periods import Period, local_day

    today, zone = local_day(at, recording.reporting_zone()), recording.reporting_zone()
    days = [today - timedelta(days=back) for back in range(1, 21)]
    one, twenty, plain = [], [], []
    for _ in range(rounds):
        began = time.perf_counter()
        recording.recount(days[0], at=at)
        counted = time.perf_counter()
        recording.recount(*days, at=at)
        all_counted = time.perf_counter()
        for slug in PLAIN:
            _plainly(slug, Period(days[0], today, zone), EVERYTHING, at)
        one.append(counted - began)
        twenty.append(all_counted - counted)
        plain.append(time.perf_counter() - all_counted)
    told = {"one day": one, "twenty days": twenty, "four numbers of one day in plain SQL": plain}
    return {f"ms {name}": round(1000 * median(each), 1) for name, each in told.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--filters", type=int, default=200)
    parser.add_argument("--seed", default="1")
    parser.add_argument("--proof", action="store_true")
    parser.add_argument("--stir", type=int, default=0, metavar="N", help="change N tickets in each of five ways first")
    args = parser.parse_args()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.utils import timezone

    from intake.models import FeedbackItem
    from kpis import proving, recording
    from kpis.periods import Period, local_day

    stirred = stir(args.stir, seed=args.seed) if args.stir else None
    at, zone = timezone.now(), recording.reporting_zone()
    began = recording.first_day()
    if began is None:
        sys.exit(
            "Nothing is measured. Load something first: manage.py load_synthetic --items 100000 --days 180 --seed 1"
        )
    within = Period(began, local_day(at, zone) + timedelta(days=1), zone)
    told = compare(args.filters, within=within, at=at, seed=args.seed)
    answer = {
        "items": FeedbackItem.objects.count(),
        "filters": told.filters,
        "with items": told.nonempty,
        "numbers compared": len(told.read),
        "wrong": len(told.wrong),
        "ms a number (median)": round(1000 * median(told.read), 1),
        "ms its two lists": round(1000 * median(told.listed), 1),
        "ms plain SQL": round(1000 * median(told.plain), 1),
    }
    if stirred:
        answer["stirred"], answer["report frozen before"] = stirred[0], again(stirred[1])
    if args.proof:
        answer["counted again"] = rebuilt(at=at)
        answer["counted twice"] = twice(at=at)
        began_at = time.perf_counter()
        answer["proof"] = proving.prove(at=at).as_dict() | {"seconds": round(time.perf_counter() - began_at, 1)}
    print(json.dumps(answer, indent=1))
    for each in told.wrong[:10]:
        print(json.dumps(each, default=str))
    sys.exit(bool(told.wrong))


if __name__ == "__main__":
    main()
