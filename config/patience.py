"""Work that has to be written down waits for the database instead of being lost with it."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

import structlog
from django.db import InterfaceError, OperationalError

from config.aio import Lane, in_db

P = ParamSpec("P")
R = TypeVar("R")

log = structlog.get_logger(__name__)

PAUSES = (0.2, 0.5, 1.0, 2.0, 4.0, 8.0)  # seconds between tries; then the last for as long as it takes


def patiently(service: Callable[P, R], *, lane: Lane = "db") -> Callable[P, Coroutine[Any, Any, R]]:
    """`in_db(service, lane=lane)`, tried again while PostgreSQL is away. For services that may run twice."""

    async def call(*args: P.args, **kwargs: P.kwargs) -> R:
        tries = 0
        while True:
            try:
                return await in_db(service, lane=lane)(*args, **kwargs)
            except (OperationalError, InterfaceError) as error:
                pause = PAUSES[min(tries, len(PAUSES) - 1)]
                log.warning(
                    "database.away", service=service.__name__, again_in=pause, reason=type(error).__name__
                )
                tries += 1
            await asyncio.sleep(pause)

    return call
