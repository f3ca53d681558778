"""The event stream: every event is written once, whatever breaks on the way."""

import itertools
import json
import time
import uuid
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
import redis as redis_client
from django.db import connection

from accounts.models import User
from config.local import Redis
from conversations import event_redis, tasks, write_behind
from conversations.events import Event, Malformed, tool_call_event, uuid7
from conversations.models import DeadEvent
from conversations.parts import File, ToolCall, ToolResult
from tests.conversations.calls import POISON
from tools import models

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _fresh_connections() -> Iterator[None]:
    """The client and the breaker belong to the Redis of one test."""
    yield
    _forget_clients()


def _forget_clients() -> None:
    if event_redis.queue.cache_info().currsize:
        event_redis.queue().close()
    event_redis.queue.cache_clear()
    event_redis.unsettled.cache_clear()
    event_redis.breaker.cache_clear()
    write_behind._uncounted.clear()


@pytest.fixture
def person() -> User:
    return User.objects.create(telegram_id=77, first_name="Ada")


@pytest.fixture
def kinds() -> Iterator[None]:
    """A test may register kinds of its own."""
    known = dict(write_behind._kinds)
    yield
    write_behind._kinds.clear()
    write_behind._kinds.update(known)


def finished_call(person: User, *, number: int = 0, **changed: object) -> dict:
    payload = tool_call_event(
        user_id=person.pk,
        thread_id=1,
        turn_id=1,
        call=ToolCall(f"call_{number}", "render_latex", {"latex": r"\frac{1}{2}", "emoji": "🧮"}),
        result=ToolResult(
            f"call_{number}", "render_latex", "done", files=(File("f_1", "a.png", "image/png", 3),)
        ),
        status="done",
        seconds=0.25,
        cost=Decimal("0.000000001"),
    )
    return {**payload, **changed}


def stream(redis: redis_client.Redis) -> int:
    return int(redis.xlen(write_behind.STREAM))


def flush_until(redis: redis_client.Redis, *, empty_within: float) -> None:
    deadline = time.monotonic() + empty_within
    while stream(redis) and time.monotonic() < deadline:
        write_behind.flush()
        time.sleep(0.05)
    assert stream(redis) == 0


# The plain way -----------------------------------------------------------------------------------


def test_a_recorded_call_becomes_its_row(person: User, redis: redis_client.Redis) -> None:
    payload = finished_call(person)
    write_behind.record("tool_call", payload)
    assert not models.ToolCall.objects.exists()

    assert write_behind.flush() == 1

    row = models.ToolCall.objects.get()
    assert (str(row.pk), row.user, row.call_id, row.status) == (payload["id"], person, "call_0", "done")
    assert row.cost == Decimal("0.000000001")
    assert json.loads(row.arguments) == {"latex": r"\frac{1}{2}", "emoji": "🧮"}
    assert row.files == ["f_1"]
    assert (datetime.now(UTC) - row.started_at) < timedelta(minutes=1)
    assert stream(redis) == 0


def test_an_event_delivered_again_changes_nothing(person: User, redis: redis_client.Redis) -> None:
    event = Event("tool_call", finished_call(person))
    for _ in range(3):
        redis.xadd(write_behind.STREAM, event.encode())
        assert write_behind.flush() == 1
    assert models.ToolCall.objects.count() == 1
    assert (stream(redis), redis.hlen(write_behind.TRIES)) == (0, 0)


def test_a_batch_larger_than_one_transaction_is_written_whole(person: User) -> None:
    many = 2 * write_behind.BATCH + 7
    for number in range(many):
        write_behind.record("tool_call", finished_call(person, number=number))
    assert write_behind.flush() == many
    assert models.ToolCall.objects.count() == many


def test_events_of_the_thread_that_was_erased_meanwhile_are_kept_without_it(person: User) -> None:
    write_behind.record("tool_call", finished_call(person, thread_id=999, turn_id=998))
    write_behind.flush()
    row = models.ToolCall.objects.get()
    assert (row.thread_id, row.turn_id) == (None, None)


def test_every_hundredth_waiting_event_calls_for_a_flush(person: User) -> None:
    called: list[int] = []
    write_behind.when_full(lambda: called.append(1))
    try:
        for number in range(250):
            write_behind.record("tool_call", finished_call(person, number=number))
    finally:
        write_behind.when_full(tasks.flush_soon)
    assert len(called) == 2


def test_the_call_for_a_flush_reaches_celerys_queue(redis: redis_client.Redis) -> None:
    tasks.flush_soon()
    (message,) = redis.lrange("celery", 0, -1)
    assert json.loads(message)["headers"]["task"] == "conversations.tasks.flush_events"


def test_a_kind_nobody_writes_is_refused_at_once() -> None:
    with pytest.raises(LookupError, match="unheard"):
        write_behind.record("unheard", {})


def test_status_tells_length_age_pending_dead_and_fallbacks(person: User, redis: redis_client.Redis) -> None:
    redis.xadd(write_behind.STREAM, Event("tool_call", finished_call(person)).encode(), id="1000-0")
    DeadEvent.objects.create(
        id=uuid7(), kind="x", payload="{}", error="e", attempts=3, happened_at=datetime.now(UTC)
    )
    status = write_behind.status()
    assert (status["length"], status["pending"], status["dead"], status["fallbacks"]) == (1, 0, 1, 0)
    assert status["oldest_seconds"] > 1_000_000


# Bad events --------------------------------------------------------------------------------------


def test_one_bad_event_in_a_thousand_dies_alone_and_takes_nobody_along(
    person: User, redis: redis_client.Redis
) -> None:
    total = 1000 * len(POISON)
    bad = set()
    for number in range(total):
        payload = finished_call(person, number=number)
        if number % 1000 == 500:
            payload |= POISON[list(POISON)[number // 1000]]
            bad.add(payload["id"])
        redis.xadd(write_behind.STREAM, Event("tool_call", payload).encode())

    flush_until(redis, empty_within=30)

    written = models.ToolCall.objects.count()
    dead = list(DeadEvent.objects.all())
    print(f"\n{total} events, {len(bad)} bad: good lost {total - len(bad) - written}, dead {len(dead)}")
    assert written == total - len(bad)
    assert {json.loads(row.payload)["id"] for row in dead} == bad
    assert {row.attempts for row in dead} == {3}
    assert redis.hlen(write_behind.TRIES) == 0


def test_a_bad_event_is_tried_three_times_alone_two_and_four_seconds_apart(
    redis: redis_client.Redis, kinds: None
) -> None:
    alone: list[float] = []

    def writer(events: list[Event]) -> None:
        if any("bad" in event.payload for event in events):
            if len(events) == 1:
                alone.append(time.monotonic())
            raise ValueError("no")

    write_behind.register("picky", writer)
    for payload in ({"n": 1}, {"bad": True}, {"n": 2}):
        write_behind.record("picky", payload)

    flush_until(redis, empty_within=15)

    waits = [round(after - before) for before, after in itertools.pairwise(alone)]
    assert len(alone) == 3
    assert waits == [2, 4]
    dead = DeadEvent.objects.get()
    assert (dead.attempts, dead.error, json.loads(dead.payload)) == (3, "ValueError: no", {"bad": True})


def test_hostile_stream_entries_are_buried_and_never_executed(redis: redis_client.Redis) -> None:
    good = Event("tool_call", {}).encode()
    for entry in (
        {"a": "b"},
        good | {"id": "no uuid"},
        good | {"payload": "[1]"},
        good | {"payload": "{" * 5000},
        good | {"payload": b"\x80\x04\x95\x00."},
        good | {"v": "one"},
        good | {"ts": "yesterday"},
        good | {"kind": b"\xff\xfe"},
        good | {"payload": "[" * 200_000},
    ):
        redis.xadd(write_behind.STREAM, entry)
    write_behind.flush()
    assert stream(redis) == 0
    assert Counter(DeadEvent.objects.values_list("kind", "attempts")) == {("malformed", 1): 9}


def test_replay_queues_a_dead_event_again_under_its_own_id(person: User, redis: redis_client.Redis) -> None:
    event = Event("tool_call", finished_call(person))
    dead = DeadEvent.objects.create(
        id=event.id,
        kind=event.kind,
        payload=json.dumps(event.payload),
        error="e",
        attempts=3,
        happened_at=event.happened_at,
    )
    write_behind.replay(dead)
    assert not DeadEvent.objects.exists()
    assert Event.decode(redis.xrange(write_behind.STREAM)[0][1]) == event
    write_behind.flush()
    assert models.ToolCall.objects.count() == 1


def test_what_nobody_can_write_cannot_be_replayed_only_discarded() -> None:
    dead = DeadEvent.objects.create(
        id=uuid7(), kind="malformed", payload="{}", error="e", attempts=1, happened_at=datetime.now(UTC)
    )
    with pytest.raises(ValueError, match="discarded"):
        write_behind.replay(dead)
    write_behind.discard(dead)
    assert not DeadEvent.objects.exists()


def test_an_event_of_a_newer_release_waits_for_that_release(redis: redis_client.Redis, kinds: None) -> None:
    seen: list[int] = []
    write_behind.register("growing", lambda events: seen.extend(event.version for event in events))
    for version in (1, 2, 1):
        redis.xadd(write_behind.STREAM, Event("growing", {}, version).encode())
    redis.xadd(write_behind.STREAM, Event("newborn", {}).encode())

    write_behind.flush()
    write_behind.flush()
    assert (seen, stream(redis), DeadEvent.objects.count()) == ([1, 1], 2, 0)

    write_behind.register("growing", lambda events: seen.extend(event.version for event in events), version=2)
    write_behind.register("newborn", lambda events: seen.extend(-event.version for event in events))
    write_behind.flush()
    assert (seen, stream(redis), DeadEvent.objects.count()) == ([1, 1, 2, -1], 0, 0)


def test_an_event_nobody_came_for_in_a_day_is_dead(redis: redis_client.Redis) -> None:
    old = Event("forgotten", {}, happened_at=datetime.now(UTC) - timedelta(days=1, minutes=1))
    redis.xadd(write_behind.STREAM, old.encode())
    write_behind.flush()
    assert DeadEvent.objects.get().kind == "forgotten"


# Outages -----------------------------------------------------------------------------------------


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("sqlstate", ["08006", "25006", "40001", "40P01", "42P01", "53100", "55P03", "57P01"])
def test_an_outage_of_postgresql_is_waited_out_and_costs_no_try(
    redis: redis_client.Redis, kinds: None, sqlstate: str
) -> None:
    written: list[Event] = []
    failures = iter(range(4))

    def writer(events: list[Event]) -> None:
        if next(failures, None) is not None:
            with connection.cursor() as cursor:
                cursor.execute(f"DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '{sqlstate}'; END $$")
        written.extend(events)

    write_behind.register("patient", writer)
    write_behind.record("patient", {"n": 1})
    pauses = []
    for _ in range(4):
        assert write_behind.flush() == 0
        pauses.append(redis.pttl(write_behind.PAUSE))
        assert write_behind.flush() == 0  # paused: the writer is not even asked
        redis.delete(write_behind.PAUSE)  # as if the time were over
    assert write_behind.flush() == 1

    assert [round(pause / 1000) for pause in pauses] == [1, 2, 4, 8]
    assert (len(written), DeadEvent.objects.count(), redis.hlen(write_behind.TRIES)) == (1, 0, 0)


def test_the_pause_never_grows_beyond_a_minute(redis: redis_client.Redis) -> None:
    redis.set(write_behind.OUTAGES, 5000)
    write_behind._wait_out(write_behind.OperationalError("down"))
    assert 59_000 < redis.pttl(write_behind.PAUSE) <= 60_000


def test_without_redis_events_go_straight_to_postgresql_once_and_are_counted(
    person: User, own_redis: Redis, settings
) -> None:
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    write_behind.record("tool_call", finished_call(person, number=0))
    own_redis.stop()
    began = time.monotonic()
    for number in range(1, 51):
        write_behind.record("tool_call", finished_call(person, number=number))
    print(f"\n50 events without Redis in {time.monotonic() - began:.2f} s")
    assert models.ToolCall.objects.count() == 50
    assert write_behind.flush() == 0  # says so in the log, and raises nothing

    own_redis.start()
    event_redis.breaker.cache_clear()  # as if its five seconds were over
    write_behind.record("tool_call", finished_call(person, number=51))
    write_behind.flush()
    assert models.ToolCall.objects.count() == 52
    assert write_behind.status()["fallbacks"] == 50


@pytest.mark.django_db(transaction=True)
def test_what_neither_server_takes_is_kept_until_redis_answers(
    own_redis: Redis, settings, kinds: None, caplog: pytest.LogCaptureFixture
) -> None:
    written: list[object] = []
    away = True

    def writer(events: list[Event]) -> None:
        if away:
            with connection.cursor() as cursor:
                cursor.execute("DO $$ BEGIN RAISE EXCEPTION 'not now' USING ERRCODE = '57P01'; END $$")
        written.extend(event.payload["n"] for event in events)

    write_behind.register("patient", writer)
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    own_redis.stop()
    for number in range(5):
        write_behind.record("patient", {"n": number})
    assert "events.kept" in caplog.text
    own_redis.start()
    away = False
    event_redis.breaker.cache_clear()  # as if its five seconds were over
    write_behind.keep_up()
    write_behind.keep_up()  # once is enough
    assert write_behind.flush() == 5
    assert sorted(written) == [0, 1, 2, 3, 4]


def test_a_redis_that_turns_out_to_be_another_while_it_gets_what_was_kept_is_sent_the_rest_too(
    person: User, own_redis: Redis, settings
) -> None:
    own_redis.stop()
    own_redis.durable = False
    own_redis.start()
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    write_behind.record("tool_call", finished_call(person, number=0))
    event_redis.unsettled().keep(Event("tool_call", finished_call(person, number=1), 1))
    own_redis.stop(at_once=True)
    own_redis.start()
    event_redis.unsettled().send_again()
    write_behind.keep_up()
    write_behind.flush()
    assert set(models.ToolCall.objects.values_list("call_id", flat=True)) == {"call_0", "call_1"}


def test_so_many_events_wait_in_a_process_and_no_more(person: User) -> None:
    event = Event("tool_call", finished_call(person), 1)
    unsettled = event_redis.Unsettled()
    assert all(unsettled.keep(event) for _ in range(event_redis.KEPT_MAX))
    assert not unsettled.keep(event)


@pytest.mark.parametrize("idle", [False, True], ids=["and records on", "and records nothing more"])
def test_what_redis_took_and_forgot_when_it_was_killed_is_sent_again(
    person: User, own_redis: Redis, settings, idle: bool
) -> None:
    own_redis.stop()
    own_redis.durable = False  # as if its disk had been busy all the while, and nothing were written yet
    own_redis.start()
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    for number in range(3):
        write_behind.record("tool_call", finished_call(person, number=number))
    own_redis.stop(at_once=True)
    own_redis.start()
    with redis_client.Redis.from_url(settings.REDIS_URL) as client:
        assert stream(client) == 0
    if idle:
        write_behind.keep_up()
    else:
        write_behind.record("tool_call", finished_call(person, number=3))
    write_behind.flush()
    assert models.ToolCall.objects.count() == (3 if idle else 4)


def test_what_is_on_the_disk_of_redis_is_let_go(person: User, redis: redis_client.Redis) -> None:
    long_ago = time.monotonic() - event_redis.UNSAFE_SECONDS - 1
    event_redis.unsettled()._events.append((long_ago, Event("tool_call", finished_call(person))))
    write_behind.record("tool_call", finished_call(person, number=1))
    assert [event.payload["call_id"] for _, event in event_redis.unsettled()._events] == ["call_1"]


def test_a_bad_event_written_past_redis_is_buried_and_does_not_disturb_its_caller(
    person: User, own_redis: Redis, settings
) -> None:
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    own_redis.stop()
    write_behind.record("tool_call", finished_call(person, status="sleeping"))
    write_behind.record("tool_call", finished_call(person))
    assert (models.ToolCall.objects.count(), DeadEvent.objects.get().attempts) == (1, 1)


def test_an_event_that_redis_took_without_saying_so_is_written_once(
    person: User, redis: redis_client.Redis
) -> None:
    event = Event("tool_call", finished_call(person))
    redis.xadd(write_behind.STREAM, event.encode())  # applied, and its answer was lost
    write_behind._write_past_redis(event, redis_client.TimeoutError("late"))
    assert write_behind.flush() == 1
    assert models.ToolCall.objects.count() == 1


def test_a_full_redis_keeps_the_queue_and_refuses_the_new(person: User, own_redis: Redis, settings) -> None:
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    with redis_client.Redis.from_url(settings.REDIS_URL) as client:
        for number in range(200):
            write_behind.record("tool_call", finished_call(person, number=number))
        used = int(client.info("memory")["used_memory"])
        client.config_set("maxmemory", used + 300_000)
        for number in range(400):  # cache that may go
            client.set(f"cache:{number}", b"x" * 10_000, ex=3600)
        client.config_set("maxmemory", 1)
        for number in range(200, 230):
            write_behind.record("tool_call", finished_call(person, number=number))
        client.config_set("maxmemory", 0)
        kept = client.xlen(write_behind.STREAM)
    print(f"\nqueued events evicted {200 - kept}, written past Redis {models.ToolCall.objects.count()}")
    assert kept == 200
    write_behind.flush()
    assert models.ToolCall.objects.count() == 230


def test_emptying_redis_loses_what_waits_and_nothing_after(person: User, redis: redis_client.Redis) -> None:
    write_behind.record("tool_call", finished_call(person, number=0))
    write_behind.flush()
    write_behind.record("tool_call", finished_call(person, number=1))
    redis.flushdb()
    write_behind.record("tool_call", finished_call(person, number=2))
    write_behind.flush()
    assert sorted(models.ToolCall.objects.values_list("call_id", flat=True)) == ["call_0", "call_2"]


# The event itself --------------------------------------------------------------------------------


def test_ids_are_uuid7_and_rise_with_time() -> None:
    ids = []
    for _ in range(5):
        ids.append(uuid7())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert {id.version for id in ids} == {7}
    assert {id.variant for id in ids} == {uuid.RFC_4122}


@pytest.mark.parametrize(
    "payload",
    [
        {
            "empty": [[], {}],
            "large": 2**53 + 1,
            "emoji": "🙂",
            "nul": "\0",
            "half": "\ud83d",
            "deep": [[[[1]]]],
        },
        {"huge": 10**400, "text": "a\r\nb\u2028"},
    ],
)
def test_an_event_comes_back_from_the_stream_as_it_went_in(payload: dict, redis: redis_client.Redis) -> None:
    event = Event("any", payload, 3)
    redis.xadd(write_behind.STREAM, event.encode())
    assert Event.decode(redis.xrange(write_behind.STREAM)[0][1]) == event


def test_what_is_no_event_is_named_malformed() -> None:
    with pytest.raises(Malformed):
        Event.decode({b"id": b"1"})


def test_a_calls_words_are_trimmed_and_made_storable(person: User) -> None:
    payload = tool_call_event(
        user_id=person.pk,
        thread_id=1,
        turn_id=1,
        call=ToolCall("c" * 500, "n" * 500, {"x": "\0" + "a" * 9000}),
        result=ToolResult("c", "n", "\ud83dboom\0" * 3000, is_error=True),
        status="failed",
        seconds=1,
        cost=Decimal(0),
    )
    write_behind.record("tool_call", dict(payload))
    write_behind.flush()
    row = models.ToolCall.objects.get()
    assert (len(row.call_id), len(row.name), len(row.arguments), len(row.result)) == (128, 64, 4000, 4000)
    assert row.error.startswith("\ufffdboom\ufffd")
    assert len(row.error) == 255
