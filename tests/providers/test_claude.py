"""What only Claude does: Anthropic's blocks, counts and refusals."""

import asyncio
import json
from contextlib import aclosing
from typing import Any

import pytest

from billing.pricing import Usage
from conversations.contracts import Done, Model, ProviderError, Reason, Request, TextDelta
from conversations.parts import File, Opaque, Text, Thinking, ToolCall, ToolResult
from conversations.providers import available, models
from conversations.providers.neutral import CONTINUE
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import (
    Cut,
    Hold,
    Ping,
    Raw,
    Redacted,
    Sent,
    ServerUse,
    Thought,
    Use,
    Words,
)
from tests.providers.harness import answer, asks, assistant, system, user

CITATION = {
    "type": "char_location",
    "cited_text": "Rayleigh",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 1,
    "end_char_index": 9,
    "file_id": "file_011",
}


def sent(anthropic: AnthropicStandIn) -> list[dict[str, Any]]:
    """The messages of the last request."""
    messages: list[dict[str, Any]] = anthropic.requests[-1].body["messages"]
    return messages


# What is asked ------------------------------------------------------------------------------------


def test_claude_is_offered_only_with_a_key(settings: Any) -> None:
    settings.ANTHROPIC_API_KEY = ""
    assert set(available()) == {"demo"}
    settings.ANTHROPIC_API_KEY = "sk-ant-test"
    assert {"claude-opus-5-5", "claude-sonnet-5-5", "claude-haiku-5-5", "claude-fable-5-2"} < set(available())


@pytest.mark.parametrize("model", [model for model in models().values() if model.vendor == "anthropic"])
async def test_every_model_is_known_to_the_api_with_its_limits(
    anthropic: AnthropicStandIn, model: Model
) -> None:
    reply = await answer(model, asks("Hi", output_max=10**9))
    assert reply.done is not None
    assert anthropic.requests[0].body["max_tokens"] == model.output_max
    assert (model.window, model.output_max) == (1_000_000, 128_000)


async def test_the_request_is_exactly_this(anthropic: AnthropicStandIn, opus: Model) -> None:
    await answer(opus, asks("Hi", tools=()))
    assert anthropic.requests[0].body == {
        "model": "claude-opus-5-5",
        "max_tokens": 4000,
        "system": "Be brief.",
        "messages": [{"role": "user", "content": [{"type": "text", "text": "Hi"}]}],
        "thinking": {"type": "adaptive", "display": "summarized"},
        "cache_control": {"type": "ephemeral"},
        "stream": True,
    }


async def test_a_request_that_may_not_call_lists_its_tools_all_the_same(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    free = asks("A formula!")
    await answer(opus, free)
    await answer(opus, Request(free.system, free.messages, free.tools, free.output_max, may_call=False))
    may, may_not = (request.body for request in anthropic.requests)
    assert may_not.pop("tool_choice") == {"type": "none"}
    assert may == may_not


async def test_a_system_of_spaces_is_not_sent(anthropic: AnthropicStandIn, opus: Model) -> None:
    await answer(opus, Request(" \n", (user("Hi"),), (), 100))
    assert "system" not in anthropic.requests[0].body


async def test_a_file_is_named_by_the_id_the_model_can_repeat(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    await answer(opus, asks(user(File("f_7k2q", "отчёт.pdf", "application/pdf", 12345), "Read it")))
    assert (
        sent(anthropic)[0]["content"][0]["text"] == "[File f_7k2q: отчёт.pdf, application/pdf, 12345 bytes]"
    )


async def test_results_stand_before_words_and_are_never_empty(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    calls = assistant(ToolCall("toolu_1", "clock", {}), ToolCall("toolu_2", "clock", {}))
    words = user("Meanwhile:")
    results = user(ToolResult("toolu_1", "clock", " "), ToolResult("toolu_2", "clock", "no", is_error=True))
    await answer(opus, asks("What time is it?", calls, words, results))
    assert sent(anthropic)[2] == {
        "role": "user",
        "content": [
            {"type": "tool_result", "tool_use_id": "toolu_1", "content": "(no output)"},
            {"type": "tool_result", "tool_use_id": "toolu_2", "content": "no", "is_error": True},
            {"type": "text", "text": "Meanwhile:"},
        ],
    }


async def test_a_foreign_call_id_is_fitted_alike_in_call_and_result(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    for call_id in ("call:1|ü", "x" * 500, "", "\ud800"):
        call = ToolCall(call_id, "functions.clock", {})
        await answer(opus, asks("Time?", assistant(call), user(ToolResult(call_id, "clock", "noon"))))
        [use], [result] = sent(anthropic)[1]["content"], sent(anthropic)[2]["content"]
        assert use["id"] == result["tool_use_id"]
        assert use["name"] == "functions_clock"
    assert len({json.dumps(request.body["messages"][1]) for request in anthropic.accepted}) == 4


async def test_what_the_system_adds_stands_behind_the_person(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    await answer(opus, asks("Hi", assistant("Hello."), system("It is Monday."), "And?", system("It rains.")))
    assert [message["role"] for message in sent(anthropic)] == ["user", "assistant", "user", "system"]
    assert [block["text"] for block in sent(anthropic)[3]["content"]] == ["It is Monday.", "It rains."]


async def test_an_answer_cut_short_is_asked_to_go_on_the_same_way_for_ever(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    cut = (user("Count."), assistant("one two"))
    rest = await answer(opus, asks(*cut))
    first = sent(anthropic)
    assert first[-1] == {"role": "user", "content": [{"type": "text", "text": CONTINUE}]}
    await answer(opus, asks(*cut, assistant(*rest.kept()), "Thanks"))
    assert sent(anthropic)[: len(first)] == first


async def test_thinking_that_came_to_no_words_is_not_sent(anthropic: AnthropicStandIn, opus: Model) -> None:
    anthropic.say(Thought("All that I can think of before it is over"))
    cut_inside = await answer(opus, asks("Hi", output_max=3))
    anthropic.say(Thought("Well."), Redacted(), stop_reason="max_tokens")
    cut_behind = await answer(opus, asks("Hi"))
    for cut in (cut_inside, cut_behind):
        assert cut.done == Done(Reason.LENGTH)
        await answer(opus, asks("Hi", assistant(*cut.kept()), "Go on"))
        assert [message["role"] for message in sent(anthropic)] == ["user"]


# What is answered ---------------------------------------------------------------------------------


async def test_every_block_goes_back_exactly_as_it_came(anthropic: AnthropicStandIn, opus: Model) -> None:
    found = {
        "type": "web_search_tool_result",
        "tool_use_id": "srvtoolu_01A",
        "content": [
            {
                "type": "web_search_result",
                "url": "https://x.example",
                "title": "X",
                "encrypted_content": "Zm9v",
                "page_age": None,
            }
        ],
    }
    anthropic.say(
        Thought("Search first."),
        Redacted("b3BhcXVl"),
        ServerUse("web_search", {"query": "sky", "deep": {"type": "text"}}),
        Raw(found),
        Words("Blue, "),
        Use("render_latex", {"b": 1, "a": [1.0, {"type": "x", "file_id": None}]}),
    )
    reply = await answer(opus, asks("Why?"))
    kinds = [type(part) for part in reply.parts]
    assert kinds == [Thinking, Opaque, Opaque, Opaque, Text, ToolCall]
    [call] = reply.calls
    await answer(opus, asks("Why?", assistant(*reply.kept()), user(ToolResult(call.id, call.name, "ok"))))
    assert json.dumps(sent(anthropic)[1]["content"]) == json.dumps(anthropic.requests[0].answer)


async def test_fields_that_only_answers_have_are_not_sent_back(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    anthropic.say(
        Words("Blue.", citations=(CITATION,)),
        Raw({"type": "text", "text": "", "citations": None}),
        Raw({"type": "text", "text": "Whole.", "citations": None, "parsed_output": None}),
    )
    reply = await answer(opus, asks("Why?"))
    assert [part.text for part in reply.parts if isinstance(part, Text)] == ["Blue.", "Whole."]
    await answer(opus, asks("Why?", assistant(*reply.kept()), "Sure?"))
    citation = {name: value for name, value in CITATION.items() if name != "file_id"}
    assert sent(anthropic)[1]["content"] == [
        {"type": "text", "text": "Blue.", "citations": [citation]},
        {"type": "text", "text": "Whole."},
    ]


async def test_kinds_that_nobody_knows_yet_are_survived_and_kept(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    dream = {"type": "dream", "content": {"of": "sheep"}}
    anthropic.say(
        Sent({"type": "message_mood", "mood": "good"}),
        Raw(dream),
        Ping(),
        Words("Awake."),
    )
    reply = await answer(opus, asks("Hi"))
    assert reply.parts == [
        Opaque({"anthropic": dream}),
        Text("Awake.", {"anthropic": {"type": "text", "text": "Awake."}}),
    ]


async def test_an_unknown_stop_reason_ends_the_answer_and_is_named(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    anthropic.say(Words("Well."), stop_reason="bored")
    assert (await answer(opus, asks("Hi"))).done == Done(Reason.END, "bored")


@pytest.mark.parametrize(
    ("stop_reason", "reason"),
    [
        ("end_turn", Reason.END),
        ("stop_sequence", Reason.END),
        ("tool_use", Reason.TOOLS),
        ("max_tokens", Reason.LENGTH),
        ("pause_turn", Reason.PAUSE),
        ("refusal", Reason.REFUSAL),
        ("model_context_window_exceeded", Reason.CONTEXT),
    ],
)
async def test_every_stop_reason_has_its_meaning(
    anthropic: AnthropicStandIn, opus: Model, stop_reason: str, reason: Reason
) -> None:
    anthropic.say(Words("Well."), stop_reason=stop_reason)
    assert (await answer(opus, asks("Hi"))).done == Done(reason)


async def test_usage_counts_every_token_once(anthropic: AnthropicStandIn, opus: Model) -> None:
    question = "Why is the sky blue? " * 50
    anthropic.say(Words("Because."), output_tokens=77, web_searches=3)
    first = (await answer(opus, asks(question))).usage
    anthropic.say(Words("Because!"))
    second = (await answer(opus, asks(question, assistant("Because."), "Really?"))).usage
    assert first is not None
    assert second is not None
    assert (first.input, first.cache_read, first.output, first.web_searches) == (3, 0, 77, 3)
    assert second.cache_read == first.cache_write_5m > 250
    assert 0 < second.cache_write_5m < 40


async def test_writes_to_the_hour_cache_are_told_apart(anthropic: AnthropicStandIn, opus: Model) -> None:
    start = {
        "type": "message_start",
        "message": {
            "usage": {
                "input_tokens": 5,
                "cache_creation_input_tokens": 100,
                "cache_read_input_tokens": 7,
                "cache_creation": {"ephemeral_5m_input_tokens": 60, "ephemeral_1h_input_tokens": 40},
                "output_tokens": 1,
                "server_tool_use": None,
            }
        },
    }
    delta = {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 9}}
    anthropic.say(Sent(start), Words("Hi"), Sent(delta), Sent({"type": "message_stop"}), Cut(clean=True))
    events = [event async for event in opus.stream(opus, asks("Hi"))]
    usages = [event for event in events if isinstance(event, Usage)]
    assert usages[-1] == Usage(input=5, cache_read=7, cache_write_5m=60, cache_write_1h=40, output=9)


async def test_without_a_breakdown_a_write_is_a_five_minute_one(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    anthropic.say(Words("Hi"), breakdown=False)
    usage = (await answer(opus, asks("Hello " * 100))).usage
    assert usage is not None
    assert usage.cache_write_5m > 100
    assert usage.cache_write_1h == 0


async def test_a_thought_of_another_model_is_sent_and_dropped_by_the_api(anthropic: AnthropicStandIn) -> None:
    anthropic.say(Thought("Deep."), Words("Yes."))
    first = await answer(models()["claude-opus-5-5"], asks("Is it?"))
    changed = asks("Was it?", assistant(*first.kept()), "And now?")
    assert (await answer(models()["claude-haiku-5-5"], changed)).done is not None


async def test_a_changed_history_is_refused_by_the_api_and_told_as_our_fault(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    anthropic.say(Thought("Deep."), Words("Yes."))
    first = await answer(opus, asks("Is it?"))
    with pytest.raises(ProviderError, match="bound to a different conversation") as failed:
        await answer(opus, asks("Was it?", assistant(*first.kept()), "And now?"))
    assert (failed.value.key, failed.value.retryable) == ("bad_request", False)


async def test_a_stop_while_waiting_for_the_first_byte_reaches_the_api(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    anthropic.say(Words("Too late."), before=60)
    task = asyncio.create_task(answer(opus, asks("Hi")))
    async with asyncio.timeout(10):
        recorded = await anthropic.arrived(1)
        task.cancel()
        await asyncio.wait([task])
        await recorded.disconnected.wait()


async def test_words_arrive_while_the_answer_is_still_being_written(
    anthropic: AnthropicStandIn, opus: Model
) -> None:
    hold = Hold()
    anthropic.say(Words("First. "), hold, Words("Second."))
    async with aclosing(opus.stream(opus, asks("Hi"))) as events:
        async for event in events:
            if isinstance(event, TextDelta) and not hold.until.is_set():
                await hold.reached.wait()
                hold.until.set()
    assert hold.until.is_set()
