"""Inline tokens as rich text: a flat list of runs, each in at most two styles.

Flat, because aiogram reads what Telegram gives back (the message sent, a press of its button, a reply to it), and
its 26 kinds of rich text are tried one after the other at every level: three nested styles take 11 ms, four 0.24 s,
five 7 s (aiogram 3.31, measured). What is let go of a third style is its looks, never a word or an address.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from aiogram.types import (
    RichTextBold,
    RichTextCode,
    RichTextItalic,
    RichTextMathematicalExpression,
    RichTextSpoiler,
    RichTextStrikethrough,
    RichTextUrl,
)
from markdown_it.token import Token

from telegram_bot.rendering.characters import clean
from telegram_bot.rendering.inline import IMAGE, LINE_BREAK_TAG, STYLES, is_link
from telegram_bot.rendering.latex import to_unicode
from telegram_bot.rendering.syntax_math import MATH_INLINE

RichText = Any  # aiogram's RichTextUnion, which names itself and so tells a type checker nothing

_STYLES_MAX: Final = 2
# What a run keeps first: an address and what is hidden before looks.
_WRAPPERS: Final[dict[str, Callable[..., RichText]]] = {
    "spoiler": RichTextSpoiler,
    "code": RichTextCode,
    "bold": RichTextBold,
    "strikethrough": RichTextStrikethrough,
    "italic": RichTextItalic,
}
_WORTH: Final = tuple(_WRAPPERS)


class _Run(NamedTuple):
    """A stretch of text in one look; a formula is a run of its own."""

    text: str
    styles: frozenset[str]
    url: str | None
    is_formula: bool = False


def rich_text(tokens: Sequence[Token], *, formulas: bool = True) -> RichText:
    """The text of inline tokens; where no formulas are wanted they are written as Unicode. Empty: nothing to see."""
    runs = _Runs(formulas)
    runs.write(tokens)
    return _joined(runs.all)


def words_of(text: RichText) -> str:
    """What a reader sees of a rich text, without its looks; of a formula its TeX."""
    if isinstance(text, str):
        return text
    if isinstance(text, list):
        return "".join(words_of(part) for part in text)
    if isinstance(text, RichTextMathematicalExpression):
        return text.expression
    return words_of(text.text)


class _Link(NamedTuple):
    url: str
    first_run: int
    opening: Token


class _Runs:
    def __init__(self, formulas: bool) -> None:
        self.all: list[_Run] = []
        self._formulas = formulas
        self._open: Counter[str] = Counter()
        self._links: list[_Link] = []

    def write(self, tokens: Sequence[Token]) -> None:
        for token in tokens:
            kind = token.type
            if kind in {"softbreak", "hardbreak"}:
                self._add("\n")
            elif kind == "code_inline":
                self._add(clean(token.content).expandtabs(4), "code")
            elif kind == MATH_INLINE:
                self._formula(token.content)
            elif kind == "link_open":
                self._links.append(_Link(str(token.attrGet("href") or ""), len(self.all), token))
            elif kind == "link_close":
                self._close_link()
            elif kind == "image":
                self._image(token)
            elif kind.endswith("_open"):
                self._open[STYLES[kind.removesuffix("_open")]] += 1
            elif kind.endswith("_close"):
                self._open[STYLES[kind.removesuffix("_close")]] -= 1
            else:
                self._text(token.content)

    def _add(self, text: str, *more: str) -> None:
        if not text:
            return
        url = next(
            (link.url for link in self._links if link.opening.info != "auto" and is_link(link.url)), None
        )
        self.all.append(_Run(text, frozenset((+self._open).keys() | set(more)), url))

    def _text(self, text: str) -> None:
        text = clean(text).replace("\t", " ")
        self._add(LINE_BREAK_TAG.sub("\n", text) if "<" in text else text)

    def _formula(self, tex: str) -> None:
        tex = clean(tex)
        if self._formulas and tex.strip():
            self.all.append(_Run(tex, frozenset(), None, is_formula=True))
        elif written := to_unicode(tex):
            self._add(written, "italic")
        else:
            self._text(tex)

    def _close_link(self) -> None:
        link = self._links[-1]
        shown = clean(link.url.removeprefix("mailto:"))
        text = "".join(run.text for run in self.all[link.first_run :])
        if link.opening.info == "auto":
            pass
        elif not text:
            self._add(shown)
        elif not is_link(link.url) and shown and not shown.startswith("#") and shown != text.strip():
            self._add(f" ({shown})")
        self._links.pop()

    def _image(self, token: Token) -> None:
        url = str(token.attrGet("src") or "")
        self._links.append(_Link(url, len(self.all), token))
        before = len(self.all)
        self.write(token.children or ())
        if len(self.all) == before:
            self._add(IMAGE)
        self._links.pop()
        if url and not is_link(url) and not url.startswith("data:"):
            self._add(f" ({clean(url)})")


def _joined(runs: Sequence[_Run]) -> RichText:
    """Neighbours of one look as one run; a single plain one is only its text."""
    merged: list[_Run] = []
    for run in runs:
        last = merged[-1] if merged else None
        if last and last[1:] == run[1:] and not run.is_formula:
            merged[-1] = last._replace(text=last.text + run.text)
        else:
            merged.append(run)
    parts = [_styled(run) for run in merged]
    return parts[0] if len(parts) == 1 else parts or ""


def _styled(run: _Run) -> RichText:
    if run.is_formula:
        return RichTextMathematicalExpression(expression=run.text)
    if not run.text.strip():
        return run.text
    kept = [style for style in _WORTH if style in run.styles][: _STYLES_MAX - (run.url is not None)]
    text: RichText = run.text
    for style in reversed(kept):
        text = _WRAPPERS[style](text=text)
    return RichTextUrl(text=text, url=run.url) if run.url else text
