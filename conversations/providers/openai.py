"""OpenAI: its own models on the Responses API, or those of any compatible server on Chat Completions.

`OPENAI_BASE_URL` says which: another address than OpenAI's is a server of the operator's choice, whose
models `OPENAI_MODELS` names. How a Request becomes JSON is in openai_request.py, the other wire in openai_chat.py.
"""

from collections.abc import AsyncGenerator, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

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
from conversations.providers import openai_chat
from conversations.providers.drift import look_for_unpriced
from conversations.providers.neutral import arguments_of, whole
from conversations.providers.openai_http import Body, Complaint, Mend, client, opened, translated, unsigned
from conversations.providers.openai_request import VENDOR, WEB_CALLS_MAX, WEB_SEARCH, body_of, echoed
from conversations.providers.retry import retrying

INCOMPLETE = {"max_output_tokens": Reason.LENGTH, "content_filter": Reason.REFUSAL}
# A policy stopped the model: an end of its own kind, and no failure of ours.
POLICIES = {
    "bio_policy": "bio",
    "cyber_policy": "cyber",
    "misalignment_policy_violation": "misalignment",
    "invalid_prompt": "prompt",
}
SUMMARIES = "reasoning.summary"  # the parameter that unverified organizations may not use
UNREADABLE = "invalid_encrypted_content"  # reasoning of another organization: the key was changed


def ready() -> bool:
    """Is there a key, or a server that may need none?"""
    return bool(settings.OPENAI_API_KEY or settings.OPENAI_COMPATIBLE)


def stream(model: Model, request: Request) -> AsyncGenerator[Event, None]:
    """Yield the events of one call; raise ProviderError for everything that goes wrong."""

    def mend(body: Body, complaint: Complaint) -> Body | None:
        if complaint.said("param") == SUMMARIES:
            return {name: value for name, value in body.items() if name != "reasoning"}
        return body_of(model, request, reasoned=False) if UNREADABLE in complaint.kinds else None

    body = body_of(model, request)
    return retrying(lambda: _call(body, mend))


async def listed() -> frozenset[str]:
    """The ids that this key may ask, by the cheapest call there is. Raises ProviderError."""
    with translated():
        return frozenset([model.id async for model in client().models.list(extra_headers=unsigned())])


async def _call(body: Body, mend: Mend) -> AsyncGenerator[Event, None]:
    answer = _Answer()
    with translated():
        async with await opened("/responses", body, mend) as response:
            async for event in response:
                for found in answer.read(event):
                    yield found
    if not answer.ended:
        raise ProviderError("overloaded", "cut", retryable=True)


# What an answer says ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Item:
    """An output item under way: its type, and the pieces that were shown of it."""

    type: str
    pieces: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """Reads the events of one response in their order; lives as long as the response."""

    items: dict[int, _Item] = field(default_factory=dict)
    searches: int = 0
    called: bool = False
    refused: bool = False
    ended: bool = False

    def read(self, event: dict[str, Any]) -> Iterator[Event]:
        """What one server-sent event means. Kinds this code does not know mean nothing."""
        match event.get("type"):
            case "response.output_text.delta" | "response.refusal.delta":
                yield from self._shown(event, TextDelta(event["delta"]))
            case "response.reasoning_summary_text.delta" | "response.reasoning_text.delta":
                yield from self._shown(event, ThinkingDelta(event["delta"]))
            case "response.reasoning_summary_part.added" if event["summary_index"]:
                yield from self._shown(event, ThinkingDelta("\n\n"))
            case "response.output_item.added":
                self.items[event["output_index"]] = _Item(event["item"]["type"])
            case "response.output_item.done":
                shown = self.items.pop(event["output_index"]).pieces
                yield from self._part(event["item"], "".join(shown))
            case "response.completed" | "response.incomplete" | "response.failed":
                yield from self._end(event["response"])
            case "error":
                raise Complaint(event.get("error") or event).failure()

    def _shown(self, event: dict[str, Any], delta: TextDelta | ThinkingDelta) -> Iterator[Event]:
        self.items[event["output_index"]].pieces.append(delta.text)
        if delta.text:
            yield delta

    def _part(self, item: dict[str, Any], shown: str) -> Iterator[Event]:
        """The finished part, with the item as the API will take it back in its luggage."""
        match item["type"]:
            case "message":
                yield from self._message(item, shown)
            case "reasoning":
                summary = "\n\n".join(piece["text"] for piece in item.get("summary") or ())
                text = shown or whole(summary)
                if text and not shown:
                    yield ThinkingDelta(text)
                yield Thinking(whole(text), {VENDOR: echoed(whole(item))})
            case "function_call":
                self.called = True
                own = {VENDOR: echoed(whole(item))}
                yield ToolCall(item["call_id"], item["name"], arguments_of(item["arguments"]), own)
            case kind:
                self.searches += (
                    kind == "web_search_call" and (item.get("action") or {}).get("type") == "search"
                )
                yield Opaque({VENDOR: echoed(whole(item))})

    def _message(self, item: dict[str, Any], shown: str) -> Iterator[Event]:
        text = ""
        citations: list[dict[str, Any]] = []
        for piece in item["content"]:
            self.refused |= piece["type"] == "refusal"
            text += piece.get("text") or piece.get("refusal") or ""
            citations += piece.get("annotations") or ()
        text += _links(citations, text)
        if text.startswith(shown) and text != shown:
            yield TextDelta(text.removeprefix(shown))
        if text.strip():
            yield Text(whole(text), {VENDOR: echoed(whole(item))})

    def _end(self, response: dict[str, Any]) -> Iterator[Event]:
        if response.get("usage"):
            look_for_unpriced(response.get("model", VENDOR), _reported(response), PRICED)
            yield _counted(response["usage"], response.get("tool_usage") or {}, self.searches)
        status, detail = response["status"], ""
        if status == "failed":
            error = response.get("error") or {}
            if error.get("code") not in POLICIES:
                raise Complaint(error).failure()
            reason, detail = Reason.REFUSAL, POLICIES[error["code"]]
        elif status == "incomplete":
            detail = (response.get("incomplete_details") or {}).get("reason") or status
            reason = INCOMPLETE.get(detail, Reason.END)
        elif self.refused:
            reason, detail = Reason.REFUSAL, "refusal"
        else:
            reason = Reason.TOOLS if self.called else Reason.END
        for item in self.items.values():  # cut by the end, and never called done
            text = "".join(item.pieces)
            if item.type == "message" and text.strip():
                yield Text(whole(text))
        self.ended = True
        yield Done(reason, "" if reason is Reason.LENGTH else detail)


def _links(citations: list[dict[str, Any]], text: str) -> str:
    """What the words rest on, as links behind them. Most answers already name their pages where they use them."""
    named: dict[str, str] = {}
    for citation in citations:
        if citation.get("type") == "url_citation" and citation["url"] not in text:
            named.setdefault(citation["url"], citation.get("title") or citation["url"])
    lines = [f"* [{_plain(title)}](<{url}>)" for url, title in named.items()]
    return "\n\n" + "\n".join(lines) if lines else ""


def _plain(title: str) -> str:
    return " ".join(title.replace("[", "(").replace("]", ")").split())


# What a response may say of its usage and we charge for: counts, and what they are made of.
PRICED = frozenset(
    {
        *("input_tokens", "output_tokens", "total_tokens", "output_tokens_details.reasoning_tokens"),
        *("input_tokens_details.cached_tokens", "input_tokens_details.cache_write_tokens"),
        *("input_tokens_details.cache_write_tokens_details.ttl_30m_tokens",),
        *("tool_usage.web_search.num_requests", "service_tier=default", "service_tier=auto"),
    }
)


def _reported(response: Mapping[str, Any]) -> dict[str, Any]:
    tools, tier = response.get("tool_usage"), response.get("service_tier")
    return {**response["usage"], "tool_usage": tools, "service_tier": tier}


def _counted(usage: Mapping[str, Any], tools: Mapping[str, Any], searches: int) -> Usage:
    """OpenAI's input holds what was read from the cache and written to it, its output the reasoning."""
    details = usage.get("input_tokens_details") or {}
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    billed = (tools.get("web_search") or {}).get("num_requests")
    return Usage(
        input=max(0, usage["input_tokens"] - read - written),
        cache_read=read,
        cache_write_5m=written,  # kept for 30 minutes; the dearer 12 hours are never asked for
        output=usage["output_tokens"],
        web_searches=searches if billed is None else billed,
    )


# The models ---------------------------------------------------------------------------------------

READS = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf"})
WINDOW = 1_050_000  # developers.openai.com/api/docs/models, November 2026: of it 922,000 are input
OUTPUT_MAX = 128_000


def _model(model_id: str, name: str) -> Model:
    own = frozenset({WEB_SEARCH})
    return Model(
        model_id, name, VENDOR, WINDOW, OUTPUT_MAX, stream, READS, native=own, searches_max=WEB_CALLS_MAX
    )


# The newest of each size that genai-prices knows a price for.
OWN = (
    _model("gpt-6-astra", "GPT-6 Astra"),
    _model("gpt-6.1-sol", "GPT-6.1 Sol"),
    _model("gpt-6.1-terra", "GPT-6.1 Terra"),
    _model("gpt-6-luna", "GPT-6 Luna"),
)
MODELS = tuple(map(openai_chat.model_of, settings.OPENAI_MODELS)) if settings.OPENAI_COMPATIBLE else OWN
