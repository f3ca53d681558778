"""One gate per chat: after a 429 nothing is sent to that chat, by any path, until Telegram's time is up."""

import asyncio
import time
from collections import defaultdict, deque
from typing import Any

import structlog
from aiogram import Bot
from aiogram.client.session.middlewares.base import BaseRequestMiddleware, NextRequestMiddlewareType
from aiogram.exceptions import TelegramRetryAfter
from aiogram.methods import (
    EditMessageText,
    Response,
    SendChatAction,
    SendMessageDraft,
    SendRichMessageDraft,
    TelegramMethod,
)
from aiogram.methods.base import TelegramType

log = structlog.get_logger(__name__)

SLOW_FRAMES = 10  # after a ban so many frames go at half the pace
MINUTE = 60.0
# The same FAQ: some 30 messages a second from a bot in all. Telegram names no chat then, and bans whoever is next:
# with more chats banned than this in so many seconds all draw less often, at most so many times less.
BANS_USUAL = 5
BANS_SECONDS = 30.0
STRAIN_MAX = 8
# https://core.telegram.org/bots/faq: 20 messages a minute to one group. Edits are counted too, to be safe, and
# growing answers leave a share for the messages that stay.
GROUP_FRAMES_MAX = 14


class EditFrame(EditMessageText):
    """An edit that shows a growing answer, as against one that stays."""


# Worth nothing later: inside a ban they are left out, all else waits its time.
FLEETING = (SendMessageDraft, SendRichMessageDraft, SendChatAction, EditFrame)
# Not seen as messages, so not counted as such.
UNCOUNTED = ("sendChatAction", "getChatMember", "deleteMessage")


class Banned(Exception):
    """A frame was left out because its chat may not be written to yet; `seconds` are left."""

    def __init__(self, seconds: float) -> None:
        super().__init__(f"{seconds:.1f} s")
        self.seconds = seconds


class Gate(BaseRequestMiddleware):
    """Stands before every request of the bot's session."""

    def __init__(self) -> None:
        # A chat, or the one message a guest may edit → time.monotonic() when it opens again.
        self._until: dict[int | str, float] = {}
        self._slow: defaultdict[int | str, int] = defaultdict(int)
        # The latest bans of all chats, and when each was.
        self._bans: deque[tuple[float, int | str]] = deque(maxlen=BANS_USUAL * STRAIN_MAX)
        self._turns: dict[int, float] = {}  # group → time.monotonic() of the last frame that was promised
        self._written: defaultdict[int, deque[float]] = defaultdict(lambda: deque(maxlen=GROUP_FRAMES_MAX))

    async def __call__(
        self,
        make_request: NextRequestMiddlewareType[TelegramType],
        bot: Bot,
        method: TelegramMethod[TelegramType],
    ) -> Response[TelegramType]:
        chat: Any = getattr(method, "chat_id", None) or getattr(method, "inline_message_id", None)
        while True:
            left = self._until.get(chat, 0.0) - time.monotonic()
            if chat is not None and left > 0:
                if isinstance(method, FLEETING):
                    raise Banned(left)
                await asyncio.sleep(left)
                continue
            self._until.pop(chat, None)
            if isinstance(chat, int) and chat < 0 and method.__api_method__ not in UNCOUNTED:
                self._written[chat].append(time.monotonic())
            try:
                return await make_request(bot, method)
            except TelegramRetryAfter as ban:
                if chat is None:
                    await asyncio.sleep(ban.retry_after)
                    continue
                log.warning("telegram.banned", chat=chat, seconds=ban.retry_after)
                now = time.monotonic()
                self._bans.append((now, chat))
                self._until[chat] = now + ban.retry_after
                self._slow[chat] = SLOW_FRAMES

    def longest_ban(self) -> float:
        """Seconds until every chat may be written to again: what goes to many waits for the strictest."""
        return max(self._until.values(), default=0.0) - time.monotonic() if self._until else 0.0

    def pace(self, chat: int, seconds: float) -> float:
        """The pause before a chat's next frame: the usual one, doubled for a while after a ban, and never inside it.

        All answers that grow in one group share its pace, and wait longer when its minute is nearly used up.
        """
        now = time.monotonic()
        if (left := self._until.get(chat, 0.0) - now) > 0:
            return left  # no frame is shown, so none of the slow ones is used up
        if self._slow[chat]:
            self._slow[chat] -= 1
            seconds *= 2
        else:
            del self._slow[chat]
        seconds *= self._strain(now)
        if chat >= 0:
            return seconds
        turn = max(now, self._turns.get(chat, 0.0)) + seconds
        if chat in self._written and len(written := self._written[chat]) == GROUP_FRAMES_MAX:
            turn = max(turn, written[0] + MINUTE)
        self._turns[chat] = turn
        return turn - now

    def _strain(self, now: float) -> float:
        """How many times as long as usual every frame waits, because too many chats were banned just now."""
        banned = {chat for at, chat in self._bans if now - at <= BANS_SECONDS}
        return max(1.0, len(banned) / BANS_USUAL)
