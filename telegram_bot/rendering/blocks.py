"""Block tokens onto a page: paragraphs, headings, lists, quotes, code, tables, formulas."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from markdown_it.token import Token

from telegram_bot.rendering.characters import clean
from telegram_bot.rendering.checkboxes import take_box
from telegram_bot.rendering.inline import write_inline
from telegram_bot.rendering.latex import to_unicode
from telegram_bot.rendering.page import Page, PageBuilder
from telegram_bot.rendering.syntax import parse
from telegram_bot.rendering.syntax_details import SUMMARY_CLOSE, SUMMARY_OPEN
from telegram_bot.rendering.syntax_math import MATH_BLOCK
from telegram_bot.rendering.tables import write_table

BULLETS: Final = "•◦▪"
RULE: Final = "———"
# Before the summary of details, which a classic message cannot fold away.
FOLD: Final = "▾ "
_LANGUAGE: Final = re.compile(r"[\w+#.-]+")
_LEADING_BLANK_LINES: Final = re.compile(r"\A(?:[ ]*\n)+")
_QUOTE_MARKS: Final = " \t>"
_TAB: Final = 4
# Deeper items keep their bullet and stand under the sixth: a phone shows about forty columns.
_INDENT_MAX: Final = 12
_DEPTH_MAX: Final = 2


@dataclass(slots=True)
class _List:
    """A list that is being written."""

    level: int
    number: int | None  # of the next item; None for bullets
    delimiter: str


def lay_out(source: str) -> Page:
    """The page of a cleaned source."""
    return _Blocks(source).write(parse(source))


class _Blocks:
    def __init__(self, source: str) -> None:
        self._page = PageBuilder(source)
        self._lines = source.split("\n")
        self._lists: list[_List] = []
        self._indents: list[str] = []
        self._outer_indents: list[list[str]] = []  # of the quotes around
        self._after_block = False  # a line end is due before the next block
        self._after_marker = False  # the next block stands on the line of its bullet
        self._start = 0  # of the block being written
        self._heading: int | None = None  # where the block just written starts, if it is a heading
        self._links: set[str] = set()
        self._unshown: int | None = None  # the first line of the addresses just passed over

    def write(self, tokens: Sequence[Token]) -> Page:
        self._links = links(tokens)
        index = 0
        while index < len(tokens):
            token = tokens[index]
            if token.type == "list_item_open":
                self._open_item(token, tokens[index + 1 : index + 3])
            elif token.type == "table_open":
                index = self._table(tokens, index)
            else:
                self._token(token)
            index += 1
        return self._page.finish()

    def _token(self, token: Token) -> None:
        kind = token.type
        if kind == "paragraph_open":
            self._begin(token)
        elif kind in {"heading_open", SUMMARY_OPEN}:
            self._begin(token)
            self._heading = self._start
            if kind == SUMMARY_OPEN:
                self._page.write(FOLD)
            self._page.open("bold")
        elif kind in {"heading_close", SUMMARY_CLOSE}:
            self._page.close("bold")
        elif kind == "inline":
            write_inline(self._page, token.children or (), self._indent())
            self._after_block = True
        elif kind in {"fence", "code_block"}:
            self._code(token)
        elif kind == MATH_BLOCK:
            self._math(token)
        elif kind == "hr":
            self._begin(token)
            self._page.write(RULE)
            self._after_block = True
        elif kind in {"bullet_list_open", "ordered_list_open"}:
            self._open_list(token)
        elif kind in {"bullet_list_close", "ordered_list_close"}:
            self._lists.pop()
        elif kind == "list_item_close":
            self._indents.pop()
            self._after_marker = False
            self._after_block = True
        elif kind == "blockquote_open":
            self._open_quote(token)
        elif kind == "blockquote_close":
            self._page.close("blockquote")
            self._indents = self._outer_indents.pop()
            self._after_marker = False
        elif kind == "definition":
            self._definition(token)

    def _begin(self, token: Token, *, flush: bool = False) -> None:
        """Go to where a block starts; a flush one starts at the very left of a line of its own."""
        assert token.map is not None
        line = token.map[0]
        gap = line if self._unshown is None else self._unshown
        self._unshown = None
        if self._after_marker:
            self._page.write("\n" if flush else " ")
            self._after_marker = False
        else:
            if self._after_block:
                self._page.write("\n\n" if self._follows_blank_line(gap) else "\n")
                self._page.border(min(token.level, _DEPTH_MAX))
                if self._heading is not None:
                    self._page.keep_with_next(self._heading)
            self._start = self._page.length
            self._page.anchor(line)
            if not flush:
                self._page.write(self._indent())
        self._after_block = False
        self._heading = None

    def _follows_blank_line(self, line: int) -> bool:
        return line > 0 and not self._lines[line - 1].strip(_QUOTE_MARKS)

    def _indent(self) -> str:
        return "".join(self._indents)[:_INDENT_MAX]

    def _open_list(self, token: Token) -> None:
        number = None
        if token.type == "ordered_list_open":
            number = int(token.attrs.get("start", 1))
        self._lists.append(_List(len(self._lists), number, token.markup))

    def _open_item(self, token: Token, following: Sequence[Token]) -> None:
        current = self._lists[-1]
        self._begin(token)
        marker = BULLETS[min(current.level, len(BULLETS) - 1)]
        width = 2
        if current.number is not None:
            marker = f"{current.number}{current.delimiter}"
            current.number += 1
            width = 3
        self._page.write(_with_box(marker, following))
        self._indents.append(" " * width)
        self._after_marker = True

    def _open_quote(self, token: Token) -> None:
        self._begin(token, flush=True)
        self._page.open("blockquote")
        # A quote starts at the very left, whatever it stands in.
        self._outer_indents.append(self._indents)
        self._indents = []

    def _code(self, token: Token) -> None:
        content = code_of(token)
        if not content:
            return
        self._begin(token, flush=True)
        assert token.map is not None
        skipped = token.content.rstrip().count("\n") - content.count("\n")
        self._page.anchor(
            token.map[0] + (token.type == "fence") + skipped, fence=f"{token.markup}{token.info}"
        )
        self._page.code(content, "pre", language_of(token))
        self._after_block = True

    def _math(self, token: Token) -> None:
        text = to_unicode(token.content, display=True).strip("\n") or token.content
        self._begin(token, flush=True)
        self._page.code(text, "pre" if "\n" in text else "code")
        self._after_block = True

    def _table(self, tokens: Sequence[Token], start: int) -> int:
        """Write the table that starts here; returns the index of its last token."""
        end = next(index for index in range(start, len(tokens)) if tokens[index].type == "table_close")
        self._begin(tokens[start], flush=True)
        write_table(self._page, tokens[start : end + 1], min(tokens[start].level + 1, _DEPTH_MAX))
        self._after_block = True
        return end

    def _definition(self, token: Token) -> None:
        """A link's address given apart; shown unless a link of the text uses it."""
        url = str(token.meta["url"])
        if url in self._links:
            assert token.map is not None
            self._unshown = token.map[0] if self._unshown is None else self._unshown
            return
        self._begin(token)
        self._page.write(clean(f"[{token.meta['label']}]: {url}"))
        self._after_block = True


def _with_box(marker: str, following: Sequence[Token]) -> str:
    """The marker of an item, with a box if it is a task."""
    box = {None: "", False: "☐", True: "☑"}[take_box(following)]
    return (box if marker in BULLETS else f"{marker} {box}") if box else marker


def code_of(token: Token) -> str:
    """The code of a block, without blank lines around it."""
    return _LEADING_BLANK_LINES.sub("", clean(token.content).expandtabs(_TAB).rstrip())


def language_of(token: Token) -> str | None:
    """The language a block of code is said to be in."""
    language = _LANGUAGE.match(token.info.strip().lstrip("{."))
    return language[0] if language else None


def links(tokens: Sequence[Token]) -> set[str]:
    """Every address a link of the text leads to."""
    return {
        str(url)
        for token in tokens
        for child in token.children or ()
        if (url := child.attrs.get("href") or child.attrs.get("src"))
    }
