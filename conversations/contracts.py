"""The shapes that providers, tools and the loop agree on. Pure: no tables, no network, no settings.

A provider is a module with `MODELS` and an async generator that yields events. A tool is a typed
coroutine (tool_contract.py). What one request gathers is its own `Reply` (reply.py); nothing of it is shared.
"""

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, Protocol

from billing.pricing import Usage
from conversations.parts import File, Opaque, Part, Text, Thinking, ToolCall
from conversations.tool_contract import Earlier as Earlier
from conversations.tool_contract import Files as Files
from conversations.tool_contract import NewFile as NewFile
from conversations.tool_contract import Tool as Tool
from conversations.tool_contract import ToolContext as ToolContext
from conversations.tool_contract import ToolFailed as ToolFailed
from conversations.tool_contract import ToolOutput as ToolOutput
from conversations.tool_contract import ToolSpec as ToolSpec

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
class Request:
    """One model call. For one thread every request begins with the bytes of the one before."""

    system: str
    messages: tuple[RequestMessage, ...]
    tools: tuple[ToolSpec, ...]
    output_max: int  # tokens, thinking included
    may_call: bool = True  # False: the tools stay listed, so the prefix stands, but none may be called
    purpose: Literal["answer", "summary", "title", "look"] = "answer"  # the others are asked once


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
    native: frozenset[str] = frozenset()  # tools that its vendor runs itself when it is told their names
    searches_max: int = 0  # that its vendor may run, and charge for, in one call: the request says so


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
