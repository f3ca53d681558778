"""What only Gemini does: Google's parts, signatures, searches and counts."""

import asyncio
import base64
import json
import math
from collections.abc import AsyncIterator
from contextlib import aclosing
from itertools import pairwise
from typing import Any

import pytest

from billing.pricing import Usage
from conversations.contracts import (
    Done,
    Media,
    Model,
    ProviderError,
    Reason,
    Request,
    RequestMessage,
    TextDelta,
    ToolSpec,
)
from conversations.parts import (
    File,
    Opaque,
    Text,
    Thinking,
    ToolCall,
    ToolResult,
    dump,
    load,
    text_of,
)
from conversations.providers import available, models
from conversations.providers.gemini_request import UNSIGNED
from conversations.providers.neutral import CONTINUE
from conversations.reply import Reply
from tests.fakes.anthropic import AnthropicStandIn
from tests.fakes.anthropic_script import Redacted
from tests.fakes.anthropic_script import Thought as ClaudeThought
from tests.fakes.anthropic_script import Use as ClaudeUse
from tests.fakes.anthropic_script import Words as ClaudeWords
from tests.fakes.gemini import GeminiStandIn
from tests.fakes.gemini_script import Cut, Hold, Raw, Search, Sent, Thought, Use, Words
from tests.providers.harness import CLOCK, FORMULA, answer, asks, assistant, fold, system, user
from tests.providers.harness_gemini import pointed_at, wire_contents

GEMINIS = [model for model in models().values() if model.vendor == "google"]
WEB = ToolSpec(
    "web_search", "Search the web.", {"type": "object", "properties": {"query": {"type": "string"}}}
)
PAGES = (("uefa.com", "https://redirect.example/1"), ("wikipedia.org", "https://redirect.example/2"))


@pytest.fixture
async def gemini(settings: Any) -> AsyncIterator[GeminiStandIn]:
    """Google's stand-in, with the provider pointed at it."""
    async with GeminiStandIn.started() as stand_in, pointed_at(stand_in.url, settings):
        yield stand_in


@pytest.fixture
def flash() -> Model:
    return models()["gemini-3.8-flash"]


def sent(gemini: GeminiStandIn) -> list[dict[str, Any]]:
    """The contents of the last request, in the API's own spelling."""
    contents: list[dict[str, Any]] = gemini.requests[-1].body["contents"]
    return contents


def signatures(part: dict[str, Any]) -> bytes:
    return base64.urlsafe_b64decode(part["thoughtSignature"].replace("+", "-").replace("/", "_"))


# What is asked ------------------------------------------------------------------------------------


def test_gemini_is_offered_only_with_a_key(settings: Any) -> None:
    assert not {model.id for model in GEMINIS} & set(available())
    settings.GEMINI_API_KEY = "AIza-test"
    assert {"gemini-4-argon", "gemini-3.8-flash", "gemini-3.5-flash-lite"} < set(available())


@pytest.mark.parametrize("model", GEMINIS)
async def test_every_model_is_known_to_the_api_with_its_limits(gemini: GeminiStandIn, model: Model) -> None:
    reply = await answer(model, asks("Hi", output_max=10**9))
    assert reply.done is not None
    assert gemini.requests[0].body["generationConfig"]["maxOutputTokens"] == model.output_max
    assert (model.window, model.output_max) == (1_048_576, 65_536)


async def test_the_request_is_exactly_this(gemini: GeminiStandIn, flash: Model) -> None:
    await answer(flash, asks("Hi", tools=(FORMULA, CLOCK)))
    [request] = gemini.requests
    assert request.headers["x-goog-api-key"] == "AIza-test"
    assert "X-Server-Timeout" not in request.headers
    assert json.loads(request.raw) == {
        "contents": [{"role": "user", "parts": [{"text": "Hi"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "render_latex",
                        "description": "Draw a formula.",
                        "parametersJsonSchema": FORMULA.schema,
                    },
                    {"name": "clock", "description": "Tell the time."},
                ]
            }
        ],
        "toolConfig": {},
        "generationConfig": {"maxOutputTokens": 4000, "thinkingConfig": {"includeThoughts": True}},
    }


async def test_a_request_that_may_not_call_lists_its_tools_all_the_same(
    gemini: GeminiStandIn, flash: Model
) -> None:
    free = asks("A formula!", tools=(FORMULA, WEB))
    await answer(flash, free)
    await answer(flash, Request(free.system, free.messages, free.tools, free.output_max, may_call=False))
    may, may_not = (request.body for request in gemini.requests)
    assert may_not["toolConfig"].pop("functionCallingConfig") == {"mode": "NONE"}
    assert may == may_not


async def test_a_system_of_spaces_is_not_sent(gemini: GeminiStandIn, flash: Model) -> None:
    await answer(flash, Request(" \n", (user("Hi"),), (), 100))
    assert {"systemInstruction", "tools"}.isdisjoint(json.loads(gemini.requests[0].raw))


@pytest.mark.parametrize(
    "mime", ["image/png", "image/webp", "application/pdf", "audio/ogg", "audio/mpeg", "video/mp4"]
)
async def test_a_file_that_gemini_reads_is_sent_behind_its_name(
    gemini: GeminiStandIn, flash: Model, mime: str
) -> None:
    content = bytes(range(256))
    assert mime in flash.reads
    media = Media(File("f_7k2q", "голос", mime, 256), content)
    await answer(flash, asks(RequestMessage("user", (media, Text("What is it?")))))
    name, data, words = sent(gemini)[0]["parts"]
    assert name == {"text": f"[File f_7k2q: голос, {mime}, 256 bytes]"}
    assert data["inlineData"]["mimeType"] == mime
    assert base64.urlsafe_b64decode(data["inlineData"]["data"]) == content
    assert words == {"text": "What is it?"}


async def test_a_file_that_gemini_does_not_read_is_named(gemini: GeminiStandIn, flash: Model) -> None:
    assert "image/gif" not in flash.reads
    await answer(flash, asks(user(File("f_7k2q", "a.gif", "image/gif", 9), "Read it")))
    assert sent(gemini)[0]["parts"][0] == {"text": "[File f_7k2q: a.gif, image/gif, 9 bytes]"}


async def test_results_stand_first_in_the_order_of_their_calls_and_are_never_empty(
    gemini: GeminiStandIn, flash: Model
) -> None:
    calls = assistant(ToolCall("one", "clock", {}), ToolCall("two", "clock", {}))
    results = (ToolResult("two", "clock", "no", is_error=True), ToolResult("one", "clock", " "))
    await answer(flash, asks("What time is it?", calls, user("Meanwhile:"), user(*results)))
    assert sent(gemini)[2] == {
        "role": "user",
        "parts": [
            {"functionResponse": {"id": "one", "name": "clock", "response": {"output": "(no output)"}}},
            {"functionResponse": {"id": "two", "name": "clock", "response": {"error": "no"}}},
            {"text": "Meanwhile:"},
        ],
    }


async def test_what_the_system_adds_is_marked_as_no_words_of_the_person(
    gemini: GeminiStandIn, flash: Model
) -> None:
    await answer(flash, asks("Hi", assistant("Hello."), "And?", system("It is Monday.")))
    assert sent(gemini)[2]["parts"] == [
        {"text": "And?"},
        {"text": "<system>\nIt is Monday.\n</system>"},
    ]


async def test_an_answer_cut_short_is_asked_to_go_on_the_same_way_for_ever(
    gemini: GeminiStandIn, flash: Model
) -> None:
    cut = (user("Count."), assistant("one two"))
    rest = await answer(flash, asks(*cut))
    first = sent(gemini)
    assert first[-1] == {"role": "user", "parts": [{"text": CONTINUE}]}
    await answer(flash, asks(*cut, assistant(*rest.kept()), "Thanks"))
    assert sent(gemini)[: len(first)] == first


async def test_thinking_that_came_to_no_words_is_not_sent(gemini: GeminiStandIn, flash: Model) -> None:
    gemini.say(Thought("All that I can think of", piece=99, signed=True), finish="MAX_TOKENS")
    cut = await answer(flash, asks("Hi"))
    assert [type(part) for part in cut.kept()] == [Thinking]
    await answer(flash, asks("Hi", assistant(*cut.kept()), "Go on"))
    assert [content["role"] for content in sent(gemini)] == ["user"]


# Signatures ---------------------------------------------------------------------------------------


async def test_every_signature_goes_back_at_the_very_part_it_came_with(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.say(
        Thought("First this.", piece=99, signed=True),
        Words("Signed words. ", piece=99, signed=True),
        Thought("Then that, unsigned."),
        Words("Plain words."),
        Use("render_latex", {"b": 1, "a": [1.0, {"type": None}]}),
        Use("clock"),
    )
    reply = await answer(flash, asks("Why?"))
    kept = load(dump(reply.kept()))
    assert [type(part) for part in kept] == [Thinking, Text, Thinking, Text, ToolCall, ToolCall]
    results = user(*(ToolResult(call.id, call.name, "ok") for call in reply.calls))
    await answer(flash, asks("Why?", assistant(*kept), results))
    echoed = sent(gemini)[1]["parts"]
    assert [("text" in part, "thoughtSignature" in part) for part in echoed] == [
        (True, True),
        (True, True),
        (True, False),
        (False, True),
        (False, False),
    ]
    came = [part for part in gemini.requests[0].answer if "thoughtSignature" in part]
    went = [part for part in echoed if "thoughtSignature" in part]
    assert [signatures(part) for part in went] == [signatures(part) for part in came]


async def test_the_empty_signed_part_behind_the_last_words_goes_back_as_it_came(
    gemini: GeminiStandIn, flash: Model
) -> None:
    reply = await answer(flash, asks("Why?"))
    assert [type(part) for part in reply.parts] == [Thinking, Text, Opaque]
    await answer(flash, asks("Why?", assistant(*load(dump(reply.kept()))), "Sure?"))
    words, signed = sent(gemini)[1]["parts"]
    assert words == {"text": text_of(reply.parts)}
    assert signed["text"] == ""
    assert signatures(signed) == signatures(gemini.requests[0].answer[-1])


async def test_a_call_that_nobody_signed_is_sent_as_such(gemini: GeminiStandIn, flash: Model) -> None:
    gemini.say(Raw({"functionCall": {"name": "clock", "id": "c1"}}))
    [call] = (await answer(flash, asks("Time?"))).calls
    await answer(flash, asks("Time?", assistant(call), user(ToolResult("c1", "clock", "noon"))))
    assert sent(gemini)[1]["parts"][0]["thoughtSignature"] == UNSIGNED


async def test_another_gemini_reads_on_without_the_signatures_it_would_refuse(gemini: GeminiStandIn) -> None:
    flash, argon = models()["gemini-3.8-flash"], models()["gemini-4-argon"]
    tools = (CLOCK, WEB)
    gemini.say(Thought("Hm.", signed=True), Search(("noon",)), Words("Look. ", signed=True), Use("clock"))
    first = await answer(flash, asks("Time?", tools=tools))
    [call] = first.calls
    history = ("Time?", assistant(*first.kept()), user(ToolResult(call.id, "clock", "noon")))
    assert (await answer(argon, asks(*history, tools=tools))).done == Done(Reason.END)
    looked, called = sent(gemini)[1]["parts"]
    assert looked == {"text": "Look. "}
    assert called["thoughtSignature"] == UNSIGNED
    assert (await answer(flash, asks(*history, tools=tools))).done == Done(Reason.END)


# Other vendors ------------------------------------------------------------------------------------


async def test_what_claude_began_gemini_goes_on_with_and_back_again(
    gemini: GeminiStandIn, anthropic: AnthropicStandIn, flash: Model
) -> None:
    opus = models()["claude-opus-5-5"]
    history = [user("A formula!")]
    anthropic.say(ClaudeThought("I draw it."), Redacted(), ClaudeWords("Look:"), ClaudeUse("clock"))
    await _goes_on(history, opus)
    await _goes_on(history, flash)
    words = sent(gemini)
    assert [content["role"] for content in words] == ["user", "model", "user"]
    assert words[1]["parts"][0] == {"text": "Look:"}
    assert words[1]["parts"][1]["thoughtSignature"] == UNSIGNED
    history.append(user("And now?"))
    gemini.say(Thought("Hm.", signed=True), Words("Well: "), Use("clock"))
    await _goes_on(history, flash)
    await _goes_on(history, opus)
    assert b"google" not in anthropic.requests[-1].raw
    assert b"anthropic" not in gemini.requests[-1].raw


async def _goes_on(history: list[RequestMessage], model: Model) -> None:
    """One step of a turn: the answer, and the results of its calls, as the store keeps them."""
    reply = await answer(model, asks(*history))
    assert reply.done is not None
    history.append(assistant(*load(dump(reply.kept()))))
    if reply.calls:
        history.append(user(*(ToolResult(call.id, call.name, "noon") for call in reply.calls)))


async def test_a_long_thread_of_everything_begins_with_the_bytes_of_a_shorter_one(
    gemini: GeminiStandIn, flash: Model
) -> None:
    media = Media(File("f_7k2q", "a.png", "image/png", 3), b"\xff\xfe\xfb")
    history = [RequestMessage("user", (media, Text("What is it?")))]
    tools = (FORMULA, CLOCK, WEB)
    gemini.say(Thought("Look.", signed=True), Search(("a",), PAGES), Words("A sky."))
    gemini.say(Use("clock", id=None), Use("render_latex", {"x": [1, 2.50, 1e30, True]}, id=None))
    gemini.say(Words("Half", signed=True), finish="MAX_TOKENS")
    for said in (user("And?"), None, user("Go on."), user("Thanks.")):
        reply = await answer(flash, asks(*history, tools=tools))
        history.append(assistant(*load(dump(reply.kept()))))
        if reply.calls:
            history.append(user(*(ToolResult(call.id, call.name, "ok") for call in reply.calls)))
        elif said:
            history.append(said)
    wires = [wire_contents(request) for request in gemini.accepted]
    assert len(wires) == 4
    for before, after in pairwise(wires):
        assert after[: len(before)] == before
    await answer(flash, asks(*history[:-2], tools=tools))
    assert gemini.requests[-1].raw == gemini.requests[-2].raw


# What is answered ---------------------------------------------------------------------------------


async def test_two_calls_of_one_chunk_keep_their_order_and_googles_ids(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.say(Use("clock", id="a1"), Use("render_latex", {"latex": "x"}, id="b2"))
    reply = await answer(flash, asks("Both!"))
    assert [(call.id, call.name) for call in reply.calls] == [("a1", "clock"), ("b2", "render_latex")]


async def test_ids_that_google_does_not_give_are_made_alike_every_time_and_never_twice(
    gemini: GeminiStandIn, flash: Model
) -> None:
    async def ids(response_id: str | None, *history: Any) -> list[str]:
        gemini.say(Use("clock", id=None), Use("clock", id=None), response_id=response_id)
        return [call.id for call in (await answer(flash, asks(*history))).calls]

    first = await ids("r1", "Time?")
    assert first == await ids("r1", "Time?")
    others = [await ids("r2", "Time?"), await ids(None, "Time?"), await ids(None, "A", assistant("B"), "C")]
    assert len({*first, *(call_id for each in others for call_id in each)}) == 8


@pytest.mark.parametrize(
    ("finish", "reason", "detail"),
    [
        ("STOP", Reason.END, ""),
        ("MAX_TOKENS", Reason.LENGTH, ""),
        ("CONTINUATION", Reason.LENGTH, ""),
        ("SAFETY", Reason.REFUSAL, "SAFETY"),
        ("RECITATION", Reason.REFUSAL, "RECITATION"),
        ("PROHIBITED_CONTENT", Reason.REFUSAL, "PROHIBITED_CONTENT"),
        ("BLOCKLIST", Reason.REFUSAL, "BLOCKLIST"),
        ("SPII", Reason.REFUSAL, "SPII"),
        ("MALFORMED_FUNCTION_CALL", Reason.LENGTH, "MALFORMED_FUNCTION_CALL"),
        ("OTHER", Reason.END, "OTHER"),
    ],
)
async def test_every_finish_reason_has_its_meaning(
    gemini: GeminiStandIn, flash: Model, finish: str, reason: Reason, detail: str
) -> None:
    gemini.say(Words("Well."), finish=finish)
    reply = await answer(flash, asks("Hi"))
    assert reply.done == Done(reason, detail)
    assert text_of(reply.parts) == "Well."


@pytest.mark.filterwarnings("ignore:BORED is not a valid FinishReason")
async def test_a_finish_reason_that_nobody_knows_ends_the_answer_and_is_named(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.say(Words("Well."), finish="BORED")
    assert (await answer(flash, asks("Hi"))).done == Done(Reason.END, "BORED")


async def test_a_call_that_gemini_could_not_form_is_asked_for_again_when_nothing_was_said(
    gemini: GeminiStandIn, flash: Model
) -> None:
    broken = {
        "content": {"role": "model", "parts": [{"text": ""}]},
        "finishReason": "MALFORMED_FUNCTION_CALL",
    }
    gemini.say(Sent({"candidates": [broken], "usageMetadata": {"promptTokenCount": 5}}))
    gemini.say(Use("clock"))
    reply = await answer(flash, asks("Time?"))
    assert [call.name for call in reply.calls] == ["clock"]
    assert len(gemini.requests) == 2


async def test_an_answer_beyond_the_limit_of_one_request_is_not_gone_on_with_behind_our_back(
    gemini: GeminiStandIn, flash: Model
) -> None:
    more = {"finishReason": "CONTINUATION", "continuationToken": "bW9yZQ==", "index": 0}
    gemini.say(Words("All that fits. "), Sent({"candidates": [more]}), Cut(clean=True))
    reply = await answer(flash, asks("A novel, please"))
    assert reply.done == Done(Reason.LENGTH)
    assert len(gemini.requests) == 1


async def test_tokens_of_a_kind_that_we_do_not_know_raise_an_alarm(
    gemini: GeminiStandIn, flash: Model, caplog: pytest.LogCaptureFixture
) -> None:
    counts = {"promptTokenCount": 5, "candidatesTokenCount": 2, "dreamTokenCount": 9, "totalTokenCount": 16}
    end = {"finishReason": "STOP", "index": 0}
    for total in (7, 16):  # 7: all of them are charged for
        usage = {**counts, "totalTokenCount": total}
        gemini.say(Words("Hi"), Sent({"candidates": [end], "usageMetadata": usage}), Cut(clean=True))
        await answer(flash, asks("Hi"))
        assert (
            len([line for line in caplog.records if "tokens_of_no_known_kind" in str(line.msg)])
            == total // 16
        )


async def test_a_blocked_prompt_is_a_refusal_that_says_so(gemini: GeminiStandIn, flash: Model) -> None:
    gemini.block("PROHIBITED_CONTENT")
    reply = await answer(flash, asks("Something bad"))
    assert reply.done == Done(Reason.REFUSAL, "prompt: PROHIBITED_CONTENT")
    assert not reply.kept()
    assert reply.usage is not None
    assert reply.usage.prompt > 0


async def test_an_answer_without_parts_is_an_empty_one(gemini: GeminiStandIn, flash: Model) -> None:
    gemini.say(Sent({"candidates": [{"content": {"role": "model"}, "finishReason": "STOP", "index": 0}]}))
    reply = await answer(flash, asks("Hi"))
    assert (reply.parts, reply.done) == ([], Done(Reason.END))


async def test_kinds_that_nobody_knows_yet_are_survived(gemini: GeminiStandIn, flash: Model) -> None:
    gemini.say(Raw({"dream": {"of": "sheep"}}), Words("Awake."))
    reply = await answer(flash, asks("Hi"))
    assert text_of(reply.parts) == "Awake."
    assert reply.done == Done(Reason.END)


async def test_words_arrive_while_the_answer_is_still_being_written(
    gemini: GeminiStandIn, flash: Model
) -> None:
    hold = Hold()
    gemini.say(Words("First. "), hold, Words("Second."))
    async with aclosing(flash.stream(flash, asks("Hi"))) as events:
        async for event in events:
            if isinstance(event, TextDelta) and not hold.until.is_set():
                await hold.reached.wait()
                hold.until.set()
    assert hold.until.is_set()


async def test_a_stop_while_waiting_for_the_first_byte_reaches_the_api(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.say(Words("Too late."), before=60)
    task = asyncio.create_task(answer(flash, asks("Hi")))
    async with asyncio.timeout(10):
        recorded = await gemini.arrived(1)
        task.cancel()
        await asyncio.wait([task])
        await recorded.disconnected.wait()


# Counts -------------------------------------------------------------------------------------------


async def test_thinking_is_counted_as_output_and_what_the_cache_served_is_no_fresh_input(
    gemini: GeminiStandIn, flash: Model
) -> None:
    question = "Why is the sky blue? " * 1000
    gemini.say(Thought("x" * 400), Words("y" * 40))
    first = await answer(flash, asks(question))
    gemini.say(Words("Because!"))
    second = await answer(flash, asks(question, assistant("Because."), "Really?"))
    assert first.usage is not None
    assert second.usage is not None
    pieces = math.ceil(400 / 12) * 3 + math.ceil(40 / 12) * 3  # of 12 characters, 3 tokens each
    assert first.usage.output == pieces - 2 - 2  # but for the last ones, of 4
    assert (first.usage.cache_read, first.usage.cache_write_5m) == (0, 0)
    assert second.usage.cache_read == first.usage.input
    assert 0 < second.usage.input < 100


async def test_counts_that_are_none_are_a_broken_stream(gemini: GeminiStandIn, flash: Model) -> None:
    chunk = {"candidates": [], "usageMetadata": {"promptTokenCount": 10**12}}
    gemini.say(Words("Half"), Sent(chunk))
    reply = Reply()
    with pytest.raises(ProviderError) as failed:
        await fold(reply, flash, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("overloaded", False)


# Google Search ------------------------------------------------------------------------------------


async def test_web_search_is_googles_own_beside_our_functions(gemini: GeminiStandIn, flash: Model) -> None:
    await answer(flash, asks("Who won?", tools=(FORMULA, WEB, CLOCK)))
    body = gemini.requests[0].body
    functions, search = body["tools"]
    assert [one["name"] for one in functions["functionDeclarations"]] == ["render_latex", "clock"]
    assert search == {"googleSearch": {}}
    assert body["toolConfig"] == {"includeServerSideToolInvocations": True}
    await answer(flash, asks("Who won?", tools=(WEB,)))
    assert gemini.requests[1].body["tools"] == [{"googleSearch": {}}]


async def test_a_searched_answer_ends_in_links_that_the_model_never_reads_as_its_own(
    gemini: GeminiStandIn, flash: Model
) -> None:
    pages = (*PAGES, ("uefa.com", "https://redirect.example/3"), ("a [b](c)", "https://x.example/(1)"))
    gemini.say(Search(("euro 2024 final", ""), pages), Words("Spain won."))
    events = [event async for event in flash.stream(flash, asks("Who won?", tools=(WEB,)))]
    reply = Reply()
    for event in events:
        reply.add(event)
    links = (
        "\n\n🔎 [euro 2024 final](https://www.google.com/search?q=euro+2024+final)\n"
        "[uefa.com](https://redirect.example/1) · [wikipedia.org](https://redirect.example/2) · "
        r"[a \[b\](c)](https://x.example/%281%29)"
    )
    assert text_of(reply.kept()) == f"Spain won.{links}"
    assert "".join(event.text for event in events if isinstance(event, TextDelta)) == f"Spain won.{links}"
    assert events[-1] == Done(Reason.END)
    await answer(flash, asks("Who won?", assistant(*reply.kept()), "Sure?", tools=(WEB,)))
    assert "redirect.example" not in json.dumps(sent(gemini))


async def test_a_search_is_charged_by_its_queries_and_by_what_it_read(
    gemini: GeminiStandIn, flash: Model
) -> None:
    gemini.say(Search(("one", "two", ""), tokens=70), Search(("two", "three"), tokens=30), Words("So."))
    reply = await answer(flash, asks("Who won?", tools=(WEB,)))
    bill = gemini.requests[0].bill
    assert bill is not None
    assert reply.usage == Usage(
        input=bill.prompt + 100, output=bill.candidates, web_searches=len({"one", "two", "three"})
    )


async def test_a_search_counts_though_the_stream_broke_before_it_was_reported(
    gemini: GeminiStandIn, flash: Model
) -> None:
    chunk = {"usageMetadata": {"promptTokenCount": "?"}}
    gemini.say(Search(("one", "two")), Words("So."), Sent(chunk))
    reply = Reply()
    with pytest.raises(ProviderError):
        await fold(reply, flash, asks("Who won?", tools=(WEB,)))
    assert reply.usage is not None
    assert reply.usage.web_searches == 2


async def test_what_was_searched_goes_back_with_its_signatures(gemini: GeminiStandIn, flash: Model) -> None:
    gemini.say(Search(("noon",), PAGES), Words("It is "), Use("clock"))
    first = await answer(flash, asks("Time?", tools=(CLOCK, WEB)))
    [call] = first.calls
    history = ("Time?", assistant(*load(dump(first.kept()))), user(ToolResult(call.id, "clock", "noon")))
    await answer(flash, asks(*history, tools=(CLOCK, WEB)))
    asked, found, words, used = sent(gemini)[1]["parts"]
    came = gemini.requests[0].answer
    assert asked["toolCall"] == came[0]["toolCall"]
    assert found["toolResponse"] == came[1]["toolResponse"]
    assert [signatures(part) for part in (asked, found)] == [signatures(part) for part in came[:2]]
    assert words == {"text": "It is "}
    assert used["functionCall"]["name"] == "clock"
