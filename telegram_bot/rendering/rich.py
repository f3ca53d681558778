"""An answer as rich messages: what fits goes together, what no rich message can hold goes classic."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

from aiogram.types import InputRichBlockList, InputRichBlockParagraph, InputRichBlockTable, InputRichMessage

from telegram_bot.rendering.blocks import lay_out
from telegram_bot.rendering.characters import clean, is_visible
from telegram_bot.rendering.cutting import cut
from telegram_bot.rendering.drafts import recent
from telegram_bot.rendering.entities import MESSAGE_UNITS_MAX, Rendered
from telegram_bot.rendering.rich_blocks import Piece, read
from telegram_bot.rendering.rich_limits import NOTHING, Block, Size, size_of, text_of
from telegram_bot.rendering.unfinished import chunks, finish, open_folds

_CUT_OFF: Final = "…"
# Blocks of drafts under way that are read; a long answer has about a hundred.
_BLOCKS_KEPT: Final = 256


@dataclass(frozen=True, slots=True)
class Rich:
    """A rich message ready to be sent, and the Markdown it came from (what is sent when Telegram refuses it)."""

    blocks: tuple[Block, ...]
    source: str
    is_rtl: bool = False

    @property
    def message(self) -> InputRichMessage:
        """As the Bot API takes it."""
        return InputRichMessage(blocks=list(self.blocks), is_rtl=self.is_rtl or None)

    @property
    def words(self) -> str:
        """Everything a reader sees of it."""
        return "\n".join(text_of(self.blocks))


Part = Rich | Rendered


def enrich(source: str) -> tuple[Part, ...]:
    """The answer as parts within Telegram's limits; none when there is nothing to see.

    Rich ones, but for a block that no rich message can hold, such as one nested too deep: that one is classic.
    The sources of the parts put together are the source, but for a table that is cut: its header stands in each part.
    """
    source = clean(source)
    return tuple(_parts(source))


def rich_preview(source: str, characters: int) -> Rich | None:
    """The newest blocks of an unfinished answer, about so many characters; None while nothing is to be seen."""
    source = clean(source)
    pieces = chunks(source)
    growing = pieces.pop()
    newest = recent(growing, characters)
    stack = [_seen_growing(_blocks(finish(newest)), newest)]
    whole = len(newest) == len(growing)
    size = size_of(stack[0])
    while whole and pieces and size.characters < characters:
        newest = recent(pieces[-1], characters)
        whole = len(newest) == len(pieces.pop())
        blocks = _finished(newest)
        if not size.and_then(size_of(blocks)).and_then(size_of(_cut_off())).fits:
            whole = False
            break
        stack.append(blocks)
        size = size.and_then(size_of(blocks))
    shown = [block for blocks in reversed(stack) for block in blocks]
    if not size.fits or not is_visible("".join(text_of(shown))):
        return None
    if not whole or pieces:
        shown = [*_cut_off(), *shown]
    return Rich(tuple(shown), source, _is_rtl(source))


def _blocks(source: str) -> tuple[Block, ...]:
    return tuple(piece.block for piece in read(source))


def _seen_growing(blocks: tuple[Block, ...], source: str) -> tuple[Block, ...]:
    """Details that are being written are open: what grows is seen."""
    if blocks and blocks[-1].type == "details" and open_folds(source):
        return (*blocks[:-1], blocks[-1].model_copy(update={"is_open": True}))
    return blocks


@lru_cache(_BLOCKS_KEPT)
def _finished(piece: str) -> tuple[Block, ...]:
    """The blocks of a piece nothing will be added to: every frame of a draft needs them again."""
    return _blocks(piece)


def _cut_off() -> tuple[Block, ...]:
    return (InputRichBlockParagraph(text=_CUT_OFF),)


def _parts(source: str) -> Iterator[Part]:
    lines = source.split("\n")
    groups = _grouped(read(source), lines)
    if not groups:
        return
    starts = [0, *(group[0].line for group in groups[1:]), len(lines)]
    is_rtl = _is_rtl(source)
    for group, start, end in zip(groups, starts[:-1], starts[1:], strict=True):
        stretch = "\n".join([*group[0].header, *lines[start:end]]).strip("\n")
        blocks = tuple(piece.block for piece in group)
        # Empty boxes alone are no words: what Telegram may take for an empty message goes classic as well.
        if size_of(blocks).fits and is_visible("".join(text_of(blocks))):
            yield Rich(blocks, stretch, is_rtl)
        else:
            yield from cut(lay_out(stretch), MESSAGE_UNITS_MAX)


def _grouped(pieces: Sequence[Piece], lines: Sequence[str]) -> list[list[Piece]]:
    """Successive pieces that one message holds; what none holds is a group too, with the headings before it."""
    groups: list[list[Piece]] = []
    size = NOTHING
    for whole in pieces:
        for piece in _fitting(whole, lines, size):
            own = size_of([piece.block])
            more = size.and_then(own)
            if not groups:
                groups.append([])
            elif not more.fits and (own.fits or size.fits):
                headings = _headings(groups[-1])
                groups.append(headings)
                more = size_of([*(heading.block for heading in headings), piece.block])
            groups[-1].append(piece)
            size = more
    return groups


def _headings(group: list[Piece]) -> list[Piece]:
    """Take away the headings a group ends with, unless it has nothing else: they belong to what follows."""
    end = len(group)
    while end and group[end - 1].block.type == "heading":
        end -= 1
    if not end:
        return []
    taken = group[end:]
    del group[end:]
    return taken


def _fitting(piece: Piece, lines: Sequence[str], before: Size) -> Iterator[Piece]:
    """A list or table that no message holds as several; the first fills up the message under way.

    Whatever else is left as it is.
    """
    if not piece.seams or size_of([piece.block]).fits:
        yield piece
        return
    is_table = piece.block.type == "table"
    header = tuple(lines[piece.line : piece.line + 2]) if is_table else ()
    start = 1 if is_table else 0
    opening = _stretch_size(piece, 0, start)
    size = before.and_then(opening)
    if not size.and_then(_stretch_size(piece, start, start + 1)).around().fits:
        size = opening
    for at in range(start, len(piece.seams)):
        row = _stretch_size(piece, at, at + 1)
        if at > start and not size.and_then(row).around().fits:
            yield _stretch(piece, start, at, header)
            start, size = at, opening
        size = size.and_then(row)
    yield _stretch(piece, start, len(piece.seams), header)


def _stretch_size(piece: Piece, start: int, end: int) -> Size:
    """What some items or rows add to a list or table."""
    size = size_of([_of(piece.block, start, end)])
    return Size(size.characters, size.blocks - 1, size.depth - 1)


def _stretch(piece: Piece, start: int, end: int, header: tuple[str, ...]) -> Piece:
    """The items or rows from start to end as a list or table of their own; a table keeps its header."""
    block = _of(piece.block, start, end)
    if header:
        block = InputRichBlockTable(
            cells=[piece.block.cells[0], *block.cells], is_bordered=True, is_striped=True
        )
    is_first = start == (1 if header else 0)
    if is_first:
        return Piece(block, piece.line)
    return Piece(block, piece.seams[start], header=header)


def _of(block: Block, start: int, end: int) -> Block:
    if block.type == "table":
        return InputRichBlockTable(cells=block.cells[start:end], is_bordered=True, is_striped=True)
    return InputRichBlockList(items=block.items[start:end])


def _is_rtl(source: str) -> bool:
    """Whether the first letter with a direction is read from the right."""
    for character in source:
        direction = unicodedata.bidirectional(character)
        if direction in {"L", "R", "AL"}:
            return direction != "L"
    return False
