"""Whatever a model writes: taken as rich messages, whole, and shown while it grows."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from telegram_bot.rendering.composing import enrich, rich_preview
from tests.rendering.losses_rich import check_every_word_is_read
from tests.rendering.test_properties import EXAMPLES, MARKS, pieces
from tests.rendering.test_properties import markdown as classic_markdown
from tests.rendering.test_rich_corpus import check_part, take

NEW_MARKS = [
    "<details>\n", "<details open>", "</details>", "\n</details>\n", "<summary>", "</summary>",
    "<summary>s</summary>\n", "||", "||hidden words||", "- [ ] ", "- [x] ", "| a | b |\n|---|---|\n| 1 | 2 |\n",
    "$$\n", "\n\n", "> ", "word ", "слово ",
]  # fmt: skip
sources = st.one_of(
    classic_markdown,
    pieces,
    st.lists(st.sampled_from(NEW_MARKS) | st.sampled_from(MARKS), max_size=60).map("".join),
)


@EXAMPLES
@given(sources)
def test_every_part_is_taken_and_every_word_is_read(source: str) -> None:
    parts = enrich(source)
    for part in parts:
        check_part(part)
    check_every_word_is_read(source, parts)


@EXAMPLES
@given(sources, st.sampled_from([100, 1000, 8000]))
def test_every_draft_is_taken(source: str, characters: int) -> None:
    shown = rich_preview(source, characters)
    if shown is not None:
        take(shown, is_draft=True)
