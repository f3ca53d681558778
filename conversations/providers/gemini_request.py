"""How a Request becomes the contents and the config of Gemini's generateContent.

The same history always becomes the same bytes, and a longer history begins with them: Google's cache
reads a prefix only while it is unchanged. Only what every model of ours takes is sent: no sampling
parameters and no thinking budget, which they refuse or ignore.
"""

import base64
import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from google.genai import types

from conversations.contracts import Media, Model, Request, RequestMessage, ToolSpec
from conversations.parts import File, Luggage, Opaque, Part, Text, Thinking, ToolCall, ToolResult, named
from conversations.providers.neutral import CONTINUE, NO_OUTPUT, fitting_id, fitting_name, whole

VENDOR = "google"
SEARCH = "web_search"  # the tool of this name is Gemini's own: Google Search, run inside the call

# A function call without a signature is refused by every thinking model, and one that another vendor or
# model made has none that counts. This stands for "there never was one" (ai.google.dev, thought signatures).
UNSIGNED = b"skip_thought_signature_validator"

NAME_MAX = 128  # characters of a function's name; ids have no limit of their own

# Gemini has no system message in the middle; the tag keeps it apart from what the person said.
NOTE = "<system_note>\n{}\n</system_note>"


def luggage_of(model_id: str, **kept: Any) -> Luggage:
    """What Gemini wants back, for the model that made it: another one refuses its signatures."""
    return {VENDOR: {"model": model_id, **kept}}


def request_of(model: Model, request: Request) -> tuple[list[types.Content], types.GenerateContentConfig]:
    """The arguments of `generate_content_stream` for this request, beside the model."""
    tools = request.tools if model.tools else ()
    config = types.GenerateContentConfig(
        max_output_tokens=max(1, min(request.output_max, model.output_max)),
        thinking_config=types.ThinkingConfig(include_thoughts=True),
        # The house runs the tools and asks again; the SDK does neither of itself.
        automatic_function_calling=types.AutomaticFunctionCallingConfig(disable=True),
        automatic_continuation=False,
    )
    if request.system.strip():
        config.system_instruction = whole(request.system)
    if tools:
        config.tools = [*_tools(tools)]
        config.tool_config = _tool_config(tools, request.may_call)
    return _contents(model, request.messages), config


# Tools --------------------------------------------------------------------------------------------


def _tools(tools: Sequence[ToolSpec]) -> Iterator[types.Tool]:
    functions = [_function(tool) for tool in tools if tool.name != SEARCH]
    if functions:
        yield types.Tool(function_declarations=functions)
    if _has_search(tools):
        yield types.Tool(google_search=types.GoogleSearch())


def _function(tool: ToolSpec) -> types.FunctionDeclaration:
    # An object without properties is refused as a schema; a function without parameters has none.
    schema = whole(tool.schema) if tool.schema.get("properties") else None
    return types.FunctionDeclaration(
        name=tool.name, description=whole(tool.description), parameters_json_schema=schema
    )


def _tool_config(tools: Sequence[ToolSpec], may_call: bool) -> types.ToolConfig:
    """How tools may be used. A search stays possible where no function may be called: it waits for nobody."""
    config = types.ToolConfig()
    if _has_search(tools):  # beside functions it is only taken with its calls shown and sent back
        config.include_server_side_tool_invocations = True
    if not may_call and any(tool.name != SEARCH for tool in tools):
        none = types.FunctionCallingConfigMode.NONE
        config.function_calling_config = types.FunctionCallingConfig(mode=none)
    return config


def _has_search(tools: Sequence[ToolSpec]) -> bool:
    return any(tool.name == SEARCH for tool in tools)


# Messages -----------------------------------------------------------------------------------------


def _contents(model: Model, messages: Sequence[RequestMessage]) -> list[types.Content]:
    """The messages on the wire, the model's and the user's in turn, the last one the user's."""
    rows = [(message.role == "assistant", _parts(model, message)) for message in messages]
    wire: list[types.Content] = []
    for is_answer, run in groupby((row for row in rows if row[1]), key=lambda row: row[0]):
        if not is_answer:
            said = [part for _, parts in run for part in parts]
            wire.append(types.Content(role="user", parts=_results_first(said, wire[-1:])))
            continue
        for _, parts in run:
            if wire and wire[-1].role == "model":
                wire.append(_go_on())
            wire.append(types.Content(role="model", parts=parts))
    if wire and wire[-1].role == "model":
        wire.append(_go_on())
    return wire


def _go_on() -> types.Content:
    return types.Content(role="user", parts=[_text(CONTINUE)])


def _results_first(said: list[types.Part], before: Sequence[types.Content]) -> list[types.Part]:
    """What a user's turn says: results in the order of the calls they answer, then everything else."""
    calls = [part.function_call.id for answer in before for part in answer.parts or () if part.function_call]
    order = {call_id: place for place, call_id in enumerate(calls)}

    def place(part: types.Part) -> int:
        result = part.function_response
        return order.get(result.id, len(order)) if result else len(order) + 1

    return sorted(said, key=place)


def _parts(model: Model, message: RequestMessage) -> list[types.Part]:
    if message.role == "system":
        notes = [part.text for part in message.parts if isinstance(part, Text) and part.text.strip()]
        return [_text(NOTE.format(note)) for note in notes]
    if message.role == "user":
        return [made for part in message.parts for made in _user_part(part)]
    parts = [made for part in message.parts for made in _model_part(part, model)]
    if not any((part.text and not part.thought) or part.text is None for part in parts):
        return []  # cut before a word: thinking alone is no turn
    first = next((part for part in parts if part.function_call), None)
    if first and not first.thought_signature:  # of calls side by side only the first one has a signature
        first.thought_signature = UNSIGNED
    return parts


def _model_part(part: Part | Media, model: Model) -> Iterator[types.Part]:
    """What the model said, with its signature at the part it came with."""
    ours = getattr(part, "luggage", {}).get(VENDOR, {})
    own = ours if ours.get("model") == model.id else {}
    signature = base64.b64decode(own["signature"]) if "signature" in own else None
    match part:
        case Text() if "sources" in ours:  # links that we put there: no model said them
            return
        case Text() if part.text.strip() or signature:
            yield types.Part(text=whole(part.text), thought_signature=signature)
        case ToolCall():
            call = types.FunctionCall(
                id=fitting_id(part.id, NAME_MAX),
                name=fitting_name(part.name, NAME_MAX),
                args=whole(part.arguments),
            )
            yield types.Part(function_call=call, thought_signature=signature)
        case Thinking() if signature:
            yield types.Part(text=whole(part.text), thought=True, thought_signature=signature)
        case Opaque() if own:
            yield types.Part.model_validate_json(json.dumps(own["part"]))


def _user_part(part: Part | Media) -> Iterator[types.Part]:
    match part:
        case Text() if part.text.strip():
            yield _text(part.text)
        case ToolResult():
            text = whole(part.text) if part.text.strip() else NO_OUTPUT
            result = types.FunctionResponse(
                id=fitting_id(part.call_id, NAME_MAX),
                name=fitting_name(part.name, NAME_MAX),
                response={"error" if part.is_error else "output": text},
            )
            yield types.Part(function_response=result)
        case File():
            yield _text(named(part))
        case Media():  # its id first: the model may hand it to a tool
            yield _text(named(part.file))
            yield types.Part(inline_data=types.Blob(data=part.content, mime_type=part.file.mime))


def _text(text: str) -> types.Part:
    return types.Part(text=whole(text))
