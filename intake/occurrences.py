"""How often each of many keys was seen, when they are more than memory should hold."""

import sqlite3


class Occurrences:
    """Counts keys in a private temporary database on disk, which is gone when this is closed."""

    def __init__(self) -> None:
        self._seen = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        # Nothing here outlives the run, so nothing has to survive a crash.
        self._seen.execute("PRAGMA journal_mode = OFF")
        self._seen.execute("PRAGMA synchronous = OFF")
        self._seen.execute("BEGIN")  # one for all, as each of its own would be written out by itself
        self._seen.execute("CREATE TABLE seen (key BLOB PRIMARY KEY, times INTEGER NOT NULL) WITHOUT ROWID")

    def count(self, key: bytes) -> int:
        """How often this key has been counted now: 1 the first time."""
        found = self._seen.execute("SELECT times FROM seen WHERE key = ?", (key,)).fetchone()
        times = int(found[0]) + 1 if found else 1
        self._seen.execute("INSERT OR REPLACE INTO seen VALUES (?, ?)", (key, times))
        return times

    def close(self) -> None:
        self._seen.close()
