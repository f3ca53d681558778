"""When a conversation is too long, and what of it is carried over. Pure, but for the settings."""

from dataclasses import replace
from typing import Any

import pytest

from conversations.contracts import Media, Model, Reason, RequestMessage
from conversations.epochs import Need, need_of, tokens_max
from conversations.history import Row, plain, to_request_messages, without_thinking
from conversations.media import MEDIA_BYTES_MAX
from conversations.parts import File, Opaque, Part, Summary, Text, Thinking, ToolCall, ToolResult
from conversations.providers import models
from conversations.transcript import CUT, RESULT_MAX, VERBATIM_MAX, carried_over, transcript

HEAD = ("You are Starling.", "[]")
PICTURE = File("f_1", "sky.png", "image/png", 1_000)


def said(*parts: Part | str) -> Row:
    return Row("user", tuple(Text(part) if isinstance(part, str) else part for part in parts))


def answered(*parts: Part | str, reason: str = Reason.END, tokens: int = 0) -> Row:
    usage = {"input": tokens, "cache_read": 0, "cache_write_5m": 0, "cache_write_1h": 0, "output": 0}
    row = said(*parts)
    return replace(row, role="assistant", reason=reason, usage=usage if tokens else None)


@pytest.fixture
def model() -> Model:
    return models()["claude-haiku-5-5"]


# When --------------------------------------------------------------------------------------------


def test_the_settings_limit_is_lowered_by_a_small_window(model: Model, settings: Any) -> None:
    settings.COMPACT_AT_TOKENS = 150_000
    assert tokens_max(model) == 150_000
    assert tokens_max(replace(model, window=100_000)) == 80_000 - 16_000
    assert 0 < tokens_max(replace(model, window=8_000)) < 8_000


@pytest.mark.parametrize(
    ("tokens", "need"), [(149_000, Need.NONE), (151_000, Need.DUE), (990_000, Need.MUST)]
)
def test_what_the_vendor_counted_decides(model: Model, settings: Any, tokens: int, need: Need) -> None:
    settings.COMPACT_AT_TOKENS = 150_000
    rows = [said("One"), answered("1", tokens=tokens), said("Two")]
    assert need_of(rows, model, head=HEAD) is need


def test_a_switch_to_a_smaller_window_sums_up_first(model: Model, settings: Any) -> None:
    settings.COMPACT_AT_TOKENS = 150_000
    rows = [said("One"), answered("1", tokens=140_000), said("Two")]
    assert need_of(rows, model, head=HEAD) is Need.NONE
    assert need_of(rows, replace(model, window=200_000), head=HEAD) is Need.NONE
    assert need_of(rows, replace(model, window=160_000), head=HEAD) is Need.DUE
    assert need_of(rows, replace(model, window=128_000), head=HEAD) is Need.MUST


@pytest.mark.parametrize(
    "rows",
    [
        [said("x" * 900_000)],
        [said(Summary("s", "0"), "x" * 900_000)],
        [said("One"), answered(ToolCall("c", "t", {}), reason=Reason.TOOLS, tokens=160_000)],
        [said("One"), answered("half", reason=Reason.LENGTH, tokens=160_000), said("Go on")],
    ],
    ids=["nothing answered", "just summed up", "a call is open", "in mid-sentence"],
)
def test_nothing_is_summed_up_where_it_would_help_nobody(
    model: Model, settings: Any, rows: list[Row]
) -> None:
    settings.COMPACT_AT_TOKENS = 150_000
    assert need_of(rows, model, head=HEAD) is Need.NONE


def test_pictures_that_fit_into_no_request_any_more_are_left_behind(model: Model) -> None:
    heavy = replace(PICTURE, size=MEDIA_BYTES_MAX)
    assert need_of([said(heavy), answered("A sky."), said("And?")], model, head=HEAD) is Need.NONE
    rows = [said(heavy), answered("A sky."), said(PICTURE)]
    assert need_of(rows, model, head=HEAD) is Need.DUE
    blind = replace(model, reads=frozenset())
    assert need_of(rows, blind, head=HEAD) is Need.NONE


# What is carried over ----------------------------------------------------------------------------


def test_the_last_exchange_and_the_open_question_are_kept_apart() -> None:
    rows = [said("Old"), answered("old"), said("One", PICTURE), answered(Thinking("hm"), "1"), said("Two")]
    carried = carried_over(rows)
    assert carried.question == "One\n[File f_1: sky.png, image/png, 1000 bytes]"
    assert (carried.answer, carried.files, carried.said) == ("1", (PICTURE,), "")
    assert carried.waiting == (Text("Two"),)


def test_the_answer_under_way_is_told_and_its_results_are_not() -> None:
    call, result = ToolCall("c", "t", {}), ToolResult("c", "t", "found")
    rows = [said("One"), answered("I look.", call, reason=Reason.TOOLS), said(result), said("Quick!")]
    carried = carried_over(rows)
    assert (carried.question, carried.answer) == ("", "")
    assert (carried.said, carried.waiting) == ("I look.", (Text("One"), Text("Quick!")))


def test_a_question_that_waited_through_one_summary_waits_through_the_next() -> None:
    rows = [said(Summary("s", "0"), "One", PICTURE), answered("I", reason=Reason.LENGTH)]
    assert carried_over(rows).waiting == (Text("One"), PICTURE)


def test_of_a_very_long_answer_the_end_is_repeated() -> None:
    rows = [said("One"), answered("x" * VERBATIM_MAX + "the end"), said("Two")]
    assert carried_over(rows).answer.startswith(CUT)
    assert carried_over(rows).answer.endswith("the end")


def test_a_transcript_says_who_said_what_and_thinks_nothing() -> None:
    call, result = ToolCall("c", "look", {"at": "sky"}), ToolResult("c", "look", "blue " * RESULT_MAX)
    rows = [said("One"), answered(Thinking("secret"), "I look.", call, reason=Reason.TOOLS), said(result)]
    words = transcript(rows, tokens_max=100_000)
    assert words.startswith("Person:\nOne\n\nAssistant:\nI look.\n(calls look: {'at': 'sky'})")
    assert "(look gave: blue blue" in words
    assert "secret" not in words
    assert len(words) < RESULT_MAX + 200


def test_a_transcript_that_is_too_long_loses_its_beginning_but_no_summary() -> None:
    rows = [said(Summary("all before", "0"), "One"), answered("x" * 9_000 + "é"), said("last words")]
    words = transcript(rows, tokens_max=1_000)
    assert words.startswith("Person:\nall before\nOne")
    assert CUT in words
    assert words.endswith("last words")
    assert len(words.encode()) <= 3_100


# What a request says of it -----------------------------------------------------------------------


def test_a_summary_is_a_text_of_its_own_before_the_question() -> None:
    (message,) = to_request_messages([said(Summary("all before", "0"), "One"), said("Two")])
    assert message == RequestMessage("user", (Text("all before"), Text("One\nTwo")))


def test_blank_words_are_never_sent() -> None:
    assert to_request_messages([said(" \n "), answered("1"), said("", "Two")])[1:] == (
        RequestMessage("user", (Text("\nTwo"),)),
    )


def test_thoughts_are_dropped_all_or_none() -> None:
    sealed = Opaque({"anthropic": {"type": "redacted_thinking", "data": "x"}})
    search = Opaque({"anthropic": {"type": "server_tool_use"}})
    rows = [said("One"), answered(Thinking("hm"), sealed, search, "1"), answered(Thinking("only"))]
    messages = without_thinking(to_request_messages(rows))
    assert messages == (
        RequestMessage("user", (Text("One"),)),
        RequestMessage("assistant", (search, Text("1"))),
    )


def test_plain_words_hold_nothing_of_one_vendor() -> None:
    signed = {"anthropic": {"type": "text"}}
    parts = (Opaque(signed), Thinking("hm", signed), Text("1", signed), ToolCall("c", "t", {}, signed))
    picture = Media(PICTURE, b"broken")
    result = ToolResult("c", "t", "found")
    spoken = (RequestMessage("user", (picture,)), RequestMessage("assistant", parts))
    asked, said_then, found = plain([*spoken, RequestMessage("user", (result,))])
    assert asked.parts == (Text("[File f_1: sky.png, image/png, 1000 bytes]"),)
    assert said_then.parts == (Text("1"), ToolCall("c", "t", {}))
    assert found.parts == (result,)
