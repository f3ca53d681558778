"""An uploaded file where aiogram's types will have nothing but an InputFile."""

from __future__ import annotations

from collections.abc import AsyncGenerator

from aiogram import Bot
from aiogram.types import InputFile


class Attached(InputFile):
    """The name of a file in the request's body, `attach://…`."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self.name = name

    async def read(self, bot: Bot) -> AsyncGenerator[bytes, None]:
        """Nothing: the bytes are in the request."""
        yield b""
