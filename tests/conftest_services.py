"""pytest -p tests.conftest_services: a PostgreSQL and a Valkey of the tests' own, and settings that hold on every machine.

One server for a run, shared by the xdist workers. Each worker's test database is copied from a template that is migrated
once and kept until a migration changes; each worker has its own database number of the broker, or they would take each
other's tasks. The settings are read before any hook runs, so the environment is set when this file is imported.
PORTAL_TEST_DATABASE_URL and PORTAL_TEST_REDIS_URL replace the servers where the package index has none.
"""

import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Sequence
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.staticfiles import finders
from django.contrib.staticfiles.storage import StaticFilesStorage
from django.db import connections
from psycopg2 import sql

from feedback_portal.local import paths
from feedback_portal.local.broker import Broker
from feedback_portal.local.paths import PROJECT, CannotStart, Layout
from feedback_portal.local.postgres import Postgres
from feedback_portal.local.service import Service

_KEPT = {"PORTAL_STATE_DIR", "PORTAL_PG_BIN", "PORTAL_REDIS_BIN", "PORTAL_DB_ACCOUNT", "PORTAL_REQUIRE_BROWSER"}
_MOST_RUNS_AT_ONCE = 9


class Servers:
    """The servers of one run; the controller holds them, xdist workers only inherit their addresses."""

    def __init__(self) -> None:
        self.layout = _free_layout()
        self.postgres = Postgres(self.layout, durable=False)
        self.broker = Broker(self.layout, durable=False)
        self.database_url = os.environ.get("PORTAL_TEST_DATABASE_URL") or self.postgres.url()
        self.redis_url = os.environ.get("PORTAL_TEST_REDIS_URL") or self.broker.url()
        self._running: list[tuple[Service, subprocess.Popen[bytes]]] = []

    def start(self) -> None:
        began = time.monotonic()
        if self.redis_url == self.broker.url():
            self.broker.prepare()
            self._start(self.broker.service())
        if self.database_url == self.postgres.url():
            self.postgres.prepare()
            self._start(self.postgres.service())
            self._copy_from_template()
        self.took = time.monotonic() - began

    def stop(self) -> None:
        for service, process in reversed(self._running):
            process.send_signal(service.stop_signal)
            process.wait(service.stop_seconds)
        self.layout.leave()

    def _copy_from_template(self) -> None:
        template = self._template()
        if template:
            # For the xdist workers, whose settings are still to be read; ours have been.
            os.environ["PORTAL_TEST_TEMPLATE"] = template
            connections["default"].settings_dict["TEST"]["TEMPLATE"] = template

    def _template(self) -> str:
        """The name of a migrated database, made if a migration changed since; empty if the migrations fail, so that
        tests without a database still run and those with one show the reason."""
        name = f"template_{_fingerprint()}"
        with self.postgres.cursor() as cursor:
            cursor.execute("SELECT datname FROM pg_database WHERE datname LIKE 'template\\_%'")
            kept = {row[0] for row in cursor.fetchall()}
            if name in kept:
                return name
            for old in kept:
                cursor.execute(sql.SQL("DROP DATABASE {}").format(sql.Identifier(old)))
        unfinished = f"{name}_unfinished"
        self.postgres.create_database(unfinished)
        migrated = subprocess.run(
            [sys.executable, "manage.py", "migrate", "-v", "0"],
            cwd=PROJECT,
            env={**os.environ, "DATABASE_URL": self.postgres.url(unfinished)},
            check=False,
        )
        if migrated.returncode:
            return ""
        with self.postgres.cursor() as cursor:
            names = {"old": sql.Identifier(unfinished), "new": sql.Identifier(name)}
            cursor.execute(sql.SQL("ALTER DATABASE {old} RENAME TO {new}").format(**names))
        return name

    def _start(self, service: Service) -> None:
        log = service.log or self.layout.state / f"{service.name}.log"
        if service.tidy:
            service.tidy()
        with log.open("wb") as out:
            process = subprocess.Popen(service.argv, stdout=out, stderr=out, **service.process_arguments())
        self._running.append((service, process))
        end = time.monotonic() + service.ready_seconds
        while service.what_is_missing():
            if process.poll() is not None or time.monotonic() > end:
                pytest.exit(f"{service.name} did not start:\n{log.read_text()[-2000:]}", returncode=3)
            time.sleep(0.02)


def _free_layout() -> Layout:
    """`tests` in the state folder, or the next of its siblings when another run of the tests holds it."""
    for number in range(1, _MOST_RUNS_AT_ONCE + 1):
        layout = Layout.of(paths.state_dir() / ("tests" if number == 1 else f"tests-{number}"))
        layout.make()
        try:
            # Held until the process ends.
            _held.append(paths.hold(layout.state, patience=0.2))
        except CannotStart:
            continue
        return layout
    raise CannotStart(f"{_MOST_RUNS_AT_ONCE} test runs use {paths.state_dir()} already: wait for one to end.")


def _fingerprint() -> str:
    seen = hashlib.sha256((PROJECT / "requirements-test.txt").read_bytes())
    for path in sorted(PROJECT.glob("*/**/migrations/*.py")):
        if ".venv" not in path.parts:
            seen.update(path.read_bytes())
    return seen.hexdigest()[:12]


def _set_environment() -> Servers | None:
    for name in [name for name in os.environ if name.startswith("PORTAL_")]:
        if name not in _KEPT and not name.startswith("PORTAL_TEST_"):
            del os.environ[name]
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw-1")
    number = int(worker.removeprefix("gw")) + 1
    servers = None
    if "PYTEST_XDIST_WORKER" not in os.environ:
        os.environ.pop("PORTAL_TEST_TEMPLATE", None)
        servers = Servers()
        os.environ["DATABASE_URL"] = servers.database_url
        os.environ["PORTAL_TEST_FOLDER"] = str(servers.layout.state)
        os.environ["PORTAL_TEST_BROKER"] = servers.redis_url
    files = Path(os.environ["PORTAL_TEST_FOLDER"]) / f"files-{number}"
    shutil.rmtree(files, ignore_errors=True)
    (files / "static").mkdir(mode=0o700, parents=True)
    os.environ |= {
        "REDIS_URL": os.environ["PORTAL_TEST_BROKER"].replace("?db=0", f"?db={number}"),
        "PORTAL_STATE_DIR": str(files),
        "PORTAL_SECRET_KEY": "only-for-tests-" + "x" * 40,
        "PORTAL_DEBUG": "0",
        "PORTAL_LOG_FORMAT": "console",
        "PORTAL_LOG_LEVEL": "WARNING",
    }
    return servers


_held: list[object] = []
_servers = _set_environment()


class FoundStaticFiles(StaticFilesStorage):
    """Static files from where they lie, without collecting them; naming one that is not there fails, as it would
    when they are collected."""

    def url(self, name: str | None) -> str:
        if name and finders.find(name) is None:
            raise ValueError(f"There is no static file {name}.")
        return str(super().url(name))


SMALL = 1_000_000
"""Bytes of a table that is emptied row by row."""
TRIES = 5


def emptied_quickly(truncate: Callable[..., list[str]]) -> Callable[..., list[str]]:
    """Django empties all tables after each test that commits, by TRUNCATE, which makes some hundred files anew however few
    rows there were. Deleting is much quicker while they are small; triggers and references are out of force for it, which
    only a superuser may ask for. As TRUNCATE does, it waits for whoever still writes; where both wait for each other, as with the
    last request of a page that was just closed, it lets go and asks again."""

    def sql_flush(operations: Any, style: Any, tables: Sequence[str], **how: bool) -> list[str]:
        truncating = truncate(operations, style, tables, **how)
        if not tables or how.get("reset_sequences"):
            return truncating
        return [_deleting(truncating[0], [operations.quote_name(table) for table in tables])]

    return sql_flush


def _deleting(otherwise: str, names: list[str]) -> str:
    return f"""DO $do$
        DECLARE place text;
        BEGIN
            IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user)
                OR EXISTS (SELECT 1 FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind = 'r' AND pg_relation_size(oid) > {SMALL})
            THEN {otherwise}
            ELSE
                FOR tried IN 1..{TRIES} LOOP
                    BEGIN
                        LOCK TABLE {", ".join(names)} IN ACCESS EXCLUSIVE MODE;
                        EXIT;
                    EXCEPTION WHEN deadlock_detected THEN
                        IF tried = {TRIES} THEN RAISE; END IF;
                    END;
                END LOOP;
                SET LOCAL session_replication_role = replica;
                FOREACH place IN ARRAY ARRAY[{", ".join(f"'{name}'" for name in names)}] LOOP
                    EXECUTE 'DELETE FROM ' || place;
                END LOOP;
            END IF;
        END $do$"""  # noqa: S608 (the names are those of our models)


def pytest_configure() -> None:
    settings.STORAGES["staticfiles"]["BACKEND"] = f"{__name__}.FoundStaticFiles"
    operations: Any = type(connections["default"].ops)
    operations.sql_flush = emptied_quickly(operations.sql_flush)


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart() -> None:
    if _servers:
        _servers.start()


def pytest_report_header() -> str | None:
    return (
        f"services: PostgreSQL and Valkey in {_servers.layout.state}, up in {_servers.took:.1f} s" if _servers else None
    )


def pytest_unconfigure() -> None:
    if _servers:
        _servers.stop()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(PROJECT / "tests" / "browser"):
            item.add_marker("browser")
    # Last, since the browser's driver keeps an event loop running in its process until the end, and others run their own.
    items.sort(key=lambda item: item.get_closest_marker("browser") is not None)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """With PORTAL_REQUIRE_BROWSER=1 a browser test that could not run has failed: a green run must mean it was run."""
    report = yield
    if report.skipped and item.get_closest_marker("browser") and os.environ.get("PORTAL_REQUIRE_BROWSER") == "1":
        report.outcome = "failed"
        report.longrepr = f"{item.nodeid} was skipped, and PORTAL_REQUIRE_BROWSER=1 asks for it: {report.longrepr}"
    return report


@pytest.fixture
def reachable_folder() -> Generator[Path, None, None]:
    """A folder that the account which runs the database can walk to; under root, tmp_path is closed to it."""
    folder = Path(tempfile.mkdtemp(prefix="portal-"))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)
