"""Runs the roles of the Procfile side by side: one log, restart after a crash, and nobody left behind."""

import contextlib
import ctypes
import datetime
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from types import FrameType
from typing import NoReturn, Protocol

import psutil  # type: ignore[import-untyped]
from honcho.colour import get_colours
from honcho.printer import Message, Printer

from config.programs import lead

TICK_SECONDS = 0.2
STOP_SECONDS_MAX = (
    20  # the bot gives a turn that is nearly done 15 s, a worker its task; then they are killed
)
# After a crash: at once, then 1, 2, 4 … seconds, and from the beginning after a minute of good health.
BACKOFF_SECONDS = (0.0, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0)
HEALTHY_SECONDS = 60.0
PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h


class Server(Protocol):
    """PostgreSQL or Redis as config/local.py starts them."""

    name: str
    child: subprocess.Popen[bytes] | None

    def start(self) -> None: ...


@dataclass
class Role:
    """One line of the Procfile and the process that runs it."""

    name: str
    command: str
    colour: str
    process: subprocess.Popen[bytes] | None = None
    started_at: float = 0.0
    start_at: float = 0.0
    crashes: int = field(default=0)


class Supervisor:
    """Keeps roles and servers running until a signal, then ends the roles; the servers are the caller's."""

    def __init__(
        self, roles: Mapping[str, str], environment: Mapping[str, str], servers: Sequence[Server]
    ) -> None:
        colours = get_colours()
        self.roles = [Role(name, command, next(colours)) for name, command in roles.items()]
        self.servers = servers
        self.environment = dict(environment)
        self.lines: queue.Queue[tuple[Role, bytes]] = queue.Queue()
        self.printer = Printer(sys.stdout, time_format="", width=max(len(role.name) for role in self.roles))
        self.parent = os.getppid() if "MAKELEVEL" in os.environ else None

    def run(self, when_ready: Callable[[], bool]) -> None:
        """Run until SIGINT, SIGTERM or the end of `make`; `when_ready` is asked until it says it is done."""
        _adopt_orphans()
        ready = False
        try:
            while self.parent in {None, os.getppid()}:
                self._start_due()
                self._print_for(TICK_SECONDS)
                self._look_after_roles()
                self._look_after_servers()
                self._bury()
                ready = ready or when_ready()
        finally:
            self._stop()

    def _start_due(self) -> None:
        for role in self.roles:
            if role.process is None and role.start_at <= time.monotonic():
                self._start(role)

    def _start(self, role: Role) -> None:
        role.process = subprocess.Popen(  # noqa: S603  a line of our own Procfile
            [*lead(signal.SIGTERM), "/bin/sh", "-c", f"exec {role.command}"],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            env=self.environment,
            start_new_session=True,
        )
        role.started_at = time.monotonic()
        threading.Thread(target=self._read, args=(role, role.process), daemon=True).start()

    def _read(self, role: Role, process: subprocess.Popen[bytes]) -> None:
        if process.stdout is not None:
            with process.stdout:
                for line in process.stdout:
                    self.lines.put((role, line))

    def _print_for(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            try:
                role, line = self.lines.get(timeout=left)
            except queue.Empty:
                return
            self._print(role, line.decode(errors="replace"))

    def _print(self, role: Role | None, text: str) -> None:
        name, colour = (role.name, role.colour) if role else ("", None)
        now = datetime.datetime.now(datetime.UTC)  # asked for, not shown: the lines carry their own
        with contextlib.suppress(BrokenPipeError):
            self.printer.write(Message(type="line", data=text, time=now, name=name, colour=colour))

    def _look_after_roles(self) -> None:
        for role in self.roles:
            if role.process is None or role.process.poll() is None:
                continue
            _kill_group(role.process.pid)  # what a killed role left, such as a worker's children
            now = time.monotonic()
            role.crashes = 0 if now - role.started_at > HEALTHY_SECONDS else role.crashes + 1
            wait = BACKOFF_SECONDS[min(role.crashes, len(BACKOFF_SECONDS)) - 1] if role.crashes else 0.0
            again = f"again in {wait:.0f} s" if wait else "started again"
            self._print(role, f"{role.name} ended ({_how(role.process.returncode)}); {again}")
            role.process, role.start_at = None, now + wait

    def _look_after_servers(self) -> None:
        for server in self.servers:
            if server.child is not None and server.child.poll() is not None:
                self._print(None, f"{server.name} ended ({_how(server.child.returncode)}); started again")
                server.start()

    def _bury(self) -> None:
        """Take leave of dead orphans; the dead of our own wait for their poll()."""
        own = {role.process.pid for role in self.roles if role.process}
        own |= {server.child.pid for server in self.servers if server.child}
        with contextlib.suppress(ChildProcessError):
            while dead := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                if dead.si_pid in own:
                    return
                os.waitpid(dead.si_pid, 0)

    def _stop(self) -> None:
        self._print(None, "stopping; Ctrl-C again to stop at once")
        ours = _descendants(without=[server.child for server in self.servers])
        running = [role.process for role in self.roles if role.process]
        with _at_once(running):
            for process in running:
                process.terminate()
            deadline = time.monotonic() + STOP_SECONDS_MAX
            while any(process.poll() is None for process in running) and time.monotonic() < deadline:
                self._print_for(TICK_SECONDS / 4)
        for process in running:
            _kill_group(process.pid)
            process.wait()
        left = [*ours, *_descendants(without=[server.child for server in self.servers])]
        for orphan in left:
            with contextlib.suppress(psutil.NoSuchProcess):
                orphan.kill()
        psutil.wait_procs(left, timeout=STOP_SECONDS_MAX)
        self._print_for(TICK_SECONDS / 4)


def end_on_signals() -> None:
    """Let SIGINT, SIGTERM and SIGHUP unwind the stack, so that every `finally` runs."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)


def _end(_number: int, _frame: FrameType | None) -> NoReturn:
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # the clean-up is under way; once is enough
    raise SystemExit(0)


@contextlib.contextmanager
def _at_once(running: Iterable[subprocess.Popen[bytes]]) -> Iterator[None]:
    """While the roles end by themselves, a second signal kills them."""

    def kill(_number: int, _frame: FrameType | None) -> None:
        for process in running:
            _kill_group(process.pid)

    before = {number: signal.signal(number, kill) for number in (signal.SIGINT, signal.SIGTERM)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def _adopt_orphans() -> None:
    """Become the parent of whatever a role leaves behind, so that the end finds it too (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


def _descendants(*, without: Iterable[subprocess.Popen[bytes] | None]) -> list[psutil.Process]:
    kept = {child.pid for child in without if child}
    found = []
    for child in psutil.Process().children():
        if child.pid not in kept:
            with contextlib.suppress(psutil.NoSuchProcess):
                found += [child, *child.children(recursive=True)]
    return found


def _kill_group(leader: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(leader, signal.SIGKILL)


def _how(code: int) -> str:
    return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
