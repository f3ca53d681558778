"""What every test stands on: real PostgreSQL and Redis of its own, and no setting of whoever runs it."""

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import redis as redis_client
from django.conf import empty, settings
from django.core.cache import caches
from django.db import connections

from config.local import Postgres, Redis, end_on_sigterm, throw_away

ROOT = Path(__file__).resolve().parent.parent
SERVERS = ExitStack()
# Taken out of the environment before the settings are read; a live test asks for them by name.
TAKEN: dict[str, str] = {}


def pytest_configure(config: pytest.Config) -> None:
    """Start the servers once, in the process that leads, before anything reads the settings."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "")
    if not worker:
        end_on_sigterm()
        _forget_own_settings()
        _start_servers()
        config.add_cleanup(SERVERS.close)
    else:
        _use_own_redis_database(int(worker.removeprefix("gw")) + 1)
    os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
    _read_settings_again()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """The long runs are for those who ask for them: `make soak`."""
    if "soak" in config.option.markexpr:
        return
    long = [item for item in items if item.get_closest_marker("soak")]
    if long:
        config.hook.pytest_deselected(items=long)
        items[:] = [item for item in items if item not in long]


def _forget_own_settings() -> None:
    """A person's keys and .env must not reach a test: it could talk to their bot."""
    names = re.findall(r"^#?\s*([A-Z][A-Z0-9_]+)=", (ROOT / ".env.example").read_text(), re.MULTILINE)
    for name in names:
        for variable in (name, f"{name}_FILE"):
            if variable not in {"DATABASE_URL", "REDIS_URL"} and variable in os.environ:
                TAKEN[variable] = os.environ.pop(variable)
    os.environ["ENV_FILE"] = os.devnull
    os.environ["TITLES"] = "false"  # one more model call behind a first answer: for tests that are about it


def _start_servers() -> None:
    own_postgres, own_redis = "DATABASE_URL" not in os.environ, "REDIS_URL" not in os.environ
    place = SERVERS.enter_context(throw_away(want_postgres=own_postgres, want_redis=own_redis))
    if own_postgres:
        os.environ["DATABASE_URL"] = place.database_url()
    if own_redis:
        os.environ["REDIS_URL"] = place.redis_url()
        with redis_client.Redis.from_url(place.redis_url()) as client:
            # It empties the databases of the other workers too, in the midst of their tests: FLUSHDB does not.
            client.acl_setuser("default", enabled=True, commands=["-flushall"])


def _read_settings_again() -> None:
    """pytest-django reads them before any conftest when pyproject.toml names them: too early for us."""
    if sys.modules.pop("config.settings", None):
        settings._wrapped = empty
        for handler in (connections, caches):
            for name in [alias for alias in handler if hasattr(handler._connections, alias)]:
                del handler[name]
            handler.__dict__.pop("settings", None)
            handler._settings = None


def _use_own_redis_database(number: int) -> None:
    url = os.environ["REDIS_URL"]
    if url.startswith("unix:"):
        os.environ["REDIS_URL"] = re.sub(r"\?db=\d+", "", url) + f"?db={number}"
    else:
        os.environ["REDIS_URL"] = re.sub(r"(?<=[^/])/\d*$", "", url) + f"/{number}"


@pytest.fixture(scope="session")
def django_db_setup(django_db_setup: None) -> Iterator[None]:
    """Before the test database goes, the threads of in_db() give their connections back."""
    from config.aio import close_threads  # noqa: PLC0415  reads the settings, which stand only now

    yield
    close_threads()


@pytest.fixture
def redis() -> Iterator[redis_client.Redis]:
    """A client of this worker's own Redis database, emptied before the test."""
    with redis_client.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()
        yield client


@pytest.fixture(autouse=True)
def _empty_redis() -> None:
    with redis_client.Redis.from_url(os.environ["REDIS_URL"]) as client:
        client.flushdb()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A PostgreSQL of the test's own, to be stopped and started at will: `.place.database_url()`."""
    with throw_away(want_postgres=False, want_redis=False) as place:
        server = Postgres(place, durable=False)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def own_redis() -> Iterator[Redis]:
    """A Redis of the test's own with its append-only file, to be stopped and started at will."""
    with throw_away(want_postgres=False, want_redis=False) as place:
        server = Redis(place)
        server.start()
        yield server
        server.stop()


@pytest.fixture
def process_environment(transactional_db: None) -> dict[str, str]:
    """The environment for a process a test starts: this test's database and Redis, nobody's keys."""
    name = connections["default"].settings_dict["NAME"]
    database = urlsplit(os.environ["DATABASE_URL"])._replace(path=f"/{name}").geturl()
    return {**os.environ, "DATABASE_URL": database, "PYTHONPATH": str(ROOT)}


@pytest.fixture
def live_key() -> Callable[[str], str]:
    """The person's own value of a variable, for tests marked live; skips when it is not set."""

    def value(name: str) -> str:
        if name not in TAKEN:
            pytest.skip(f"{name} is not set")
        return TAKEN[name]

    return value
