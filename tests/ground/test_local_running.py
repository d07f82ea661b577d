"""How a command in another terminal finds the running portal's services, and what it says when there are none."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_portal.local import paths, running
from feedback_portal.local.paths import PROJECT, CannotStart, Layout
from feedback_portal.local.postgres import Postgres

ANNOUNCED = {
    "DATABASE_URL": "postgres://portal@%2Frun/portal",
    "REDIS_URL": "unix:///run/redis.sock?db=0",
    "PORTAL_SECRET_KEY": "the running one",
    "PORTAL_TIME_ZONE": "Europe/Berlin",
}


@pytest.fixture
def state(reachable_folder: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An environment in which nobody has named anything."""
    for name in list(os.environ):
        if name.startswith("PORTAL_") or name in {"DATABASE_URL", "REDIS_URL"}:
            monkeypatch.setenv(name, "")  # so that what prepare() sets is taken back, too
            monkeypatch.delenv(name)
    for name in ("PORTAL_TIME_ZONE", "PORTAL_MEDIA_DIR", "PORTAL_MAIL_DIR", "PORTAL_OWNER_PASSWORD"):
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("PORTAL_STATE_DIR", str(reachable_folder))
    return reachable_folder


@pytest.fixture
def running_portal(state: Path) -> Iterator[Path]:
    with paths.hold(state):
        running.announce(state, ANNOUNCED)
        yield state


@pytest.mark.usefixtures("running_portal")
def test_a_command_takes_what_the_running_portal_uses_and_what_the_environment_names(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PORTAL_TIME_ZONE", "Asia/Tokyo")
    running.prepare(["doctor"])
    assert {name: os.environ[name] for name in ANNOUNCED} == ANNOUNCED | {"PORTAL_TIME_ZONE": "Asia/Tokyo"}


@pytest.mark.usefixtures("running_portal")
def test_nothing_of_the_running_portal_is_mixed_with_another_database(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/portal")
    running.prepare(["doctor"])
    assert "PORTAL_SECRET_KEY" not in os.environ
    assert "REDIS_URL" not in os.environ


def test_what_a_killed_portal_left_is_not_believed(state: Path) -> None:
    running.announce(state, ANNOUNCED)
    with pytest.raises(CannotStart, match="is not running here"):
        running.prepare(["doctor"])


def test_a_portal_that_is_still_starting_asks_for_patience(state: Path) -> None:
    with paths.hold(state), pytest.raises(CannotStart, match="try again in a moment"):
        running.prepare(["kpi", "open-tickets"])


def test_a_command_without_need_of_a_database_gets_settings_that_reach_none(state: Path) -> None:
    running.prepare(["check"])
    assert running.is_nowhere()
    assert len(os.environ["PORTAL_SECRET_KEY"]) > 50


@pytest.mark.usefixtures("state")
def test_a_named_database_is_somewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgres://elsewhere/portal")
    running.prepare(["check"])
    assert not running.is_nowhere()


def test_the_owners_password_is_not_written_down(state: Path) -> None:
    secret = {"PORTAL_OWNER_PASSWORD": "a password", "PORTAL_OWNER_EMAIL": "lena@example.com", "PATH": "/bin"}
    running.announce(state, ANNOUNCED | secret)
    file = state / "services.json"
    assert json.loads(file.read_text()) == ANNOUNCED
    assert file.stat().st_mode & 0o777 == 0o600
    running.withdraw(state)
    assert not file.exists()


def test_a_start_makes_one_secret_key_and_keeps_it(state: Path) -> None:
    running.prepare(["up"])
    first = os.environ.pop("PORTAL_SECRET_KEY")
    running.prepare(["up"])
    assert os.environ["PORTAL_SECRET_KEY"] == first
    assert len(first) >= 50
    assert (state / "secret-key").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in state.glob("secret-key*")] == ["secret-key"]
    assert os.environ["DATABASE_URL"] == Postgres(Layout.of(state)).url()
    assert "PORTAL_DEBUG" not in os.environ


@pytest.mark.usefixtures("state")
def test_a_start_keeps_what_the_environment_names(monkeypatch: pytest.MonkeyPatch) -> None:
    given = {"PORTAL_SECRET_KEY": "given", "DATABASE_URL": "postgres://db/portal", "PORTAL_DEBUG": "0"}
    for name, value in given.items():
        monkeypatch.setenv(name, value)
    running.prepare(["up", "--demo"])
    assert {name: os.environ[name] for name in given} == given


@pytest.mark.parametrize(
    ("arguments", "status", "says"),
    [
        (["doctor"], 1, "start it with python3 start.py, or set DATABASE_URL."),
        (["migrate"], 1, "start it with python3 start.py, or set DATABASE_URL."),
        (["makemigrations", "--check", "--dry-run"], 0, ""),
        (["check"], 0, ""),
    ],
    ids=lambda value: value[0] if isinstance(value, list) else None,
)
@pytest.mark.slow
def test_a_command_with_nothing_running(state: Path, arguments: list[str], status: int, says: str) -> None:
    command = [sys.executable, "manage.py", *arguments]
    done = subprocess.run(command, cwd=PROJECT, capture_output=True, text=True, check=False)
    assert (done.returncode, says in done.stderr) == (status, True)
    assert "Traceback" not in done.stderr
