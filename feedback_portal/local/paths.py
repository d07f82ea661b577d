"""Where a portal on one machine keeps its files, and which account runs its database.

PostgreSQL refuses to run as root. When root starts the portal (a container, a CI machine) the database runs under an
ordinary account, which must be able to walk to the binaries and to its data. Where it cannot (a checkout below a 0700
home), the database alone moves to /var/lib; everything else stays. The permissions of folders that are not ours are
never changed.
"""

import fcntl
import hashlib
import os
import pwd
import re
import stat
import tempfile
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

PROJECT = Path(__file__).resolve().parents[2]


class CannotStart(Exception):
    """The start cannot go on; the message is a sentence that says what to do."""


@dataclass(frozen=True)
class Account:
    """Who runs the database; without numbers, whoever runs us."""

    uid: int | None = None
    gid: int | None = None

    def own(self, path: Path) -> None:
        if self.uid is not None and self.gid is not None:
            os.chown(path, self.uid, self.gid)


@dataclass(frozen=True)
class Layout:
    """The folders of one portal. `of` only computes; `make` creates what is missing."""

    state: Path
    database: Path
    sockets: Path
    account: Account

    @classmethod
    def of(cls, state: Path) -> "Layout":
        account = _database_account(state)
        database = _database_folder(state, account)
        return cls(state=state, database=database, sockets=_socket_folder(database), account=account)

    def make(self) -> None:
        for folder in (self.state, self.database):
            _make_folder(folder)
        try:
            self.sockets.mkdir(mode=0o700, exist_ok=True)
            # The name in the temporary folder can be guessed: take over no link and no stranger's folder.
            found = os.lstat(self.sockets)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid not in (os.getuid(), self.account.uid):
                raise CannotStart(f"{self.sockets} belongs to somebody else: remove it, or set PORTAL_STATE_DIR.")
            self.account.own(self.sockets)
            self.sockets.chmod(0o700)
        except PermissionError:
            raise _not_ours(self.sockets) from None

    def leave(self) -> None:
        """Remove what would lie about outside the state folder once nothing runs."""
        if self.sockets.parent != self.database:
            with suppress(OSError):  # a socket of a server that is still stopping
                self.sockets.rmdir()


def state_dir() -> Path:
    """PORTAL_STATE_DIR, or `.state` in the checkout."""
    chosen = os.environ.get("PORTAL_STATE_DIR")
    return Path(chosen).expanduser().absolute() if chosen else PROJECT / ".state"


def hold(folder: Path, *, patience: float = 1.0) -> IO[str]:
    """Take the folder for this process alone; the kernel lets go when the process ends, however it ends.

    The patience is for whoever just looks whether the folder is held. Raises CannotStart if it is in use.
    """
    try:
        held = (folder / "lock").open("a+")
        os.fchmod(held.fileno(), 0o600)
    except PermissionError:
        raise _not_ours(folder) from None
    end = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except BlockingIOError:
            if time.monotonic() > end:
                held.seek(0)
                raise CannotStart(
                    f"The portal already runs on {folder} (process {held.read().strip() or 'unknown'}): "
                    "stop that one first, or set PORTAL_STATE_DIR to another folder."
                ) from None
            time.sleep(0.05)
    held.truncate(0)
    held.write(str(os.getpid()))
    held.flush()
    return held


def is_held(folder: Path) -> bool:
    """Whether a living process holds the folder."""
    try:
        with (folder / "lock").open() as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def reachable(path: Path, account: Account) -> bool:
    """Whether the account may walk down to this path; folders that do not exist yet will be made so that it may."""
    if account.uid is None:
        return True
    for parent in path.absolute().parents:
        try:
            found = parent.stat()
        except FileNotFoundError:
            continue
        bit = 0o100 if found.st_uid == account.uid else 0o010 if found.st_gid == account.gid else 0o001
        if not found.st_mode & bit:
            return False
    return True


def _database_account(state: Path) -> Account:
    """Ourselves; for root, whoever owns the data already, else an account that is not root's."""
    if os.geteuid() != 0:
        return Account()
    try:
        owner = (state / "pg").stat()
        if owner.st_uid != 0:
            return Account(owner.st_uid, owner.st_gid)
    except FileNotFoundError:
        pass
    for name in (os.environ.get("PORTAL_DB_ACCOUNT"), "postgres", "nobody"):
        try:
            entry = pwd.getpwnam(name) if name else None
        except KeyError:
            continue
        if entry and entry.pw_uid != 0:
            return Account(entry.pw_uid, entry.pw_gid)
    raise CannotStart(
        "PostgreSQL does not run as root, and there is no account postgres or nobody to run it: "
        "start the portal as an ordinary user, or name an account in PORTAL_DB_ACCOUNT."
    )


def _database_folder(state: Path, account: Account) -> Path:
    if reachable(state / "pg", account):
        return state
    return Path("/var/lib") / f"feedback-portal-{_digest(state)}"


def _socket_folder(database: Path) -> Path:
    """A folder for Unix sockets, whose whole path must stay under about 100 bytes and need no quoting in an address."""
    name = f"feedback-portal-{os.geteuid()}-{_digest(database)}"
    choices = [database / "run", Path(tempfile.gettempdir()) / name]
    fits = (path for path in choices if len(str(path)) <= 80 and re.fullmatch(r"[\w./-]+", str(path), re.ASCII))
    return next(fits, Path("/tmp") / name)  # noqa: S108 (make() takes over no folder that is not ours)


def _digest(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:10]


def _make_folder(folder: Path) -> None:
    """Make the folder and its missing parents, so that the database's account can walk in whatever the umask is."""
    missing = [path for path in (folder, *folder.parents) if not path.exists()]
    try:
        for path in reversed(missing):
            path.mkdir(exist_ok=True)
            path.chmod(0o711 if os.geteuid() == 0 else 0o700)
    except PermissionError:
        raise _not_ours(folder) from None
    if not os.access(folder, os.W_OK):
        raise _not_ours(folder)


def _not_ours(folder: Path) -> CannotStart:
    return CannotStart(
        f"{folder} cannot be written by this account: start the portal with the account that started it before, "
        "or set PORTAL_STATE_DIR to a folder of your own."
    )
