"""Chat Completions: the wire that Ollama, vLLM, llama.cpp, OpenRouter and many others speak.

Written for the strictest chat templates: the system's words stand first and once, and the person and
the model take turns. No MODELS here: openai.py offers the models that `OPENAI_MODELS` names.
"""

import json
import uuid
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import groupby, pairwise
from typing import Any

from billing.pricing import Usage
from config.env import ServedModel
from conversations.contracts import (
    Done,
    Event,
    Media,
    Model,
    ProviderError,
    Reason,
    Request,
    RequestMessage,
    TextDelta,
    ThinkingDelta,
)
from conversations.parts import File, Part, Text, Thinking, ToolCall, ToolResult, named, text_of
from conversations.providers.drift import look_for_unpriced
from conversations.providers.neutral import (
    CONTINUE,
    NO_OUTPUT,
    UNPARSED,
    arguments_of,
    fitting_id,
    fitting_name,
    whole,
)
from conversations.providers.openai_http import Body, Complaint, opened, translated
from conversations.providers.openai_request import NAME_MAX, data_url
from conversations.providers.retry import retrying

# Not "openai": what the Responses API wants back means nothing to another server.
VENDOR = "openai_chat"
IMAGES = frozenset({"image/jpeg", "image/png", "image/gif", "image/webp"})
OUTPUT_SHARE = 4  # an answer may take a quarter of the window; the rest is the conversation's

# Where servers put a model's reasoning: DeepSeek, vLLM and llama.cpp the first, OpenRouter and Ollama the second.
REASONINGS = ("reasoning_content", "reasoning")
USAGE = "stream_options"  # asks for the counts; an old server may not know it
REASONS = {
    "stop": Reason.END,
    "tool_calls": Reason.TOOLS,
    "function_call": Reason.TOOLS,
    "length": Reason.LENGTH,
    "content_filter": Reason.REFUSAL,
}

Row = dict[str, Any]


def model_of(served: ServedModel) -> Model:
    """A model of the operator's server, as OPENAI_MODELS describes it."""
    return Model(
        id=served.id,
        name=served.id,
        vendor=VENDOR,
        window=served.window,
        output_max=served.window // OUTPUT_SHARE,
        stream=stream,
        reads=IMAGES if served.images else frozenset(),
        tools=served.tools,
    )


def stream(model: Model, request: Request) -> AsyncGenerator[Event, None]:
    """Yield the events of one call; raise ProviderError for everything that goes wrong."""
    body = body_of(model, request)
    return retrying(lambda: _call(body, may_call=request.may_call))


async def _call(body: Body, *, may_call: bool) -> AsyncGenerator[Event, None]:
    answer = _Answer(may_call)
    with translated():
        async with await opened("/chat/completions", body, _mended) as response:
            async for chunk in response:
                for event in answer.read(chunk):
                    yield event
    look_for_unpriced(body["model"], answer.usage, PRICED)
    if not answer.reason:
        raise ProviderError("overloaded", "cut", retryable=True)
    for event in answer.end():
        yield event


def _mended(body: Body, complaint: Complaint) -> Body | None:
    """The same request as a stricter server takes it: one that cannot be asked for counts (then we
    estimate them), or one that misses reasoning where another model called a tool (DeepSeek)."""
    if USAGE in complaint.message:
        return {name: value for name, value in body.items() if name != USAGE}
    if REASONINGS[0] in complaint.message:
        pairs = pairwise([{}, *body["messages"]])
        rows = [{REASONINGS[0]: "", **row} if _in_exchange(row, before) else row for before, row in pairs]
        return {**body, "messages": rows} if rows != body["messages"] else None
    return None


# What is asked ------------------------------------------------------------------------------------


def body_of(model: Model, request: Request) -> Body:
    """The body of `POST /chat/completions` for this request."""
    body: Body = {
        "model": model.id,
        "messages": _rows(request),
        # The newer max_completion_tokens is not known everywhere, this one is.
        "max_tokens": max(1, min(request.output_max, model.output_max)),
        "stream": True,
        USAGE: {"include_usage": True},
    }
    if request.tools and model.tools:
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": tool.name, "description": tool.description, "parameters": tool.schema},
            }
            for tool in request.tools
        ]
        if not request.may_call:
            body["tool_choice"] = "none"
    return body


def _rows(request: Request) -> list[Row]:
    """The history: one message of the person's between two answers, after the results of their calls."""
    wire: list[Row] = []
    if request.system.strip():
        wire.append({"role": "system", "content": whole(request.system)})
    told = (message for message in request.messages if _says(message))
    for is_answer, run in groupby(told, key=lambda message: message.role == "assistant"):
        if is_answer:
            for message in run:
                if wire and wire[-1]["role"] == "assistant":
                    wire.append({"role": "user", "content": CONTINUE})
                wire.append(_answer(message.parts, before=wire[-1] if wire else {}))
        else:
            wire += _between([part for message in run for part in _parts(message)])
    if wire and wire[-1]["role"] == "assistant":
        wire.append({"role": "user", "content": CONTINUE})
    return wire


def _says(message: RequestMessage) -> bool:
    """Is anything left of a message in this vendor's words?"""
    return any(
        bool(part.text.strip())
        if isinstance(part, Text)
        else isinstance(part, ToolCall | ToolResult | File | Media)
        for part in message.parts
    )


def _parts(message: RequestMessage) -> Iterator[Part | Media]:
    """A message's parts; what the system adds later is told among the person's words, marked as the system's.

    Many templates (Qwen, Mistral, Gemma) refuse a system message that does not stand first.
    """
    if message.role == "system":
        yield Text(f"<system>\n{text_of(message.parts)}\n</system>")
    else:
        yield from message.parts


def _between(parts: Sequence[Part | Media]) -> list[Row]:
    """Everything said between two answers: the results of the calls, then one message of the person's."""
    rows: list[Row] = []
    for part in parts:
        if isinstance(part, ToolResult):
            text = whole(part.text) if part.text.strip() else NO_OUTPUT
            text = f"Error: {text}" if part.is_error else text  # the API has no mark for a failure
            rows.append({"role": "tool", "tool_call_id": fitting_id(part.call_id, NAME_MAX), "content": text})
    pieces = [piece for part in parts for piece in _pieces(part)]
    if not pieces:
        return rows
    if all(piece["type"] == "text" for piece in pieces):  # a plain string is what every server takes
        content: Any = "\n\n".join(piece["text"] for piece in pieces)
    else:
        content = pieces
    return [*rows, {"role": "user", "content": content}]


def _pieces(part: Part | Media) -> Iterator[Row]:
    match part:
        case Text() if part.text.strip():
            yield {"type": "text", "text": whole(part.text)}
        case File():
            yield {"type": "text", "text": whole(named(part))}
        case Media():  # its id first: the model may hand it to a tool
            yield {"type": "text", "text": whole(named(part.file))}
            yield {"type": "image_url", "image_url": {"url": data_url(part)}}


def _answer(parts: Sequence[Part | Media], *, before: Row) -> Row:
    """What the model said. Its reasoning goes back around calls alone, in the field it came in: there some
    servers (DeepSeek) insist on it, and elsewhere it is dropped or refused."""
    text = text_of(parts)
    row: Row = {"role": "assistant", "content": whole(text) if text.strip() else None}
    if calls := [_called(part) for part in parts if isinstance(part, ToolCall)]:
        row["tool_calls"] = calls
    if _in_exchange(row, before):
        for part in parts:
            if isinstance(part, Thinking):
                row |= part.luggage.get(VENDOR, {})
    return row


def _in_exchange(row: Row, before: Row) -> bool:
    """Is this an answer that calls tools, or one to their results?"""
    return row["role"] == "assistant" and ("tool_calls" in row or before.get("role") == "tool")


def _called(call: ToolCall) -> Row:
    # As the model wrote them, when it was one of ours: other spacing would be another prefix.
    arguments = call.luggage.get(VENDOR, {}).get("arguments")
    if arguments is None:
        arguments = json.dumps(whole(call.arguments), ensure_ascii=False)
    function = {"name": fitting_name(call.name, NAME_MAX), "arguments": arguments}
    return {"id": fitting_id(call.id, NAME_MAX), "type": "function", "function": function}


# What an answer says ------------------------------------------------------------------------------


@dataclass(slots=True)
class _Call:
    """A tool call under way; servers without ids get one of ours."""

    id: str
    name: str = ""
    arguments: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Answer:
    """Reads the chunks of one completion in their order; lives as long as the response."""

    may_call: bool  # Ollama takes no notice of tool_choice: what it may not call is then dropped here
    text: list[str] = field(default_factory=list)
    thinking: list[str] = field(default_factory=list)
    thinking_field: str = ""
    calls: list[_Call] = field(default_factory=list)
    places: dict[int, _Call] = field(default_factory=dict)
    usage: Mapping[str, Any] = field(default_factory=dict)  # the last report
    refused: bool = False
    reason: str = ""

    def read(self, chunk: dict[str, Any]) -> Iterator[Event]:
        """What one chunk means: usually one piece of the answer, at the end the counts."""
        if chunk.get("usage"):
            self.usage = chunk["usage"]
            yield _counted(chunk["usage"])
        for choice in chunk.get("choices") or ():
            yield from self._delta(choice.get("delta") or {})
            self.reason = choice.get("finish_reason") or self.reason
        if self.reason == "error":
            raise Complaint({"message": "the server ended the answer with an error"}).failure()

    def _delta(self, delta: dict[str, Any]) -> Iterator[Event]:
        for name in REASONINGS:
            if delta.get(name):
                self.thinking.append(delta[name])
                self.thinking_field = name
                yield ThinkingDelta(delta[name])
                break  # vLLM sends both, with the same words
        if words := delta.get("content") or delta.get("refusal"):
            self.refused |= bool(delta.get("refusal"))
            if not self.text and self.thinking:
                yield self._thought()
            self.text.append(words)
            yield TextDelta(words)
        for piece in (delta.get("tool_calls") or ()) if self.may_call else ():
            call = self._call(piece)
            function = piece.get("function") or {}
            call.name = call.name or function.get("name") or ""
            call.arguments.append(function.get("arguments") or "")

    def _call(self, piece: dict[str, Any]) -> _Call:
        """The call that a piece belongs to. A new id begins a new call: not every server counts them."""
        place = piece.get("index") or 0
        known = self.places.get(place)
        if known is None or piece.get("id", known.id) not in (known.id, "", None):
            known = self.places[place] = _Call(piece.get("id") or f"call_{uuid.uuid4().hex[:24]}")
            self.calls.append(known)
        return known

    def _thought(self) -> Thinking:
        text = whole("".join(self.thinking))
        self.thinking.clear()
        return Thinking(text, {VENDOR: {self.thinking_field: text}})

    def end(self) -> Iterator[Event]:
        """The finished parts, once the server has said why it stopped."""
        if self.thinking:
            yield self._thought()
        text = whole("".join(self.text))
        if text.strip():
            yield Text(text)
        for call in self.calls:
            raw = whole("".join(call.arguments))
            given = arguments_of(raw)
            # Only what parses may go back: some templates read the arguments.
            own = {VENDOR: {"arguments": raw}} if raw.strip() and UNPARSED not in given else {}
            yield ToolCall(call.id, call.name, given, own)
        reason = REASONS.get(self.reason, Reason.END)
        detail = "" if self.reason in REASONS else self.reason
        if self.refused or reason is Reason.REFUSAL:
            reason, detail = Reason.REFUSAL, "refusal" if self.refused else self.reason
        elif self.calls and reason is not Reason.LENGTH:
            reason = Reason.TOOLS  # Ollama ends calls with "stop"
        elif reason is Reason.TOOLS and not self.calls:
            reason = Reason.END
        yield Done(reason, detail)


# What usage may say and we charge for; all that is below the completion is part of it.
PRICED = frozenset(
    {
        *("prompt_tokens", "completion_tokens", "total_tokens", "prompt_tokens_details.text_tokens"),
        *("prompt_tokens_details.cached_tokens", "prompt_tokens_details.cache_write_tokens"),
        *("prompt_tokens_details.image_tokens", "completion_tokens_details.reasoning_tokens"),
        *("completion_tokens_details.text_tokens", "completion_tokens_details.accepted_prediction_tokens"),
        *("completion_tokens_details.rejected_prediction_tokens",),
        *("prompt_cache_hit_tokens", "prompt_cache_miss_tokens"),  # DeepSeek: the prompt once more, in two
    }
)


def _counted(usage: Mapping[str, Any]) -> Usage:
    """The prompt holds what was read from the cache and written to it; not every server says how much."""
    details = usage.get("prompt_tokens_details") or {}
    prompt, said = usage["prompt_tokens"], usage.get("completion_tokens") or 0
    read, written = details.get("cached_tokens") or 0, details.get("cache_write_tokens") or 0
    return Usage(
        input=max(0, prompt - read - written),
        cache_read=read,
        cache_write_5m=written,
        # xAI and Gemini leave the reasoning out of the completion, but not out of the total.
        output=max(said, (usage.get("total_tokens") or 0) - prompt),
    )
