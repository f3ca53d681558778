"""The queue of updates a bot has not confirmed yet, with getUpdates' exact offset semantics."""

from __future__ import annotations

import asyncio
import copy
import time
from collections import deque
from dataclasses import dataclass
from typing import Final

from telegram_bot.playground.errors import Refused, conflict
from telegram_bot.playground.shapes import Json, Lifetimes

LIMIT_MAX: Final = 100  # getUpdates: "Values between 1-100 are accepted"
TIMEOUT_MAX_SECONDS: Final = 50  # telegram-bot-api Client.h: LONG_POLL_MAX_TIMEOUT
# getUpdates, allowed_updates: sent only to a bot that asks for them by name.
ONLY_WHEN_NAMED: Final = frozenset({"chat_member", "message_reaction", "message_reaction_count"})
SHORT_LIVED: Final = frozenset({"callback_query", "pre_checkout_query", "shipping_query"})


@dataclass(frozen=True, slots=True)
class Pending:
    """One unconfirmed update, the id it is confirmed by, and the monotonic time it is dropped at."""

    update: Json
    id: int
    expires: float


class UpdateQueue:
    """Unconfirmed updates in the order they happened; ids rise by one."""

    def __init__(self, first_id: int, lifetimes: Lifetimes) -> None:
        self._next_id = first_id
        self._lifetimes = lifetimes
        self._pending: deque[Pending] = deque()
        self._poll: asyncio.Future[None] | None = None
        self.allowed: list[str] = []
        self.has_webhook = False
        self.arrived = asyncio.Event()

    def __len__(self) -> int:
        self._drop_expired()
        return len(self._pending)

    @property
    def is_polled(self) -> bool:
        """Whether a getUpdates waits now."""
        return self._poll is not None

    def allow(self, kinds: list[str] | None) -> None:
        """Remember which kinds the bot wants; None keeps the earlier choice."""
        if kinds is not None:
            self.allowed = list(kinds)

    def push(self, kind: str, payload: Json) -> int | None:
        """Queue an update as it is now; None when the bot did not ask for this kind."""
        wanted = kind in self.allowed if self.allowed else kind not in ONLY_WHEN_NAMED
        return self.push_raw({kind: payload}) if wanted else None

    def push_raw(self, update: Json) -> int:
        """Queue any JSON object, even a malformed update; an update_id is added when there is none."""
        update = copy.deepcopy(update)
        if "update_id" not in update:
            update = {"update_id": self._next_id, **update}
        given = update["update_id"]
        update_id = given if isinstance(given, int) else self._next_id
        self._next_id = update_id + 1
        seconds = self._lifetimes.query if SHORT_LIVED & update.keys() else self._lifetimes.update
        self._pending.append(Pending(update, update_id, time.monotonic() + seconds))
        self.arrived.set()
        if self._poll is not None and not self._poll.done():
            self._poll.set_result(None)
        return update_id

    async def poll(
        self, offset: int, limit: int, timeout: int, allowed: list[str] | None = None
    ) -> list[Json]:
        """Answer getUpdates: confirm what lies below `offset`, then wait up to `timeout` seconds for news."""
        if self.has_webhook:
            raise conflict(
                "can't use getUpdates method while webhook is active; "
                "use deleteWebhook to delete the webhook first"
            )
        self.interrupt(
            conflict(
                "terminated by other getUpdates request; make sure that only one bot instance is running"
            )
        )
        self.allow(allowed)
        self._confirm(offset)
        limit = min(max(limit, 1), LIMIT_MAX)
        if timeout > 0 and not len(self):
            await self._wait(min(timeout, TIMEOUT_MAX_SECONDS))
        return [pending.update for pending in list(self._pending)[:limit]]

    def interrupt(self, reason: Refused | None = None) -> None:
        """End the request that waits now, with an error or with an empty answer."""
        if self._poll is None or self._poll.done():
            return
        if reason is None:
            self._poll.set_result(None)
        else:
            self._poll.set_exception(reason)

    def waiting(self) -> list[Json]:
        """All unconfirmed updates, oldest first."""
        self._drop_expired()
        return [pending.update for pending in self._pending]

    def confirm_one(self, update: Json) -> None:
        """Forget one update a webhook has taken."""
        self._pending = deque(pending for pending in self._pending if pending.update is not update)

    def clear(self) -> None:
        """Forget everything that was not confirmed."""
        self._pending.clear()

    async def _wait(self, seconds: int) -> None:
        poll = asyncio.get_running_loop().create_future()
        self._poll = poll
        try:
            async with asyncio.timeout(seconds):
                await poll
        except TimeoutError:
            return
        finally:
            if self._poll is poll:
                self._poll = None

    def _confirm(self, offset: int) -> None:
        self._drop_expired()
        if offset > 0:
            self._pending = deque(pending for pending in self._pending if pending.id >= offset)
        elif offset < 0:
            while len(self._pending) > -offset:
                self._pending.popleft()

    def _drop_expired(self) -> None:
        now = time.monotonic()
        if any(pending.expires <= now for pending in self._pending):
            self._pending = deque(pending for pending in self._pending if pending.expires > now)
