"""A bot under test: a process of its own, what it costs, and what it asks of PostgreSQL."""

import contextlib
import os
import re
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import psutil

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
STARTED_SECONDS = 60.0

COMMANDS: Mapping[str, Sequence[str]] = {
    "floor": ("-m", "tests.bench.floor"),
    "starling": ("manage.py", "runbot"),
}


@dataclass
class Bot:
    """A running bot process."""

    name: str
    process: psutil.Process

    def cpu_seconds(self) -> float:
        times = self.process.cpu_times()
        return times.user + times.system

    def peak_megabytes(self) -> float:
        """The most resident memory it ever had (VmHWM)."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+) kB", status)
        return int(found[1]) / 1024 if found else 0.0


@contextlib.asynccontextmanager
async def running(name: str, environment: Mapping[str, str], polls: object) -> AsyncIterator[Bot]:
    """Start a bot, wait for its first getUpdates, and end it."""
    with (ROOT / ".local" / f"bench-{name}.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, *COMMANDS[name]],
            cwd=ROOT,
            env={**os.environ, **environment},
            stdout=log,
            stderr=subprocess.STDOUT,
        )
        try:

            async def polling() -> bool:
                assert process.poll() is None, f"{name} ended: see .local/bench-{name}.log"
                return bool(polls())  # type: ignore[operator]

            await eventually(polling, f"{name} polls", STARTED_SECONDS)
            yield Bot(name, psutil.Process(process.pid))
        finally:
            process.terminate()
            process.wait(30)
