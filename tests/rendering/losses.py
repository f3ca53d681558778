"""What "no character lost" means, precisely."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

from telegram_bot.rendering import Rendered

# Letters without a shape: fillers of Hangul and Khmer, the blank of Braille, variation selectors, the object sign.
SHAPELESS = set("\u034f\u115f\u1160\u17b4\u17b5\u2800\u3164\uffa0\ufffc") | {
    chr(0xFE00 + n) for n in range(16)
}
SHAPELESS |= {chr(0xE0100 + n) for n in range(240)}


def unseen(text: str) -> bool:
    """Whether nothing of the text can be seen."""
    return all(unicodedata.category(character)[0] in "ZC" or character in SHAPELESS for character in text)


def check_nothing_lost(whole: Rendered, parts: Iterable[Rendered]) -> None:
    """Fail unless the parts are successive stretches of the whole, with nothing to see between them."""
    text = whole.text.replace("\u00a0", " ")
    position = 0
    for part in parts:
        piece = part.text.replace("\u00a0", " ")
        start = text.find(piece, position)
        assert start >= 0, f"not in the whole: {piece[:80]!r}"
        assert unseen(text[position:start]), f"lost: {text[position:start][:80]!r}"
        position = start + len(piece)
    assert unseen(text[position:]), f"lost at the end: {text[position:][:80]!r}"
