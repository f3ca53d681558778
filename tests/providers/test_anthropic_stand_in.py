"""The stand-in is as strict as the API: a test that passes against it must mean something."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import anthropic as sdk
import httpx2
import pytest

from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Block, Cut, Redacted, Thought, Use, Words

ROOT = Path(__file__).resolve().parents[2]
DEADLINE = 30.0  # seconds a process has to say where it listens
HEADERS = {"x-api-key": "sk-ant-test", "anthropic-version": "2026-10-21", "content-type": "application/json"}
CLOCK = {"name": "clock", "description": "The time.", "input_schema": {"type": "object", "properties": {}}}
CALL = {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {}}
RESULT = {"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"}
DOG = {"type": "text", "text": "Dog"}


@pytest.fixture
async def api() -> AsyncIterator[AnthropicStandIn]:
    async with AnthropicStandIn.started() as stand_in:
        yield stand_in


@pytest.fixture
async def http(api: AnthropicStandIn) -> AsyncIterator[httpx2.AsyncClient]:
    async with httpx2.AsyncClient(base_url=api.url, headers=HEADERS) as client:
        yield client


def said(*messages: tuple[str, Any], **changes: Any) -> Block:
    """A body with these messages."""
    listed = [{"role": role, "content": content} for role, content in messages]
    return {"model": "claude-opus-5-5", "max_tokens": 1000, "messages": listed, **changes}


HI = said(("user", "Hi"))

REFUSALS: list[tuple[str, Block, str]] = [
    ("no max_tokens", {"model": "claude-opus-5-5", "messages": HI["messages"]}, "max_tokens: Field required"),
    ("max_tokens 0", HI | {"max_tokens": 0}, "max_tokens"),
    ("max_tokens too large", HI | {"max_tokens": 128_001}, "maximum allowed number of output tokens"),
    ("temperature", HI | {"temperature": 1}, "temperature: Extra inputs are not permitted"),
    ("top_p", HI | {"top_p": 1}, "top_p: Extra inputs are not permitted"),
    ("our own field", HI | {"thread_id": 1}, "thread_id: Extra inputs are not permitted"),
    ("no messages", said(), "at least one message"),
    ("an assistant first", said(("assistant", "Hi"), ("user", "Hi")), "first message"),
    ("a system first", said(("system", "Hi"), ("user", "Hi")), "first message"),
    (
        "a system behind an answer",
        said(("user", "a"), ("assistant", "b"), ("system", "c"), ("user", "d")),
        "system",
    ),
    ("a system before a person", said(("user", "a"), ("system", "c"), ("user", "d")), "system"),
    ("a role nobody has", said(("tool", "Hi")), "role"),
    (
        "a name on a message",
        HI | {"messages": [{"role": "user", "content": "Hi", "name": "Bo"}]},
        "name: Extra",
    ),
    ("empty content", said(("user", [])), "non-empty content"),
    ("an empty text", said(("user", [{"type": "text", "text": ""}])), "non-empty"),
    ("an empty string", said(("user", "")), "non-empty"),
    ("a text of spaces", said(("user", " \n")), "non-whitespace"),
    (
        "a field of ours on a block",
        said(("user", [DOG | {"telegram_file_id": "x"}])),
        "telegram_file_id: Extra",
    ),
    ("a block without its field", said(("user", [{"type": "text"}])), "text.text: Field required"),
    ("a block nobody knows", said(("user", [{"type": "song"}])), "'song'"),
    (
        "thinking by a person",
        said(("user", [{"type": "thinking", "thinking": "a", "signature": "b"}])),
        "'thinking'",
    ),
    ("an answer prefilled", said(("user", "a"), ("assistant", "b")), "prefill"),
    (
        "a call without a result",
        said(("user", "a"), ("assistant", [CALL]), ("user", "b")),
        "without `tool_result`",
    ),
    ("a call at the end", said(("user", "a"), ("assistant", [CALL])), "prefill"),
    ("a result without a call", said(("user", [RESULT])), "unexpected `tool_use_id`"),
    (
        "words before a result",
        said(("user", "a"), ("assistant", [CALL]), ("user", [DOG, RESULT])),
        "without `tool_result`",
    ),
    (
        "two results",
        said(("user", "a"), ("assistant", [CALL]), ("user", [RESULT, RESULT])),
        "multiple `tool_result`",
    ),
    ("one id twice", said(("user", "a"), ("assistant", [CALL, CALL]), ("user", [RESULT])), "must be unique"),
    (
        "a result behind a system message",
        said(
            ("user", "a"),
            ("assistant", [CALL]),
            ("user", "b"),
            ("system", "c"),
            ("assistant", "d"),
            ("user", [RESULT]),
        ),
        "without `tool_result`",
    ),
    (
        "a strange id",
        said(("user", "a"), ("assistant", [CALL | {"id": "a:b"}]), ("user", [RESULT])),
        "tool_use.id",
    ),
    (
        "arguments that are no object",
        said(("user", "a"), ("assistant", [CALL | {"input": []}])),
        "tool_use.input",
    ),
    (
        "an error without words",
        said(("user", "a"), ("assistant", [CALL]), ("user", [RESULT | {"is_error": True, "content": ""}])),
        "content cannot be empty if `is_error`",
    ),
    ("a tool's name with a dot", HI | {"tools": [CLOCK | {"name": "a.b"}]}, "name: String should match"),
    ("a tool's name too long", HI | {"tools": [CLOCK | {"name": "a" * 129}]}, "name: String should match"),
    ("a tool twice", HI | {"tools": [CLOCK, CLOCK]}, "unique"),
    ("a tool without schema", HI | {"tools": [{"name": "a"}]}, "input_schema: Field required"),
    (
        "a schema of another type",
        HI | {"tools": [CLOCK | {"input_schema": {"type": "string"}}]},
        "input_schema.type",
    ),
    (
        "a broken schema",
        HI | {"tools": [CLOCK | {"input_schema": {"type": "object", "required": "a"}}]},
        "JSON schema",
    ),
    ("a field of ours on a tool", HI | {"tools": [CLOCK | {"price": 1}]}, "price: Extra"),
    ("a forced tool", HI | {"tools": [CLOCK], "tool_choice": {"type": "any"}}, "forced"),
    (
        "a forced tool by name",
        HI | {"tools": [CLOCK], "tool_choice": {"type": "tool", "name": "clock"}},
        "forced",
    ),
    ("a choice without tools", HI | {"tool_choice": {"type": "auto"}}, "while providing tools"),
    ("a budget", HI | {"thinking": {"type": "enabled", "budget_tokens": 1024}}, "adaptive"),
    ("thinking forbidden", HI | {"thinking": {"type": "disabled"}}, "cannot be disabled"),
    ("another display", HI | {"thinking": {"type": "adaptive", "display": "full"}}, "display"),
    (
        "an unsigned thought",
        said(("user", "a"), ("assistant", [{"type": "thinking", "thinking": "b"}, DOG])),
        "signature",
    ),
    (
        "a forged thought",
        said(
            ("user", "a"),
            ("assistant", [{"type": "thinking", "thinking": "b", "signature": "YQ=="}, DOG]),
            ("user", "c"),
        ),
        "Invalid `signature`",
    ),
    (
        "a thought at the end",
        said(("user", "a"), ("assistant", [{"type": "redacted_thinking", "data": "a"}])),
        "final block",
    ),
    ("five marks", said(("user", [DOG | {"cache_control": {"type": "ephemeral"}}] * 5)), "maximum of 4"),
    ("half an emoji", said(("user", "\ud83d")), "surrogate"),
    ("too long a prompt", said(("user", "a" * 4_100_000)), "prompt is too long"),
]


@pytest.mark.parametrize(("body", "words"), [row[1:] for row in REFUSALS], ids=[row[0] for row in REFUSALS])
async def test_it_refuses(api: AnthropicStandIn, http: httpx2.AsyncClient, body: Block, words: str) -> None:
    response = await http.post("/v1/messages", content=json.dumps(body))
    error = response.json()
    assert response.status_code == 400, response.text
    assert words in error["error"]["message"]
    assert (error["type"], error["error"]["type"]) == ("error", "invalid_request_error")
    assert response.headers["request-id"] == error["request_id"]
    assert words in api.requests[0].refusal


@pytest.mark.parametrize(
    ("change", "status", "kind"),
    [
        ({"x-api-key": ""}, 401, "authentication_error"),
        ({"anthropic-version": ""}, 400, "invalid_request_error"),
        ({"content-type": "text/plain"}, 400, "invalid_request_error"),
    ],
)
async def test_it_refuses_a_request_without_its_headers(
    http: httpx2.AsyncClient, change: dict[str, str], status: int, kind: str
) -> None:
    response = await http.post("/v1/messages", content=json.dumps(HI), headers=change)
    assert (response.status_code, response.json()["error"]["type"]) == (status, kind)


async def test_it_refuses_another_key_than_its_own() -> None:
    async with AnthropicStandIn.started(api_key="right") as api:
        for key, status in (("wrong", 401), ("right", 200)):
            headers = HEADERS | {"x-api-key": key}
            async with httpx2.AsyncClient(base_url=api.url, headers=headers) as http:
                assert (await http.post("/v1/messages", json=HI)).status_code == status


async def test_it_refuses_a_model_and_a_body_it_does_not_know(http: httpx2.AsyncClient) -> None:
    response = await http.post("/v1/messages", json=HI | {"model": "claude-0"})
    assert (response.status_code, response.json()["error"]["type"]) == (404, "not_found_error")
    for content in ("{", "[]", "null", '"Hi"'):
        assert (await http.post("/v1/messages", content=content)).status_code == 400


async def test_a_body_over_32_mb_is_too_large(http: httpx2.AsyncClient) -> None:
    response = await http.post("/v1/messages", content=b" " * (32 * 1024 * 1024 + 1))
    assert (response.status_code, response.json()["error"]["type"]) == (413, "request_too_large")


async def _thought(http: httpx2.AsyncClient, api: AnthropicStandIn, body: Block) -> Block:
    """The body of the next request: this one, its thoughtful answer, and one more question."""
    api.say(Thought("Deep."), Words("Yes."))
    content = (await http.post("/v1/messages", json=body)).json()["content"]
    more = [{"role": "assistant", "content": content}, {"role": "user", "content": "And?"}]
    return body | {"messages": [*body["messages"], *more]}


async def test_it_takes_a_thought_back_in_its_own_conversation(
    http: httpx2.AsyncClient, api: AnthropicStandIn
) -> None:
    body = await _thought(http, api, said(("user", "Is it?"), system="Be brief.", tools=[CLOCK]))
    twice = await _thought(http, api, body)
    assert (await http.post("/v1/messages", json=twice)).status_code == 200
    as_blocks = json.loads(json.dumps(twice).replace('"Is it?"', '[{"type": "text", "text": "Is it?"}]'))
    assert (await http.post("/v1/messages", json=as_blocks)).status_code == 200


CHANGES: dict[str, Callable[[Block], Any]] = {
    "the system prompt": lambda body: body.update(system="Be brief!"),
    "a tool's description": lambda body: body["tools"][0].update(description="The hour."),
    "a tool more": lambda body: body["tools"].append(CLOCK | {"name": "watch"}),
    "the first question": lambda body: body["messages"][0].update(content="Is it"),
    "an earlier answer": lambda body: body["messages"][1]["content"][1].update(text="Yes!"),
    "a message put between": lambda body: body["messages"].insert(0, {"role": "user", "content": "Well,"}),
    "an earlier turn left out": lambda body: body.update(messages=body["messages"][2:]),
}


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES.keys())
async def test_it_refuses_a_thought_when_what_stood_before_it_changed(
    http: httpx2.AsyncClient, api: AnthropicStandIn, change: Callable[[Block], Any]
) -> None:
    body = await _thought(http, api, said(("user", "Is it?"), system="Be brief.", tools=[CLOCK]))
    body = await _thought(http, api, body)
    change(body)
    response = await http.post("/v1/messages", json=body)
    assert response.status_code == 400
    assert "The block is bound to a different conversation" in response.json()["error"]["message"]


async def test_it_refuses_a_thought_that_was_edited(http: httpx2.AsyncClient, api: AnthropicStandIn) -> None:
    body = await _thought(http, api, said(("user", "Is it?")))
    body["messages"][1]["content"][0]["thinking"] = "Shallow."
    response = await http.post("/v1/messages", json=body)
    assert "cannot be modified" in response.json()["error"]["message"]


async def test_it_lets_a_leading_thought_go_and_drops_another_models(
    http: httpx2.AsyncClient, api: AnthropicStandIn
) -> None:
    body = await _thought(http, api, said(("user", "Is it?")))
    other = json.loads(json.dumps(body | {"model": "claude-haiku-5-5"}).replace("Is it?", "Was it?"))
    assert (await http.post("/v1/messages", json=other)).status_code == 200
    body["messages"][1]["content"].pop(0)
    assert (await http.post("/v1/messages", json=body)).status_code == 200


async def test_its_events_are_those_of_the_api(http: httpx2.AsyncClient, api: AnthropicStandIn) -> None:
    api.say(Thought("Hm.", piece=2), Redacted(), Words("Hello", piece=3), Use("clock", {"a": 1}, piece=4))
    text = (await http.post("/v1/messages", json=HI | {"stream": True})).text
    lines = [chunk.split("\n") for chunk in text.strip().split("\n\n")]
    events = [json.loads(data.removeprefix("data: ")) for _, data in lines]
    assert [name.removeprefix("event: ") for name, _ in lines] == [event["type"] for event in events]
    told = [
        (event["type"].removeprefix("content_block_"), event.get("index"), event.get("delta", {}).get("type"))
        for event in events
    ]
    assert told == [
        ("message_start", None, None),
        ("ping", None, None),
        ("start", 0, None),
        ("delta", 0, "thinking_delta"),
        ("delta", 0, "thinking_delta"),
        ("delta", 0, "signature_delta"),
        ("stop", 0, None),
        ("start", 1, None),
        ("stop", 1, None),
        ("start", 2, None),
        ("delta", 2, "text_delta"),
        ("delta", 2, "text_delta"),
        ("stop", 2, None),
        ("start", 3, None),
        ("delta", 3, "input_json_delta"),
        ("delta", 3, "input_json_delta"),
        ("delta", 3, "input_json_delta"),
        ("stop", 3, None),
        ("message_delta", None, None),
        ("message_stop", None, None),
    ]


async def test_the_sdks_own_reader_understands_its_streams(api: AnthropicStandIn) -> None:
    api.say(Thought("Hm."), Words("Hello"), Use("clock", {"a": 1}))
    async with sdk.AsyncAnthropic(api_key="sk-ant-test", base_url=api.url, max_retries=0) as client:
        async with client.messages.stream(
            model="claude-opus-5-5", max_tokens=100, messages=[{"role": "user", "content": "Hi"}]
        ) as stream:
            message = await stream.get_final_message()
        whole = message.to_dict(mode="json")
        listed = [model.id async for model in await client.models.list()]
        counted = await client.messages.count_tokens(
            model="claude-opus-5-5", messages=[{"role": "user", "content": "Hi"}]
        )
    assert [block["type"] for block in whole["content"]] == ["thinking", "text", "tool_use"]  # type: ignore[index, attr-defined]
    assert message.stop_reason == "tool_use"
    assert message.usage.output_tokens > 0
    assert "claude-haiku-5-5" in listed
    assert counted.input_tokens > 0


async def test_it_stops_at_max_tokens(http: httpx2.AsyncClient, api: AnthropicStandIn) -> None:
    api.say(Words("one two three four five six seven"))
    message = (await http.post("/v1/messages", json=HI | {"max_tokens": 4})).json()
    assert message["stop_reason"] == "max_tokens"
    assert message["usage"]["output_tokens"] <= 4


async def test_its_cache_reads_what_an_earlier_request_marked_and_no_more(
    http: httpx2.AsyncClient, api: AnthropicStandIn
) -> None:
    marked = {"cache_control": {"type": "ephemeral"}}
    long = said(("user", "a" * 4000), **marked)
    longer = said(("user", "a" * 4000), ("assistant", "b" * 400), ("user", "c" * 400), **marked)
    changed = said(("user", "A" + "a" * 3999), ("assistant", "b" * 400), ("user", "c" * 400), **marked)
    usages = [
        (await http.post("/v1/messages", json=body)).json()["usage"] for body in (long, longer, changed, HI)
    ]
    read = [usage["cache_read_input_tokens"] for usage in usages]
    written = [usage["cache_creation_input_tokens"] for usage in usages]
    assert read == [0, written[0], 0, 0]
    assert written[0] + written[1] == written[2]
    assert written[3] == 0
    assert usages[3]["input_tokens"] > 3


async def test_a_cut_stream_ends_without_its_end(http: httpx2.AsyncClient, api: AnthropicStandIn) -> None:
    api.say(Words("Half"), Cut())
    with pytest.raises(httpx2.HTTPError):
        await http.post("/v1/messages", json=HI | {"stream": True})


@pytest.mark.processes
async def test_as_a_process_it_draws_a_formula_when_asked_for_one() -> None:
    command = (sys.executable, "-m", "tests.fakes.anthropic", "--port", "0")
    process = await asyncio.create_subprocess_exec(*command, cwd=ROOT, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        url = (await asyncio.wait_for(process.stdout.readline(), DEADLINE)).decode().split()[-1]
        body = said(("user", "The formula, please"), tools=[CLOCK | {"name": "render_latex"}])
        async with httpx2.AsyncClient(base_url=url, headers=HEADERS) as http:
            first = (await http.post("/v1/messages", json=body)).json()
            call = first["content"][-1]
            result = {"type": "tool_result", "tool_use_id": call["id"], "content": "drawn"}
            more = [{"role": "assistant", "content": first["content"]}, {"role": "user", "content": [result]}]
            second = (
                await http.post("/v1/messages", json=body | {"messages": body["messages"] + more})
            ).json()
    finally:
        process.terminate()
        await process.wait()
    assert [block["type"] for block in first["content"]] == ["thinking", "text", "tool_use"]
    assert call["name"] == "render_latex"
    assert second["stop_reason"] == "end_turn"
