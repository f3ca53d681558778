"""Markdown as models write it: CommonMark and GFM, with math, and with nothing swallowed."""

from __future__ import annotations

import re
from typing import Final

from markdown_it import MarkdownIt
from markdown_it.parser_block import ParserBlock
from markdown_it.rules_block import StateBlock
from markdown_it.rules_inline import StateInline
from markdown_it.rules_inline import autolink as stock_autolink
from markdown_it.rules_inline import image as stock_image
from markdown_it.rules_inline import link as stock_link
from markdown_it.token import Token

from telegram_bot.rendering.syntax_math import math_plugin
from telegram_bot.rendering.syntax_tables import table_plugin

# Lists count twice (list and item): fifty levels of list are read, deeper ones are shown as they are written.
_NESTING_MAX: Final = 100
# Brackets within brackets, and emphasis around links: ten levels are more than people write.
_BRACKETS_MAX: Final = 10
# `<std::string>` is no link: only these schemes, and e-mail addresses, make an autolink.
_AUTOLINK: Final = re.compile(r"<(?:(?:https?|ftp|tg|mailto):|[^\s<>:@]+@)", re.IGNORECASE)


class _Blocks(ParserBlock):
    """Blocks nested too deeply become text, where the stock parser drops them."""

    def tokenize(self, state: StateBlock, startLine: int, endLine: int) -> None:
        if state.level < _NESTING_MAX:
            super().tokenize(state, startLine, endLine)
            return
        content = state.getLines(startLine, endLine, state.blkIndent, False).strip()
        state.line = endLine
        if not content:
            return
        state.push("paragraph_open", "p", 1).map = [startLine, endLine]
        inline = state.push("inline", "", 0)
        inline.map, inline.content, inline.children = [startLine, endLine], content, []
        state.push("paragraph_close", "p", -1)


class _Markdown(MarkdownIt):
    def validateLink(self, url: str) -> bool:  # noqa: ARG002
        """Every link is parsed; which of them Telegram may open is decided where it is rendered."""
        return True


def _autolink(state: StateInline, silent: bool) -> bool:
    return _AUTOLINK.match(state.src, state.pos) is not None and stock_autolink(state, silent)


def _link(state: StateInline, silent: bool) -> bool:
    """A link, unless brackets are nested so deeply that looking for their ends would take seconds."""
    if state.level > _BRACKETS_MAX or state.src.find("]", state.pos, state.posMax) < 0:
        return False
    return stock_link(state, silent)


def _image(state: StateInline, silent: bool) -> bool:
    if state.level > _BRACKETS_MAX or state.src.find("]", state.pos, state.posMax) < 0:
        return False
    return stock_image(state, silent)


def _parser() -> MarkdownIt:
    options = {"maxNesting": _NESTING_MAX, "inline_definitions": True, "html": False}
    parser = _Markdown("js-default")
    parser.block = _Blocks()
    parser.configure("js-default", options)
    parser.inline.ruler.at("autolink", _autolink)
    parser.inline.ruler.at("link", _link)
    parser.inline.ruler.at("image", _image)
    parser.disable(["html_block", "html_inline", "linkify", "replacements", "smartquotes"])
    table_plugin(parser)
    math_plugin(parser)
    return parser


_PARSER: Final = _parser()


def parse(source: str) -> list[Token]:
    """The token stream of a cleaned source; shared with nothing, so a caller may keep it."""
    return _PARSER.parse(source, {})
