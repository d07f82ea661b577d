"""Which services the commands of this checkout use: those of the running portal, unless the environment names others."""

import json
import os
import secrets
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from feedback_portal.local import paths
from feedback_portal.local.broker import Broker
from feedback_portal.local.paths import CannotStart, Layout
from feedback_portal.local.postgres import Postgres

NOT_RUNNING = "The portal is not running here: start it with python3 start.py, or set DATABASE_URL."

# These catch the failing connection themselves: one to report it, one to wait for better times.
_NEED_A_DATABASE = {"doctor", "relay"}
_NOT_FOR_COMMANDS = {"PORTAL_OWNER_EMAIL", "PORTAL_OWNER_PASSWORD"}


def prepare(arguments: Sequence[str]) -> None:
    """Complete the environment before the settings are read. `arguments` are those after `manage.py`."""
    command = arguments[0] if arguments else "help"
    if command == "up":
        _prepare_for_start(demo="--demo" in arguments)
    elif command != "test":
        _adopt(command)


def is_nowhere() -> bool:
    """Whether a failing connection is due to no portal running here and no other database being named."""
    state = paths.state_dir()
    return os.environ.get("DATABASE_URL") == Postgres(Layout.of(state)).url() and not paths.is_held(state)


def announce(state: Path, environment: dict[str, str]) -> None:
    """Write down what the running services use, for commands in another terminal; it holds secrets, so 0600."""
    shared = {
        name: value
        for name, value in environment.items()
        if (name.startswith("PORTAL_") or name in {"DATABASE_URL", "REDIS_URL"}) and name not in _NOT_FOR_COMMANDS
    }
    fresh = state / "services.json.new"
    fresh.unlink(missing_ok=True)
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        json.dump(shared, file, indent=1, sort_keys=True)
    fresh.rename(state / "services.json")


def withdraw(state: Path) -> None:
    (state / "services.json").unlink(missing_ok=True)


def _prepare_for_start(*, demo: bool) -> None:
    layout = Layout.of(paths.state_dir())
    layout.make()
    given = {
        "PORTAL_STATE_DIR": str(layout.state),
        "PORTAL_MEDIA_DIR": str(layout.state / "media"),
        "PORTAL_MAIL_DIR": str(layout.state / "mail"),
        "PORTAL_LOG_FORMAT": "console",
        "DATABASE_URL": Postgres(layout).url(),
        "REDIS_URL": Broker(layout).url(),
    }
    if demo:
        # Its mails are shown on a page of their own, which only development has.
        given |= {"PORTAL_DEBUG": "1", "PORTAL_ORGANISATION": "Halden Coffee"}
    _complete(given)
    if not os.environ.get("PORTAL_SECRET_KEY"):
        os.environ["PORTAL_SECRET_KEY"] = _secret_key(layout.state)


def _adopt(command: str) -> None:
    state = paths.state_dir()
    named = os.environ.get("DATABASE_URL")
    found = _announced(state, must=not named) if paths.is_held(state) else {}
    if found and named in (None, "", found["DATABASE_URL"]):
        _complete(found)
    elif not named and command in _NEED_A_DATABASE:
        raise CannotStart(NOT_RUNNING)
    elif not named:
        # Commands that need no database work with settings that reach nothing; the others meet is_nowhere().
        _complete({"DATABASE_URL": Postgres(Layout.of(state)).url(), "PORTAL_SECRET_KEY": secrets.token_urlsafe(50)})


def _announced(state: Path, *, must: bool) -> dict[str, str]:
    file = state / "services.json"
    try:
        found: dict[str, str] = json.loads(file.read_text())
    except FileNotFoundError:
        if must:
            raise CannotStart("The portal is still starting or just stopping: try again in a moment.") from None
        return {}
    except PermissionError:
        if must:
            owner = file.owner()
            raise CannotStart(f"The portal here was started by {owner}: run this as {owner} or as root.") from None
        return {}
    return found


def _complete(values: dict[str, str]) -> None:
    for name, value in values.items():
        if not os.environ.get(name):
            os.environ[name] = value


def _secret_key(state: Path) -> str:
    """Made once. It signs sessions and links, so it must outlive restarts and belongs to nobody else."""
    kept = state / "secret-key"
    if not kept.exists():
        fresh = state / f"secret-key.{os.getpid()}"
        with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
            file.write(secrets.token_urlsafe(50))
        # Of two starts at once, one decides.
        with suppress(FileExistsError):
            os.link(fresh, kept)
        fresh.unlink()
    return kept.read_text().strip()
