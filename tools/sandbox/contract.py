"""What a sandbox is: a place where a stranger's Python runs, one per thread, and what comes back from it."""

import asyncio
import functools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Literal, Protocol

from conversations.contracts import NewFile

INPUTS, OUTPUTS = "/tmp/inputs", "/tmp/outputs"  # noqa: S108  inside the sandbox
OUTPUT_FILES_MAX = 10  # files of one run that come back
OUTPUT_FILE_MAX = 20 * 1024 * 1024  # bytes of one of them
STREAM_MAX = 30_000  # characters of stdout, and of stderr, that are kept: the beginning and the end
NAME_MAX = 100  # characters of an input's name
LINE_MAX = 200  # characters of a line that is told while it runs

Ending = Literal["done", "failed", "time", "memory", "disk", "processes", "output"]
Snapshot = Mapping[str, tuple[int, int]]  # path below outputs → time of its last change in ns, bytes


@dataclass(frozen=True, slots=True)
class Input:
    """A file for the code to read, under /tmp/inputs."""

    name: str
    content: bytes


@dataclass(frozen=True, slots=True)
class Outcome:
    """What came of one run. `ending` says which limit ended it, if one did; `failed` is the code's own error."""

    ending: Ending
    stdout: str
    stderr: str
    seconds: float  # how long it ran, which is what is charged
    files: tuple[NewFile, ...] = ()  # new or changed under /tmp/outputs
    left_out: tuple[str, ...] = ()  # files that were too large or too many, and why
    is_anew: bool = False  # the thread's earlier sandbox was gone, and with it what earlier runs had written


class Stopped(asyncio.CancelledError):
    """The run was cancelled; `seconds` is how long it ran until then, which is charged all the same."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"stopped after {seconds:.3f} s")
        self.seconds = seconds


class SandboxUnavailable(Exception):
    """The sandbox itself failed: no fault of the code, and the same code may run later."""


class Sandbox(Protocol):
    @property
    def takes_packages(self) -> bool:
        """May packages be installed from PyPI?"""

    @property
    def price_item(self) -> str:
        """The unit of billing.Price that a second of a run is charged by."""

    @property
    def unpriced(self) -> Decimal | None:
        """Dollars a second costs where staff never set a price; None: then nothing is run."""

    @property
    def company(self) -> str:
        """Who else gets the code and its files, for the person to know; nothing when nobody does."""

    @property
    def modules(self) -> tuple[str, ...]:
        """What is there beside the standard library and worth naming."""

    @property
    def manner(self) -> str:
        """How code runs here where that is not as a program, in a sentence for the model."""

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
        """Run code in the thread's own sandbox and hand each line it prints to `tell`.

        Cancelled, it ends the code at once and raises Stopped. Raises SandboxUnavailable.
        """


def picked(before: Snapshot, after: Snapshot) -> tuple[list[str], list[str]]:
    """Names of files that are new or have changed, and a line for each that does not come along."""
    names: list[str] = []
    left_out: list[str] = []
    for name, (changed, size) in sorted(after.items()):
        if before.get(name) == (changed, size):
            continue
        if size > OUTPUT_FILE_MAX:
            left_out.append(f"{name}: {size} bytes, at most {OUTPUT_FILE_MAX} come back")
        elif len(names) == OUTPUT_FILES_MAX:
            left_out.append(f"{name}: at most {OUTPUT_FILES_MAX} files come back; write a zip file")
        elif size:
            names.append(name)
        else:
            left_out.append(f"{name}: it is empty")
    return names, left_out


def last_line(text: str) -> str:
    """The last line of what was printed that says something, for the person who waits."""
    lines = text[-LINE_MAX * 2 :].strip().splitlines()
    return lines[-1][:LINE_MAX] if lines else ""


def safe_name(name: str) -> str:
    """A name for an input that is no path: its last part, of plain characters."""
    plain = re.sub(r"[^\w.() -]", "_", re.split(r"[/\\]", name)[-1]).strip(" .")
    return plain[-NAME_MAX:] or "file"


def shortened(text: str, most: int = STREAM_MAX) -> str:
    """A long output's beginning and end, and how much was left out between them."""
    if len(text) <= most:
        return text
    half = most // 2
    return f"{text[:half]}\n[… {len(text) - 2 * half} characters left out …]\n{text[-half:]}"


@functools.cache
def mime_of(name: str) -> str:
    """The media type of a file that code wrote, by its name."""
    kind = name.rpartition(".")[2].lower()
    return MIMES.get(kind, "application/octet-stream")


MIMES = {
    "png": "image/png",
    "jpg": "image/jpeg",
    "jpeg": "image/jpeg",
    "gif": "image/gif",
    "webp": "image/webp",
    "svg": "image/svg+xml",
    "pdf": "application/pdf",
    "txt": "text/plain",
    "md": "text/markdown",
    "csv": "text/csv",
    "html": "text/html",
    "json": "application/json",
    "py": "text/x-python",
    "zip": "application/zip",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    "wav": "audio/wav",
    "mp3": "audio/mpeg",
}
