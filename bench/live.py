"""How quickly a change reaches everybody who watches: committed in the database, received on many open streams, beside one alone.

    .venv/bin/python bench/live.py [--watchers 200] [--changes 100] [--idle 20]

It makes people of its own in the portal and removes them afterwards: use one that may be thrown away. The time is from before
the statement that commits to the line at the watcher's end, and this process receives them all, so what it costs is in it.
"""

import argparse
import asyncio
import os
import statistics
import sys
import time
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")

APPLICATION = b"triage.asgi:application"
ROUNDS = 3


def main() -> None:
    given = arguments()
    from feedback_portal.local import running

    running.prepare(["bench"])
    import django

    django.setup()
    from django.conf import settings

    from feedback_portal.accounts.models import Team, User

    port = given.port or settings.EVENTS_PORT
    team = Team.objects.create(slug=f"bench-{uuid.uuid4().hex[:8]}", name="Bench")
    people: list[User] = []
    try:
        cookies = [watcher(team, people) for _ in range(given.watchers)]
        alone = [latency(port, cookies[:1], team.pk, given.changes) for _ in range(ROUNDS)]
        many = [latency(port, cookies, team.pk, given.changes) for _ in range(ROUNDS)]
        share = asyncio.run(idle(port, cookies, given.idle))
    finally:
        for person in people:
            person.delete()
        team.delete()
    one, all_of_them = (statistics.median(each[1] for each in rounds) for rounds in (alone, many))
    for name, rounds in (("1 watcher", alone), (f"{given.watchers} watchers", many)):
        told = ", ".join(f"{p50:.1f} / {p95:.1f}" for p50, p95 in rounds)
        print(f"{name:>14}: p50 / p95 of each round in ms: {told}")
    print(f"{'ratio':>14}: {all_of_them / one:.1f} of the medians of p95")
    print(f"{'idle':>14}: {share:.2%} of a core with {given.watchers} open streams over {given.idle} s")


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--watchers", type=int, default=200)
    parser.add_argument("--changes", type=int, default=100)
    parser.add_argument("--idle", type=int, default=20, help="seconds to look at a process that has nothing to tell")
    parser.add_argument("--port", type=int, help="of the event process, if it is not this portal's own")
    return parser.parse_args()


def watcher(team: Any, people: list[Any]) -> str:
    """The cookie of a new member of the team, signed in by a session like everybody's."""
    from importlib import import_module

    from django.conf import settings
    from django.contrib.auth import BACKEND_SESSION_KEY, HASH_SESSION_KEY, SESSION_KEY

    from feedback_portal.accounts.models import Membership, User

    person = User(email=f"bench-{uuid.uuid4().hex}@example.invalid", name="Bench")
    person.set_unusable_password()
    person.save()
    people.append(person)
    Membership.objects.create(user=person, team=team)
    session = import_module(settings.SESSION_ENGINE).SessionStore()
    session[SESSION_KEY] = str(person.pk)
    session[BACKEND_SESSION_KEY] = "django.contrib.auth.backends.ModelBackend"
    session[HASH_SESSION_KEY] = person.get_session_auth_hash()
    session.create()
    return f"{settings.SESSION_COOKIE_NAME}={session.session_key}"


def latency(port: int, cookies: Sequence[str], team: int, changes: int) -> tuple[float, float]:
    """p50 and p95 in milliseconds over all watchers and changes."""
    return asyncio.run(_latency(port, cookies, team, changes))


async def _latency(port: int, cookies: Sequence[str], team: int, changes: int) -> tuple[float, float]:
    from triage.live.bulletins import tell_arrived

    received: list[float] = []
    lines = [await open_stream(port, each) for each in cookies]
    heard = asyncio.Semaphore(0)

    async def listen(reader: asyncio.StreamReader) -> None:
        async for line in reader:
            if line.startswith(b'data: {"arrived"'):
                received.append(time.perf_counter())
                heard.release()

    listeners = [asyncio.create_task(listen(reader)) for reader, _ in lines]
    took: list[float] = []
    for _ in range(changes):
        received.clear()
        began = time.perf_counter()
        await asyncio.to_thread(tell_arrived, [team])
        for _ in lines:
            await asyncio.wait_for(heard.acquire(), 10)
        took += [at - began for at in received]
        await asyncio.sleep(0.02)
    for task in listeners:
        task.cancel()
    for _, writer in lines:
        writer.close()
    took.sort()
    return 1000 * statistics.median(took), 1000 * took[int(0.95 * len(took))]


async def idle(port: int, cookies: Sequence[str], seconds: int) -> float:
    """The share of a core that the event process takes while it has only signs of life to send."""
    lines = [await open_stream(port, each) for each in cookies]
    before = cpu_seconds(port)
    await asyncio.sleep(seconds)
    share = (cpu_seconds(port) - before) / seconds
    for _, writer in lines:
        writer.close()
    return share


async def open_stream(port: int, cookie: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(f"GET /triage/events/ HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nCookie: {cookie}\r\n\r\n".encode())
    while b"hello" not in (line := await asyncio.wait_for(reader.readline(), 20)):
        if not line or (line.startswith(b"HTTP/1.1") and b" 200 " not in line):
            raise SystemExit(f"The event process answers {line.decode().strip() or 'nothing'}.")
    return reader, writer


def cpu_seconds(port: int) -> float:
    """Of the event process that this portal started, with gunicorn's master; Linux only."""
    ours = f"PORTAL_EVENTS_PORT={port}\0".encode()
    total = 0
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            if APPLICATION in (entry / "cmdline").read_bytes() and ours in (entry / "environ").read_bytes() + b"\0":
                fields = (entry / "stat").read_text().rpartition(")")[2].split()
                total += int(fields[11]) + int(fields[12])
        except OSError:
            continue
    return total / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
