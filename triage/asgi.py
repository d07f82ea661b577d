"""The event process: it answers /triage/events/ with what changes, for as long as a page stays open, and nothing else.

Plain ASGI under gunicorn's own worker, so that hundreds of open streams cost a process of one thread and not a thread each.
A stream carries numbers only; each page reads what they mean by itself, with its reader's own rights.
"""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "feedback_portal.settings")
django.setup()

from django.conf import settings  # noqa: E402
from django.db import close_old_connections  # noqa: E402

from triage.live.audience import HELLO, Audience  # noqa: E402
from triage.live.listening import Ear  # noqa: E402
from triage.live.watchers import Watcher, watcher_of  # noqa: E402

PATH = "/triage/events/"

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_PLAIN = (b"content-type", b"text/plain; charset=utf-8")


class EventProcess:
    """The ASGI application, with its audience and its ear."""

    def __init__(self) -> None:
        self.audience = Audience()
        # Who asks is looked up beside the loop, and by few at a time: after a restart everybody is back at once.
        self._door = ThreadPoolExecutor(2, thread_name_prefix="door")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._answer(scope, receive, send)

    async def _live(self, receive: Receive, send: Send) -> None:
        ear = Ear(self.audience, asyncio.get_running_loop())
        await receive()
        ear.start()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        ear.stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["path"] == "/healthz":
            await _say(send, 200, "ok\n")
        elif scope["path"] != PATH:
            await _say(send, 404, "There is nothing here but the events of the workbench.\n")
        elif scope["method"] != "GET":
            await _say(send, 405, "Events can only be read.\n", (b"allow", b"GET"))
        else:
            await self._let_in(scope, receive, send)

    async def _let_in(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        origin = headers.get("origin", "")
        if origin and not _is_ours(origin, headers.get("host", "")):
            await _say(send, 403, "Only pages of this portal may watch.\n")
            return
        shared = _shared_with(origin)
        watcher = await asyncio.get_running_loop().run_in_executor(self._door, _look_up, headers.get("cookie", ""))
        if watcher is None:
            await _say(send, 401, "Sign in first.\n", *shared)
        elif not self.audience.is_open or self.audience.is_full:
            await _say(send, 503, "There are no live updates now. The page asks by itself.\n", *shared)
        else:
            await self._stream(watcher, shared, receive, send)

    async def _stream(self, watcher: Watcher, shared: list[tuple[bytes, bytes]], receive: Receive, send: Send) -> None:
        # What happened before is not told: a page reads everything anew at every hello, so no event needs a number.
        reader = self.audience.enter(watcher.person, watcher.session, watcher.sight, now=time.monotonic())
        gone = asyncio.ensure_future(_wait_until_gone(receive, reader.waiting))
        try:
            await send(
                {
                    "type": "http.response.start",
                    "status": 200,
                    "headers": [
                        (b"content-type", b"text/event-stream"),
                        (b"cache-control", b"no-store"),
                        (b"x-accel-buffering", b"no"),
                        (b"x-content-type-options", b"nosniff"),
                        *shared,
                    ],
                }
            )
            message: bytes | None = HELLO
            while message is not None:
                await send({"type": "http.response.body", "body": message, "more_body": True})
                message = await reader.waiting.get()
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            self.audience.leave(reader)
            gone.cancel()


async def _wait_until_gone(receive: Receive, waiting: "asyncio.Queue[bytes | None]") -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
    with suppress(asyncio.QueueFull):
        waiting.put_nowait(None)


def _look_up(cookies: str) -> Watcher | None:
    close_old_connections()
    try:
        return watcher_of(cookies)
    finally:
        close_old_connections()


def _is_ours(origin: str, host: str) -> bool:
    """The same address; on one machine without a proxy, where this process has a port of its own, the same host."""
    page, here = urlsplit(origin), urlsplit(f"//{host}")
    return page.netloc == here.netloc or bool(settings.EVENTS_PORT and page.hostname == here.hostname)


def _shared_with(origin: str) -> list[tuple[bytes, bytes]]:
    if not origin or not settings.EVENTS_PORT:
        return []
    return [
        (b"access-control-allow-origin", origin.encode("latin-1")),
        (b"access-control-allow-credentials", b"true"),
        (b"vary", b"Origin"),
    ]


async def _say(send: Send, status: int, text: str, *more: tuple[bytes, bytes]) -> None:
    body = text.encode()
    headers = [_PLAIN, (b"content-length", str(len(body)).encode()), (b"cache-control", b"no-store"), *more]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


application = EventProcess()
