"""Tables: aligned while they fit, lists when they do not, and no cell lost."""

from __future__ import annotations

from tests.rendering.shown import entities, text


def test_columns_are_aligned_in_a_monospaced_block() -> None:
    source = "| Name | Price |\n|:--|--:|\n| a | 5 |\n| bcd | 10 |"
    assert entities(source) == [("pre", "Name │ Price\n─────┼──────\na    │     5\nbcd  │    10")]


def test_centred_cells_are_centred() -> None:
    assert text("| abcde |\n|:-:|\n| x |") == "abcde\n─────\n  x"


def test_wide_characters_and_emoji_take_two_columns() -> None:
    lines = text("| 名前 | x |\n|---|---|\n| りんご | 1 |\n| 👨‍👩‍👧 | 2 |\n| e\u0301 | 3 |").split("\n")
    assert lines[0] == "名前   │ x"
    assert lines[2] == "りんご │ 1"
    assert lines[3] == "👨‍👩‍👧     │ 2"
    assert lines[4] == "e\u0301      │ 3"


def test_a_pipe_in_code_or_behind_a_backslash_is_no_border() -> None:
    assert text("| a | b |\n|---|---|\n| `x || y` | p \\| q |").split("\n")[2] == "x || y │ p | q"


def test_cells_beyond_the_header_are_kept() -> None:
    assert text("| a | b |\n|---|---|\n| 1 | 2 | 3 | 4 |").split("\n")[2] == "1 │ 2 | 3 | 4"


def test_missing_cells_are_empty() -> None:
    assert text("| a | b |\n|---|---|\n| 1 |").split("\n")[2] == "1 │"


def test_a_table_wider_than_a_screen_is_a_list() -> None:
    source = f"| Name | Text |\n|---|---|\n| one | {'word ' * 15}|\n| two | *short* |"
    assert text(source) == f"Name: one\nText: {'word ' * 15}\n\nName: two\nText: short".replace(" \n", "\n")
    assert entities(source) == [("bold", "one"), ("bold", "two"), ("italic", "short")]


def test_a_table_with_links_is_a_list_because_code_holds_no_links() -> None:
    assert entities("| a | b |\n|---|---|\n| x | [y](https://example.com) |") == [
        ("bold", "x"),
        ("text_link", "y"),
    ]


def test_a_table_without_rows_shows_its_header() -> None:
    assert text("| a | b |\n|---|---|") == "a │ b\n──┼──"


def test_a_line_of_pipes_is_no_table() -> None:
    assert text("| a | b |\n| c | d |") == "| a | b |\n| c | d |"


def test_a_table_in_an_item_starts_a_line_at_the_left() -> None:
    assert text("- x\n\n  | a |\n  |---|\n  | 1 |") == "• x\n\na\n─\n1"
