"""Delivery of updates to a bot's own server: repeated until it is taken, and in order within a chat."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from typing import Final

from aiohttp import ClientError, ClientSession, ClientTimeout

from telegram_bot.playground.shapes import Json
from telegram_bot.playground.updates import UpdateQueue

ANSWER_SECONDS: Final = 60  # Telegram waits a minute for the answer, then sends again
FIRST_PAUSE_SECONDS: Final = 1.0
LONGEST_PAUSE_SECONDS: Final = 60.0  # the pause doubles up to a minute or two
RETRY_AFTER_MAX_SECONDS: Final = 3600.0
CONNECTIONS: Final = 40  # setWebhook, max_connections: "Defaults to 40"
SECRET_HEADER: Final = "X-Telegram-Bot-Api-Secret-Token"  # noqa: S105 - a header's name


class Webhook:
    """The address updates are posted to, if there is one."""

    def __init__(self, queue: UpdateQueue) -> None:
        self._queue = queue
        self._delivery: asyncio.Task[None] | None = None
        self._busy: set[int] = set()
        self.url = ""
        self.secret = ""
        self.connections = CONNECTIONS
        self.error: tuple[int, str] | None = None  # when and what

    async def point_at(self, url: str, secret: str, connections: int) -> None:
        """Deliver to this address from now on."""
        await self.remove()
        self.url, self.secret, self.connections = url, secret, connections
        self._queue.has_webhook = True
        self._delivery = asyncio.create_task(self._deliver_all())

    async def remove(self) -> None:
        """Deliver no more; what was not taken waits for getUpdates."""
        delivery, self._delivery = self._delivery, None
        self._queue.has_webhook = False
        self.url, self.error = "", None
        if delivery is not None:
            delivery.cancel()
            await asyncio.wait([delivery])

    async def _deliver_all(self) -> None:
        self._busy.clear()
        async with (
            ClientSession(timeout=ClientTimeout(total=ANSWER_SECONDS)) as session,
            asyncio.TaskGroup() as sent,
        ):
            while True:
                self._queue.arrived.clear()
                for update in self._ready():
                    self._busy.add(_lane(update))
                    sent.create_task(self._deliver(session, update))
                await self._queue.arrived.wait()

    def _ready(self) -> Iterator[Json]:
        """The first update of every chat that has none under way."""
        for update in self._queue.waiting():
            if len(self._busy) >= self.connections:
                return
            if _lane(update) not in self._busy:
                yield update

    async def _deliver(self, session: ClientSession, update: Json) -> None:
        pause = FIRST_PAUSE_SECONDS
        while (wait := await self._post(session, update, pause)) is not None:
            await asyncio.sleep(wait)
            pause = min(pause * 2, LONGEST_PAUSE_SECONDS)
            if not any(waiting is update for waiting in self._queue.waiting()):
                break  # it expired, or was dropped
        self._queue.confirm_one(update)
        self._busy.discard(_lane(update))
        self._queue.arrived.set()

    async def _post(self, session: ClientSession, update: Json, pause: float) -> float | None:
        """Send once; None when it was taken, else the seconds to wait before the next try."""
        headers = {SECRET_HEADER: self.secret} if self.secret else {}
        try:
            async with session.post(self.url, json=update, headers=headers) as answer:
                if answer.ok:
                    return None
                self.error = (
                    int(time.time()),
                    f"Wrong response from the webhook: {answer.status} {answer.reason}",
                )
                asked = answer.headers.get("Retry-After", "")
                return min(float(asked), RETRY_AFTER_MAX_SECONDS) if asked.isdecimal() else pause
        except TimeoutError:
            self.error = (int(time.time()), "Read timeout expired")
        except ClientError as error:
            self.error = (int(time.time()), f"Connection failed: {error}")
        return pause


def _lane(update: Json) -> int:
    """Updates of one chat wait for one another; an update without a chat waits for none."""
    for payload in update.values():
        if isinstance(payload, dict):
            chat = payload.get("chat") or payload.get("message", {}).get("chat") or payload.get("from")
            if isinstance(chat, dict) and isinstance(chat.get("id"), int):
                return int(chat["id"])
    return -id(update)
