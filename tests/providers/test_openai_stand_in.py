"""The stand-in for OpenAI refuses what the API refuses, and tells what the API tells."""

import json
from typing import Any

import httpx2
import pytest

from tests.fakes.openai import OpenAIStandIn
from tests.fakes.openai_script import Item, Search, Thought, Use, Words

HI: Item = {"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}
CALL: Item = {"type": "function_call", "call_id": "call_1", "name": "clock", "arguments": "{}"}
RESULT: Item = {"type": "function_call_output", "call_id": "call_1", "output": "noon"}
LOST: Item = {"type": "reasoning", "id": "rs_1", "summary": []}
FORGED: Item = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAAA"}
CLOCK: Item = {"type": "function", "name": "clock", "parameters": {"type": "object"}, "strict": False}
FUNCTION: Item = {"type": "function", "function": {"name": "clock", "parameters": {"type": "object"}}}
SAYS_HI: Item = {"role": "user", "content": "Hi"}
USED: Item = {"id": "call_1", "type": "function", "function": {"name": "clock", "arguments": "{}"}}
CALLED: Item = {"role": "assistant", "content": None, "tool_calls": [USED]}
TOLD: Item = {"role": "tool", "tool_call_id": "call_1", "content": "noon"}


async def ask(openai: OpenAIStandIn, path: str, body: Item) -> httpx2.Response:
    async with httpx2.AsyncClient() as client:
        return await client.post(
            f"{openai.url}{path}", json=body, headers={"authorization": "Bearer sk-test"}
        )


async def responses(openai: OpenAIStandIn, **changes: Any) -> httpx2.Response:
    body = {"model": "gpt-6.1-sol", "input": [HI], "store": False, "stream": True, **changes}
    return await ask(openai, "/responses", body)


async def chat(openai: OpenAIStandIn, **changes: Any) -> httpx2.Response:
    body = {"model": "qwen3:32b", "messages": [SAYS_HI], "max_tokens": 100, "stream": True, **changes}
    return await ask(openai, "/chat/completions", body)


def told(response: httpx2.Response) -> list[Item]:
    lines = [line.removeprefix("data: ") for line in response.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in lines if line != "[DONE]"]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"max_tokens": 5}, "Unknown parameter: 'max_tokens'"),
        ({"model": "gpt-9"}, "does not exist"),
        ({"max_output_tokens": 15}, "Expected a value >= 16"),
        ({"max_output_tokens": 128_001}, "above maximum value"),
        ({"include": ["everything"]}, "Invalid value in 'include'"),
        ({"tool_choice": "none"}, "only allowed when 'tools' are specified"),
        ({"tools": [{**CLOCK, "name": "the clock"}]}, "tools[0].name"),
        ({"tools": [{**CLOCK, "input_schema": {}}]}, "Unknown parameter: 'tools[0].input_schema'"),
        ({"tools": [{"type": "web_search", "name": "web_search"}]}, "Unknown parameter: 'tools[0].name'"),
        ({"input": []}, "must be provided"),
        ({"input": [{"role": "user", "content": []}]}, "empty"),
        ({"input": [{"role": "user", "content": " "}]}, "empty"),
        ({"input": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}]}, "Invalid value: 'text'"),
        ({"input": [{**HI, "cache_control": {}}]}, "Unknown parameter: 'input[0].cache_control'"),
        ({"input": [HI, RESULT]}, "No tool call found for function call output"),
        ({"input": [HI, CALL]}, "No tool output found for function call call_1"),
        ({"input": [HI, CALL, RESULT, RESULT]}, "No tool call found"),
        ({"input": [HI, CALL, RESULT, CALL, RESULT]}, "Duplicate call_id"),
        ({"input": [HI, {**CALL, "call_id": "x" * 65}]}, "maximum length 64"),
        ({"input": [HI, {**CALL, "arguments": {}}]}, "Invalid type"),
        (
            {"input": [HI, LOST, {"role": "assistant", "content": "Hi"}, HI]},
            "not found. Items are not persisted",
        ),
        ({"input": [HI, FORGED, {"role": "assistant", "content": "Hi"}, HI]}, "could not be verified"),
        ({"input": [HI, {"role": "assistant", "content": "Hi"}]}, "ends in the model's own words"),
        ({"input": [{"role": "user", "content": "слово " * 1_000_000}]}, "exceeds the context window"),
    ],
)
async def test_the_responses_api_refuses(openai: OpenAIStandIn, changes: Item, words: str) -> None:
    response = await responses(openai, **changes)
    assert response.status_code >= 400
    assert words in response.json()["error"]["message"]


async def test_reasoning_and_what_came_out_of_it_do_not_go_one_without_the_other(
    openai: OpenAIStandIn,
) -> None:
    openai.say(Thought(("Hm.",)), Words("Yes."))
    await responses(openai, include=["reasoning.encrypted_content"])
    thought, message = openai.requests[0].answer
    assert (await responses(openai, input=[HI, thought, message, HI])).status_code == 200
    alone = await responses(openai, input=[HI, thought, HI])
    assert "without its required following item" in alone.json()["error"]["message"]
    bare = await responses(openai, input=[HI, message, HI])
    assert f"without its required 'reasoning' item: '{thought['id']}'" in bare.json()["error"]["message"]


async def test_the_events_of_an_answer_come_in_the_apis_own_order(openai: OpenAIStandIn) -> None:
    openai.say(Thought(("Hm.",)), Search("sky"), Words("Yes."), Use("clock", {"a": 1}))
    events = told(await responses(openai, tools=[CLOCK, {"type": "web_search"}]))
    assert [event["sequence_number"] for event in events] == list(range(len(events)))
    assert [event["type"].removeprefix("response.") for event in events] == [
        "created",
        "in_progress",
        "output_item.added",
        "reasoning_summary_part.added",
        "reasoning_summary_text.delta",
        "reasoning_summary_text.done",
        "reasoning_summary_part.done",
        "output_item.done",
        "output_item.added",
        "web_search_call.in_progress",
        "web_search_call.searching",
        "web_search_call.completed",
        "output_item.done",
        "output_item.added",
        "content_part.added",
        "output_text.delta",
        "output_text.done",
        "content_part.done",
        "output_item.done",
        "output_item.added",
        "function_call_arguments.delta",
        "function_call_arguments.delta",
        "function_call_arguments.done",
        "output_item.done",
        "completed",
    ]
    assert events[-1]["response"]["usage"]["output_tokens"] > 0
    assert len(events[-1]["response"]["output"]) == 4


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"instructions": "Be brief."}, "Unknown parameter: 'instructions'"),
        ({"model": "qwen"}, "does not exist"),
        ({"max_tokens": 0}, "at least 1"),
        ({"max_tokens": 32_768}, "maximum context length is 32768"),
        ({"tool_choice": "none"}, "only allowed when 'tools' are specified"),
        ({"model": "gemma3:12b", "tools": [FUNCTION]}, "does not support tools"),
        ({"messages": []}, "too short"),
        ({"messages": [SAYS_HI, {"role": "system", "content": "x"}]}, "must be at the beginning"),
        ({"messages": [SAYS_HI, SAYS_HI]}, "must alternate"),
        ({"messages": [{"role": "user", "content": ""}]}, "empty"),
        ({"messages": [{"role": "developer", "content": "x"}]}, "Invalid value: 'developer'"),
        ({"messages": [SAYS_HI, CALLED]}, "must not be the assistant's"),
        ({"messages": [SAYS_HI, CALLED, SAYS_HI]}, "must be followed by tool messages"),
        ({"messages": [SAYS_HI, TOLD]}, "must be a response to a preceding"),
        ({"messages": [SAYS_HI, {**CALLED, "tool_calls": [USED, USED]}]}, "must be unique"),
        (
            {"messages": [SAYS_HI, {"role": "assistant", "content": "x", "reasoning": "y"}, SAYS_HI]},
            "only taken back around tool calls",
        ),
        (
            {"messages": [{"role": "user", "content": [{"type": "image_url", "image_url": {"url": "x"}}]}]},
            "Invalid content type",
        ),
    ],
)
async def test_a_strict_chat_server_refuses(openai: OpenAIStandIn, changes: Item, words: str) -> None:
    response = await chat(openai, **changes)
    assert response.status_code >= 400
    assert words in response.json()["error"]["message"]


async def test_a_chat_ends_with_its_reason_its_counts_and_done(openai: OpenAIStandIn) -> None:
    openai.say(Words("Well."))
    response = await chat(openai, stream_options={"include_usage": True})
    *_, last, counts = told(response)
    assert last["choices"][0]["finish_reason"] == "stop"
    assert counts["choices"] == []
    assert counts["usage"]["completion_tokens"] > 0
    assert response.text.endswith("data: [DONE]\n\n")


async def test_a_chat_that_is_not_asked_to_count_does_not(openai: OpenAIStandIn) -> None:
    assert not any(chunk.get("usage") for chunk in told(await chat(openai)))
