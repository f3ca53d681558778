"""How a Bot API method is registered: `@method(SendMessage)` over a coroutine of (context, call)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any, Final, TypeAlias, TypeVar

from aiogram.methods import TelegramMethod

from telegram_bot.playground.shapes import Uploads
from telegram_bot.playground.state import State

M = TypeVar("M", bound=TelegramMethod[Any])
Handler: TypeAlias = Callable[["Context", Any], Awaitable[Any]]


@dataclass(frozen=True, slots=True)
class Context:
    """What a method works on."""

    state: State
    uploads: Uploads = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Entry:
    """A method: its arguments' type and what carries it out."""

    kind: type[TelegramMethod[Any]]
    handler: Handler

    @property
    def name(self) -> str:
        return self.kind.__api_method__


# By lower-cased name: Telegram's method names are case-insensitive.
METHODS: Final[dict[str, Entry]] = {}


def method(
    kind: type[M],
) -> Callable[[Callable[[Context, M], Awaitable[Any]]], Callable[[Context, M], Awaitable[Any]]]:
    """Register the coroutine that answers this method."""

    def register(handler: Callable[[Context, M], Awaitable[Any]]) -> Callable[[Context, M], Awaitable[Any]]:
        METHODS[kind.__api_method__.lower()] = Entry(kind, handler)
        return handler

    return register
