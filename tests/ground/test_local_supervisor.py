"""What the supervisor promises its processes and the person in front of it."""

import asyncio
import io
import os
import signal
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from feedback_portal.local.service import Service
from feedback_portal.local.supervisor import Supervisor


class Terminal(io.StringIO):
    def lines(self, name: str) -> list[str]:
        start = f"{name:<9}| "
        return [line.removeprefix(start) for line in self.getvalue().splitlines() if line.startswith(start)]


def python(name: str, source: str, **settings: object) -> Service:
    return Service(name=name, argv=[sys.executable, "-u", "-c", source], **settings)  # type: ignore[arg-type]


FOR_EVER = "import signal\nwhile True: signal.pause()"


def supervise(boot: Callable[[Supervisor], Awaitable[None]]) -> tuple[int, Terminal]:
    terminal = Terminal()

    async def run() -> int:
        supervisor = Supervisor(terminal)
        supervisor.pauses = (0.01,)
        return await asyncio.wait_for(supervisor.supervise(lambda: boot(supervisor)), 60)

    return asyncio.run(run()), terminal


def test_a_process_that_ends_is_started_again(tmp_path: Path) -> None:
    file = tmp_path / "starts"
    source = f"open({str(file)!r}, 'a').write('x')"

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("short", source))
        while not file.exists() or len(file.read_text()) < 3:
            await asyncio.sleep(0.01)
        supervisor.stopping.set()

    status, terminal = supervise(boot)
    assert status == 0
    assert "short ended with 0; it starts again in 0.01 s." in terminal.lines("portal")


def test_what_a_killed_process_left_is_tidied_before_each_start() -> None:
    tidied: list[int] = []

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("short", "", tidy=lambda: tidied.append(1)))
        while len(tidied) < 3:
            await asyncio.sleep(0.01)
        supervisor.stopping.set()

    assert supervise(boot)[0] == 0


def test_a_service_that_ends_before_it_is_ready_ends_the_start_with_a_sentence() -> None:
    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("broken", "print('no such file'); raise SystemExit(7)", ready=lambda: False))

    status, terminal = supervise(boot)
    assert status == 1
    assert terminal.lines("broken") == ["no such file"]
    assert terminal.lines("portal")[-1] == "broken ended with 7 before it was ready; what it said above tells why."


def test_a_probe_that_fails_means_not_ready_yet() -> None:
    asked: list[int] = []

    def ready() -> bool:
        asked.append(1)
        if len(asked) < 3:
            raise OSError("refused")
        return True

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("slow", FOR_EVER, ready=ready))
        supervisor.stopping.set()

    assert supervise(boot)[0] == 0
    assert len(asked) == 3


def test_a_service_that_never_gets_ready_ends_the_start_with_what_its_probe_met() -> None:
    def ready() -> bool:
        raise OSError("the door is locked")

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("deaf", FOR_EVER, ready=ready, ready_seconds=0.1))

    status, terminal = supervise(boot)
    assert status == 1
    assert "deaf was not ready after 0 s; OSError: the door is locked." in terminal.lines("portal")


def test_a_process_that_ignores_the_signal_is_killed_with_its_children() -> None:
    source = (
        "import os, signal\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "child = os.fork()\n"
        "if child: print('child', child)\n"
        "while True: signal.pause()"
    )

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("stubborn", source, stop_seconds=0.2))
        while not terminal_of(supervisor).lines("stubborn"):
            await asyncio.sleep(0.01)
        supervisor.stopping.set()

    status, terminal = supervise(boot)
    assert status == 0
    assert "stubborn did not stop within 0.2 s and is killed." in terminal.lines("portal")
    child = int(terminal.lines("stubborn")[0].split()[1])
    assert not is_alive(child)


def test_the_foundations_are_stopped_last(tmp_path: Path) -> None:
    file = tmp_path / "order"
    source = (
        "import signal, sys, time\n"
        "def stop(*_):\n"
        "    time.sleep({pause})\n"
        f"    open({str(file)!r}, 'a').write('{{name}} ')\n"
        "    sys.exit()\n"
        "signal.signal(signal.SIGTERM, stop)\n"
        "print('listening')\n" + FOR_EVER
    )

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("ground", source.format(pause=0, name="ground"), foundation=True))
        await supervisor.start(python("house", source.format(pause=0.2, name="house")))
        while not (terminal_of(supervisor).lines("ground") and terminal_of(supervisor).lines("house")):
            await asyncio.sleep(0.01)
        supervisor.stopping.set()

    assert supervise(boot)[0] == 0
    assert file.read_text() == "house ground "


def test_told_to_stop_while_starting_it_stops_what_runs_already() -> None:
    pids: list[int] = []

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.start(python("first", f"import os; print(os.getpid())\n{FOR_EVER}"))
        while not (said := terminal_of(supervisor).lines("first")):
            await asyncio.sleep(0.01)
        pids.append(int(said[0]))
        os.kill(os.getpid(), signal.SIGTERM)
        await supervisor.start(python("never", FOR_EVER, ready=lambda: False))

    assert supervise(boot)[0] == 0
    assert not is_alive(pids[0])


def test_a_command_runs_to_its_end_and_its_status_is_known() -> None:
    statuses: list[int] = []

    async def boot(supervisor: Supervisor) -> None:
        statuses.append(await supervisor.once(python("command", "print('half a line', end=''); raise SystemExit(3)")))
        supervisor.stopping.set()

    status, terminal = supervise(boot)
    assert (status, statuses) == (0, [3])
    assert terminal.lines("command") == ["half a line"]


def test_a_terminal_that_went_away_does_not_stop_the_portal() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise BrokenPipeError

    supervisor = Supervisor(Gone())
    supervisor.say("portal", "Hello.")
    supervisor.say("portal", "Hello again.")
    assert supervisor.out is None


def terminal_of(supervisor: Supervisor) -> Terminal:
    assert isinstance(supervisor.out, Terminal)
    return supervisor.out


def is_alive(pid: int) -> bool:
    """A zombie is dead: in a container nobody may be there to reap it."""
    try:
        return "State:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="the kernel's help against orphans is Linux's")
def test_a_process_ends_with_its_supervisor_however_that_ends() -> None:
    source = (
        "import asyncio, os, signal, sys\n"
        "from feedback_portal.local.service import Service\n"
        "from feedback_portal.local.supervisor import Supervisor\n"
        "supervisor = Supervisor()\n"
        f"orphan = Service(name='orphan', argv=[sys.executable, '-c', {FOR_EVER!r}])\n"
        "async def boot():\n"
        "    await supervisor.start(orphan)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
        "asyncio.run(supervisor.supervise(boot))\n"
    )

    async def boot(supervisor: Supervisor) -> None:
        await supervisor.once(python("outer", source))
        supervisor.stopping.set()

    said = supervise(boot)[1].lines("outer")[-1]
    orphan = int(said.split("(process ")[1].rstrip(")."))
    end = asyncio.run(_gone(orphan))
    assert end


async def _gone(pid: int) -> bool:
    for _ in range(500):
        if not is_alive(pid):
            return True
        await asyncio.sleep(0.01)
    return False
