"""Inline tokens onto a page: emphasis, code, links, images, math."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from markdown_it.token import Token

from telegram_bot.rendering.characters import clean
from telegram_bot.rendering.entities import EntityType
from telegram_bot.rendering.latex import to_unicode
from telegram_bot.rendering.page import PageBuilder
from telegram_bot.rendering.syntax_math import MATH_INLINE
from telegram_bot.rendering.syntax_spoilers import SPOILER

STYLES: Final[dict[str, EntityType]] = {
    "strong": "bold",
    "em": "italic",
    "s": "strikethrough",
    SPOILER: "spoiler",
}
LINE_BREAK_TAG: Final = re.compile(r"[ ]?<br\s*/?>[ ]?", re.IGNORECASE)
IMAGE: Final = "🖼"


def is_link(url: str) -> bool:
    """Whether Telegram keeps the URL behind a text; others TDLib's LinkManager::check_link drops silently."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
    except ValueError:
        return False
    if parts.scheme == "tg":
        return bool(parts.netloc)
    return parts.scheme in {"http", "https"} and ("." in host.strip(".") or ":" in host)


def write_inline(page: PageBuilder, tokens: Sequence[Token], indent: str = "") -> None:
    """Write inline tokens; lines after the first begin with the indent."""
    _Inline(page, indent).write(tokens)


class _Link(NamedTuple):
    """A link whose text is being written."""

    url: str
    start: int  # of its text on the page
    opening: int  # the index of its first token
    opened: bool  # whether it is one for Telegram, too


class _Inline:
    def __init__(self, page: PageBuilder, indent: str) -> None:
        self._page = page
        self._line_end = "\n" + indent
        self._links: list[_Link] = []

    def write(self, tokens: Sequence[Token]) -> None:
        for index, token in enumerate(tokens):
            kind = token.type
            if kind == "text":
                self._text(token.content)
            elif kind in {"softbreak", "hardbreak"}:
                self._page.write(self._line_end)
            elif kind == "code_inline":
                self._page.code(clean(token.content).expandtabs(4))
            elif kind == MATH_INLINE:
                self._math(token)
            elif kind == "link_open":
                self._open_link(token, index)
            elif kind == "link_close":
                self._close_link(tokens, index)
            elif kind == "image":
                self._image(token)
            elif kind.endswith("_open"):
                self._page.open(STYLES[kind.removesuffix("_open")])
            elif kind.endswith("_close"):
                self._page.close(STYLES[kind.removesuffix("_close")])
            else:
                self._text(token.content)

    def _text(self, text: str) -> None:
        text = clean(text).replace("\t", " ")
        if "<" in text:
            text = LINE_BREAK_TAG.sub("\n", text)
        self._page.write(text.replace("\n", self._line_end))

    def _math(self, token: Token) -> None:
        text = to_unicode(token.content)
        if not text:
            self._text(token.content)
            return
        self._page.open("italic")
        self._page.write(text.replace("\n", self._line_end))
        self._page.close("italic")

    def _open_link(self, token: Token, index: int) -> None:
        url = str(token.attrGet("href") or "")
        opened = token.info != "auto" and is_link(url) and self._page.open_link(url)
        self._links.append(_Link(url, self._page.length, index, opened))

    def _close_link(self, tokens: Sequence[Token], index: int) -> None:
        link = self._links.pop()
        if tokens[link.opening].info == "auto":
            return
        shown = clean(link.url.removeprefix("mailto:"))
        if self._page.length == link.start:
            self._page.write(shown)
        elif not is_link(link.url):
            text = "".join(token.content for token in tokens[link.opening + 1 : index])
            if shown and not shown.startswith("#") and shown != text.strip():
                self._page.write(f" ({shown})")
        if link.opened:
            self._page.close_link()

    def _image(self, token: Token) -> None:
        url = str(token.attrGet("src") or "")
        opened = is_link(url) and self._page.open_link(url)
        start = self._page.length
        self.write(token.children or ())
        if self._page.length == start:
            self._page.write(IMAGE)
        if opened:
            self._page.close_link()
        elif url and not is_link(url) and not url.startswith("data:"):
            self._page.write(f" ({clean(url)})")
