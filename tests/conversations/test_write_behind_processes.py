"""The event stream under real kills: flushers, Redis and PostgreSQL end by force while events come in."""

import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
import pytest
import redis as redis_client

from accounts.models import User
from config.local import Postgres, Redis
from conversations import write_behind
from conversations.events import Event
from conversations.models import DeadEvent
from tests.conversations.calls import payload
from tests.conversations.recording import Recording
from tests.faults.bots import ROOT
from tests.witness import event_queue
from tools import models

pytestmark = [pytest.mark.processes, pytest.mark.django_db(transaction=True)]

KILLS = 20
SOAK_KILLS = 200
MAKE_DATABASE = """
import django
django.setup()
from django.core.management import call_command
call_command("migrate", verbosity=0)
from accounts.models import User
print(User.objects.create(telegram_id=1).pk)
"""


class Producer(threading.Thread):
    """Records events, numbered from 0, until told to stop; keeps the numbers that Redis acknowledged."""

    def __init__(self, client: redis_client.Redis, user_id: int) -> None:
        super().__init__(daemon=True)
        self.client, self.user_id = client, user_id
        self.acknowledged: set[str] = set()
        self.over = threading.Event()

    def run(self) -> None:
        number = 0
        while not self.over.is_set():
            event = Event("tool_call", payload(self.user_id, number))
            try:
                self.client.xadd(write_behind.STREAM, event.encode())
            except redis_client.RedisError:
                time.sleep(0.01)
            else:
                self.acknowledged.add(f"call_{number}")
                time.sleep(0.002)
            number += 1

    def wait_for(self, more: int) -> None:
        """Return when so many more events were acknowledged."""
        goal, deadline = len(self.acknowledged) + more, time.monotonic() + 60
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, "nothing is taken in"
            time.sleep(0.01)

    def end(self) -> set[str]:
        self.over.set()
        self.join()
        return self.acknowledged


@contextmanager
def flushers(
    environment: dict[str, str], rounds: int = 0, side_by_side: int = 0, point: str = "anywhere"
) -> Iterator[subprocess.Popen[str]]:
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.conversations.flushers", str(rounds), str(side_by_side), point],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def wait_until_written(redis: redis_client.Redis) -> None:
    deadline = time.monotonic() + 90
    while redis.xlen(write_behind.STREAM):
        assert time.monotonic() < deadline, "the stream does not drain"
        time.sleep(0.05)


@pytest.fixture
def person(transactional_db: None) -> User:
    return User.objects.create(telegram_id=77)


@pytest.mark.parametrize(
    ("rounds", "side_by_side", "point"),
    [
        (KILLS, 1, "anywhere"),
        (KILLS // 2, 1, "before_commit"),
        (KILLS // 2, 1, "after_commit"),
        (KILLS // 4, 2, "anywhere"),
        pytest.param(SOAK_KILLS, 1, "anywhere", marks=pytest.mark.soak),
        pytest.param(SOAK_KILLS, 1, "after_commit", marks=pytest.mark.soak),
        pytest.param(SOAK_KILLS, 3, "anywhere", marks=pytest.mark.soak),
    ],
)
def test_killed_flushers_lose_nothing_and_double_nothing(
    person: User,
    redis: redis_client.Redis,
    process_environment: dict[str, str],
    rounds: int,
    side_by_side: int,
    point: str,
) -> None:
    backlog = {f"call_{-number}" for number in range(1, 20 * rounds)}  # every flusher finds work
    for name in backlog:
        event = Event("tool_call", payload(person.pk, int(name.removeprefix("call_"))))
        redis.xadd(write_behind.STREAM, event.encode())
    producer = Producer(redis, person.pk)
    with flushers(process_environment, rounds, side_by_side, point) as process:
        producer.start()
        killed, over_work = map(int, process.stdout.readline().split())
        recorded = backlog | producer.end()
        wait_until_written(redis)

    written = list(models.ToolCall.objects.values_list("call_id", flat=True))
    lost, doubled = len(recorded - set(written)), len(written) - len(set(written))
    print(
        f"\n{killed} flushers killed {point} ({over_work} rounds over unfinished work), {len(recorded)} events: "
        f"lost {lost}, doubled {doubled}"
    )
    assert killed >= rounds * side_by_side
    assert over_work > 0
    assert (lost, doubled, DeadEvent.objects.count()) == (0, 0, 0), (
        f"{recorded - set(written)}\n{event_queue()}"
    )


def test_killed_redis_loses_nothing_that_was_recorded(
    person: User, own_redis: Redis, process_environment: dict[str, str]
) -> None:
    url = own_redis.place.redis_url()
    environment = process_environment | {"REDIS_URL": url}
    recorded: dict[str, bool] = {}
    recording = Recording(environment, person.pk, recorded.__setitem__, ROOT)
    with flushers(environment) as process, redis_client.Redis.from_url(url) as client:
        process.stdout.readline()
        recording.tell("go")
        for _ in range(5):
            recording.wait_for(40)
            own_redis.stop(at_once=True)
            recording.wait_for(1)  # past it
            own_redis.start()
        recording.wait_for(1)
        recording.tell("rest")
        wait_until_written(client)
    recording.end()

    good = {call for call, bad in recorded.items() if not bad}
    written = list(models.ToolCall.objects.values_list("call_id", flat=True))
    lost, doubled = len(good - set(written)), len(written) - len(set(written))
    print(f"\n5 kills of Redis, {len(good)} events recorded: lost {lost}, doubled {doubled}")
    assert len(good) >= 190
    assert (lost, doubled) == (0, 0)


def test_an_outage_of_postgresql_under_load_loses_nothing_and_kills_no_event(
    redis: redis_client.Redis, own_postgres: Postgres, process_environment: dict[str, str]
) -> None:
    environment = process_environment | {"DATABASE_URL": own_postgres.place.database_url()}
    made = subprocess.run(
        [sys.executable, "-c", MAKE_DATABASE],
        env=environment,
        check=True,
        stdout=subprocess.PIPE,
        timeout=120,
    )
    user_id = int(made.stdout)
    producer = Producer(redis, user_id)
    with flushers(environment) as process:
        process.stdout.readline()
        producer.start()
        peak = 0
        for seconds in (0.3, 1.5):
            producer.wait_for(25)
            own_postgres.stop(at_once=True)
            producer.wait_for(25)  # whatever is away, events are taken in
            time.sleep(seconds)
            peak = max(peak, redis.xlen(write_behind.STREAM))
            own_postgres.start()
        producer.wait_for(25)
        recorded = producer.end()
        wait_until_written(redis)

    with psycopg.connect(environment["DATABASE_URL"]) as database:
        written = [row[0] for row in database.execute("SELECT call_id FROM tools_toolcall")]
        dead = database.execute("SELECT count(*) FROM conversations_deadevent").fetchone()[0]
    lost, doubled = len(recorded - set(written)), len(written) - len(set(written))
    print(f"\n2 outages, {len(recorded)} events, {peak} waiting: lost {lost}, doubled {doubled}, dead {dead}")
    assert peak >= 25
    assert (lost, doubled, dead) == (0, 0, 0)
