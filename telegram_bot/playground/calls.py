"""The log of every Bot API call, for tests and for the curious."""

from __future__ import annotations

import time
from collections import deque
from dataclasses import asdict, dataclass, field
from typing import Final

from telegram_bot.playground.shapes import Json

CALLS_KEPT: Final = 50_000


@dataclass(slots=True)
class Call:
    """One Bot API call and what became of it; `time` is monotonic and says when it came."""

    method: str
    n: int = 0
    time: float = field(default_factory=time.monotonic)
    chat_id: int | None = None
    params: Json = field(default_factory=dict)
    status: int = 200
    description: str | None = None
    hasty: int = 0  # for drafts: how many in a row came within 0.3 s of the one before

    def view(self) -> Json:
        return asdict(self)


class CallLog:
    """The newest calls, numbered from 1 in the order they were answered."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)
        self._count = 0

    def add(self, call: Call) -> None:
        self._count += 1
        call.n = self._count
        self._calls.append(call)

    def since(self, n: int) -> list[Call]:
        """The calls after the one numbered `n`."""
        return [call for call in self._calls if call.n > n]
