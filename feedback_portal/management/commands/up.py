"""`up`: the whole portal in one terminal: database, broker, web server, worker, relay, beat and a mail sink."""

import asyncio
import os
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from feedback_portal.local import paths, running
from feedback_portal.local.paths import CannotStart, Layout
from feedback_portal.local.stack import Stack
from feedback_portal.local.supervisor import Supervisor


class Command(BaseCommand):
    help = (
        "Run the whole portal here. DATABASE_URL, REDIS_URL and PORTAL_EMAIL_URL replace the services it brings along."
    )
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--host", default="127.0.0.1", help="the address to listen on")
        parser.add_argument("--port", type=int, help="the port, or the next free one (default: PORTAL_PORT, 8000)")
        parser.add_argument("--demo", action="store_true", help="fill an empty portal with a believable organisation")

    def handle(self, *args: Any, host: str, port: int | None, demo: bool, **options: Any) -> None:
        layout = Layout.of(paths.state_dir())
        try:
            layout.make()
            held = paths.hold(layout.state)
        except CannotStart as reason:
            raise CommandError(str(reason)) from None
        with held:
            try:
                status = asyncio.run(self._run(layout, host=host, port=_port() if port is None else port, demo=demo))
            finally:
                running.withdraw(layout.state)
                layout.leave()
        if status:
            raise SystemExit(status)

    async def _run(self, layout: Layout, *, host: str, port: int, demo: bool) -> int:
        supervisor = Supervisor()

        async def boot() -> None:
            await Stack(supervisor, layout, host=host, port=port, demo=demo).boot()

        return await supervisor.supervise(boot)


def _port() -> int:
    raw = os.environ.get("PORTAL_PORT") or "8000"
    if raw.isdigit() and int(raw) < 65_536:
        return int(raw)
    raise CommandError(f"PORTAL_PORT is {raw!r}: write a number from 1 to 65535.")
