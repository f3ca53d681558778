"""Why a sound call may still be refused: flood control, failures a test asked for, and the pace."""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, field
from typing import Final

from telegram_bot.playground.errors import too_many_requests

# https://core.telegram.org/bots/faq#my-bot-is-hitting-limits: about 1 message/s per chat, 30/s in all.
CHAT_PER_SECOND: Final = 1.0
CHAT_BURST: Final = 20.0  # undocumented and flexible; short bursts pass
# The same FAQ: "bots are not able to send more than 20 messages per minute" to one group.
GROUP_PER_SECOND: Final = 20 / 60
GROUP_BURST: Final = 20.0
TOTAL_PER_SECOND: Final = 30.0
TOTAL_BURST: Final = 60.0
RETRY_AFTER_MIN_SECONDS: Final = 3
# What the pace counts: everything a person sees arrive.
PACED_PREFIXES: Final = ("send", "edit", "copy", "forward")
UNPACED: Final = frozenset({"sendChatAction"})
# Drafts closer together than this are counted in the call log; production bots were banned for less.
HASTY_DRAFT_SECONDS: Final = 0.3


@dataclass(slots=True)
class Flood:
    """Flood control on one chat until a monotonic moment; no methods named means all of them."""

    until: float
    methods: frozenset[str] | None


@dataclass(slots=True)
class Failure:
    """The next calls of one method fail so; status 0 drops the connection after the call was carried out."""

    status: int
    description: str
    times: int
    retry_after: int | None = None


@dataclass(slots=True)
class Bucket:
    """A token bucket: `rate` a second, `size` at once."""

    rate: float
    size: float
    level: float = field(init=False)
    at: float = field(default_factory=time.monotonic)

    def __post_init__(self) -> None:
        self.level = self.size

    def take(self) -> float:
        """Take one token; the seconds to wait when there is none, else 0."""
        now = time.monotonic()
        self.level = min(self.size, self.level + (now - self.at) * self.rate)
        self.at = now
        if self.level < 1:
            return (1 - self.level) / self.rate
        self.level -= 1
        return 0.0


class Limits:
    """Decides whether a call may go on."""

    def __init__(self, *, pace: bool = False) -> None:
        self.pace = pace
        self._floods: dict[int, Flood] = {}
        self._failures: dict[str, Failure] = {}
        self._total = Bucket(TOTAL_PER_SECOND, TOTAL_BURST)
        self._per_chat: dict[int, Bucket] = {}
        self._last_draft: dict[int, float] = {}
        self._hasty: dict[int, int] = {}

    def flood(self, chat_id: int, seconds: float, methods: list[str] | None = None) -> None:
        """Answer 429 to calls for this chat from now on; 0 seconds ends it."""
        named = frozenset(methods) if methods else None
        self._floods[chat_id] = Flood(time.monotonic() + seconds, named)

    def fail(
        self, method: str, status: int, description: str = "", times: int = 1, retry_after: int | None = None
    ) -> None:
        """Let the next calls of a method fail."""
        self._failures[method] = Failure(status, description, times, retry_after)

    def failure(self, method: str) -> Failure | None:
        """The failure this call has to meet, used up by asking."""
        failure = self._failures.get(method)
        if failure is None or failure.times <= 0:
            return None
        failure.times -= 1
        return failure

    def check(self, method: str, chat_id: int | None) -> None:
        """Raise 429 with the seconds left when this call comes too early."""
        if chat_id is None:
            return
        flood = self._floods.get(chat_id)
        if flood is not None and (flood.methods is None or method in flood.methods):
            left = flood.until - time.monotonic()
            if left > 0:
                raise too_many_requests(math.ceil(left))
        if self.pace and method.startswith(PACED_PREFIXES) and method not in UNPACED:
            usual = (GROUP_PER_SECOND, GROUP_BURST) if chat_id < 0 else (CHAT_PER_SECOND, CHAT_BURST)
            chat = self._per_chat.setdefault(chat_id, Bucket(*usual))
            wait = chat.take() or self._total.take()
            if wait:
                raise too_many_requests(max(RETRY_AFTER_MIN_SECONDS, math.ceil(wait)))

    def hasty_drafts(self, chat_id: int) -> int:
        """Count a draft; how many in a row came too soon after the one before."""
        now = time.monotonic()
        soon = now - self._last_draft.get(chat_id, -math.inf) < HASTY_DRAFT_SECONDS
        self._last_draft[chat_id] = now
        self._hasty[chat_id] = self._hasty.get(chat_id, 0) + 1 if soon else 0
        return self._hasty[chat_id]
