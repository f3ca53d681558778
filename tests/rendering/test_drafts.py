"""The answer while it grows."""

from __future__ import annotations

import pytest

from telegram_bot.rendering import preview, render
from tests.rendering.shown import covered


def shown(source: str) -> tuple[str, list[tuple[str, str]]] | None:
    """A draft's text and entities."""
    draft = preview(source)
    return draft and (draft.text, [(entity.type, covered(draft, entity)) for entity in draft.entities])


@pytest.mark.parametrize(
    ("source", "text", "style"),
    [
        ("**bold te", "bold te", "bold"),
        ("**bold*", "bold", "bold"),
        ("*it", "it", "italic"),
        ("_it", "it", "italic"),
        ("~~gone", "gone", "strikethrough"),
        ("`co", "co", "code"),
        ("``a ` b", "a ` b", "code"),
        ("```py\nx = 1\n``", "x = 1", "pre"),
        ("```py\nx = 1\n```", "x = 1", "pre"),
        ("~~~\nx", "x", "pre"),
        ("\\(x^2 + ", "x² +", "italic"),
        ("\\[x^2", "x²", "code"),
        ("$$x^2", "x²", "code"),
        ("> quo", "quo", "blockquote"),
        ("# Ti", "Ti", "bold"),
    ],
)
def test_what_is_open_is_shown_closed(source: str, text: str, style: str) -> None:
    assert shown(source) == (text, [(style, text)])


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("text **", "text"),
        ("text `", "text"),
        ("text ~", "text"),
        ("text\\", "text"),
        ("see [the do", "see the do"),
        ("see [the docs](https://exam", "see the docs"),
        ("see ![a cat](https://exam", "see a cat"),
        ("text\n-", "text"),
        ("text\n--", "text"),
        ("text\n==", "text"),
        ("text\n\n##", "text"),
        ("text\n\n```", "text"),
        ("text\n\n```pyth", "text"),
        ("- a\n- ", "• a"),
        ("- a\n- [", "• a"),
        ("- a\n- [ ]", "• a"),
        ("1. a\n2.", "1. a"),
        ("| a | b |\n|--", "| a | b |"),
        ("$5 and", "$5 and"),
        ("a * b", "a * b"),
        ("snake_case", "snake_case"),
    ],
)
def test_half_written_marks_are_hidden(source: str, text: str) -> None:
    draft = preview(source)
    assert draft is not None
    assert draft.text == text


@pytest.mark.parametrize(
    "source", ["", " ", "\n", "**", "*", "`", "```", "```py", "```py\n", "#", "-", ">", "[", "\u200b"]
)
def test_nothing_to_see_is_no_draft(source: str) -> None:
    assert preview(source) is None


def test_emphasis_left_open_in_an_earlier_item_does_not_spill_over() -> None:
    assert shown("- 2 * 3\n- **b") == ("• 2 * 3\n• b", [("bold", "b")])


def test_a_finished_answer_looks_as_it_will_be_sent() -> None:
    source = "# Title\n\n- a\n- b `c`\n\n```py\nx\n```\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\nEnd **bold**.\n"
    draft = preview(source)
    assert draft is not None
    assert (draft.text, draft.entities) == (render(source).text, render(source).entities)


def test_a_draft_too_long_shows_its_newest_blocks() -> None:
    draft = preview("\n\n".join(f"Paragraph {n} with some words." for n in range(500)))
    assert draft is not None
    assert draft.text.startswith("…\nParagraph ")
    assert draft.text.endswith("Paragraph 499 with some words.")
    assert 3000 < draft.units <= 4096


def test_a_draft_of_one_long_code_block_shows_its_newest_lines_as_code() -> None:
    draft = preview("Look:\n\n```py\n" + "".join(f"print({n})\n" for n in range(5000)))
    assert draft is not None
    assert draft.text.startswith("…\nprint(")
    assert draft.text.endswith("print(4999)")
    assert [(entity.type, entity.language) for entity in draft.entities] == [("pre", "py")]
    assert 2000 < draft.units <= 4096


def test_a_draft_of_one_endless_word_shows_its_end() -> None:
    draft = preview("👨‍👩‍👧" * 3000)
    assert draft is not None
    assert 4000 < draft.units <= 4096
    assert set(draft.text.removeprefix("…\n").split("👨‍👩‍👧")) == {""}


def test_a_fence_opened_pages_ago_is_still_open() -> None:
    draft = preview("```js\n" + "a\n\n" * 20_000 + "const x = 1")
    assert draft is not None
    assert [(entity.type, entity.language) for entity in draft.entities] == [("pre", "js")]


def test_a_draft_keeps_within_telegrams_hundred_entities() -> None:
    draft = preview("*a* " * 400)
    assert draft is not None
    assert len(draft.entities) == 100


def test_the_source_of_a_draft_is_the_draft() -> None:
    draft = preview("some **text")
    assert draft is not None
    assert draft.source == "some **text"
