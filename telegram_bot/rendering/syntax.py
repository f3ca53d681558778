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
from markdown_it.rules_inline.state_inline import Delimiter
from markdown_it.token import Token

from telegram_bot.rendering.syntax_details import details_plugin
from telegram_bot.rendering.syntax_math import math_plugin
from telegram_bot.rendering.syntax_spoilers import spoiler_plugin
from telegram_bot.rendering.syntax_tables import table_plugin

# Lists count twice (list and item): fifty levels of list are read, deeper ones are shown as they are written.
_NESTING_MAX: Final = 100
# Brackets within brackets, and emphasis around links: ten levels are more than people write.
_BRACKETS_MAX: Final = 10
_LAST_BRACKET: Final = "last_bracket"
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
    def validateLink(self, url: str) -> bool:
        """Every link is parsed; which of them Telegram may open is decided where it is rendered."""
        return True


def _autolink(state: StateInline, silent: bool) -> bool:
    return _AUTOLINK.match(state.src, state.pos) is not None and stock_autolink(state, silent)


def _link(state: StateInline, silent: bool) -> bool:
    return stock_link(state, silent) if _may_close(state) else _given_up(state)


def _image(state: StateInline, silent: bool) -> bool:
    return stock_image(state, silent) if _may_close(state) else _given_up(state)


def _may_close(state: StateInline) -> bool:
    """Whether a bracket follows that could end a link; looked up once for a text."""
    last: dict[str, int] = state.env.setdefault(_LAST_BRACKET, {})
    if state.src not in last:
        last[state.src] = state.src.rfind("]")
    return state.pos < last[state.src] and state.level <= _BRACKETS_MAX


def _given_up(state: StateInline) -> bool:
    """No link; too deep in brackets also none around it, or finding their ends would take quadratic time."""
    if state.level <= _BRACKETS_MAX:
        return False
    state.pos = state.posMax
    return True


def _emphasis(state: StateInline, silent: bool) -> bool:
    """The stock rule, but "**注意：**请" is bold: where no blanks part words, punctuation may touch a letter."""
    marker = state.src[state.pos]
    if silent or marker not in "*_":
        return False
    run = state.scanDelims(state.pos, marker == "*")
    before = state.src[state.pos - 1 : state.pos]
    after = state.src[state.pos + run.length : state.pos + run.length + 1]
    lenient = marker == "*" and run.length > 1 and not (before + after).isascii()
    for _ in range(run.length):
        token = state.push("text", "", 0)
        token.content = marker
        state.delimiters.append(
            Delimiter(
                marker=ord(marker),
                length=run.length,
                token=len(state.tokens) - 1,
                end=-1,
                open=run.can_open or (lenient and bool(after.strip())),
                close=run.can_close or (lenient and bool(before.strip())),
            )
        )
    state.pos += run.length
    return True


def _parser() -> MarkdownIt:
    options = {"maxNesting": _NESTING_MAX, "inline_definitions": True, "html": False}
    parser = _Markdown("js-default")
    parser.block = _Blocks()
    parser.configure("js-default", options)
    parser.inline.ruler.at("autolink", _autolink)
    parser.inline.ruler.at("emphasis", _emphasis)
    parser.inline.ruler.at("link", _link)
    parser.inline.ruler.at("image", _image)
    parser.disable(["html_block", "html_inline", "linkify", "replacements", "smartquotes"])
    table_plugin(parser)
    math_plugin(parser)
    spoiler_plugin(parser)
    details_plugin(parser)
    return parser


_PARSER: Final = _parser()


def parse(source: str) -> list[Token]:
    """The token stream of a cleaned source; shared with nothing, so a caller may keep it."""
    return _PARSER.parse(source, {})
