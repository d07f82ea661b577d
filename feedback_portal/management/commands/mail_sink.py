"""`mail_sink`: takes every mail the portal sends on this machine and keeps it as a file instead of delivering it."""

import asyncio
import os
import secrets
import signal
import socket
from pathlib import Path
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

_MOST_KEPT = 2_000
_LARGEST = 32 * 1024 * 1024


class Command(BaseCommand):
    help = "Listen for mail on 127.0.0.1 and keep each as an .eml file in PORTAL_MAIL_DIR; nothing is delivered."
    requires_system_checks = []

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--port", type=int, default=1025, help="the port to listen on (default: 1025)")
        parser.add_argument("--fd", type=int, help="a listening socket handed over by the process that starts this")

    def handle(self, *args: Any, port: int, fd: int | None, **options: Any) -> None:
        try:
            listening = socket.create_server(("127.0.0.1", port)) if fd is None else socket.socket(fileno=fd)
        except OSError as error:
            raise CommandError(f"Port {port} cannot be taken ({error.strerror}): choose another with --port.") from None
        folder = Path(settings.MAIL_DIR)
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        asyncio.run(_serve(listening, folder))


class _Keeper:
    """What aiosmtpd calls for each mail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        # Blind copies stand nowhere else.
        route = f"X-Envelope-From: {envelope.mail_from}\r\nX-Envelope-To: {', '.join(envelope.rcpt_tos)}\r\n"
        body = envelope.content or b""
        raw = body if isinstance(body, bytes) else body.encode("utf-8", "surrogateescape")
        self._keep(route.encode("utf-8", "surrogateescape") + raw)
        return "250 Kept"

    def _keep(self, mail: bytes) -> None:
        """Names sort by time. A reader never sees half a mail, and the oldest make room."""
        name = f"{timezone.now():%Y%m%dT%H%M%S.%f}-{secrets.token_hex(4)}"
        unfinished = self.folder / f"{name}.part"
        with open(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(mail)
        unfinished.rename(self.folder / f"{name}.eml")
        for old in sorted(self.folder.glob("*.eml"))[:-_MOST_KEPT]:
            old.unlink(missing_ok=True)


async def _serve(listening: socket.socket, folder: Path) -> None:
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    keeper = _Keeper(folder)
    await loop.create_server(lambda: SMTP(keeper, data_size_limit=_LARGEST, hostname="localhost"), sock=listening)
    await told.wait()
