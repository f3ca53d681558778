"""What every provider must do, whoever its vendor is. A new provider joins by its harness file alone."""

import asyncio
from contextlib import aclosing
from itertools import pairwise

import pytest

from billing.pricing import Usage
from conversations.contracts import (
    Done,
    ProviderError,
    Reason,
    TextDelta,
    ThinkingDelta,
)
from conversations.history import Row, to_request_messages
from conversations.parts import File, Opaque, Text, Thinking, ToolCall, ToolResult, dump, load, text_of
from conversations.reply import Reply, usage_of
from tests.providers.conftest import NAMES, harness_of
from tests.providers.harness import (
    Harness,
    Scenario,
    answer,
    asks,
    assistant,
    fold,
    in_scenario,
    system,
    user,
)

FOREIGN = {"acme": {"id": "resp:7/ä", "secret": "AAAA"}}  # what a vendor nobody knows left in history
LONE = "half \ud83d a pair \ude00 and a whole one \ud83d\ude00"  # as JSON escapes may bring them


@pytest.mark.parametrize("name", NAMES)
def test_what_a_provider_cannot_show_is_said_with_a_reason(name: str) -> None:
    cannot = harness_of(name).cannot
    assert set(cannot) <= set(Scenario)
    assert all(cannot.values())
    assert {Scenario.TEXT, Scenario.CALL, Scenario.LISTENS, Scenario.TOO_LONG}.isdisjoint(cannot)


@in_scenario(Scenario.TEXT)
async def test_words_come_as_deltas_and_then_as_the_same_text(harness: Harness) -> None:
    events = [event async for event in harness.model.stream(harness.model, harness.set_up(Scenario.TEXT))]
    deltas = [event.text for event in events if isinstance(event, TextDelta)]
    [text] = [event for event in events if isinstance(event, Text)]
    assert len(deltas) > 1
    assert "".join(deltas) == text.text
    assert events[-1] == Done(Reason.END)


@in_scenario(Scenario.EARLY_USAGE)
async def test_usage_is_known_before_the_first_word(harness: Harness) -> None:
    events = [event async for event in harness.model.stream(harness.model, harness.set_up(Scenario.TEXT))]
    first = next(event for event in events if isinstance(event, Usage | TextDelta))
    assert isinstance(first, Usage)
    assert first.prompt > 0


@in_scenario(Scenario.TEXT)
async def test_usage_is_what_the_vendor_bills(harness: Harness) -> None:
    request = harness.set_up(Scenario.TEXT)
    reply = await answer(harness.model, request)
    assert reply.usage == harness.billed(request, reply)
    assert reply.usage.output > 0
    assert not reply.usage.estimated


@in_scenario(Scenario.THINKING)
async def test_thinking_comes_first_and_keeps_what_its_vendor_signed(harness: Harness) -> None:
    events = [event async for event in harness.model.stream(harness.model, harness.set_up(Scenario.THINKING))]
    kinds = [type(event) for event in events]
    assert kinds.index(ThinkingDelta) < kinds.index(Thinking) < kinds.index(TextDelta)
    [thinking] = [event for event in events if isinstance(event, Thinking)]
    assert "".join(event.text for event in events if isinstance(event, ThinkingDelta)) == thinking.text
    assert set(thinking.luggage) == {harness.model.vendor}


@in_scenario(Scenario.CALL)
async def test_a_tool_call_comes_whole_and_waits_for_its_result(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.CALL))
    [call] = reply.calls
    assert call.name == "render_latex"
    assert isinstance(call.arguments["latex"], str)
    assert call.id
    assert reply.done == Done(Reason.TOOLS)


@in_scenario(Scenario.CALL)
async def test_the_conversation_goes_on_after_the_result_of_a_call(harness: Harness) -> None:
    request = harness.set_up(Scenario.CALL)
    first = await answer(harness.model, request)
    harness.set_up(Scenario.LISTENS)
    results = user(*(ToolResult(call.id, call.name, "") for call in first.calls))
    second = await answer(harness.model, asks(*request.messages, assistant(*first.kept()), results))
    assert text_of(second.kept()).strip()


@in_scenario(Scenario.TWO_CALLS)
async def test_two_calls_in_one_answer_have_ids_of_their_own(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.TWO_CALLS))
    assert [call.arguments for call in reply.calls] == [{"latex": "a"}, {"latex": "b"}]
    assert len({call.id for call in reply.calls}) == 2


@in_scenario(Scenario.NO_PARAMETERS)
async def test_a_call_without_parameters_has_empty_arguments(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.NO_PARAMETERS))
    assert [(call.name, call.arguments) for call in reply.calls] == [("clock", {})]


@in_scenario(Scenario.BROKEN_ARGUMENTS)
async def test_broken_arguments_are_a_call_that_no_tool_will_take(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.BROKEN_ARGUMENTS))
    [call] = reply.calls
    assert call.arguments == {"_unparsed": '{"latex": "x^'}


@in_scenario(Scenario.LENGTH)
async def test_an_answer_cut_by_output_max_says_so_and_can_be_gone_on_with(harness: Harness) -> None:
    request = harness.set_up(Scenario.LENGTH)
    cut = await answer(harness.model, request)
    assert cut.done == Done(Reason.LENGTH)
    assert cut.usage is not None
    assert cut.usage.output <= request.output_max
    harness.set_up(Scenario.LISTENS)
    for ending in ((), (user("Go on exactly where you stopped."),)):
        rest = await answer(harness.model, asks(*request.messages, assistant(*cut.kept()), *ending))
        assert text_of(rest.kept()).strip()


@in_scenario(Scenario.PAUSE)
async def test_a_paused_answer_is_sent_back_as_it_is(harness: Harness) -> None:
    request = harness.set_up(Scenario.PAUSE)
    paused = await answer(harness.model, request)
    assert paused.done == Done(Reason.PAUSE)
    harness.set_up(Scenario.LISTENS)
    rest = await answer(harness.model, asks(*request.messages, assistant(*paused.kept())))
    assert rest.done is not None
    whole = assistant(*paused.kept(), *rest.kept())
    results = user(*(ToolResult(call.id, call.name, "ok") for call in rest.calls))
    after = await answer(harness.model, asks(*request.messages, whole, results, user("And now?")))
    assert after.done is not None


@in_scenario(Scenario.REFUSAL)
async def test_a_refusal_is_an_end_with_its_category(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.REFUSAL))
    assert reply.done is not None
    assert reply.done.reason is Reason.REFUSAL
    assert reply.done.detail in ("bio", "content_filter", "SAFETY")


@in_scenario(Scenario.STOP)
async def test_a_stream_closed_in_the_middle_lets_the_vendor_go(harness: Harness) -> None:
    request = harness.set_up(Scenario.STOP)
    async with aclosing(harness.model.stream(harness.model, request)) as events:
        async for event in events:
            if isinstance(event, TextDelta):
                break
    await harness.left()


@in_scenario(Scenario.STOP)
async def test_a_cancelled_task_lets_the_vendor_go(harness: Harness) -> None:
    request = harness.set_up(Scenario.STOP)
    begun = asyncio.Event()

    async def read() -> None:
        async for event in harness.model.stream(harness.model, request):
            if isinstance(event, TextDelta):
                begun.set()

    task = asyncio.create_task(read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await harness.left()


@in_scenario(Scenario.LIMITED)
async def test_a_rate_limit_is_waited_out_before_the_first_word(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.LIMITED))
    assert reply.done == Done(Reason.END)
    assert harness.tries == 2


@in_scenario(Scenario.LIMITED_LONG)
async def test_a_long_rate_limit_is_told_instead_of_waited_for(harness: Harness) -> None:
    with pytest.raises(ProviderError) as failed:
        await answer(harness.model, harness.set_up(Scenario.LIMITED_LONG))
    assert (failed.value.key, failed.value.retryable, failed.value.wait_seconds) == ("limited", True, 600)
    assert harness.tries == 1


@in_scenario(Scenario.OVERLOADED)
async def test_an_overloaded_vendor_is_asked_again(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.OVERLOADED))
    assert reply.done == Done(Reason.END)
    assert harness.tries == 2


@in_scenario(Scenario.UNAVAILABLE)
async def test_an_unavailable_vendor_is_asked_again_though_a_proxy_answered(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.UNAVAILABLE))
    assert reply.done == Done(Reason.END)
    assert harness.tries == 2


@in_scenario(Scenario.OVERLOADED_FOR_GOOD)
async def test_the_third_refusal_is_told(harness: Harness) -> None:
    with pytest.raises(ProviderError) as failed:
        await answer(harness.model, harness.set_up(Scenario.OVERLOADED_FOR_GOOD))
    assert (failed.value.key, failed.value.retryable) == ("overloaded", True)
    assert harness.tries == 3


@in_scenario(Scenario.NO_CONNECTION)
async def test_no_connection_is_a_passing_failure(harness: Harness) -> None:
    with pytest.raises(ProviderError) as failed:
        await answer(harness.model, harness.set_up(Scenario.NO_CONNECTION))
    assert (failed.value.key, failed.value.retryable) == ("overloaded", True)


@in_scenario(Scenario.EARLY_ERROR)
async def test_an_error_after_200_but_before_anything_else_is_asked_again(harness: Harness) -> None:
    reply = await answer(harness.model, harness.set_up(Scenario.EARLY_ERROR))
    assert reply.done == Done(Reason.END)
    assert harness.tries == 2


@in_scenario(Scenario.LATE_ERROR)
async def test_an_error_among_the_words_is_told_and_keeps_the_words(harness: Harness) -> None:
    await _breaks_off(harness, Scenario.LATE_ERROR)


@in_scenario(Scenario.CUT)
async def test_a_broken_connection_is_told_and_keeps_the_words(harness: Harness) -> None:
    await _breaks_off(harness, Scenario.CUT)


@in_scenario(Scenario.CUT_CLEANLY)
async def test_a_stream_without_its_end_is_told_and_keeps_the_words(harness: Harness) -> None:
    await _breaks_off(harness, Scenario.CUT_CLEANLY)


async def _breaks_off(harness: Harness, scenario: Scenario) -> None:
    reply = Reply()
    request = harness.set_up(scenario)
    with pytest.raises(ProviderError) as failed:
        await fold(reply, harness.model, request)
    assert (failed.value.key, failed.value.retryable) == ("overloaded", False)
    assert harness.tries == 1
    assert text_of(reply.kept()).startswith("Light of")
    assert reply.done is None
    usage = usage_of(request, reply)  # the vendor's count of the prompt, or ours where it gives none
    assert usage is not None
    assert usage.estimated
    assert usage.prompt > 0


@in_scenario(Scenario.WRONG_KEY)
async def test_a_wrong_key_is_told_at_once(harness: Harness) -> None:
    with pytest.raises(ProviderError) as failed:
        await answer(harness.model, harness.set_up(Scenario.WRONG_KEY))
    assert (failed.value.key, failed.value.retryable) == ("key", False)
    assert harness.tries == 1


@in_scenario(Scenario.TOO_LONG)
async def test_a_history_beyond_the_window_is_a_full_context(harness: Harness) -> None:
    with pytest.raises(ProviderError) as failed:
        await answer(harness.model, harness.set_up(Scenario.TOO_LONG))
    assert (failed.value.key, failed.value.retryable) == ("context", False)


@in_scenario(Scenario.LISTENS)
async def test_a_call_without_a_result_is_answered_once_history_closed_it(harness: Harness) -> None:
    harness.set_up(Scenario.LISTENS)
    call = ToolCall("toolu_1", "render_latex", {"latex": "x"})
    rows = [Row("user", (Text("Draw x"),)), Row("assistant", (call,)), Row("user", (Text("Well?"),))]
    reply = await answer(harness.model, asks(*to_request_messages(rows)))
    assert reply.done is not None


@in_scenario(Scenario.LISTENS)
async def test_a_call_without_a_result_that_nobody_closed_fails_only_by_a_provider_error(
    harness: Harness,
) -> None:
    harness.set_up(Scenario.LISTENS)
    broken = asks("Draw x", assistant(ToolCall("toolu_1", "render_latex", {"latex": "x"})), "Well?")
    failures = await asyncio.gather(answer(harness.model, broken), return_exceptions=True)
    assert all(isinstance(failure, Reply | ProviderError) for failure in failures)


@in_scenario(Scenario.LISTENS)
async def test_history_of_another_vendor_is_read_in_neutral_words(harness: Harness) -> None:
    harness.set_up(Scenario.LISTENS)
    call = ToolCall("call:1|ü", "render_latex", {"latex": "x"}, FOREIGN)
    history = (
        user("Draw x", File("f_7k2q", "x.pdf", "application/pdf", 9)),
        assistant(Thinking("Hm.", FOREIGN), Opaque(FOREIGN), Text("Look:", FOREIGN), call),
        user(ToolResult(call.id, call.name, "Drawn.")),
        assistant(Text("There.", FOREIGN)),
    )
    reply = await answer(harness.model, asks(*history, "Thanks. And y?"))
    assert reply.done is not None
    assert b"AAAA" not in b"".join(piece for call in harness.prefixes() for piece in call)


@in_scenario(Scenario.LISTENS)
async def test_a_system_message_may_stand_anywhere(harness: Harness) -> None:
    harness.set_up(Scenario.LISTENS)
    today = system("Today is Monday.")
    for history in (
        (today, user("Hi")),
        (user("Hi"), today),
        (user("Hi"), assistant("Hello."), today, user("And?")),
        (user("Hi"), assistant("Hello."), today, today),
        (user("Hi"), today, assistant("Hello."), user("And?"), today, user("Well?")),
    ):
        reply = await answer(harness.model, asks(*history))
        assert reply.done is not None


@in_scenario(Scenario.LISTENS)
async def test_halves_of_surrogate_pairs_do_not_break_a_request(harness: Harness) -> None:
    harness.set_up(Scenario.LISTENS)
    call = ToolCall("toolu_1", "render_latex", {LONE: [LONE]})
    history = (
        user(LONE),
        assistant(LONE, call),
        user(ToolResult("toolu_1", "render_latex", LONE)),
        system(LONE),
    )
    reply = await answer(harness.model, asks(*history))
    assert reply.done is not None


@in_scenario(Scenario.LISTENS)
async def test_messages_with_nothing_to_say_are_left_out(harness: Harness) -> None:
    harness.set_up(Scenario.LISTENS)
    history = (
        user("Hi"),
        assistant("  \n", Thinking("cut short")),
        user(" "),
        assistant(),
        user("\n\n", "There?"),
    )
    reply = await answer(harness.model, asks(*history))
    assert reply.done is not None


@in_scenario(Scenario.CONVERSATION)
async def test_ten_turns_send_the_same_bytes_again_up_to_the_new_messages(harness: Harness) -> None:
    harness.set_up(Scenario.CONVERSATION)
    history = []
    for turn in range(10):
        history.append(user(f"Question {turn}: «ё», {turn * 1.5}?"))
        if turn % 3 == 1:
            history.append(system(f"Today is day {turn}."))
        for _ in range(2):
            reply = await answer(harness.model, asks(*history))
            # Through the store and back, as history really travels.
            history.append(assistant(*load(dump(reply.kept()))))
            if reply.calls:
                results = (ToolResult(call.id, call.name, f"drawn {turn}") for call in reply.calls)
                history.append(user(*results))
    sent = harness.prefixes()
    assert len(sent) == 20
    for before, after in pairwise(sent):
        assert list(after[: len(before)]) == list(before)
        assert len(after) > len(before)


@in_scenario(Scenario.LISTENS)
async def test_thirty_streams_at_once_do_not_mix(harness: Harness) -> None:
    harness.set_up(Scenario.LISTENS)
    replies = await asyncio.gather(*(answer(harness.model, asks("Hello")) for _ in range(30)))
    assert len({text_of(reply.kept()) for reply in replies}) == 1
    assert all(reply.done is not None for reply in replies)
