"""Emphasis, code, links, images, math within a line."""

from __future__ import annotations

import pytest

from telegram_bot.rendering import render
from tests.rendering.shown import entities, text


def test_offsets_and_lengths_are_utf16_code_units() -> None:
    (entity,) = render("👨‍👩‍👧 **👍🏽**").entities
    assert (entity.type, entity.offset, entity.length) == ("bold", 9, 4)


def test_emphasis_nests() -> None:
    assert entities("*a **b** ~~c~~*") == [("italic", "a b c"), ("bold", "b"), ("strikethrough", "c")]


def test_bold_pauses_for_code_because_telegram_lets_nothing_surround_code() -> None:
    assert entities("**a `b` c**") == [("bold", "a"), ("code", "b"), ("bold", "c")]


def test_a_style_within_itself_is_one() -> None:
    assert entities("**a **b** c**") == entities("**a b c**") or entities("# a **b** c") == [
        ("bold", "a b c")
    ]
    assert entities("# a **b** c") == [("bold", "a b c")]


def test_bold_beside_east_asian_punctuation_is_bold() -> None:
    assert entities("**注意：**请先阅读") == [("bold", "注意：")]
    assert entities("是**“好”**的") == [("bold", "“好”")]


def test_powers_are_no_emphasis() -> None:
    assert text("2**(n+1) and 3**(k)") == "2**(n+1) and 3**(k)"


def test_a_single_tilde_strikes_nothing_out() -> None:
    assert entities("~100ms and ~5s") == []


def test_a_link_keeps_its_text_and_hides_its_address() -> None:
    rendered = render("see [the *docs*](https://example.com/a_(b))")
    assert rendered.text == "see the docs"
    assert rendered.entities[0].as_dict() == {
        "type": "text_link",
        "offset": 4,
        "length": 8,
        "url": "https://example.com/a_(b)",
    }


def test_code_in_a_link_is_part_of_the_link() -> None:
    assert entities("[`code`](https://example.com)") == [("text_link", "code")]


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        ("[x](javascript:alert(1))", "x (javascript:alert(1))"),
        ("[x](file:///etc/passwd)", "x (file:///etc/passwd)"),
        ("[x](../a.md)", "x (../a.md)"),
        ("[x](http://localhost:8000/)", "x (http://localhost:8000/)"),
        ("[me](mailto:me@example.com)", "me (me@example.com)"),
        ("[me@example.com](mailto:me@example.com)", "me@example.com"),
        ("[x](#anchor)", "x"),
        ("[](https://example.com)", "https://example.com"),
    ],
)
def test_an_address_telegram_would_drop_is_shown(source: str, shown: str) -> None:
    assert text(source) == shown
    assert [kind for kind, _ in entities(source) if kind != "text_link"] == []


def test_an_autolink_is_plain_text_for_telegram_to_find() -> None:
    rendered = render("<https://example.com/x> and <me@example.com>")
    assert (rendered.text, rendered.entities) == ("https://example.com/x and me@example.com", ())


def test_what_looks_like_an_autolink_but_has_no_known_scheme_stays_as_it_is() -> None:
    assert text("std::vector<std::string> <foo:bar>") == "std::vector<std::string> <foo:bar>"


def test_an_image_is_a_link_over_its_description() -> None:
    assert entities("![a *cat*](https://example.com/cat.png)") == [("text_link", "a cat"), ("italic", "cat")]
    assert entities("![](https://example.com/cat.png)") == [("text_link", "🖼")]


def test_a_badge_leads_where_its_link_leads() -> None:
    rendered = render("[![build](https://a.example.com/b.svg)](https://b.example.com)")
    assert rendered.text == "build"
    assert [entity.url for entity in rendered.entities] == ["https://b.example.com"]


def test_an_image_in_a_link_telegram_refuses_is_a_link_of_its_own() -> None:
    source = "[![a](https://a.example.com/i.png)](javascript:x) `b` [c](https://c.example.com)"
    assert text(source) == "a (javascript:x) b c"
    assert entities(source) == [("text_link", "a"), ("code", "b"), ("text_link", "c")]


def test_tags_a_model_writes_are_shown() -> None:
    source = "<thinking>hm</thinking> <details open> a<b <!-- c -->"
    assert text(source) == source


def test_a_line_break_tag_breaks_the_line() -> None:
    assert text("one<br>two<br/>three") == "one\ntwo\nthree"
    assert text("`<br>`") == "<br>"


def test_character_references_are_decoded_once() -> None:
    assert text("&lt;b&gt; &amp;amp; `&lt;`") == "<b> &amp; &lt;"


@pytest.mark.parametrize(
    "source",
    [
        "$5 and $10",
        "from $1,000 to $2,000",
        "$5-$10",
        "US$20 or US$30",
        "5$ и 10$",
        "$PATH:$HOME",
        "$ x $",
        "$5, or 6 US$",
    ],
)
def test_prices_and_variables_are_no_math(source: str) -> None:
    assert text(source) == source
    assert entities(source) == []


@pytest.mark.parametrize(
    "source", ["$x^2$", "\\(x^2\\)", "$$x^2$$", "see $x^2$ is 5", "($x^2$)", "**a** $x^2$-th"]
)
def test_math_within_a_line_is_unicode_in_italics(source: str) -> None:
    assert ("italic", "x²") in entities(source) or ("code", "x²") in entities(source)


def test_escaped_brackets_are_brackets() -> None:
    assert text("a \\[1\\] b \\[not a link\\](x)") == "a [1] b [not a link](x)"


def test_line_ends_within_a_paragraph_are_kept() -> None:
    assert text("one\ntwo  \nthree\\\nfour") == "one\ntwo\nthree\nfour"


def test_what_telegram_deletes_is_not_sent() -> None:
    assert text("a\x00b\x1bc\u202ed\u2028e\x7ff") == "abcd\nef"
    assert text("\ud800x") == "\ufffdx"
    assert text("A\u030angstrom") == "\u00c5ngstrom"
