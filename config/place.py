"""Where the embedded servers of this checkout live, running or not: settings and servers agree here."""

import contextlib
import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path

CHECKOUT = Path(__file__).resolve().parent.parent
DATABASE = "starling"  # and the name of its owner
# A Unix socket's path may have 103 bytes on macOS and 107 on Linux; PostgreSQL adds 15.
SOCKET_FOLDER_LENGTH_MAX = 85
# Others may pass through the data folder (PostgreSQL of root runs as nobody) but not look around in it.
FOLDER_MODE = 0o711


@dataclass(frozen=True, slots=True)
class Place:
    """Where one pair of servers lives: `data` stays, `sockets` is short and ours alone."""

    data: Path
    sockets: Path

    def database_url(self, database: str = DATABASE) -> str:
        return f"postgres://{DATABASE}@/{database}?host={self.sockets}"

    def redis_url(self, number: int = 0) -> str:
        return f"unix://{self.sockets / 'redis.sock'}?db={number}"


def checkout_place(checkout: Path = CHECKOUT) -> Place:
    """The place of a checkout: its data inside, its sockets under the short path of a temp folder."""
    digest = hashlib.sha256(str(checkout.resolve()).encode()).hexdigest()[:12]
    name = f"starling-{os.getuid()}-{digest}"
    sockets = Path(tempfile.gettempdir()) / name
    if len(str(sockets)) > SOCKET_FOLDER_LENGTH_MAX:
        sockets = Path("/tmp") / name  # noqa: S108  made with mode 0700 and checked before use
    return Place(checkout / ".local", sockets)


def private_opener(path: str, flags: int) -> int:
    """For `open(…, opener=…)`: a file that is made here is only its owner's to read."""
    return os.open(path, flags, 0o600)


def keep_private(path: Path, text: str) -> str:
    """Keep `text` in a file only its owner may read, unless one is kept there already; what is kept."""
    path.parent.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    # Made whole beside it and then linked: a second process starting now sees all of it or nothing.
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    draft.touch(mode=0o600)
    try:
        draft.write_text(text)
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
    finally:
        draft.unlink()
    return path.read_text()
