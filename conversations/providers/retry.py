"""Trying a model call again, the same way for every provider. No MODELS here, so no provider."""

import asyncio
import random
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from conversations.contracts import Event, ProviderError

# Three tries, as design/turns.md says. A vendor's overload passes in seconds or not at all.
PAUSES = (0.5, 2.0)  # seconds before the second and the third try, when the vendor names no time
WAIT_MAX = 60.0  # a person does not watch an empty draft for longer; the error says how long it would be


async def retrying(attempt: Callable[[], AsyncGenerator[Event, None]]) -> AsyncGenerator[Event, None]:
    """The events of `attempt()`, begun again after a retryable error as long as nothing was yielded.

    Once an event came, an error is final: the words so far stand, and the same request would be
    billed twice. It is then raised with `retryable=False`.
    """
    for pause in (*PAUSES, None):
        began = False
        try:
            async with aclosing(attempt()) as events:
                async for event in events:
                    began = True
                    yield event
            return
        except ProviderError as error:
            if began and error.retryable:
                raise ProviderError(error.key, error.detail, wait_seconds=error.wait_seconds) from error
            if not error.retryable or pause is None or (error.wait_seconds or 0.0) > WAIT_MAX:
                raise
            # The spread keeps a hundred chats, all refused in one second, from coming back in one second.
            wait = error.wait_seconds if error.wait_seconds is not None else pause * random.uniform(0.8, 1.2)  # noqa: S311
        await asyncio.sleep(wait)
