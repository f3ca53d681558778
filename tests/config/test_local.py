"""The embedded servers: they start where they are told, keep their data, and end with their starter."""

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest
import redis as redis_client

from config import programs
from config.local import Postgres, Redis, only_one, prepare, throw_away
from config.place import SOCKET_FOLDER_LENGTH_MAX, Place, checkout_place
from config.programs import CannotStart
from tests.config.processes import WAIT_SECONDS_MAX, eventually, kill_all, processes_of

ROOT = Path(__file__).resolve().parents[2]

pytestmark = pytest.mark.processes


@pytest.fixture
def place() -> Iterator[Place]:
    with throw_away(want_postgres=False, want_redis=False) as place:
        yield place


def test_postgresql_keeps_its_rows_over_a_stop_and_a_start(place: Place) -> None:
    for expected in (1, 2):
        server = Postgres(place, durable=False)
        server.start()
        with psycopg.connect(place.database_url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS visit (at timestamptz DEFAULT now())")
            connection.execute("INSERT INTO visit DEFAULT VALUES")
            assert connection.execute("SELECT count(*) FROM visit").fetchone() == (expected,)
        server.stop()
    assert processes_of(place.data) == []


def test_postgresql_knows_the_case_of_cyrillic_letters(place: Place) -> None:
    server = Postgres(place, durable=False)
    server.start()
    with psycopg.connect(place.database_url()) as connection:
        assert connection.execute("SELECT upper('жёлтый'), 'Жар' ILIKE 'жАР'").fetchone() == ("ЖЁЛТЫЙ", True)
    server.stop()


def test_redis_keeps_its_keys_over_a_kill_and_evicts_only_what_has_a_ttl(place: Place) -> None:
    server = Redis(place)
    server.start()
    with redis_client.Redis.from_url(place.redis_url()) as client:
        client.set("event", "not yet written")
        assert client.config_get("maxmemory-policy")["maxmemory-policy"] == "volatile-lru"
        # appendfsync everysec: the write is with the system at once, and a kill takes no system down
    server.stop(at_once=True)
    server.start()
    with redis_client.Redis.from_url(place.redis_url()) as client:
        assert client.get("event") == b"not yet written"
    server.stop()


def test_two_copies_run_side_by_side_and_do_not_see_each_other() -> None:
    with throw_away() as one, throw_away() as other:
        with redis_client.Redis.from_url(one.redis_url()) as client:
            client.set("mine", "1")
        with redis_client.Redis.from_url(other.redis_url()) as client:
            assert client.get("mine") is None
        with psycopg.connect(one.database_url(), autocommit=True) as connection:
            connection.execute("CREATE TABLE mine ()")
        with psycopg.connect(other.database_url()) as connection:
            assert connection.execute("SELECT to_regclass('mine')").fetchone() == (None,)


def test_nothing_is_left_of_thrown_away_servers() -> None:
    with throw_away() as place:
        assert len(processes_of(place.data)) > 0
    assert processes_of(place.data) == []
    assert not place.data.parent.exists()


@pytest.mark.parametrize("blow", [signal.SIGTERM, signal.SIGKILL])
def test_the_servers_end_with_the_process_that_started_them(blow: signal.Signals) -> None:
    with subprocess.Popen(
        [sys.executable, "-m", "config.local", "sh", "-c", "echo $DATABASE_URL; exec sleep 600"],
        cwd=ROOT,
        env={name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "REDIS_URL"}},
        stdout=subprocess.PIPE,
        text=True,
    ) as starter:
        assert starter.stdout is not None
        folder = Path(starter.stdout.readline().strip().split("host=")[1]).parent
        assert len(processes_of(folder)) > 0
        starter.send_signal(blow)
        starter.wait()
        assert eventually(lambda: processes_of(folder) == [])
    with throw_away(want_postgres=False, want_redis=False):
        assert not folder.exists(), "the next one sweeps away what a killed one left"


def test_a_server_left_by_a_killed_run_is_ended_and_its_data_served(place: Place) -> None:
    left_postgres, left_redis = Postgres(place, durable=False), Redis(place)
    left_postgres.start()
    left_redis.start()
    postgres, cache = Postgres(place, durable=False), Redis(place)
    postgres.start()
    cache.start()
    for left in (left_postgres, left_redis):
        assert left.child is not None
        assert left.child.wait(WAIT_SECONDS_MAX) is not None
    with psycopg.connect(place.database_url()) as connection:
        assert connection.execute("SELECT 1").fetchone() == (1,)
    cache.stop()
    postgres.stop()


def test_files_left_by_a_kill_do_not_hurt_the_next_start(place: Place) -> None:
    server = Postgres(place, durable=False)
    server.start()
    kill_all(processes_of(place.data))
    assert eventually(lambda: processes_of(place.data) == [])
    assert (place.data / "postgres" / "postmaster.pid").exists()
    (place.data / "redis").mkdir(exist_ok=True)
    (place.data / "redis" / "redis.pid").write_text(str(os.getpid()))  # a number that is somebody else's now
    again, cache = Postgres(place, durable=False), Redis(place)
    again.start()
    cache.start()
    cache.stop()
    again.stop()
    server.stop()


def test_an_interrupted_first_start_is_begun_again(place: Place) -> None:
    (place.data / "postgres").mkdir(parents=True)
    (place.data / "postgres" / "half").write_text("a file of an interrupted initdb")
    server = Postgres(place, durable=False)
    server.start()
    server.stop()


def test_a_checkout_behind_a_closed_folder_works(place: Place, tmp_path: Path) -> None:
    """As under /root, where PostgreSQL, which then runs as nobody, may neither read its programs nor its data."""
    closed = tmp_path / "closed"
    closed.mkdir(mode=0o700)
    package = programs.postgres_bin().parent.parent
    for folder in (package, package.with_name(f"{package.name}.libs")):
        shutil.copytree(folder, closed / folder.name, copy_function=os.link)
    script = (
        "from pathlib import Path; from config import local, place, programs;"
        f"assert str(programs.postgres_bin()).startswith({str(closed)!r});"
        f"server = local.Postgres(place.Place(Path({str(closed / 'data')!r}), Path({str(place.sockets)!r})));"
        "server.start(); server.stop(); print('served')"
    )
    search = os.pathsep.join([str(closed), str(ROOT)])
    end = subprocess.run(
        [sys.executable, "-c", script],
        env={**os.environ, "PYTHONPATH": search},
        capture_output=True,
        text=True,
    )
    assert (end.stdout, end.stderr) == ("served\n", "")


def test_a_second_run_in_the_same_checkout_is_refused_in_words(place: Place) -> None:
    with (
        only_one(place, "run"),
        pytest.raises(CannotStart, match="already runs in this checkout"),
        only_one(place, "run"),
    ):
        pass


def test_a_socket_folder_of_somebody_else_is_refused(place: Place) -> None:
    if os.getuid() != 0:
        pytest.skip("only root can lay out a folder of somebody else")
    place.sockets.mkdir(mode=0o777)
    os.chown(place.sockets, 12345, 12345)
    with pytest.raises(CannotStart, match="belongs to somebody else"):
        prepare(place)


def test_socket_paths_are_short_however_deep_the_checkout_lies(tmp_path: Path) -> None:
    one, other = (checkout_place(tmp_path / ("d" * 200) / name) for name in "ab")
    assert len(str(one.sockets)) <= SOCKET_FOLDER_LENGTH_MAX
    assert one.sockets != other.sockets
