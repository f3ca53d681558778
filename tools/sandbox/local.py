"""Python on this machine, confined by bubblewrap: no network, nothing of ours to read, and little to use up.

The kernel confines: namespaces of its own, a read-only system, limits on each process. What the limits
do not add up (the memory of many processes, a folder on our disk) a watch outside does. Where any of it
does not hold, `confinement` says why and no code is run.
"""

import asyncio
import contextlib
import functools
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from asyncio.subprocess import DEVNULL, PIPE, Process
from collections.abc import Callable, Sequence
from decimal import Decimal
from pathlib import Path

import psutil  # type: ignore[import-untyped]
import structlog

from tools.sandbox import _folders
from tools.sandbox._folders import Folder
from tools.sandbox.contract import (
    INPUTS,
    OUTPUTS,
    STREAM_MAX,
    Ending,
    Input,
    Outcome,
    SandboxUnavailable,
    Stopped,
    last_line,
    shortened,
)

log = structlog.get_logger(__name__)

PROCESS_MEMORY_MAX = 1024**3  # bytes of address space of one process
MEMORY_MAX = 768 * 1024**2  # bytes of all its processes together
PROCESSES_MAX = 64  # processes and threads
FILE_MAX = 64 * 1024**2  # bytes of one file
OPEN_FILES_MAX = 256
TMP_MAX = 64 * 1024**2  # bytes of /tmp beside the outputs, and of /dev/shm: they are memory
MAIN = "/tmp/code/main.py"  # noqa: S108
NICENESS = 10  # the bot and the databases come first
WATCH_SECONDS = 0.2  # between two looks at memory and disk: 100 MB may be written meanwhile
PROBE_SECONDS = 10
# Worth naming to a model where they are there.
MODULES = ("numpy", "matplotlib", "pandas", "scipy", "sympy", "PIL", "openpyxl")
# Of /etc only what Debian's own packages of MODULES are lost without: links to libraries, and a list of defaults.
SYSTEM = ("/etc/alternatives", "/etc/matplotlibrc")
# What a process inside sees; nothing of ours.
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",  # noqa: S108
    "LANG": "C.UTF-8",
    "MPLBACKEND": f"module://{_folders.BACKEND}",
    "MPLCONFIGDIR": "/tmp/.matplotlib",  # noqa: S108
    "OPENBLAS_NUM_THREADS": "2",
}
# What must hold before anything is run: it tries what it must not be able to do.
PROBE = f"""
import importlib.util, json, os, socket
held = []
if [name for _, name in socket.if_nameindex()] != ["lo"]:
    held.append("it has a network")
for path in ("/probe", "/usr/probe", "/dev/probe", "{INPUTS}/probe"):
    try:
        open(path, "w").close()
        held.append("it can write " + path)
    except OSError:
        pass
children = []
try:
    for _ in range({PROCESSES_MAX} + 1):
        child = os.fork()
        if child == 0:
            os.read(os.pipe()[0], 1)
        children.append(child)
    held.append("its processes are not limited")
except OSError:
    pass
for child in children:
    os.kill(child, 9)
modules = [name for name in {MODULES!r} if importlib.util.find_spec(name)]
print(json.dumps([held, modules]))
"""


class Local:
    """The sandboxes of this machine."""

    takes_packages = False
    price_item = "sandbox-second:local"
    unpriced = Decimal(0)  # free until staff give it a price
    manner = ""
    company = ""

    @property
    def modules(self) -> tuple[str, ...]:
        return confinement()[1]

    async def run(
        self,
        thread_id: int,
        code: str,
        *,
        inputs: Sequence[Input],
        packages: Sequence[str],
        seconds: float,
        tell: Callable[[str], None],
    ) -> Outcome:
        """Run code in the thread's folder, confined. Raises SandboxUnavailable where it cannot be."""
        why, _ = await asyncio.to_thread(confinement)
        if why:
            raise SandboxUnavailable(why)
        folder = Folder(thread_id)
        async with folder.locked():
            await asyncio.to_thread(folder.fill, code, inputs)
            before = await asyncio.to_thread(folder.snapshot)
            began = time.monotonic()
            try:
                ending, stdout, stderr = await _confined(folder, seconds, tell)
            except asyncio.CancelledError as stop:
                raise Stopped(time.monotonic() - began) from stop
            ran = time.monotonic() - began
            if ending == "disk":
                await asyncio.to_thread(folder.forget, before)
            files, left_out = await asyncio.to_thread(folder.new_files, before)
        return Outcome(ending, stdout, stderr, ran, files, left_out)


async def _confined(folder: Folder, seconds: float, tell: Callable[[str], None]) -> tuple[Ending, str, str]:
    """Start it, listen to it, watch it, and end it whatever happens."""
    process = await asyncio.create_subprocess_exec(
        *_command(folder, int(seconds) + 1), MAIN, stdin=DEVNULL, stdout=PIPE, stderr=PIPE, env={}
    )
    assert process.stdout
    assert process.stderr
    heard = [asyncio.create_task(_listen(stream, tell)) for stream in (process.stdout, process.stderr)]
    watch = asyncio.create_task(_watch(process, folder))
    ending: Ending = "done"
    try:
        async with asyncio.timeout(seconds):
            await asyncio.wait(
                {watch, ended := asyncio.create_task(process.wait())}, return_when="FIRST_COMPLETED"
            )
        ending = "done" if ended.done() else watch.result()
    except TimeoutError:
        ending = "time"
    finally:
        watch.cancel()
        with contextlib.suppress(ProcessLookupError):
            process.kill()  # and with it, as the first of its namespace, everything it has started
        await asyncio.shield(process.wait())
    stdout, stderr = await asyncio.gather(*heard)
    if ending == "done" and process.returncode:
        ending = "failed"
        if not stdout and stderr.startswith("bwrap: "):
            raise SandboxUnavailable(stderr.splitlines()[0])
    return ending, stdout, stderr


async def _listen(stream: asyncio.StreamReader, tell: Callable[[str], None]) -> str:
    """Everything it says, its middle left out where it is long, and each last line told."""
    text = ""
    while chunk := await stream.read(65536):
        text += chunk.decode(errors="replace")
        if line := last_line(text):
            tell(line)
        if len(text) > 4 * STREAM_MAX:
            text = shortened(text)
    return shortened(text)


async def _watch(process: Process, folder: Folder) -> Ending:
    """Returns when all its processes together, or its folder, have grown too large."""
    while True:
        await asyncio.sleep(WATCH_SECONDS)
        memory, count = await asyncio.to_thread(_use_of, process.pid)
        if memory > MEMORY_MAX:
            return "memory"
        if count > PROCESSES_MAX:
            return "processes"
        if await asyncio.to_thread(folder.is_full):
            return "disk"


def _use_of(pid: int) -> tuple[int, int]:
    """Bytes of memory, and the number, of a process and all that it has started."""
    memory = count = 0
    with contextlib.suppress(psutil.NoSuchProcess):
        for child in psutil.Process(pid).children(recursive=True):
            with contextlib.suppress(psutil.NoSuchProcess):
                used = child.memory_info()
                memory, count = memory + used.rss - used.shared, count + 1
    return memory, count


def _command(folder: Folder, seconds: int) -> list[str]:
    """The program that confines, the limits inside it, and the interpreter."""
    python, readable = _interpreter()
    words = [*_as_nobody(), str(shutil.which("bwrap")), "--unshare-all", "--unshare-user", "--disable-userns"]
    words += ["--uid", "65534", "--gid", "65534", "--cap-drop", "ALL", "--hostname", "sandbox"]
    words += ["--new-session", "--die-with-parent", "--clearenv"]
    for name, value in ENVIRONMENT.items():
        words += ["--setenv", name, value]
    words += ["--ro-bind", "/usr", "/usr"]
    for name in ("bin", "lib", "lib64"):
        words += ["--symlink", f"usr/{name}", f"/{name}"]
    for shared in SYSTEM:
        words += ["--ro-bind-try", shared, shared]
    for path in readable:
        words += ["--ro-bind", str(path), str(path)]
    if readable:
        words += ["--setenv", "PYTHONPATH", str(readable[-1])]
    words += ["--proc", "/proc", "--dev", "/dev", "--size", str(TMP_MAX), "--tmpfs", "/dev/shm"]  # noqa: S108
    words += ["--remount-ro", "/dev", "--size", str(TMP_MAX), "--tmpfs", "/tmp"]  # noqa: S108
    words += ["--ro-bind", str(folder.code), "/tmp/code", "--ro-bind", str(folder.inputs), INPUTS]  # noqa: S108
    words += ["--bind", str(folder.outputs), OUTPUTS, "--remount-ro", "/", "--chdir", OUTPUTS]
    words += ["/usr/bin/nice", "-n", str(NICENESS), "/usr/bin/prlimit", f"--as={PROCESS_MEMORY_MAX}"]
    words += [f"--nproc={PROCESSES_MAX}", f"--fsize={FILE_MAX}", f"--nofile={OPEN_FILES_MAX}"]
    words += [f"--cpu={seconds}", "--core=0", "--", str(python), "-u", "-B", "-s"]
    return words


def _as_nobody() -> list[str]:
    """Root becomes nobody first: root's processes are not counted by any limit."""
    if os.getuid() != 0:
        return []
    uid, gid = _folders.owner()
    return ["setpriv", "--reuid", str(uid), "--regid", str(gid), "--clear-groups", "--pdeathsig", "KILL"]


@functools.cache
def _interpreter() -> tuple[Path, tuple[Path, ...]]:
    """The Python that runs the code, and what of this machine it must be able to read besides /usr.

    Ours, with the packages beside it; the system's where ours lies in a folder that is closed to nobody.
    """
    base = Path(sys.base_prefix).resolve()
    packages = Path(sysconfig.get_path("purelib")).resolve()
    mine = base / "bin" / f"python{sys.version_info.major}.{sys.version_info.minor}"
    if mine.exists() and (os.getuid() != 0 or all(_open_to_all(path) for path in (base, packages))):
        return mine, tuple(path for path in (base, packages) if not path.is_relative_to("/usr"))
    return Path("/usr/bin/python3"), ()


def _open_to_all(path: Path) -> bool:
    return all(folder.stat().st_mode & 0o001 for folder in (path, *path.parents))


@functools.cache
def confinement() -> tuple[str, tuple[str, ...]]:
    """Why nothing can be confined here, or nothing; and the modules of MODULES that code will find."""
    missing = [name for name in ("bwrap", "prlimit", "nice") if not shutil.which(name)]
    if missing:
        return f"{missing[0]} is not installed (Debian: bubblewrap, util-linux)", ()
    folder = Folder(0)
    try:
        for path in (_folders.home(), folder.path, folder.code, folder.inputs, folder.outputs):
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(path, *_folders.owner())
        ran = subprocess.run(  # noqa: S603  words of our own
            [*_command(folder, PROBE_SECONDS), "-c", PROBE],
            capture_output=True,
            text=True,
            timeout=PROBE_SECONDS,
            env={},
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        return f"bubblewrap cannot be started: {error}", ()
    if ran.returncode:
        said = ran.stderr.strip().splitlines() or ["it said nothing"]
        return f"bubblewrap cannot confine here: {said[-1][:200]}", ()
    held, modules = json.loads(ran.stdout)
    return "; ".join(held), tuple(modules)
