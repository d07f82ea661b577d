"""How quickly a file is taken in, beside COPY of the very same rows into tables with the same indexes and keys, in one run.

    .venv/bin/python bench/imports.py [--rows 1000000] [--kill 10] [--format csv|xlsx]

It makes a file and a channel of its own and leaves what it took in in the portal: use one that may be thrown away. Stop the workers
(or expect them to share the machine): what they make of the items is measured by `stream.py`. With --kill the same file is
taken in once more through another channel by a process that is killed so often, twice of them in one chunk, and both
must have told the same.
"""

import argparse
import contextlib
import csv
import hashlib
import json
import os
import random
import resource
import signal
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

WORDS = [
    "the",
    "lid",
    "box",
    "arrived",
    "cracked",
    "leaking",
    "nice",
    "service",
    "slow",
    "hotline",
    "answered",
    "never",
    "quickly",
    "colour",
    "faded",
    "after",
    "wash",
    "two",
    "weeks",
    "refund",
    "please",
    "again",
    "motor",
    "loud",
    "quiet",
    "happy",
    "handle",
    "broke",
    "screw",
    "missing",
    "manual",
    "unclear",
    "smell",
    "gone",
    "late",
    "driver",
    "kind",
]
HEADER = ["id", "text", "rating", "email", "name", "product", "submitted_at", "country"]
TABLES = ("intake_submission", "intake_feedbackitem", "intake_arrival")


def main() -> None:
    given = arguments()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    if given.work:
        work(given.work)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"feedback.{given.format}"
        make(path, given.rows)
        told: dict[str, Any] = {"rows": given.rows, "bytes": path.stat().st_size}
        run, told["import"] = measured(path)
        told["copy_seconds"] = round(copied(run), 1)
        told["ratio"] = round(told["import"]["seconds"] / told["copy_seconds"], 2)
        if given.kill:
            told["killed"] = killed(path, given.kill, like=run)
    print(json.dumps(told))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kill", type=int, default=0, help="how often the second process is killed")
    parser.add_argument("--format", choices=["csv", "xlsx"], default="csv")
    parser.add_argument("--work", type=int, default=0, help=argparse.SUPPRESS)
    return parser.parse_args()


def make(path: Path, rows: int) -> None:
    """Eight columns, 200,000 people, one row in a hundred bad."""
    if path.suffix == ".xlsx":
        from openpyxl import Workbook

        book = Workbook(write_only=True)
        sheet = book.create_sheet()
        sheet.append(HEADER)
        for row in said(rows):
            sheet.append(row)
        book.save(path)
        return
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(HEADER)
        writer.writerows(said(rows))


def said(rows: int) -> Iterator[list[str]]:
    chance = random.Random(7)
    mark = uuid.uuid4().hex[:8]
    for number in range(rows):
        person = number % 200_000
        text = "" if number % 100 == 99 else " ".join(chance.choices(WORDS, k=chance.randint(8, 30)))
        day = f"2026-0{chance.randint(1, 9)}-{chance.randint(10, 28)}T10:00:00Z"
        rating = "99" if number % 100 == 99 else str(chance.randint(1, 5))
        mail = f"{mark}-{person}@customers.example"
        country = chance.choice(["DE", "FR", "US"])
        yield [f"{mark}-{number}", text, rating, mail, f"Customer {person}", f"H{person % 7}", day, country]


def begun(path: Path) -> Any:
    from intake import importing
    from intake.models import Channel

    slug = f"bench-{uuid.uuid4().hex[:8]}"
    channel = Channel.objects.create(slug=slug, name="Benchmark", kind="csv_file")
    with path.open("rb") as file:
        run = importing.upload(channel, file, name=path.name)
    importing.begin(run)
    return run


def work(number: int) -> None:
    """Go on with the import until it is done; ends with the most memory it had, and had before it began, in kB."""
    from django.utils import timezone

    from intake import importing
    from intake.models import Import

    idle = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    while Import.objects.filter(pk=number, completed_at=None).exists():
        importing.import_pending(at=timezone.now())
    print(json.dumps({"idle_kb": idle, "peak_kb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss}))


def worker(run: Any) -> subprocess.Popen[str]:
    return subprocess.Popen([sys.executable, __file__, "--work", str(run.pk)], stdout=subprocess.PIPE, text=True)


def measured(path: Path) -> tuple[Any, dict[str, Any]]:
    start = time.monotonic()
    run = begun(path)
    process = worker(run)
    first: float | None = None
    while process.poll() is None:
        time.sleep(0.25)
        run.refresh_from_db()
        if first is None and run.read >= min(10_000, 1):
            first = time.monotonic() - start if run.read >= 10_000 else None
    seconds = time.monotonic() - start
    assert process.stdout is not None
    memory = json.loads(process.stdout.read())
    run.refresh_from_db()
    return run, {
        "state": run.state,
        "seconds": round(seconds, 1),
        "rows_per_second": round(run.read / seconds),
        "first_10000_seconds": round(first, 1) if first else None,
        "above_idle_mb": round((memory["peak_kb"] - memory["idle_kb"]) / 1024),
        **counts(run),
    }


def counts(run: Any) -> dict[str, Any]:
    from intake import import_reports

    report = hashlib.sha256("".join(import_reports.lines(run)).encode()).hexdigest()[:16]
    names = ("read", "created", "updated", "duplicate", "skipped", "failed")
    return {name: getattr(run, name) for name in names} | {"report": report}


def copied(run: Any) -> float:
    """Seconds that COPY alone takes for the rows the import wrote, into empty tables of the same shape."""
    from django.db import connection

    chosen = {
        "intake_submission": "SELECT * FROM intake_submission WHERE channel_id = %s",
        "intake_feedbackitem": "SELECT * FROM intake_feedbackitem WHERE channel_id = %s",
        "intake_arrival": "SELECT a.* FROM intake_arrival a JOIN intake_feedbackitem i ON i.submission_id = a.item_id"
        " WHERE i.channel_id = %s",
    }
    seconds = 0.0
    with tempfile.TemporaryDirectory() as folder, connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for table in TABLES:
            with (Path(folder) / table).open("wb") as file:
                query = cursor.mogrify(chosen[table], [run.channel_id]).decode()
                cursor.copy_expert(f"COPY ({query}) TO STDOUT", file)
        try:
            for table in TABLES:
                cursor.execute(f"CREATE TABLE bench_{table} (LIKE {table} INCLUDING ALL)")
            for table, column, to in FOREIGN:
                cursor.execute(f"ALTER TABLE bench_{table} ADD FOREIGN KEY ({column}) REFERENCES {to}")
            for table in TABLES:
                with (Path(folder) / table).open("rb") as file:
                    start = time.monotonic()
                    cursor.copy_expert(f"COPY bench_{table} FROM STDIN", file)
                    seconds += time.monotonic() - start
        finally:
            for table in reversed(TABLES):
                cursor.execute(f"DROP TABLE IF EXISTS bench_{table}")
    return seconds


FOREIGN = (
    ("intake_submission", "channel_id", "intake_channel"),
    ("intake_feedbackitem", "channel_id", "intake_channel"),
    ("intake_feedbackitem", "customer_id", "intake_customer"),
    ("intake_feedbackitem", "submission_id", "bench_intake_submission"),
    ("intake_arrival", "item_id", "bench_intake_feedbackitem"),
)


def killed(path: Path, times: int, *, like: Any) -> dict[str, Any]:
    """The same file through another channel, by processes that are killed; what both told must be the same."""
    from django.db.models.functions import Now

    from intake.models import Import

    run = begun(path)
    chance = random.Random(3)
    places = sorted(chance.randrange(0, like.read) for _ in range(times - 1))
    places.append(places[-1])  # twice in one chunk
    start = time.monotonic()
    done = 0
    for place in sorted(places):
        process = worker(run)
        while process.poll() is None:
            run.refresh_from_db(fields=["read"])
            if run.read >= place:
                time.sleep(chance.random() * 0.3)
                process.send_signal(signal.SIGKILL)
            time.sleep(0.02)
        done += process.returncode == -signal.SIGKILL
        # As if the lease of the dead had run out by itself.
        Import.objects.filter(pk=run.pk, completed_at=None).update(next_attempt_at=Now())
    with contextlib.closing(worker(run).stdout) as out:  # type: ignore[arg-type]
        out.read()
    run.refresh_from_db()
    return {
        "times": done,
        "seconds": round(time.monotonic() - start, 1),
        "state": run.state,
        "told_the_same": counts(run) == counts(like),
        **counts(run),
    }


if __name__ == "__main__":
    main()
