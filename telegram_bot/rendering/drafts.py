"""The reply while it is written: always a valid message, its newest part when it is too long for one."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from typing import Final

from telegram_bot.rendering.blocks import lay_out
from telegram_bot.rendering.characters import BLANK, clean, cluster_end, is_visible
from telegram_bot.rendering.cutting import DEPTHS, LIMIT_MIN, SEAMS
from telegram_bot.rendering.entities import MESSAGE_UNITS_MAX, Rendered
from telegram_bot.rendering.page import Page, joined
from telegram_bot.rendering.unfinished import chunks, finish, open_fence

_CUT_OFF: Final = "…\n"
# Of a longer block only this many limits of source are read: more than half of Markdown is text.
_RECENT_LIMITS: Final = 3
_PARAGRAPH: Final = re.compile(r"\n\n(?=\S)")
# Blocks of drafts under way that are written out; a long answer has about a hundred.
_PAGES_KEPT: Final = 512


def preview(source: str, limit: int = MESSAGE_UNITS_MAX) -> Rendered | None:
    """The unfinished answer as a message of at most `limit` code units; None while nothing is to be seen."""
    if limit < LIMIT_MIN:
        raise ValueError(f"a draft of {limit} code units shows nothing")
    source = clean(source)
    page, whole = _newest(source, limit)
    end = len(page.text.rstrip(BLANK))
    start = 0
    if not whole or page.units.at(end) > limit:
        start = _tail(page, end, limit - len(_CUT_OFF))
        whole = whole and not start
    rendered = page.part(start, end, page.spans, source, "" if whole else _CUT_OFF)
    return rendered if is_visible(page.text[start:end]) else None


def _newest(source: str, limit: int) -> tuple[Page, bool]:
    """A page of the newest blocks, enough to fill a message, and whether these are all there are."""
    pieces = chunks(source)
    growing = pieces.pop()
    newest = recent(growing, limit * _RECENT_LIMITS)
    pages = [lay_out(finish(newest))]
    whole = len(newest) == len(growing)
    while whole and pieces and sum(page.units.at(len(page.text)) for page in pages) <= limit:
        piece = pieces.pop()
        newest = recent(piece, limit * _RECENT_LIMITS)
        whole = len(newest) == len(piece)
        pages.append(_finished(newest))
    return joined([page for page in reversed(pages) if page.text.strip(BLANK)]), whole and not pieces


@lru_cache(_PAGES_KEPT)
def _finished(piece: str) -> Page:
    """The page of a block nothing will be added to: every frame of a draft needs it again."""
    return lay_out(piece)


def recent(source: str, length: int) -> str:
    """The end of a long block, from a paragraph or a line on; inside code, its fence is opened again."""
    if len(source) <= length:
        return source
    earliest = len(source) - length
    paragraph = _PARAGRAPH.search(source, earliest, earliest + length // 2)
    start = paragraph.end() if paragraph else source.find("\n", earliest) + 1 or earliest
    fence = open_fence(source[:start])
    return source[start:] if fence is None else f"{fence.strip()}\n{source[start:]}"


def _tail(page: Page, end: int, limit: int) -> int:
    """Where the longest end that fits begins: at a block if that leaves half a message, else inside one."""
    earliest = page.units.reach_back(end, limit)
    enough = page.units.reach_back(end, limit // 2)
    for deepest in range(DEPTHS):
        borders = [position for position, depth in page.borders if depth <= deepest]
        index = bisect_left(borders, earliest)
        if index < len(borders) and borders[index] <= enough:
            return borders[index]
    for seam in SEAMS:
        match = seam.search(page.text, earliest, enough)
        if match is not None:
            return match.end()
    return cluster_end(page.text, earliest)
