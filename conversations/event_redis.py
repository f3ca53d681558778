"""The Redis in which events wait, and what it may forget of them.

With `appendfsync everysec` Redis writes before it answers, except while an earlier fsync is still under way: then it
answers first and writes up to two seconds later (aof.c, flushAppendOnlyFile). A kill of Redis takes those events along.
Whoever recorded them has them still and sends them again: an event that comes twice is written once.
"""

import functools
import re
import threading
import time
from collections import deque
from typing import Any

import redis
from django.conf import settings
from redis.backoff import NoBackoff
from redis.retry import Retry

from conversations.breaker import Breaker
from conversations.events import Event

STREAM = "events"  # no TTL and no MAXLEN: nothing may take an event away but its writing
REDIS_SECONDS_MAX = 1.0  # for one operation; then the event goes straight to PostgreSQL
KEPT_MAX = 10_000  # events of one process that neither server took: a few megabytes
UNSAFE_SECONDS = 5.0  # two until Redis writes, one until it syncs, and a disk that is busy
RUN_ID = re.compile(rb"run_id:(\w+)")  # of a Redis from its start to its end


class Unsettled:
    """What one process has recorded of late, until it is on the disk of the Redis that took it."""

    def __init__(self) -> None:
        self._events: deque[tuple[float, Event]] = deque()
        self._kept: deque[Event] = deque()  # neither Redis nor PostgreSQL took them
        self._lock = threading.RLock()  # sending again may open a connection
        self._run_id = b""
        self._is_another = False

    def connected(self, connection: Any) -> None:
        """Called by the client for every connection it opens: is this still the Redis we knew?"""
        connection.on_connect()
        connection.send_command("INFO", "server")
        found = RUN_ID.search(bytes(connection.read_response(disable_decoding=True)))
        run_id = found[1] if found else b""
        with self._lock:
            self._is_another = self._is_another or (self._run_id not in (b"", run_id))
            self._run_id = run_id

    def took(self, event: Event) -> None:
        with self._lock:
            self._events.append((time.monotonic(), event))

    def keep(self, event: Event) -> bool:
        """Neither server takes it now: Redis gets it when it answers again. False when too many wait so already."""
        with self._lock:
            if len(self._kept) >= KEPT_MAX:
                return False
            self._kept.append(event)
            return True

    def send_again(self) -> None:
        """Call when Redis has just answered: what it may have forgotten goes to it again, what is safe is let go."""
        with self._lock:
            another = self._is_another
            if not another:
                while self._events and self._events[0][0] < time.monotonic() - UNSAFE_SECONDS:
                    self._events.popleft()
            again = [*(event for _, event in self._events if another), *self._kept]
            if again:
                with queue().pipeline(transaction=False) as pipeline:
                    for event in again:
                        pipeline.xadd(STREAM, event.encode())
                    pipeline.execute()
            self._events.extend((time.monotonic(), event) for event in self._kept)
            self._kept.clear()
            if another:  # found out just now, by a connection that was opened for this, it still stands
                self._is_another = False


@functools.cache
def queue() -> Any:  # its own types make of every answer the union of what any server may say
    return redis.Redis.from_url(
        settings.REDIS_URL,
        socket_timeout=REDIS_SECONDS_MAX,
        socket_connect_timeout=REDIS_SECONDS_MAX,
        # A connection that Redis closed is opened anew, once; what is slow is not asked twice.
        retry=Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,)),
        redis_connect_func=unsettled().connected,
    )


@functools.cache
def unsettled() -> Unsettled:
    return Unsettled()


@functools.cache
def breaker() -> Breaker:
    return Breaker(redis.RedisError, failures_max=3, open_seconds=5)
