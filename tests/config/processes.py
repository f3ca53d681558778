"""Watching real processes: waiting for what they do, and finding what they left."""

import contextlib
import socket
import time
from collections.abc import Callable
from pathlib import Path

import psutil

WAIT_SECONDS_MAX = 60  # two busy cores


def eventually(true: Callable[[], bool], seconds_max: float = WAIT_SECONDS_MAX) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds_max
    while not true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.05)
    return True


def processes_of(folder: Path, marker: str = "") -> list[psutil.Process]:
    """Every living process that names the folder in its command, works in it or carries the marker."""
    return [process for process in psutil.process_iter() if _belongs(process, str(folder), marker)]


def kill_all(processes: list[psutil.Process]) -> None:
    for process in processes:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()


def _belongs(process: psutil.Process, folder: str, marker: str) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        here = any(folder in word for word in process.cmdline()) or process.cwd().startswith(folder)
        return here or bool(marker and marker in process.environ().values())
    except psutil.Error:
        return False


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
