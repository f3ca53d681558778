"""What "no character lost" means for a rich message: every word of the parse is read, in its order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from markdown_it.token import Token

from telegram_bot.rendering.characters import clean
from telegram_bot.rendering.checkboxes import take_box
from telegram_bot.rendering.composing import Part, Rich
from telegram_bot.rendering.inline import LINE_BREAK_TAG
from telegram_bot.rendering.latex import to_unicode
from telegram_bot.rendering.syntax import parse
from tests.rendering.losses import SHAPELESS


def read_of(parts: Sequence[Part]) -> str:
    """Everything a person reads of the parts."""
    return "\n".join(part.words if isinstance(part, Rich) else part.text for part in parts)


def check_every_word_is_read(source: str, parts: Sequence[Part]) -> None:
    """Fail unless the letters and digits of every text, code and formula of the source are read in order."""
    read = _letters(read_of(parts))
    position = 0
    for leaf in _leaves(source):
        found = min((at for form in leaf if (at := read.find(form, position)) >= 0), default=-1)
        assert found >= 0, f"lost: {leaf[0][:80]!r} behind {read[max(0, position - 40) : position]!r}"
        position = found + len(next(form for form in leaf if read.startswith(form, found)))


def _leaves(source: str) -> Iterator[tuple[str, ...]]:
    """The forms in which each leaf of the parse may be read."""
    tokens = parse(clean(source))
    for at, token in enumerate(tokens):
        if token.type == "list_item_open":
            take_box(tokens[at + 1 : at + 3])
        for leaf in _flat(token.children or ()) if token.type == "inline" else (token,):
            yield from _forms(leaf)


def _flat(tokens: Sequence[Token]) -> Iterator[Token]:
    for token in tokens:
        yield from _flat(token.children) if token.children else (token,)


def _forms(leaf: Token) -> Iterator[tuple[str, ...]]:
    content = clean(leaf.content)
    if leaf.type.startswith("math"):
        forms = {_letters(content), _letters(to_unicode(content, display=leaf.block))}
    else:
        forms = {_letters(LINE_BREAK_TAG.sub("", content) if leaf.type == "text" else content)}
    if all(forms):
        yield tuple(sorted(forms, key=len, reverse=True))


def _letters(text: str) -> str:
    return "".join(character for character in text if character.isalnum() and character not in SHAPELESS)
