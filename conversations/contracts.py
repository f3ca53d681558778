"""The shapes that providers, tools and the loop agree on. Pure: no tables, no network, no settings.

A provider is a module with `MODELS` and an async generator that yields events. A tool is a typed
coroutine. What one request gathers is its own `Reply` (reply.py); nothing is kept on anything shared.
"""

from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from enum import StrEnum
from typing import Any, Literal, Protocol

from billing.pricing import Usage
from conversations.parts import File, Opaque, Part, Text, Thinking, ToolCall

# What a request says -----------------------------------------------------------------------------

Role = Literal["user", "assistant", "system"]


@dataclass(frozen=True, slots=True)
class Media:
    """A file with its bytes, for a model that `reads` its kind. Filled in for one call, never stored."""

    file: File
    content: bytes


@dataclass(frozen=True, slots=True)
class RequestMessage:
    """One message as a provider is to send it.

    ToolResult parts stand in a user message. A File the model reads comes as Media; one that it does
    not read stays a File, and its provider names it by `parts.named`. A system message in the middle
    carries what changed since the thread began (the date, new instructions); it is appended, never edited.
    """

    role: Role
    parts: tuple[Part | Media, ...]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool as the model is told of it; frozen on the thread, so a deploy never changes a prefix."""

    name: str
    description: str
    schema: dict[str, Any]  # JSON Schema of the arguments, an object


@dataclass(frozen=True, slots=True)
class Request:
    """One model call. For one thread every request begins with the bytes of the one before."""

    system: str
    messages: tuple[RequestMessage, ...]
    tools: tuple[ToolSpec, ...]
    output_max: int  # tokens, thinking included
    may_call: bool = True  # False: the tools stay listed, so the prefix stands, but none may be called
    purpose: Literal["answer", "summary", "title"] = "answer"  # the others are asked once


# What a provider yields --------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class ThinkingDelta:
    text: str


class Reason(StrEnum):
    """Why a model stopped."""

    END = "end"
    TOOLS = "tools"  # it waits for the results of its calls
    LENGTH = "length"  # output_max reached: the loop lets it go on
    PAUSE = "pause"  # a server tool paused the turn: resent as it is
    REFUSAL = "refusal"
    CONTEXT = "context"  # the window is full


@dataclass(frozen=True, slots=True)
class Done:
    """The last event of a stream that ended by itself."""

    reason: Reason
    detail: str = ""


# A finished part follows its deltas and carries its luggage. The last `Usage` counts; without `Done` it was cut.
Event = TextDelta | ThinkingDelta | Text | Thinking | ToolCall | Opaque | Usage | Done


class Stream(Protocol):
    def __call__(self, model: "Model", request: Request) -> AsyncGenerator[Event, None]:
        """Yield the events of one call; raise ProviderError for everything that goes wrong."""
        ...


@dataclass(frozen=True, slots=True)
class Model:
    """One model of one vendor, as data."""

    id: str  # the vendor's exact id, the key of its price
    name: str  # as a person reads it
    vendor: str  # whose luggage it echoes
    window: int  # tokens, input and output together
    output_max: int  # tokens of one answer
    stream: Stream
    reads: frozenset[str] = frozenset()  # media types it takes as native content
    tools: bool = True


class ProviderError(Exception):
    """A model call failed. Says what to do, never what the vendor's page said.

    `retryable`: the same request may work later, after `wait_seconds` if the vendor named a time.
    `key` names the sentence a person gets: overloaded, limited, timeout, cut, context, key, gone, refused,
    bad_request.
    """

    def __init__(
        self, key: str, detail: str = "", *, retryable: bool = False, wait_seconds: float | None = None
    ) -> None:
        super().__init__(f"{key}: {detail}" if detail else key)
        self.key = key
        self.detail = detail
        self.retryable = retryable
        self.wait_seconds = wait_seconds


# What a tool is ----------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class NewFile:
    """Bytes a tool made; the loop stores them and gives them a short id."""

    name: str
    mime: str
    content: bytes


@dataclass(frozen=True, slots=True)
class ToolOutput:
    """Text for the model, files for the person, and what it cost in dollars."""

    text: str
    files: tuple[NewFile, ...] = ()
    cost: Decimal = Decimal(0)
    details: Mapping[str, Any] = field(default_factory=dict)  # units and usage behind the cost


class ToolFailed(Exception):
    """The tool could not do it. The model reads the sentence and corrects itself."""


class Files(Protocol):
    """The files of one thread, and of no other."""

    async def read(self, file_id: str) -> tuple[File, bytes]:
        """A file and its bytes. Raises ToolFailed, listing the valid ids, when there is none."""
        ...

    async def listing(self) -> Sequence[File]: ...


@dataclass(frozen=True, slots=True)
class ToolContext:
    """What a tool may know: for whom it works, and the thread's files. No Telegram, no wallet, no tables."""

    user_id: int
    thread_id: int
    language: str  # "en" or "ru"
    files: Files


@dataclass(frozen=True, slots=True)
class Tool:
    """One thing a model can do: a coroutine and what the loop must know before it runs."""

    name: str
    description: str
    schema: dict[str, Any]
    run: Callable[..., Awaitable[ToolOutput]]  # run(context, **arguments)
    label: Any  # lazy words for the draft while it runs: "Setting a formula"
    icon: str  # one emoji before the label
    price_max: Decimal  # dollars a call may cost at most; 0 is free
    seconds_max: float
    repeatable: bool  # may run again when a crash left its outcome unknown
    runs_in: Literal["bot", "worker"] = "bot"

    @property
    def spec(self) -> ToolSpec:
        return ToolSpec(self.name, self.description, self.schema)
