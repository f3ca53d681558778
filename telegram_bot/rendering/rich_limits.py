"""What Telegram takes of a rich message, and how much of it blocks use up."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Final, NamedTuple

from telegram_bot.rendering.rich_text import words_of

# https://core.telegram.org/bots/api#rich-messages, as stated in @grammyjs/types rich.d.ts
CHARACTERS_MAX: Final = 32_768
BLOCKS_MAX: Final = 500  # nested blocks, list items and table rows count
NESTING_MAX: Final = 16
COLUMNS_MAX: Final = 20

Block = Any  # aiogram's InputRichBlockUnion


class Size(NamedTuple):
    characters: int
    blocks: int
    depth: int

    def and_then(self, other: Size) -> Size:
        """The size of both, one behind the other."""
        return Size(
            self.characters + other.characters, self.blocks + other.blocks, max(self.depth, other.depth)
        )

    def around(self) -> Size:
        """The size one level deeper, in a block of its own."""
        return Size(self.characters, self.blocks + 1, self.depth + 1)

    @property
    def fits(self) -> bool:
        """Whether one message holds it."""
        return self.characters <= CHARACTERS_MAX and self.blocks <= BLOCKS_MAX and self.depth <= NESTING_MAX


NOTHING: Final = Size(0, 0, 0)


def size_of(blocks: Iterable[Block]) -> Size:
    """What a list of blocks takes."""
    total = NOTHING
    for block in blocks:
        total = total.and_then(_size(block))
    return total


def _size(block: Block) -> Size:
    if block.type == "list":
        inside = NOTHING
        for item in block.items:
            of_item = size_of(item.blocks)
            inside = inside.and_then(of_item._replace(blocks=of_item.blocks + 1))
        return inside.around()
    if block.type == "table":
        rows = len(block.cells)
        return Size(sum(len(words) for words in words_in(block)), rows, 0).around()
    own = Size(sum(len(words) for words in own_words(block)), 0, 0)
    return own.and_then(size_of(getattr(block, "blocks", ()))).around()


def own_words(block: Block) -> Iterator[str]:
    """The words of a block itself, without those of the blocks in it."""
    for name in ("text", "summary", "expression"):
        words = getattr(block, name, None)
        if words is not None:
            yield words_of(words)


def words_in(block: Block) -> Iterator[str]:
    """Everything a reader sees of a block, in the order of reading."""
    yield from own_words(block)
    for row in getattr(block, "cells", ()):
        yield from (words_of(cell.text) for cell in row if cell.text is not None)
    for item in getattr(block, "items", ()):
        yield from text_of(item.blocks)
    yield from text_of(getattr(block, "blocks", ()))


def text_of(blocks: Sequence[Block]) -> Iterator[str]:
    """Everything a reader sees of blocks, stretch by stretch."""
    for block in blocks:
        yield from words_in(block)
