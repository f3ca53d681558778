"""What a test has the OpenAI stand-in say on either wire: answers as parts, and everything that can go wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Item = dict[str, Any]


@dataclass(frozen=True)
class Words:
    """A message of the model's, streamed in pieces of `piece` characters."""

    text: str
    piece: int = 12
    citations: tuple[Item, ...] = ()
    phase: str = ""


@dataclass(frozen=True)
class Thought:
    """A reasoning item with its summaries; Chat Completions joins them in `reasoning_content`."""

    summaries: tuple[str, ...]
    piece: int = 12
    field: str = "reasoning_content"  # where a compatible server puts it


@dataclass(frozen=True)
class Use:
    """A function call; `raw` streams JSON of its own instead of `arguments`, whole or broken."""

    name: str
    arguments: Item = field(default_factory=dict)
    id: str | None = None  # "" for a server that gives none
    raw: str | None = None
    piece: int = 7


@dataclass(frozen=True)
class Search:
    """OpenAI's own web search, or another thing it does on the web."""

    query: str
    action: str = "search"


@dataclass(frozen=True)
class Refuses:
    """The model declines, in words of its own."""

    text: str


@dataclass(frozen=True)
class Hold:
    """The stream stands still until the test sets `until`; `reached` tells the test that it does."""

    until: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Sent:
    """Any event or chunk, as it stands: kinds that do not exist yet."""

    event: Item


@dataclass(frozen=True)
class Cut:
    """The connection breaks here; `clean` ends the body as if nothing were missing."""

    clean: bool = False


@dataclass(frozen=True)
class ErrorEvent:
    """An error inside a stream that began with HTTP 200."""

    code: Any = "server_error"
    message: str = "The server had an error while processing your request."


Step = Words | Thought | Use | Search | Refuses | Hold | Sent | Cut | ErrorEvent


@dataclass(frozen=True)
class Says:
    """One answer: its parts in order. How it ends follows from them unless told."""

    steps: tuple[Step, ...]
    incomplete: str = ""  # incomplete_details.reason, or the finish_reason of a chat
    failed: Item | None = None  # the error of response.failed
    counts: bool = True  # whether usage comes at all
    before: Hold | None = None  # stands still before the response begins
    web_searches: int | None = None  # tool_usage as billed; None leaves it out


@dataclass(frozen=True)
class Fails:
    """An HTTP error, before any byte of a stream."""

    status: int
    code: Any = None
    type: str = "invalid_request_error"
    message: str = "It did not work."
    param: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None  # instead of the API's JSON: what a proxy between would say


Answer = Says | Fails
Script = Callable[[Item], Answer]


def by_itself(body: Item) -> Answer:
    """What the stand-in says when no test told it."""
    return Says((Thought(("The person asks something.",)), Words("This is a stand-in for a model.\n")))


def pieces(text: str, size: int) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]
