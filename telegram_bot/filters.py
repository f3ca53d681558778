"""Handlers are chosen in the event loop.

aiogram (3.31) sends every filter that is a plain function or an F… through a thread: some thirty hops for one
message, each waiting for the interpreter. With a hundred people at once an update took four seconds to reach its
handler (`make soak`, tests/crowd). A filter of ours looks at one message and is done in microseconds.
"""

from collections.abc import Callable, Iterator
from typing import Any

from aiogram import Router
from aiogram.dispatcher.event.handler import FilterObject


def look_in_the_loop(root: Router) -> None:
    """Let every filter of this router and those below it answer where it is asked."""
    for found in filters_of(root):
        if not found.awaitable:
            found.callback, found.awaitable = _here(found.callback), True


def filters_of(root: Router) -> Iterator[FilterObject]:
    """Every filter of a router and those below it: of its handlers, and of whole kinds of updates."""
    for router in root.chain_tail:
        for observer in router.observers.values():
            for handler in (*observer.handlers, observer._handler):
                yield from handler.filters or ()


def _here(look: Callable[..., Any]) -> Callable[..., Any]:
    async def looked(*args: Any, **kwargs: Any) -> Any:
        return look(*args, **kwargs)

    return looked
