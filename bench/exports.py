"""Items as a CSV file: rows a second as the page streams them, beside bare COPY of the same items, turn by turn, and the memory it takes.

    .venv/bin/python manage.py load_synthetic --items 100000 --days 180 --seed 1
    .venv/bin/python bench/exports.py [--rounds 5]

The portal need not run, its database must (`manage.py up`). The file has the caller's filters, the team, stage, status and
sentiment of each item, times in words and no cell that is a formula; bare COPY writes the item's own columns with no condition
but the days. The first piece is what somebody waits for before the download begins.
"""

import argparse
import json
import os
import resource
import sys
import time
from datetime import timedelta
from pathlib import Path
from statistics import median
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

_BARE = """
COPY (SELECT submission_id, received_at, submitted_at, channel_id, product, product_version, declared_language, rating_scale, rating_value,
    title, text FROM intake_feedbackitem WHERE received_at >= %s AND received_at < %s) TO STDOUT WITH (FORMAT csv)
"""


class _Counted:
    """What COPY writes to: how many bytes came."""

    def __init__(self) -> None:
        self.bytes = 0

    def write(self, piece: bytes) -> None:
        self.bytes += len(piece)


def streamed(period: Any, at: Any) -> tuple[float, float, int]:
    """Seconds until the first piece and until the last, and the bytes of all."""
    from kpis import exporting, recording
    from kpis.definitions import definitions

    began, first, size = time.perf_counter(), 0.0, 0
    items = recording.items_behind(definitions.get("items-received"), period, "denominator", as_of=at)
    for number, piece in enumerate(exporting.lines(items)):
        size += len(piece)
        # The header is there at once; what counts is the first item.
        if number == 1:
            first = time.perf_counter() - began
    return first, time.perf_counter() - began, size


def bare(period: Any) -> tuple[float, int]:
    from django.db import connection

    began, sink = time.perf_counter(), _Counted()
    with connection.cursor() as cursor:
        cursor.copy_expert(cursor.cursor.mogrify(_BARE, [period.starts_at, period.ends_at]).decode(), sink)
    return time.perf_counter() - began, sink.bytes


def _peak() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.utils import timezone

    from kpis import recording
    from kpis.definitions import definitions
    from kpis.periods import Period, local_day

    at, zone, first_day = timezone.now(), recording.reporting_zone(), recording.first_day()
    if first_day is None:
        sys.exit(
            "Nothing is measured. Load something first: manage.py load_synthetic --items 100000 --days 180 --seed 1"
        )
    whole = Period(first_day, local_day(at, zone) + timedelta(days=1), zone)
    few = Period(whole.end - timedelta(days=7), whole.end, zone)
    rows = recording.items_behind(definitions.get("items-received"), whole, "denominator", as_of=at).count()
    # What a small file takes is taken by any: the growth beyond it is the size's.
    streamed(few, at)
    bare(few)
    small = _peak()
    ours, plain, firsts, size, bare_size = [], [], [], 0, 0
    for _ in range(args.rounds):
        first, seconds, size = streamed(whole, at)
        ours.append(rows / seconds)
        firsts.append(first)
        seconds, bare_size = bare(whole)
        plain.append(rows / seconds)
    print(
        json.dumps(
            {
                "rows": rows,
                "MB": round(size / 1e6, 1),
                "rows a second (median)": round(median(ours)),
                "rows a second of bare COPY": round(median(plain)),
                "ratio": round(median(mine / beside for mine, beside in zip(ours, plain, strict=True)), 2),
                "MB of bare COPY": round(bare_size / 1e6, 1),
                "seconds until the first item": round(median(firsts), 2),
                "peak MB of the process": round(_peak(), 1),
                "MB more than for seven days": round(_peak() - small, 1),
            },
            indent=1,
        )
    )


if __name__ == "__main__":
    main()
