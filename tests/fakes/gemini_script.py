"""What a test has the Gemini stand-in say: replies as parts, and everything that can go wrong."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]


@dataclass(frozen=True)
class Words:
    """Text, streamed in pieces of `piece` characters; `signed` puts a signature on the last of them."""

    text: str
    piece: int = 12
    signed: bool = False


@dataclass(frozen=True)
class Thought:
    """A summary of what was thought; unlike calls it has no signature unless asked for."""

    text: str
    piece: int = 12
    signed: bool = False


@dataclass(frozen=True)
class Use:
    """A function call. Calls side by side come in one chunk, and the first of them is signed."""

    name: str
    args: Json | None = None
    id: str | None = ""  # one is made; None: the vendor gives none


@dataclass(frozen=True)
class Search:
    """A Google search that the vendor runs itself, and the pages it stood on, as (title, address)."""

    queries: tuple[str, ...]
    pages: tuple[tuple[str, str], ...] = ()
    tokens: int = 50  # of what was found, counted as toolUsePromptTokenCount


@dataclass(frozen=True)
class Raw:
    """A part as it stands: kinds that do not exist yet."""

    part: Json


@dataclass(frozen=True)
class Sent:
    """A whole chunk as it stands."""

    chunk: Json


@dataclass(frozen=True)
class Wait:
    seconds: float


@dataclass(frozen=True)
class Hold:
    """The stream stands still until the test sets `until`; `reached` tells the test that it does."""

    until: asyncio.Event = field(default_factory=asyncio.Event)
    reached: asyncio.Event = field(default_factory=asyncio.Event)


@dataclass(frozen=True)
class Cut:
    """The connection breaks here; `clean` ends the body as if nothing were missing."""

    clean: bool = False


@dataclass(frozen=True)
class ErrorChunk:
    """An error inside a stream that began with HTTP 200."""

    code: int = 503
    message: str = "The model is overloaded. Please try again later."


Step = Words | Thought | Use | Search | Raw | Sent | Wait | Hold | Cut | ErrorChunk


@dataclass(frozen=True)
class Says:
    """One answer: its parts in order, and why it ended."""

    steps: tuple[Step, ...]
    finish: str = "STOP"
    delay: float = 0.0  # seconds before every chunk
    before: float = 0.0  # seconds before the response begins
    response_id: str | None = ""  # one is made; None: the vendor gives none


@dataclass(frozen=True)
class Blocks:
    """The prompt is blocked: no candidate comes at all."""

    reason: str = "PROHIBITED_CONTENT"


@dataclass(frozen=True)
class Fails:
    """An HTTP error, before any byte of a stream."""

    code: int
    status: str = ""
    message: str = ""
    details: tuple[Json, ...] = ()
    headers: dict[str, str] = field(default_factory=dict)
    body: str | None = None  # instead of the API's JSON: what a proxy between would say


Answer = Says | Blocks | Fails
Script = Callable[[Json], Answer]

STATUSES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    429: "RESOURCE_EXHAUSTED",
    499: "CANCELLED",
    500: "INTERNAL",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


def retry_in(delay: str) -> Json:
    """The detail by which the API says how long to wait: `retry_in("34.07s")`."""
    return {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": delay}


def by_itself(_body: Json) -> Answer:
    """What the stand-in says when no test told it."""
    return Says((Thought("The person asks something."), Words("This is a stand-in for Gemini.\n")))
