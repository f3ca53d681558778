"""What becomes of each piece of Markdown in a rich message, and how messages are filled."""

from __future__ import annotations

import json
from typing import Any

import pytest

from telegram_bot.rendering import Rendered, is_rich, needs_rich_already, render
from telegram_bot.rendering.composing import Rich, compose, enrich

Json = dict[str, Any]


def blocks(source: str) -> list[Json]:
    """The blocks of a source that fits one rich message, as they go over the wire."""
    (part,) = enrich(source)
    assert isinstance(part, Rich)
    shown: list[Json] = json.loads(part.message.model_dump_json(exclude_none=True))["blocks"]
    return shown


def text(source: str) -> Any:
    (paragraph,) = blocks(source)
    return paragraph["text"]


def styled(kind: str, words: Any, **more: str) -> Json:
    return {"type": kind, "text": words, **more}


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("plain", "plain"),
        ("a **b** c", ["a ", styled("bold", "b"), " c"]),
        (
            "*i* ~~s~~ `c`",
            [styled("italic", "i"), " ", styled("strikethrough", "s"), " ", styled("code", "c")],
        ),
        ("***both***", styled("bold", styled("italic", "both"))),
        ("||the butler did it||", styled("spoiler", "the butler did it")),
        ("||x|| and a || b || c", "||x|| and a || b || c"),
        ("[here](https://example.com)", styled("url", "here", url="https://example.com")),
        (
            "[**a** b](https://e.com)",
            [
                styled("url", styled("bold", "a"), url="https://e.com"),
                styled("url", " b", url="https://e.com"),
            ],
        ),
        ("[here](/relative)", "here (/relative)"),
        ("![cat](https://e.com/c.png)", styled("url", "cat", url="https://e.com/c.png")),
        ("$x^2$ is", [{"type": "mathematical_expression", "expression": "x^2"}, " is"]),
        ("$5 and $10", "$5 and $10"),
        ("a\nb<br>c", "a\nb\nc"),
        ("<b>tag</b> &amp; Vec<T>", "<b>tag</b> & Vec<T>"),
    ],
)
def test_text(source: str, shown: Any) -> None:
    assert text(source) == shown


def test_a_third_style_costs_looks_and_no_word() -> None:
    assert text("[***~~gone~~***](https://e.com)") == styled(
        "url", styled("bold", "gone"), url="https://e.com"
    )


def test_headings_keep_their_level_and_code_its_language() -> None:
    assert blocks("### Three\n\n```py title\n\n  x = 1\n\n```\n\n---") == [
        {"type": "heading", "text": "Three", "size": 3},
        {"type": "pre", "text": "  x = 1", "language": "py"},
        {"type": "divider"},
    ]


def test_lists_know_their_numbers_their_boxes_and_what_is_in_them() -> None:
    assert blocks("7. seven\n8. eight\n   - [x] done\n   - [ ] open") == [
        {
            "type": "list",
            "items": [
                {"blocks": [{"type": "paragraph", "text": "seven"}], "value": 7},
                {
                    "blocks": [
                        {"type": "paragraph", "text": "eight"},
                        {
                            "type": "list",
                            "items": [
                                {
                                    "blocks": [{"type": "paragraph", "text": "done"}],
                                    "has_checkbox": True,
                                    "is_checked": True,
                                },
                                {"blocks": [{"type": "paragraph", "text": "open"}], "has_checkbox": True},
                            ],
                        },
                    ],
                    "value": 8,
                },
            ],
        }
    ]


def test_a_table_keeps_its_alignment_and_a_pipe_in_code() -> None:
    (table,) = blocks("| a | b | c |\n|:--|:-:|--:|\n| `x|y` | **2** | |")
    assert [[cell["text"] for cell in row] for row in table["cells"]] == [
        ["a", "b", "c"],
        [styled("code", "x|y"), styled("bold", "2"), ""],
    ]
    assert [cell["align"] for cell in table["cells"][1]] == ["left", "center", "right"]
    assert [cell.get("is_header", False) for cell in table["cells"][0]] == [True] * 3


@pytest.mark.parametrize(("columns", "kind"), [(20, "table"), (21, "pre")])
def test_a_table_of_more_columns_than_telegram_takes_is_code(columns: int, kind: str) -> None:
    row = "| " + " | ".join(f"c{n}" for n in range(columns)) + " |"
    (block,) = blocks(f"{row}\n{'|---' * columns}|\n{row}")
    assert block["type"] == kind
    assert "c20" in str(block) or columns == 20


def test_where_a_link_leads_is_not_lost_in_a_table_that_is_code() -> None:
    row = "|" + "[a](https://e.com)|" * 21
    (block,) = blocks(f"{row}\n{'|---' * 21}|\n{row}")
    assert block["text"].count("https://e.com") == 42


def test_details_fold_away_what_is_in_them() -> None:
    assert blocks("<details>\n<summary>Why *so*?</summary>\n\nBecause.\n\n- a\n\n</details>\n\nAfter.") == [
        {
            "type": "details",
            "summary": ["Why ", styled("italic", "so"), "?"],
            "blocks": [
                {"type": "paragraph", "text": "Because."},
                {"type": "list", "items": [{"blocks": [{"type": "paragraph", "text": "a"}]}]},
            ],
        },
        {"type": "paragraph", "text": "After."},
    ]


def test_formulas_in_details_are_written_out_because_clients_have_crashed_on_them() -> None:
    (details,) = blocks("<details>\n<summary>S</summary>\n\n$x^2$\n\n$$y^2$$\n\n</details>")
    assert details["blocks"] == [
        {"type": "paragraph", "text": styled("italic", "x²")},
        {"type": "pre", "text": "y²"},
    ]


def test_details_never_closed_are_words() -> None:
    assert text("<details>\n<summary>S</summary>\nthe rest") == "<details>\n<summary>S</summary>\nthe rest"


def test_a_classic_message_shows_details_unfolded() -> None:
    assert render("<details>\n<summary>Why?</summary>\n\nBecause.\n\n</details>").text == "▾ Why?\n\nBecause."


def test_quotes_and_formulas_are_blocks() -> None:
    assert blocks("> quote\n\n$$\nx\n$$") == [
        {"type": "blockquote", "blocks": [{"type": "paragraph", "text": "quote"}]},
        {"type": "mathematical_expression", "expression": "x"},
    ]


@pytest.mark.parametrize(
    ("source", "is_rtl"), [("**שלום** world", True), ("1. كوكب", True), ("Hi שלום", False)]
)
def test_the_first_letter_says_from_where_it_is_read(source: str, is_rtl: bool) -> None:
    (part,) = enrich(source)
    assert isinstance(part, Rich)
    assert part.is_rtl is is_rtl


# Which look --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "source",
    [
        "| a |\n|---|\n| 1 |",
        "$$x$$",
        "so $$x$$ is",
        "\\[x^2\\]",
        "\\begin{align}\na\n\\end{align}",
        "- [ ] a",
        "> 1. [x] a",
    ],
)
def test_what_only_a_rich_message_shows_well_is_rich(source: str) -> None:
    assert is_rich(source, "auto")
    assert not is_rich(source, "classic")


@pytest.mark.parametrize(
    "source",
    [
        "# h\n\n- a\n\n> q\n\n```\n| a |\n|---|\n- [ ] x\n$$y$$\n```",
        "`$$x$$` and $x$ and [x] and $5 or $10",
        "a | b\n- [x](https://e.com)",
        "<details>\n<summary>S</summary>\nx\n</details>",
    ],
)
def test_everything_else_is_classic(source: str) -> None:
    assert not is_rich(source, "auto")
    assert is_rich(source, "rich")
    assert all(isinstance(part, Rendered) for part in compose(source, "auto"))


def test_a_growing_source_needs_rich_as_soon_as_its_table_has_begun() -> None:
    source = "Look:\n\n| a | b |\n|---|---|\n| 1 | 2 |"
    needed = [needs_rich_already(source[:end]) for end in range(len(source) + 1)]
    assert needed == sorted(needed)
    assert needed.index(True) == source.index("| 1")


# How messages are filled -------------------------------------------------------------------------


def test_a_heading_goes_with_what_follows_it() -> None:
    parts = enrich("\n\n".join(["word " * 6000, "## Title", "more " * 3000]))
    assert [[block.type for block in part.blocks] for part in parts if isinstance(part, Rich)] == [
        ["paragraph"],
        ["heading", "paragraph"],
    ]


def test_a_table_too_large_for_a_message_goes_on_below_its_header() -> None:
    rows = [f"| {number} |" for number in range(600)]
    first, second = enrich("\n".join(["Before.\n", "| n |", "|---|", *rows]))
    assert isinstance(first, Rich)
    assert isinstance(second, Rich)
    assert [block.type for block in first.blocks] == ["paragraph", "table"]
    assert second.source.splitlines()[:2] == ["| n |", "|---|"]
    assert second.blocks[0].cells[0][0].text == "n"
    told = [row[0].text for part in (first, second) for row in part.blocks[-1].cells[1:]]
    assert told == [str(number) for number in range(600)]


def test_a_list_too_large_for_a_message_goes_on_with_its_numbers() -> None:
    first, second = enrich("\n".join(f"{number}. item" for number in range(1, 401)))
    assert isinstance(first, Rich)
    assert isinstance(second, Rich)
    numbers = [item.value for part in (first, second) for item in part.blocks[0].items]
    assert numbers == list(range(1, 401))
    assert second.source.startswith(f"{len(first.blocks[0].items) + 1}. item")


def test_what_no_rich_message_can_hold_goes_classic_between_rich_ones() -> None:
    code = "\n".join(f"line {number}" for number in range(5000))
    parts = enrich(f"Before.\n\n```py\n{code}\n```\n\nAfter.")
    looks = ["rich" if isinstance(part, Rich) else "classic" for part in parts]
    assert looks[0] == looks[-1] == "rich"
    assert set(looks[1:-1]) == {"classic"}
    shown = "\n".join(part.text for part in parts if isinstance(part, Rendered))
    assert shown.split() == code.split()


def test_forty_levels_are_told_classic() -> None:
    parts = enrich("\n".join("  " * level + f"- level {level}" for level in range(40)))
    assert parts
    assert all(isinstance(part, Rendered) for part in parts)
