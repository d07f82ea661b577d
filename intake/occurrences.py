"""How often each of many keys was seen, when they are more than memory should hold."""

import sqlite3

# Keys that wait in memory to be written together, in order, which is what the database is quick at.
_AT_ONCE = 4096
# One bit for each of so many places: a key whose bit is clear was never written, so nothing has to be looked up.
_PLACES = 1 << 24


class Occurrences:
    """Counts keys in a private temporary database on disk, which is gone when this is closed."""

    def __init__(self) -> None:
        self._written = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # Nothing here outlives the run, so nothing has to survive a crash.
        self._written.execute("PRAGMA journal_mode = OFF")
        self._written.execute("PRAGMA synchronous = OFF")
        self._written.execute("PRAGMA cache_size = -16000")  # KiB; ids are random, so every page of them is needed
        self._written.execute("BEGIN")  # one for all, as each of its own would be written out by itself
        self._written.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")
        self._waiting: dict[bytes, int] = {}
        self._bits = bytearray(_PLACES // 8)

    def count(self, key: bytes) -> int:
        """How often this key has been counted now: 1 the first time."""
        times = self._waiting.get(key)
        if times is None:
            place = hash(key) % _PLACES
            spot, bit = place >> 3, 1 << (place & 7)
            if self._bits[spot] & bit:
                times = self._times_written(key)
            else:
                self._bits[spot] |= bit
                times = 0
            if len(self._waiting) >= _AT_ONCE:
                self._write()
        times += 1
        self._waiting[key] = times
        return times

    def close(self) -> None:
        self._written.close()

    def _times_written(self, key: bytes) -> int:
        found = self._written.execute("SELECT times FROM seen WHERE key = ?", (key,)).fetchone()
        return int(found[0]) if found else 0

    def _write(self) -> None:
        self._written.executemany("INSERT OR REPLACE INTO seen VALUES (?, ?)", sorted(self._waiting.items()))
        self._waiting.clear()
