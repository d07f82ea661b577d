"""50,000 items that wait, understood and placed by the running workers: items a second, CPU seconds an item, memory.

    .venv/bin/python bench/placing.py [ITEMS.jsonl.gz] [--items 50000] [--rules 200] [--teams 24] [--seconds 3600]

It lays rules, teams, topics and items of its own into the running portal and leaves them there: use one that may be thrown away.
Without a file the texts are made up (`kpis.synthetic.vocabulary`); one with fewer items than wanted is gone through again, each
text with a number of its own. The clock runs from the moment all fall due until the last is on a ticket; what follows that (comparing,
the sentence encoder) goes on beside it, as it always does. CPU seconds do not depend on the neighbours of the machine; the
load average is given for those that do.
"""

import argparse
import json
import os
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from datetime import timedelta
from hashlib import sha256
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parent))
from rules import rules
from stream import read

CHANNEL = "placing"
AT_ONCE = 2_000


def main() -> None:
    given = arguments()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.db.models.functions import Now

    from intake.models import Arrival
    from kpis.synthetic.vocabulary import Vocabulary
    from triage.models import Ticket

    words = Vocabulary("1")
    lay_ground(given.rules, given.teams, words)
    said = said_in(given.items_of, given.items) if given.items_of else made_up(given.items, words)
    run = uuid.uuid4().hex[:8]
    keys = lay_waiting(said, run)
    worker, postgres = process_of_worker(), process_of_postgres()
    spent = {name: cpu_seconds(pid) for name, pid in (("workers", worker), ("postgres", postgres))}
    mine = Arrival.objects.filter(item__submission__external_id__startswith=run)
    began = time.monotonic()
    Arrival.objects.filter(item__in=range(keys[0], keys[-1] + 1)).update(next_attempt_at=Now())
    while mine.waiting().exists() and time.monotonic() - began < given.seconds:
        time.sleep(0.5)
    took = time.monotonic() - began
    done = mine.exclude(completed_at=None).count()
    cpu = {name: cpu_seconds(pid) - spent[name] for name, pid in (("workers", worker), ("postgres", postgres))}
    print(
        json.dumps(
            {
                "items": len(keys),
                "placed": done,
                "on tickets": Ticket.objects.filter(item__in=range(keys[0], keys[-1] + 1))
                .values("item")
                .distinct()
                .count(),
                "rules": given.rules,
                "teams": given.teams,
                "by rule": Ticket.objects.filter(item__in=range(keys[0], keys[-1] + 1), explanation__by="rule").count(),
                "seconds": round(took, 1),
                "items a second": round(done / took, 1),
                "cpu ms an item": {name: round(seconds / max(done, 1) * 1000, 2) for name, seconds in cpu.items()},
                "items a cpu second of workers": round(done / max(cpu["workers"], 0.001)),
                "peak memory of a worker, MB": peak_megabytes(worker),
                "load average": os.getloadavg(),
                "cores": os.cpu_count(),
            },
            indent=1,
        )
    )


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("items_of", type=Path, nargs="?", metavar="ITEMS.jsonl.gz")
    parser.add_argument("--items", type=int, default=50_000)
    parser.add_argument("--rules", type=int, default=200)
    parser.add_argument("--teams", type=int, default=24)
    parser.add_argument("--seconds", type=float, default=3600, help="when to stop waiting")
    return parser.parse_args()


def lay_ground(count: int, teams: int, words: Any) -> None:
    """So many teams, a topic of four rare words for each, and rules as `rules.py` makes them; earlier ones are put to rest."""
    from feedback_portal.accounts.models import Team
    from intake.models import Channel
    from triage.models import Rule, Topic
    from triage.rules import dump

    for number in range(teams):
        team, _ = Team.objects.get_or_create(slug=f"team-{number}", defaults={"name": f"Team {number}"})
        mine = list(words.words[300 + number * 20 : 304 + number * 20])
        Topic.objects.get_or_create(
            slug=f"topic-{number}", defaults={"name": " ".join(mine[:2]), "keywords": mine[2:], "team": team}
        )
    Channel.objects.get_or_create(slug=CHANNEL, defaults={"name": "Placing", "kind": "rest_api"})
    Rule.objects.filter(is_enabled=True).update(is_enabled=False)
    made = rules(count, teams, words, Random("rules"))
    run = uuid.uuid4().hex[:8]
    Rule.objects.bulk_create(
        Rule(name=f"placing {run} {number}", position=number, definition=dump(rule)) for number, rule in enumerate(made)
    )


def said_in(path: Path, number: int) -> Iterator[tuple[str, str]]:
    items = list(read(path))
    for place in range(number):
        item = items[place % len(items)]
        again = f" No. {place}" if place >= len(items) else ""
        yield item["subject"] or "", f"{item['body']}{again}"


def made_up(number: int, words: Any) -> Iterator[tuple[str, str]]:
    chance = Random("placing")
    return (("", words.text(chance, words=20 + chance.randrange(80))) for _ in range(number))


def lay_waiting(said: Iterator[tuple[str, str]], run: str) -> Sequence[int]:
    """Items that nobody has understood and that do not fall due before they are told to. Their keys, in order."""
    from django.utils import timezone

    from intake.models import Arrival, Channel, FeedbackItem, Submission

    at, channel = timezone.now(), Channel.objects.get(slug=CHANNEL)
    keys: list[int] = []
    while batch := list(islice(said, AT_ONCE)):
        submissions = Submission.objects.bulk_create(
            Submission(
                channel=channel,
                external_id=f"{run}-{len(keys) + number}",
                payload=b"{}",
                content_type="application/json",
                sha256=sha256(b"{}").digest(),
                tracking_hash=uuid.uuid4().hex + uuid.uuid4().hex,
                received_at=at,
                completed_at=at,
            )
            for number in range(len(batch))
        )
        items = FeedbackItem.objects.bulk_create(
            FeedbackItem(
                submission=submission,
                channel=channel,
                title=title,
                text=text,
                excerpt=text[:150],
                submitted_at=at,
                received_at=at,
            )
            for submission, (title, text) in zip(submissions, batch, strict=True)
        )
        Arrival.objects.bulk_create(Arrival(item=item, next_attempt_at=at + timedelta(days=1)) for item in items)
        keys += [item.pk for item in items]
    return keys


# --- processes --------------------------------------------------------------------------------------------------------


def process_of_worker() -> int:
    """The first process of the workers that this portal started."""
    state = os.environ["PORTAL_STATE_DIR"]
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            command = (folder / "cmdline").read_bytes().split(b"\0")
            environment = (folder / "environ").read_bytes().split(b"\0")
        except OSError:
            continue
        if b"worker" in command and f"PORTAL_STATE_DIR={state}".encode() in environment:
            parent = Path("/proc") / str(_status(folder.name)[3]) / "cmdline"
            if b"worker" not in parent.read_bytes().split(b"\0"):
                return int(folder.name)
    sys.exit("No worker of this portal runs: start it with manage.py up.")


def process_of_postgres() -> int:
    from feedback_portal.local import paths

    return int((paths.state_dir() / "pg" / "postmaster.pid").read_text().splitlines()[0])


def cpu_seconds(pid: int) -> float:
    """Of a process and all it started, those that have ended among them."""
    ticks = 0
    for one in (pid, *_below(pid)):
        status = _status(one)
        ticks += sum(int(status[place]) for place in ((13, 14, 15, 16) if one == pid else (13, 14)))
    return ticks / os.sysconf("SC_CLK_TCK")


def peak_megabytes(pid: int) -> list[int]:
    """The most that each process below has held at once."""
    lines = ((Path("/proc") / str(one) / "status").read_text().splitlines() for one in _below(pid))
    return [int(line.split()[1]) // 1024 for each in lines for line in each if line.startswith("VmHWM")]


def _below(pid: int) -> list[int]:
    children = (Path("/proc") / str(pid) / "task" / str(pid) / "children").read_text().split()
    return [int(child) for child in children]


def _status(pid: int | str) -> list[str]:
    """As in proc(5), counted from 0; what stands in brackets may hold spaces."""
    name, _, rest = (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")
    return [*name.split(" (", 1), *rest.split()]


if __name__ == "__main__":
    main()
