"""What a strict compatible server refuses: Chat Completions' own rules, and those of the strictest templates."""

import json
from typing import Any

from openai.types.chat.completion_create_params import CompletionCreateParamsBase

from tests.fakes.openai_rules import DATA_URL, NAME, Refused, fields, whole_characters

Row = dict[str, Any]

TOP = frozenset(CompletionCreateParamsBase.__annotations__) | {"stream"}
ROWS = {
    "system": {"role", "content"},
    "user": {"role", "content"},
    "assistant": {"role", "content", "tool_calls", "reasoning_content", "reasoning"},
    "tool": {"role", "content", "tool_call_id"},
}


def check(body: Any, *, models: dict[str, Any], knows_counts: bool, insists: bool) -> None:
    """Raise Refused for the first thing that is wrong with a request's body."""
    if not isinstance(body, dict):
        raise Refused("Invalid body: expected an object.")
    fields(body, TOP, "")
    if "stream_options" in body and not knows_counts:
        raise Refused("[{'loc': ('body', 'stream_options'), 'msg': 'Extra inputs are not permitted'}]")
    served = models.get(body.get("model", ""))
    if served is None:
        raise Refused(f"The model `{body.get('model')}` does not exist.", status=404, code="model_not_found")
    whole_characters(body)
    if body.get("max_tokens", 1) < 1:
        raise Refused(f"max_tokens must be at least 1, got {body['max_tokens']}.", code=400)
    if body.get("tools") and not served.tools:
        raise Refused(f"{served.id} does not support tools")
    if "tool_choice" in body and not body.get("tools"):
        raise Refused("'tool_choice' is only allowed when 'tools' are specified.")
    for tool in body.get("tools", ()):
        fields(tool, ("type", "function"), "tools", ("type", "function"))
        fields(tool["function"], ("name", "description", "parameters", "strict"), "tools.function", ("name",))
        if not NAME.match(tool["function"]["name"]):
            raise Refused("Invalid 'tools[0].function.name'.")
    _check_rows(body.get("messages"), images=served.images, insists=insists)


def _check_rows(rows: Any, *, images: bool, insists: bool) -> None:
    if not rows or not isinstance(rows, list):
        raise Refused("'messages' is too short.")
    open_calls: list[str] = []
    before = ""
    for number, row in enumerate(rows):
        role = row.get("role")
        if role not in ROWS:
            raise Refused(f"Invalid value: '{role}'.", param=f"messages[{number}].role")
        fields(row, ROWS[role], f"messages[{number}]")
        if role == "system" and number:
            raise Refused("System message must be at the beginning.")
        if open_calls and role != "tool":
            raise Refused(
                "An assistant message with 'tool_calls' must be followed by tool messages responding to each "
                f"'tool_call_id'. The following did not have response messages: {', '.join(open_calls)}"
            )
        if role == "tool":
            if row["tool_call_id"] not in open_calls:
                raise Refused("messages with role 'tool' must be a response to a preceding 'tool_calls'.")
            open_calls.remove(row["tool_call_id"])
        elif role == before:
            raise Refused("Conversation roles must alternate user/assistant/user/assistant/...")
        if role == "assistant":
            open_calls = _calls(row, number)
            around_calls = bool(open_calls) or before == "tool"
            if {"reasoning_content", "reasoning"} & set(row) and not around_calls:
                raise Refused("Reasoning is only taken back around tool calls.")
            if insists and around_calls and "reasoning_content" not in row:
                raise Refused("The `reasoning_content` in the thinking mode must be passed back to the API.")
        _check_content(row, number, images=images)
        before = role
    if open_calls or before == "assistant":
        raise Refused("The last message must not be the assistant's.")


def _calls(row: Row, number: int) -> list[str]:
    ids = []
    for call in row.get("tool_calls", ()):
        fields(call, ("id", "type", "function"), f"messages[{number}].tool_calls", ("id", "type", "function"))
        fields(call["function"], ("name", "arguments"), "function", ("name", "arguments"))
        try:
            parsed = json.loads(call["function"]["arguments"])
        except ValueError:
            parsed = None
        if not isinstance(parsed, dict):
            raise Refused("Failed to parse tool call arguments as JSON", status=500)
        if not call["id"] or not NAME.match(call["function"]["name"]):
            raise Refused(f"Invalid 'messages[{number}].tool_calls'.")
        ids.append(call["id"])
    if len(set(ids)) != len(ids):
        raise Refused("tool_call ids must be unique.")
    return ids


def _check_content(row: Row, number: int, *, images: bool) -> None:
    content = row.get("content")
    if content is None and row.get("tool_calls"):
        return
    if isinstance(content, str) and content.strip():
        return
    if row["role"] != "user" or not isinstance(content, list) or not content:
        raise Refused(f"Invalid 'messages[{number}].content': empty.")
    for piece in content:
        if piece["type"] == "text" and piece["text"].strip():
            continue
        if piece["type"] != "image_url" or not DATA_URL.match(piece["image_url"]["url"]):
            raise Refused(f"Invalid content type in 'messages[{number}]'.")
        if not images:
            raise Refused("This model does not support image input.")
