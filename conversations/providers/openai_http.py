"""One call over OpenAI's SDK, for both wires: the client, the events as plain JSON, and what a refusal means.

The events are read as JSON: the SDK's own objects cost CPU for every delta, and an item must be kept
exactly as it came. No MODELS here, so no provider.
"""

import functools
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Self

import httpx2
import openai
from django.conf import settings
from openai import AsyncOpenAI, AsyncStream, Omit
from openai._types import RequestOptions

from conversations.contracts import ProviderError

Body = dict[str, Any]
# What to send instead of a body that the server refused, or None when nothing can be done.
Mend = Callable[[Body, "Complaint"], Body | None]

NO_KEY = "none"  # the SDK insists on a word; it is never sent
CONNECT_SECONDS = 5.0
# Nothing pings while a model thinks, and a local server may load 40 GB before its first word.
SILENCE_SECONDS = 300.0
DETAIL_MAX = 300  # characters of the API's own sentence kept for the log

# What a failure asks for, by the API's own codes and types: (key, retryable). "server_error" is not here: it is
# what an unknown failure is, and OpenRouter says so with a status as its code that knows better. The codes of
# openai.types.responses.ResponseError, of the guide to error codes, and of llama.cpp's server.
FAILURES: dict[str, tuple[str, bool]] = {
    "context_length_exceeded": ("context", False),
    "exceed_context_size_error": ("context", False),
    "string_above_max_length": ("context", False),
    "invalid_api_key": ("key", False),
    "insufficient_quota": ("key", False),  # a 429 that no waiting cures: the account has no money
    "billing_hard_limit_reached": ("key", False),
    "billing_not_active": ("key", False),
    "model_not_found": ("gone", False),
    "rate_limit_exceeded": ("limited", True),
    "slow_down": ("limited", True),
    "server_is_overloaded": ("overloaded", True),
    "overloaded_error": ("overloaded", True),
    "invalid_prompt": ("refused", False),
    "bio_policy": ("refused", False),
    "cyber_policy": ("refused", False),
    "misalignment_policy_violation": ("refused", False),
    "content_policy_violation": ("refused", False),
    "image_content_policy_violation": ("refused", False),
    "content_filter": ("refused", False),
}
# The same for answers without a known code, as proxies and other servers give them.
STATUSES: dict[int, tuple[str, bool]] = {
    401: ("key", False),
    402: ("key", False),
    403: ("key", False),
    404: ("gone", False),
    408: ("timeout", True),
    409: ("overloaded", True),
    413: ("context", False),
    429: ("limited", True),
    504: ("timeout", True),
}
# How servers say without a code that the window is full: vLLM, OpenRouter, llama.cpp, and OpenAI of a
# request that alone is larger than the account's tokens per minute.
WINDOW_WORDS = (
    "maximum context length",
    "context window",
    "context size",
    "prompt is too long",
    "request too large",
)


@dataclass(frozen=True, slots=True)
class Complaint:
    """An error as a server sent it, in a stream or instead of one."""

    error: Any  # the API's error object, or whatever came in its place
    status: int = 0  # 0 inside a stream
    headers: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def of(cls, error: openai.APIError) -> Self:
        if isinstance(error, openai.APIStatusError):
            return cls(error.body, error.status_code, error.response.headers)
        return cls(error.body)

    def said(self, name: str) -> str:
        """A field of the error as text; the page of a proxy has none."""
        value = self.error.get(name) if isinstance(self.error, dict) else None
        return str(value) if isinstance(value, str | int) else ""

    @property
    def message(self) -> str:
        return self.said("message") or self.said("detail")

    @property
    def kinds(self) -> tuple[str, ...]:
        return tuple(kind for kind in (self.said("code"), self.said("type")) if kind)

    def failure(self) -> ProviderError:
        key, retryable = self._meaning()
        if self.headers.get("x-should-retry") == "false":
            retryable = False
        named = (str(self.status or "after 200"), *self.kinds, self.headers.get("x-request-id", ""))
        return ProviderError(
            key,
            f"{' '.join(name for name in named if name)}: {self.message}"[:DETAIL_MAX],
            retryable=retryable,
            wait_seconds=_seconds(self.headers) if retryable else None,
        )

    def _meaning(self) -> tuple[str, bool]:
        if any(words in self.message.lower() for words in WINDOW_WORDS):
            return "context", False
        for kind in self.kinds:
            if kind in FAILURES:
                return FAILURES[kind]
        # vLLM and OpenRouter repeat the status as the code, also inside a stream.
        status = self.status or next((int(kind) for kind in self.kinds if kind.isdecimal()), 500)
        return STATUSES.get(status, ("overloaded", True) if status >= 500 else ("bad_request", False))


@functools.cache
def client() -> AsyncOpenAI:
    """The one HTTP client; nothing of a request is kept on it."""
    return AsyncOpenAI(
        api_key=settings.OPENAI_API_KEY or NO_KEY,
        base_url=settings.OPENAI_BASE_URL,
        timeout=httpx2.Timeout(SILENCE_SECONDS, connect=CONNECT_SECONDS),
        max_retries=0,  # retry.py counts the tries, for every provider alike
    )


async def opened(path: str, body: Body, mend: Mend) -> AsyncStream[Any]:
    """One call under way, its events as JSON objects. A body that `mend` can put right is sent once more."""
    try:
        return await _opened(path, body)
    except openai.BadRequestError as error:
        mended = mend(body, Complaint.of(error))
        if mended is None:
            raise
    return await _opened(path, mended)


async def _opened(path: str, body: Body) -> AsyncStream[Any]:
    options: RequestOptions = {"headers": unsigned()}
    return await client().post(
        path,
        cast_to=object,  # the SDK's way of saying: as it came
        body=body,
        options=options,
        stream=True,
        stream_cls=AsyncStream[object],
    )


def unsigned() -> dict[str, Omit]:
    """The headers of a call without a key: many servers of one's own need none, and then none is sent."""
    return {} if settings.OPENAI_API_KEY else {"Authorization": Omit()}


@contextmanager
def translated() -> Iterator[None]:
    """Everything that goes wrong inside becomes a ProviderError."""
    try:
        yield
    except openai.APITimeoutError as error:
        raise ProviderError("timeout", type(error).__name__, retryable=True) from error
    except openai.APIConnectionError as error:
        cause = type(error.__cause__ or error).__name__
        raise ProviderError("overloaded", f"connection: {cause}", retryable=True) from error
    except openai.APIError as error:
        raise Complaint.of(error).failure() from error
    except httpx2.TimeoutException as error:
        raise ProviderError("timeout", type(error).__name__, retryable=True) from error
    except httpx2.HTTPError as error:
        raise ProviderError("overloaded", f"connection: {type(error).__name__}", retryable=True) from error
    except (ValueError, LookupError) as error:  # half an event, half a character: the stream is broken
        raise ProviderError("overloaded", "cut", retryable=True) from error


def _seconds(headers: Mapping[str, str]) -> float | None:
    """`retry-after-ms` or `retry-after` in seconds, or None when absent or not a number."""
    for name, divisor in (("retry-after-ms", 1000.0), ("retry-after", 1.0)):
        try:
            seconds = float(headers.get(name) or "") / divisor
        except ValueError:
            continue
        if 0 <= seconds < float("inf"):
            return seconds
    return None
