"""A Telegram that can be held still before or after it carries out a call."""

import asyncio
from collections import defaultdict
from typing import Any

from telegram_bot.playground.server import Playground

BEFORE, AFTER = "before", "after"


class HeldTelegram(Playground):
    """`hold("sendMessage", 1001, AFTER)`: this person's next message arrives, and the bot never learns it."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._holds: dict[tuple[str, int | None], str] = {}
        self._reached: defaultdict[tuple[str, int | None], asyncio.Event] = defaultdict(asyncio.Event)
        self._open = asyncio.Event()

    def hold(self, method: str, person: int, moment: str) -> None:
        self._holds[method, person] = moment

    async def reached(self, method: str, person: int) -> None:
        await self._reached[method, person].wait()

    def drop(self) -> None:
        """Whoever called is gone: what was held before it was carried out never is."""
        self._holds.clear()
        self._open.set()
        self._open = asyncio.Event()

    async def _carry_out(self, entry: Any, call: Any, context: Any) -> Any:
        at = (call.method, call.chat_id)
        moment = self._holds.pop(at, "")
        if moment == BEFORE:
            await self._stand_still(at)
            raise ConnectionResetError("the caller was killed before this was carried out")
        result = await super()._carry_out(entry, call, context)
        if moment == AFTER:
            await self._stand_still(at)
        return result

    async def _stand_still(self, at: tuple[str, int | None]) -> None:
        self._reached[at].set()
        await self._open.wait()
