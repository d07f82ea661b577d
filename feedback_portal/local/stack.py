"""The portal's processes on one machine, in the order in which each finds what it stands on."""

import asyncio
import hashlib
import http.client
import os
import socket
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import connection

from feedback_portal.celery import PIPELINE, app
from feedback_portal.local import running
from feedback_portal.local.broker import Broker
from feedback_portal.local.paths import PROJECT, CannotStart, Layout
from feedback_portal.local.postgres import Postgres
from feedback_portal.local.service import Service
from feedback_portal.local.supervisor import Supervisor

_PORTS_TRIED = 50
_WORKER_STATEMENT_MS = 300_000


class Stack:
    """One start of everything. `environment` is what the children get on top of ours, and grows as services come up."""

    def __init__(self, supervisor: Supervisor, layout: Layout, *, host: str, port: int, demo: bool) -> None:
        self.supervisor = supervisor
        self.layout = layout
        self.host = host
        self.demo = demo
        self.web_socket = _listen(host, port)
        self.port: int = self.web_socket.getsockname()[1]
        self.wanted_port = port
        self.events_socket = _listen(host, _events_port(self.port))
        self.environment = {"PYTHONUNBUFFERED": "1"}

    async def boot(self) -> None:
        began = time.monotonic()
        if self.wanted_port not in (0, self.port):
            self._say(f"Port {self.wanted_port} is taken, so the portal takes {self.port}.")
        self._base_url()
        await asyncio.gather(self._database(), self._broker())
        self._mail_sink_address()
        await asyncio.gather(self._migrate(), self._static_files(), self._encoder())
        running.announce(self.layout.state, {**os.environ, **self.environment})
        await asyncio.gather(
            self._start_mail_sink(), self.supervisor.start(self._web()), self.supervisor.start(self._events())
        )
        self._say(f"The portal is on {self.base_url} after {time.monotonic() - began:.1f} s.")
        await self._first_owner()
        await asyncio.gather(*(self.supervisor.start(service) for service in self._workers()))
        if self.demo:
            await self._load_demo()
        self._say("Everything runs; Ctrl-C stops it.")

    # What it stands on

    def _base_url(self) -> None:
        shown = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104 (read, not bound)
        self.base_url = os.environ.get("PORTAL_BASE_URL") or f"http://{shown}:{self.port}"
        self.environment |= {"PORTAL_BASE_URL": self.base_url, "PORTAL_PORT": str(self.port)}
        # Behind a proxy of somebody's own, only they know whether it passes on another port.
        if not os.environ.get("PORTAL_BASE_URL"):
            self.environment["PORTAL_EVENTS_PORT"] = str(self.events_socket.getsockname()[1])

    async def _database(self) -> None:
        postgres = Postgres(self.layout)
        if os.environ["DATABASE_URL"] != postgres.url():
            return
        if self.layout.database != self.layout.state:
            self._say(
                f"The database lies in {self.layout.database}, since the account that runs it cannot reach "
                f"{self.layout.state}."
            )
        await asyncio.to_thread(postgres.prepare)
        await self.supervisor.start(postgres.service())
        await asyncio.to_thread(postgres.create_database)

    async def _broker(self) -> None:
        broker = Broker(self.layout)
        if os.environ["REDIS_URL"] == broker.url():
            broker.prepare()
            await self.supervisor.start(broker.service())

    async def _migrate(self) -> None:
        # A migration may take its time; a web page may not.
        command = self._manage("migrate", "--noinput", "-v", "0")
        if await self.supervisor.once(_with_statements_of(command, milliseconds=0)):
            raise CannotStart("The database could not be migrated; the lines above say why.")

    async def _static_files(self) -> None:
        """Collected only when a file or a package changed; in development they are served from where they are."""
        stamp = Path(settings.STATIC_ROOT) / ".collected"
        now = _static_fingerprint()
        if settings.DEBUG or (stamp.exists() and stamp.read_text() == now):
            return
        if await self.supervisor.once(self._manage("collectstatic", "--noinput", "-v", "0")):
            raise CannotStart("The static files could not be collected; the lines above say why.")
        stamp.write_text(now)

    async def _encoder(self) -> None:
        """Built at the first start; after an update the first worker that needs it builds the new one in a second."""
        if settings.ENCODER and not any(Path(settings.ENCODER_DIR).glob("*.onnx")):
            await self.supervisor.once(self._manage("prepare_encoder"))

    def _mail_sink_address(self) -> None:
        self.mail_socket: socket.socket | None = None
        if not os.environ.get("PORTAL_EMAIL_URL"):
            self.mail_socket = _listen("127.0.0.1", 0)
            self.environment["PORTAL_EMAIL_URL"] = f"smtp://127.0.0.1:{self.mail_socket.getsockname()[1]}"

    # What stands on it

    async def _start_mail_sink(self) -> None:
        if self.mail_socket:
            number = self.mail_socket.fileno()
            await self.supervisor.start(self._manage("mail_sink", "--fd", str(number), sockets=(number,)))

    def _web(self) -> Service:
        number = self.web_socket.fileno()
        options = {
            # Our own socket: no other server can answer for us, and visitors wait out a restart instead of failing.
            "--bind": f"fd://{number}",
            "--workers": "2",
            "--worker-class": "gthread",
            "--threads": "4",
            "--graceful-timeout": "5",
            "--worker-tmp-dir": "/dev/shm" if os.access("/dev/shm", os.W_OK) else tempfile.gettempdir(),  # noqa: S108
            "--log-level": "warning",
        }
        argv = [part for pair in options.items() for part in pair]
        # gunicorn would open its control socket in the home folder.
        argv = ["-m", "gunicorn", *argv, "--no-control-socket", "feedback_portal.wsgi:application"]
        return replace(self._python("web", *argv, sockets=(number,)), ready=self._web_answers)

    def _events(self) -> Service:
        """One process, for one ear hears for all who are connected. It answers at a port of its own: see `triage.asgi`."""
        number = self.events_socket.fileno()
        options = ["--bind", f"fd://{number}", "--worker-class", "asgi", "--workers", "1", "--graceful-timeout", "1"]
        argv = ["-m", "gunicorn", *options, "--log-level", "warning", "--no-control-socket", "triage.asgi:application"]
        return self._python("events", *argv, sockets=(number,))

    def _workers(self) -> list[Service]:
        celery = ["-m", "celery", "--quiet", "-A", "feedback_portal"]
        queues = ",".join(dict.fromkeys(stage.queue for stage in PIPELINE))
        name = f"portal-{os.getpid()}@local"
        lean = ["--without-mingle", "--without-gossip", "-c", "2", "-l", "WARNING"]
        schedule = ["--pidfile=", "-s", str(self.layout.state / "beat-schedule"), "-l", "WARNING"]
        worker = replace(
            self._python("worker", *celery, "worker", "-Q", queues, "-n", name, *lean),
            ready=lambda: bool(app.control.ping(destination=[name], timeout=1.0, limit=1)),
        )
        if os.geteuid() == 0:  # in a container there may be no other account, and the warning is nine lines long
            worker = replace(worker, env={**worker.env, "PYTHONWARNINGS": "ignore:You're running the worker"})
        return [
            _with_statements_of(worker, milliseconds=_WORKER_STATEMENT_MS),
            self._manage("relay"),
            self._python("beat", *celery, "beat", *schedule),
        ]

    async def _first_owner(self) -> None:
        if await asyncio.to_thread(_somebody_can_sign_in):
            return
        if await self.supervisor.once(self._manage("first_owner")):
            self._say("No first owner could be made; run manage.py first_owner once the cause above is mended.")

    async def _load_demo(self) -> None:
        if await self.supervisor.once(self._manage("load_demo")):
            self._say("The demo could not be loaded; the lines above say why. The portal itself runs.")

    def _web_answers(self) -> bool:
        client = http.client.HTTPConnection(self.host, self.port, timeout=2)
        try:
            client.request("GET", "/healthz", headers={"Host": urlsplit(self.base_url).netloc})
            return client.getresponse().status == http.HTTPStatus.OK
        except (OSError, http.client.HTTPException):
            return False
        finally:
            client.close()

    def _manage(self, command: str, *arguments: str, sockets: tuple[int, ...] = ()) -> Service:
        return self._python(command, "manage.py", command, *arguments, sockets=sockets)

    def _python(self, name: str, *argv: str, sockets: tuple[int, ...] = ()) -> Service:
        argv_whole = [sys.executable, *argv]
        return Service(name=name, argv=argv_whole, env=dict(self.environment), cwd=PROJECT, sockets=sockets)

    def _say(self, text: str) -> None:
        self.supervisor.say("portal", text)


def _events_port(web: int) -> int:
    """The one that is asked for, else the next after the portal's own."""
    raw = os.environ.get("PORTAL_EVENTS_PORT") or "0"
    if not raw.isdigit() or int(raw) > 65_535:
        raise CannotStart(f"PORTAL_EVENTS_PORT is {raw!r}: write a number from 1 to 65535.")
    return int(raw) or min(web + 1, 65_535)


def _with_statements_of(service: Service, *, milliseconds: int) -> Service:
    """Work in the background may ask the database longer questions than a page; 0 means any length."""
    return replace(service, env={**service.env, "PORTAL_STATEMENT_TIMEOUT_MS": str(milliseconds)})


def _listen(host: str, first: int) -> socket.socket:
    """A listening socket on the port, or on the next free one; 0 takes any."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    for port in range(first, min(first + _PORTS_TRIED, 65_536)):
        try:
            return socket.create_server((host, port), family=family, backlog=512)
        except PermissionError:
            raise CannotStart(f"Port {port} is kept for root: set PORTAL_PORT to one above 1023.") from None
        except socket.gaierror:
            raise CannotStart(f"{host} is no address of this machine: use --host 127.0.0.1 or 0.0.0.0.") from None
        except OSError:
            continue
    raise CannotStart(f"No port from {first} on is free on {host}: set PORTAL_PORT to a free one.")


def _somebody_can_sign_in() -> bool:
    try:
        return get_user_model()._default_manager.exists()
    finally:
        connection.close()


def _static_fingerprint() -> str:
    """Changes when a package or one of our own static files does."""
    seen = hashlib.sha256((PROJECT / "requirements.txt").read_bytes())
    for path in sorted(path for path in PROJECT.glob("*/static/**/*") if path.is_file()):
        state = path.stat()
        seen.update(f"{path.relative_to(PROJECT)}\0{state.st_size}\0{state.st_mtime_ns}\n".encode())
    return seen.hexdigest()
