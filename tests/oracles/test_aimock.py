"""@copilotkit/aimock, a stand-in for the vendors from another house, holds a conversation with our providers.

What it is asked is written out in conversation.json. Where it is not true to a vendor's wire stands at the end,
each place with what the vendor does, so that a better version of it is noticed.
"""

import socket
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from billing.pricing import Usage
from conversations.contracts import Model, ProviderError, Reason
from conversations.parts import Text, Thinking, ToolCall, ToolResult, dump, load, text_of
from conversations.providers import gemini
from conversations.reply import Reply
from tests.oracles import npm
from tests.oracles.asking import HERE
from tests.providers import harness_claude, harness_gemini, harness_openai, harness_openai_chat
from tests.providers.harness import answer, asks, assistant, fold, user

PROGRAM = npm.PACKAGES / "@copilotkit/aimock/dist/cli.js"
WIRES = ("claude", "openai", "openai_chat", "gemini")
# gpt-6.1 may reason without a word of it; the others then send no part at all.
SILENT = {"openai": [Thinking]}

pytestmark = pytest.mark.oracle


@pytest.fixture
def aimock(tmp_path: Path) -> Iterator[str]:
    """Its address."""
    npm.need()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    said = tmp_path / "said.txt"
    with npm.started(
        str(PROGRAM), "--port", str(port), "--fixtures", str(HERE / "conversation.json"),
        "--validate-on-load", "--strict",
        home=tmp_path,
        ready=lambda: "yes" if "listening" in said.read_text() else "",
    ):  # fmt: skip
        yield f"http://127.0.0.1:{port}"


@dataclass(frozen=True)
class Wire:
    """One provider pointed at aimock: how, and the model that is asked."""

    name: str
    model: Model
    pointed: AbstractAsyncContextManager[None]


async def wire_of(name: str, aimock: str, beta: str, settings: Any) -> Wire:
    match name:
        case "claude":
            return Wire(name, harness_claude.Harness.model, harness_claude.pointed_at(aimock, settings))
        case "gemini":
            return Wire(name, harness_gemini.Harness.model, harness_gemini.pointed_at(beta, settings))
    harness = harness_openai if name == "openai" else harness_openai_chat
    return Wire(name, harness.Harness.model, harness_openai.pointed_at(f"{aimock}/v1", settings))


@pytest.fixture(params=WIRES)
async def wire(request: pytest.FixtureRequest, aimock: str, beta: str, settings: Any) -> AsyncIterator[Wire]:
    wire = await wire_of(request.param, aimock, beta, settings)
    async with wire.pointed:
        yield wire


@pytest.fixture
async def beta(aimock: str) -> AsyncIterator[str]:
    """An address at which Gemini's API is called v1, as by the SDK; aimock knows it as v1beta only."""
    async with relayed(aimock) as address:
        yield address


async def test_a_conversation_with_tools_comes_through_whole(wire: Wire) -> None:
    first, drawn, two, done = await talk(wire.model)
    assert kinds(first) == [Thinking, Text, ToolCall]
    assert text_of(first.kept()) == "Short waves are scattered most. Look:\n\n"
    assert [call.arguments for call in first.calls] == [{"latex": r"\lambda^{-4} = \text{é🎈}"}]
    assert text_of(drawn.kept()) == "There it stands, **é🎈**."
    assert kinds(two) == [*SILENT.get(wire.name, []), ToolCall, ToolCall]
    assert [(call.name, call.arguments) for call in two.calls] == [
        ("render_latex", {"latex": "a"}),
        ("clock", {}),
    ]
    assert len({call.id for call in two.calls}) == 2
    assert text_of(done.kept()) == "Both are done."
    assert [reply.done.reason for reply in (first, drawn, two, done) if reply.done] == [
        Reason.TOOLS,
        Reason.END,
        Reason.TOOLS,
        Reason.END,
    ]
    assert [reply.usage for reply in (first, drawn, two, done)] == [
        Usage(input=120, output=40),
        Usage(input=170, output=12),
        Usage(input=200, output=30),
        Usage(input=260, output=8),
    ]


async def test_a_history_goes_from_vendor_to_vendor(aimock: str, beta: str, settings: Any) -> None:
    """Each call of the conversation is answered by another one than the call before."""
    said = []
    history = [user("Why is the sky blue?")]
    for name in ("claude", "gemini", "openai", "openai_chat"):
        wire = await wire_of(name, aimock, beta, settings)
        async with wire.pointed:
            reply = await answer(wire.model, asks(*history))
        said.append(text_of(reply.kept()))
        history.append(assistant(*load(dump(reply.kept()))))
        if reply.calls:
            history.append(user(*(ToolResult(call.id, call.name, "It is drawn.") for call in reply.calls)))
        else:
            history.append(user("And two more?"))
    assert said == [
        "Short waves are scattered most. Look:\n\n",
        "There it stands, **é🎈**.",
        "",
        "Both are done.",
    ]


async def test_a_429_is_waited_out_and_asked_again(wire: Wire) -> None:
    reply = await answer(wire.model, asks("You ask too many."))
    assert text_of(reply.kept()) == "Here I am."


async def test_a_wrong_key_is_said_at_once(wire: Wire) -> None:
    with pytest.raises(ProviderError, match="key") as failed:
        await answer(wire.model, asks("Is the key right?"))
    assert failed.value.key == "key"
    assert not failed.value.retryable


async def test_an_answer_that_is_broken_off_keeps_its_words_and_says_so(wire: Wire) -> None:
    reply = Reply()
    with pytest.raises(ProviderError) as failed:
        await fold(reply, wire.model, asks("This is broken off."))
    assert failed.value.key == "overloaded"
    assert text_of(reply.kept()).startswith("These words")
    assert reply.done is None


# Where aimock 1.43.0 is not true to the wire ---------------------------------------------------------

ASKED = [{"role": "user", "content": "Why is the sky blue?"}]
CALL = {"type": "tool_use", "id": "toolu_1", "name": "clock", "input": {}}
# What a vendor refuses with 400, and aimock answers: a bug of ours in any of these it would not find.
LENIENT = {
    "Claude: a call without its result": (
        "/v1/messages",
        {"messages": [*ASKED, {"role": "assistant", "content": [CALL]}, *ASKED]},
    ),
    "Claude: a forced tool on a model that always thinks": (
        "/v1/messages",
        {"messages": ASKED, "tool_choice": {"type": "any"}, "thinking": {"type": "adaptive"}},
    ),
    "Claude: thinking whose signature is another's": (
        "/v1/messages",
        {
            "messages": [
                *ASKED,
                {
                    "role": "assistant",
                    "content": [{"type": "thinking", "thinking": "", "signature": "forged"}, CALL],
                },
                {
                    "role": "user",
                    "content": [{"type": "tool_result", "tool_use_id": "toolu_1", "content": "noon"}],
                },
            ]
        },
    ),
    "OpenAI: a result without its call": (
        "/v1/responses",
        {"input": [{"type": "function_call_output", "call_id": "call_1", "output": "noon"}, *ASKED]},
    ),
    "Gemini: a call without its thought signature": (
        "/v1beta/models/gemini-3.8-flash:generateContent",
        {
            "contents": [
                {"role": "user", "parts": [{"text": "Why is the sky blue?"}]},
                {"role": "model", "parts": [{"functionCall": {"name": "clock", "args": {}}}]},
                {
                    "role": "user",
                    "parts": [{"functionResponse": {"name": "clock", "response": {"output": "noon"}}}],
                },
            ]
        },
    ),
}


@pytest.mark.parametrize("what", LENIENT)
async def test_aimock_answers_what_the_vendor_refuses(
    what: str, aimock: str, http: aiohttp.ClientSession
) -> None:
    path, body = LENIENT[what]
    body = {
        "model": "claude-opus-5-5" if what.startswith("Claude") else "gpt-6.1-sol",
        "max_tokens": 100,
        **body,
    }
    async with http.post(aimock + path, json=body) as response:
        assert response.status == 200


async def test_aimock_knows_gemini_by_its_beta_address_only(aimock: str, settings: Any) -> None:
    """google-genai 3.4 calls v1, which the real API has."""
    async with harness_gemini.pointed_at(aimock, settings):
        with pytest.raises(ProviderError) as failed:
            await answer(harness_gemini.Harness.model, asks("Why is the sky blue?"))
    assert failed.value.key == "gone"


async def test_aimocks_gemini_ends_calls_with_a_reason_there_is_not_and_signs_no_thought(
    aimock: str, beta: str, settings: Any
) -> None:
    """Gemini says STOP, and gives every call a thoughtSignature that it wants back."""
    async with harness_gemini.pointed_at(beta, settings):
        reply = await answer(harness_gemini.Harness.model, asks("Why is the sky blue?"))
    assert reply.done is not None
    assert reply.done.detail == "FUNCTION_CALL"
    assert all("signature" not in part.luggage.get(gemini.VENDOR, {}) for part in reply.calls)


async def test_aimocks_claude_knows_no_message_of_the_system_in_the_middle(
    aimock: str, http: aiohttp.ClientSession
) -> None:
    """It leaves it out before it looks for an answer: the API hands it to the model."""
    messages = [*ASKED, {"role": "system", "content": "You ask too many."}]
    body = {"model": "claude-opus-5-5", "max_tokens": 100, "messages": messages}
    async with http.post(f"{aimock}/v1/messages", json=body) as response:
        said = await response.json()
    assert said["content"][-1]["name"] == "render_latex"  # the answer to the question alone


# What the tests use ----------------------------------------------------------------------------------


async def talk(model: Model) -> list[Reply]:
    """Two questions with their tools, each answer through the store and back, as history really travels."""
    replies, history = [], []
    for question in ("Why is the sky blue?", "And two more?"):
        history.append(user(question))
        for _ in range(2):
            reply = await answer(model, asks(*history))
            replies.append(reply)
            history.append(assistant(*load(dump(reply.kept()))))
            if reply.calls:
                history.append(
                    user(*(ToolResult(call.id, call.name, "It is drawn.") for call in reply.calls))
                )
    return replies


def kinds(reply: Reply) -> list[type]:
    return [type(part) for part in reply.kept()]


@asynccontextmanager
async def relayed(aimock: str) -> AsyncIterator[str]:
    """Passes calls on with v1beta for v1 in their address, and answers piece by piece."""

    async def relay(request: web.Request) -> web.StreamResponse:
        address = aimock + request.path_qs.replace("/v1/", "/v1beta/", 1)
        async with (
            aiohttp.ClientSession() as http,
            http.post(
                address, data=await request.read(), headers={"content-type": "application/json"}
            ) as said,
        ):
            response = web.StreamResponse(status=said.status, headers={"content-type": said.content_type})
            await response.prepare(request)
            try:
                async for piece in said.content.iter_any():
                    await response.write(piece)
            except aiohttp.ClientError:  # aimock broke off: so do we
                assert request.transport is not None
                request.transport.abort()
            return response

    app = web.Application()
    app.router.add_post("/{anything:.*}", relay)
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
