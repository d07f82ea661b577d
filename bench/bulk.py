"""How long one decision on a thousand tickets takes, beside one SQL statement that does the same in the same run.

    .venv/bin/python manage.py load_synthetic --items 100000 --days 180
    .venv/bin/python bench/bulk.py [--tickets 1000] [--rounds 7]

Both route the same number of undecided tickets, each others', to another team and write what was decided: the ticket's row and
two events with the state before. Prints milliseconds from asking to the last commit (median and best), for the bulk, for its
undo and for the statement, and the ratio of the medians, which is what is worth keeping. Everything is put back at the end.
"""

import argparse
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

# As a person at the database would write it, who needs neither rights, nor reasons for skipping, nor what was answered.
STATEMENT = """
WITH seen AS (
    SELECT t.*, f.slug AS from_slug FROM triage_ticket t JOIN accounts_team f ON f.id = t.team_id WHERE t.id = ANY(%(tickets)s)
), moved AS (
    UPDATE triage_ticket t SET team_id = %(team)s, stage_id = %(stage)s, assignee_id = NULL, status = 'open',
        triaged_at = %(at)s, version = t.version + 1,
        explanation = t.explanation || '{"by": "person", "reason": "Somebody sent it there."}'
    FROM seen WHERE t.id = seen.id AND t.version = seen.version RETURNING t.id
)
INSERT INTO triage_event (item_id, ticket_id, type, source, person_id, version, data, occurred_at)
SELECT seen.item_id, seen.id, kind, 'person', %(person)s, seen.version + 1, jsonb_build_object(
        'team', %(slug)s::text, 'from', seen.from_slug, 'by', 'person', 'kept', false, 'actionable', true, 'rule', NULL,
        'topic', NULL, 'proposed_by', seen.explanation->>'by', 'answers', '[{"kind": "severity", "of": "S3", "sure": null, "kept": true}]'::jsonb,
        'before', jsonb_build_object('team_id', seen.team_id, 'stage_id', seen.stage_id, 'assignee_id', seen.assignee_id,
            'status', seen.status, 'resolution', seen.resolution, 'resolution_reason', seen.resolution_reason, 'severity', seen.severity,
            'rank', seen.rank, 'due_at', seen.due_at, 'snoozed_until', seen.snoozed_until, 'merged_into_id', seen.merged_into_id,
            'duplicate_of_id', seen.duplicate_of_id, 'triaged_at', seen.triaged_at, 'resolved_at', seen.resolved_at,
            'explanation', seen.explanation)), %(at)s
FROM seen JOIN moved USING (id) CROSS JOIN unnest(ARRAY['triaged', 'routed']) AS kind
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickets", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=7)
    asked = parser.parse_args()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.db import connection, transaction
    from django.utils import timezone

    from feedback_portal.accounts.models import Role, Team, User
    from feedback_portal.accounts.permissions import Actor
    from triage.desk import bulk
    from triage.models import Event, Ticket

    admin = User.objects.filter(role=Role.ADMIN).order_by("pk").first()
    target = Team.objects.filter(is_active=True).order_by("-pk").first()
    assert target is not None
    new = Ticket.objects.undecided().exclude(team=target).exclude(item__tickets__team=target).order_by("pk")
    keys = list(new.values_list("pk", flat=True)[: 2 * asked.tickets])
    if admin is None or len(keys) < 2 * asked.tickets:
        sys.exit("Fill the portal first: manage.py load_synthetic --items 100000 --days 180")
    by, ours, theirs = Actor(user=admin), keys[: asked.tickets], keys[asked.tickets :]
    before = {ticket.pk: ticket for ticket in Ticket.objects.filter(pk__in=theirs)}
    told: dict[str, list[float]] = {"bulk": [], "its undo": [], "one statement": []}

    def routed() -> object:
        act = bulk.start(
            new.filter(pk__lte=ours[-1]), "route", label="Bench", by=by, at=timezone.now(), team=target.slug
        )
        bulk.work_pending(at=timezone.now())
        return act

    def stated() -> None:
        with transaction.atomic(), connection.cursor() as cursor:
            said = {"tickets": theirs, "team": target.pk, "stage": target.stage_id, "slug": target.slug}
            cursor.execute(STATEMENT, said | {"person": admin.pk, "at": timezone.now()})

    def undone(act: object) -> None:
        bulk.undo(act, by=by, at=timezone.now())  # type: ignore[arg-type]
        bulk.work_pending(at=timezone.now())

    for _ in range(asked.rounds):
        act = timed(told["bulk"], routed)
        timed(told["one statement"], stated)
        timed(told["its undo"], lambda act=act: undone(act))
        Ticket.objects.bulk_update(
            before.values(), ["team", "stage", "assignee", "status", "triaged_at", "version", "explanation"]
        )
    moved = bulk.progress([act])[act.pk]  # type: ignore[list-item, attr-defined]
    assert moved.done == moved.put_back == asked.tickets, moved
    said = {
        name: {"median_ms": round(statistics.median(taken), 1), "best_ms": round(min(taken), 1)}
        for name, taken in told.items()
    }
    ratio = statistics.median(told["bulk"]) / statistics.median(told["one statement"])
    print(
        json.dumps(
            said | {"tickets": asked.tickets, "ratio": round(ratio, 2), "events": Event.objects.count()}, indent=1
        )
    )


def timed(taken: list[float], call: Callable[[], object]) -> object:
    began = time.perf_counter()
    answer = call()
    taken.append((time.perf_counter() - began) * 1000)
    return answer


if __name__ == "__main__":
    main()
