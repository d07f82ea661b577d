"""A wire between a browser and the portal that can be cut, as a tunnel cuts it: for pages and service workers alike."""

import contextlib
import socket
import threading
from collections.abc import Iterator


class Wire:
    """Listens on a port of its own and passes everything on. Cut, it refuses; deaf, it passes requests on and loses the answers."""

    def __init__(self, host: str, port: int) -> None:
        self._there = (host, port)
        self._open: set[socket.socket] = set()
        self._is_cut = self._is_deaf = False
        self._turn = threading.Lock()
        self._door = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://localhost:{self._door.getsockname()[1]}"
        threading.Thread(target=self._listen, daemon=True).start()

    def cut(self) -> None:
        self._become(is_cut=True)

    def deafen(self) -> None:
        self._become(is_deaf=True)

    def mend(self) -> None:
        self._become()

    def close(self) -> None:
        self._door.close()
        self._hang_up()

    def _become(self, *, is_cut: bool = False, is_deaf: bool = False) -> None:
        with self._turn:
            self._is_cut, self._is_deaf = is_cut, is_deaf
            self._hang_up()

    def _listen(self) -> None:
        while True:
            try:
                near, _ = self._door.accept()
            except OSError:
                return
            # Never between what it is and hanging up, or a connection would outlive the change.
            with self._turn:
                self._let_in(near)

    def _let_in(self, near: socket.socket) -> None:
        if self._is_cut:
            near.close()
            return
        far = socket.create_connection(self._there)
        self._open |= {near, far}
        threading.Thread(target=self._pass_on, args=(near, far, False), daemon=True).start()
        threading.Thread(target=self._pass_on, args=(far, near, self._is_deaf), daemon=True).start()

    def _pass_on(self, one: socket.socket, other: socket.socket, is_lost: bool) -> None:
        with contextlib.suppress(OSError):
            while block := one.recv(65536):
                if is_lost:
                    break
                other.sendall(block)
        for end in (one, other):
            self._open.discard(end)
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)
            end.close()

    def _hang_up(self) -> None:
        for end in tuple(self._open):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def wired(host: str, port: int) -> Iterator[Wire]:
    wire = Wire(host, port)
    try:
        yield wire
    finally:
        wire.close()
