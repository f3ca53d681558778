"""A thread's folders on this machine's disk: what its code may read, and what it has written."""

import contextlib
import fcntl
import hashlib
import os
import pwd
import shutil
import stat
import time
from asyncio import sleep
from collections.abc import AsyncIterator, Iterator, Sequence
from pathlib import Path

from django.conf import settings

from conversations.contracts import NewFile
from tools.sandbox.contract import OUTPUT_FILE_MAX, Input, Snapshot, mime_of, picked, safe_name

FOLDER_MAX = 256 * 1024 * 1024  # bytes a thread's code may keep on disk
ENTRIES_MAX = 5_000  # files and folders of it
KEPT_SECONDS = 7 * 24 * 3600  # after so long without a run a thread's folder goes
LOCK_SECONDS = 0.1  # between two looks whether another run of the same thread has ended
SHOW = Path(__file__).with_name("_show.py")
BACKEND = "starling_figures"  # its name inside, where matplotlib looks for it
NOBODY = "nobody"  # who root becomes: root's processes are not counted by any limit


def home() -> Path:
    """Where the folders of all threads are: beside the files of this installation."""
    return home_beside(Path(settings.MEDIA_ROOT))


def home_beside(media: Path) -> Path:
    """Root's lie where nobody may enter, under a name of their own: two installations share no thread."""
    if os.getuid() == 0:
        name = hashlib.sha256(bytes(media.absolute())).hexdigest()[:16]
        return Path(f"/var/tmp/starling-sandboxes-{name}")  # noqa: S108  made 0700 and owned below
    return media.with_name("sandboxes")


def owner() -> tuple[int, int]:
    """Whom the folders belong to: the user and group the code runs as, seen from outside."""
    if os.getuid() != 0:
        return os.getuid(), os.getgid()
    nobody = pwd.getpwnam(NOBODY)
    return nobody.pw_uid, nobody.pw_gid


class Folder:
    """One thread's folder: `code` and `inputs` can only be read from inside, `outputs` is kept between runs."""

    def __init__(self, thread_id: int) -> None:
        self.path = home() / str(thread_id)
        self.code, self.inputs, self.outputs = (self.path / name for name in ("code", "inputs", "outputs"))

    @contextlib.asynccontextmanager
    async def locked(self) -> AsyncIterator[None]:
        """Runs of one thread come one after the other, in whatever process they are."""
        for folder in (home(), self.path, self.code, self.inputs, self.outputs):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            os.chown(folder, *owner())
        with open(self.path / "lock", "w") as lock:  # noqa: ASYNC230  opened, never written
            while not _lock(lock.fileno()):  # noqa: ASYNC110  another process holds it
                await sleep(LOCK_SECONDS)
            os.utime(self.path)
            yield

    def fill(self, code: str, inputs: Sequence[Input]) -> None:
        """Put down what the code is and what it may read; inputs of earlier runs stay."""
        self._write(self.code / "main.py", code.encode("utf-8", "replace"))
        self._write(self.code / f"{BACKEND}.py", SHOW.read_bytes())
        for given in inputs:
            self._write(self.inputs / safe_name(given.name), given.content)

    def _write(self, path: Path, content: bytes) -> None:
        path.write_bytes(content)
        path.chmod(0o600)
        os.chown(path, *owner())

    def snapshot(self) -> Snapshot:
        return {name: (found.st_mtime_ns, found.st_size) for name, found in self._files()}

    def is_full(self) -> bool:
        """Has the code written more than it may? What it writes while we look is seen the next time."""
        entries = size = 0
        for _, found in self._entries():
            entries += 1
            size += found.st_blocks * 512
        return entries > ENTRIES_MAX or size > FOLDER_MAX

    def new_files(self, before: Snapshot) -> tuple[tuple[NewFile, ...], tuple[str, ...]]:
        """Files that are new or have changed since, and a line for each that does not come along."""
        names, left_out = picked(before, self.snapshot())
        files = [NewFile(label := safe_name(name), mime_of(label), self._read(name)) for name in names]
        return tuple(files), tuple(left_out)

    def forget(self, before: Snapshot) -> None:
        """Take away what a run has written that overfilled the folder."""
        for name, _ in list(self._files()):
            if name not in before:
                (self.outputs / name).unlink(missing_ok=True)
        if self.is_full():
            shutil.rmtree(self.outputs, ignore_errors=True)

    def _read(self, name: str) -> bytes:
        # Never through a link: the code could have laid one to any file of this machine.
        with open(os.open(self.outputs / name, os.O_RDONLY | os.O_NOFOLLOW), "rb") as file:
            return file.read(OUTPUT_FILE_MAX)

    def _files(self) -> Iterator[tuple[str, os.stat_result]]:
        for path, found in self._entries():
            if stat.S_ISREG(found.st_mode):
                yield os.path.relpath(path, self.outputs), found

    def _entries(self) -> Iterator[tuple[str, os.stat_result]]:
        for parent, folders, names in os.walk(self.outputs, followlinks=False):
            for name in (*folders, *names):
                path = os.path.join(parent, name)
                with contextlib.suppress(OSError):
                    yield path, os.lstat(path)


def _lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def forget_old() -> int:
    """Take away the folders of threads that have long run nothing; returns how many."""
    gone = 0
    for folder in home().glob("*") if home().exists() else ():
        if time.time() - folder.stat().st_mtime > KEPT_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
            gone += 1
    return gone
