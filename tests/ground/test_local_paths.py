"""Where a local portal keeps its files: within reach, within a socket's length, and in nobody else's folder."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from feedback_portal.local import paths
from feedback_portal.local.paths import PROJECT, Account, CannotStart, Layout


@given(st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=120))
def test_a_socket_path_is_short_and_plain_whatever_the_state_folder_is_called(name: str) -> None:
    sockets = Layout.of(Path("/srv") / name / "state").sockets
    assert len(os.fsencode(sockets / ".s.PGSQL.5432.lock")) < 104
    assert str(sockets).replace("/", "").replace(".", "").replace("-", "").replace("_", "").isalnum()
    assert str(sockets).isascii()


def test_two_state_folders_never_share_sockets() -> None:
    odd = [Path(f"/srv/{'é' * 50}/{number}") for number in range(3)]
    assert len({Layout.of(path).sockets for path in odd}) == 3


def test_the_state_folder_is_the_checkouts_unless_the_environment_names_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PORTAL_STATE_DIR")
    assert paths.state_dir() == PROJECT / ".state"
    monkeypatch.setenv("PORTAL_STATE_DIR", "~/portal")
    assert paths.state_dir() == Path.home() / "portal"


@pytest.mark.parametrize("umask", [0o022, 0o077])
def test_a_new_state_folder_can_be_walked_by_the_databases_account(reachable_folder: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        layout = Layout.of(reachable_folder / "new" / "state")
        layout.make()
    finally:
        os.umask(before)
    assert layout.database == layout.state
    assert paths.reachable(layout.state / "pg", layout.account)
    assert Layout.of(layout.state) == layout


def test_a_closed_folder_above_puts_a_path_out_of_reach(tmp_path: Path) -> None:
    stranger = Account(uid=tmp_path.stat().st_uid + 4242, gid=tmp_path.stat().st_gid + 4242)
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    assert not paths.reachable(closed / "state" / "pg", stranger)
    assert paths.reachable(Path("/") / "not-there-yet" / "pg", stranger)
    assert paths.reachable(closed / "state" / "pg", Account())


def test_a_link_in_place_of_the_socket_folder_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    layout = Layout.of(Path(tempfile.gettempdir()) / ("long" * 30))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir(mode=0o755)
    trap = Layout(state=layout.state, database=layout.state, sockets=tmp_path / "trap", account=layout.account)
    trap.sockets.symlink_to(elsewhere)
    with pytest.raises(CannotStart, match="belongs to somebody else"):
        trap.make()
    assert elsewhere.stat().st_mode & 0o777 == 0o755


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_state_folder_of_another_account_is_refused_with_advice() -> None:
    with pytest.raises(CannotStart, match="set PORTAL_STATE_DIR"):
        Layout.of(Path("/etc/portal")).make()


def test_a_folder_is_held_by_one_process_until_it_ends(tmp_path: Path) -> None:
    assert not paths.is_held(tmp_path)
    source = "import sys; from pathlib import Path; from feedback_portal.local import paths;"
    source += "held = paths.hold(Path(sys.argv[1])); print('held', flush=True); sys.stdin.read()"
    command = [sys.executable, "-c", source, str(tmp_path)]
    with subprocess.Popen(command, cwd=PROJECT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout
        assert other.stdout.readline() == "held\n"
        assert paths.is_held(tmp_path)
        with pytest.raises(CannotStart, match=rf"\(process {other.pid}\)"):
            paths.hold(tmp_path, patience=0.1)
        other.kill()
        other.wait()
    assert not paths.is_held(tmp_path)
    with paths.hold(tmp_path):
        assert paths.is_held(tmp_path)
