"""How a Request becomes the JSON of OpenAI's Responses API, and what of an answer may go back.

Nothing is stored at OpenAI (`store: false`): every request carries the whole history, and reasoning
travels encrypted in it. The same history always becomes the same items, and a longer one begins with them.
"""

import base64
import hashlib
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from openai.types import responses

from conversations.contracts import Media, Model, Request, RequestMessage, ToolSpec
from conversations.parts import File, Opaque, Part, Text, Thinking, ToolCall, ToolResult, named
from conversations.providers.neutral import CONTINUE, NO_OUTPUT, fitting_id, fitting_name, whole

VENDOR = "openai"

Item = dict[str, Any]

# Summaries are all one ever sees of the reasoning; without them the stream looks dead for minutes.
REASONING = {"summary": "auto"}
INCLUDE = ["reasoning.encrypted_content"]
OUTPUT_MIN = 16  # tokens; the API refuses fewer
NAME_MAX = 64  # characters of a tool's name or a call's id
WEB_SEARCH = "web_search"  # a tool of this name is sent as OpenAI's own
WEB_CALLS_MAX = 10  # searches and opened pages of one answer: each search costs a cent, before we know of it

# What may be sent back of each item and what it holds: the fields of the SDK's own parameter types.
TAKEN_BACK = {
    "message": responses.ResponseOutputMessageParam,
    "output_text": responses.ResponseOutputTextParam,
    "refusal": responses.ResponseOutputRefusalParam,
    "reasoning": responses.ResponseReasoningItemParam,
    "function_call": responses.ResponseFunctionToolCallParam,
    "web_search_call": responses.ResponseFunctionWebSearchParam,
}
FIELDS = {kind: frozenset(param.__annotations__) - {"logprobs"} for kind, param in TAKEN_BACK.items()}


def echoed(item: Item) -> Item:
    """A returned item as the API takes it back: input fields only, in the order they came.

    A kind this code does not know is kept as it is.
    """
    fields = FIELDS.get(item.get("type", ""))
    if fields is None:
        return item
    kept = {name: value for name, value in item.items() if name in fields and value is not None}
    if item["type"] == "reasoning":
        return {name: value for name, value in kept.items() if name != "content" or value}
    if isinstance(kept.get("content"), list):
        kept["content"] = [echoed(piece) for piece in kept["content"]]
    return kept


def body_of(model: Model, request: Request, *, reasoned: bool = True) -> dict[str, Any]:
    """The body of `POST /responses` for this request. Without `reasoned` all earlier reasoning is left out."""
    items = _items(request.messages, reasoned=reasoned)
    body: dict[str, Any] = {
        "model": model.id,
        "input": items,
        "max_output_tokens": max(OUTPUT_MIN, min(request.output_max, model.output_max)),
        "reasoning": REASONING,
        "include": INCLUDE,
        "prompt_cache_key": _cache_key(request.system, items),
        "store": False,
        "stream": True,
    }
    if request.system.strip():
        body["instructions"] = whole(request.system)
    if request.tools and model.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if any(tool.name == WEB_SEARCH for tool in request.tools):
            body["max_tool_calls"] = WEB_CALLS_MAX
        if not request.may_call:
            body["tool_choice"] = "none"
    return body


def _cache_key(system: str, items: Sequence[Item]) -> str:
    """Sends the requests of one thread to one cache: the same for all of them, for they begin alike."""
    beginning = json.dumps([whole(system), items[:1]])
    return hashlib.sha256(beginning.encode()).hexdigest()[:32]


def _tool(tool: ToolSpec) -> Item:
    if tool.name == WEB_SEARCH:
        return {"type": "web_search"}
    return {
        "type": "function",
        "name": tool.name,
        "description": tool.description,
        "parameters": tool.schema,
        "strict": False,  # strict schemas demand every parameter; ours have optional ones
    }


def _items(messages: Sequence[RequestMessage], *, reasoned: bool) -> list[Item]:
    """The history as items: between two answers stands something of the person's, and so it does at the end."""
    rows = [(message, _items_of(message, reasoned=reasoned)) for message in messages]
    wire: list[Item] = []
    answered = False
    for is_answer, run in groupby(
        (row for row in rows if row[1]), key=lambda row: row[0].role == "assistant"
    ):
        if is_answer:
            for _, items in run:
                if answered:
                    wire.append(_said("user", CONTINUE))
                wire += items
                answered = True
        else:
            wire += _between(list(run))
            answered = False
    if answered:
        wire.append(_said("user", CONTINUE))
    return wire


def _between(rows: list[tuple[RequestMessage, list[Item]]]) -> list[Item]:
    """Everything said between two answers: results first, for their calls wait for them."""
    items = [item for _, found in rows for item in found]
    if all(message.role == "system" for message, _ in rows):
        items.insert(0, _said("user", CONTINUE))
    return sorted(items, key=lambda item: item.get("type") != "function_call_output")  # stable


def _items_of(message: RequestMessage, *, reasoned: bool) -> list[Item]:
    if message.role == "assistant":
        return _answer(message.parts, reasoned=reasoned)
    role = "developer" if message.role == "system" else "user"
    results = [_result(part) for part in message.parts if isinstance(part, ToolResult)]
    content = [piece for part in message.parts for piece in _content(part)]
    return [*results, {"role": role, "content": content}] if content else results


def _answer(parts: Sequence[Part | Media], *, reasoned: bool) -> list[Item]:
    """What the model said, exactly as it was returned when it was ours.

    An item's id binds it to the reasoning before it: the API refuses the one without the other. What
    lost its reasoning (an answer that was cut keeps its words alone) is sent without an id.
    """
    bound = reasoned and any(_is_reasoning(part) for part in parts)
    items = [item for part in parts for item in _answered(part, bound=bound, reasoned=reasoned)]
    while items and items[-1].get("type") == "reasoning":
        items.pop()  # cut before a word: reasoning never stands without what follows from it
    return items


def _answered(part: Part | Media, *, bound: bool, reasoned: bool) -> Iterator[Item]:
    own: Item | None = getattr(part, "luggage", {}).get(VENDOR)
    match part:
        case Text() if part.text.strip():
            if own and bound:
                yield own
            else:
                phase = {"phase": own["phase"]} if own and "phase" in own else {}
                yield {"role": "assistant", "content": whole(part.text), **phase}
        case ToolCall():
            if own:
                yield own if bound else {name: value for name, value in own.items() if name != "id"}
            else:
                yield {
                    "type": "function_call",
                    "call_id": fitting_id(part.id, NAME_MAX),
                    "name": fitting_name(part.name, NAME_MAX),
                    "arguments": json.dumps(whole(part.arguments), ensure_ascii=False),
                }
        case Thinking() if bound and _is_reasoning(part):
            yield own or {}
        case Opaque() if own and reasoned:
            yield own


def _is_reasoning(part: object) -> bool:
    """Is this our own reasoning, with the encrypted content that alone makes it worth sending?"""
    return isinstance(part, Thinking) and bool(part.luggage.get(VENDOR, {}).get("encrypted_content"))


def _result(result: ToolResult) -> Item:
    output = whole(result.text) if result.text.strip() else NO_OUTPUT
    return {
        "type": "function_call_output",
        "call_id": fitting_id(result.call_id, NAME_MAX),
        # The API has no mark for a failure.
        "output": f"Error: {output}" if result.is_error else output,
    }


def _content(part: Part | Media) -> Iterator[Item]:
    match part:
        case Text() if part.text.strip():
            yield _text(part.text)
        case File():
            yield _text(named(part))
        case Media():  # its id first: the model may hand it to a tool
            yield _text(named(part.file))
            url = data_url(part)
            if part.file.mime == "application/pdf":
                yield {
                    "type": "input_file",
                    "filename": whole(part.file.name) or "file.pdf",
                    "file_data": url,
                }
            else:
                yield {"type": "input_image", "detail": "auto", "image_url": url}


def data_url(media: Media) -> str:
    return f"data:{media.file.mime};base64,{base64.b64encode(media.content).decode()}"


def _text(text: str) -> Item:
    return {"type": "input_text", "text": whole(text)}


def _said(role: str, text: str) -> Item:
    return {"role": role, "content": [_text(text)]}
