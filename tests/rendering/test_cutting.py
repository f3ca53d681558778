"""Where answers are cut."""

from __future__ import annotations

import pytest

from telegram_bot.rendering import plain, render, split
from tests.rendering.telegram_rules import check


def texts(source: str, limit: int) -> list[str]:
    """The texts of the parts."""
    return [part.text for part in split(source, limit)]


def test_an_answer_that_fits_is_one_part_and_the_whole() -> None:
    source = "# Title\n\nSome *text*."
    assert split(source) == (render(source),)


def test_nothing_to_see_is_no_part() -> None:
    assert split("") == split(" \n\u200b\n") == split("```\n```") == plain(" \n") == ()


def test_a_cut_falls_between_blocks() -> None:
    assert texts(f"{'a ' * 25}\n\n{'b ' * 25}\n\n{'c ' * 25}", 128) == [
        f"{'a ' * 25}".strip() + "\n\n" + f"{'b ' * 25}".strip(),
        f"{'c ' * 25}".strip(),
    ]


def test_code_that_fits_a_message_is_not_cut_for_a_short_beginning() -> None:
    code = "x = 1\n" * 12 + "\n" + "y = 2\n" * 8
    assert texts(f"Like this:\n\n```py\n{code}```", 128) == ["Like this:", code.strip()]


def test_a_heading_goes_with_what_it_heads() -> None:
    source = f"{'a ' * 40}\n\n# Title\n\n## Subtitle\n\n{'b ' * 40}"
    first, second = texts(source, 128)
    assert first == ("a " * 40).strip()
    assert second.startswith("Title\n\nSubtitle\n\nb")


def test_empty_headings_before_a_cut_are_no_endless_search() -> None:
    assert texts(f"{'a ' * 40}\n\n#\n\n#\n\n{'b ' * 40}", 128) == [("a " * 40).strip(), ("b " * 40).strip()]


def test_a_long_list_is_cut_between_items_and_goes_on_counting() -> None:
    first, *_, last = texts("\n".join(f"{n}. item with some words" for n in range(1, 31)), 256)
    assert first.startswith("1. item")
    assert first.endswith("words")
    assert last.endswith("30. item with some words")
    assert last.split(".")[0].isdigit()


def test_a_long_table_is_cut_between_rows() -> None:
    source = "| n | name |\n|---|---|\n" + "".join(f"| {n} | row {n} |\n" for n in range(100, 160))
    for part in split(source, 256):
        assert [entity.type for entity in part.entities] == ["pre"]
        assert all("│" in line or "┼" in line for line in part.text.split("\n"))


def test_long_code_is_cut_between_lines_and_keeps_its_language() -> None:
    source = "```py\n" + "".join(f"print({n})\n" for n in range(100)) + "```"
    parts = split(source, 256)
    assert len(parts) > 3
    for part in parts:
        assert [(entity.type, entity.language, entity.length) for entity in part.entities] == [
            ("pre", "py", part.units)
        ]
    assert "\n".join(part.text for part in parts) == render(source).text


def test_code_is_cut_where_a_line_is_not_indented() -> None:
    function = "def f():\n    a = 1\n    b = 2\n    return a + b\n"
    for part in split(f"```py\n{function * 20}```", 256):
        assert part.text.startswith("def f():")


def test_a_cut_inside_a_line_of_code_keeps_what_is_indented_in_place() -> None:
    source = "```\n" + "".join(f"    line {n}\n" for n in range(40)) + "```"
    for part in split(source, 128):
        check(part, 128)
        assert part.text.startswith("\u00a0   line")


def test_a_long_paragraph_is_cut_behind_a_sentence() -> None:
    first, second = texts("This is a sentence. " * 8, 128)
    assert first.endswith("sentence.")
    assert second.startswith("This")


def test_a_long_sentence_is_cut_between_words() -> None:
    assert all(set(part.split()) == {"word"} for part in texts("word " * 100, 128))


def test_a_long_word_is_cut_anywhere() -> None:
    assert [len(part) for part in texts("x" * 300, 128)] == [128, 128, 44]


def test_a_word_that_fits_a_message_is_not_cut() -> None:
    assert texts(f"short {'x' * 120}", 128) == ["short " + "x" * 120] or texts(
        f"see it {'x' * 125}", 128
    ) == [
        "see it",
        "x" * 125,
    ]


@pytest.mark.parametrize("cluster", ["👨‍👩‍👧‍👦", "🇺🇦", "👍🏽", "e\u0301", "1️⃣", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "한"])
def test_what_is_seen_as_one_character_is_not_cut(cluster: str) -> None:
    for part in split(cluster * 100, 128):
        assert part.text == cluster * (len(part.text) // len(cluster))


def test_styles_go_on_in_the_next_part() -> None:
    for part in split(f"> **{'word ' * 100}end**", 128):
        assert [(entity.type, entity.length) for entity in part.entities] == [
            ("blockquote", part.units),
            ("bold", part.units),
        ]


def test_a_part_ends_early_rather_than_lose_styles() -> None:
    parts = split(" ".join(f"`{n:03}` {'text ' * 5}" for n in range(150)))
    assert sum(len(part.entities) for part in parts) == 150
    assert all(len(part.entities) <= 100 for part in parts)


def test_styles_too_dense_for_telegram_are_dropped_before_text_and_looks_before_links() -> None:
    source = " ".join(["*a*"] * 300) + " [link](https://example.com)"
    (part,) = split(source)
    assert part.text == render(source).text
    assert len(part.entities) == 100
    assert part.entities[-1].type == "text_link"


def test_no_link_is_dropped_however_many_there_are() -> None:
    parts = split(" ".join(f"*a* [x](https://example.com/{n})" for n in range(450)))
    assert all(part.units < 2000 for part in parts)
    links = [entity.url for part in parts for entity in part.entities if entity.type == "text_link"]
    assert links == [f"https://example.com/{n}" for n in range(450)]


def test_the_sources_of_the_parts_are_the_source() -> None:
    source = "\n\n".join(
        f"## Section {n}\n\nSome **text** with [a link](https://example.com/{n})." for n in range(40)
    )
    parts = split(source, 256)
    assert "\n\n".join(part.source for part in parts) == source
    assert [render(part.source).text for part in parts] == [part.text for part in parts]


def test_the_source_of_cut_code_closes_its_fence_and_opens_it_again() -> None:
    source = "Code:\n\n```py\n" + "".join(f"print({n})\n" for n in range(60)) + "```\n\nEnd."
    parts = split(source, 256)
    assert [render(part.source).text for part in parts] == [part.text for part in parts]
    assert all(entity.language == "py" for part in parts for entity in render(part.source).entities)


def test_a_limit_that_holds_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="10 code units"):
        split("text", 10)


def test_the_plain_fallback_is_the_source_itself() -> None:
    source = "# Title\n\nSome **bold** text and `code`."
    (part,) = plain(source)
    assert (part.text, part.entities) == (source, ())


def test_the_plain_fallback_of_a_long_source_fits() -> None:
    parts = plain("**word** " * 2000)
    assert all(part.units <= 4096 for part in parts)
    assert sum(part.text.count("**word**") for part in parts) == 2000
