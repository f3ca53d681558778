"""The context cache: what a step needs to know, out of Redis in one round trip.

PostgreSQL is the truth; this is a copy that may be lost, or refuse to answer, at any time. It holds
opaque bytes: nobody here, and no Lua, looks inside (cjson turns `[]` into `{}` and rounds 2^53+1).

Two rules keep a wrong copy out.
* Messages: PostgreSQL numbers them in their own commit; `append` puts number n only behind n-1. What
  does not fit is thrown away.
* Leases: `read` hands out a lease with what it found missing, and every write renews the lease of its
  thread or person. Who reads PostgreSQL afterwards may store what it saw only while its lease stands,
  so an old snapshot never overwrites a newer fact. A lease that Redis lost is no lease.

A process that dies between its commit and its `append` leaves a copy that is one message short. So
compare `Context.seq` with the thread's own last number when you hold its row. And the balance here may
say no quickly, never yes.
"""

import functools
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple

import redis
import structlog
from django.conf import settings
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

from conversations.breaker import Breaker, Open

# Seconds a copy lives after it was written. docs/ shows these very numbers: see lifetimes().
THREAD_TTL = 3600
MESSAGES_TTL = 3600
USER_TTL = 3600
FILES_TTL = 3600
LEASE_TTL = 60  # from a miss to the end of the query that makes up for it

REDIS_SECONDS_MAX = 0.25  # for one operation; PostgreSQL would have answered long before
FAILURES_MAX = 3  # in a row, then Redis is left alone
OPEN_SECONDS = 5
CHUNK = 1000  # values in one RPUSH: Lua's unpack takes 8,000

MISSED = Counter("starling_cache_missed", "Cache operations that Redis did not do.", ["operation"])

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Lease:
    """The right to store what PostgreSQL says, until somebody else writes."""

    user: bytes
    thread: bytes


@dataclass(frozen=True, slots=True)
class Context:
    """What the cache knows; None for what it does not. `messages` reach up to number `seq`."""

    user: bytes | None = None
    head: bytes | None = None
    seq: int | None = None
    messages: list[bytes] | None = None
    files: bytes | None = None
    lease: Lease | None = None  # None: Redis is away and nothing can be stored


class Lifetime(NamedTuple):
    what: str
    key: str
    seconds: int


def lifetimes() -> list[Lifetime]:
    """Every key of the cache and how long it lives, for the pages of docs/."""
    return [
        Lifetime("a thread's head: its system prompt and tools", _head("<thread>"), THREAD_TTL),
        Lifetime("a thread's messages", _messages("<thread>"), MESSAGES_TTL),
        Lifetime("a thread's files", _files("<thread>"), FILES_TTL),
        Lifetime("a person's settings and balance, for display", _user("<user>"), USER_TTL),
        Lifetime("the lease of a thread", _thread_lease("<thread>"), LEASE_TTL),
        Lifetime("the lease of a person", _user_lease("<user>"), LEASE_TTL),
    ]


# Reading -----------------------------------------------------------------------------------------


def read(user_id: int, thread_id: int) -> Context:
    """Everything a step needs, in one round trip. Empty when Redis is slow or down."""
    token = _token()
    try:
        with _guard(), _redis().pipeline(transaction=False) as pipeline:
            # The leases come first: what is read after them is newer than they are.
            for lease in (_user_lease(user_id), _thread_lease(thread_id)):
                pipeline.set(lease, token, nx=True, ex=LEASE_TTL)
                pipeline.get(lease)
            pipeline.get(_user(user_id))
            pipeline.get(_head(thread_id))
            pipeline.lrange(_messages(thread_id), 0, -1)
            pipeline.get(_files(thread_id))
            _, user_lease, _, thread_lease, user, head, messages, files = pipeline.execute()
    except (redis.RedisError, Open) as error:
        _missed("read", error)
        return Context()
    seq, bodies = (int(messages[0]), messages[1:]) if messages else (None, None)
    # A lease that expired between its SET and its GET is none.
    return Context(user, head, seq, bodies, files, Lease(user_lease or b"", thread_lease or b""))


# Writing -----------------------------------------------------------------------------------------

# The messages are a list: first the number of the last one, then their bodies.
APPEND = """
redis.call('SET', KEYS[2], ARGV[4], 'EX', ARGV[5])
local cached = redis.call('LINDEX', KEYS[1], 0)
if not cached then return 0 end
if cached == ARGV[1] then
    redis.call('LSET', KEYS[1], 0, ARGV[2])
    redis.call('RPUSH', KEYS[1], ARGV[3])
    redis.call('EXPIRE', KEYS[1], ARGV[6])
    return 1
end
if tonumber(cached) >= tonumber(ARGV[2]) then return 1 end
redis.call('DEL', KEYS[1])
return 0
"""

# KEYS: the lease, the messages. ARGV: the token, TTL, last number, bodies …
REBUILD = f"""
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('DEL', KEYS[2])
for first = 3, #ARGV, {CHUNK} do
    redis.call('RPUSH', KEYS[2], unpack(ARGV, first, math.min(first + {CHUNK - 1}, #ARGV)))
end
redis.call('EXPIRE', KEYS[2], ARGV[2])
return 1
"""

# KEYS: the lease, what is stored. ARGV: the token, TTL, the bytes.
PUT = """
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[2], ARGV[3], 'EX', ARGV[2])
return 1
"""

# KEYS: the lease, messages, head, files. A lease means that somebody has read or written already.
WARM = """
if redis.call('EXISTS', KEYS[1], KEYS[2]) > 0 then return 0 end
redis.call('RPUSH', KEYS[2], '0')
redis.call('EXPIRE', KEYS[2], ARGV[1])
redis.call('SET', KEYS[3], ARGV[2], 'EX', ARGV[3])
redis.call('SET', KEYS[4], ARGV[4], 'EX', ARGV[5])
return 1
"""


def warm(thread_id: int, *, head: bytes, files: bytes) -> bool:
    """Store what is known of a thread that was just created: no message yet. After the commit."""
    keys = [_thread_lease(thread_id), _messages(thread_id), _head(thread_id), _files(thread_id)]
    return _run("warm", WARM, keys, MESSAGES_TTL, head, THREAD_TTL, files, FILES_TTL)


def append(thread_id: int, seq: int, body: bytes) -> bool:
    """Add message number `seq`, after its commit. Whatever it does not follow is dropped."""
    keys = [_messages(thread_id), _thread_lease(thread_id)]
    try:
        with _guard():
            return bool(
                _script(APPEND)(keys=keys, args=[seq - 1, seq, body, _token(), LEASE_TTL, MESSAGES_TTL])
            )
    except (redis.RedisError, Open) as error:
        _missed("append", error)
        _owed[keys[0]] = keys[1]  # what is cached is a message short now
        return False


def rebuild(thread_id: int, seq: int, bodies: Sequence[bytes], *, lease: Lease | None) -> bool:
    """Store the messages up to number `seq` as PostgreSQL gave them after the read that gave the lease."""
    if lease is None:
        return False
    keys = [_thread_lease(thread_id), _messages(thread_id)]
    return _run("rebuild", REBUILD, keys, lease.thread, MESSAGES_TTL, seq, *bodies)


def put_head(thread_id: int, head: bytes, *, lease: Lease | None) -> bool:
    """Store a thread's head as PostgreSQL gave it."""
    if lease is None:
        return False
    return _run("put_head", PUT, [_thread_lease(thread_id), _head(thread_id)], lease.thread, THREAD_TTL, head)


def put_files(thread_id: int, files: bytes, *, lease: Lease | None) -> bool:
    """Store a thread's list of files as PostgreSQL gave it."""
    if lease is None:
        return False
    return _run(
        "put_files", PUT, [_thread_lease(thread_id), _files(thread_id)], lease.thread, FILES_TTL, files
    )


def put_user(user_id: int, user: bytes, *, lease: Lease | None) -> bool:
    """Store a person's settings and balance as PostgreSQL gave them."""
    if lease is None:
        return False
    return _run("put_user", PUT, [_user_lease(user_id), _user(user_id)], lease.user, USER_TTL, user)


def forget(thread_id: int) -> bool:
    """Drop a thread's copy: its messages were changed otherwise than by adding one. After the commit.

    False, here and below: Redis is away, and this process drops it first thing when it is back.
    """
    return _drop(
        "forget", _thread_lease(thread_id), _messages(thread_id), _head(thread_id), _files(thread_id)
    )


def forget_files(thread_id: int) -> bool:
    """Drop a thread's list of files: one came or went. After the commit."""
    return _drop("forget_files", _thread_lease(thread_id), _files(thread_id))


def forget_user(user_id: int) -> bool:
    """Drop a person's settings and balance: something of it changed. After the commit."""
    return _drop("forget_user", _user_lease(user_id), _user(user_id))


# Redis -------------------------------------------------------------------------------------------

# What could not be dropped while Redis was away: key -> its lease. Dropped before anything else is done.
_owed: dict[str, str] = {}
_paying = threading.Lock()


def _run(name: str, script: str, keys: list[str], *arguments: bytes | str | int) -> bool:
    """Run a script; False when it stored nothing or Redis is away."""
    try:
        with _guard():
            return bool(_script(script)(keys=keys, args=arguments))
    except (redis.RedisError, Open) as error:
        _missed(name, error)
        return False


def _drop(name: str, lease: str, *keys: str) -> bool:
    stale = dict.fromkeys(keys, lease)
    try:
        with _guard():
            _delete(stale)
    except (redis.RedisError, Open) as error:
        _missed(name, error)
        _owed.update(stale)
        return False
    return True


def _delete(stale: dict[str, str]) -> None:
    with _redis().pipeline(transaction=True) as pipeline:
        for lease in set(stale.values()):
            pipeline.set(lease, _token(), ex=LEASE_TTL)
        pipeline.delete(*stale)
        pipeline.execute()


@contextmanager
def _guard() -> Iterator[None]:
    """Feed the breaker with what happens inside, after what is owed has been dropped."""
    with _breaker().guard():
        with _paying:  # nobody reads before the one who pays is done
            if owed := dict(_owed):
                _delete(owed)
                for key, lease in owed.items():
                    if _owed[key] is lease:  # else it became stale again meanwhile
                        del _owed[key]
        yield


def _missed(name: str, error: Exception) -> None:
    MISSED.labels(name).inc()
    if not isinstance(error, Open):
        log.warning("cache.missed", operation=name, error=str(error))


def _token() -> str:
    return secrets.token_hex(8)


def _head(thread: int | str) -> str:
    return f"context:thread:{thread}:head"


def _messages(thread: int | str) -> str:
    return f"context:thread:{thread}:messages"


def _files(thread: int | str) -> str:
    return f"context:thread:{thread}:files"


def _thread_lease(thread: int | str) -> str:
    return f"context:thread:{thread}:lease"


def _user(user: int | str) -> str:
    return f"context:user:{user}"


def _user_lease(user: int | str) -> str:
    return f"context:user:{user}:lease"


@functools.cache
def _script(source: str) -> Any:
    return _redis().register_script(source)


@functools.cache
def _redis() -> Any:  # its own types make of every answer the union of what any server may say
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_SECONDS_MAX,
        socket_connect_timeout=REDIS_SECONDS_MAX,
        # A connection that Redis closed is opened anew, once; what is slow is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
    )


@functools.cache
def _breaker() -> Breaker:
    return Breaker(redis.RedisError, failures_max=FAILURES_MAX, open_seconds=OPEN_SECONDS)
