"""What the Responses API refuses, in its own words. The fields are those of the SDK's parameter types."""

import json
import re
from collections.abc import Mapping
from typing import Any

from openai.types import responses
from openai.types.responses.response_create_params import ResponseCreateParamsBase

from tests.fakes.openai_books import Books, encrypted

Item = dict[str, Any]

MODELS = ("gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna")
WINDOW = 1_050_000
OUTPUT_MAX = 128_000
OUTPUT_MIN = 16
LENGTH_MAX = 64  # of names and call ids
NAME = re.compile(r"^[a-zA-Z0-9_-]{1,64}$")
TOP = frozenset(ResponseCreateParamsBase.__annotations__) | {"stream"}
INCLUDE = {"reasoning.encrypted_content", "web_search_call.action.sources"}

ITEMS: dict[str, Any] = {
    "reasoning": responses.ResponseReasoningItemParam,
    "function_call": responses.ResponseFunctionToolCallParam,
    "web_search_call": responses.ResponseFunctionWebSearchParam,
}
OUTPUT_FIELDS = {"type", "call_id", "output", "id", "status"}
ASKED: dict[str, Any] = {
    "input_text": responses.ResponseInputTextParam,
    "input_image": responses.ResponseInputImageParam,
    "input_file": responses.ResponseInputFileParam,
}
ANSWERED: dict[str, Any] = {
    "output_text": responses.ResponseOutputTextParam,
    "refusal": responses.ResponseOutputRefusalParam,
}
TOOLS: dict[str, Any] = {
    "function": responses.FunctionToolParam,
    "web_search": responses.WebSearchToolParam,
}
DATA_URL = re.compile(r"^data:[\w.+-]+/[\w.+-]+;base64,[A-Za-z0-9+/]+=*$")


class Refused(Exception):
    """The API says no, in its own words."""

    def __init__(
        self, message: str, *, status: int = 400, code: Any = None, param: str | None = None
    ) -> None:
        super().__init__(message)
        self.message, self.status, self.code, self.param = message, status, code, param


def check(body: Any, books: Books) -> None:
    """Raise Refused for the first thing that is wrong with a request's body."""
    if not isinstance(body, dict):
        raise Refused("Invalid body: expected an object.")
    fields(body, TOP, "")
    if body.get("model") not in MODELS:
        raise Refused(
            f"The requested model '{body.get('model')}' does not exist.",
            code="model_not_found",
            param="model",
        )
    whole_characters(body)
    most = body.get("max_output_tokens", OUTPUT_MAX)
    if most < OUTPUT_MIN:
        raise Refused(
            "Invalid 'max_output_tokens': integer below minimum value. Expected a value >= 16, "
            f"but got {most} instead.",
            code="integer_below_min_value",
            param="max_output_tokens",
        )
    if most > OUTPUT_MAX:
        raise Refused("Invalid 'max_output_tokens': integer above maximum value.", param="max_output_tokens")
    if set(body.get("include") or ()) - INCLUDE:
        raise Refused("Invalid value in 'include'.", code="invalid_value", param="include")
    _check_tools(body)
    _check_input(body, books)


def fields(given: Mapping[str, Any], allowed: Any, place: str, required: Any = ()) -> None:
    prefix = f"{place}." if place else ""
    for name in given:
        if name not in allowed:
            raise Refused(
                f"Unknown parameter: '{prefix}{name}'.", code="unknown_parameter", param=f"{prefix}{name}"
            )
    for name in required:
        if name not in given:
            raise Refused(
                f"Missing required parameter: '{prefix}{name}'.",
                code="missing_required_parameter",
                param=f"{prefix}{name}",
            )


def typed(given: Any, kinds: Mapping[str, Any], place: str) -> str:
    """Check an object's fields against its kind's parameter type; say the kind."""
    kind = given.get("type") if isinstance(given, dict) else None
    if kind not in kinds:
        known = ", ".join(f"'{name}'" for name in kinds)
        raise Refused(
            f"Invalid value: '{kind}'. Supported values are: {known}.", code="invalid_value", param=place
        )
    param = kinds[kind]
    required = {name for name, hint in param.__annotations__.items() if "Required[" in str(hint)}
    fields(given, param.__annotations__, place, required)
    return str(kind)


def whole_characters(body: Any) -> None:
    try:
        json.dumps(body, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise Refused("We could not parse the JSON body of your request.") from error


def _check_tools(body: Item) -> None:
    for number, tool in enumerate(body.get("tools", ())):
        if typed(tool, TOOLS, f"tools[{number}]") == "function":
            if not NAME.match(tool["name"]):
                raise Refused(f"Invalid 'tools[{number}].name'.", code="invalid_value")
            if tool["parameters"].get("type") != "object":
                raise Refused(
                    f"Invalid schema for function '{tool['name']}'.", code="invalid_function_parameters"
                )
    if "tool_choice" in body and not body.get("tools"):
        raise Refused("Tool choice is only allowed when 'tools' are specified.", param="tool_choice")


def _check_input(body: Item, books: Books) -> None:
    items = body.get("input")
    if not items or not isinstance(items, list):
        raise Refused("One of 'input' or 'previous_response_id' must be provided.", param="input")
    open_calls: list[str] = []
    seen: set[str] = set()
    for number, item in enumerate(items):
        place = f"input[{number}]"
        kind = item.get("type", "message") if isinstance(item, dict) else ""
        if kind == "function_call_output":
            fields(item, OUTPUT_FIELDS, place, ("call_id", "output"))
            if not item["output"]:
                raise Refused(f"Invalid '{place}.output': empty.", param=f"{place}.output")
            if item["call_id"] not in open_calls:
                raise Refused(f"No tool call found for function call output with call_id {item['call_id']}.")
            open_calls.remove(item["call_id"])
        elif kind == "message":
            _check_message(item, place)
        elif typed(item, ITEMS, place) == "function_call":
            _check_call(item, place, seen)
            open_calls.append(item["call_id"])
        _check_reasoning(items, number, body, books)
    if open_calls:
        raise Refused(f"No tool output found for function call {open_calls[0]}.", param="input")
    if items[-1].get("role") == "assistant" or items[-1].get("type") in ITEMS:
        raise Refused("The input ends in the model's own words.", param="input")


def _check_message(item: Item, place: str) -> None:
    role, content = item.get("role"), item.get("content")
    if role not in ("user", "assistant", "system", "developer"):
        raise Refused(f"Invalid value: '{role}'.", code="invalid_value", param=f"{place}.role")
    if not content:
        raise Refused(f"Invalid '{place}.content': empty.", code="empty_string", param=f"{place}.content")
    if role == "assistant" and not isinstance(content, str):
        param = responses.ResponseOutputMessageParam.__annotations__
        fields(item, param, place, ("id", "content", "role", "status", "type"))
        kinds = ANSWERED
    else:
        fields(item, ("type", "role", "content", "phase"), place)
        kinds = ASKED
    if isinstance(content, str):
        if not content.strip():
            raise Refused(f"Invalid '{place}.content': empty.", code="empty_string", param=f"{place}.content")
        return
    for number, piece in enumerate(content):
        kind = typed(piece, kinds, f"{place}.content[{number}]")
        url = piece.get("image_url") or piece.get("file_data")
        if kind in ("input_image", "input_file") and not DATA_URL.match(url or ""):
            raise Refused(f"Invalid '{place}.content[{number}]': no data URL.", code="invalid_value")
        if kind == "input_file" and not piece.get("filename"):
            raise Refused(f"Missing required parameter: '{place}.content[{number}].filename'.")
        if kind == "input_text" and not piece["text"].strip():
            raise Refused(f"Invalid '{place}.content[{number}].text': empty.", code="empty_string")


def _check_call(item: Item, place: str, seen: set[str]) -> None:
    if not 0 < len(item["call_id"]) <= LENGTH_MAX:
        raise Refused(
            f"Invalid '{place}.call_id': string too long. Expected a string with maximum length 64.",
            code="string_above_max_length",
            param=f"{place}.call_id",
        )
    if item["call_id"] in seen:
        raise Refused(f"Duplicate call_id {item['call_id']}.", param=f"{place}.call_id")
    seen.add(item["call_id"])
    if not NAME.match(item["name"]):
        raise Refused(f"Invalid '{place}.name': string does not match pattern.", code="invalid_value")
    if not isinstance(item["arguments"], str):
        raise Refused(f"Invalid type for '{place}.arguments'.", code="invalid_type")


def _check_reasoning(items: list[Item], number: int, body: Item, books: Books) -> None:
    """Reasoning stands with its own content before what came out of it, and neither without the other."""
    item = items[number]
    own = item.get("id", "")
    if item.get("type") == "reasoning":
        if not item.get("encrypted_content"):
            raise Refused(
                f"Item with id '{own}' not found. Items are not persisted when `store` is set to false.",
                status=404,
            )
        summaries = [piece["text"] for piece in item["summary"]]
        if item["encrypted_content"] != encrypted(own, summaries):
            raise Refused(
                f"The encrypted content for item {own} could not be verified.",
                code="invalid_encrypted_content",
            )
        following = items[number + 1] if number + 1 < len(items) else {}
        if books.reasons.get(following.get("id", ""), own) != own or not (
            following.get("role") == "assistant" or following.get("type") in ITEMS
        ):
            raise Refused(
                f"Item '{own}' of type 'reasoning' was provided without its required following item.",
                param="input",
            )
    elif own in books.reasons:
        needed = books.reasons[own]
        if not any(before.get("id") == needed for before in items[:number]):
            raise Refused(
                f"Item '{own}' of type '{item.get('type')}' was provided without its required "
                f"'reasoning' item: '{needed}'.",
                param="input",
            )
