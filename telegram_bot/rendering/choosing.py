"""Classic or rich: the choice for a whole piece of an answer."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Final, Literal

from markdown_it.token import Token

from telegram_bot.rendering.characters import clean
from telegram_bot.rendering.checkboxes import box_of
from telegram_bot.rendering.syntax import parse
from telegram_bot.rendering.syntax_math import MATH_BLOCK, MATH_INLINE
from telegram_bot.rendering.unfinished import chunks, finish

Wish = Literal["auto", "classic", "rich"]

# Nothing without one of these needs a rich message: most answers are not read a second time.
_SIGN: Final = re.compile(r"\|[ \t]*:?-|-[ \t]*\||\$\$|\\\[|\\begin\{|\[[ xX]\]")
_DISPLAYED: Final = frozenset({"$$", "\\["})
_PIECES_KEPT: Final = 256


def is_rich(source: str, wish: Wish) -> bool:
    """Whether a finished piece of an answer is shown rich, as the person wishes."""
    return wish == "rich" or (wish == "auto" and needs_rich(source))


def needs_rich(source: str) -> bool:
    """Whether the source has what only a rich message shows well: a table, displayed math or a task list."""
    return bool(_SIGN.search(source)) and _needs_rich(parse(clean(source)))


def needs_rich_already(source: str) -> bool:
    """The same of a source that is still growing."""
    if not _SIGN.search(source):
        return False
    *finished, growing = chunks(clean(source))
    return any(_piece_needs_rich(piece) for piece in finished) or needs_rich(finish(growing))


@lru_cache(_PIECES_KEPT)
def _piece_needs_rich(piece: str) -> bool:
    return needs_rich(piece)


def _needs_rich(tokens: Sequence[Token]) -> bool:
    for at, token in enumerate(tokens):
        if token.type in {"table_open", MATH_BLOCK}:
            return True
        if token.type == "list_item_open" and box_of(tokens[at + 1 : at + 3]):
            return True
        if any(child.type == MATH_INLINE and child.markup in _DISPLAYED for child in token.children or ()):
            return True
    return False
