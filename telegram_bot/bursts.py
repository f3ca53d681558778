"""One burst, one turn: the pieces of a paste belong together."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field

from telegram_bot.intake import Inbound

Bring = Callable[[Inbound], Awaitable[Inbound]]
HasAll = Callable[[int, float], bool]

QUIET_SECONDS = 0.1  # what a person sends in one go arrives closer together than this
MORE_SECONDS = 0.6  # pieces of a long paste and pictures of an album come one by one
BURST_SECONDS_MAX = 5.0  # nobody waits longer than this for their burst to end
LOOK_SECONDS = 0.005  # between two looks whether the inbox, running late, has the rest by now


@dataclass(slots=True)
class Piece:
    """One message of a burst; its files are fetched since it was known to be for the bot."""

    inbound: Inbound
    brought: asyncio.Future[Inbound] | None = None


@dataclass(slots=True)
class Burst:
    """Messages of one lane that arrived together, and the updates that brought them."""

    bring: Bring
    began: float  # time.monotonic()
    pieces: list[Piece] = field(default_factory=list)
    update_ids: list[int] = field(default_factory=list)
    ends: float = 0.0  # when it has been quiet for long enough, if nothing more was sent until then
    timer: asyncio.TimerHandle | None = None

    @property
    def last(self) -> Inbound:
        return self.pieces[-1].inbound

    async def brought(self) -> list[Inbound]:
        """What is for the bot, in order, as soon as its files are here.

        Asked again, it brings again what could not be brought before.
        """
        under_way = []
        for piece in self.pieces:
            brought = piece.brought
            if brought is not None and brought.done() and (brought.cancelled() or brought.exception()):
                brought = piece.brought = asyncio.ensure_future(self.bring(piece.inbound))
            if brought is not None:
                under_way.append(brought)
        return await asyncio.gather(*under_way)


class Bursts:
    """Gathers each lane's messages until it is quiet, then hands them over as one, in order.

    Only a hint in memory: the updates are in the inbox until the burst's own transaction handles them.
    `has_all` says of a chat whether everything sent until then is here: on a busy day the pictures of one
    album reach us further apart than they were sent.
    """

    def __init__(self, bring: Bring, hand_over: Callable[[Burst], Awaitable[None]], has_all: HasAll) -> None:
        self._bring, self._hand_over, self._has_all = bring, hand_over, has_all
        self._open: dict[tuple[int, int | None, int], Burst] = {}
        self._busy: dict[int, asyncio.Task[None]] = {}  # chat → its last handing over

    def add(self, inbound: Inbound, update_id: int, *, is_asked: bool = True) -> None:
        """Put a message to its burst; it is handed over when nothing more follows.

        One that does not ask by itself, a further picture in a group, is left alone unless its album asks.
        """
        now = time.monotonic()
        # Who asks pays, so two people's messages in one topic are two bursts.
        key = (inbound.chat_id, inbound.topic, inbound.sender.telegram_id)
        burst = self._open.setdefault(key, Burst(self._bring, began=now))
        burst.pieces.append(Piece(inbound))
        burst.update_ids.append(update_id)
        self._fetch(burst, inbound, is_asked)
        if burst.timer is not None:
            burst.timer.cancel()
        quiet = MORE_SECONDS if inbound.more_follows else QUIET_SECONDS
        burst.ends = min(now + quiet, burst.began + BURST_SECONDS_MAX)
        burst.timer = asyncio.get_running_loop().call_later(burst.ends - now, self._close_if_whole, key)

    def _fetch(self, burst: Burst, newest: Inbound, is_asked: bool) -> None:
        """Begin to fetch what is now known to be for the bot: the newest message, and the rest of its album."""
        album = [piece for piece in burst.pieces if newest.album and piece.inbound.album == newest.album]
        if not (is_asked or any(piece.brought is not None for piece in album)):
            return
        for piece in album or burst.pieces[-1:]:
            if piece.brought is None:
                piece.brought = asyncio.ensure_future(self._bring(piece.inbound))

    async def settle(self, chat_id: int) -> None:
        """Hand over what a chat has open, and wait until it is stored: a command must not overtake it."""
        for key in [key for key in self._open if key[0] == chat_id]:
            self._close(key)
        if chat_id in self._busy:
            await asyncio.wait({self._busy[chat_id]})

    async def settle_all(self, seconds: float) -> None:
        """Going down: hand over what there is. What takes longer, a large file, is still in the inbox."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                for chat_id in {key[0] for key in self._open} | set(self._busy):
                    await self.settle(chat_id)

    def _close_if_whole(self, key: tuple[int, int | None, int]) -> None:
        """Its quiet time is over: unless more of it may be on its way to us, hand the burst over."""
        burst = self._open[key]
        is_old = time.monotonic() - burst.began >= BURST_SECONDS_MAX
        if is_old or self._has_all(key[0], burst.ends):
            self._close(key)
        else:
            burst.timer = asyncio.get_running_loop().call_later(LOOK_SECONDS, self._close_if_whole, key)

    def _close(self, key: tuple[int, int | None, int]) -> None:
        burst = self._open.pop(key)
        if burst.timer is not None:
            burst.timer.cancel()
        chat_id = key[0]
        task = asyncio.create_task(self._in_order(burst, self._busy.get(chat_id)))
        self._busy[chat_id] = task
        task.add_done_callback(lambda done: self._forget(chat_id, done))

    async def _in_order(self, burst: Burst, before: asyncio.Task[None] | None) -> None:
        if before is not None:
            await asyncio.wait({before})
        await self._hand_over(burst)

    def _forget(self, chat_id: int, task: asyncio.Task[None]) -> None:
        if self._busy.get(chat_id) is task:
            del self._busy[chat_id]
