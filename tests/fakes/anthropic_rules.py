"""What the Messages API refuses. Field names come from the installed SDK's parameter types."""

import re
from collections.abc import Iterator
from itertools import groupby
from typing import Any

from anthropic import types
from anthropic.types.message_create_params import MessageCreateParamsBase

from tests.fakes.anthropic_media import Refused, check_count, check_document, check_image

Block = dict[str, Any]

WINDOW = 1_000_000  # tokens, every 5.x model
OUTPUT_MAX = 128_000
BODY_MAX = 32 * 1024 * 1024  # bytes of a request
MESSAGES_MAX = 100_000
BREAKPOINTS_MAX = 4

MODELS = {
    "claude-opus-5-5": "Claude Opus 5.5",
    "claude-sonnet-5-5": "Claude Sonnet 5.5",
    "claude-haiku-5-5": "Claude Haiku 5.5",
    "claude-fable-5-2": "Claude Fable 5.2",
}
NO_FORCED_TOOLS = {"claude-opus-5-5", "claude-sonnet-5-5"}
ALWAYS_THINKING = {"claude-opus-5-5", "claude-fable-5-2"}

TOOL_NAME = re.compile(r"^[a-zA-Z0-9_-]{1,128}$")
CALL_ID = re.compile(r"^[a-zA-Z0-9_-]+$")

# These two of the SDK's arguments travel as headers.
TOP = frozenset(MessageCreateParamsBase.__annotations__) - {"user_profile_id", "workspace_id"} | {"stream"}
COUNTED = frozenset(types.MessageCountTokensParams.__annotations__)

ANSWERED = {
    "text": types.TextBlockParam,
    "thinking": types.ThinkingBlockParam,
    "redacted_thinking": types.RedactedThinkingBlockParam,
    "tool_use": types.ToolUseBlockParam,
    "server_tool_use": types.ServerToolUseBlockParam,
    "web_search_tool_result": types.WebSearchToolResultBlockParam,
    "web_fetch_tool_result": types.WebFetchToolResultBlockParam,
    "code_execution_tool_result": types.CodeExecutionToolResultBlockParam,
    "bash_code_execution_tool_result": types.BashCodeExecutionToolResultBlockParam,
}
ASKED = {
    "text": types.TextBlockParam,
    "image": types.ImageBlockParam,
    "document": types.DocumentBlockParam,
    "tool_result": types.ToolResultBlockParam,
    "search_result": types.SearchResultBlockParam,
}
BLOCKS = {"assistant": ANSWERED, "user": ASKED, "system": {"text": types.TextBlockParam}}
CITATIONS = {
    "char_location": types.CitationCharLocationParam,
    "page_location": types.CitationPageLocationParam,
    "content_block_location": types.CitationContentBlockLocationParam,
    "web_search_result_location": types.CitationWebSearchResultLocationParam,
    "search_result_location": types.CitationSearchResultLocationParam,
}


def check(body: Any, *, counting: bool = False) -> None:
    """Raise Refused for the first thing that is wrong with a request's body."""
    if not isinstance(body, dict):
        raise Refused("Input should be a valid dictionary")
    _fields(body, COUNTED if counting else TOP, "")
    if not counting:
        _check_limits(body)
    if "model" not in body:
        raise Refused("model: Field required")
    if body["model"] not in MODELS:
        raise Refused(f"model: {body['model']}", status=404, type="not_found_error")
    _check_whole_characters(body, "")
    _check_thinking(body)
    _check_system(body.get("system", ""))
    _check_tools(body)
    _check_messages(body.get("messages"))
    marks = sum(1 for block in _all_blocks(body) if block.get("cache_control")) + bool(
        body.get("cache_control")
    )
    if marks > BREAKPOINTS_MAX:
        raise Refused(f"A maximum of 4 blocks with cache_control may be provided. Found {marks}.")


__all__ = ["Refused", "check", "content_of"]


def content_of(message: Block) -> list[Block]:
    """A message's blocks; a string is shorthand for one text block."""
    content = message["content"]
    return [{"type": "text", "text": content}] if isinstance(content, str) else content


def _fields(
    given: Block, allowed: frozenset[str], place: str, required: frozenset[str] = frozenset()
) -> None:
    prefix = f"{place}." if place else ""
    for name in given:
        if name not in allowed:
            raise Refused(f"{prefix}{name}: Extra inputs are not permitted")
    for name in sorted(required - set(given)):
        raise Refused(f"{prefix}{name}: Field required")


def _typed(block: Any, kinds: dict[str, Any], place: str) -> str:
    """Check a block's fields against its kind's parameter type; say the kind."""
    kind = block.get("type") if isinstance(block, dict) else None
    if kind not in kinds:
        known = ", ".join(f"'{name}'" for name in kinds)
        raise Refused(
            f"{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags: {known}"
        )
    param = kinds[kind]
    _fields(block, frozenset(param.__annotations__), f"{place}.{kind}", _required(param))
    return str(kind)


def _required(param: Any) -> frozenset[str]:
    """The fields a parameter type demands; its annotations are text, so `__required_keys__` is empty."""
    return frozenset(name for name, hint in param.__annotations__.items() if "Required[" in str(hint))


def _check_limits(body: Block) -> None:
    most = body.get("max_tokens")
    if most is None:
        raise Refused("max_tokens: Field required")
    if not isinstance(most, int) or isinstance(most, bool) or most < 1:
        raise Refused("max_tokens: Input should be greater than or equal to 1")
    if most > OUTPUT_MAX:
        raise Refused(
            f"max_tokens: {most} > {OUTPUT_MAX}, which is the maximum allowed number of output tokens"
        )
    if not isinstance(body.get("stream", False), bool):
        raise Refused("stream: Input should be a valid boolean")
    control = body.get("cache_control")
    if control is not None and (control.get("type") != "ephemeral" or set(control) - {"type", "ttl"}):
        raise Refused("cache_control: Input tag does not match any of the expected tags: 'ephemeral'")


def _check_whole_characters(value: Any, place: str) -> None:
    if isinstance(value, str) and any("\ud800" <= character <= "\udfff" for character in value):
        raise Refused("The request body is not valid JSON: no low surrogate in string")
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        _check_whole_characters(item, place)


def _check_thinking(body: Block) -> None:
    thinking = body.get("thinking")
    if thinking is None:
        return
    kind = thinking.get("type")
    fields = {"adaptive": {"type", "display"}, "disabled": {"type"}, "between_tools": {"type"}}
    if kind == "enabled":
        raise Refused(
            "thinking: `thinking.type.enabled` is not supported for this model. Use `thinking.type.adaptive`"
        )
    if kind not in fields:
        raise Refused(
            f"thinking: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        )
    _fields(thinking, frozenset(fields[kind]), f"thinking.{kind}")
    if thinking.get("display") not in (None, "summarized", "omitted"):
        raise Refused("thinking.adaptive.display: Input should be 'summarized' or 'omitted'")
    if kind == "disabled" and body["model"] in ALWAYS_THINKING:
        raise Refused("thinking: thinking cannot be disabled for this model")
    if kind == "between_tools" and body["model"] != "claude-sonnet-5-5":
        raise Refused("thinking: `between_tools` is not supported for this model")


def _check_system(system: Any) -> None:
    if isinstance(system, str):
        return
    for number, block in enumerate(system):
        _typed(block, {"text": types.TextBlockParam}, f"system.{number}")
        if not block["text"]:
            raise Refused("system: text content blocks must be non-empty")


def _check_tools(body: Block) -> None:
    tools = body.get("tools", [])
    names = [tool.get("name") for tool in tools]
    if len(set(names)) != len(names):
        raise Refused("tools: Tool names must be unique.")
    for number, tool in enumerate(tools):
        if str(tool.get("type") or "custom") == "custom":
            _check_tool(tool, f"tools.{number}.custom")
    choice = body.get("tool_choice")
    if choice is None:
        return
    if choice.get("type") not in ("auto", "any", "tool", "none"):
        raise Refused("tool_choice: Input tag does not match any of the expected tags")
    if choice["type"] == "none":
        _fields(choice, frozenset({"type"}), "tool_choice.none")
    elif not tools:
        raise Refused("tool_choice: may only be specified while providing tools")
    if choice["type"] in ("any", "tool") and body["model"] in NO_FORCED_TOOLS:
        raise Refused("tool_choice: forced tool use is not supported for this model")


def _check_tool(tool: Block, place: str) -> None:
    _fields(tool, frozenset(types.ToolParam.__annotations__), place, frozenset({"name", "input_schema"}))
    if not isinstance(tool["name"], str) or not TOOL_NAME.match(tool["name"]):
        raise Refused(f"{place}.name: String should match pattern '{TOOL_NAME.pattern}'")
    schema = tool["input_schema"]
    if not isinstance(schema, dict) or schema.get("type") != "object":
        raise Refused(f"{place}.input_schema.type: Input should be 'object'")
    properties = schema.get("properties") or {}
    if not isinstance(properties, dict) or not all(
        isinstance(item, dict | bool) for item in properties.values()
    ):
        raise Refused(
            f"{place}.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
        )
    required = schema.get("required") or []
    if not isinstance(required, list) or not all(isinstance(name, str) for name in required):
        raise Refused(
            f"{place}.input_schema: JSON schema is invalid. It must match JSON Schema draft 2020-12"
        )


def _check_messages(messages: Any) -> None:
    if not isinstance(messages, list) or not messages:
        raise Refused("messages: at least one message is required")
    if len(messages) > MESSAGES_MAX:
        raise Refused("messages: Too many messages")
    for number, message in enumerate(messages):
        _check_message(message, f"messages.{number}")
    check_count(messages)
    _check_order(messages)
    _check_calls(messages)


def _check_message(message: Any, place: str) -> None:
    required = frozenset({"role", "content"})
    _fields(message, required, place, required)
    if message["role"] not in BLOCKS:
        raise Refused(f"{place}.role: Input should be 'user', 'assistant' or 'system'")
    blocks = content_of(message)
    if not blocks:
        raise Refused(f"{place}: all messages must have non-empty content")
    for number, block in enumerate(blocks):
        kind = _typed(block, BLOCKS[message["role"]], f"{place}.content.{number}")
        _CHECKS.get(kind, _check_nothing)(block, f"{place}.content.{number}")
    if message["role"] == "assistant" and blocks[-1]["type"] in ("thinking", "redacted_thinking"):
        raise Refused(f"{place}: The final block in an assistant message cannot be `thinking`.")


def _check_nothing(block: Block, place: str) -> None:
    """A kind with no rules beyond its fields."""


def _check_text(block: Block, place: str) -> None:
    if not block["text"]:
        raise Refused("messages: text content blocks must be non-empty")
    if not block["text"].strip():
        raise Refused("messages: text content blocks must contain non-whitespace text")
    for number, citation in enumerate(block.get("citations") or ()):
        _typed(citation, CITATIONS, f"{place}.text.citations.{number}")


def _check_call(block: Block, place: str) -> None:
    if not CALL_ID.match(block["id"]):
        raise Refused(f"{place}.tool_use.id: String should match pattern '{CALL_ID.pattern}'")
    if not TOOL_NAME.match(block["name"]):
        raise Refused(f"{place}.tool_use.name: String should match pattern '{TOOL_NAME.pattern}'")
    if not isinstance(block["input"], dict):
        raise Refused(f"{place}.tool_use.input: Input should be a valid dictionary")


def _check_result(block: Block, place: str) -> None:
    if not CALL_ID.match(block["tool_use_id"]):
        raise Refused(f"{place}.tool_result.tool_use_id: String should match pattern '{CALL_ID.pattern}'")
    content = block.get("content") or []
    if block.get("is_error") and not content:
        raise Refused(f"{place}.tool_result: content cannot be empty if `is_error` is true")
    if isinstance(content, list):
        for inner in content:
            if inner.get("type") == "text" and not inner.get("text"):
                raise Refused("messages: text content blocks must be non-empty")


_CHECKS = {
    "text": _check_text,
    "tool_use": _check_call,
    "tool_result": _check_result,
    "image": check_image,
    "document": check_document,
}


def _check_order(messages: list[Block]) -> None:
    """Who may follow whom.

    The SDK's types do not say where a system message may stand. The stand-in takes it only in the place
    every reading allows: right behind a user message, and last or before an assistant's.
    """
    if messages[0]["role"] != "user":
        raise Refused('messages: first message must use the "user" role')
    for number, message in enumerate(messages):
        if message["role"] != "system":
            continue
        before = messages[number - 1]["role"]
        behind = messages[number + 1]["role"] if number + 1 < len(messages) else "assistant"
        if (before, behind) != ("user", "assistant"):
            raise Refused(
                f"messages.{number}: a `system` message must follow a `user` message and end the turn"
            )
    last = messages[-1]
    if last["role"] == "assistant" and content_of(last)[-1]["type"] in ("text", "tool_use"):
        raise Refused(
            "This model does not support assistant message prefill. "
            "The conversation must end with a user message."
        )


def _check_calls(messages: list[Block]) -> None:
    """Every call has its result in the next message, and every result its call in the one before."""
    seen: set[str] = set()
    open_calls: list[str] = []
    place = 0
    for role, run in groupby(messages, key=lambda message: message["role"]):
        # Neighbours of one role count as one message.
        blocks = [block for message in run for block in content_of(message)]
        if open_calls and role != "user":
            raise Refused(_unanswered(place, open_calls))
        if role == "user":
            _check_results(blocks, open_calls, place)
            open_calls = []
        calls = [block["id"] for block in blocks if block["type"] == "tool_use"]
        if len(set(calls)) != len(calls) or seen & set(calls):
            raise Refused(f"messages.{place}: `tool_use` ids must be unique")
        seen |= set(calls)
        open_calls = calls or open_calls
        place += 1
    if open_calls:
        raise Refused(_unanswered(place - 1, open_calls))


def _check_results(blocks: list[Block], open_calls: list[str], place: int) -> None:
    results = [block["tool_use_id"] for block in blocks if block["type"] == "tool_result"]
    for call_id in results:
        if call_id not in open_calls:
            raise Refused(
                f"messages.{place}: unexpected `tool_use_id` found in `tool_result` blocks: {call_id}. Each "
                "`tool_result` block must have a corresponding `tool_use` block in the previous message."
            )
        if results.count(call_id) > 1:
            raise Refused(
                "each tool_use must have a single result. "
                f"Found multiple `tool_result` blocks with id: {call_id}"
            )
    missing = [call_id for call_id in open_calls if call_id not in results]
    first = [block["type"] == "tool_result" for block in blocks[: len(results)]]
    if missing or not all(first):
        raise Refused(_unanswered(place - 1, missing or open_calls))


def _unanswered(place: int, calls: list[str]) -> str:
    return (
        f"messages.{place}: `tool_use` ids were found without `tool_result` blocks immediately after: "
        f"{', '.join(calls)}. Each `tool_use` block must have a corresponding `tool_result` block "
        "in the next message."
    )


def _all_blocks(body: Block) -> Iterator[Block]:
    yield from body.get("tools", ())
    if not isinstance(body.get("system", ""), str):
        yield from body["system"]
    for message in body["messages"]:
        yield from content_of(message)
