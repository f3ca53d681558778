"""The one bridge from the event loop to the database."""

import asyncio
import contextvars
import functools
import select
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Literal, ParamSpec, TypeVar

from django.conf import settings
from django.db import close_old_connections, connection, connections

P = ParamSpec("P")
R = TypeVar("R")

CHECK_SECONDS = (
    1.0  # a connection is asked whether it is alive, by a query of its own, at most once in so long
)

# What comes in from Telegram, and who stands at the checkout, never wait for a thread behind handlers that hang.
# Their services are short; a few threads each are plenty.
Lane = Literal["db", "intake", "checkout"]
INTAKE_THREADS = 2
CHECKOUT_THREADS = 4

_checked = threading.local()
_everybody = threading.Lock()


def in_db(fn: Callable[P, R], *, lane: Lane = "db") -> Callable[P, Coroutine[Any, Any, R]]:
    """Make a service awaitable: it runs on one of its lane's database threads, with a connection that is alive.

    Django's own `a…` methods put every query of the process on one thread, and after a restart of
    PostgreSQL they fail for ever: no request ends here, so nothing else would drop a dead connection.
    """

    def work(*args: P.args, **kwargs: P.kwargs) -> R:
        if time.monotonic() - getattr(_checked, "at", 0.0) > CHECK_SECONDS or _was_hung_up():
            close_old_connections()  # the next statement asks whether the connection is alive
            _checked.at = time.monotonic()
        try:
            return fn(*args, **kwargs)
        except BaseException:
            close_old_connections()
            raise

    @functools.wraps(fn)
    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        context = contextvars.copy_context()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(
            _threads(lane), functools.partial(context.run, work, *args, **kwargs)
        )

    return call


def _was_hung_up() -> bool:
    """Has the server said something on this thread's connection while nobody asked? That is its last word."""
    driver = connection.connection
    if driver is None or driver.closed:
        return False
    poll = select.poll()
    poll.register(driver.fileno(), select.POLLIN)
    return bool(poll.poll(0))


def settle_threads() -> None:
    """Return when every thread has ended what it was at, also what nobody awaits any more."""
    _on_every_thread(lambda: None)


def close_threads() -> None:
    """Close every thread's connection and end the pool, for a process (or a test run) that stops."""
    _on_every_thread(connections.close_all)
    if _threads.cache_info().currsize:
        for lane in _sizes():
            _threads(lane).shutdown()
        _threads.cache_clear()


def _on_every_thread(do: Callable[[], None]) -> None:
    if not _threads.cache_info().currsize:
        return
    with _everybody:  # two who each wait for half of the threads would wait for ever
        for lane, size in _sizes().items():
            # All wait for each other, so each thread takes exactly one.
            barrier = threading.Barrier(size)

            def in_its_turn(barrier: threading.Barrier = barrier) -> None:
                barrier.wait()
                do()

            for doing in [_threads(lane).submit(in_its_turn) for _ in range(size)]:
                doing.result()


def _sizes() -> dict[Lane, int]:
    return {"db": settings.DB_THREADS, "intake": INTAKE_THREADS, "checkout": CHECKOUT_THREADS}


@functools.cache
def _threads(lane: Lane) -> ThreadPoolExecutor:
    return ThreadPoolExecutor(_sizes()[lane], thread_name_prefix=lane)
