"""An answer as it grows: what it is made of, and one frame after the other."""

from __future__ import annotations

from decimal import Decimal

import pytest

from conversations.contracts import TextDelta
from conversations.loop import FileReady, StepBegan, SummedUp
from conversations.parts import File
from telegram_bot.frames import ClassicFrame, Frames, RichFrame
from telegram_bot.outgoing import Words
from telegram_bot.rendering.composing import Rich, rich_preview
from telegram_bot.units import Said, Units, said_in

TABLE = "Look:\n\n| a | b |\n|---|---|\n| 1 | 2 |"
RUNNING = [("🐍 Running Python…", 0.0, "")]


def kinds(frame: object) -> list[str]:
    assert isinstance(frame, RichFrame)
    return [block.type for block in frame.message.blocks or ()]


def preview(source: str, characters: int = 5000) -> Rich:
    shown = rich_preview(source, characters)
    assert shown is not None
    return shown


def test_before_the_first_word_telegram_says_by_itself_that_it_thinks() -> None:
    assert Frames("rich").frame("", [], 0.0) == ClassicFrame("", [])


def test_a_stretch_shown_rich_stays_rich_and_the_next_begins_anew() -> None:
    frames = Frames("auto")
    assert isinstance(frames.frame("Look:", [], 0.0), ClassicFrame)
    assert kinds(frames.frame(TABLE, [], 0.0)) == ["paragraph", "table"]
    # As a model may go on: what looked like a table is none.
    assert isinstance(frames.frame("Look:\n\n| a | b |", [], 0.0), RichFrame)
    frames.next_stretch()
    assert isinstance(frames.frame("Look:", [], 0.0), ClassicFrame)


def test_where_rich_messages_are_refused_or_not_wanted_every_frame_is_classic() -> None:
    assert isinstance(Frames("auto").frame(TABLE, [], 0.0, may_be_rich=False), ClassicFrame)
    assert isinstance(Frames("classic").frame(TABLE, [], 0.0), ClassicFrame)


def test_what_tools_do_stands_below_a_rich_draft_as_work_in_progress() -> None:
    frame = Frames("auto").frame(TABLE, RUNNING, 12.4)
    assert kinds(frame) == ["paragraph", "table", "thinking"]
    assert isinstance(frame, RichFrame)
    assert frame.message.blocks
    assert frame.message.blocks[-1].text == "🐍 Running Python… 12 s"


def test_below_a_message_that_grows_it_stands_as_words_for_only_a_draft_may_think() -> None:
    frame = Frames("auto").frame(TABLE, RUNNING, 12.4, is_draft=False)
    assert kinds(frame) == ["paragraph", "table", "paragraph"]
    assert isinstance(frame, RichFrame)
    assert frame.message.blocks
    assert frame.message.blocks[-1].text.text == "🐍 Running Python… 12 s"


@pytest.mark.parametrize(
    ("source", "last"),
    [
        ("| a |\n|---|\n| **bo", "table"),
        ("$$\nx^2", "mathematical_expression"),
        ("- [ ] ta", "list"),
        ("```py\nx", "pre"),
    ],
)
def test_what_is_open_is_shown_closed(source: str, last: str) -> None:
    assert [block.type for block in preview(source).blocks] == [last]


def test_details_that_are_being_written_are_open_and_closed_once_they_are_done() -> None:
    source = "<details>\n<summary>Why?</summary>\n\nBecause\n\nof this\n\n```py\nx = 1\n```\n\n</details>\n"
    for end in range(source.index("Because"), source.index("</details>")):
        (details,) = preview(source[:end]).blocks
        assert (details.type, details.summary, details.is_open) == ("details", "Why?", True)
    (details,) = preview(source).blocks
    assert details.is_open is None


def test_a_draft_too_long_shows_its_newest_blocks() -> None:
    shown = preview("\n\n".join(f"Paragraph {n} with some words." for n in range(5000)))
    words = shown.words
    assert words.startswith("…\n")
    assert words.endswith("Paragraph 4999 with some words.")
    assert 4000 < len(words) < 6000


def test_a_draft_of_many_small_blocks_keeps_within_telegrams_five_hundred() -> None:
    shown = preview("\n\n".join("x" for _ in range(2000)))
    assert len(shown.blocks) <= 500


def test_nothing_to_see_is_no_draft() -> None:
    assert rich_preview(" \n\n**", 1000) is None


def test_a_turn_told_again_from_its_rows_has_the_same_stretches_as_the_one_that_was_seen() -> None:
    picture = File("f_1", "x.png", "image/png", 1)
    events = [
        StepBegan(False), TextDelta("a"), TextDelta("b"), FileReady(picture), StepBegan(False), TextDelta("c"),
        SummedUp(None), StepBegan(False), TextDelta("d"), SummedUp(Decimal("0.1")), StepBegan(True), TextDelta("e"),
    ]  # fmt: skip
    aside = Words("Summed up.")
    units = Units()
    for event in events:
        units.add(event)
        if isinstance(event, SummedUp) and event.cost is not None:
            units.put(aside)
    units.put()
    assert list(units.closed) == [Said(0, "ab"), picture, Said(1, "c\n\nd"), aside, Said(2, "e")]
    assert said_in(events) == [Said(0, "ab"), Said(1, "c\n\nd"), Said(2, "e")]
