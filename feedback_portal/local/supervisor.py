"""Starts processes in order, keeps them running with growing pauses, and stops them all; nothing survives it."""

import asyncio
import os
import signal
import sys
import time
import zlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import TextIO, cast

from feedback_portal.local.paths import CannotStart
from feedback_portal.local.service import Service

_COLOURS = (36, 33, 32, 35, 34, 31)
_LONGEST_LINE = 1 << 20
# Some tools signal the process and then its group: within this time both mean the same.
_ONE_WISH = 0.5


class Supervisor:
    """One run: `supervise` calls `boot`, which calls `start` and `once`, and returns when everything has ended."""

    pauses: tuple[float, ...] = (0.5, 1, 2, 5, 10, 30)
    # A process that lived this long is restarted as if it had never failed.
    steady_after = 30.0

    def __init__(self, out: TextIO | None = None) -> None:
        self.out: TextIO | None = out or sys.stdout
        self.stopping = asyncio.Event()
        self._told_at = 0.0
        self._kept: list[tuple[Service, asyncio.Task[None]]] = []
        self._processes: dict[str, _Process] = {}

    def say(self, name: str, text: str) -> None:
        """One line on the terminal, whose it is in front. A terminal that went away must not stop the portal."""
        if self.out is None:
            return
        label = f"{name:<9}"
        if self.out.isatty():
            label = f"\x1b[{_COLOURS[zlib.crc32(name.encode()) % len(_COLOURS)]}m{label}\x1b[0m"
        try:
            self.out.write(f"{label}| {text}\n")
            self.out.flush()
        except (OSError, ValueError):
            self.out = None

    async def supervise(self, boot: Callable[[], Awaitable[None]]) -> int:
        """Boot, run until told to stop, stop everything. Returns the exit status."""
        self._listen_for_signals()
        booting = asyncio.ensure_future(boot())
        told = asyncio.create_task(self.stopping.wait())
        failure = ""
        try:
            await asyncio.wait({booting, told}, return_when=asyncio.FIRST_COMPLETED)
            if booting.done():
                booting.result()
                await told
        except CannotStart as reason:
            failure = str(reason)
        finally:
            booting.cancel()
            told.cancel()
            await asyncio.gather(booting, told, return_exceptions=True)
            await self._stop_all()
        self.say("portal", failure or "Everything has stopped.")
        return 1 if failure else 0

    async def start(self, service: Service) -> None:
        """Start the service and wait until it is ready; from then on it is kept running."""
        began = time.monotonic()
        if service.tidy:
            await asyncio.to_thread(service.tidy)
        process = await self._spawn(service)
        await self._until_ready(service, process)
        self.say("portal", f"{service.name} is up after {time.monotonic() - began:.1f} s (process {process.pid}).")
        self._kept.append((service, asyncio.create_task(self._keep(service, process, began))))

    async def once(self, service: Service) -> int:
        """Run a command to its end and return its exit status."""
        process = await self._spawn(service)
        await process.exited.wait()
        del self._processes[service.name]
        return process.status

    async def _spawn(self, service: Service) -> "_Process":
        loop = asyncio.get_running_loop()
        _, process = await loop.subprocess_exec(
            lambda: _Process(lambda line: self.say(service.name, line)),
            *service.argv,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            **service.process_arguments(),
        )
        self._processes[service.name] = process
        return process

    async def _until_ready(self, service: Service, process: "_Process") -> None:
        end = time.monotonic() + service.ready_seconds
        pause = 0.03
        while missing := await asyncio.to_thread(service.what_is_missing):
            if process.exited.is_set():
                says = service.log or "what it said above"
                raise CannotStart(f"{service.name} ended with {process.status} before it was ready; {says} tells why.")
            if time.monotonic() > end:
                raise CannotStart(f"{service.name} was not ready after {service.ready_seconds:.0f} s; {missing}.")
            await asyncio.sleep(pause)
            pause = min(pause * 1.3, 0.5)

    async def _keep(self, service: Service, process: "_Process", born: float) -> None:
        failures = 0
        while True:
            await process.exited.wait()
            process.kill_group()  # its own children, if they outlived it
            if self.stopping.is_set():
                return
            if time.monotonic() - born > self.steady_after:
                failures = 0
            pause = self.pauses[min(failures, len(self.pauses) - 1)]
            failures += 1
            self.say("portal", f"{service.name} ended with {process.status}; it starts again in {pause:g} s.")
            with suppress(TimeoutError):
                await asyncio.wait_for(self.stopping.wait(), pause)
                return
            if service.tidy:
                await asyncio.to_thread(service.tidy)
            born = time.monotonic()
            process = await self._spawn(service)
            with suppress(CannotStart):
                await self._until_ready(service, process)
                self.say("portal", f"{service.name} is up again after {time.monotonic() - born:.1f} s.")

    async def _stop_all(self) -> None:
        """First everything that stands on the foundations, together; then the foundations. The rest is killed."""
        self.stopping.set()
        kept = {service.name for service, _ in self._kept}
        for name, process in list(self._processes.items()):
            if name not in kept:  # a command, or a service that never became ready
                await self._stop(process, Service(name=name, argv=[], stop_seconds=3))
        for foundation in (False, True):
            layer = [(service, task) for service, task in self._kept if service.foundation is foundation]
            await asyncio.gather(*(self._stop(self._processes[service.name], service) for service, _ in layer))
            await asyncio.gather(*(task for _, task in layer))

    async def _stop(self, process: "_Process", service: Service) -> None:
        if process.exited.is_set():
            return
        process.send(service.stop_signal)
        try:
            await asyncio.wait_for(process.exited.wait(), service.stop_seconds)
        except TimeoutError:
            self.say("portal", f"{service.name} did not stop within {service.stop_seconds:g} s and is killed.")
            process.kill_group()
            await process.exited.wait()

    def _listen_for_signals(self) -> None:
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            # nohup stays nohup; but a shell that starts us in the background ignores SIGINT for us without being asked.
            if number != signal.SIGHUP or signal.getsignal(number) is not signal.SIG_IGN:
                loop.add_signal_handler(number, self._told_to_stop)

    def _told_to_stop(self) -> None:
        now = time.monotonic()
        if self.stopping.is_set():
            if now - self._told_at < _ONE_WISH:
                return
            for process in self._processes.values():
                process.kill_group()
            return
        self._told_at = now
        self.say("portal", "Stopping everything; once more to kill it.")
        self.stopping.set()


class _Process(asyncio.SubprocessProtocol):
    """A child with its lines. `exited` is set when the child itself has ended, even if a grandchild of it still
    holds the pipe; asyncio's own Process.wait() waits for both."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self.say = say
        self.exited = asyncio.Event()
        self.status = 0
        self._unfinished = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.SubprocessTransport, transport)
        self.pid = self.transport.get_pid()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        *lines, self._unfinished = (self._unfinished + data).split(b"\n")
        if len(self._unfinished) > _LONGEST_LINE:
            lines, self._unfinished = [*lines, self._unfinished], b""
        for line in lines:
            self.say(line.decode("utf-8", "replace").rstrip())

    def pipe_connection_lost(self, fd: int, exc: Exception | None) -> None:
        if self._unfinished:
            self.say(self._unfinished.decode("utf-8", "replace").rstrip())
            self._unfinished = b""

    def process_exited(self) -> None:
        status = self.transport.get_returncode()
        self.status = 0 if status is None else status
        self.exited.set()

    def send(self, number: int) -> None:
        with suppress(ProcessLookupError):
            self.transport.send_signal(number)

    def kill_group(self) -> None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(self.pid, signal.SIGKILL)
