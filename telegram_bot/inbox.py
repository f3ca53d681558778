"""The durable inbox: updates are stored before Telegram is told that they arrived, then handed out in order."""

import asyncio
import contextlib
import math
import time
from collections import deque
from collections.abc import Coroutine, Mapping, Sequence
from typing import Any

import structlog
from aiogram import Bot, Dispatcher
from aiogram.exceptions import (
    ClientDecodeError,
    TelegramAPIError,
    TelegramConflictError,
    TelegramRetryAfter,
    TelegramUnauthorizedError,
)
from aiogram.methods import TelegramMethod
from aiogram.types import Update
from django.db import InterfaceError, OperationalError
from pydantic import ValidationError

from config.patience import patiently
from telegram_bot import services
from telegram_bot.bursts import Bursts
from telegram_bot.intake import ALLOWED_UPDATES, is_at_once, kind_of, lane_of
from telegram_bot.kinds import is_read

log = structlog.get_logger(__name__)

POLL_SECONDS = 25  # Telegram holds an empty getUpdates open this long
POLL_LIMIT = 100  # Bot API: at most 100 updates a call
ANSWERED_AT_ONCE_SECONDS = 0.05  # by when a getUpdates is answered that does not have to wait for news
DEAF_SECONDS = 90.0  # without a successful getUpdates for so long the connection is made anew
AWAY_PAUSES = (0.5, 1.0, 2.0, 5.0, 10.0)
TRIES_MAX = 3  # of a handler that raises
TRY_PAUSES = (1.0, 2.0)
STORE_SECONDS_MAX = 1.0  # PostgreSQL stores a batch in a few milliseconds, or something is wrong with it
AT_ONCE_MAX = 200  # updates handled side by side

# A handler's answer when it has taken the update into a burst, whose own transaction handles it.
LATER = object()


class GetRawUpdates(TelegramMethod[list[Any]]):
    """getUpdates without reading: one update that aiogram cannot read must not hide the others."""

    __returning__ = list[Any]
    __api_method__ = "getUpdates"

    offset: int | None = None
    limit: int = POLL_LIMIT
    timeout: int = POLL_SECONDS
    allowed_updates: list[str] = ALLOWED_UPDATES


class WrongToken(Exception):
    """Telegram does not know this token."""


class Inbox:
    """Polls, stores and hands out. What it remembers is only who is being served; the rows know the rest."""

    def __init__(self, bot: Bot, dispatcher: Dispatcher, bursts: Bursts) -> None:
        self._bot, self._dispatcher, self._bursts = bot, dispatcher, bursts
        self._lanes: dict[int | None, deque[Mapping[str, Any]]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._known: set[int] = set()  # update ids in hand, so that recovery does not hand them out twice
        self._buyers: dict[
            int, asyncio.Task[None]
        ] = {}  # pre-checkouts being answered before they are stored
        self._slots = asyncio.Semaphore(AT_ONCE_MAX)
        self.last_poll = time.monotonic()
        self._asked = self.last_poll  # when the getUpdates under way was sent
        self._has_until = self.last_poll  # everything that Telegram had then has been handed out

    # In ------------------------------------------------------------------------------------------

    async def poll(self) -> None:
        """Take updates in for ever. Raises WrongToken."""
        offset: int | None = None
        tries = 0
        while True:
            try:
                self._asked = time.monotonic()
                call = self._bot(GetRawUpdates(offset=offset), request_timeout=POLL_SECONDS + 10)
                async with asyncio.timeout(DEAF_SECONDS):
                    payloads = await call
            except TelegramUnauthorizedError as error:
                raise WrongToken from error
            except (TelegramAPIError, ClientDecodeError, TimeoutError) as error:
                self._asked = math.inf
                await self._wait_out(error, tries)
                tries += 1
                continue
            if tries:
                log.info("telegram.back")
            tries, self.last_poll = 0, time.monotonic()
            # Ids may fall after an idle week, so the offset is forgotten as soon as it has confirmed all there is.
            self._asked = math.inf
            offset = await self._take(payloads) if payloads else None
            if len(payloads) < POLL_LIMIT:
                self._has_until = self.last_poll

    def has_all(self, chat_id: int, until: float) -> bool:
        """Has everything that was sent in a chat until then, a time.monotonic(), come here and been handled?

        A getUpdates that was not answered at once found nothing waiting.
        """
        now = time.monotonic()
        has_until = now if now - self._asked >= ANSWERED_AT_ONCE_SECONDS else self._has_until
        return has_until >= until and chat_id not in self._lanes

    async def accept(self, payload: Any) -> None:
        """Take in an update that was posted to us: when this returns it is stored, and Telegram may forget it."""
        updates = _numbered([payload])
        self._answer_buyers(updates)
        if not updates:  # nothing that could be stored; refused, it would come again for a day
            return
        if await patiently(services.store_updates)(updates):
            self.hand_out(updates)
        else:
            await self.recover()
        self.last_poll = time.monotonic()

    async def _take(self, payloads: Sequence[Any]) -> int | None:
        """Store what came and hand it out; returns the offset that confirms it."""
        updates = _numbered(payloads)
        self._answer_buyers(updates)
        if not updates:
            await asyncio.sleep(AWAY_PAUSES[-1])  # it comes again at once, for as long as Telegram keeps it
            return None
        new = await self._store(updates)
        if len(new) == len(updates):
            self.hand_out(updates)
        else:  # some were delivered again, or stored by a commit whose answer got lost
            await self.recover()
        return int(updates[-1]["update_id"]) + 1

    async def _store(self, updates: Sequence[Mapping[str, Any]]) -> set[int]:
        """Write updates down; while that takes long, buyers among those that come are told no in time."""
        storing = asyncio.create_task(patiently(services.store_updates, lane="intake")(updates))
        try:
            while not (await asyncio.wait({storing}, timeout=STORE_SECONDS_MAX))[0]:
                await self._look_for_buyers()
            return storing.result()
        finally:
            storing.cancel()

    async def _look_for_buyers(self) -> None:
        """See what waits at Telegram without confirming any of it."""
        call = self._bot(GetRawUpdates(timeout=1), request_timeout=POLL_SECONDS)
        try:
            self._answer_buyers(_numbered(await call))
        except (TelegramAPIError, ClientDecodeError) as error:
            log.warning("telegram.away", reason=f"{type(error).__name__}: {error}"[:200])

    def _answer_buyers(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Whoever stands at the checkout has ten seconds: past the table, the lanes and the slots."""
        for payload in payloads:
            number = payload["update_id"]
            if kind_of(payload) == "pre_checkout_query" and number not in self._buyers:
                self._buyers[number] = self._start(self._handle(payload, buyer=True))

    async def _finish_buyer(self, number: int) -> None:
        """A buyer's update is in the table now: it is handled once the answer was given."""
        await asyncio.wait({self._buyers[number]})
        await self.handled([number])
        del self._buyers[number]

    async def _wait_out(self, error: Exception, tries: int) -> None:
        """Say in words why nothing comes in, and pause; a connection that stays silent is made anew."""
        pause = AWAY_PAUSES[min(tries, len(AWAY_PAUSES) - 1)]
        if isinstance(error, TelegramRetryAfter):
            pause = error.retry_after
        if isinstance(error, TelegramConflictError):
            log.warning("telegram.conflict", hint="Another process polls with this token; stop one of them.")
        else:
            log.warning("telegram.away", reason=f"{type(error).__name__}: {error}"[:200], again_in=pause)
        deaf = time.monotonic() - self.last_poll
        if deaf > DEAF_SECONDS:
            log.error("telegram.deaf", seconds=round(deaf))
            await self._bot.session.close()  # the next call opens a fresh one
        await asyncio.sleep(pause)

    async def recover(self) -> int:
        """Hand out what was stored and never finished, by this process or one that is gone."""
        waiting = await patiently(services.unhandled, lane="intake")()
        # Read anew: what was in hand a moment ago may have been handled since.
        unknown = [number for number in waiting if number not in self._known]
        if not unknown:
            return 0
        pending = await patiently(services.payloads_of, lane="intake")(unknown)
        self.hand_out(pending)
        return len(pending)

    # Out -----------------------------------------------------------------------------------------

    def hand_out(self, payloads: Sequence[Mapping[str, Any]]) -> None:
        """Give each update to its chat's lane; what may not wait goes past it."""
        for payload in payloads:
            if payload["update_id"] in self._known:
                continue
            self._known.add(payload["update_id"])
            if payload["update_id"] in self._buyers:
                self._start(self._finish_buyer(payload["update_id"]))
                continue
            if is_at_once(payload):
                self._start(self._handle(payload))
                continue
            lane = lane_of(payload)
            if lane in self._lanes:
                self._lanes[lane].append(payload)
            else:
                self._lanes[lane] = deque([payload])
                self._start(self._work(lane))

    def _start(self, coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    async def _work(self, lane: int | None) -> None:
        """Handle one chat's updates one after the other, until there are none."""
        waiting = self._lanes[lane]
        try:
            while waiting:
                payload = waiting.popleft()
                if lane is not None and not _may_join(payload):
                    await self._bursts.settle(lane)
                await self._handle(payload)
        finally:
            del self._lanes[lane]

    async def _handle(self, payload: Mapping[str, Any], *, buyer: bool = False) -> None:
        """Handle one update: three tries, then it is dead and the chat goes on."""
        number = payload["update_id"]
        if kind_of(payload) not in ALLOWED_UPDATES:
            log.warning("update.unasked", update=number, kind=kind_of(payload))
            await self.handled([number])
            return
        async with contextlib.nullcontext() if buyer else self._slots:
            try:
                update = Update.model_validate(payload, context={"bot": self._bot})
            except ValidationError as error:
                first = error.errors()[0]
                await self._bury(number, 1, f"not an update of Bot API 10.3: {first['loc']}: {first['msg']}")
                return
            for tries in range(1, TRIES_MAX + 1):
                try:
                    outcome = await self._dispatch(update)
                except Exception as error:
                    log.exception("update.failed", update=number, kind=kind_of(payload), tries=tries)
                    if tries == TRIES_MAX:
                        await self._bury(number, tries, f"{type(error).__name__}: {error}")
                        return
                    await asyncio.sleep(TRY_PAUSES[tries - 1])
                else:
                    break
            if outcome is not LATER and not buyer:
                await self.handled([number])

    async def _dispatch(self, update: Update) -> Any:
        """One try of a handler; while PostgreSQL is away it waits, which is no try."""
        pause = 0.5
        while True:
            try:
                return await self._dispatcher.feed_update(self._bot, update, update_id=update.update_id)
            except (OperationalError, InterfaceError):
                log.warning("database.away", update=update.update_id, again_in=pause)
                await asyncio.sleep(pause)
                pause = min(2 * pause, 8.0)

    async def handled(self, numbers: Sequence[int]) -> None:
        await patiently(services.mark_handled)(numbers)
        self._known.difference_update(numbers)

    async def _bury(self, number: int, tries: int, error: str) -> None:
        log.error("update.dead", update=number, reason=error[:200])
        await patiently(services.mark_dead)([number], attempts=tries, error=error)
        self._known.discard(number)

    def burst_handled(self, numbers: Sequence[int]) -> None:
        """A burst's transaction has handled these."""
        self._known.difference_update(numbers)

    async def drain(self, seconds: float) -> None:
        """Finish what is in hand; the rest is in the table."""
        if self._tasks:
            await asyncio.wait(set(self._tasks), timeout=seconds)


def _numbered(payloads: Sequence[Any]) -> list[dict[str, Any]]:
    """The updates among what came: objects with an id. Anything else cannot even be confirmed."""
    updates = [
        payload
        for payload in payloads
        if isinstance(payload, dict)
        and isinstance(number := payload.get("update_id"), int)
        and abs(number) < 2**63
    ]
    if len(updates) < len(payloads):
        log.error("telegram.no_updates", count=len(payloads) - len(updates))
    return updates


def _may_join(payload: Mapping[str, Any]) -> bool:
    """Can this update belong to the burst before it? A command must not overtake one, nor join it."""
    message = payload.get("message")
    if not isinstance(message, Mapping):
        return False
    return is_read(message) and not str(message.get("text", "")).startswith("/")
