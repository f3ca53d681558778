"""A machine of E2B's: a /tmp of its own, and kernels that run in it."""

import asyncio
import contextlib
import json
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psutil

KERNEL = Path(__file__).with_name("e2b_kernel.py")
LINE_MAX = 64 * 1024 * 1024  # bytes of one message
KEEPALIVE_SECONDS = 5  # as the notebook server's
# PyPI, as seen from inside: one package.
PIP = """
import pathlib, sys
for name in (word for word in sys.argv[2:] if not word.startswith("-")):
    if name.partition("==")[0] != "tinytable":
        sys.exit(f"ERROR: No matching distribution found for {name}")
    (pathlib.Path(__file__).parent.parent / "tinytable.py").write_text("WIDTH = 7")
"""


def why_not() -> str:
    """Why no machine can be made here: bubblewrap gives each its own /tmp."""
    if not shutil.which("bwrap"):
        return "bubblewrap is not installed"
    tried = subprocess.run(["bwrap", "--ro-bind", "/", "/", "true"], capture_output=True, check=False)
    return tried.stderr.decode().strip() if tried.returncode else ""


@dataclass
class Kernel:
    """One context of the notebook server: a process, and one cell at a time."""

    id: str
    cwd: str
    process: asyncio.subprocess.Process
    busy: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def execute(self, code: str) -> AsyncIterator[dict[str, Any]]:
        """The messages of a cell. Left early, as by a client that went away, it is interrupted."""
        async with self.busy:
            assert self.process.stdin
            assert self.process.stdout
            self.process.stdin.write(json.dumps({"code": code}).encode() + b"\n")
            ended = False
            try:
                while not ended:
                    line = asyncio.ensure_future(self.process.stdout.readline())
                    while not (await asyncio.wait({line}, timeout=KEEPALIVE_SECONDS))[0]:
                        yield {"type": "keepalive"}
                    message = json.loads(line.result() or '{"type": "died"}')
                    ended = message["type"] in ("end", "died")
                    if message["type"] == "died":
                        yield {
                            "type": "error",
                            "name": "ContextRestarting",
                            "value": "Context was restarted",
                            "traceback": "",
                        }
                    elif not ended:
                        yield message
            finally:
                if not ended:
                    self.interrupt()

    def interrupt(self) -> None:
        with contextlib.suppress(psutil.NoSuchProcess):
            for process in psutil.Process(self.process.pid).children(recursive=True):
                process.send_signal(signal.SIGINT)

    def kill(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            self.process.kill()


@dataclass
class Machine:
    """One sandbox, as its owner's account sees it."""

    id: str
    metadata: dict[str, str]
    network: dict[str, Any]
    auto_pause: bool
    ends_at: float  # on time.monotonic()
    state: str = "running"  # running, paused, dead
    envd_token: str = field(default_factory=lambda: secrets.token_hex(16))
    traffic_token: str = field(default_factory=lambda: secrets.token_hex(16))
    started_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    folder: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="e2b-")))
    kernels: dict[str, Kernel] = field(default_factory=dict)
    started: list[Kernel] = field(default_factory=list)  # every one there ever was
    lives: list[int] = field(default_factory=list)  # every timeout it was given, in seconds
    pauses: int = 0

    def __post_init__(self) -> None:
        (self.folder / ".site" / "pip").mkdir(parents=True)
        (self.folder / ".site" / "pip" / "__init__.py").touch()
        (self.folder / ".site" / "pip" / "__main__.py").write_text(PIP)

    def place(self, path: str) -> Path:
        """Where a path inside lies. Only /tmp is the machine's own."""
        assert path.startswith("/tmp/"), path
        assert ".." not in path, path
        return self.folder / path.removeprefix("/tmp/")

    def look_at_the_clock(self) -> None:
        if self.state == "running" and time.monotonic() > self.ends_at:
            self.pause() if self.auto_pause else self.die()

    def pause(self) -> None:
        self.state, self.pauses = "paused", self.pauses + 1

    def live(self, seconds: int, *, at_least: bool = False) -> None:
        """Time to live from now on; `at_least` never shortens it, as of a connect to one that runs."""
        self.lives.append(seconds)
        ends = time.monotonic() + seconds
        self.ends_at = max(ends, self.ends_at) if at_least and self.state == "running" else ends
        self.state = "running"

    def die(self) -> None:
        self.state = "dead"
        for kernel in self.kernels.values():
            kernel.kill()
        self.kernels.clear()

    @property
    def ends(self) -> datetime:
        return datetime.now(UTC) + timedelta(seconds=self.ends_at - time.monotonic())

    async def kernel(self, id: str, cwd: str) -> Kernel:
        words = ["bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--unshare-pid"]
        words += ["--die-with-parent", "--bind", str(self.folder), "/tmp"]
        for path in (sys.prefix, sys.base_prefix, str(KERNEL.parent)):
            words += ["--ro-bind", path, path] if path.startswith("/tmp/") else []
        words += ["--chdir", cwd, "--clearenv", "--setenv", "PYTHONPATH", "/tmp/.site"]
        process = await asyncio.create_subprocess_exec(
            *words, sys.executable, "-B", str(KERNEL), stdin=PIPE, stdout=PIPE, limit=LINE_MAX
        )
        self.kernels[id] = Kernel(id, cwd, process)
        self.started.append(self.kernels[id])
        return self.kernels[id]

    async def close(self) -> None:
        self.die()
        for kernel in self.started:
            kernel.kill()
            await kernel.process.communicate()  # to the end of its pipes, so that they close
        shutil.rmtree(self.folder, ignore_errors=True)
