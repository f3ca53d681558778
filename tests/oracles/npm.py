"""Other people's stand-ins, installed by npm from the lock beside this file into .local/oracles, and started."""

import contextlib
import fcntl
import functools
import hashlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
PLACE = HERE.parents[1] / ".local" / "oracles"
PACKAGES = PLACE / "node_modules"
INSTALL_SECONDS = 40
REMEMBERED_SECONDS = 600  # a registry that was away is not waited for again by every test process
START_SECONDS = 15
NODE_MIN = 20  # what both packages run on; crabline's package.json asks for 22, and its Telegram needs less


@functools.cache
def missing() -> str:
    """Why the packages cannot be run here, in words; empty when they can."""
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed here: the oracles are npm packages"
    version = subprocess.run(["node", "--version"], capture_output=True, text=True, check=False).stdout
    if int(version.strip().lstrip("v").split(".")[0] or 0) < NODE_MIN:
        return f"node {version.strip()} is older than {NODE_MIN}"
    return _install()


def need() -> None:
    """Skip the test, saying why, where the packages cannot be had."""
    if words := missing():
        pytest.skip(words)


@contextlib.contextmanager
def started(
    *command: str, home: Path, ready: Callable[[], str], env: dict[str, str] | None = None
) -> Iterator[str]:
    """A node program in a folder of its own; gives what `ready` finds there, as soon as it finds it."""
    said = home / "said.txt"
    with said.open("wb") as out:
        process = subprocess.Popen(
            ["node", *command],
            cwd=home,
            env={"PATH": os.environ["PATH"], "HOME": str(home), **(env or {})},
            stdout=out,
            stderr=subprocess.STDOUT,
        )
    try:
        yield _wait(process, ready, said)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(process: "subprocess.Popen[bytes]", ready: Callable[[], str], said: Path) -> str:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        if found := ready():
            return found
        time.sleep(0.02)
    raise AssertionError(f"it did not start: {said.read_text()[-2000:]}")


def _install() -> str:
    """Install once for each lock, while other test processes wait; what is in the way stands in the stamp."""
    lock = (HERE / "package-lock.json").read_bytes()
    PLACE.mkdir(parents=True, exist_ok=True)
    stamp = PLACE / f"installed-{hashlib.sha256(lock).hexdigest()[:16]}"
    with (PLACE / "lock").open("w") as door:
        fcntl.flock(door, fcntl.LOCK_EX)
        if stamp.exists() and (not (words := stamp.read_text()) or _age(stamp) < REMEMBERED_SECONDS):
            return words
        for name in ("package.json", "package-lock.json"):
            shutil.copy(HERE / name, PLACE)
        for old in PLACE.glob("installed-*"):
            old.unlink()
        words = _npm_ci()
        stamp.write_text(words)
        return words


def _age(path: Path) -> float:
    return time.time() - path.stat().st_mtime


def _npm_ci() -> str:
    try:
        done = subprocess.run(
            [
                "npm",
                "ci",
                "--ignore-scripts",
                "--no-audit",
                "--no-fund",
                "--fetch-retries",
                "1",
                "--fetch-timeout",
                "15000",
            ],
            cwd=PLACE,
            capture_output=True,
            text=True,
            timeout=INSTALL_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"npm installed nothing within {INSTALL_SECONDS} s: is its registry reachable?"
    said = [line for line in done.stderr.splitlines() if line.startswith("npm error")] or ["no reason given"]
    return f"npm cannot install the oracles: {' '.join(said[:4])}" if done.returncode else ""
