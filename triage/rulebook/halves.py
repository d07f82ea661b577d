"""Work of a worker done by two processes: every second piece by a fork of it, in the order of the pieces.

Celery's own processes may have no children by `multiprocessing`. The fork does nothing but its pieces and ends; if it does not get
there, the worker does them itself.
"""

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from typing import BinaryIO, NoReturn, TypeVar

from django.db import connections

from triage.rulebook.comparison import Tally

Piece = TypeVar("Piece")

_left: list[object] = []


def in_two(pieces: Sequence[Piece], count: Callable[[Piece], Tally]) -> Iterator[Tally]:
    """`count` of each piece, in order. It must only read, for the fork's transactions are its own."""
    if len(pieces) < 2:
        yield from map(count, pieces)
        return
    reads, writes = os.pipe()
    fork = os.fork()
    if not fork:
        os.close(reads)
        _be_the_fork(pieces[1::2], count, writes)
    os.close(writes)
    try:
        with os.fdopen(reads, "rb") as told:
            for number, piece in enumerate(pieces):
                line = told.readline() if number % 2 else b""
                yield Tally.unpacked(line) if line.endswith(b"\n") else count(piece)
    finally:
        with suppress(ProcessLookupError):
            os.kill(fork, signal.SIGKILL)
        os.waitpid(fork, 0)


def _be_the_fork(pieces: Sequence[Piece], count: Callable[[Piece], Tally], writes: int) -> NoReturn:
    """Ends without what the worker does when it ends."""
    code = 1
    try:
        # Closing a connection that is shared would end it for the worker; so would forgetting it.
        for each in connections.all(initialized_only=True):
            _left.append(each.connection)
            each.connection = None
            each.in_atomic_block, each.savepoint_ids, each.closed_in_transaction = False, [], False
        out: BinaryIO
        with os.fdopen(writes, "wb") as out:
            for piece in pieces:
                out.write(count(piece).packed())
                out.flush()
        code = 0
    finally:
        os._exit(code)
