"""The context cache: one round trip, never a wrong copy, and never in the way."""

import random
import socket
import threading
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest
import redis as redis_client

from config.local import Redis
from conversations import cache
from conversations.breaker import Breaker, Open
from conversations.parts import Text, ToolCall, dump, load

INTERLEAVINGS = 10_000
USER, THREAD = 7, 42


@pytest.fixture(autouse=True)
def _fresh_connections() -> Iterator[None]:
    """The client and the breaker belong to the Redis of one test."""
    yield
    _forget_clients()


def _forget_clients() -> None:
    if cache._redis.cache_info().currsize:
        cache._redis().close()
    for getter in (cache._redis, cache._script, cache._breaker):
        getter.cache_clear()
    cache._owed.clear()


@pytest.fixture
def client(own_redis: Redis, settings) -> Iterator[redis_client.Redis]:
    """A Redis that this test may stop, behind the cache."""
    settings.REDIS_URL = own_redis.place.redis_url()
    _forget_clients()
    with redis_client.Redis.from_url(settings.REDIS_URL) as client:
        yield client


def filled() -> cache.Context:
    lease = cache.read(USER, THREAD).lease
    cache.put_user(USER, b"user", lease=lease)
    cache.put_head(THREAD, b"head", lease=lease)
    cache.put_files(THREAD, b"files", lease=lease)
    cache.rebuild(THREAD, 2, [b"one", b"two"], lease=lease)
    return cache.read(USER, THREAD)


# What it holds -----------------------------------------------------------------------------------


def test_what_was_put_is_read_back_together() -> None:
    context = filled()
    assert (context.user, context.head, context.files) == (b"user", b"head", b"files")
    assert (context.seq, context.messages) == (2, [b"one", b"two"])


def test_an_empty_cache_knows_nothing_and_lends_a_lease() -> None:
    context = cache.read(USER, THREAD)
    assert (context.user, context.head, context.seq, context.messages, context.files) == (None,) * 5
    assert context.lease is not None


def test_a_new_thread_is_warm_before_its_first_message() -> None:
    assert cache.warm(THREAD, head=b"head", files=b"[]")
    cache.append(THREAD, 1, b"hello")
    context = cache.read(USER, THREAD)
    assert (context.head, context.seq, context.messages, context.files) == (b"head", 1, [b"hello"], b"[]")


def test_warming_a_thread_that_already_has_messages_changes_nothing() -> None:
    cache.append(THREAD, 1, b"hello")
    assert not cache.warm(THREAD, head=b"head", files=b"[]")
    assert cache.read(USER, THREAD).messages is None


def test_a_message_that_follows_is_appended_and_one_that_does_not_drops_the_copy() -> None:
    filled()
    assert cache.append(THREAD, 3, b"three")
    assert cache.read(USER, THREAD).messages == [b"one", b"two", b"three"]
    assert cache.append(THREAD, 3, b"three")  # it is in there already
    assert cache.read(USER, THREAD).messages == [b"one", b"two", b"three"]
    assert not cache.append(THREAD, 5, b"five")
    assert cache.read(USER, THREAD).messages is None


def test_what_a_reader_saw_before_a_write_is_not_stored_after_it() -> None:
    lease = cache.read(USER, THREAD).lease
    cache.append(THREAD, 3, b"three")
    assert not cache.rebuild(THREAD, 2, [b"one", b"two"], lease=lease)

    lease = cache.read(USER, THREAD).lease
    cache.forget_user(USER)
    cache.forget_files(THREAD)
    assert not cache.put_user(USER, b"old", lease=lease)
    assert not cache.put_files(THREAD, b"old", lease=lease)

    lease = cache.read(USER, THREAD).lease
    cache.forget(THREAD)
    assert not cache.put_head(THREAD, b"old", lease=lease)
    assert cache.read(USER, THREAD).user is None


def test_a_lease_that_redis_lost_is_worth_nothing(redis: redis_client.Redis) -> None:
    lease = cache.read(USER, THREAD).lease
    redis.flushdb()
    assert not cache.rebuild(THREAD, 2, [b"one", b"two"], lease=lease)


def test_forgetting_a_thread_drops_all_of_it_and_nothing_of_the_person() -> None:
    filled()
    cache.forget(THREAD)
    context = cache.read(USER, THREAD)
    assert (context.user, context.head, context.messages, context.files) == (b"user", None, None, None)


@pytest.mark.parametrize(
    "value",
    [
        {"empty": [[], {}], "large": 2**53 + 1, "float": 1e308, "long": 10**400},
        {
            "emoji": "🙂👩‍👩‍👧",
            "nul": "\0",
            "half": "\ud83d",
            "line": "\u2028\r\n",
            "deep": [[[[[[[[{}]]]]]]]],
        },
    ],
)
def test_messages_come_back_byte_for_byte(value: dict) -> None:
    parts = (Text("\0 \ud83d []"), ToolCall("c", "n", value))
    body = dump(parts).encode()
    lease = cache.read(USER, THREAD).lease
    cache.rebuild(THREAD, 1, [body], lease=lease)
    cache.append(THREAD, 2, bytes(range(256)))
    messages = cache.read(USER, THREAD).messages
    assert messages == [body, bytes(range(256))]
    assert load(messages[0].decode()) == parts


def test_a_thread_of_ten_thousand_messages_is_stored_whole_and_in_order() -> None:
    bodies = [f"{number}".encode() for number in range(10_000)]
    assert cache.rebuild(THREAD, 10_000, bodies, lease=cache.read(USER, THREAD).lease)
    assert cache.read(USER, THREAD).messages == bodies


def test_every_key_lives_as_long_as_the_documentation_is_told(redis: redis_client.Redis) -> None:
    filled()
    expected = {
        row.key.replace("<thread>", str(THREAD)).replace("<user>", str(USER)): row.seconds
        for row in cache.lifetimes()
    }
    actual = {key.decode(): redis.ttl(key) for key in redis.keys("*")}
    assert actual.keys() == expected.keys()
    for key, seconds in expected.items():
        assert seconds - 5 <= actual[key] <= seconds
    assert cache.THREAD_TTL == cache.MESSAGES_TTL == cache.USER_TTL == cache.FILES_TTL == 3600


# Order -------------------------------------------------------------------------------------------


class Truth:
    """The thread as PostgreSQL has it: what was committed, in order."""

    def __init__(self, thread: int) -> None:
        self.thread = thread
        self.bodies: list[bytes] = []

    def commit(self, body: bytes) -> int:
        self.bodies.append(body)
        return len(self.bodies)


def appender(truth: Truth, name: int) -> Generator[None]:
    for count in range(2):
        body = f"message {name}.{count}".encode()
        seq = truth.commit(body)
        yield
        cache.append(truth.thread, seq, body)
        yield


def rebuilder(truth: Truth) -> Generator[None]:
    context = cache.read(USER, truth.thread)
    if context.messages is None:
        yield
        bodies = list(truth.bodies)
        yield
        cache.rebuild(truth.thread, len(bodies), bodies, lease=context.lease)


def naive_rebuilder(truth: Truth) -> Generator[None]:
    if cache.read(USER, truth.thread).messages is None:
        yield
        bodies = list(truth.bodies)
        yield
        cache.rebuild(truth.thread, len(bodies), bodies, lease=cache.read(USER, truth.thread).lease)


def rewriter(truth: Truth) -> Generator[None]:
    """An answer is given anew: the words of a number change."""
    if truth.bodies:
        truth.bodies[-1] += b" (again)"
    yield
    cache.forget(truth.thread)


def loser(redis: redis_client.Redis, truth: Truth, how: int) -> Generator[None]:
    yield
    if how == 0:
        redis.delete(cache._messages(truth.thread))
    elif how == 1:
        redis.delete(cache._thread_lease(truth.thread))
    else:
        redis.flushdb()


def warmer(truth: Truth) -> Generator[None]:
    cache.warm(truth.thread, head=b"", files=b"")
    yield


def wrong_caches(
    redis: redis_client.Redis, rebuild: Callable[[Truth], Generator[None]], rounds: int, seed: int
) -> tuple[int, int]:
    """Run random interleavings; count the final caches that differ from the truth, and those that hit."""
    chance = random.Random(seed)
    wrong = hits = 0
    for thread in range(rounds):
        truth = Truth(thread)
        actors = [appender(truth, name) for name in range(2)] + [rebuild(truth), rebuild(truth)]
        actors.append(
            chance.choice([rewriter(truth), warmer(truth), *(loser(redis, truth, how) for how in range(3))])
        )
        while actors:
            actor = chance.choice(actors)
            if next(actor, actors) is actors:
                actors.remove(actor)
        context = cache.read(USER, truth.thread)
        if context.messages is not None:
            hits += 1
            wrong += context.messages != truth.bodies or context.seq != len(truth.bodies)
    return wrong, hits


def test_no_interleaving_of_appends_rebuilds_and_losses_ends_in_a_wrong_cache(
    redis: redis_client.Redis,
) -> None:
    wrong, hits = wrong_caches(redis, rebuilder, INTERLEAVINGS, seed=2026)
    print(f"\n{INTERLEAVINGS} interleavings: wrong caches {wrong}, warm at the end {hits}")
    assert wrong == 0
    assert hits > INTERLEAVINGS / 10


def test_the_same_interleavings_find_a_rebuild_that_ignores_its_lease(redis: redis_client.Redis) -> None:
    wrong, _ = wrong_caches(redis, naive_rebuilder, 1000, seed=2026)
    print(f"\nwithout leases: {wrong} of 1000 wrong")
    assert wrong > 0


# Getting out of the way --------------------------------------------------------------------------


class CountingProxy:
    """A socket before Redis that counts how often a client waits for an answer."""

    def __init__(self, target: str, path: Path) -> None:
        self.turns = 0
        self.target, self.path = target, path
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            server.connect(self.target)
            asked = threading.Event()
            threading.Thread(target=self._pump, args=(client, server, asked, True), daemon=True).start()
            threading.Thread(target=self._pump, args=(server, client, asked, False), daemon=True).start()

    def _pump(self, source: socket.socket, sink: socket.socket, asked: threading.Event, asking: bool) -> None:
        with source:
            while chunk := source.recv(65536):
                if asking:
                    asked.set()
                elif asked.is_set():
                    asked.clear()
                    self.turns += 1
                sink.sendall(chunk)
            sink.close()


def test_the_whole_context_costs_one_round_trip(own_redis: Redis, settings, tmp_path: Path) -> None:
    proxy = CountingProxy(str(own_redis.socket), tmp_path / "proxy.sock")
    settings.REDIS_URL = f"unix://{proxy.path}?db=0"
    _forget_clients()
    filled()
    before = proxy.turns
    context = cache.read(USER, THREAD)
    assert None not in (context.user, context.head, context.messages, context.files)
    assert proxy.turns - before == 1
    proxy.listener.close()


def test_without_redis_reads_are_empty_writes_are_nothing_and_nobody_waits(
    client: redis_client.Redis, own_redis: Redis
) -> None:
    filled()
    own_redis.stop()
    began = time.monotonic()
    for number in range(200):
        assert cache.read(USER, THREAD) == cache.Context()
        assert not cache.append(THREAD, number, b"")
        assert not cache.warm(THREAD, head=b"", files=b"")
        assert not cache.rebuild(THREAD, 1, [b""], lease=None)
        assert not cache.put_user(USER, b"", lease=None)
        cache.forget(THREAD)
    print(f"\n1,000 operations without Redis: {time.monotonic() - began:.2f} s")
    assert cache._breaker().is_open


def test_a_redis_that_hangs_is_left_alone(client: redis_client.Redis) -> None:
    filled()
    client.client_pause(20_000, all=True)
    for _ in range(cache.FAILURES_MAX):
        assert cache.read(USER, THREAD) == cache.Context()
    with pytest.raises(Open), cache._breaker().guard():
        pass


def test_the_cache_comes_back_by_itself(client: redis_client.Redis, own_redis: Redis) -> None:
    filled()
    own_redis.stop()
    while not cache._breaker().is_open:
        cache.read(USER, THREAD)
    own_redis.start()
    assert cache.read(USER, THREAD) == cache.Context()
    deadline = time.monotonic() + 3 * cache.OPEN_SECONDS
    while cache.read(USER, THREAD).lease is None and time.monotonic() < deadline:
        time.sleep(0.1)
    assert cache.read(USER, THREAD).messages == [b"one", b"two"]


def test_what_changed_while_redis_was_away_is_dropped_before_anything_is_read(
    client: redis_client.Redis, own_redis: Redis
) -> None:
    filled()
    own_redis.stop()
    cache.forget_user(USER)
    cache.append(THREAD, 3, b"three")
    own_redis.start()
    cache._breaker.cache_clear()  # as if its five seconds were over
    context = cache.read(USER, THREAD)
    assert (context.user, context.messages) == (None, None)
    assert (context.head, context.files) == (b"head", b"files")
    assert cache._owed == {}


def test_a_restarted_redis_that_forgot_its_scripts_is_taught_again(redis: redis_client.Redis) -> None:
    filled()
    redis.script_flush()
    redis.flushdb()
    context = filled()
    assert cache.append(THREAD, 3, b"three")
    assert context.messages == [b"one", b"two"]


# The breaker -------------------------------------------------------------------------------------


def fail(breaker: Breaker) -> None:
    with pytest.raises(ValueError, match="down"), breaker.guard():
        raise ValueError("down")


def test_the_breaker_opens_after_failures_in_a_row_only() -> None:
    breaker = Breaker(ValueError, failures_max=2, open_seconds=60)
    fail(breaker)
    with breaker.guard():
        pass
    fail(breaker)
    assert not breaker.is_open
    fail(breaker)
    with pytest.raises(Open), breaker.guard():
        pass


def test_one_caller_tries_for_all_when_the_time_is_over_and_its_success_closes() -> None:
    breaker = Breaker(ValueError, failures_max=1, open_seconds=0.05)
    fail(breaker)
    deadline = time.monotonic() + 5
    while time.monotonic() < deadline:
        try:
            with breaker.guard():
                with pytest.raises(Open), breaker.guard():
                    pass
                break
        except Open:
            time.sleep(0.01)
    with breaker.guard(), breaker.guard():
        pass
    assert not breaker.is_open


def test_what_is_not_the_servers_fault_does_not_feed_the_breaker() -> None:
    breaker = Breaker(ValueError, failures_max=1, open_seconds=60)
    with pytest.raises(KeyError), breaker.guard():
        raise KeyError
    assert not breaker.is_open
