"""Headings, lists, quotes, code, formulas, and the lines between them."""

from __future__ import annotations

import pytest

from telegram_bot.rendering import render
from tests.rendering.shown import covered, entities, text


def test_headings_are_bold() -> None:
    assert entities("# One\n\nTwo\n===\n\n#### *Three*") == [
        ("bold", "One"),
        ("bold", "Two"),
        ("bold", "Three"),
        ("italic", "Three"),
    ]


def test_bullets_change_with_their_level() -> None:
    assert text("- a\n  - b\n    - c\n      - d") == "• a\n  ◦ b\n    ▪ c\n      ▪ d"


def test_ordered_lists_keep_their_numbers() -> None:
    assert text("3. a\n3. b\n\nx\n\n7) c") == "3. a\n4. b\n\nx\n\n7) c"


def test_a_list_broken_by_code_goes_on_counting() -> None:
    assert text("1. a\n\n```\nx\n```\n\n2. b") == "1. a\n\nx\n\n2. b"


def test_the_second_line_of_an_item_stands_under_the_first() -> None:
    assert text("- a\n  b\n\n  c\n1. d\n   e") == "• a\n  b\n\n  c\n1. d\n   e"


def test_forty_levels_of_list_are_read_and_not_indented_out_of_sight() -> None:
    lines = text("".join("  " * level + f"- level {level}\n" for level in range(40))).split("\n")
    assert len(lines) == 40
    assert max(len(line) - len(line.lstrip()) for line in lines) == 12


def test_tasks_have_boxes() -> None:
    assert text("- [ ] a\n- [x] b\n1. [X] c\n- [] d") == "☐ a\n☑ b\n1. ☑ c\n• [] d"


def test_a_quote_is_one_entity_however_deep() -> None:
    assert entities("> a\n> > b\n>\n> **c**") == [("blockquote", "a\nb\n\nc"), ("bold", "c")]


def test_code_in_a_quote_stays_in_the_quote() -> None:
    assert entities("> a\n> ```py\n> b\n> ```") == [("blockquote", "a\nb"), ("pre", "b")]


def test_a_quote_or_code_in_an_item_starts_a_line() -> None:
    assert text("1. > a\n   > b\n2. ```\n   c\n   ```") == "1.\na\nb\n2.\nc"


@pytest.mark.parametrize(
    ("info", "language"),
    [
        ("python", "python"),
        ("c++ ", "c++"),
        ("{.py .x}", "py"),
        ("", None),
        ("py title=a.py", "py"),
        ("c#", "c#"),
    ],
)
def test_code_says_its_language(info: str, language: str | None) -> None:
    (entity,) = render(f"```{info}\nx\n```").entities
    assert (entity.type, entity.language) == ("pre", language)


def test_a_fence_of_four_holds_a_fence_of_three() -> None:
    assert entities("````\n```py\nx\n```\n````") == [("pre", "```py\nx\n```")]


def test_a_fence_without_an_end_is_code_to_the_end() -> None:
    assert entities("```js\nlet a = '**b**'\n") == [("pre", "let a = '**b**'")]


def test_code_that_begins_indented_keeps_its_indentation() -> None:
    rendered = render("```\n    return x\nend\n```")
    # A plain blank at the beginning of an entity is trimmed by Telegram.
    assert rendered.text == "\u00a0   return x\nend"
    assert covered(rendered, rendered.entities[0]) == rendered.text


def test_tabs_in_code_become_four_blanks_because_telegram_makes_them_one() -> None:
    assert text("```\nif x:\n\treturn\n```") == "if x:\n    return"


def test_empty_code_is_nothing() -> None:
    assert text("a\n\n```py\n\n```\n\nb") == "a\n\nb"


def test_a_formula_of_its_own_is_a_line_of_code() -> None:
    assert entities("a\n\n$$\n\\frac{a}{b}\n$$\n\nb") == [("code", "a/b")]
    assert entities("\\[ x^2 \\]") == [("code", "x²")]


def test_a_formula_of_several_lines_is_a_block() -> None:
    assert entities("\\begin{align}\na &= b \\\\\nc &= d\n\\end{align}") == [("pre", "a = b\nc = d")]


def test_a_rule_is_a_line() -> None:
    assert text("a\n\n***\n\nb") == "a\n\n———\n\nb"


def test_at_most_one_empty_line_separates_blocks() -> None:
    assert text("a\n\n\n\n\nb\n\n#\n\n<br>\n\nc") == "a\n\nb\n\nc"


def test_blocks_written_without_an_empty_line_stay_together() -> None:
    assert text("Items:\n- a\n- b\n# Title\nText") == "Items:\n• a\n• b\nTitle\nText"


def test_an_address_given_apart_is_shown_unless_a_link_uses_it() -> None:
    source = "see [a]\n\n[a]: https://a.example.com\n[1]: https://b.example.com"
    assert text(source) == "see a\n\n[1]: https://b.example.com"


def test_blocks_nested_too_deeply_are_shown_as_text() -> None:
    shown = text(">" * 10_000 + " end")
    assert shown.endswith("end")
    assert len(shown) > 9_000


def test_nothing_is_rendered_as_nothing() -> None:
    assert text("") == ""
    assert text(" \n\n```\n```\n") == ""
