"""One process to be kept running: how it is started, when it is ready, how it is stopped."""

import ctypes
import os
import signal
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from feedback_portal.local.paths import Account

_PR_SET_PDEATHSIG = 1


@dataclass(frozen=True)
class Service:
    """`ready` is asked until it says yes; `tidy` removes what a killed predecessor left, before each start.

    A `foundation` (database, broker) is stopped after everything that stands on it. `log` is where it writes, if not here.
    """

    name: str
    argv: list[str]
    env: Mapping[str, str] = field(default_factory=dict)
    ready: Callable[[], bool] | None = None
    tidy: Callable[[], None] | None = None
    cwd: Path | None = None
    account: Account = field(default_factory=Account)
    sockets: tuple[int, ...] = ()
    stop_signal: int = signal.SIGTERM
    stop_seconds: float = 8
    ready_seconds: float = 90
    foundation: bool = False
    log: Path | None = None

    def what_is_missing(self) -> str:
        """Why it is not ready yet, empty once it is. Whatever goes wrong in asking is such a reason, and is told if it stays."""
        try:
            return "" if self.ready is None or self.ready() else "it does not answer yet"
        except Exception as error:
            return f"{type(error).__name__}: {error}"

    def process_arguments(self) -> dict[str, Any]:
        """Arguments for subprocess and asyncio alike: a session of its own that ends with us."""
        arguments: dict[str, Any] = {
            "env": {**os.environ, **self.env},
            "cwd": self.cwd,
            "start_new_session": True,
            "pass_fds": self.sockets,
            "preexec_fn": _end_with_parent(self.stop_signal),
        }
        if self.account.uid is not None:
            arguments |= {"user": self.account.uid, "group": self.account.gid, "extra_groups": []}
        return arguments


def _end_with_parent(number: int) -> Callable[[], None] | None:
    """On Linux the kernel sends this signal to the child when its parent dies, even by SIGKILL."""
    if not sys.platform.startswith("linux"):
        return None
    libc = ctypes.CDLL(None, use_errno=True)
    parent = os.getpid()

    def between_fork_and_exec() -> None:
        libc.prctl(_PR_SET_PDEATHSIG, number, 0, 0, 0)
        if os.getppid() != parent:  # it died before the line above
            os._exit(1)

    return between_fork_and_exec
