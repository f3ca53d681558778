"""Gemini, on Google's generateContent API.

How a Request becomes its contents is in gemini_request.py, how a search becomes links in gemini_sources.py.
"""

import asyncio
import base64
import functools
import hashlib
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import httpx2
from django.conf import settings
from google import genai
from google.genai import errors, types

from billing.pricing import PriceUnusable, Usage
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
from conversations.providers import gemini_counts
from conversations.providers.gemini_request import VENDOR, Json, body_of, luggage_of
from conversations.providers.gemini_sources import as_links
from conversations.providers.neutral import seconds_of
from conversations.providers.retry import retrying

CONNECT_SECONDS = 5.0
SILENCE_SECONDS = 300.0  # the API sends no pings, and may think for minutes before its first summary
CONNECTIONS_MAX = 1000  # one for every answer under way
DETAIL_MAX = 300  # characters of the API's own sentence kept for the log

# What a failure asks for, by the API's own status (google.rpc.Code).
FAILURES: dict[str, tuple[str, bool]] = {  # status: (key, retryable)
    "INVALID_ARGUMENT": ("bad_request", False),
    "OUT_OF_RANGE": ("bad_request", False),
    "UNIMPLEMENTED": ("bad_request", False),
    "FAILED_PRECONDITION": ("key", False),  # no billing, or a country that is not served
    "UNAUTHENTICATED": ("key", False),
    "PERMISSION_DENIED": ("key", False),
    "NOT_FOUND": ("gone", False),
    "RESOURCE_EXHAUSTED": ("limited", True),
    "DEADLINE_EXCEEDED": ("timeout", True),
    "ABORTED": ("overloaded", True),
    "CANCELLED": ("overloaded", True),
    "INTERNAL": ("overloaded", True),
    "UNAVAILABLE": ("overloaded", True),
    "UNKNOWN": ("overloaded", True),
}
# The same for answers without the API's JSON, as a proxy between gives them.
STATUSES = {
    401: "UNAUTHENTICATED",
    402: "PERMISSION_DENIED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    408: "DEADLINE_EXCEEDED",
    429: "RESOURCE_EXHAUSTED",
    504: "DEADLINE_EXCEEDED",
}
# How the API says in a 400 that too much was sent; it has no error code of its own for this.
WINDOW_WORDS = ("exceeds the maximum number of tokens", "payload size exceeds")
KEY_REASONS = {"API_KEY_INVALID", "API_KEY_EXPIRED"}  # a wrong key is a 400 with this in its details

REASONS = {
    "STOP": Reason.END,
    "MAX_TOKENS": Reason.LENGTH,
    "CONTINUATION": Reason.LENGTH,
    "SAFETY": Reason.REFUSAL,
    "RECITATION": Reason.REFUSAL,
    "LANGUAGE": Reason.REFUSAL,
    "BLOCKLIST": Reason.REFUSAL,
    "PROHIBITED_CONTENT": Reason.REFUSAL,
    "SPII": Reason.REFUSAL,
    "ESCALATION": Reason.REFUSAL,
    "MODEL_ARMOR": Reason.REFUSAL,
    "PUP_LIMITED_DISABLED": Reason.REFUSAL,
    "IMAGE_SAFETY": Reason.REFUSAL,
    "IMAGE_PROHIBITED_CONTENT": Reason.REFUSAL,
    "IMAGE_RECITATION": Reason.REFUSAL,
}
# The model broke off at a call it could not form. What it said so far stands, and it may go on, like an
# answer that did not fit; when it said nothing yet, the call is made again.
BROKEN_OFF = {"MALFORMED_FUNCTION_CALL", "MALFORMED_RESPONSE", "UNEXPECTED_TOOL_CALL", "TOO_MANY_TOOL_CALLS"}


def ready() -> bool:
    """Is there a key to call the API with?"""
    return bool(settings.GEMINI_API_KEY)


@functools.cache
def http() -> httpx2.AsyncClient:
    """The connections below `client()`, ours to set the limits of: the SDK knows one timeout only."""
    return httpx2.AsyncClient(
        event_hooks={"request": [_timed]},
        limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=100),
    )


@functools.cache
def client() -> genai.Client:
    """The one API client; nothing of a request is kept on it. Without retry options it tries once."""
    options = types.HttpOptions(base_url=settings.GEMINI_BASE_URL, httpx_async_client=http())
    return genai.Client(api_key=settings.GEMINI_API_KEY, vertexai=False, http_options=options)


async def _timed(request: httpx2.Request) -> None:
    request.extensions["timeout"] = httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS).as_dict()


def stream(model: Model, request: Request) -> AsyncGenerator[Event, None]:
    """Yield the events of one call; raise ProviderError for everything that goes wrong."""
    body = body_of(model, request)
    return retrying(lambda: _call(model, body))


async def listed() -> frozenset[str]:
    """The ids that this key may ask, by the cheapest call there is. Raises ProviderError."""
    try:
        models = [model async for model in await client().aio.models.list()]
    except errors.APIError as error:
        raise refused(error) from error
    except httpx2.HTTPError as error:
        raise ProviderError("overloaded", f"connection: {type(error).__name__}", retryable=True) from error
    return frozenset((model.name or "").removeprefix("models/") for model in models)


async def _call(model: Model, body: Json) -> AsyncGenerator[Event, None]:
    answer = _Answer(model.id, seed=str(len(body["contents"])))
    try:
        async with aclosing(_chunks(model, body)) as chunks:
            async for chunk in chunks:
                for event in answer.read(chunk):
                    yield event
    except PriceUnusable as error:  # counts that are none
        raise ProviderError("overloaded", f"usage: {error}", retryable=True) from error
    gemini_counts.look_at(model.id, answer.report)
    if not answer.ended:
        raise ProviderError("overloaded", "cut", retryable=True)
    for event in answer.end():
        yield event


async def _chunks(model: Model, body: Json) -> AsyncGenerator[types.GenerateContentResponse, None]:
    """The chunks of one response; its errors are ProviderErrors.

    A task reads them: cancelled, it closes the connection at once. To close the SDK's own generators
    leaves the one that holds the connection to the garbage collector, and the answer is paid on.
    """
    arrived: asyncio.Queue[types.GenerateContentResponse | None] = asyncio.Queue()
    # The body goes in as it is, in place of `contents`: made of the SDK's own types, a history of 1000
    # messages holds the event loop for 280 ms, and what they do not know yet is lost.
    config = types.GenerateContentConfig(
        http_options=types.HttpOptions(extra_body=body),
        # The house runs the tools and asks again; the SDK does neither of itself.
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )

    async def read() -> None:
        models = client().aio.models
        try:
            async for chunk in await models.generate_content_stream(
                model=model.id, contents="replaced by the body", config=config
            ):
                arrived.put_nowait(chunk)
        finally:
            arrived.put_nowait(None)

    reading = asyncio.create_task(read())
    try:
        while (chunk := await arrived.get()) is not None:
            yield chunk
        await reading
    except errors.APIError as error:
        raise refused(error) from error
    except httpx2.TimeoutException as error:
        raise ProviderError("timeout", type(error).__name__, retryable=True) from error
    except httpx2.HTTPError as error:
        raise ProviderError("overloaded", f"connection: {type(error).__name__}", retryable=True) from error
    except (ValueError, LookupError, TypeError, AttributeError) as error:  # half a chunk, or no chunk at all
        raise ProviderError("overloaded", "cut", retryable=True) from error
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)


# What an answer says ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Answer:
    """Reads the chunks of one response in their order; lives as long as the response."""

    model_id: str
    seed: str  # of the ids we make: the response's own id, or how long the history was
    words: list[str] = field(default_factory=list)  # of the text or the thought under way
    thinking: bool = False
    said: bool = False
    calls: int = 0
    asked: set[str] = field(default_factory=set)  # what was searched for, by the calls of the search
    grounding: types.GroundingMetadata = field(default_factory=types.GroundingMetadata)
    usage: Usage | None = None
    report: gemini_counts.Report | None = None  # the last one
    finish: str = ""
    blocked: str = ""

    @property
    def ended(self) -> bool:
        return bool(self.finish or self.blocked)

    def read(self, chunk: types.GenerateContentResponse) -> Iterator[Event]:
        """What one chunk means."""
        candidate = chunk.candidates[0] if chunk.candidates else types.Candidate()
        parts = candidate.content.parts or [] if candidate.content else []
        self.seed = chunk.response_id or self.seed
        self.said = self.said or any(part.text != "" for part in parts)
        if (found := candidate.grounding_metadata) and (found.grounding_chunks or found.web_search_queries):
            self.grounding = found
        if candidate.finish_reason:
            self.finish = candidate.finish_reason.value
        if chunk.prompt_feedback and chunk.prompt_feedback.block_reason:
            self.blocked = chunk.prompt_feedback.block_reason.value
        if self.finish == "MISSING_THOUGHT_SIGNATURE":
            raise ProviderError("bad_request", self.finish)
        if self.finish in BROKEN_OFF and not self.said:
            raise ProviderError("overloaded", self.finish, retryable=True)
        for part in parts:
            self.asked.update(_queries(part))
        yield from self._counted(chunk.usage_metadata)
        for part in parts:
            yield from self._part(part)

    def end(self) -> Iterator[Event]:
        """What follows the last chunk: the part under way, the links, and why it ended."""
        yield from self._close()
        done = self._done()
        if done.reason in (Reason.END, Reason.TOOLS) and (links := as_links(self.grounding)):
            yield TextDelta(links)
            yield Text(links, luggage_of(self.model_id, sources=True))
        yield done

    def _part(self, part: types.Part) -> Iterator[Event]:
        signed = {}
        if part.thought_signature:
            signed = {"signature": base64.b64encode(part.thought_signature).decode()}
        if part.function_call:
            yield from self._close()
            yield self._call_of(part.function_call, signed)
        elif part.text is not None:
            thinking = bool(part.thought)
            if self.words and (signed or thinking != self.thinking):
                yield from self._close()  # a signature is of its own part, and of nothing before it
            self.thinking = thinking
            if part.text:
                self.words.append(part.text)
                yield ThinkingDelta(part.text) if thinking else TextDelta(part.text)
            if signed and not part.text:  # behind the last words there often stands an empty, signed part
                yield self._opaque(part)
            elif signed:
                yield from self._close(signed)
        elif part.model_dump(exclude_none=True):  # a kind that the SDK does not know comes out empty
            yield from self._close()
            yield self._opaque(part)

    def _close(self, signed: dict[str, str] | None = None) -> Iterator[Event]:
        """The text or the thought under way, finished."""
        if self.words:
            text = "".join(self.words)
            self.words = []
            if self.thinking:
                yield Thinking(text, luggage_of(self.model_id, **(signed or {})))
            else:
                yield Text(text, luggage_of(self.model_id, **signed) if signed else {})

    def _call_of(self, call: types.FunctionCall, signed: dict[str, str]) -> ToolCall:
        self.calls += 1
        made = hashlib.sha256(f"{self.seed}:{self.calls}".encode()).hexdigest()[:24]
        luggage = luggage_of(self.model_id, **signed)
        return ToolCall(call.id or f"call_{made}", call.name or "unnamed", call.args or {}, luggage)

    def _opaque(self, part: types.Part) -> Opaque:
        kept = part.model_dump(mode="json", by_alias=True, exclude_none=True)
        return Opaque(luggage_of(self.model_id, part=kept))

    def _counted(self, report: gemini_counts.Report | None) -> Iterator[Usage]:
        """The counts so far, when they are new."""
        if report is None:
            return
        self.report = report
        queries = {query for query in self.grounding.web_search_queries or () if query}
        usage = gemini_counts.usage_of(report, max(len(queries), len(self.asked)))  # each query is charged
        if usage != self.usage:
            self.usage = usage
            yield usage

    def _done(self) -> Done:
        """A reason this code does not know ends the answer too, and is named."""
        if self.blocked:
            return Done(Reason.REFUSAL, f"prompt: {self.blocked}")
        if self.finish in BROKEN_OFF:
            return Done(Reason.LENGTH, self.finish)
        reason = REASONS.get(self.finish)
        if reason in (Reason.END, None) and self.calls:  # whatever it is called: results are waited for
            return Done(Reason.TOOLS, "" if reason else self.finish)
        return Done(reason or Reason.END, self.finish if reason in (None, Reason.REFUSAL) else "")


def _queries(part: types.Part) -> Iterator[str]:
    """What a search of the vendor's own was asked."""
    queries = (part.tool_call.args or {}).get("queries") if part.tool_call else None
    if isinstance(queries, list):
        yield from (query for query in queries if isinstance(query, str) and query)


# What a refusal means -----------------------------------------------------------------------------


def refused(error: errors.APIError) -> ProviderError:
    """An error of the API as the house knows it; its image model refuses in the same words."""
    said = error.message or ""
    status = error.status or ""
    if status not in FAILURES:  # the page of a proxy: never repeated
        said = ""
        status = STATUSES.get(error.code) or ("UNAVAILABLE" if error.code >= 500 else "INVALID_ARGUMENT")
    key, retryable = FAILURES[status]
    details = _details(error)
    if error.code == 413 or any(words in said for words in WINDOW_WORDS):
        key = "context"
    elif any(detail.get("reason") in KEY_REASONS for detail in details):
        key = "key"
    return ProviderError(
        key,
        f"{status}: {error.code} {said}".strip()[:DETAIL_MAX],
        retryable=retryable,
        wait_seconds=_wait(error, details) if retryable else None,
    )


def _details(error: errors.APIError) -> list[dict[str, Any]]:
    """The typed details of an error (google.rpc.RetryInfo, ErrorInfo …), if it has any."""
    body = error.details if isinstance(error.details, dict) else {}
    inner = body.get("error")
    details = inner.get("details") if isinstance(inner, dict) else None
    return [detail for detail in details if isinstance(detail, dict)] if isinstance(details, list) else []


def _wait(error: errors.APIError, details: list[dict[str, Any]]) -> float | None:
    """How long the API asks to wait: in RetryInfo ("34.07s"), or in the header that proxies send."""
    for detail in details:
        if str(detail.get("@type")).endswith("google.rpc.RetryInfo"):
            return seconds_of(str(detail.get("retryDelay")).removesuffix("s"))
    headers = getattr(error.response, "headers", None) or {}
    return seconds_of(headers.get("retry-after"))


# The models ---------------------------------------------------------------------------------------

# ai.google.dev/gemini-api/docs, image, document, audio and video understanding, November 2026.
READS = frozenset(
    [f"image/{kind}" for kind in ("png", "jpeg", "webp", "heic", "heif")]
    + [f"audio/{kind}" for kind in ("wav", "mp3", "mpeg", "aiff", "aac", "ogg", "flac")]
    + [f"video/{kind}" for kind in ("mp4", "mpeg", "mov", "quicktime", "avi", "x-flv", "webm", "wmv", "3gpp")]
    + ["application/pdf"]
)
WINDOW = 1_048_576  # every model below; models.list says the same as inputTokenLimit
OUTPUT_MAX = 65_536  # of one request; Gemini 4 goes on beyond it only by continuation


def _model(model_id: str, name: str) -> Model:
    return Model(model_id, name, VENDOR, WINDOW, OUTPUT_MAX, stream, READS)


MODELS = (
    _model("gemini-4-argon", "Gemini 4 Argon"),
    _model("gemini-3.8-flash", "Gemini 3.8 Flash"),
    _model("gemini-3.5-flash-lite", "Gemini 3.5 Flash-Lite"),
)
