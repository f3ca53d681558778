"""The bot as a process of its own, the way production starts it."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import psutil

from tests.waiting import eventually

ROOT = Path(__file__).resolve().parents[2]
START_SECONDS_MAX = 180.0  # aiogram imports slowly, and two cores may be busy


class Bot:
    """One `manage.py runbot`; `log` is what it has written so far."""

    def __init__(self, environment: Mapping[str, str], log: Path, root: Path = ROOT) -> None:
        self._environment, self._path = environment, log
        with log.open("w") as output:
            self.process = subprocess.Popen(
                [sys.executable, "manage.py", "runbot"],
                cwd=root,
                env={**os.environ, **environment},
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        self.began = time.monotonic()

    @property
    def log(self) -> list[dict[str, Any]]:
        """Every line of the log; one that is no JSON is under `text`."""
        return [_line(line) for line in self._path.read_text().splitlines()]

    def said(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self.log if line.get("event") == event]

    async def says(self, event: str, seconds: float = START_SECONDS_MAX) -> dict[str, Any]:
        """Wait for a line of the log."""

        async def look() -> bool:
            return bool(self.said(event)) or self.process.poll() is not None

        with contextlib.suppress(AssertionError):
            await eventually(look, event, seconds)
        if not self.said(event):
            raise AssertionError(f"{event} not said; the log ends: {self._path.read_text()[-3000:]}")
        return self.said(event)[0]

    async def started(self) -> "Bot":
        await self.says("bot.started")
        return self

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> float:
        """SIGKILL; returns when."""
        self.process.kill()
        self.process.wait()
        return time.monotonic()

    async def ended(self, seconds: float) -> int:
        """The exit code, once it has ended by itself."""

        async def look() -> bool:
            return self.process.poll() is not None

        await eventually(look, "the end of the bot", seconds)
        return int(self.process.returncode)

    def children(self, program: str) -> list[psutil.Process]:
        """Its living children that run this program."""
        found = []
        for child in psutil.Process(self.process.pid).children():
            with contextlib.suppress(psutil.Error):
                if program in " ".join(child.cmdline()):
                    found.append(child)
        return found


class Bots:
    """The bot processes of a test, one after the other or side by side, all with the same surroundings."""

    def __init__(self, environment: Mapping[str, str], folder: Path, root: Path = ROOT) -> None:
        self.environment = dict(environment)
        self._folder, self._root = folder, root
        self.all: list[Bot] = []

    def start(self, **changes: str) -> Bot:
        """A new process; `await bot.started()` before relying on it."""
        bot = Bot({**self.environment, **changes}, self._folder / f"bot-{len(self.all)}.log", self._root)
        self.all.append(bot)
        return bot

    def lines(self, event: str) -> list[dict[str, Any]]:
        """The lines with this event, of all processes."""
        return [line for bot in self.all for line in bot.said(event)]

    @property
    def crashes(self) -> list[str]:
        """Tracebacks that no process should have written."""
        return [
            line.get("exception") or line["text"]
            for bot in self.all
            for line in bot.log
            if "Traceback" in str(line.get("exception") or line.get("text", ""))
        ]

    @classmethod
    @contextlib.asynccontextmanager
    async def of(
        cls, environment: Mapping[str, str], folder: Path, root: Path = ROOT
    ) -> AsyncIterator["Bots"]:
        bots = cls(environment, folder, root)
        try:
            yield bots
        finally:
            for bot in bots.all:
                if bot.process.poll() is None:
                    bot.send(signal.SIGCONT)
                    bot.kill()


def _line(line: str) -> dict[str, Any]:
    try:
        read = json.loads(line)
    except ValueError:
        return {"text": line}
    return read if isinstance(read, dict) else {"text": line}
