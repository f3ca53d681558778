"""Threads that are being named in this process, off the path of every answer."""

import asyncio
from collections.abc import Awaitable, Callable

import structlog

from config.aio import in_db
from conversations import titles
from conversations.titles import Named

log = structlog.get_logger(__name__)


class Names:
    """At most one title at a time for a thread. `told` hears of each that was given: to rename a topic by it."""

    def __init__(self, told: Callable[[Named], Awaitable[None]]) -> None:
        self._told = told
        self._tasks: dict[int, asyncio.Task[None]] = {}

    def due(self, thread_id: int) -> None:
        """This thread was answered and has no title yet."""
        if thread_id not in self._tasks:
            task = self._tasks[thread_id] = asyncio.create_task(self._name(thread_id))
            task.add_done_callback(lambda done: self._forget(thread_id, done))

    async def _name(self, thread_id: int) -> None:
        named = await titles.name_thread(thread_id)
        if named is not None:
            await self._told(named)

    def _forget(self, thread_id: int, task: asyncio.Task[None]) -> None:
        del self._tasks[thread_id]
        if not task.cancelled() and (error := task.exception()):
            log.error("title.lost", thread=thread_id, exc_info=error)  # taken up again later

    async def recover(self) -> None:
        """Take up threads that a crash, or a try that failed, left without a title."""
        for thread_id in await in_db(titles.unnamed)():
            self.due(thread_id)

    async def end(self) -> None:
        """Going down: a title can wait."""
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
