"""The reply as a person sees it grow, and then the messages that stay."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Sequence
from functools import partial

from aiogram.types import InlineKeyboardMarkup

from conversations.contracts import TextDelta
from conversations.loop import ToolBegan, ToolEnded, TurnEvent
from conversations.parts import Delivery, File
from telegram_bot.frames import LABEL_SECONDS, Frame, Frames, RichFrame
from telegram_bot.gate import Gate
from telegram_bot.outgoing import Destination, Words
from telegram_bot.rendering import Wish
from telegram_bot.rendering.composing import Rich, compose
from telegram_bot.units import Unit, Units

THINKING_SECONDS = 0.15  # a model that answers sooner needs no "Thinking…" before its words
FOREVER = 3600.0


class Draft:
    """One turn's way to its chat. A single task sends everything, so that order is never in question.

    `to` says how an answer grows there; it is not shown growing when it is not `live`.
    `sent` lists what an earlier process has delivered: the same messages come in the same order again
    and are passed over. `keep` stores the list after each delivery but the last, which the turn's end stores.
    `ours` is asked before anything is sent: it raises LeaseLost when another process answers.
    `below` makes the buttons of a rich message: of which stretch of the turn, the how-manieth part of it.
    """

    def __init__(
        self,
        to: Destination,
        gate: Gate,
        *,
        number: int,
        live: bool,
        wish: Wish,
        sent: Sequence[list[int]],
        read: Callable[[str], Awaitable[tuple[File, bytes]]],
        keep: Callable[[list[list[int]]], Awaitable[None]],
        ours: Callable[[], Awaitable[None]],
        below: Callable[[int, int, Rich], InlineKeyboardMarkup],
    ) -> None:
        self._to, self._gate, self._number, self._live, self._wish = to, gate, number, live, wish
        self._read, self._keep, self._ours, self._below = read, keep, ours, below
        self.sent = list(sent)
        self._passed = self._asides = 0  # messages met so far, delivered or not; of them, those of our own
        self._units = Units()
        self._frames = Frames(wish)
        self._tools: dict[str, tuple[str, float, str]] = {}  # call → label, since when, its last line
        self._closing = False
        self._dirty = live  # the first frame is "Thinking…"
        self._shown: Frame | None = None
        self._shown_at = 0.0
        self._next_frame = time.monotonic() + THINKING_SECONDS
        self._wake = asyncio.Event()
        self._task = asyncio.create_task(self._send_all())

    # What happens in the turn ------------------------------------------------------------------

    def show(self, event: TurnEvent) -> None:
        """Take in one event of the turn. Raises Unreachable once nothing can be sent there any more."""
        if self._task.done():
            self._task.result()
        if isinstance(event, TextDelta) and not (self._units.closed or self._units.source.strip()):
            self._next_frame = 0.0  # the first words do not wait behind "Thinking…"
            self._wake.set()
        self._units.add(event)
        match event:
            case TextDelta():
                self._touch()
            case ToolBegan():
                self.label(event.call_id, f"{event.tool.icon} {event.tool.label}…", event.told)
            case ToolEnded():
                self.label(event.call_id)
        if self._units.closed:
            self._wake.set()

    @property
    def is_empty(self) -> bool:
        """Has the person got nothing of this turn, and is nothing on its way?"""
        units = self._units
        return self._passed + len(units.closed) == self._asides and not units.source.strip()

    def label(self, key: str, words: str = "", line: str = "") -> None:
        """Show below the answer what is being done, and its last line; without words: it is over."""
        _, since, _ = self._tools.pop(key, ("", time.monotonic(), ""))
        self._tools |= {key: (words, since, line)} if words else {}
        self._touch()

    def aside(self, words: Words) -> None:
        """Send a sentence of our own behind the words so far; the answer goes on below it."""
        self._asides += 1
        self._units.put(words)
        self._wake.set()

    async def finish(self, words: Words | None = None) -> list[list[int]]:
        """Send what is left, and a last sentence if there is one; returns all message ids by unit."""
        self._tools.clear()
        self._units.put(words)
        self._closing = True
        self._wake.set()
        await self._task
        return self.sent

    def abandon(self) -> None:
        """Somebody else answers: say nothing more."""
        if self._task.done() and not self._task.cancelled():
            self._task.exception()  # seen: whatever it was, the turn has ended with it
        self._task.cancel()

    def _touch(self) -> None:
        if not self._dirty:  # woken once a frame, not once a token
            self._dirty = True
            self._wake.set()

    # The one task that sends -------------------------------------------------------------------

    async def _send_all(self) -> None:
        while True:
            self._wake.clear()
            while self._units.closed:
                await self._deliver(self._units.closed.popleft())
            if self._closing:
                return
            await self._frame_if_due()
            if not self._units.closed:
                await self._pause()

    async def _deliver(self, unit: Unit) -> None:
        if isinstance(unit, Delivery):
            await self._once(partial(self._file, unit))
        elif isinstance(unit, Words):
            await self._once(partial(self._to.say, unit.text, keyboard=unit.keyboard))
        else:
            parts = compose(unit.source, self._wish)
            for number, part in enumerate(parts):
                below = self._below(unit.number, number, part) if isinstance(part, Rich) else None
                await self._once(partial(self._to.part, part, keyboard=below), more=part is not parts[-1])
        self._shown = None  # a message that stays takes the draft's place
        self._frames.next_stretch()

    async def _once(self, send: Callable[[], Awaitable[list[int]]], *, more: bool = False) -> None:
        """Deliver one message of the answer, unless an earlier process has, and remember it."""
        self._passed += 1
        if self._passed <= len(self.sent):
            return
        await self._ours()
        self.sent.append(await send())
        if more or self._units.closed or not self._closing:
            await self._keep(self.sent)

    async def _file(self, delivery: Delivery) -> list[int]:
        _, content = await self._read(delivery.file.id)
        return await self._to.file(delivery, content)

    async def _frame_if_due(self) -> None:
        now = time.monotonic()
        fading = self._shown is not None and now - self._shown_at >= self._to.keep_alive_seconds
        if not self._live or not (fading or (self._dirty and now >= self._next_frame)):
            return
        self._dirty = False
        tools = list(self._tools.values())
        how = {"may_be_rich": self._to.draws_rich, "is_draft": self._to.draws_drafts}
        frame = self._frames.frame(self._units.source, tools, now, **how)
        if frame == self._shown and not fading:
            return
        await self._ours()
        if await self._show(frame):
            self._shown, self._shown_at = frame, time.monotonic()
        else:
            self._dirty = True
        self._next_frame = time.monotonic() + self._gate.pace(self._to.chat_id, self._to.frame_seconds)

    async def _show(self, frame: Frame) -> bool:
        if isinstance(frame, RichFrame):
            return await self._to.rich_frame(self._number, frame.message)
        return await self._to.frame(self._number, frame.text, frame.entities)

    async def _pause(self) -> None:
        """Wait for news, for the next frame's time, or until the draft would fade."""
        now = time.monotonic()
        if self._dirty and self._live:
            seconds = self._next_frame - now
        elif self._tools:
            self._dirty = True
            self._next_frame = max(self._next_frame, now + LABEL_SECONDS)
            seconds = self._next_frame - now
        else:
            seconds = self._shown_at + self._to.keep_alive_seconds - now if self._shown else FOREVER
        if seconds > 0:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(seconds):
                    await self._wake.wait()
