"""A worker as a process of its own, as the Procfile starts it: the one for long runs, or another."""

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

from honcho.environ import parse_procfile

from tests.faults.bots import ROOT


class Worker:
    def __init__(self, environment: Mapping[str, str], log: Path, role: str) -> None:
        command = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)[role]
        words = [str(Path(sys.executable).parent / "celery"), *command.split()[1:]]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                words,
                cwd=ROOT,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to it and to the processes it shares the work with."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Workers:
    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self._environment, self._folder = environment, folder
        self.all: list[Worker] = []

    def start(self, role: str = "long") -> Worker:
        worker = Worker(self._environment, self._folder / f"worker-{len(self.all)}.log", role)
        self.all.append(worker)
        return worker

    @property
    def crashes(self) -> list[str]:
        logs = [(self._folder / f"worker-{number}.log").read_text() for number in range(len(self.all))]
        return [log for log in logs if "Traceback" in log]

    @classmethod
    @contextlib.asynccontextmanager
    async def of(cls, environment: Mapping[str, str], folder: Path) -> AsyncIterator["Workers"]:
        workers = cls(environment, folder)
        try:
            yield workers
        finally:
            for worker in workers.all:
                worker.kill()
