"""One run in a machine of E2B that is awake: files in, cells of a notebook, files and pictures out."""

import asyncio
import base64
import json
import re
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import httpx
import structlog
from e2b.exceptions import (
    AuthenticationException,
    FileNotFoundException,
    SandboxException,
    ServiceBusyException,
)
from e2b.sandbox.filesystem.filesystem import WriteEntry
from e2b_code_interpreter import (  # type: ignore[import-untyped]
    AsyncSandbox,
    Context,
    Execution,
    OutputMessage,
    Result,
)

from conversations.contracts import NewFile
from tools.sandbox.contract import (
    INPUTS,
    OUTPUT_FILE_MAX,
    OUTPUT_FILES_MAX,
    OUTPUTS,
    STREAM_MAX,
    Ending,
    Input,
    Outcome,
    SandboxUnavailable,
    Snapshot,
    Stopped,
    last_line,
    mime_of,
    picked,
    safe_name,
    shortened,
)

LOOK_SECONDS = 60  # for a look at its files
REST_SECONDS = 10  # for each of the last words to it, while a person may wait behind a Stop
PRINTED_MAX = 10_000_000  # characters of output; code that prints on is stopped
ENTRIES_MAX = 5_000  # files that are looked at
# The notebook's own trouble, told in the place of the code's errors (code-interpreter's server, messaging.py).
BROKEN = {"WebSocketError", "UnexpectedEndOfExecution"}
KERNEL_DIED = "ContextRestarting"
ENDED_WELL = {"", "0", "None"}  # what sys.exit() was given
COLOURS = re.compile(r"\x1b\[[0-9;]*m")
PICTURES = (("png", "image/png"), ("jpeg", "image/jpeg"), ("svg", "image/svg+xml"))
# Run in the machine's first kernel, which no code of a person ever sees.
LOOK = f"""
def look():
    import json, os, stat
    found = {{}}
    for folder in ({INPUTS!r}, {OUTPUTS!r}):
        os.makedirs(folder, exist_ok=True)
    for parent, _, names in os.walk({OUTPUTS!r}):
        for name in names:
            path = os.path.join(parent, name)
            try:
                seen = os.lstat(path)
            except OSError:
                continue
            if stat.S_ISREG(seen.st_mode) and len(found) < {ENTRIES_MAX}:
                found[os.path.relpath(path, {OUTPUTS!r})] = [seen.st_mtime_ns, seen.st_size]
    print(json.dumps(found))
look()
"""
INSTALL = """
import subprocess, sys
ran = subprocess.run(
    [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-input", *{packages!r}],
    capture_output=True, text=True,
)
if ran.returncode:
    print(ran.stderr[-2000:], file=sys.stderr)
    sys.exit("The packages could not be installed.")
"""
# What the SDK raises for everything that is not the code's doing; ValueError for a line that is no JSON.
FAILURES = (SandboxException, AuthenticationException, ServiceBusyException, httpx.HTTPError, ValueError)

log = structlog.get_logger(__name__)


class PrintedTooMuch(Exception):
    """It would print on until the disk of whoever listens is full."""


@dataclass(slots=True)
class Printed:
    """What code prints, its middle left out where it is long, and each last line told."""

    tell: Callable[[str], None]
    stdout: str = ""
    stderr: str = ""
    count: int = 0

    def out(self, message: OutputMessage) -> None:
        self.stdout = self._with(self.stdout, message.line)

    def err(self, message: OutputMessage) -> None:
        self.stderr = self._with(self.stderr, message.line)

    def _with(self, text: str, more: str) -> str:
        self.count += len(more)
        if self.count > PRINTED_MAX:
            raise PrintedTooMuch
        text += more
        if line := last_line(text):
            self.tell(line)
        return shortened(text) if len(text) > 4 * STREAM_MAX else text


async def run(
    machine: AsyncSandbox,
    code: str,
    inputs: Sequence[Input],
    packages: Sequence[str],
    seconds: float,
    tell: Callable[[str], None],
    *,
    is_anew: bool,
) -> Outcome:
    """One run in a machine that is awake: files in, code, files out."""
    before = await _look(machine)
    if inputs:
        await machine.files.write_files(
            [WriteEntry(path=f"{INPUTS}/{safe_name(given.name)}", data=given.content) for given in inputs]
        )
    printed = Printed(tell)
    kernel = await machine.create_code_context(cwd=OUTPUTS)
    try:
        cells = (INSTALL.format(packages=list(packages)), code) if packages else (code,)
        began = time.monotonic()
        try:
            ending, results = await _execute(machine, kernel, cells, seconds, printed)
        except asyncio.CancelledError as stop:
            raise Stopped(time.monotonic() - began) from stop
        ran = time.monotonic() - began
    finally:
        # With its kernel ends whatever still runs in it; an interrupt could have been caught.
        await last_words("kernel", machine.remove_code_context(kernel))
    names, left_out = picked(before, await _look(machine))
    files = [file for name in names if (file := await _fetch(machine, name))]
    shown, words = _shown(results)
    if sum(file.mime.startswith("image/") for file in files) < len(shown):  # else it saved what it shows
        files = (files + shown)[:OUTPUT_FILES_MAX]
    stdout = "\n".join(filter(None, [shortened(printed.stdout), shortened(words)]))
    return Outcome(
        ending, stdout, shortened(printed.stderr), ran, tuple(files), tuple(left_out), is_anew=is_anew
    )


async def end_leftovers(machine: AsyncSandbox) -> None:
    """Take away the kernels of runs whose worker was killed: what they run may have caught the interrupt."""
    for kernel in await machine.list_code_contexts():
        if kernel.cwd == OUTPUTS:
            await machine.remove_code_context(kernel)


async def _execute(
    machine: AsyncSandbox, kernel: Context, cells: Sequence[str], seconds: float, printed: Printed
) -> tuple[Ending, list[Result]]:
    """Run the cells one after the other until one does not end well."""
    results: list[Result] = []
    try:
        async with asyncio.timeout(seconds):
            for cell in cells:
                execution = await machine.run_code(
                    cell, context=kernel, on_stdout=printed.out, on_stderr=printed.err, timeout=0
                )
                results += execution.results
                if (ending := _ending(execution, printed)) != "done":
                    return ending, results
    except TimeoutError:
        return "time", results
    except PrintedTooMuch:
        return "output", results
    return "done", results


def _ending(execution: Execution, printed: Printed) -> Ending:
    """How a cell ended. Raises SandboxUnavailable for the notebook's own trouble."""
    error = execution.error
    if error is None or (error.name == "SystemExit" and error.value in ENDED_WELL):
        return "done"
    if error.name in BROKEN:
        raise SandboxUnavailable(error.name)
    if error.name == KERNEL_DIED:
        return "memory"
    printed.stderr += COLOURS.sub("", error.traceback or f"{error.name}: {error.value}")
    return "failed"


async def _look(machine: AsyncSandbox) -> Snapshot:
    """The files under /tmp/outputs; that folder and the one of inputs are there afterwards."""
    printed = Printed(tell=lambda _line: None)
    try:
        execution = await machine.run_code(LOOK, on_stdout=printed.out, timeout=LOOK_SECONDS)
    except PrintedTooMuch as error:
        raise SandboxUnavailable("its files cannot be listed") from error
    if execution.error:
        raise SandboxUnavailable(f"its files cannot be listed: {execution.error.name}")
    found = json.loads("".join(execution.logs.stdout))
    return {name: (changed, size) for name, (changed, size) in found.items()}


async def _fetch(machine: AsyncSandbox, name: str) -> NewFile | None:
    """A file's bytes, as many as may come back; None when it has gone meanwhile."""
    content = bytearray()
    try:
        async with await machine.files.read(f"{OUTPUTS}/{name}", format="stream") as chunks:
            async for chunk in chunks:
                content += chunk
                if len(content) > OUTPUT_FILE_MAX:
                    break
    except FileNotFoundException:
        return None
    label = safe_name(name)
    return NewFile(label, mime_of(label), bytes(content[:OUTPUT_FILE_MAX]))


def _shown(results: Sequence[Result]) -> tuple[list[NewFile], str]:
    """The pictures code has shown, and in words what its last line gives."""
    pictures: list[NewFile] = []
    words = ""
    for result in results:
        kind, mime = next(((kind, mime) for kind, mime in PICTURES if result[kind]), ("", ""))
        if kind:
            body = str(result[kind])
            content = body.encode() if kind == "svg" else base64.b64decode(body)
            pictures.append(NewFile(f"chart-{len(pictures) + 1}.{kind}", mime, content))
        elif result.is_main_result:
            words = result.text or ""
    return pictures, words


async def last_words(what: str, words: Awaitable[None]) -> None:
    """Say it to the machine whatever happens to us; that it failed spoils no result."""
    try:
        async with asyncio.timeout(REST_SECONDS):
            await words
    except (*FAILURES, TimeoutError) as error:
        log.warning("sandbox.left_as_it_is", what=what, error=type(error).__name__)
