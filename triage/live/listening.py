"""The one ear of an event process: a thread that hears the database's bulletins and hands them to the event loop."""

import asyncio
import os
import select
import threading
import time
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import psycopg2
import structlog
from django.db import connection, utils

from triage.live.audience import Audience
from triage.live.bulletins import CHANNEL, Bulletin
from triage.live.watchers import rights_of, sessions_alive

log = structlog.get_logger("portal.events")

NAME = "portal events"
"""How the connection is called in the database, where the health checks count who listens."""
BEAT_EVERY = 15.0
_PAUSES = (0.2, 1.0, 5.0)


class Ear(threading.Thread):
    """Listens until told to stop. Between bulletins it sends the signs of life, and asks whether those who are connected may
    still be; without a database it closes the audience and tries again."""

    def __init__(self, audience: Audience, loop: asyncio.AbstractEventLoop, *, beat_every: float = BEAT_EVERY) -> None:
        super().__init__(name="ear", daemon=True)
        self._audience = audience
        self._loop = loop
        self._beat_every = beat_every
        self._wake, self._stop = os.pipe()
        self._going = True
        self._heard: deque[str] = deque()

    def stop(self) -> None:
        self._going = False
        os.write(self._stop, b".")

    def run(self) -> None:
        failed = 0
        while self._going:
            began = time.monotonic()
            try:
                self._listen()
            except (utils.Error, psycopg2.Error, OSError) as error:
                failed = 0 if time.monotonic() - began > self._beat_every else failed + 1
                log.warning("database unreachable", error=type(error).__name__)
            self._do(self._audience.close)
            with suppress(utils.Error, psycopg2.Error):
                connection.close()
            if self._going:
                select.select([self._wake], [], [], _PAUSES[min(failed, len(_PAUSES) - 1)])

    def _listen(self) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('application_name', %s, false)", [NAME])
            cursor.execute(f"LISTEN {CHANNEL}")
        raw: Any = connection.connection
        self._do(self._audience.open)
        beat_at = time.monotonic() + self._beat_every
        while self._going:
            if not raw.notifies:
                select.select([raw, self._wake], [], [], max(0.0, beat_at - time.monotonic()))
                raw.poll()
            if raw.notifies:
                self._heard.extend(notice.payload for notice in raw.notifies)
                raw.notifies.clear()
                self._do(self._tell)
            if time.monotonic() >= beat_at:
                beat_at += self._beat_every
                self._review()
                self._do(lambda: self._audience.beat(now=time.monotonic()))

    def _tell(self) -> None:
        """On the loop: all that was heard until now, as one, so that a burst of decisions is one message and no flood."""
        heard = []
        while self._heard:
            try:
                heard.append(Bulletin.read(self._heard.popleft()))
            except ValueError:
                log.warning("a bulletin that cannot be read")
        if heard:
            self._audience.tell(Bulletin.together(heard))

    def _review(self) -> None:
        readers = list(self._audience.readers)  # a copy, made in one step
        sights = rights_of({reader.person for reader in readers})
        self._do(self._audience.review, readers, sights, sessions_alive({reader.session for reader in readers}))

    def _do(self, act: Callable[..., None], *given: Any) -> None:
        with suppress(RuntimeError):  # the loop has ended, and with it everybody who could be told
            self._loop.call_soon_threadsafe(act, *given)
