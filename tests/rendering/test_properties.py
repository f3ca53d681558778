"""Whatever a model writes: legal, whole, and no slower than it is long."""

from __future__ import annotations

import re
import unicodedata

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from telegram_bot.rendering import plain, preview, render, split
from telegram_bot.rendering.latex import to_unicode
from tests.rendering.corpus import documents
from tests.rendering.losses import check_nothing_lost
from tests.rendering.telegram_rules import ENTITIES_MAX, check, check_entities, styles

EXAMPLES = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

MARKS = [
    "*", "**", "***", "_", "__", "`", "``", "```", "````", "~~", "~", "$", "$$", "\\(", "\\)", "\\[", "\\]", "[",
    "]", "](", "(", ")", "![", "<", ">", "|", "\\", "#", "## ", "- ", "* ", "1. ", "7) ", "> ", "[ ] ", "[x] ", "---",
    "|---|", "| a | b |\n|---|---|\n", "```py\n", "\n```\n", "~~~\n", "&amp;", "&#0;", "&nbsp;", "<br>", ":", "!",
    "===", ".", "https://example.com/a", "[a](https://example.com)", "[b]: https://b.example.com\n", "\\begin{align}",
    "\\end{align}", "\\frac{a}{b}", "x^2",
]  # fmt: skip
BLANKS = [" ", "  ", "    ", "\n", "\n\n", "\n\n\n", "\t", "\u00a0", "\u3000", "\u200b", "\r\n"]
WORDS = [
    "word",
    "a",
    "Слово",
    "漢字",
    "שלום",
    "👨‍👩‍👧",
    "🇺🇦",
    "e\u0301",
    "😀",
    "sentence. ",
    "x" * 70,
    "\ud800",
    "\x00",
    "\u202e",
]

markdown = st.lists(st.sampled_from(MARKS + BLANKS + WORDS) | st.text(max_size=8), max_size=80).map("".join)
pieces = st.lists(
    st.builds(
        lambda text, start, length: text[start % (len(text) + 1) :][:length],
        st.sampled_from(list(documents().values())),
        st.integers(0, 20_000),
        st.integers(1, 600),
    ),
    max_size=6,
).map("\n\n".join)
sources = markdown | pieces
limits = st.sampled_from([64, 100, 333, 1000, 4096])


@EXAMPLES
@given(sources, limits)
def test_every_part_is_legal_and_nothing_is_lost(source: str, limit: int) -> None:
    whole = render(source)
    check_entities(whole)
    parts = split(source, limit)
    for part in parts:
        check(part, limit)
    check_nothing_lost(whole, parts)


# Marks that rightly hide what follows: an address, the language of a fence, an address given apart.
HIDING = {
    "](",
    "[a](https://example.com)",
    "[b]: https://b.example.com\n",
    "```",
    "````",
    "~~~\n",
    "```py\n",
    "<",
}


@EXAMPLES
@given(st.lists(st.sampled_from([mark for mark in MARKS if mark not in HIDING] + BLANKS), max_size=60))
def test_no_word_of_the_source_is_swallowed(marks: list[str]) -> None:
    words = [f"q{chr(97 + n // 26)}{chr(97 + n % 26)}q" for n in range(len(marks))]
    source = "".join(mark + word for mark, word in zip(marks, words, strict=True))
    # In a formula letters may be raised, and signs stand between them.
    shown = re.sub("[^a-z]", "", unicodedata.normalize("NFKC", render(source).text))
    for word in words:
        assert word in shown, f"{word} swallowed"


@EXAMPLES
@given(sources, limits)
def test_a_cut_never_changes_a_style(source: str, limit: int) -> None:
    parts = split(source, limit)
    if parts and all(len(part.entities) < ENTITIES_MAX for part in parts):
        cut = [mark for part in parts for mark in styles(part)]
        whole = styles(render(source))
        # Parts of invisible characters alone are not sent.
        assert [mark for mark in cut if mark[0].isprintable()] == [
            mark for mark in whole if mark[0].isprintable()
        ]


@EXAMPLES
@given(sources, limits)
def test_every_draft_is_legal(source: str, limit: int) -> None:
    shown = preview(source, limit)
    if shown is not None:
        check(shown, limit)


@EXAMPLES
@given(sources, limits)
def test_the_plain_fallback_has_every_character_of_the_source(source: str, limit: int) -> None:
    parts = plain(source, limit)
    for part in parts:
        check(part, limit)
        assert not part.entities
    whole = plain(source, 10**9)
    if whole:
        check_nothing_lost(whole[0], parts)


@EXAMPLES
@given(sources, limits)
def test_the_sources_of_the_parts_are_the_source(source: str, limit: int) -> None:
    parts = split(source, limit)
    if parts and "``" not in source and "~~" not in source:
        whole = "".join(render(source).source.split())
        assert "".join("".join(part.source.split()) for part in parts) == whole


@EXAMPLES
@given(st.lists(st.sampled_from(MARKS) | st.text(max_size=5), max_size=40).map("".join))
def test_any_formula_becomes_text(tex: str) -> None:
    assert isinstance(to_unicode(tex), str)
    assert isinstance(to_unicode(tex, display=True), str)
