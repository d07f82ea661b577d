"""5,000 real items through the front door of the running portal: how many arrive, how long until the last is on a ticket.

    .venv/bin/python bench/stream.py ITEMS.jsonl.gz --taxonomy TAXONOMY.json [--by csv|api] [--kill 3] [--flush]

The file holds one object a line: id, channel, subject, body, rating, product_hint, customer_id, created_at. `--kill` ends
workers with SIGKILL while they work, `--flush` empties the broker once; the counts must be the same.
"""

import argparse
import csv
import gzip
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")


def main() -> None:
    given = arguments()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    items = list(read(given.items))
    if given.taxonomy:
        furnish(json.loads(given.taxonomy.read_text()))
    before = counts()
    began = time.monotonic()
    faults = [threading.Thread(target=kill_workers, args=(given.kill,))] if given.kill else []
    faults += [threading.Thread(target=flush_broker)] if given.flush else []
    for fault in faults:
        fault.start()
    told = send_as_csv(items, given.channel) if given.by == "csv" else send_by_api(items, given.channel)
    accepted = time.monotonic() - began
    for fault in faults:
        fault.join()
    wait_until_nothing_is_pending()
    after = counts()
    print(
        json.dumps(
            {
                "items": len(items),
                "told": told,
                "grown": {name: after[name] - before[name] for name in after},
                "doubles": doubles(given.channel),
                "without_ticket": without_ticket(),
                "accepted_after_s": round(accepted, 1),
                "all_on_tickets_after_s": round(time.monotonic() - began, 1),
            }
        )
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("items", type=Path)
    parser.add_argument("--taxonomy", type=Path)
    parser.add_argument("--by", choices=["csv", "api"], default="csv")
    parser.add_argument("--channel", default="stream")
    parser.add_argument("--kill", type=int, default=0)
    parser.add_argument("--flush", action="store_true")
    return parser.parse_args()


def read(path: Path) -> Iterator[dict[str, Any]]:
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def furnish(taxonomy: list[dict[str, Any]]) -> None:
    from django.utils.text import slugify

    from feedback_portal.accounts.models import Team
    from triage.models import Topic

    for node in taxonomy:
        team, _ = Team.objects.get_or_create(slug=slugify(node["team"]), defaults={"name": node["team"]})
        Topic.objects.get_or_create(
            slug=slugify(node["id"].replace("/", "-"))[:80],
            defaults={
                "name": node["name"],
                "description": node["description"],
                "keywords": node["keywords"],
                "team": team,
            },
        )


def send_as_csv(items: list[dict[str, Any]], channel: str) -> dict[str, Any]:
    with tempfile.NamedTemporaryFile("w", suffix=".csv", newline="", encoding="utf-8", delete=False) as file:
        columns = ["id", "title", "text", "rating", "product", "customer_id", "submitted_at"]
        writer = csv.DictWriter(file, columns)
        writer.writeheader()
        writer.writerows(as_row(item) for item in items)
    done = subprocess.run(
        [sys.executable, "manage.py", "import_feedback", file.name, "--channel", channel, "--connector", "csv_file"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(done.stderr)
    return dict(json.loads(done.stdout.strip().splitlines()[-1]))


def as_row(item: dict[str, Any]) -> dict[str, Any]:
    return {
        "id": item["id"],
        "title": item["subject"] or "",
        "text": item["body"],
        "rating": item["rating"] if item["rating"] is not None else "",
        "product": item["product_hint"] or "",
        "customer_id": item["customer_id"],
        "submitted_at": item["created_at"],
    }


def send_by_api(items: list[dict[str, Any]], channel: str) -> dict[str, Any]:
    from django.conf import settings

    from feedback_portal.accounts.models import ApiKey, Scope
    from intake.models import Channel

    Channel.objects.get_or_create(slug=channel, defaults={"name": channel, "kind": "rest_api"})
    _, key = ApiKey.issue("stream benchmark", scopes=[Scope.FEEDBACK_WRITE])
    verdicts: Counter[str] = Counter()
    for start in range(0, len(items), 500):
        body = json.dumps({"items": [as_api_item(item, channel) for item in items[start : start + 500]]}).encode()
        request = urllib.request.Request(  # noqa: S310 (our own portal)
            f"{settings.BASE_URL}/api/v1/feedback/bulk/",
            body,
            {"Authorization": f"Bearer {key}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 (as above)
            verdicts.update(result["status"] for result in json.load(answer)["results"])
    return dict(verdicts)


def as_api_item(item: dict[str, Any], channel: str) -> dict[str, Any]:
    found = {
        "channel": channel,
        "external_id": item["id"],
        "text": item["body"],
        "title": item["subject"],
        "product": item["product_hint"],
        "customer": {"external_id": item["customer_id"]},
        "submitted_at": item["created_at"],
    }
    if item["rating"] is not None:
        found["rating"] = {"scale": "csat5", "value": item["rating"]}
    return {name: value for name, value in found.items() if value is not None}


def kill_workers(times: int) -> None:
    """SIGKILL to every worker process, at moments when work is under way."""
    for _ in range(times):
        time.sleep(1.5)
        found = subprocess.run(
            ["pgrep", "-f", "celery.*feedback_portal.*worker"], capture_output=True, text=True, check=False
        )
        for pid in found.stdout.split():
            try:
                os.kill(int(pid), signal.SIGKILL)
            except ProcessLookupError:
                continue
        print(f"killed {len(found.stdout.split())} worker processes", file=sys.stderr)


def flush_broker() -> None:
    import redis
    from django.conf import settings

    time.sleep(2)
    redis.Redis.from_url(settings.REDIS_URL).flushall()
    print("emptied the broker", file=sys.stderr)


def counts() -> dict[str, int]:
    from intake.models import FeedbackItem, Submission
    from triage.models import Analysis, Event, SearchText, Ticket

    return {
        "submissions": Submission.objects.count(),
        "items": FeedbackItem.objects.count(),
        "analyses": Analysis.objects.count(),
        "searchable": SearchText.objects.count(),
        "tickets": Ticket.objects.count(),
        "received_events": Event.objects.filter(type="received").count(),
    }


def wait_until_nothing_is_pending() -> None:
    from django.apps import apps

    from feedback_portal.celery import PIPELINE

    models = [apps.get_model(stage.model) for stage in PIPELINE]
    while any(model._default_manager.waiting().exists() for model in models):
        time.sleep(0.1)


def doubles(channel: str) -> int:
    from django.db.models import Count

    from triage.models import Ticket

    same = Ticket.objects.filter(item__channel__slug=channel).values("item").annotate(n=Count("id")).filter(n__gt=1)
    return same.count()


def without_ticket() -> int:
    from intake.models import FeedbackItem

    return FeedbackItem.objects.filter(tickets=None).count()


if __name__ == "__main__":
    main()
