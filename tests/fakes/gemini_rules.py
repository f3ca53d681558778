"""What generateContent refuses, in the API's words where they are known.

Field names are those of the API (camelCase); like protobuf's JSON it takes the snake_case ones too.
"""

import base64
import binascii
import re
from collections.abc import Iterable, Iterator
from typing import Any

from tests.fakes.gemini_books import is_signed, tokens_of

Json = dict[str, Any]

WINDOW = 1_048_576  # tokens
OUTPUT_MAX = 65_536
BODY_MAX = 100 * 1024 * 1024  # bytes of a request
MODELS = {"gemini-4-argon", "gemini-3.8-flash", "gemini-3.5-flash-lite"}  # all of them think
LEVELS = {"LOW", "MEDIUM", "HIGH"}
NAME = re.compile(r"^[a-zA-Z_][a-zA-Z0-9_.:-]{0,127}$")

TOP = {"contents", "systemInstruction", "tools", "toolConfig", "generationConfig", "safetySettings"}
# What these models no longer take: given, it is an error (ai.google.dev, what's new in Gemini 3.6).
GONE = {"temperature", "topP", "topK", "candidateCount", "presencePenalty", "frequencyPenalty"}
GENERATION = {"maxOutputTokens", "thinkingConfig", "stopSequences", "responseMimeType", *GONE}
DATA = {
    "text",
    "inlineData",
    "fileData",
    "functionCall",
    "functionResponse",
    "toolCall",
    "toolResponse",
    "executableCode",
    "codeExecutionResult",
}
PART = DATA | {"thought", "thoughtSignature", "partMetadata", "videoMetadata", "mediaResolution"}
READS = re.compile(
    r"^(image/(png|jpeg|webp|heic|heif)|application/pdf|text/plain"
    r"|audio/(wav|mp3|mpeg|aiff|aac|ogg|flac)"
    r"|video/(mp4|mpeg|mov|quicktime|avi|x-flv|mpg|webm|wmv|3gpp))$"
)


class Refused(Exception):
    """The API says no, in its own words."""

    def __init__(self, message: str, *, code: int = 400, status: str = "INVALID_ARGUMENT") -> None:
        super().__init__(message)
        self.message, self.code, self.status = message, code, status


def checked(model: str, given: Any) -> Json:
    """The body in the API's own spelling. Raises Refused for the first thing that is wrong with it."""
    if model not in MODELS:
        raise Refused(f"models/{model} is not found for API version v1.", code=404, status="NOT_FOUND")
    body = fields_of(given, TOP, "")
    _check_whole(body)
    body["tools"] = [_tool(tool, f"tools[{n}]") for n, tool in enumerate(body.get("tools", []))]
    body["toolConfig"] = fields_of(
        body.get("toolConfig", {}),
        {"functionCallingConfig", "includeServerSideToolInvocations", "retrievalConfig"},
        "tool_config",
    )
    if "systemInstruction" in body:
        body["systemInstruction"] = content_of(body["systemInstruction"], "system_instruction")
    body["generationConfig"] = _generation(body.get("generationConfig", {}))
    _check_tools(body["tools"], body["toolConfig"])
    if not isinstance(body.get("contents"), list) or not body["contents"]:
        raise Refused("* GenerateContentRequest.contents: contents is not specified\n")
    body["contents"] = [content_of(content, f"contents[{n}]") for n, content in enumerate(body["contents"])]
    _check_turns(body["contents"])
    _check_signatures(model, body["contents"])
    _check_searches(body["contents"], body["toolConfig"])
    tokens = sum(tokens_of(str(content)) for content in body["contents"])
    if tokens > WINDOW:
        raise Refused(
            f"The input token count ({tokens}) exceeds the maximum number of tokens allowed ({WINDOW})."
        )
    return body


# Shapes -------------------------------------------------------------------------------------------


def fields_of(given: Any, allowed: Iterable[str], place: str) -> Json:
    """An object with its names in camelCase."""
    if not isinstance(given, dict):
        raise Refused(f"Invalid value at '{place}'")
    named = {_camel(name): value for name, value in given.items()}
    for name in given:
        if _camel(name) not in allowed:
            where = f" at '{place}'" if place else ""
            raise Refused(f'Invalid JSON payload received. Unknown name "{name}"{where}: Cannot find field.')
    if any(value is None for value in named.values()):
        raise Refused(f"Invalid value at '{place}': null")
    return named


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _generation(given: Json) -> Json:
    config = fields_of(given, GENERATION, "generation_config")
    for name in sorted(GONE & set(config)):
        raise Refused(f"{name} is not supported by this model.")
    if not 1 <= config.get("maxOutputTokens", 1) <= OUTPUT_MAX:
        raise Refused(
            f"Unable to submit request because it has a maxOutputTokens value of {config['maxOutputTokens']}"
            f" but the supported range is from 1 (inclusive) to {OUTPUT_MAX + 1} (exclusive)."
        )
    if "thinkingConfig" in config:
        thinking = fields_of(
            config["thinkingConfig"],
            {"includeThoughts", "thinkingLevel"},
            "generation_config.thinking_config",
        )
        if thinking.get("thinkingLevel", "LOW") not in LEVELS:
            raise Refused(f"Thinking level {thinking['thinkingLevel']} is not supported for this model.")
        config["thinkingConfig"] = thinking
    return config


def _tool(given: Any, place: str) -> Json:
    tool = fields_of(given, {"functionDeclarations", "googleSearch", "urlContext", "codeExecution"}, place)
    if not tool:
        raise Refused(f"{place}: tool_type: required one_of 'tool_type' must have one initialized field")
    names = set()
    for number, declaration in enumerate(tool.get("functionDeclarations", [])):
        where = f"{place}.function_declarations[{number}]"
        function = fields_of(
            declaration, {"name", "description", "parameters", "parametersJsonSchema"}, where
        )
        if not NAME.match(function.get("name", "")) or function["name"] in names:
            raise Refused(f"{where}.name: Invalid function name. Must start with a letter or an underscore.")
        names.add(function["name"])
        schema = function.get("parametersJsonSchema") or function.get("parameters")
        if schema is not None and not schema.get("properties"):
            raise Refused(f"{where}.parameters.properties: should be non-empty for OBJECT type")
    return tool


def _check_tools(tools: list[Json], config: Json) -> None:
    functions = any("functionDeclarations" in tool for tool in tools)
    built_in = any(set(tool) - {"functionDeclarations"} for tool in tools)
    if functions and built_in and not config.get("includeServerSideToolInvocations"):
        raise Refused(
            "Please enable tool_config.include_server_side_tool_invocations to use Built-in tools with "
            "Function calling."
        )
    calling = config.get("functionCallingConfig", {})
    if calling:
        if not functions:
            raise Refused("Function calling config is set without function_declarations.")
        if fields_of(calling, {"mode", "allowedFunctionNames"}, "tool_config")["mode"] not in {
            "AUTO",
            "ANY",
            "NONE",
            "VALIDATED",
        }:
            raise Refused("Invalid value at 'tool_config.function_calling_config.mode'")


def content_of(given: Any, place: str) -> Json:
    content = fields_of(given, {"role", "parts"}, place)
    if content.get("role", "user") not in {"user", "model"}:
        raise Refused("Please use a valid role: user, model.")
    if not content.get("parts"):
        raise Refused(f"* GenerateContentRequest.{place}.parts: contents.parts must not be empty.\n")
    parts = [
        _part(part, content.get("role", "user"), f"{place}.parts[{n}]")
        for n, part in enumerate(content["parts"])
    ]
    return {"role": content.get("role", "user"), "parts": parts}


def _part(given: Any, role: str, place: str) -> Json:
    part = fields_of(given, PART, place)
    if len(DATA & set(part)) != 1:
        raise Refused(f"{place}.data: required oneof field 'data' must have one initialized field")
    match part:
        case {"text": ""} if "thoughtSignature" not in part:
            raise Refused(f"{place}.text: must not be empty")
        case {"inlineData": blob}:
            part["inlineData"] = _blob(blob, place)
        case {"functionCall": call}:
            part["functionCall"] = fields_of(call, {"id", "name", "args"}, place)
            _check_named(part["functionCall"], "args", place)
        case {"functionResponse": result}:
            part["functionResponse"] = fields_of(result, {"id", "name", "response"}, place)
            _check_named(part["functionResponse"], "response", place)
            if not part["functionResponse"].get("response"):
                raise Refused(f"{place}.function_response.response: must not be empty")
        case {"toolCall": used}:
            part["toolCall"] = fields_of(used, {"id", "toolType", "args"}, place)
        case {"toolResponse": used}:
            part["toolResponse"] = fields_of(used, {"id", "toolType", "response"}, place)
    ours = {"functionCall", "toolCall", "toolResponse", "executableCode", "thought", "thoughtSignature"}
    if role == "user" and ours & set(part):
        raise Refused(f"{place}: a part of the model's in a user's turn")
    if role == "model" and {"functionResponse", "inlineData"} & set(part):
        raise Refused(f"{place}: a part of the user's in the model's turn")
    return part


def _blob(given: Any, place: str) -> Json:
    blob = fields_of(given, {"mimeType", "data", "displayName"}, f"{place}.inline_data")
    if not READS.match(blob.get("mimeType", "")):
        raise Refused(f"Unsupported MIME type: {blob.get('mimeType')}")
    try:
        base64.b64decode(blob["data"].replace("-", "+").replace("_", "/"), validate=True)
    except binascii.Error:
        raise Refused(f"Invalid value at '{place}.inline_data.data': Base64 decoding failed") from None
    return blob


def _check_named(function: Json, field: str, place: str) -> None:
    if not NAME.match(function.get("name", "")):
        raise Refused(f"{place}.name: Name cannot be empty.")
    if not isinstance(function.get(field, {}), dict):
        raise Refused(f"Invalid value at '{place}.{field}': a Struct is an object")


def _check_whole(value: Any) -> None:
    """A request is UTF-8; half a surrogate pair is none."""
    match value:
        case str():
            try:
                value.encode()
            except UnicodeEncodeError:
                raise Refused("Invalid JSON payload received. Invalid UTF-16 surrogate.") from None
        case dict():
            for name, item in value.items():
                _check_whole(name)
                _check_whole(item)
        case list():
            for item in value:
                _check_whole(item)


# Turns --------------------------------------------------------------------------------------------


def _check_turns(contents: list[Json]) -> None:
    """Calls come behind a user's turn, and their results right behind them: all, and in their order."""
    calls: list[Json] = []
    for number, content in enumerate(contents):
        here = [part["functionCall"] for part in content["parts"] if "functionCall" in part]
        results = [part["functionResponse"] for part in content["parts"] if "functionResponse" in part]
        if results and not calls:
            raise Refused(
                "Please ensure that function response turn comes immediately after a function call turn."
            )
        if len(results) != len(calls):
            raise Refused(
                "Please ensure that the number of function response parts is equal to the number of function "
                "call parts of the function call turn."
            )
        for call, result in zip(calls, results, strict=True):
            if (call.get("id"), call["name"]) != (result.get("id"), result["name"]):
                raise Refused(f"Function response {result} does not match the function call {call}.")
        if here and (number == 0 or contents[number - 1]["role"] != "user"):
            raise Refused(
                "Please ensure that function call turn comes immediately after a user turn or after a function "
                "response turn."
            )
        ids = [call.get("id") for call in here if call.get("id")]
        if len(set(ids)) != len(ids):
            raise Refused("Function call ids must be unique within a turn.")
        if number and content["role"] == contents[number - 1]["role"] == "model":
            raise Refused("Please ensure that multiturn requests alternate between user and model.")
        calls = here
    if contents[-1]["role"] == "model":
        raise Refused("Requests ending with a model turn are not supported.")


def _check_signatures(model: str, contents: list[Json]) -> None:
    for number, content in enumerate(contents):
        calls = [place for place, part in enumerate(content["parts"]) if "functionCall" in part]
        for place, part in enumerate(content["parts"]):
            if place in calls[:1] and "thoughtSignature" not in part:
                raise Refused(
                    "Function call is missing a thought_signature in functionCall parts. This is required for "
                    "tools to work correctly, and missing thought_signature may lead to degraded model "
                    f"performance. Additional data, function call `{part['functionCall']['name']}`, "
                    f"position {place}."
                )
            if "thoughtSignature" in part and not is_signed(model, part):
                raise Refused(f"Corrupted thought signature. contents[{number}].parts[{place}]")


def _check_searches(contents: list[Json], config: Json) -> None:
    """The vendor's own calls go back with their results, signed, and only where they are let in."""
    for content in contents:
        used = list(_used(content, "toolCall"))
        answered = list(_used(content, "toolResponse"))
        if used != answered:
            raise Refused("Tool calls and tool responses do not match.")
        if used and not config.get("includeServerSideToolInvocations"):
            raise Refused("Tool call context circulation is not enabled.")


def _used(content: Json, kind: str) -> Iterator[str]:
    for part in content["parts"]:
        if kind in part:
            if "thoughtSignature" not in part:
                raise Refused(f"{kind} is missing a thought_signature.")
            yield part[kind]["id"]
