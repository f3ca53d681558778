"""Waiting for a condition, never for a time."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.02


async def eventually(look: Callable[[], Awaitable[T | None]], what: str, seconds: float = 15.0) -> T:
    """What `look` finds, as soon as it finds something; an AssertionError that names it after `seconds`."""
    try:
        async with asyncio.timeout(seconds):
            while not (found := await look()):
                await asyncio.sleep(POLL_SECONDS)
            return found
    except TimeoutError:
        raise AssertionError(f"not within {seconds} s: {what}") from None
