"""The recorder (recorder.py) from outside: what it says it has recorded."""

import json
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path


class Recording(threading.Thread):
    """A process that records; `heard(call, bad)` is called for each event as soon as it is recorded."""

    def __init__(
        self, environment: Mapping[str, str], user_id: int, heard: Callable[[str, bool], None], cwd: Path
    ) -> None:
        super().__init__(daemon=True)
        self._heard = heard
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.conversations.recorder", str(user_id)],
            env=dict(environment),
            cwd=cwd,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.count = 0
        self.start()

    def run(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            event = json.loads(line)
            self._heard(event["call"], event["bad"])
            self.count += 1

    def tell(self, word: str) -> None:
        """ "go" or "rest"."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{word}\n")
        self._process.stdin.flush()

    def wait_for(self, more: int, seconds: float = 60) -> None:
        """Return when so many more events were recorded."""
        goal, deadline = self.count + more, time.monotonic() + seconds
        while self.count < goal:
            assert time.monotonic() < deadline, "nothing is recorded"
            time.sleep(0.01)

    def end(self) -> None:
        self._process.kill()
        self.join()
        self._process.communicate()
