"""How long staff pages of the running portal take at the size it has, each beside the bare SQL for the same rows, turn by turn.

    .venv/bin/python manage.py load_synthetic --items 100000 --days 180
    .venv/bin/python bench/pages.py [--rounds 30]

Prints p50 and p95 in milliseconds of the page over HTTP and of the SQL, and the ratio of their medians. Decisions send
tickets to other teams and stay: use a portal that may be thrown away.
"""

import argparse
import http.cookiejar
import json
import os
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from random import Random
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

LIST = (
    "SELECT t.id, t.rank, t.due_at, t.status, i.excerpt FROM triage_ticket t JOIN intake_feedbackitem i ON i.submission_id = t.item_id"
    " WHERE t.status = 'new' {where} ORDER BY t.rank, t.due_at, t.id LIMIT 50"
)
SEARCH = (
    "SELECT t.id, i.excerpt FROM triage_ticket t JOIN intake_feedbackitem i ON i.submission_id = t.item_id"
    " JOIN triage_searchtext s ON s.item_id = t.item_id WHERE t.status = 'new'"
    " AND s.document @@ {kind}('simple', %s) ORDER BY t.rank, t.due_at, t.id LIMIT 50"
)
DECIDE = (
    "WITH seen AS (UPDATE triage_ticket SET version = version WHERE id = %s RETURNING id, item_id)"
    " INSERT INTO triage_event (item_id, ticket_id, type, source, data, occurred_at)"
    " SELECT item_id, id, 'triaged', 'system', '{}', now() FROM seen"
)


class Reader:
    """A browser that is signed in."""

    def __init__(self, base: str, admin: Any) -> None:
        from django.utils import timezone

        from feedback_portal.accounts.models import SignInLink

        self.base = base
        self._jar = http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        link = f"/sign-in/{SignInLink.issue(admin, at=timezone.now())}/"
        self.get(link)
        self.post(link)

    def get(self, path: str, part: str = "") -> str:
        """The page, or that part of it which its script would ask for."""
        headers = {"HX-Request": "true", "HX-Target": part} if part else {}
        request = urllib.request.Request(self.base + path, headers=headers)  # noqa: S310 (our own portal)
        found: bytes = self._opener.open(request).read()
        return found.decode()

    def post(self, path: str, **fields: str) -> None:
        token = next(cookie.value for cookie in self._jar if "csrf" in cookie.name)
        data = urllib.parse.urlencode({"csrfmiddlewaretoken": token, **fields}).encode()
        headers = {"Referer": self.base + "/"}
        self._opener.open(urllib.request.Request(self.base + path, data=data, headers=headers))  # noqa: S310 (as above)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=30)
    rounds = parser.parse_args().rounds
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.conf import settings
    from django.db import connection

    from feedback_portal.accounts.models import Role, Team, User
    from triage.models import Ticket

    admin = User.objects.filter(role=Role.ADMIN).order_by("pk").first()
    if admin is None or not Team.objects.filter(tickets__isnull=False).exists():
        sys.exit("Fill the portal first: manage.py load_synthetic --items 100000 --days 180")
    reader = Reader(settings.BASE_URL, admin)

    def rows(sql: str, *given: object) -> list[Any]:
        with connection.cursor() as cursor:
            cursor.execute(sql, given or None)
            return cursor.fetchall() if cursor.description else []

    told: dict[str, object] = {"tickets": Ticket.objects.count(), "open": Ticket.objects.undecided().count()}
    for name, draw in cases(reader, rows, Random("pages")):
        told[name] = beside(draw, rounds)
    told["load average"] = [round(load, 1) for load in os.getloadavg()]
    print(json.dumps(told, indent=1))


Draw = Callable[[], tuple[Callable[[], object], Callable[[], object]]]
"""Draws one question, and gives back how the portal and how bare SQL answer it."""


def cases(reader: Reader, rows: Callable[..., list[Any]], chance: Random) -> Iterator[tuple[str, Draw]]:
    from feedback_portal.accounts.models import Team
    from feedback_portal.api import cursor_of
    from triage.models import SearchText, Ticket, Topic
    from triage.models.tickets import QUEUE_ORDER

    teams = list(Team.objects.filter(tickets__isnull=False).distinct())
    topics = list(Topic.objects.filter(taggings__isnull=False).distinct()[:20])
    keys = list(Ticket.objects.undecided().order_by("?").values_list("pk", flat=True)[:2000])
    newest = SearchText.objects.order_by("-pk").values_list("item__text", flat=True)[:2000]
    words = sorted({word.strip(".,").lower() for text in newest for word in text.split() if len(word) > 5})

    def first() -> Any:
        return lambda: reader.get("/triage/"), lambda: rows(LIST.replace("{where}", ""))

    def deep() -> Any:
        there = Ticket.objects.get(pk=chance.choice(keys))
        cursor = cursor_of(there, order=QUEUE_ORDER)
        where = "AND (t.rank, t.due_at, t.id) > (%s, %s, %s)"
        return (
            lambda: reader.get(f"/triage/?after={cursor}"),
            lambda: rows(LIST.replace("{where}", where), there.rank, there.due_at, there.pk),
        )

    def more() -> Any:
        cursor = cursor_of(Ticket.objects.get(pk=chance.choice(keys)), order=QUEUE_ORDER)
        return lambda: reader.get(f"/triage/?after={cursor}", "more"), deep()[1]

    def filtered() -> Any:
        team, topic = chance.choice(teams), chance.choice(topics)
        query = urllib.parse.quote(f"team:{team.slug} topic:{topic.slug}")
        where = "AND t.team_id = %s AND EXISTS (SELECT 1 FROM triage_tagging g WHERE g.item_id = t.item_id AND g.topic_id = %s)"
        return lambda: reader.get(f"/triage/?q={query}"), lambda: rows(
            LIST.replace("{where}", where), team.pk, topic.pk
        )

    def item() -> Any:
        found = Ticket.objects.get(pk=chance.choice(keys))
        sql = "SELECT * FROM triage_ticket t JOIN intake_feedbackitem i ON i.submission_id = t.item_id WHERE t.id = %s"
        return lambda: reader.get(f"/triage/?item={found.reference}", "item"), lambda: rows(sql, found.pk)

    def said(count: int, kind: str) -> Draw:
        def draw() -> Any:
            text = " ".join(chance.sample(words, count))
            asked = f'"{text}"' if kind == "phraseto_tsquery" else text
            sql = SEARCH.replace("{kind}", kind)
            return lambda: reader.get(f"/triage/?q={urllib.parse.quote(asked)}", "queue"), lambda: rows(sql, text)

        return draw

    def decision() -> Any:
        found = Ticket.objects.get(pk=keys.pop())
        to = chance.choice([team for team in teams if team.pk != found.team_id])
        address = f"/triage/{found.reference}/decide/"

        def act() -> None:
            reader.post(address, verb="route", team=to.slug, version=str(found.version), reason="A benchmark.")

        return act, lambda: rows(DECIDE, found.pk)

    yield "list, first page", first
    yield "list, anywhere", deep
    yield "fifty more rows, anywhere", more
    yield "team and topic", filtered
    yield "one item", item
    yield "search, a word", said(1, "plainto_tsquery")
    yield "search, two words", said(2, "plainto_tsquery")
    yield "search, a phrase", said(2, "phraseto_tsquery")
    yield "a decision", decision
    yield "dashboard", lambda: (lambda: reader.get("/kpis/"), lambda: rows(ROLLUP))


ROLLUP = (
    "SELECT kpi, day, sum((parts->>'n')::numeric) FROM kpis_measurement WHERE days = 1 AND day > current_date - 90"
    " AND team_id IS NULL AND channel_id IS NULL AND stage_id IS NULL GROUP BY 1, 2"
)


def beside(draw: Draw, rounds: int) -> dict[str, object]:
    pages, bare = [], []
    for round_ in range(rounds + 2):
        page, sql = draw()
        taken = [seconds(sql), seconds(page)]
        if round_ >= 2:  # the first two warm what is read
            bare.append(taken[0])
            pages.append(taken[1])
    ratio = sorted(pages)[rounds // 2] / sorted(bare)[rounds // 2]
    return {"page": spread(pages), "sql": spread(bare), "ratio": round(ratio, 1)}


def seconds(call: Callable[[], object]) -> float:
    began = time.perf_counter()
    call()
    return time.perf_counter() - began


def spread(taken: list[float]) -> dict[str, float]:
    each = sorted(taken)
    return {
        "p50_ms": round(each[len(each) // 2] * 1000, 1),
        "p95_ms": round(each[int(len(each) * 0.95)] * 1000, 1),
    }


if __name__ == "__main__":
    main()
