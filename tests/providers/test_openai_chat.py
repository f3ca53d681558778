"""What only a compatible server does on Chat Completions: its chunks, its ways, and what it leaves out."""

import base64
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest

from billing.pricing import Usage
from conversations.contracts import (
    Done,
    Media,
    ProviderError,
    Reason,
    RequestMessage,
    TextDelta,
    ThinkingDelta,
    ToolSpec,
)
from conversations.parts import File, Text, Thinking, ToolCall, ToolResult, dump, load, text_of
from conversations.providers.neutral import CONTINUE
from conversations.providers.openai_chat import model_of
from conversations.reply import usage_of
from tests.fakes.openai import SERVED, OpenAIStandIn
from tests.fakes.openai_script import Cut, Item, Refuses, Sent, Thought, Use, Words
from tests.providers.harness import CLOCK, answer, asks, assistant, system, user
from tests.providers.harness_openai import pointed_at

QWEN, GEMMA = map(model_of, SERVED)
SEARCH = ToolSpec("web_search", "Search the web.", {"type": "object", "properties": {}})


def sent(openai: OpenAIStandIn) -> list[Item]:
    """The messages of the last request."""
    messages: list[Item] = openai.requests[-1].body["messages"]
    return messages


def chunk(delta: Item, reason: str | None = None) -> Sent:
    return Sent({"choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})


@pytest.fixture
async def keyless(settings: Any) -> AsyncIterator[OpenAIStandIn]:
    async with OpenAIStandIn.started() as stand_in, pointed_at(stand_in.url, settings, key=""):
        yield stand_in


# What is asked ------------------------------------------------------------------------------------


async def test_the_request_is_exactly_this(openai: OpenAIStandIn) -> None:
    await answer(QWEN, asks("Hi", tools=(CLOCK,)))
    assert openai.requests[0].body == {
        "model": "qwen3:32b",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "Hi"}],
        "max_tokens": 4000,
        "stream": True,
        "stream_options": {"include_usage": True},
        "tools": [
            {
                "type": "function",
                "function": {
                    "name": "clock",
                    "description": "Tell the time.",
                    "parameters": CLOCK.schema,
                },
            }
        ],
    }


async def test_a_server_without_a_key_is_sent_none(keyless: OpenAIStandIn) -> None:
    reply = await answer(QWEN, asks("Hi"))
    assert reply.done == Done(Reason.END)
    assert "Authorization" not in keyless.requests[0].headers


async def test_a_key_is_sent_where_one_is_set(openai: OpenAIStandIn) -> None:
    await answer(QWEN, asks("Hi"))
    assert openai.requests[0].headers["Authorization"] == "Bearer sk-test"


async def test_an_answer_takes_a_quarter_of_a_small_window(openai: OpenAIStandIn) -> None:
    await answer(QWEN, asks("Hi", output_max=16_000))
    assert openai.requests[0].body["max_tokens"] == 32_768 // 4


async def test_what_may_not_be_called_is_listed_all_the_same(openai: OpenAIStandIn) -> None:
    await answer(QWEN, replace(asks("Hi"), may_call=False))
    body = openai.requests[0].body
    assert len(body["tools"]) == 2
    assert body["tool_choice"] == "none"


async def test_a_call_by_a_server_that_takes_no_notice_is_dropped(openai: OpenAIStandIn) -> None:
    openai.say(Words("Well."), Use("clock"))
    reply = await answer(QWEN, replace(asks("Time?"), may_call=False))
    assert reply.done == Done(Reason.END)
    assert [type(part) for part in reply.parts] == [Text]


async def test_web_search_is_a_function_like_any_other(openai: OpenAIStandIn) -> None:
    await answer(QWEN, asks("News?", tools=(SEARCH,)))
    assert openai.requests[0].body["tools"][0]["function"]["name"] == "web_search"


async def test_a_model_without_tools_is_told_of_none(openai: OpenAIStandIn) -> None:
    await answer(GEMMA, replace(asks("Hi"), may_call=False))
    assert not {"tools", "tool_choice"} & set(openai.requests[0].body)


async def test_images_go_only_to_a_model_that_is_said_to_read_them(openai: OpenAIStandIn) -> None:
    file = File("f_1", "sky.png", "image/png", 3)
    assert "image/png" in GEMMA.reads
    assert not QWEN.reads
    await answer(GEMMA, asks(RequestMessage("user", (Media(file, b"png"), Text("Which?")))))
    assert sent(openai)[-1]["content"] == [
        {"type": "text", "text": "[File f_1: sky.png, image/png, 3 bytes]"},
        {
            "type": "image_url",
            "image_url": {"url": f"data:image/png;base64,{base64.b64encode(b'png').decode()}"},
        },
        {"type": "text", "text": "Which?"},
    ]
    await answer(QWEN, asks(user(file, "Which?")))
    assert sent(openai)[-1]["content"] == "[File f_1: sky.png, image/png, 3 bytes]\n\nWhich?"


async def test_what_the_system_adds_is_told_among_the_persons_words(openai: OpenAIStandIn) -> None:
    history = ("Hi", assistant("Hello."), system("It is Monday."), "And?", user("Well?"))
    await answer(QWEN, asks(*history))
    assert [row["role"] for row in sent(openai)] == ["system", "user", "assistant", "user"]
    assert sent(openai)[-1]["content"] == "<system>\nIt is Monday.\n</system>\n\nAnd?\n\nWell?"


async def test_results_stand_before_words_and_are_never_empty(openai: OpenAIStandIn) -> None:
    calls = assistant("Look:", ToolCall("call:1", "clock", {}), ToolCall("toolu_2", "clock", {"a": "é"}))
    results = user(ToolResult("call:1", "clock", " "), ToolResult("toolu_2", "clock", "no", is_error=True))
    await answer(QWEN, asks("What time is it?", calls, user("Meanwhile:"), results))
    call, *after = sent(openai)[2:]
    fitted = call["tool_calls"][0]["id"]
    assert [use["function"]["arguments"] for use in call["tool_calls"]] == ["{}", '{"a": "é"}']
    assert after == [
        {"role": "tool", "tool_call_id": fitted, "content": "(no output)"},
        {"role": "tool", "tool_call_id": "toolu_2", "content": "Error: no"},
        {"role": "user", "content": "Meanwhile:"},
    ]


async def test_an_answer_cut_short_is_asked_to_go_on_the_same_way_for_ever(openai: OpenAIStandIn) -> None:
    cut = (user("Count."), assistant("one two"))
    rest = await answer(QWEN, asks(*cut))
    first = sent(openai)
    assert first[-1] == {"role": "user", "content": CONTINUE}
    await answer(QWEN, asks(*cut, assistant(*rest.kept()), "Thanks"))
    assert sent(openai)[: len(first)] == first


async def test_a_server_that_refuses_to_count_is_asked_again_and_counted_by_us(
    openai: OpenAIStandIn,
) -> None:
    openai.knows_counts = False
    request = asks("Hi")
    reply = await answer(QWEN, request)
    assert reply.done == Done(Reason.END)
    assert [request.status for request in openai.requests] == [400, 200]
    assert reply.usage is None
    usage = usage_of(request, reply)
    assert usage is not None
    assert usage.estimated
    assert usage.prompt > 0
    assert usage.output > 0


async def test_counts_that_nobody_is_charged_for_raise_an_alarm(
    openai: OpenAIStandIn, caplog: pytest.LogCaptureFixture
) -> None:
    details = {"audio_tokens": 3, "cached_tokens": 1}
    usage = {"prompt_tokens": 5, "completion_tokens": 2, "prompt_tokens_details": details}
    openai.say(Words("Hi"), chunk({}, "stop"), Sent({"choices": [], "usage": usage}), Cut(clean=True))
    await answer(QWEN, asks("Hi"))
    alarms = [line.msg["what"] for line in caplog.records if "usage_unpriced" in str(line.msg)]
    assert alarms == ["prompt_tokens_details.audio_tokens"]


# What is answered ---------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["reasoning", "reasoning_content"])
async def test_reasoning_is_shown_and_goes_back_only_around_calls(openai: OpenAIStandIn, name: str) -> None:
    openai.say(Thought(("It is late.",), field=name), Words("Look:"), Use("clock"))
    called = await answer(QWEN, asks("Time?"))
    results = user(ToolResult(called.calls[0].id, "clock", "noon"))
    openai.say(Thought(("It is noon.",), field=name), Words("Noon."))
    history = [user("Time?"), assistant(*load(dump(called.kept()))), results]
    told = await answer(QWEN, asks(*history))
    assert [type(part) for part in told.parts] == [Thinking, Text]
    history += [assistant(*load(dump(told.kept()))), user("Sure?")]
    openai.say(Thought(("Am I?",), field=name), Words("Yes."))
    sure = await answer(QWEN, asks(*history))
    await answer(QWEN, asks(*history, assistant(*sure.kept()), "Thanks."))
    answers = [row for row in sent(openai) if row["role"] == "assistant"]
    assert [row.get(name) for row in answers] == ["It is late.", "It is noon.", None]


async def test_a_server_that_insists_on_reasoning_gets_none_where_another_model_called(
    openai: OpenAIStandIn,
) -> None:
    openai.insists = True
    call = ToolCall("toolu_1", "clock", {})
    history = (user("Time?"), assistant(call), user(ToolResult("toolu_1", "clock", "noon")))
    reply = await answer(QWEN, asks(*history, assistant("Noon."), "Sure?"))
    assert reply.done == Done(Reason.END)
    assert [request.status for request in openai.requests] == [400, 200]
    assert [row["reasoning_content"] for row in sent(openai) if row["role"] == "assistant"] == ["", ""]


async def test_reasoning_that_comes_in_both_fields_is_shown_once(openai: OpenAIStandIn) -> None:
    openai.say(chunk({"reasoning": "Hm.", "reasoning_content": "Hm."}), Words("So."))
    events = [event async for event in QWEN.stream(QWEN, asks("Hi"))]
    assert [event.text for event in events if isinstance(event, ThinkingDelta)] == ["Hm."]


async def test_arguments_go_back_as_the_model_wrote_them(openai: OpenAIStandIn) -> None:
    openai.say(Use("render_latex", raw='{ "latex":"x" , "n":1.0}'))
    reply = await answer(QWEN, asks("Draw"))
    results = user(ToolResult(reply.calls[0].id, "render_latex", "ok"))
    await answer(QWEN, asks("Draw", assistant(*load(dump(reply.kept()))), results))
    assert sent(openai)[2]["tool_calls"][0]["function"]["arguments"] == '{ "latex":"x" , "n":1.0}'


async def test_arguments_that_do_not_parse_go_back_as_json_all_the_same(openai: OpenAIStandIn) -> None:
    openai.say(Use("render_latex", raw='{"latex": "x^'))
    reply = await answer(QWEN, asks("Draw"))
    results = user(ToolResult(reply.calls[0].id, "render_latex", "no", is_error=True))
    assert (await answer(QWEN, asks("Draw", assistant(*reply.kept()), results))).done == Done(Reason.END)


async def test_calls_without_ids_get_ids_of_their_own(openai: OpenAIStandIn) -> None:
    openai.say(Use("clock", id=""), Use("clock", id=""))
    first, second = (await answer(QWEN, asks("Time?"))).calls
    assert first.id
    assert second.id
    assert first.id != second.id


async def test_calls_that_all_claim_the_first_place_are_told_apart_by_their_ids(
    openai: OpenAIStandIn,
) -> None:
    def call(call_id: str, latex: str) -> Sent:
        function = {"name": "render_latex", "arguments": f'{{"latex": "{latex}"}}'}
        return chunk({"tool_calls": [{"index": 0, "id": call_id, "function": function}]})

    openai.say(call("call_a", "a"), call("call_b", "b"))
    reply = await answer(QWEN, asks("Draw a and b"))
    assert [call.arguments["latex"] for call in reply.calls] == ["a", "b"]


async def test_a_server_that_ends_calls_with_stop_waits_for_results_all_the_same(
    openai: OpenAIStandIn,
) -> None:
    openai.say(Use("clock"), incomplete="stop")
    assert (await answer(QWEN, asks("Time?"))).done == Done(Reason.TOOLS)


@pytest.mark.parametrize(
    ("reason", "done"),
    [
        ("stop", Done(Reason.END)),
        ("length", Done(Reason.LENGTH)),
        ("tool_calls", Done(Reason.END)),
        ("content_filter", Done(Reason.REFUSAL, "content_filter")),
        ("bored", Done(Reason.END, "bored")),
    ],
)
async def test_every_finish_reason_has_its_meaning(openai: OpenAIStandIn, reason: str, done: Done) -> None:
    openai.say(Words("Well."), incomplete=reason)
    assert (await answer(QWEN, asks("Hi"))).done == done


async def test_an_answer_that_ends_in_error_is_a_passing_failure(openai: OpenAIStandIn) -> None:
    openai.say(Words("Well."), incomplete="error")
    with pytest.raises(ProviderError) as failed:
        await answer(QWEN, asks("Hi"))
    assert failed.value.key == "overloaded"


async def test_a_refusal_in_words_is_shown_and_named(openai: OpenAIStandIn) -> None:
    openai.say(Refuses("I cannot help with that."))
    reply = await answer(QWEN, asks("Hi"))
    assert reply.done == Done(Reason.REFUSAL, "refusal")
    assert text_of(reply.parts) == "I cannot help with that."


async def test_a_stream_without_its_last_line_is_whole_when_it_said_why_it_stopped(
    openai: OpenAIStandIn,
) -> None:
    openai.say(Words("Well."), chunk({}, "stop"), Cut(clean=True))
    reply = await answer(QWEN, asks("Hi"))
    assert reply.done == Done(Reason.END)
    assert text_of(reply.parts) == "Well."


async def test_usage_counts_every_token_once(openai: OpenAIStandIn) -> None:
    question = "Why is the sky blue? " * 50
    openai.say(Thought(("Because of Rayleigh.",)), Words("Because."))
    first = (await answer(QWEN, asks(question))).usage
    second = (await answer(QWEN, asks(question, assistant("Because."), "Really?"))).usage
    bill = openai.requests[1].bill
    assert first is not None
    assert second is not None
    assert bill is not None
    assert (first.cache_read, first.cache_write_5m, first.output) == (0, 0, 7)
    assert second.cache_read == first.input - 3 > 250
    assert second.prompt == bill.input


@pytest.mark.parametrize(
    ("counts", "usage"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 9}, Usage(input=5, output=9)),
        # Reasoning beside the completion, as xAI counts it.
        ({"prompt_tokens": 5, "completion_tokens": 9, "total_tokens": 34}, Usage(input=5, output=29)),
    ],
)
async def test_counts_are_read_as_each_server_means_them(
    openai: OpenAIStandIn, counts: Item, usage: Usage
) -> None:
    openai.say(Words("Hi"), chunk({}, "stop"), Sent({"choices": [], "usage": counts}), Cut(clean=True))
    assert (await answer(QWEN, asks("Hi"))).usage == usage


async def test_words_come_piece_by_piece(openai: OpenAIStandIn) -> None:
    openai.say(Words("one two three", piece=4))
    events = [event async for event in QWEN.stream(QWEN, asks("Hi"))]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["one ", "two ", "thre", "e"]
