"""Trying again: before the first event only, as long as a person would wait."""

import asyncio
from collections.abc import AsyncGenerator, Callable

import pytest

from conversations.contracts import Done, Event, ProviderError, Reason, TextDelta
from conversations.providers.retry import retrying

Attempt = Callable[[], AsyncGenerator[Event, None]]
SOON = ProviderError("overloaded", retryable=True, wait_seconds=0.0)


def attempts(*outcomes: list[Event | ProviderError]) -> tuple[Attempt, list[int]]:
    """An attempt that goes through these outcomes, one a time, and the list of those begun."""
    begun: list[int] = []

    async def attempt() -> AsyncGenerator[Event, None]:
        begun.append(len(begun))
        for step in outcomes[len(begun) - 1]:
            if isinstance(step, ProviderError):
                raise step
            yield step

    return attempt, begun


async def test_what_goes_well_is_passed_on() -> None:
    attempt, begun = attempts([TextDelta("a"), Done(Reason.END)])
    assert [event async for event in retrying(attempt)] == [TextDelta("a"), Done(Reason.END)]
    assert begun == [0]


async def test_the_third_try_may_still_go_well() -> None:
    attempt, begun = attempts([SOON], [SOON], [Done(Reason.END)])
    assert [event async for event in retrying(attempt)] == [Done(Reason.END)]
    assert begun == [0, 1, 2]


async def test_without_a_named_time_it_backs_off_by_itself() -> None:
    attempt, begun = attempts([ProviderError("overloaded", retryable=True)], [Done(Reason.END)])
    assert [event async for event in retrying(attempt)] == [Done(Reason.END)]
    assert begun == [0, 1]


@pytest.mark.parametrize(
    "error",
    [ProviderError("key"), ProviderError("limited", retryable=True, wait_seconds=60.5)],
    ids=["not retryable", "longer than a person waits"],
)
async def test_some_errors_are_told_at_once(error: ProviderError) -> None:
    attempt, begun = attempts([error], [Done(Reason.END)])
    with pytest.raises(ProviderError) as failed:
        await anext(retrying(attempt))
    assert failed.value is error
    assert begun == [0]


async def test_after_the_first_event_an_error_is_final() -> None:
    attempt, begun = attempts([TextDelta("a"), SOON], [Done(Reason.END)])
    events = retrying(attempt)
    assert await anext(events) == TextDelta("a")
    with pytest.raises(ProviderError) as failed:
        await anext(events)
    assert (failed.value.key, failed.value.retryable) == ("overloaded", False)
    assert begun == [0]


async def test_a_stop_during_the_wait_ends_it() -> None:
    attempt, begun = attempts([ProviderError("limited", retryable=True, wait_seconds=50)], [Done(Reason.END)])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await anext(retrying(attempt))
    assert begun == [0]
