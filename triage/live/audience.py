"""Who is connected for live updates in this process, and how a bulletin reaches each of them without waiting for any."""

import asyncio
import json
import random
from collections.abc import Collection
from dataclasses import dataclass, field

from triage.live.bulletins import Bulletin, Sight

MOST_CONNECTED = 1000
MOST_EACH = 12
"""Streams a person may have open at once, one a window; the oldest makes room."""
MOST_WAITING = 32
"""Messages that wait for one reader. Whoever is slower is let go and reads everything anew when they are back."""
LONGEST = 15 * 60.0
"""Seconds until a reader must connect again, and so sign in again as far as we are concerned."""

HELLO = b"retry: 3000\nevent: hello\ndata: {}\n\n"
BEAT = b"event: beat\ndata: {}\n\n"


@dataclass(eq=False)
class Reader:
    """One open stream. `waiting` holds what is to be sent; None ends it."""

    person: int
    session: str
    sight: Sight
    task: "asyncio.Task[object] | None"
    until: float
    waiting: "asyncio.Queue[bytes | None]" = field(default_factory=lambda: asyncio.Queue(MOST_WAITING))

    def offer(self, message: bytes | None) -> bool:
        """Whether there was room."""
        try:
            self.waiting.put_nowait(message)
        except asyncio.QueueFull:
            return False
        return True


class Audience:
    """Used from one event loop. While nobody listens to the database it is closed, and takes no readers."""

    def __init__(self) -> None:
        self.readers: dict[Reader, None] = {}  # in the order in which they came
        self.is_open = False

    def open(self) -> None:
        self.is_open = True

    def close(self) -> None:
        """Nothing can be told any more: all are let go, and ask by themselves until they are let in again."""
        self.is_open = False
        for reader in list(self.readers):
            self._let_go(reader)

    def enter(self, person: int, session: str, sight: Sight, *, now: float) -> Reader:
        own = [reader for reader in self.readers if reader.person == person]
        for reader in own[: max(0, len(own) - MOST_EACH + 1)]:
            self._let_go(reader)
        # Not all at once: who came together after a restart leaves one by one.
        until = now + LONGEST * random.uniform(0.8, 1.0)
        reader = Reader(person, session, sight, asyncio.current_task(), until)
        self.readers[reader] = None
        return reader

    def leave(self, reader: Reader) -> None:
        self.readers.pop(reader, None)

    @property
    def is_full(self) -> bool:
        return len(self.readers) >= MOST_CONNECTED

    def tell(self, bulletin: Bulletin) -> None:
        """Each reader is told what their sight covers; worked out once for all who see the same."""
        messages: dict[Sight, bytes] = {}
        for reader in list(self.readers):
            if reader.sight not in messages:
                messages[reader.sight] = _message(bulletin.as_seen(reader.sight))
            message = messages[reader.sight]
            if message and not reader.offer(message):
                self._let_go(reader)

    def beat(self, *, now: float) -> None:
        """A sign of life, by which pages and proxies know that silence means no news."""
        for reader in list(self.readers):
            if reader.until <= now or not reader.offer(BEAT):
                self._let_go(reader)

    def review(self, asked: Collection[Reader], sights: "dict[int, Sight]", sessions: Collection[str]) -> None:
        """People whose rights changed see by the new ones from now on; who was shut out or has signed out is let go. Only of
        those about whom was asked: who came meanwhile has just been looked at."""
        for reader in [each for each in asked if each in self.readers]:
            if reader.person in sights and reader.session in sessions:
                reader.sight = sights[reader.person]
            else:
                self._let_go(reader)

    def _let_go(self, reader: Reader) -> None:
        self.leave(reader)
        # One that is slow stands in the middle of sending, where no message reaches it.
        if not reader.offer(None) and reader.task is not None:
            reader.task.cancel()


def _message(told: "dict[str, object]") -> bytes:
    if not told:
        return b""
    return f"event: news\ndata: {json.dumps(told, separators=(',', ':'))}\n\n".encode()
