"""What only OpenAI does on the Responses API: its items, counts and its own web search."""

import asyncio
import base64
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest

from conversations.contracts import (
    Media,
    Model,
    Request,
    RequestMessage,
    TextDelta,
    ToolSpec,
)
from conversations.parts import File, Text, ToolCall, ToolResult
from conversations.providers import available, models
from conversations.providers.neutral import CONTINUE
from tests.fakes.openai import OpenAIStandIn
from tests.fakes.openai_script import Hold, Item, Search, Words
from tests.providers.harness import CLOCK, answer, asks, assistant, system, user

SEARCH = ToolSpec("web_search", "Search the web.", {"type": "object", "properties": {}})
PAGE = {
    "type": "url_citation",
    "url": "https://sky.example/why",
    "title": "Why [blue]?",
    "start_index": 0,
    "end_index": 4,
}


def sent(openai: OpenAIStandIn) -> list[Item]:
    """The input items of the last request."""
    items: list[Item] = openai.requests[-1].body["input"]
    return items


# What is asked ------------------------------------------------------------------------------------


def test_openai_is_offered_only_with_a_key_or_a_server_of_ones_own(settings: Any) -> None:
    settings.OPENAI_API_KEY = ""
    assert "gpt-6.1-sol" not in available()
    settings.OPENAI_API_KEY = "sk-test"
    assert {"gpt-6-astra", "gpt-6.1-sol", "gpt-6.1-terra", "gpt-6-luna"} < set(available())
    settings.OPENAI_API_KEY = ""
    settings.OPENAI_COMPATIBLE = True
    assert "gpt-6.1-sol" in available()


@pytest.mark.parametrize("model", [model for model in models().values() if model.vendor == "openai"])
async def test_every_model_is_known_to_the_api_with_its_limits(openai: OpenAIStandIn, model: Model) -> None:
    reply = await answer(model, asks("Hi", output_max=10**9))
    assert reply.done is not None
    assert openai.requests[0].body["max_output_tokens"] == model.output_max
    assert (model.window, model.output_max) == (1_050_000, 128_000)


async def test_the_request_is_exactly_this(openai: OpenAIStandIn, sol: Model) -> None:
    await answer(sol, asks("Hi", tools=(CLOCK,)))
    body = dict(openai.requests[0].body)
    assert len(body.pop("prompt_cache_key")) == 32
    assert body == {
        "model": "gpt-6.1-sol",
        "instructions": "Be brief.",
        "input": [{"role": "user", "content": [{"type": "input_text", "text": "Hi"}]}],
        "max_output_tokens": 4000,
        "reasoning": {"summary": "auto"},
        "include": ["reasoning.encrypted_content"],
        "tools": [
            {
                "type": "function",
                "name": "clock",
                "description": "Tell the time.",
                "parameters": CLOCK.schema,
                "strict": False,
            }
        ],
        "store": False,
        "stream": True,
    }
    assert openai.requests[0].headers["Authorization"] == "Bearer sk-test"


async def test_a_request_that_may_not_call_lists_its_tools_all_the_same(
    openai: OpenAIStandIn, sol: Model
) -> None:
    free = asks("A formula!")
    await answer(sol, free)
    await answer(sol, replace(free, may_call=False))
    may, may_not = (request.body for request in openai.requests)
    assert may_not.pop("tool_choice") == "none"
    assert may == may_not


async def test_the_requests_of_a_thread_go_to_one_cache(openai: OpenAIStandIn, sol: Model) -> None:
    await answer(sol, asks("Hi"))
    await answer(sol, asks("Hi", assistant("Hello."), "And?"))
    await answer(sol, asks("Something else"))
    first, second, other = (request.body["prompt_cache_key"] for request in openai.requests)
    assert first == second != other


async def test_an_answer_of_less_than_the_api_takes_is_asked_for_as_its_least(
    openai: OpenAIStandIn, sol: Model
) -> None:
    await answer(sol, asks("Hi", output_max=3))
    assert openai.requests[0].body["max_output_tokens"] == 16


async def test_a_system_of_spaces_is_not_sent(openai: OpenAIStandIn, sol: Model) -> None:
    await answer(sol, Request(" \n", (user("Hi"),), (), 100))
    assert "instructions" not in openai.requests[0].body


async def test_a_file_is_named_by_the_id_the_model_can_repeat(openai: OpenAIStandIn, sol: Model) -> None:
    await answer(sol, asks(user(File("f_7k2q", "отчёт.ods", "application/x", 12345), "Read it")))
    assert sent(openai)[0]["content"][0]["text"] == "[File f_7k2q: отчёт.ods, application/x, 12345 bytes]"


async def test_images_and_documents_are_sent_behind_their_names(openai: OpenAIStandIn, sol: Model) -> None:
    image = Media(File("f_1", "sky.png", "image/png", 3), b"png")
    paper = Media(File("f_2", "", "application/pdf", 3), b"pdf")
    await answer(sol, asks(RequestMessage("user", (image, paper, Text("Compare")))))
    name, picture, other_name, document, words = sent(openai)[0]["content"]
    assert "f_1" in name["text"]
    assert "f_2" in other_name["text"]
    assert picture == {
        "type": "input_image",
        "detail": "auto",
        "image_url": f"data:image/png;base64,{base64.b64encode(b'png').decode()}",
    }
    assert (document["type"], document["filename"]) == ("input_file", "file.pdf")
    assert document["file_data"].startswith("data:application/pdf;base64,")
    assert words["text"] == "Compare"


async def test_results_stand_before_words_and_are_never_empty(openai: OpenAIStandIn, sol: Model) -> None:
    calls = assistant(ToolCall("toolu_1", "clock", {}), ToolCall("toolu_2", "clock", {}))
    results = user(ToolResult("toolu_1", "clock", " "), ToolResult("toolu_2", "clock", "no", is_error=True))
    await answer(sol, asks("What time is it?", calls, user("Meanwhile:"), results))
    assert sent(openai)[3:] == [
        {"type": "function_call_output", "call_id": "toolu_1", "output": "(no output)"},
        {"type": "function_call_output", "call_id": "toolu_2", "output": "Error: no"},
        {"role": "user", "content": [{"type": "input_text", "text": "Meanwhile:"}]},
    ]


async def test_a_foreign_call_id_is_fitted_alike_in_call_and_result(
    openai: OpenAIStandIn, sol: Model
) -> None:
    for call_id in ("call:1|ü", "x" * 65, "", "\ud800"):
        call = ToolCall(call_id, "functions.clock", {})
        await answer(sol, asks("Time?", assistant(call), user(ToolResult(call_id, "clock", "noon"))))
        use, result = sent(openai)[1:]
        assert use["call_id"] == result["call_id"]
        assert use["name"] == "functions_clock"
    assert len({request.body["input"][1]["call_id"] for request in openai.requests}) == 4


async def test_what_the_system_adds_stands_where_it_was_added(openai: OpenAIStandIn, sol: Model) -> None:
    await answer(sol, asks("Hi", assistant("Hello."), system("It is Monday."), "And?", system("It rains.")))
    roles = [item["role"] for item in sent(openai)]
    assert roles == ["user", "assistant", "developer", "user", "developer"]


async def test_an_answer_cut_short_is_asked_to_go_on_the_same_way_for_ever(
    openai: OpenAIStandIn, sol: Model
) -> None:
    cut = (user("Count."), assistant("one two"))
    rest = await answer(sol, asks(*cut))
    first = sent(openai)
    assert first[-1] == {"role": "user", "content": [{"type": "input_text", "text": CONTINUE}]}
    await answer(sol, asks(*cut, assistant(*rest.kept()), "Thanks"))
    assert sent(openai)[: len(first)] == first


# The web ------------------------------------------------------------------------------------------


async def test_a_tool_called_web_search_is_openais_own(openai: OpenAIStandIn, sol: Model) -> None:
    await answer(sol, asks("News?", tools=(CLOCK, SEARCH)))
    assert [tool["type"] for tool in openai.requests[0].body["tools"]] == ["function", "web_search"]
    assert openai.requests[0].body["tools"][1] == {"type": "web_search"}
    assert openai.requests[0].body["max_tool_calls"] == 10


async def test_searches_are_counted_as_billed(openai: OpenAIStandIn, sol: Model) -> None:
    openai.say(Search("a"), Search("b"), Words("News."), web_searches=1)
    assert (await answer(sol, asks("News?", tools=(SEARCH,)))).usage.web_searches == 1


async def test_without_a_bill_every_search_is_counted_and_no_opened_page(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.say(Search("a"), Search("https://a.example", "open_page"), Search("b"), Words("News."))
    assert (await answer(sol, asks("News?", tools=(SEARCH,)))).usage.web_searches == 2


async def test_pages_that_the_words_rest_on_become_links(openai: OpenAIStandIn, sol: Model) -> None:
    named = {**PAGE, "url": "https://named.example", "title": "Named"}
    openai.say(Words("Blue, says [Named](https://named.example).", citations=(PAGE, named, PAGE)))
    events = [event async for event in sol.stream(sol, asks("Why?", tools=(SEARCH,)))]
    [text] = [event for event in events if isinstance(event, Text)]
    links = "\n\n* [Why (blue)?](<https://sky.example/why>)"
    assert text.text == "Blue, says [Named](https://named.example)." + links
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == text.text


# While it runs ------------------------------------------------------------------------------------


async def test_a_stop_while_waiting_for_the_first_byte_reaches_the_api(
    openai: OpenAIStandIn, sol: Model
) -> None:
    hold = Hold()
    openai.say(Words("Too late."), before=hold)
    task = asyncio.create_task(answer(sol, asks("Hi")))
    async with asyncio.timeout(10):
        await hold.reached.wait()
        task.cancel()
        await asyncio.wait([task])
        await openai.requests[0].disconnected.wait()


async def test_words_arrive_while_the_answer_is_still_being_written(
    openai: OpenAIStandIn, sol: Model
) -> None:
    hold = Hold()
    openai.say(Words("First. "), hold, Words("Second."))
    async with aclosing(sol.stream(sol, asks("Hi"))) as events:
        async for event in events:
            if isinstance(event, TextDelta) and not hold.until.is_set():
                await hold.reached.wait()
                hold.until.set()
    assert hold.until.is_set()
