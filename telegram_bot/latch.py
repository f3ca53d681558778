"""Where Telegram has refused a rich message, none is tried for a while: the answer is worth more than its looks."""

import time

LATCH_SECONDS = 600.0  # long enough for a conversation, short enough that a fixed server is found out


class RichLatch:
    """Which chats get no rich messages just now; what it remembers is gone with the process."""

    def __init__(self) -> None:
        self._until: dict[int, float] = {}  # chat → time.monotonic()

    def shut(self, chat_id: int) -> None:
        """Telegram has refused one there."""
        self._until[chat_id] = time.monotonic() + LATCH_SECONDS

    def is_shut(self, chat_id: int) -> bool:
        until = self._until.get(chat_id)
        if until is None:
            return False
        if time.monotonic() < until:
            return True
        del self._until[chat_id]
        return False
