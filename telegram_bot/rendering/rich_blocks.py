"""Block tokens as the blocks of a rich message, each with the lines of the source it was made from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final, NamedTuple

from aiogram.types import (
    InputRichBlockBlockQuotation,
    InputRichBlockDetails,
    InputRichBlockDivider,
    InputRichBlockList,
    InputRichBlockListItem,
    InputRichBlockMathematicalExpression,
    InputRichBlockParagraph,
    InputRichBlockPreformatted,
    InputRichBlockSectionHeading,
    InputRichBlockTable,
    RichBlockTableCell,
)
from markdown_it.token import Token

from telegram_bot.rendering.blocks import code_of, language_of, links
from telegram_bot.rendering.characters import clean, is_visible
from telegram_bot.rendering.checkboxes import take_box
from telegram_bot.rendering.latex import to_unicode
from telegram_bot.rendering.rich_limits import COLUMNS_MAX, Block
from telegram_bot.rendering.rich_text import RichText, rich_text, words_of
from telegram_bot.rendering.syntax import parse
from telegram_bot.rendering.syntax_details import DETAILS_OPEN, SUMMARY_OPEN
from telegram_bot.rendering.syntax_math import MATH_BLOCK
from telegram_bot.rendering.tables import aligned, cells_of

# What an item or a fold without words holds: a block of nothing would be refused.
_EMPTY: Final = "\u00a0"
_UNTITLED: Final = "⋯"


class Piece(NamedTuple):
    """A block of the answer, and where it stands in the source."""

    block: Block
    line: int
    seams: tuple[int, ...] = ()  # of a list or a table: the line of every item or row
    header: tuple[str, ...] = ()  # of a table that goes on from the message before: the lines it began with


def read(source: str) -> list[Piece]:
    """The top blocks of a cleaned source; of what shows nothing there is none."""
    return _Reader(parse(source)).blocks()


class _Reader:
    """Reads the token stream from its beginning to its end, once."""

    def __init__(self, tokens: Sequence[Token]) -> None:
        self._tokens = tokens
        self._at = 0
        self._links = links(tokens)
        self._folds = 0  # details around: clients have crashed on formulas in them (hermes-agent PR 45727)

    def blocks(self, until: str = "") -> list[Piece]:
        """The blocks up to the token that ends what is around them, which is passed over."""
        pieces: list[Piece] = []
        while self._at < len(self._tokens):
            token = self._next()
            if token.type == until:
                break
            piece = self._block(token)
            if piece is not None:
                pieces.append(piece)
        return pieces

    def _next(self) -> Token:
        token = self._tokens[self._at]
        self._at += 1
        return token

    def _block(self, token: Token) -> Piece | None:
        kind = token.type
        if kind in {"bullet_list_open", "ordered_list_open"}:
            return self._list(token)
        if kind == "table_open":
            return self._table(token)
        block = self._simple(token)
        return None if block is None else Piece(block, _line(token))

    def _simple(self, token: Token) -> Block | None:
        kind = token.type
        if kind in {"paragraph_open", "heading_open", SUMMARY_OPEN}:
            text = self._text()
            if not is_visible(words_of(text)):
                return None
            if kind == "heading_open":
                return InputRichBlockSectionHeading(text=text, size=int(token.tag[1:]))
            return InputRichBlockParagraph(text=text)
        if kind in {"fence", "code_block"}:
            code = code_of(token)
            return (
                InputRichBlockPreformatted(text=code, language=language_of(token))
                if is_visible(code)
                else None
            )
        if kind == MATH_BLOCK:
            return self._formula(clean(token.content))
        if kind == "hr":
            return InputRichBlockDivider()
        if kind == "blockquote_open":
            inside = [piece.block for piece in self.blocks("blockquote_close")]
            return InputRichBlockBlockQuotation(blocks=inside) if inside else None
        if kind == DETAILS_OPEN:
            return self._details(token)
        if kind == "definition" and str(token.meta["url"]) not in self._links:
            return InputRichBlockParagraph(text=clean(f"[{token.meta['label']}]: {token.meta['url']}"))
        return None

    def _text(self) -> RichText:
        """The inline token that comes next, and the closing one behind it."""
        inline = self._next()
        self._next()
        return rich_text(inline.children or (), formulas=not self._folds)

    def _formula(self, tex: str) -> Block | None:
        if not is_visible(tex):
            return None
        if self._folds:
            return InputRichBlockPreformatted(text=to_unicode(tex, display=True).strip("\n") or tex)
        return InputRichBlockMathematicalExpression(expression=tex)

    def _details(self, token: Token) -> Block:
        self._folds += 1
        summary: RichText = ""
        if self._tokens[self._at].type == SUMMARY_OPEN:
            self._next()
            summary = self._text()
        inside = [piece.block for piece in self.blocks("details_close")]
        self._folds -= 1
        return InputRichBlockDetails(
            summary=summary if is_visible(words_of(summary)) else _UNTITLED,
            blocks=inside or [InputRichBlockParagraph(text=_EMPTY)],
            is_open=token.meta["open"] or None,
        )

    def _list(self, token: Token) -> Piece:
        number = int(token.attrs.get("start", 1)) if token.type == "ordered_list_open" else None
        items: list[InputRichBlockListItem] = []
        seams: list[int] = []
        while (opening := self._next()).type == "list_item_open":
            box = take_box(self._tokens[self._at : self._at + 2])
            inside = [piece.block for piece in self.blocks("list_item_close")]
            items.append(
                InputRichBlockListItem(
                    blocks=inside or [InputRichBlockParagraph(text=_EMPTY)],
                    has_checkbox=None if box is None else True,
                    is_checked=box or None,
                    value=None if number is None else number + len(items),
                )
            )
            seams.append(_line(opening))
        return Piece(InputRichBlockList(items=items), _line(token), tuple(seams))

    def _table(self, token: Token) -> Piece:
        start = self._at - 1
        while self._next().type != "table_close":
            pass
        tokens = self._tokens[start : self._at]
        aligns: list[str] = token.meta["aligns"]
        if len(aligns) > COLUMNS_MAX:
            return Piece(InputRichBlockPreformatted(text=aligned(tokens)), _line(token))
        rows = [
            [
                RichBlockTableCell(
                    text=rich_text(cell, formulas=not self._folds),
                    is_header=True if number == 0 else None,
                    align=align,
                    valign="middle",
                )
                for cell, align in zip(row, aligns, strict=True)
            ]
            for number, row in enumerate(cells_of(tokens))
        ]
        seams = tuple(_line(row) for row in tokens if row.type == "tr_open")
        return Piece(InputRichBlockTable(cells=rows, is_bordered=True, is_striped=True), _line(token), seams)


def _line(token: Token) -> int:
    assert token.map is not None
    return token.map[0]
