"""The one command really started: it serves, mends itself, is found by other commands, and leaves nothing behind."""

import json
import os
import re
import shutil
import signal
import smtplib
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from feedback_portal.local.paths import PROJECT

pytestmark = pytest.mark.slow


class Run:
    """A started portal and what it has said so far."""

    def __init__(self, state: Path, *arguments: str, **settings: str) -> None:
        self.state = state
        self.process = subprocess.Popen(
            [sys.executable, "manage.py", "up", *arguments],
            cwd=PROJECT,
            env=environment(state) | settings,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append(line.rstrip())

    def said(self, pattern: str, *, times: int = 1, seconds: float = 120) -> re.Match[str]:
        end = time.monotonic() + seconds
        while True:
            found = [match for match in (re.search(pattern, line) for line in list(self.lines)) if match]
            if len(found) >= times:
                return found[-1]
            if time.monotonic() > end or not (self._reader.is_alive() or self.process.poll() is None):
                raise AssertionError(f"never said {pattern!r}:\n" + "\n".join(self.lines[-40:]))
            time.sleep(0.05)

    def processes(self) -> list[int]:
        """Every process that carries this run's state folder in its environment, this one's own included."""
        marker = f"PORTAL_STATE_DIR={self.state}\0".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                if marker in (entry / "environ").read_bytes() + b"\0":
                    found.append(int(entry.name))
            except OSError:
                continue
        return found

    def kill(self, name: str) -> None:
        number = int(self.said(rf"portal +\| {name} is up after .* \(process (\d+)\)").group(1))
        os.kill(number, signal.SIGKILL)


def environment(state: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PORTAL_")}
    for name in ("DATABASE_URL", "REDIS_URL", "DJANGO_SETTINGS_MODULE", "PYTHONDONTWRITEBYTECODE"):
        kept.pop(name, None)
    return kept | {"PORTAL_STATE_DIR": str(state), "PORTAL_PORT": "0"}


def manage(state: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "manage.py", *arguments]
    return subprocess.run(command, cwd=PROJECT, env=environment(state), capture_output=True, text=True, check=False)


def status_of(url: str) -> int:
    with urllib.request.urlopen(url, timeout=10) as answer:  # noqa: S310 (an address the portal itself has said)
        return int(answer.status)


def wait_until_gone(run: Run, *, seconds: float = 20) -> list[int]:
    end = time.monotonic() + seconds
    while (left := run.processes()) and time.monotonic() < end:
        time.sleep(0.1)
    return left


@pytest.fixture(scope="module")
def state() -> Iterator[Path]:
    """Shared, since a first start takes longest. Not below tmp_path, which root keeps to itself: the account that
    runs the database must reach it."""
    folder = Path(tempfile.mkdtemp(prefix="portal up é "))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


@pytest.fixture
def run(state: Path) -> Iterator[Run]:
    started = Run(state)
    yield started
    for number in started.processes():
        os.kill(number, signal.SIGKILL)
    wait_until_gone(started)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="looks for left processes in /proc")
def test_the_portal_starts_mends_itself_and_leaves_nothing_behind(run: Run, state: Path) -> None:
    address = run.said(r"The portal is on (http://127\.0\.0\.1:\d+) after").group(1)
    assert status_of(address + "/healthz") == 200
    assert run.said(rf"once, within a day: {address}/sign-in/\S{{40,}}/")
    run.said("Everything runs")

    # Another terminal finds the same services, and only this account may read where they are.
    file = state / "services.json"
    assert file.stat().st_mode & 0o777 == 0o600
    announced = json.loads(file.read_text())
    assert announced["PORTAL_BASE_URL"] == address
    shown = manage(
        state, "shell", "-v", "0", "-c", "from django.conf import settings as s; print(s.BASE_URL, s.SECRET_KEY)"
    )
    assert shown.stdout.split() == [address, (state / "secret-key").read_text()]
    assert manage(state, "showmigrations", "accounts").stdout.startswith("accounts")
    second = manage(state, "up")
    assert second.returncode == 1
    assert "already runs on" in second.stderr

    # Mail ends in files.
    host, port = announced["PORTAL_EMAIL_URL"].removeprefix("smtp://").split(":")
    with smtplib.SMTP(host, int(port)) as client:
        client.sendmail("portal@example.com", ["ana@example.com", "hidden@example.com"], "Subject: Kept\n\nHello, Ana.")
    (kept,) = (state / "mail").glob("*.eml")
    assert kept.stat().st_mode & 0o777 == 0o600
    assert b"X-Envelope-To: ana@example.com, hidden@example.com\r\n" in kept.read_bytes()
    assert b"Subject: Kept" in kept.read_bytes()

    # Whatever is killed comes back, the database too.
    for name in ("worker", "web", "postgres", "valkey"):
        run.kill(name)
        run.said(rf"{name} ended with -9; it starts again")
    for name in ("worker", "web", "postgres", "valkey"):
        run.said(rf"{name} is up again")
    assert status_of(address + "/healthz") == 200
    assert status_of(address + "/readyz") == 200

    run.process.send_signal(signal.SIGINT)
    assert run.process.wait(30) == 0
    assert run.processes() == []
    assert not file.exists()
    assert "is not running here" in manage(state, "showmigrations").stderr


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help against orphans is Linux's")
def test_a_killed_supervisor_leaves_no_orphan_and_the_next_start_works(run: Run, state: Path) -> None:
    run.said("Everything runs")
    run.process.kill()
    assert wait_until_gone(run) == []
    assert (state / "services.json").exists()  # stale, so commands must not believe it
    assert "is not running here" in manage(state, "doctor").stderr

    again = Run(state)
    try:
        address = again.said(r"The portal is on (\S+) after").group(1)
        assert status_of(address + "/healthz") == 200
        again.process.send_signal(signal.SIGINT)  # while it is still starting
        assert again.process.wait(30) == 0
        assert again.processes() == []
    finally:
        again.process.kill()
