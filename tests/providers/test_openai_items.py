"""What OpenAI's items become, and how they go back to it."""

import json
from typing import Any

import pytest

from billing.pricing import Usage
from conversations.contracts import (
    Done,
    Model,
    ProviderError,
    Reason,
    TextDelta,
    ThinkingDelta,
)
from conversations.parts import Opaque, Text, Thinking, ToolCall, ToolResult, dump, load, text_of
from conversations.reply import Reply
from tests.fakes.openai import OpenAIStandIn
from tests.fakes.openai_script import Cut, Item, Refuses, Search, Sent, Thought, Use, Words
from tests.providers.harness import answer, asks, assistant, fold, user

PAGE = {
    "type": "url_citation",
    "url": "https://sky.example",
    "title": "Sky",
    "start_index": 0,
    "end_index": 4,
}


def sent(openai: OpenAIStandIn) -> list[Item]:
    """The input items of the last request."""
    items: list[Item] = openai.requests[-1].body["input"]
    return items


# What goes back -----------------------------------------------------------------------------------


async def test_every_item_goes_back_exactly_as_it_came(openai: OpenAIStandIn, sol: Model) -> None:
    openai.say(
        Thought(("Search first.", "Then draw.")),
        Search("why is the sky blue"),
        Words("Blue, ", phase="commentary", citations=(PAGE,)),
        Use("render_latex", {"b": 1, "a": [1.0, None]}),
    )
    reply = await answer(sol, asks("Why?"))
    assert [type(part) for part in reply.parts] == [Thinking, Opaque, Text, ToolCall]
    [call] = reply.calls
    kept = load(dump(reply.kept()))
    await answer(sol, asks("Why?", assistant(*kept), user(ToolResult(call.id, call.name, "ok"))))
    came = json.loads(json.dumps(openai.requests[0].answer))
    for item in came:
        for piece in item.get("content", ()):
            piece.pop("logprobs")  # an answer has them, the API does not want them
    assert json.dumps(sent(openai)[1:5]) == json.dumps(came)


async def test_words_of_a_cut_answer_go_back_without_the_reasoning_they_lost(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.say(Thought(("Hm.",)), Words("Whole.", phase="commentary"), Words("Half of"), Cut())
    reply = Reply()
    with pytest.raises(ProviderError):
        await fold(reply, sol, asks("Hi"))
    assert text_of(reply.kept()) == "Whole.Half of"
    await answer(sol, asks("Hi", assistant(*reply.kept()), "Go on"))
    assert sent(openai)[1:3] == [
        {"role": "assistant", "content": "Whole.", "phase": "commentary"},
        {"role": "assistant", "content": "Half of"},
    ]


async def test_a_call_that_lost_its_reasoning_goes_back_without_its_id(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.say(Thought(("Hm.",)), Use("clock"))
    reply = await answer(sol, asks("Time?"))
    [call] = reply.calls
    await answer(sol, asks("Time?", assistant(call), user(ToolResult(call.id, "clock", "noon"))))
    assert sent(openai)[1]["call_id"] == call.id
    assert "id" not in sent(openai)[1]


async def test_thinking_that_came_to_no_words_is_not_sent(openai: OpenAIStandIn, sol: Model) -> None:
    openai.say(Thought(("Well.",)), incomplete="max_output_tokens")
    cut = await answer(sol, asks("Hi"))
    assert cut.done == Done(Reason.LENGTH)
    await answer(sol, asks("Hi", assistant(*cut.kept()), "Go on"))
    assert [item["role"] for item in sent(openai)] == ["user", "user"]


async def test_reasoning_that_openai_cannot_read_is_left_out_and_the_rest_asked_again(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.say(Thought(("Hm.",)), Search("sky"), Words("Yes."), Use("clock"))
    first = await answer(sol, asks("Is it?"))
    history = json.loads(dump(first.kept()))
    history[0]["luggage"]["openai"]["encrypted_content"] = "gAAAAAof_another_organization"
    kept = load(json.dumps(history))
    results = user(ToolResult(first.calls[0].id, "clock", "noon"))
    reply = await answer(sol, asks("Is it?", assistant(*kept), results))
    assert reply.done == Done(Reason.END)
    assert openai.requests[1].refusal.startswith("The encrypted content")
    assert [item.get("type", item.get("role")) for item in sent(openai)] == [
        "user",
        "assistant",
        "function_call",
        "function_call_output",
    ]


async def test_an_organization_that_may_not_see_summaries_is_answered_without_them(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.fail(
        400, "unsupported_value", param="reasoning.summary", message="Your organization must be verified"
    )
    reply = await answer(sol, asks("Hi"))
    assert reply.done == Done(Reason.END)
    assert [("reasoning" in request.body) for request in openai.requests] == [True, False]


async def test_what_nothing_mends_is_told_after_one_try(openai: OpenAIStandIn, sol: Model) -> None:
    openai.fail(400, "unsupported_value", param="include", message="No.")
    with pytest.raises(ProviderError) as failed:
        await answer(sol, asks("Hi"))
    assert (failed.value.key, failed.value.retryable) == ("bad_request", False)
    assert len(openai.requests) == 1


# What is answered ---------------------------------------------------------------------------------


async def test_summaries_are_shown_with_a_line_between_and_kept_as_shown(
    openai: OpenAIStandIn, sol: Model
) -> None:
    openai.say(Thought(("First.", "Second.")), Words("So."))
    events = [event async for event in sol.stream(sol, asks("Hi"))]
    [thinking] = [event for event in events if isinstance(event, Thinking)]
    assert thinking.text == "First.\n\nSecond."
    assert "".join(event.text for event in events if isinstance(event, ThinkingDelta)) == thinking.text


async def test_reasoning_without_a_summary_is_kept_in_silence(openai: OpenAIStandIn, sol: Model) -> None:
    openai.say(Thought(()), Words("So."))
    events = [event async for event in sol.stream(sol, asks("Hi"))]
    assert not [event for event in events if isinstance(event, ThinkingDelta)]
    [thinking] = [event for event in events if isinstance(event, Thinking)]
    assert thinking.luggage["openai"]["encrypted_content"]


async def test_kinds_that_nobody_knows_yet_are_survived_and_kept(openai: OpenAIStandIn, sol: Model) -> None:
    dream = {"type": "dream", "id": "dr_1", "of": "sheep"}
    openai.say(
        Sent({"type": "response.mood", "mood": "good"}),
        Sent({"type": "response.output_item.added", "output_index": 7, "item": dream}),
        Sent({"type": "response.output_item.done", "output_index": 7, "item": dream}),
        Words("Awake."),
    )
    reply = await answer(sol, asks("Hi"))
    assert reply.parts[0] == Opaque({"openai": dream})
    assert text_of(reply.parts) == "Awake."


async def test_words_whose_item_never_ended_are_kept(openai: OpenAIStandIn, sol: Model) -> None:
    at = {"output_index": 0, "item_id": "msg_1", "content_index": 0}
    item = {"type": "message", "id": "msg_1", "content": []}
    ended = {"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}, "usage": None}
    openai.say(
        Sent({"type": "response.output_item.added", "output_index": 0, "item": item}),
        Sent({"type": "response.output_text.delta", **at, "delta": "Half of"}),
        Sent({"type": "response.incomplete", "response": ended}),
        Cut(clean=True),
    )
    reply = await answer(sol, asks("Hi"))
    assert reply.done == Done(Reason.LENGTH)
    assert reply.parts == [Text("Half of")]


async def test_a_message_that_came_without_deltas_is_shown_whole(openai: OpenAIStandIn, sol: Model) -> None:
    part = {"type": "output_text", "text": "At once.", "annotations": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
    openai.say(
        Sent({"type": "response.output_item.added", "output_index": 0, "item": {**item, "content": []}}),
        Sent({"type": "response.output_item.done", "output_index": 0, "item": item}),
    )
    events = [event async for event in sol.stream(sol, asks("Hi"))]
    assert [event.text for event in events if isinstance(event, TextDelta)] == ["At once."]


@pytest.mark.parametrize(
    ("how", "done"),
    [
        ({}, Done(Reason.END)),
        ({"incomplete": "max_output_tokens"}, Done(Reason.LENGTH)),
        ({"incomplete": "content_filter"}, Done(Reason.REFUSAL, "content_filter")),
        ({"incomplete": "bored"}, Done(Reason.END, "bored")),
        ({"failed": {"code": "bio_policy", "message": "No."}}, Done(Reason.REFUSAL, "bio")),
        (
            {"failed": {"code": "misalignment_policy_violation", "message": "No."}},
            Done(Reason.REFUSAL, "misalignment"),
        ),
    ],
)
async def test_every_end_has_its_meaning(
    openai: OpenAIStandIn, sol: Model, how: dict[str, Any], done: Done
) -> None:
    openai.say(Words("Well."), **how)
    reply = await answer(sol, asks("Hi"))
    assert reply.done == done
    assert text_of(reply.parts) == "Well."


async def test_a_refusal_in_words_is_shown_and_named(openai: OpenAIStandIn, sol: Model) -> None:
    openai.say(Refuses("I cannot help with that."))
    reply = await answer(sol, asks("Hi"))
    assert reply.done == Done(Reason.REFUSAL, "refusal")
    assert text_of(reply.parts) == "I cannot help with that."
    await answer(sol, asks("Hi", assistant(*reply.kept()), "Why not?"))


async def test_usage_counts_every_token_once(openai: OpenAIStandIn, sol: Model) -> None:
    question = "Why is the sky blue? " * 50
    openai.say(Thought(("Because of Rayleigh, I believe.",)), Words("Because."))
    first = (await answer(sol, asks(question))).usage
    second = (await answer(sol, asks(question, assistant("Because."), "Really?"))).usage
    assert first is not None
    assert second is not None
    assert (first.input, first.cache_read, first.output) == (3, 0, 10)
    assert second.cache_read == first.cache_write_5m > 250
    assert 0 < second.cache_write_5m < 60
    assert second.cache_write_1h == 0


async def test_usage_without_details_is_all_fresh(openai: OpenAIStandIn, sol: Model) -> None:
    ended = {"status": "completed", "usage": {"input_tokens": 5, "output_tokens": 9, "total_tokens": 14}}
    openai.say(Sent({"type": "response.completed", "response": ended}), Cut(clean=True))
    assert (await answer(sol, asks("Hi"))).usage == Usage(input=5, output=9)
