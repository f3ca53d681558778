"""How a Request becomes the JSON of Gemini's generateContent.

The same history always becomes the same bytes, and a longer history begins with them: Google's cache
reads a prefix only while it is unchanged. Only what every model of ours takes is sent: no sampling
parameters and no thinking budget, which they refuse or ignore.
"""

import base64
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import Any

from conversations.contracts import Media, Model, Request, RequestMessage, ToolSpec
from conversations.parts import File, Luggage, Opaque, Part, Text, Thinking, ToolCall, ToolResult, named
from conversations.providers.neutral import CONTINUE, NO_OUTPUT, fitting_id, fitting_name, whole

VENDOR = "google"
SEARCH = "web_search"  # the tool of this name is Gemini's own: Google Search, run inside the call

Json = dict[str, Any]

# A function call without a signature is refused by every thinking model, and one that another vendor or
# model made has none that counts. This stands for "there never was one" (ai.google.dev, thought signatures).
UNSIGNED = base64.b64encode(b"skip_thought_signature_validator").decode()

NAME_MAX = 128  # characters of a function's name; ids have no limit of their own

# Gemini has no system message in the middle; the tag keeps it apart from what the person said.
NOTE = "<system>\n{}\n</system>"


def luggage_of(model_id: str, **kept: Any) -> Luggage:
    """What Gemini wants back, for the model that made it: another one refuses its signatures."""
    return {VENDOR: {"model": model_id, **kept}}


def body_of(model: Model, request: Request) -> Json:
    """The body of `streamGenerateContent` for this request."""
    body: Json = {
        "contents": _contents(model, request.messages),
        "generationConfig": {
            "maxOutputTokens": max(1, min(request.output_max, model.output_max)),
            "thinkingConfig": {"includeThoughts": True},
        },
    }
    if request.system.strip():
        body["systemInstruction"] = {"parts": [_text(request.system)]}
    if request.tools and model.tools:
        body["tools"] = [*_tools(request.tools)]
        body["toolConfig"] = _tool_config(request.tools, request.may_call)
    return body


# Tools --------------------------------------------------------------------------------------------


def _tools(tools: Sequence[ToolSpec]) -> Iterator[Json]:
    functions = [_function(tool) for tool in tools if tool.name != SEARCH]
    if functions:
        yield {"functionDeclarations": functions}
    if _has_search(tools):
        yield {"googleSearch": {}}


def _function(tool: ToolSpec) -> Json:
    function = {"name": tool.name, "description": whole(tool.description)}
    # An object without properties is refused as a schema; a function without parameters has none.
    return {**function, "parametersJsonSchema": tool.schema} if tool.schema.get("properties") else function


def _tool_config(tools: Sequence[ToolSpec], may_call: bool) -> Json:
    """How tools may be used. A search stays possible where no function may be called: it waits for nobody."""
    config: Json = {}
    if _has_search(tools):  # beside functions it is only taken with its calls shown and sent back
        config["includeServerSideToolInvocations"] = True
    if not may_call and any(tool.name != SEARCH for tool in tools):
        config["functionCallingConfig"] = {"mode": "NONE"}
    return config


def _has_search(tools: Sequence[ToolSpec]) -> bool:
    return any(tool.name == SEARCH for tool in tools)


# Messages -----------------------------------------------------------------------------------------


def _contents(model: Model, messages: Sequence[RequestMessage]) -> list[Json]:
    """The messages on the wire, the model's and the user's in turn, the last one the user's.

    These models take no request that ends in a model's turn, so a cut answer is asked for the rest.
    """
    rows = [(message.role == "assistant", _parts(model, message)) for message in messages]
    wire: list[Json] = []
    for is_answer, run in groupby((row for row in rows if row[1]), key=lambda row: row[0]):
        if not is_answer:
            said = [part for _, parts in run for part in parts]
            wire.append({"role": "user", "parts": _results_first(said, wire[-1:])})
            continue
        for _, parts in run:
            if wire and wire[-1]["role"] == "model":
                wire.append(_go_on())
            wire.append({"role": "model", "parts": parts})
    if wire and wire[-1]["role"] == "model":
        wire.append(_go_on())
    return wire


def _go_on() -> Json:
    return {"role": "user", "parts": [_text(CONTINUE)]}


def _results_first(said: list[Json], before: Sequence[Json]) -> list[Json]:
    """What a user's turn says: results in the order of the calls they answer, then everything else."""
    parts = [part for answer in before for part in answer["parts"]]
    order = {part["functionCall"]["id"]: n for n, part in enumerate(parts) if "functionCall" in part}

    def place(part: Json) -> int:
        result = part.get("functionResponse")
        return order.get(result["id"], len(parts)) if result else len(parts) + 1

    return sorted(said, key=place)


def _parts(model: Model, message: RequestMessage) -> list[Json]:
    if message.role == "system":
        notes = [part.text for part in message.parts if isinstance(part, Text) and part.text.strip()]
        return [_text(NOTE.format(note)) for note in notes]
    if message.role == "user":
        return [made for part in message.parts for made in _user_part(part)]
    parts = [made for part in message.parts for made in _model_part(part, model)]
    if not any(part.get("text", "else") and "thought" not in part for part in parts):
        return []  # cut before a word: thinking alone is no turn
    first = next((part for part in parts if "functionCall" in part), None)
    if first:  # of calls side by side only the first one has a signature
        first.setdefault("thoughtSignature", UNSIGNED)
    return parts


def _model_part(part: Part | Media, model: Model) -> Iterator[Json]:
    """What the model said, with its signature at the part it came with."""
    ours = getattr(part, "luggage", {}).get(VENDOR, {})
    own = ours if ours.get("model") == model.id else {}
    signed = {"thoughtSignature": own["signature"]} if "signature" in own else {}
    match part:
        case Text() if "sources" in ours:  # links that we put there: no model said them
            return
        case Text() if part.text.strip() or signed:
            yield _text(part.text) | signed
        case ToolCall():
            call = {
                "id": fitting_id(part.id, NAME_MAX),
                "name": fitting_name(part.name, NAME_MAX),
                "args": whole(part.arguments),
            }
            yield {"functionCall": call} | signed
        case Thinking() if signed:
            yield _text(part.text) | {"thought": True} | signed
        case Opaque() if own:
            yield own["part"]


def _user_part(part: Part | Media) -> Iterator[Json]:
    match part:
        case Text() if part.text.strip():
            yield _text(part.text)
        case ToolResult():
            text = whole(part.text) if part.text.strip() else NO_OUTPUT
            result = {
                "id": fitting_id(part.call_id, NAME_MAX),
                "name": fitting_name(part.name, NAME_MAX),
                "response": {"error" if part.is_error else "output": text},
            }
            yield {"functionResponse": result}
        case File():
            yield _text(named(part))
        case Media():  # its id first: the model may hand it to a tool
            yield _text(named(part.file))
            data = base64.b64encode(part.content).decode()
            yield {"inlineData": {"mimeType": part.file.mime, "data": data}}


def _text(text: str) -> Json:
    return {"text": whole(text)}
