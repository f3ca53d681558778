"""How a Request becomes the JSON of Anthropic's Messages API, and what of an answer may go back.

The same history always becomes the same bytes, and a longer history begins with them: a thinking
block is only valid while all that stood before it is unchanged.
"""

import base64
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from anthropic import types

from conversations.contracts import Media, Model, Request, RequestMessage, Role, ToolSpec
from conversations.parts import File, Opaque, Part, Text, Thinking, ToolCall, ToolResult, named
from conversations.providers.neutral import CONTINUE, NO_OUTPUT, fitting_id, fitting_name, whole

VENDOR = "anthropic"

Block = dict[str, Any]

# Summaries are asked for because without them text between tool calls arrives empty and the stream
# looks dead. One setting for all models: changing it would break the prefix of running threads.
THINKING = {"type": "adaptive", "display": "summarized"}
CACHE = {"type": "ephemeral"}  # on the request itself: the API moves the mark to the last block

# Tools of these names are sent as Anthropic's own. `direct`: their default also lets code call them, which
# some models refuse. The number of uses bounds what one call may cost before we know of it. It never changes
# with the balance: it is part of the prefix.
SEARCHES_MAX = 5  # of one call, each at a cent
SERVER_TOOLS: dict[str, Block] = {
    "web_search": {"type": "web_search_20260318", "allowed_callers": ["direct"], "max_uses": SEARCHES_MAX},
    "web_fetch": {
        "type": "web_fetch_20260318",
        "allowed_callers": ["direct"],
        "max_uses": 5,
        "max_content_tokens": 20_000,
    },
}
NAME_MAX = 128  # characters of a tool's name or a call's id

# What may be sent back of each block: the fields of the SDK's own parameter types. Fields that only
# answers have (a citation's file_id, parsed_output) are refused by the API.
TAKEN_BACK = {
    "text": types.TextBlockParam,
    "thinking": types.ThinkingBlockParam,
    "redacted_thinking": types.RedactedThinkingBlockParam,
    "tool_use": types.ToolUseBlockParam,
    "server_tool_use": types.ServerToolUseBlockParam,
    "web_search_tool_result": types.WebSearchToolResultBlockParam,
    "web_fetch_tool_result": types.WebFetchToolResultBlockParam,
    "code_execution_tool_result": types.CodeExecutionToolResultBlockParam,
    "bash_code_execution_tool_result": types.BashCodeExecutionToolResultBlockParam,
    "text_editor_code_execution_tool_result": types.TextEditorCodeExecutionToolResultBlockParam,
    "tool_search_tool_result": types.ToolSearchToolResultBlockParam,
    "container_upload": types.ContainerUploadBlockParam,
    "char_location": types.CitationCharLocationParam,
    "page_location": types.CitationPageLocationParam,
    "content_block_location": types.CitationContentBlockLocationParam,
    "web_search_result_location": types.CitationWebSearchResultLocationParam,
    "search_result_location": types.CitationSearchResultLocationParam,
}
FIELDS = {kind: frozenset(param.__annotations__) for kind, param in TAKEN_BACK.items()}
NULLABLE = frozenset({"title", "document_title"})  # required, and null when there is none


def echoed(block: Block) -> Block:
    """A returned block as the API takes it back: input fields only, in the order they came.

    A kind this code does not know is kept as it is.
    """
    fields = FIELDS.get(block.get("type", ""))
    if fields is None:
        return block
    kept = {
        name: value
        for name, value in block.items()
        if name in fields and (value is not None or name in NULLABLE)
    }
    if "citations" in kept:
        kept["citations"] = [echoed(citation) for citation in kept["citations"]]
    return kept


def body_of(model: Model, request: Request) -> dict[str, Any]:
    """The parameters of `messages.create` for this request, without `stream`."""
    body: dict[str, Any] = {
        "model": model.id,
        "max_tokens": max(1, min(request.output_max, model.output_max)),
        "thinking": THINKING,
        "messages": _messages(request.messages),
    }
    if request.purpose == "answer":  # what is asked once is read by nobody again
        body["cache_control"] = CACHE
    if request.purpose in ("title", "look"):
        body["output_config"] = {"effort": "low"}
    if request.system.strip():
        body["system"] = whole(request.system)
    if request.tools and model.tools:
        body["tools"] = [_tool(tool) for tool in request.tools]
        if not request.may_call:
            body["tool_choice"] = {"type": "none"}
    return body


def _tool(tool: ToolSpec) -> Block:
    if tool.name in SERVER_TOOLS:
        return {"name": tool.name, **SERVER_TOOLS[tool.name]}
    return {"name": tool.name, "description": tool.description, "input_schema": tool.schema}


def _messages(messages: Sequence[RequestMessage]) -> list[Block]:
    """The messages on the wire: between two of the assistant's stands one of the user, perhaps with one
    of the system after it."""
    rows = [(message.role, _blocks(message)) for message in messages]
    wire: list[Block] = []
    for is_answer, run in groupby((row for row in rows if row[1]), key=lambda row: row[0] == "assistant"):
        if is_answer:
            for _, blocks in run:
                if wire and wire[-1]["role"] == "assistant" and not _paused(wire[-1]):
                    wire.append({"role": "user", "content": [_text(CONTINUE)]})
                wire.append({"role": "assistant", "content": blocks})
        else:
            wire += _between(list(run))
    if wire and wire[-1]["role"] == "assistant" and not _paused(wire[-1]):
        wire.append({"role": "user", "content": [_text(CONTINUE)]})
    return wire


def _blocks(message: RequestMessage) -> list[Block]:
    if message.role != "assistant":
        return [block for part in message.parts for block in _user_block(part)]
    blocks = [block for part in message.parts for block in _assistant_block(part)]
    while blocks and blocks[-1]["type"] in ("thinking", "redacted_thinking"):
        blocks.pop()  # cut by max_tokens before a word: no message may end in thinking
    return blocks


def _between(rows: list[tuple[Role, list[Block]]]) -> list[Block]:
    """Everything said between two answers: results first, then words, then what the system adds.

    The system's message stands behind the user's, wherever it was appended, since an answer follows it.
    """
    said = [block for role, blocks in rows if role == "user" for block in blocks]
    said.sort(key=lambda block: block["type"] != "tool_result")  # stable: only results move, to the front
    notes = [block for role, blocks in rows if role == "system" for block in blocks]
    wire: list[Block] = [{"role": "user", "content": said or [_text(CONTINUE)]}]
    if notes:
        wire.append({"role": "system", "content": notes})
    return wire


def _paused(message: Block) -> bool:
    """Did the API pause inside a server tool? Such a message is sent last, as it is, and goes on."""
    kind = message["content"][-1]["type"]
    return kind not in ("text", "tool_use")


def _assistant_block(part: Part | Media) -> Iterator[Block]:
    """What the model said, exactly as it was returned when it was ours."""
    own = getattr(part, "luggage", {}).get(VENDOR)
    match part:
        case Text() if part.text.strip():
            yield own or _text(part.text)
        case ToolCall():
            yield own or {
                "type": "tool_use",
                "id": fitting_id(part.id, NAME_MAX),
                "name": fitting_name(part.name, NAME_MAX),
                "input": whole(part.arguments),
            }
        case Thinking() if own and own.get("signature"):
            yield own
        case Opaque() if own:
            yield own


def _user_block(part: Part | Media) -> Iterator[Block]:
    match part:
        case Text() if part.text.strip():
            yield _text(part.text)
        case ToolResult():
            block = {
                "type": "tool_result",
                "tool_use_id": fitting_id(part.call_id, NAME_MAX),
                "content": whole(part.text) if part.text.strip() else NO_OUTPUT,
            }
            yield block | {"is_error": True} if part.is_error else block
        case File():
            yield _text(named(part))
        case Media():  # its id first: the model may hand it to a tool
            yield _text(named(part.file))
            kind = "document" if part.file.mime == "application/pdf" else "image"
            data = base64.b64encode(part.content).decode()
            yield {"type": kind, "source": {"type": "base64", "media_type": part.file.mime, "data": data}}


def _text(text: str) -> Block:
    return {"type": "text", "text": whole(text)}
