"""Claude, on Anthropic's Messages API.

Reads the raw server-sent events: the SDK's own event objects cost about 6 ms of CPU a stream, and a
block must be kept exactly as it came. How a Request becomes JSON is in claude_request.py.
"""

import functools
import json
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx2
from anthropic import AsyncAnthropic, AsyncStream
from django.conf import settings

from billing.pricing import Usage
from conversations.contracts import (
    Done,
    Event,
    Model,
    ProviderError,
    Reason,
    Request,
    TextDelta,
    ThinkingDelta,
)
from conversations.parts import Opaque, Text, Thinking, ToolCall
from conversations.providers.claude_request import SEARCHES_MAX, SERVER_TOOLS, VENDOR, body_of, echoed
from conversations.providers.drift import look_for_unpriced
from conversations.providers.neutral import arguments_of, seconds_of, whole
from conversations.providers.retry import retrying

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 120.0  # the API sends a ping well within this; a longer silence is a dead connection
MODELS_LISTED_MAX = 1000  # GET /v1/models, limit: all of them on one page
DETAIL_MAX = 300  # characters of the API's own sentence kept for the log

# What a failure asks for, by the API's own error types (anthropic.types.shared.ErrorType).
FAILURES: dict[str, tuple[str, bool]] = {  # type: (key, retryable)
    "invalid_request_error": ("bad_request", False),
    "authentication_error": ("key", False),
    "billing_error": ("key", False),
    "permission_error": ("key", False),
    "not_found_error": ("gone", False),
    "request_too_large": ("context", False),
    "rate_limit_error": ("limited", True),
    "timeout_error": ("timeout", True),
    "api_error": ("overloaded", True),
    "overloaded_error": ("overloaded", True),
}
# The same for answers without the API's JSON, as a proxy between gives them.
STATUS_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    402: "billing_error",
    403: "permission_error",
    404: "not_found_error",
    408: "timeout_error",
    413: "request_too_large",
    429: "rate_limit_error",
    504: "timeout_error",
    529: "overloaded_error",
}
# How the API says in a 400 that the window is full; it has no error code of its own for this.
WINDOW_WORDS = ("prompt is too long", "exceed context limit")

REASONS = {
    "end_turn": Reason.END,
    "stop_sequence": Reason.END,
    "tool_use": Reason.TOOLS,
    "max_tokens": Reason.LENGTH,
    "pause_turn": Reason.PAUSE,
    "refusal": Reason.REFUSAL,
    "model_context_window_exceeded": Reason.CONTEXT,
}
# What usage may say and we charge for: counts, what they are made of, and what costs nothing besides its tokens.
PRICED = frozenset(
    {
        *("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens"),
        *("cache_creation.ephemeral_5m_input_tokens", "cache_creation.ephemeral_1h_input_tokens"),
        *("output_tokens_details.thinking_tokens",),
        *("server_tool_use.web_search_requests", "server_tool_use.web_fetch_requests"),
        *("service_tier=standard", "speed=standard", "inference_geo=global", "inference_geo=not_available"),
    }
)


def ready() -> bool:
    """Is there a key to call the API with?"""
    return bool(settings.ANTHROPIC_API_KEY)


@functools.cache
def client() -> AsyncAnthropic:
    """The one HTTP client; nothing of a request is kept on it."""
    return AsyncAnthropic(
        api_key=settings.ANTHROPIC_API_KEY,
        base_url=settings.ANTHROPIC_BASE_URL or None,
        timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
        max_retries=0,  # retry.py counts the tries, for every provider alike
    )


def stream(model: Model, request: Request) -> AsyncGenerator[Event, None]:
    """Yield the events of one call; raise ProviderError for everything that goes wrong."""
    body = body_of(model, request)
    return retrying(lambda: _call(body))


async def listed() -> frozenset[str]:
    """The ids that this key may ask, by the cheapest call there is. Raises ProviderError."""
    with _translated():
        return frozenset([model.id async for model in client().models.list(limit=MODELS_LISTED_MAX)])


async def _call(body: dict[str, Any]) -> AsyncGenerator[Event, None]:
    answer = _Answer()
    with _translated():
        async with client().messages.with_streaming_response.create(**body, stream=True) as response:
            async for sse in AsyncStream.raw_events(response.http_response):
                if sse.data:
                    for event in answer.read(json.loads(sse.data)):
                        yield event
    look_for_unpriced(body["model"], answer.usage, PRICED)
    if not answer.ended:
        raise ProviderError("overloaded", "cut", retryable=True)


@contextmanager
def _translated() -> Iterator[None]:
    """Everything that goes wrong inside becomes a ProviderError."""
    try:
        yield
    except anthropic.APIStatusError as error:
        raise _refused(error) from error
    except (anthropic.APITimeoutError, httpx2.TimeoutException) as error:
        raise ProviderError("timeout", type(error).__name__, retryable=True) from error
    except (anthropic.APIConnectionError, httpx2.HTTPError) as error:
        raise ProviderError("overloaded", f"connection: {type(error).__name__}", retryable=True) from error
    except (ValueError, LookupError) as error:  # half an event, half a character: the stream is broken
        raise ProviderError("overloaded", "cut", retryable=True) from error


# What an answer says ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Block:
    """A content block under way: as it was opened, and the pieces that came since."""

    start: dict[str, Any]
    text: list[str] = field(default_factory=list)
    signature: list[str] = field(default_factory=list)
    json: list[str] = field(default_factory=list)
    citations: list[Any] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """Reads the events of one response in their order; lives as long as the response."""

    blocks: dict[int, _Block] = field(default_factory=dict)
    usage: dict[str, Any] = field(default_factory=dict)
    reason: str = ""
    detail: str = ""
    ended: bool = False

    def read(self, event: dict[str, Any]) -> Iterator[Event]:
        """What one server-sent event means. Kinds this code does not know mean nothing."""
        match event.get("type"):
            case "content_block_delta":
                yield from self._delta(self.blocks[event["index"]], event["delta"])
            case "content_block_start":
                block = self.blocks[event["index"]] = _Block(event["content_block"])
                yield from self._opening(block)
            case "content_block_stop":
                yield from _part(self.blocks.pop(event["index"]))
            case "message_start":
                yield self._counted(event["message"].get("usage"))
            case "message_delta":
                delta = event["delta"]
                self.reason = delta.get("stop_reason") or self.reason
                self.detail = (delta.get("stop_details") or {}).get("category") or self.detail
                yield self._counted(event.get("usage"))
            case "message_stop":
                self.ended = True
                yield _done(self.reason, self.detail)
            case "error":
                error = event.get("error") or {}
                raise _failure(error.get("type") or "api_error", f"after 200: {error.get('message')}")

    def _opening(self, block: _Block) -> Iterator[Event]:
        """Text or thinking that came with the block's opening is a first delta."""
        kind = block.start.get("type")
        if kind == "text" and block.start.get("text"):
            yield from self._delta(block, {"type": "text_delta", "text": block.start["text"]})
        elif kind == "thinking" and block.start.get("thinking"):
            yield from self._delta(block, {"type": "thinking_delta", "thinking": block.start["thinking"]})

    def _delta(self, block: _Block, delta: dict[str, Any]) -> Iterator[Event]:
        match delta.get("type"):
            case "text_delta" if delta.get("text"):
                block.text.append(delta["text"])
                yield TextDelta(delta["text"])
            case "thinking_delta" if delta.get("thinking"):
                block.text.append(delta["thinking"])
                yield ThinkingDelta(delta["thinking"])
            case "input_json_delta" if delta.get("partial_json"):
                block.json.append(delta["partial_json"])
            case "signature_delta" if delta.get("signature"):
                block.signature.append(delta["signature"])
            case "citations_delta":
                block.citations.append(delta["citation"])

    def _counted(self, report: Mapping[str, Any] | None) -> Usage:
        """The counts so far. Every report is cumulative, and leaves out what it has nothing new on."""
        self.usage.update({name: count for name, count in (report or {}).items() if count is not None})
        written = self.usage.get("cache_creation_input_tokens", 0)
        # Without the breakdown a write is a 5 minute one: what the API makes unless asked otherwise.
        hour = min(self.usage.get("cache_creation", {}).get("ephemeral_1h_input_tokens", 0), written)
        return Usage(
            input=self.usage.get("input_tokens", 0),
            cache_read=self.usage.get("cache_read_input_tokens", 0),
            cache_write_5m=written - hour,
            cache_write_1h=hour,
            output=self.usage.get("output_tokens", 0),
            web_searches=self.usage.get("server_tool_use", {}).get("web_search_requests", 0),
        )


def _part(block: _Block) -> Iterator[Event]:
    """The finished part, with the block as the API will take it back in its luggage."""
    full = dict(block.start)
    match full.get("type"):
        case "text":
            full["text"] = whole("".join(block.text))
            full["citations"] = block.citations or full.get("citations")
            if full["text"]:  # an empty block says nothing, and the API refuses it back
                yield Text(full["text"], {VENDOR: echoed(full)})
        case "thinking":
            full["thinking"] = whole("".join(block.text))
            full["signature"] = "".join(block.signature) or full.get("signature", "")
            yield Thinking(full["thinking"], {VENDOR: echoed(full)})
        case "tool_use":
            full["input"] = _arguments(block)
            yield ToolCall(full["id"], full["name"], full["input"], {VENDOR: echoed(full)})
        case _:
            if block.json:
                full["input"] = _arguments(block)
            yield Opaque({VENDOR: echoed(full)})


def _arguments(block: _Block) -> dict[str, Any]:
    """A call's arguments, as they streamed in or as they stood in the opening."""
    raw = "".join(block.json)
    return arguments_of(raw if raw.strip() else json.dumps(block.start.get("input") or {}))


def _done(reason: str, detail: str) -> Done:
    """A reason this code does not know ends the answer too, and is named."""
    known = REASONS.get(reason)
    return Done(known, detail) if known else Done(Reason.END, detail or reason)


# What a refusal means -----------------------------------------------------------------------------


def _refused(error: anthropic.APIStatusError) -> ProviderError:
    headers = error.response.headers
    kind = error.type or STATUS_TYPES.get(error.status_code, "")
    if not kind:
        kind = "api_error" if error.status_code >= 500 else "invalid_request_error"
    if error.status_code == 413:
        kind = "request_too_large"
    # The page of a proxy is never repeated, only the API's own sentence.
    said = f"{error.status_code} {error.request_id or ''} {error.api_message or ''}".strip()
    return _failure(kind, said, headers)


def _failure(kind: str, said: str, headers: Mapping[str, str] | None = None) -> ProviderError:
    key, retryable = FAILURES.get(kind, ("bad_request", False))
    if key == "bad_request" and any(words in said for words in WINDOW_WORDS):
        key = "context"
    headers = headers or {}
    if headers.get("x-should-retry") == "false":
        retryable = False
    return ProviderError(
        key,
        f"{kind}: {said}"[:DETAIL_MAX],
        retryable=retryable,
        wait_seconds=seconds_of(headers.get("retry-after")) if retryable else None,
    )


# The models ---------------------------------------------------------------------------------------

READS = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf"})
WINDOW = 1_000_000  # every 5.x model, November 2026; GET /v1/models says the same as max_input_tokens
OUTPUT_MAX = 128_000


def _model(model_id: str, name: str) -> Model:
    own = frozenset(SERVER_TOOLS)
    return Model(
        model_id, name, VENDOR, WINDOW, OUTPUT_MAX, stream, READS, native=own, searches_max=SEARCHES_MAX
    )


MODELS = (
    _model("claude-opus-5-5", "Claude Opus 5.5"),
    _model("claude-sonnet-5-5", "Claude Sonnet 5.5"),
    _model("claude-haiku-5-5", "Claude Haiku 5.5"),
    _model("claude-fable-5-2", "Claude Fable 5.2"),
)
