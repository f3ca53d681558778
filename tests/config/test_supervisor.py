"""The supervisor: it restarts what crashes, prints one log, and leaves nobody behind."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.config.processes import eventually, kill_all, processes_of

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import os, sys
from config.supervisor import Supervisor, end_on_signals
end_on_signals()
Supervisor(dict(zip(sys.argv[1::2], sys.argv[2::2])), dict(os.environ), []).run(lambda: True)
"""

pytestmark = pytest.mark.processes

Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture
def supervise(tmp_path: Path) -> Iterator[Start]:
    """Start a supervisor over the given roles; their log is in tmp_path/log."""
    started: list[subprocess.Popen[str]] = []

    def start(**roles: str) -> subprocess.Popen[str]:
        words = [word for role in roles.items() for word in role]
        with (tmp_path / "log").open("w") as log:
            # In a script's own folder, so that its processes can be told from all others.
            child = subprocess.Popen(
                [sys.executable, "-c", SCRIPT, *words],
                cwd=tmp_path,
                env={"PYTHONPATH": str(ROOT), "PATH": "/usr/bin:/bin"},
                stdout=log,
                stderr=subprocess.STDOUT,
                text=True,
            )
        started.append(child)
        return child

    yield start
    for child in started:
        child.kill()
        child.wait()
    kill_all(processes_of(tmp_path))


def says(tmp_path: Path, *words: str) -> bool:
    log = (tmp_path / "log").read_text()
    return all(word in log for word in words)


def test_every_line_carries_the_name_of_its_role(supervise: Start, tmp_path: Path) -> None:
    supervise(one="sh -c 'echo from one; sleep 600'", other="sh -c 'echo from other >&2; sleep 600'")
    assert eventually(lambda: says(tmp_path, "one   | from one", "other | from other"))


def test_a_role_that_is_killed_comes_back(supervise: Start, tmp_path: Path) -> None:
    supervise(bot="sh -c 'echo $$ > pid; echo begun; sleep 600'")
    assert eventually(lambda: says(tmp_path, "begun"))
    pid = int((tmp_path / "pid").read_text())
    subprocess.run(["kill", "-9", str(pid)], check=True)
    assert eventually(lambda: (tmp_path / "pid").read_text().strip() not in {"", str(pid)})
    assert says(tmp_path, "bot ended (killed by SIGKILL); started again")


def test_a_role_that_cannot_live_is_tried_less_and_less_often(supervise: Start, tmp_path: Path) -> None:
    supervise(bot="sh -c 'exit 3'")
    assert eventually(
        lambda: says(
            tmp_path, "bot ended (exit code 3); started again", "(exit code 3); again in 1 s", "again in 2 s"
        )
    )


def test_what_a_killed_role_left_in_its_group_goes_with_it(supervise: Start, tmp_path: Path) -> None:
    supervise(worker="sh -c 'test -e again && exec sleep 600; touch again; sleep 601 & echo $$ > pid; wait'")
    assert eventually(lambda: any("601" in process.cmdline() for process in processes_of(tmp_path)))
    subprocess.run(["kill", "-9", (tmp_path / "pid").read_text().strip()], check=True)
    assert eventually(lambda: says(tmp_path, "killed by SIGKILL"))
    assert eventually(lambda: not any("601" in process.cmdline() for process in processes_of(tmp_path)))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_every_role_those_that_hid_in_sessions_of_their_own_too(
    supervise: Start, tmp_path: Path, number: signal.Signals
) -> None:
    supervisor = supervise(
        plain="sh -c 'echo up; exec sleep 600'", hiding="sh -c '(setsid sleep 602 &); exec sleep 603'"
    )
    assert eventually(lambda: len(processes_of(tmp_path)) == 4)
    supervisor.send_signal(number)
    assert supervisor.wait(30) == 0
    assert processes_of(tmp_path) == []


def test_a_role_that_ignores_the_signal_is_killed(supervise: Start, tmp_path: Path) -> None:
    supervisor = supervise(deaf="sh -c 'trap \"\" TERM; echo deaf; while :; do sleep 1; done'")
    assert eventually(lambda: says(tmp_path, "deaf  | deaf") or says(tmp_path, "deaf | deaf"))
    supervisor.terminate()
    assert supervisor.wait(30) == 0
    assert processes_of(tmp_path) == []


def test_a_second_signal_stops_at_once(supervise: Start, tmp_path: Path) -> None:
    supervisor = supervise(deaf="sh -c 'trap \"\" TERM; echo deaf; sleep 604; sleep 605'")
    assert eventually(lambda: says(tmp_path, "deaf | deaf"))
    supervisor.terminate()
    assert eventually(lambda: says(tmp_path, "stopping"))
    supervisor.terminate()
    assert supervisor.wait(30) == 0
    assert processes_of(tmp_path) == []


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells children that their parent died")
def test_the_roles_end_when_the_supervisor_is_killed(supervise: Start, tmp_path: Path) -> None:
    supervisor = supervise(one="sleep 600", other="sleep 600")
    assert eventually(lambda: len(processes_of(tmp_path)) == 3)
    supervisor.kill()
    assert eventually(lambda: processes_of(tmp_path) == [])
