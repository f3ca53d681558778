"""Celery's roles as processes of their own, as the Procfile starts them."""

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
    """One role of the Procfile; `log` is where it writes."""

    def __init__(self, role: str, environment: Mapping[str, str], log: Path, root: Path = ROOT) -> None:
        self.role, self.log = role, log
        command = dict(parse_procfile((ROOT / "Procfile").read_text()).processes)[role]
        words = [str(Path(sys.executable).parent / "celery"), *command.split()[1:]]
        with log.open("w") as output:
            self.process = subprocess.Popen(
                words,
                cwd=root,
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
    def __init__(self, environment: Mapping[str, str], folder: Path, root: Path = ROOT) -> None:
        self._environment, self._folder, self._root = environment, folder, root
        self.all: list[Worker] = []

    def start(self, role: str = "long") -> Worker:
        log = self._folder / f"{role}-{len(self.all)}.log"
        worker = Worker(role, self._environment, log, self._root)
        self.all.append(worker)
        return worker

    @property
    def crashes(self) -> list[str]:
        logs = [worker.log.read_text() for worker in self.all]
        return [log for log in logs if "Traceback" in log]

    @classmethod
    @contextlib.asynccontextmanager
    async def of(
        cls, environment: Mapping[str, str], folder: Path, root: Path = ROOT
    ) -> AsyncIterator["Workers"]:
        workers = cls(environment, folder, root)
        try:
            yield workers
        finally:
            for worker in workers.all:
                worker.kill()
