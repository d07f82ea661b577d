"""A system outside: a real HTTP server on this machine that answers what a test gives it, faults included."""

import contextlib
import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass(frozen=True)
class Said:
    """One answer. `is_cut` sends half of what its length promises; `drip` sends a byte at a time until told to stop."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    is_cut: bool = False
    is_drip: bool = False

    @classmethod
    def json(cls, found: Any, **named: Any) -> "Said":
        return cls(body=json.dumps(found).encode(), **named)


@dataclass(frozen=True)
class Heard:
    method: str
    path: str
    headers: Mapping[str, str]
    body: bytes


class Outside:
    """`answers` by path without its query, or one for every other; an answer may be a list, of which the last stays."""

    def __init__(self) -> None:
        self.heard: list[Heard] = []
        self.answers: dict[str, Said | list[Said] | Callable[[Heard], Said]] = {}
        self.other = Said(404)
        self.stopped = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.port: int = self._server.server_address[1]
        self.host = f"127.0.0.1:{self.port}"
        self.url = f"http://{self.host}"
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True).start()

    def stop(self) -> None:
        self.stopped.set()
        self._server.shutdown()
        self._server.server_close()

    def paths(self) -> list[str]:
        return [each.path for each in self.heard]

    def answer(self, heard: Heard) -> Said:
        self.heard.append(heard)
        found = self.answers.get(heard.path.partition("?")[0], self.other)
        if isinstance(found, list):
            return found.pop(0) if len(found) > 1 else found[0]
        return found if isinstance(found, Said) else found(heard)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        outside = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def _any(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                headers = {name.lower(): value for name, value in self.headers.items()}
                said = outside.answer(Heard(self.command, self.path, headers, body))
                self.send_response(said.status)
                for name, value in said.headers.items():
                    self.send_header(name, value)
                self.close_connection = True
                with contextlib.suppress(OSError):
                    if said.is_drip:
                        self.end_headers()
                        while not outside.stopped.wait(0.05):
                            self.wfile.write(b".")
                        return
                    self.send_header("Content-Length", str(len(said.body) * (2 if said.is_cut else 1)))
                    self.end_headers()
                    self.wfile.write(said.body)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _any

            def log_message(self, *args: Any) -> None: ...

        return Handler


class Listener:
    """A port that nobody may reach; it counts who did."""

    def __init__(self) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]

    def connections(self) -> int:
        """How many reached it since it was asked last; those that did are in the queue of the kernel at once."""
        found = 0
        self._socket.setblocking(False)
        with contextlib.suppress(BlockingIOError):
            while True:
                self._socket.accept()[0].close()
                found += 1
        return found

    def stop(self) -> None:
        self._socket.close()


@contextlib.contextmanager
def outside() -> Iterator[Outside]:
    server = Outside()
    try:
        yield server
    finally:
        server.stop()


@contextlib.contextmanager
def listener() -> Iterator[Listener]:
    found = Listener()
    try:
        yield found
    finally:
        found.stop()
