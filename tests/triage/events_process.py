"""A real event process on the test database, and readers of its streams."""

import http.client
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote

from django.db import connection
from django.test import Client

from feedback_portal.accounts.models import User
from feedback_portal.local.paths import PROJECT

PATIENCE = 20.0


@dataclass
class EventsProcess:
    """`port` answers; `process` may be killed."""

    port: int
    process: "subprocess.Popen[bytes]"

    @contextmanager
    def watching(self, person: User | None, *, cookies: str = "") -> "Iterator[Stream]":
        stream = Stream(self.port, cookies or cookies_of(person))
        try:
            yield stream
        finally:
            stream.close()


def cookies_of(person: User | None) -> str:
    if person is None:
        return ""
    client = Client()
    client.force_login(person)
    return f"session={client.cookies['session'].value}"


@dataclass
class Stream:
    """One connection; `status` is the answer's, `heard` what came so far as (event, data)."""

    port: int
    cookies: str
    headers: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.heard: list[tuple[str, dict[str, Any]]] = []
        self.ended = threading.Event()
        self._news = threading.Condition()
        self._client = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        self._client.request("GET", "/triage/events/", headers={"Cookie": self.cookies, **self.headers})
        self.answer = self._client.getresponse()
        self.status = self.answer.status
        threading.Thread(target=self._read, daemon=True).start()

    def wait_for(self, event: str, **data: Any) -> dict[str, Any]:
        """The data of the first event of this kind that holds this; fails if it never comes."""
        end = time.monotonic() + PATIENCE
        with self._news:
            while True:
                for kind, told in self.heard:
                    if kind == event and data.items() <= told.items():
                        return told
                assert time.monotonic() < end, f"no {event} {data}, only {self.heard}"
                self._news.wait(0.5)

    def close(self) -> None:
        with suppress(OSError):
            if self._client.sock:
                self._client.sock.shutdown(socket.SHUT_RDWR)
        self.ended.wait(PATIENCE)
        self._client.close()

    def _read(self) -> None:
        event = ""
        with suppress(OSError, http.client.HTTPException, ValueError, AttributeError):
            while line := self.answer.readline():
                text = line.decode().rstrip("\n")
                if text.startswith("event: "):
                    event = text.removeprefix("event: ")
                elif text.startswith("data: ") and event:
                    with self._news:
                        self.heard.append((event, json.loads(text.removeprefix("data: "))))
                        self._news.notify_all()
        self.ended.set()


@contextmanager
def events_process(**environment: str) -> Iterator[EventsProcess]:
    """Started by the same command as in production; it listens on the database that this test writes."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        number = listener.fileno()
        argv = ["-m", "gunicorn", "--bind", f"fd://{number}", "--worker-class", "asgi", "--workers", "1"]
        argv += ["--graceful-timeout", "1", "--no-control-socket", "--log-level", "warning", "triage.asgi:application"]
        named = connection.settings_dict
        url = f"postgres://{named['USER']}@{quote(named['HOST'], safe='')}/{named['NAME']}"
        if not named["HOST"].startswith("/"):
            url = f"postgres://{named['USER']}:{named['PASSWORD']}@{named['HOST']}:{named['PORT'] or 5432}/{named['NAME']}"
        process = subprocess.Popen(
            [sys.executable, *argv],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": url, **environment},
            pass_fds=(number,),
        )
    try:
        _wait_until_it_listens(process)
        yield EventsProcess(port, process)
    finally:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        _wait_until_gone()


def listeners() -> int:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'portal events'"
            " AND datname = current_database()"
        )
        return int(cursor.fetchone()[0])


def _wait_until_it_listens(process: "subprocess.Popen[bytes]") -> None:
    end = time.monotonic() + 60
    while not listeners():
        assert process.poll() is None, "the event process has ended"
        assert time.monotonic() < end, "the event process does not listen"
        time.sleep(0.05)


def _wait_until_gone() -> None:
    """The database of a test is emptied or dropped afterwards, which a connection left over would hold up."""
    end = time.monotonic() + PATIENCE
    with connection.cursor() as cursor:
        while True:
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
                " AND application_name = 'portal events'"
            )
            if not cursor.fetchone()[0] or time.monotonic() > end:
                return
            time.sleep(0.05)
